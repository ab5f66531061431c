"""What pgGit has on record, read from its tables: the oracle of whoever tests it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from psycopg.rows import class_row, scalar_row, tuple_row

if TYPE_CHECKING:
    import psycopg

__all__ = ["Branch", "Change", "Commit", "Records", "TrackedObject"]

Row = TypeVar("Row")

_BRANCHES = """
SELECT b.id, b.name, p.name AS parent, b.head_commit_hash AS head, b.status::text AS status,
       b.merged_at, b.merged_by
  FROM ONLY pggit.branches AS b
  LEFT JOIN ONLY pggit.branches AS p ON p.id = b.parent_branch_id
 ORDER BY b.id
"""
_COMMITS = """
SELECT c.hash, c.parent_commit_hash AS parent, c.message, b.name AS branch
  FROM ONLY pggit.commits AS c
  LEFT JOIN ONLY pggit.branches AS b ON b.id = c.branch_id
 WHERE %(branch)s::text IS NULL OR b.name = %(branch)s
 ORDER BY c.id
"""
_OBJECTS = """
SELECT o.id, o.object_type::text AS kind, o.full_name AS name, o.version, o.is_active AS active
  FROM ONLY pggit.objects AS o
 WHERE o.branch_name = %(branch)s
   AND o.schema_name = %(schema)s
 ORDER BY o.full_name, o.object_type
"""
_HISTORY = """
SELECT h.change_type::text AS change, h.old_version, h.new_version, h.commit_hash AS commit,
       h.change_description AS description
  FROM ONLY pggit.history AS h
 WHERE h.object_id IN (SELECT o.id
                         FROM ONLY pggit.objects AS o
                        WHERE o.full_name = %(name)s
                          AND o.branch_name = %(branch)s)
 ORDER BY h.id
"""
# PostgreSQL lists no setting that it does not know, so it has to be asked by name.
_SETTINGS = r"""
SELECT s.name, current_setting(s.name, true)
  FROM (SELECT DISTINCT m.part[1] AS name
          FROM pg_catalog.pg_proc AS p
          JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
         CROSS JOIN LATERAL regexp_matches(p.prosrc, $$'(pggit\w*\.\w+)'$$, 'g') AS m(part)
         WHERE n.nspname ~ '^pggit') AS s
 WHERE s.name !~ '^pggit_chaos'
   AND current_setting(s.name, true) IS NOT NULL
"""
# An INDEX of a partition comes without a command of its own, and a COLUMN row
# stays when its table goes: neither is compared.
_DRIFT = """
WITH live AS (
    SELECT CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'i' THEN 'INDEX' ELSE 'TABLE' END AS kind,
           quote_ident(c.relname) AS name
      FROM pg_catalog.pg_class AS c
     WHERE c.relnamespace = to_regnamespace(quote_ident(%(schema)s))
       AND c.relkind IN ('r', 'p', 'v', 'i')
       AND NOT (c.relkind = 'i' AND c.relispartition)
     UNION ALL
    SELECT 'COLUMN', quote_ident(c.relname) || '.' || quote_ident(a.attname)
      FROM pg_catalog.pg_class AS c
      JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid
     WHERE c.relnamespace = to_regnamespace(quote_ident(%(schema)s))
       AND c.relkind IN ('r', 'p')
       AND a.attnum > 0
       AND NOT a.attisdropped),
recorded AS (
    SELECT o.object_type::text AS kind, o.object_name AS name
      FROM ONLY pggit.objects AS o
      LEFT JOIN ONLY pggit.objects AS p ON p.id = o.parent_id
     WHERE o.schema_name = %(schema)s
       AND o.branch_name = %(branch)s
       AND o.object_type IN ('TABLE', 'VIEW', 'INDEX', 'COLUMN')
       AND o.is_active
       AND (o.object_type <> 'COLUMN' OR p.is_active))
SELECT format('%%s %%s exists, and is not recorded', lower(kind), name)
  FROM (SELECT * FROM live EXCEPT SELECT * FROM recorded) AS untracked
 UNION ALL
SELECT format('%%s %%s is recorded, and does not exist', lower(kind), name)
  FROM (SELECT * FROM recorded EXCEPT SELECT * FROM live) AS gone
 ORDER BY 1
"""


@dataclass(frozen=True, kw_only=True)
class Branch:
    """A branch; ``parent`` is a name, ``head`` the hash of a commit."""

    id: int
    name: str
    parent: str | None
    head: str | None
    status: str
    merged_at: datetime | None
    merged_by: str | None


@dataclass(frozen=True, kw_only=True)
class Commit:
    """A commit; ``parent`` is the hash of another, ``branch`` the name of a branch."""

    hash: str
    parent: str | None
    message: str
    branch: str | None


@dataclass(frozen=True, kw_only=True)
class TrackedObject:
    """A record of a table, a view, a column, ... on one branch."""

    id: int
    kind: str
    name: str
    version: int
    active: bool


@dataclass(frozen=True, kw_only=True)
class Change:
    """A row of an object's history."""

    change: str
    old_version: int | None
    new_version: int | None
    commit: str | None
    description: str | None


class Records:
    """Reads pgGit's tables over ``conn``, as that session sees them."""

    def __init__(self, conn: psycopg.Connection[Any]) -> None:
        self.conn = conn

    def branches(self) -> dict[str, Branch]:
        """Return the branches by name, deleted ones too, the oldest first."""
        return {branch.name: branch for branch in self._rows(Branch, _BRANCHES)}

    def commits(self, branch: str | None = None) -> list[Commit]:
        """Return the commits of a branch, or all, the oldest first."""
        return self._rows(Commit, _COMMITS, branch=branch)

    def messages(self, branch: str | None = None) -> list[str]:
        """Return the messages of those commits."""
        return [commit.message for commit in self.commits(branch)]

    def objects(
        self, *, branch: str = "main", schema: str = "public"
    ) -> dict[tuple[str, str], TrackedObject]:
        """Return what is recorded of a schema, by kind and full name, dropped objects too."""
        rows = self._rows(TrackedObject, _OBJECTS, branch=branch, schema=schema)
        return {(row.kind, row.name): row for row in rows}

    def active(
        self, kinds: Sequence[str] = ("TABLE",), *, branch: str = "main", schema: str = "public"
    ) -> set[str]:
        """Return the full names of the objects of some kinds that are recorded as existing."""
        found = self.objects(branch=branch, schema=schema).values()
        return {each.name for each in found if each.active and each.kind in kinds}

    def columns(self, table: str, *, branch: str = "main", schema: str = "public") -> set[str]:
        """Return the names of the columns that are recorded of a table."""
        prefix = f"{schema}.{table}."
        found = self.active(["COLUMN"], branch=branch, schema=schema)
        return {name.removeprefix(prefix) for name in found if name.startswith(prefix)}

    def history(self, name: str, *, branch: str = "main") -> list[Change]:
        """Return the history of an object, by its full name, the oldest change first."""
        return self._rows(Change, _HISTORY, name=name, branch=branch)

    def settings(self) -> dict[str, str]:
        """Return those of pgGit's own settings that this session has set."""
        with self.conn.cursor(row_factory=tuple_row) as cursor:
            return dict(cursor.execute(_SETTINGS).fetchall())

    def drift(self, *, branch: str = "main", schema: str = "public") -> list[str]:
        """Return where the records of a schema and PostgreSQL's catalogue differ."""
        with self.conn.cursor(row_factory=scalar_row) as cursor:
            return cursor.execute(_DRIFT, {"branch": branch, "schema": schema}).fetchall()

    def _rows(self, row: type[Row], query: str, **arguments: Any) -> list[Row]:
        with self.conn.cursor(row_factory=class_row(row)) as cursor:
            return cursor.execute(query, arguments).fetchall()
