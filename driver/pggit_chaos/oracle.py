"""The model beside a real database: do an operation there, and tell where the two part."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pggit_chaos.model import Branch, Model, Record, RecordedCommit, merge_message
from pggit_chaos.plans import (
    AddColumn,
    BranchData,
    Commit,
    CreateBranch,
    CreateTable,
    DeleteBranch,
    DropTable,
    Merge,
    Operation,
    SwitchBranch,
)

if TYPE_CHECKING:
    import psycopg

    from pggit_chaos.target import Target

__all__ = [
    "broken_lines",
    "broken_versions",
    "departures",
    "observe",
    "perform",
    "refused",
    "state",
    "value",
]

_BRANCHES = """
SELECT b.name, p.name, b.head_commit_hash, b.status::text
  FROM ONLY pggit.branches AS b
  LEFT JOIN ONLY pggit.branches AS p ON p.id = b.parent_branch_id
 ORDER BY b.id
"""
_COMMITS = """
SELECT c.hash, b.name, c.parent_commit_hash, c.message
  FROM ONLY pggit.commits AS c
  LEFT JOIN ONLY pggit.branches AS b ON b.id = c.branch_id
 ORDER BY c.id
"""
_RECORDS = """
SELECT o.branch_name, o.object_name, o.is_active, o.version,
       ARRAY(SELECT jsonb_object_keys(o.metadata -> 'columns'))
  FROM ONLY pggit.objects AS o
 WHERE o.object_type = 'TABLE' AND o.schema_name = 'public'
 ORDER BY o.id
"""
_COPIES = "SELECT t.branch_name, t.source_table FROM ONLY pggit.branched_tables AS t"
_CONFLICTS = """
SELECT c.branch_a, c.branch_b, c.conflict_object FROM ONLY pggit.merge_conflicts AS c ORDER BY c.id
"""

_LINES = """
SELECT b.name, b.head_commit_hash,
       ARRAY(SELECT c.hash FROM ONLY pggit.commits AS c
              WHERE c.branch_id = b.id ORDER BY c.id),
       ARRAY(SELECT c.parent_commit_hash FROM ONLY pggit.commits AS c
              WHERE c.branch_id = b.id ORDER BY c.id)
  FROM ONLY pggit.branches AS b
 ORDER BY b.id
"""
# Tables of schema public only: some pgGits version themselves.
_VERSIONS = """
SELECT o.branch_name, o.object_name, o.version,
       ARRAY(SELECT h.old_version FROM ONLY pggit.history AS h
              WHERE h.object_id = o.id AND h.new_version IS NOT NULL ORDER BY h.id),
       ARRAY(SELECT h.new_version FROM ONLY pggit.history AS h
              WHERE h.object_id = o.id AND h.new_version IS NOT NULL ORDER BY h.id)
  FROM ONLY pggit.objects AS o
 WHERE o.object_type = 'TABLE' AND o.schema_name = 'public'
 ORDER BY o.id
"""

# What a rollback takes back; the positions of sequences it does not.
_STATE = """
SELECT d.relation, d.digest
  FROM pggit_chaos.digest() AS d
 WHERE d.relation NOT IN (SELECT format('%I.%I', n.nspname, c.relname)
                            FROM pg_catalog.pg_class AS c
                            JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
                           WHERE c.relkind = 'S')
"""


def value(conn: psycopg.Connection[Any], query: Any, *arguments: Any) -> Any:
    """Return the one value that a query answers, None where it answers no row."""
    row = conn.execute(query, arguments).fetchone()
    return None if row is None else row[0]


@contextmanager
def refused(sqlstate: str | None = None) -> Iterator[None]:
    """Fail unless pgGit raises an error in the block, with this SQLSTATE if one is named."""
    import psycopg

    seen: psycopg.Error | None = None
    try:
        yield
    except psycopg.Error as error:
        seen = error
    assert seen is not None, f"{sqlstate or 'an error'} is due, and pgGit says that all is well"
    assert sqlstate in (None, seen.sqlstate), (
        f"{sqlstate} is due, and the caller saw {seen.sqlstate}: {seen}"
    )


def state(conn: psycopg.Connection[Any]) -> dict[str, str]:
    """Return a digest of each of pgGit's tables, and of its definitions."""
    return dict(conn.execute(_STATE).fetchall())


def broken_lines(conn: psycopg.Connection[Any]) -> list[str]:
    """Return, as sentences, where the commits of a branch are not one line up to its head."""
    wrong = []
    for branch, head, hashes, parents in conn.execute(_LINES):
        for number in range(1, len(hashes)):
            if parents[number] != hashes[number - 1]:
                wrong.append(
                    f"commit {hashes[number]} of {branch!r} follows {hashes[number - 1]},"
                    f" and has {parents[number]} as its parent"
                )
        if hashes and head != hashes[-1]:
            wrong.append(f"the last commit of {branch!r} is {hashes[-1]}, and its head is {head}")
    return wrong


def broken_versions(conn: psycopg.Connection[Any]) -> list[str]:
    """Return, as sentences, where a table's history does not lead to its version step by step."""
    wrong = []
    for branch, table, version, olds, news in conn.execute(_VERSIONS):
        of = f"of table {table!r} on {branch!r}"
        if news and news[-1] != version:
            wrong.append(f"the last change {of} led to version {news[-1]}; it is at {version}")
        if news and news != list(range(news[0], news[0] + len(news))):
            wrong.append(f"the versions {of} do not follow one another: {news}")
        if olds[1:] != news[:-1]:
            wrong.append(f"the changes {of} do not begin where those before ended: {olds}, {news}")
    return wrong


def perform(target: Target, operation: Operation) -> None:
    """Do an operation.  What pgGit raises is raised."""
    match operation:
        case CreateTable() | AddColumn() | DropTable():
            _change_schema(target, operation)
        case SwitchBranch(branch=branch):
            target.switch_branch(branch)
        case Commit(branch=branch, message=message):
            target.commit(branch, message)
        case CreateBranch(branch=branch, parent=parent):
            target.create_branch(branch, parent=parent)
        case Merge(source=source, target=into):
            target.merge(source, into, message=merge_message(source, into))
        case DeleteBranch(branch=branch):
            target.delete_branch(branch)
        case BranchData(table=table, branch=branch):
            target.create_data_branch(table, branch)


def _change_schema(target: Target, operation: CreateTable | AddColumn | DropTable) -> None:
    from psycopg import sql

    table = sql.Identifier("public", operation.table)
    match operation:
        case CreateTable():
            statement = sql.SQL("CREATE TABLE {} (id integer)").format(table)
        case AddColumn(column=column):
            statement = sql.SQL("ALTER TABLE {} ADD COLUMN {} text").format(
                table, sql.Identifier(column)
            )
        case DropTable():
            statement = sql.SQL("DROP TABLE {}").format(table)
    target.conn.execute(statement)


def observe(conn: psycopg.Connection[Any]) -> Model:
    """Return what pgGit's tables hold, as a model."""
    commits = conn.execute(_COMMITS).fetchall()
    places: dict[str | None, int] = {row[0]: place for place, row in enumerate(commits)}
    # What resolves to no commit is a place that there is not.
    nowhere = len(commits)

    def place(hash_: str | None) -> int | None:
        return None if hash_ is None else places.get(hash_, nowhere)

    return Model(
        branches={
            name: Branch(parent=parent, head=place(head), status=status)
            for name, parent, head, status in conn.execute(_BRANCHES)
        },
        commits=[
            RecordedCommit(branch, place(parent), message) for _, branch, parent, message in commits
        ],
        records={
            (branch, table): Record(tuple(sorted(columns)) if active else None, version)
            for branch, table, active, version, columns in conn.execute(_RECORDS)
        },
        copies=set(conn.execute(_COPIES).fetchall()),
        conflicts=conn.execute(_CONFLICTS).fetchall(),
    )


def departures(model: Model, observed: Model) -> list[str]:
    """Return, as sentences, where what pgGit holds is not what it promises."""
    return [
        *_departures_of_commits(model, observed),
        *_departures_of_branches(model, observed),
        *_departures_of_records(model, observed),
        *_differences("copies of tables", dict.fromkeys(model.copies), observed.copies),
        *_departures_of_conflicts(model, observed),
    ]


def _departures_of_commits(model: Model, observed: Model) -> Iterator[str]:
    if len(model.commits) != len(observed.commits):
        yield f"{len(model.commits)} commits were made, and pgGit has {len(observed.commits)}"
    for place, (due, found) in enumerate(zip(model.commits, observed.commits, strict=False)):
        if found.branch != due.branch:
            yield f"commit {place} was made to {due.branch!r}, and is on {found.branch!r}"
        if found.message != due.message:
            yield f"commit {place} was {due.message!r}, and is {found.message!r}"
        if found.parent != due.parent:
            yield (
                f"commit {place} to {due.branch!r} has {_commit(found.parent)} as its parent,"
                f" and the head was {_commit(due.parent)}"
            )


def _departures_of_branches(model: Model, observed: Model) -> Iterator[str]:
    yield from _differences("branches", model.branches, observed.branches)
    for name in model.branches.keys() & observed.branches.keys():
        due, found = model.branches[name], observed.branches[name]
        if found.parent != due.parent:
            yield f"branch {name!r} was made from {due.parent!r}; its parent is {found.parent!r}"
        if found.head != due.head:
            yield (
                f"the head of {name!r} should be {_commit(due.head)}, and is {_commit(found.head)}"
            )
        if found.status != due.status:
            yield f"branch {name!r} should be {due.status}, and is {found.status}"


def _departures_of_records(model: Model, observed: Model) -> Iterator[str]:
    yield from _differences("records of tables (branch, table)", model.records, observed.records)
    for key in model.records.keys() & observed.records.keys():
        due, found = model.records[key], observed.records[key]
        columns = None if due.columns is None else tuple(sorted(due.columns))
        branch, table = key
        if found.columns != columns:
            yield (
                f"branch {branch!r} should know table {table!r} with columns {columns},"
                f" and knows {found.columns} (None: dropped)"
            )
        if found.version != due.version:
            yield (
                f"table {table!r} on {branch!r} should be at version {due.version},"
                f" and is at {found.version}"
            )


def _departures_of_conflicts(model: Model, observed: Model) -> Iterator[str]:
    # How pgGit names what is in conflict differs from release to release.
    due = Counter((source, target) for source, target, _ in model.conflicts)
    found = Counter((source, target) for source, target, _ in observed.conflicts)
    if due != found:
        yield f"merges should have met the conflicts {dict(due)}, and recorded {dict(found)}"


def _differences(what: str, due: Mapping[Any, Any], found: Any) -> Iterator[str]:
    if missing := sorted(due.keys() - found, key=str):
        yield f"{what} that pgGit does not have: {missing}"
    if unknown := sorted(set(found) - due.keys(), key=str):
        yield f"{what} that nobody made: {unknown}"


def _commit(place: int | None) -> str:
    return "none" if place is None else f"commit {place}"
