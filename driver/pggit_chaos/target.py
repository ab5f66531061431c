"""What the pgGit of a database can do, on whichever functions it has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from psycopg import errors
from psycopg.rows import dict_row, tuple_row

from pggit_chaos import operations
from pggit_chaos.errors import NotApplicableError, NotInstalledError
from pggit_chaos.operations import Operation

if TYPE_CHECKING:
    import psycopg

__all__ = ["CORE_FUNCTIONS", "RAISED_BY", "Target"]

# Names of types are spelled from the catalogue: what regtype prints depends on
# the search_path.
_FUNCTIONS = """
SELECT p.proname || '(' || COALESCE(string_agg(
           CASE t.typnamespace WHEN 'pg_catalog'::regnamespace THEN format_type(t.oid, NULL)
                               ELSE n.nspname || '.' || t.typname END,
           ',' ORDER BY a.position), '') || ')'
  FROM pg_catalog.pg_proc AS p
  LEFT JOIN LATERAL unnest(p.proargtypes) WITH ORDINALITY AS a(type, position) ON true
  LEFT JOIN pg_catalog.pg_type AS t ON t.oid = a.type
  LEFT JOIN pg_catalog.pg_namespace AS n ON n.oid = t.typnamespace
 WHERE p.pronamespace = (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = 'pggit')
   AND (p.proname = %(name)s::name OR %(name)s::name IS NULL)
 GROUP BY p.oid
"""
_OBJECT_ID = """
SELECT o.id
  FROM ONLY pggit.objects AS o
 WHERE o.object_type = 'TABLE'
   AND o.schema_name = 'public'
   AND o.object_name = %s
   AND o.branch_name = %s
"""


@dataclass(frozen=True, kw_only=True)
class _Call:
    """One way to do something: a function, and how to call it."""

    function: str
    statement: str


_COMMIT = (
    _Call(
        function="commit_changes(text,text,text)",
        statement="SELECT pggit.commit_changes(%(branch)s::text, %(message)s::text, NULL::text)",
    ),
    _Call(
        function="create_commit(text,text,text,uuid[])",
        statement="SELECT pggit.create_commit(%(branch)s::text, %(message)s::text,"
        " ''::text, NULL::uuid[])::text",
    ),
)
_MERGE = (
    _Call(
        function="merge_branches(text,text,text)",
        statement="SELECT pggit.merge_branches(%(source)s::text, %(target)s::text,"
        " %(message)s::text)",
    ),
    _Call(
        function="merge(text,text,text)",
        statement="SELECT pggit.merge(%(source)s::text, %(target)s::text, 'auto'::text)::text",
    ),
)
_DELETE_BRANCH = (
    _Call(
        function="delete_branch_simple(text)",
        statement="SELECT pggit.delete_branch_simple(%(branch)s::text)",
    ),
    _Call(
        function="delete_branch(text,boolean)",
        statement="SELECT FROM pggit.delete_branch(%(branch)s::text, true)",
    ),
)
_CREATE_BRANCH = (
    _Call(
        function="create_branch(text,text,boolean)",
        statement="SELECT pggit.create_branch(%(branch)s::text, %(parent)s::text,"
        " %(copy_data)s::boolean)",
    ),
)
_CREATE_DATA_BRANCH = (
    _Call(
        function="create_data_branch(text,text,text)",
        statement="SELECT pggit.create_data_branch(%(table)s::text, %(source)s::text,"
        " %(branch)s::text)",
    ),
)
_INCREMENT_VERSION = (
    _Call(
        function="increment_version(integer,pggit.change_type,pggit.change_severity,text,jsonb,text)",
        statement="SELECT pggit.increment_version(%(object_id)s::integer,"
        " %(change)s::pggit.change_type, %(severity)s::pggit.change_severity,"
        " %(description)s::text, NULL::jsonb, NULL::text)",
    ),
)
_COMMIT_AS = (
    _Call(
        function="commit_changes(text,text,text)",
        statement="SELECT pggit.commit_changes(%(branch)s::text, %(message)s::text, %(id)s::text)",
    ),
)
_NEXT_VERSION = (
    _Call(
        function="increment_version(integer,integer,integer,text)",
        statement="SELECT n.major, n.minor, n.patch, n.full_version"
        " FROM pggit.increment_version(%(major)s::integer, %(minor)s::integer,"
        " %(patch)s::integer, %(part)s::text) AS n",
    ),
)
_TRINITY_ID = (
    _Call(function="generate_trinity_id()", statement="SELECT pggit.generate_trinity_id()"),
)
_SCHEMA_HASH = (
    _Call(
        function="calculate_schema_hash(text)",
        statement="SELECT pggit.calculate_schema_hash(%(table)s::text)",
    ),
)
_SWITCH_BRANCH = (
    _Call(
        function="switch_branch(text)",
        statement="SELECT pggit.switch_branch(%(branch)s::text)",
    ),
)
_GET_VERSION = (
    _Call(
        function="get_version(text)",
        statement="SELECT * FROM pggit.get_version(%(object)s::text)",
    ),
)


RAISED_BY: Final = "raised by pggit."
"""Begins the note of an exception of a call, before the function."""

CORE_FUNCTIONS: Final = (
    *(
        call.function
        for calls in (
            _COMMIT,
            _CREATE_BRANCH,
            _SWITCH_BRANCH,
            _MERGE,
            _DELETE_BRANCH,
            _CREATE_DATA_BRANCH,
            _TRINITY_ID,
            _GET_VERSION,
            _INCREMENT_VERSION,
            _SCHEMA_HASH,
        )
        for call in calls
    ),
    "increment_version(integer,integer,integer,text)",
    "checkout_branch(text)",
    "compute_ddl_hash(pggit.object_type,text,text)",
    "ensure_object(pggit.object_type,text,text,text,jsonb)",
    "get_history(text,integer)",
    "list_branches(pggit.branch_status,integer)",
    "handle_ddl_command()",
    "handle_sql_drop()",
)
"""What pgGit documents at its core, as ``name(type,type)``."""


class Target:
    """The pgGit of the database of ``conn``.

    What a call raises is what pgGit raised, as psycopg gives it, with a note of
    the function.  Where this pgGit has no function for it, it is a
    NotApplicableError.
    """

    def __init__(self, conn: psycopg.Connection[Any]) -> None:
        self.conn = conn
        self._named: dict[str, frozenset[str]] = {}

    @cached_property
    def functions(self) -> frozenset[str]:
        """The functions of schema pggit, as ``name(type,type)``."""
        names = self._values(_FUNCTIONS, {"name": None})
        if not names:
            raise NotInstalledError(
                f'database "{self.conn.info.dbname}" has no pgGit',
                hint="Install pgGit there, or name another database.",
            )
        return frozenset(names)

    def has(self, function: str) -> bool:
        """Answer whether this pgGit has a function, given as ``name(type,type)``."""
        if "functions" in vars(self):
            return function in self.functions
        # One name is found by an index; reading all costs some ten times as much.
        name = function.partition("(")[0]
        if name not in self._named:
            self._named[name] = frozenset(self._values(_FUNCTIONS, {"name": name}))
        return function in self._named[name] or function in self.functions

    # -- what pgGit does -------------------------------------------------

    def commit(self, branch: str, message: str) -> str:
        """Commit to a branch; return the commit's hash or id."""
        return str(self._scalar(_COMMIT, branch=branch, message=message))

    def commit_as(self, branch: str, message: str, id_: str) -> str:
        """Commit to a branch under an ID of the caller's own; return the commit's hash."""
        return str(self._scalar(_COMMIT_AS, branch=branch, message=message, id=id_))

    def create_branch(self, branch: str, *, parent: str = "main", copy_data: bool = False) -> int:
        """Create a branch; return its id."""
        return int(self._scalar(_CREATE_BRANCH, branch=branch, parent=parent, copy_data=copy_data))

    def merge(self, source: str, target: str = "main", *, message: str = "merge") -> str:
        """Merge one branch into another; return what pgGit says about it."""
        return str(self._scalar(_MERGE, source=source, target=target, message=message))

    def delete_branch(self, branch: str) -> None:
        """Delete a branch."""
        self._scalar(_DELETE_BRANCH, branch=branch)

    def create_data_branch(self, table: str, branch: str, *, source: str = "main") -> int:
        """Branch the rows of a table of schema public; return the number that pgGit answers."""
        return int(self._scalar(_CREATE_DATA_BRANCH, table=table, branch=branch, source=source))

    def switch_branch(self, branch: str) -> None:
        """Make a branch the current one of this session."""
        self._scalar(_SWITCH_BRANCH, branch=branch)

    def trinity_id(self) -> str:
        """Return a new Trinity ID."""
        return str(self._scalar(_TRINITY_ID))

    def schema_hash(self, table: str) -> str | None:
        """Return the hash of the definition of a table of schema public."""
        value = self._scalar(_SCHEMA_HASH, table=table)
        return None if value is None else str(value)

    def get_version(self, name: str) -> dict[str, Any] | None:
        """Return what pgGit says of an object's version, by column; None for an unknown object."""
        call = self._choose(_GET_VERSION)
        with self.conn.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(call.statement, {"object": name}).fetchone()

    def increment_version(
        self,
        object_id: int,
        *,
        change: str = "ALTER",
        severity: str = "MINOR",
        description: str = "version",
    ) -> int:
        """Count the version of an object up; return the new one."""
        return int(
            self._scalar(
                _INCREMENT_VERSION,
                object_id=object_id,
                change=change,
                severity=severity,
                description=description,
            )
        )

    def next_version(
        self, major: int, minor: int, patch: int, part: str
    ) -> tuple[int, int, int, str] | None:
        """Return the semantic version that follows, and how it is written; nothing is stored."""
        call = self._choose(_NEXT_VERSION)
        arguments = {"major": major, "minor": minor, "patch": patch, "part": part}
        with self.conn.cursor(row_factory=tuple_row) as cursor:
            return cursor.execute(call.statement, arguments).fetchone()

    def object_id(self, table: str, *, branch: str = "main") -> int:
        """Return the id under which pgGit knows a table of schema public."""
        ids = self._values(_OBJECT_ID, (table, branch))
        if not ids:
            raise NotApplicableError(f'pgGit does not know table "{table}" on branch "{branch}"')
        return int(ids[0])

    # -- ground and work -------------------------------------------------

    def operations(self) -> list[Operation]:
        """Return the core operations that this pgGit has, for sweeps."""
        return [op for op in operations.CORE if op.needs is None or self.has(op.needs)]

    def prepare(self) -> None:
        """Make the ground that the core operations need: tables, branches, commits."""
        self._spend_first_branch_id()
        self.conn.execute(operations.GROUND)
        for branch in (operations.SOURCE_BRANCH, operations.OLD_BRANCH):
            self.create_branch(branch)
        for message in ("first commit of the ground", "second commit of the ground"):
            self.commit("main", message)
        self.commit(operations.SOURCE_BRANCH, "commit to be merged")

    def workload(self, seed: int = 0, steps: int = 30) -> list[str]:
        """Do ordinary work, the same for the same seed; return what was done, step by step."""
        from pggit_chaos.workload import Workload

        self._spend_first_branch_id()
        work = Workload(self, seed)
        return [work.step() for _ in range(steps)]

    def furnish(self, seed: int = 0, steps: int = 30) -> list[str]:
        """Do a workload that leaves something of everything that can be corrupted."""
        from pggit_chaos.workload import Workload

        self._spend_first_branch_id()
        work = Workload(self, seed)
        return [*(work.step() for _ in range(steps)), *work.leave_something()]

    # -- how it is done --------------------------------------------------

    def _spend_first_branch_id(self) -> None:
        """Get over the start of the branches' sequence, in a transaction that is undone.

        Released pgGits insert main with an id of their own and leave the sequence
        at its start, so the first branch of a fresh installation is a 23505 and the
        second is none.
        """
        try:
            with self.conn.transaction(force_rollback=True):
                self.create_branch(operations.OLD_BRANCH)
        except errors.UniqueViolation:
            pass

    def _choose(self, calls: Sequence[_Call]) -> _Call:
        for call in calls:
            if self.has(call.function):
                return call
        raise NotApplicableError(f"this pgGit has no function pggit.{calls[0].function}")

    def _scalar(self, calls: Sequence[_Call], **arguments: Any) -> Any:
        call = self._choose(calls)
        try:
            values = self._values(call.statement, arguments)
        except errors.Error as error:
            error.add_note(f"{RAISED_BY}{call.function}")
            raise
        return values[0] if values else None

    def _values(
        self, query: str, arguments: Sequence[Any] | Mapping[str, Any] | None = None
    ) -> list[Any]:
        with self.conn.cursor(row_factory=tuple_row) as cursor:
            return [row[0] for row in cursor.execute(query, arguments) if row]
