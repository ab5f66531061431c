"""Hypothesis strategies for what pgGit is given, and for the faults that strike it.

They draw plans (see ``plans``) and never touch a database.  They shrink towards
nothing: no fault, the first hit, the smallest seed, the shortest name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from typing import Any

from hypothesis import strategies as st

from pggit_chaos.model import ROOT, Model
from pggit_chaos.plans import (
    AddColumn,
    BranchData,
    Column,
    Commit,
    CreateBranch,
    CreateTable,
    DeleteBranch,
    DropTable,
    FaultPlan,
    Merge,
    Operation,
    Part,
    SwitchBranch,
    Table,
    Version,
)

__all__ = [
    "INTEGER_MAX",
    "branch_names",
    "columns",
    "commit_ids",
    "commit_messages",
    "fault_plans",
    "hostile_branch_names",
    "identifiers",
    "operation_sequences",
    "operations",
    "parts",
    "rows",
    "tables",
    "texts",
    "trinity_ids",
    "versions",
]

INTEGER_MAX = 2**31 - 1
NAME_BYTES = 63  # PostgreSQL cuts what is longer
BRANCH_NAME = re.compile(r"[a-zA-Z0-9._/#-]+")
_PLAIN = re.compile(r"[a-z_][a-z0-9_]*")

# -- text and names --------------------------------------------------------


def texts(*, min_size: int = 0, max_size: int = 200) -> st.SearchStrategy[str]:
    """Text that PostgreSQL can hold in UTF8: all of Unicode but NUL and halves of pairs."""
    every = st.characters(codec="utf-8", exclude_characters="\0")
    return st.text(every, min_size=min_size, max_size=max_size)


def identifiers(*, quoted: bool | None = None) -> st.SearchStrategy[str]:
    """Names of at most 63 bytes, unquoted: such as need quotes, such as do not, or both."""
    if quoted is None:
        return st.one_of(_plain_identifiers(), _quoted_identifiers())
    return _quoted_identifiers() if quoted else _plain_identifiers()


def _plain_identifiers() -> st.SearchStrategy[str]:
    # No key word of SQL ends in a digit; and pg_ is PostgreSQL's own.
    return st.from_regex(r"[a-oq-z][a-z0-9_]{0,29}[0-9]", fullmatch=True)


def _quoted_identifiers() -> st.SearchStrategy[str]:
    tricky = st.sampled_from("A \"'.,;()[]%$\\/-:é ß日💥0")
    name = st.one_of(
        st.text(tricky, min_size=1, max_size=12),
        st.sampled_from(("select", "Table", "user", "x.y", 'a"b', "a'b", "%s", "$1", " lead")),
        texts(min_size=1, max_size=15),
    )
    return name.filter(_needs_quotes)


def _needs_quotes(name: str) -> bool:
    key_word = name in ("select", "user")
    return len(name.encode()) <= NAME_BYTES and (key_word or not _PLAIN.fullmatch(name))


def branch_names(*, max_size: int = 60) -> st.SearchStrategy[str]:
    """Names that pgGit takes for a branch, but those of git's and pgGit's own (main)."""
    alphabet = "abcxyzABCXYZ0189._/#-"
    name = st.text(st.sampled_from(alphabet), min_size=1, max_size=max_size)
    return name.filter(lambda name: name != ROOT)


def hostile_branch_names() -> st.SearchStrategy[str]:
    """Names that no pgGit may take for a branch."""
    spoilt = st.builds(
        lambda before, bad, after: before + bad + after,
        st.one_of(st.just(""), branch_names(max_size=5)),
        st.sampled_from(" \t\n\r'\";$\\*?[]{}()<>|&!%^~@:=+,`\u00e9\u0430\u2044\u200b\ufeff"),
        st.one_of(st.just(""), branch_names(max_size=5)),
    )
    known = st.sampled_from(
        ("", "main\n", " main", "a b", "'; DROP TABLE pggit.branches; --", "$(id)", "m\u0430in")
    )
    return st.one_of(known, spoilt, texts(max_size=20)).filter(
        lambda name: BRANCH_NAME.fullmatch(name) is None
    )


def commit_messages(*, min_size: int = 1, max_size: int = 1000) -> st.SearchStrategy[str]:
    """Messages of any characters; sizes are in characters."""
    tricky = st.sampled_from(
        (
            " leads and trails ",
            "two\nlines\r\nand\ttabs",
            "%s %I %L %% $1 :name {0} \\n",
            "'; DROP SCHEMA pggit CASCADE; --",
            "e\u0301 is not \u00e9",
            "\u202eright to left\u202c \u200bnothing\ufeff",
            "\U0001f4a5" * 20,
            "UPPER and lower",
        )
    ).filter(lambda message: min_size <= len(message) <= max_size)
    return st.one_of(texts(min_size=min_size, max_size=max_size), tricky)


# -- ids and versions --------------------------------------------------------


def trinity_ids() -> st.SearchStrategy[str]:
    """IDs in the shape of Trinity IDs that no database has issued: time, number, check."""
    return st.builds(
        lambda time, number, check: f"{time:%Y%m%d%H%M%S%f}-{number:06}-{check:08x}",
        st.datetimes(datetime(2000, 1, 1), datetime(2099, 12, 31)),
        st.integers(0, 10**9),
        st.integers(0, 2**32 - 1),
    )


def commit_ids() -> st.SearchStrategy[str]:
    """IDs of the caller's own making; pgGit asks for at least 10 characters."""
    return st.one_of(st.from_regex(r"[a-z0-9]{10,40}", fullmatch=True), texts(min_size=10))


def versions(*, max_value: int = INTEGER_MAX - 1) -> st.SearchStrategy[Version]:
    """Version triples, each part of which can still be raised."""
    part = st.one_of(st.integers(0, min(20, max_value)), st.integers(0, max_value))
    return st.builds(Version, part, part, part)


def parts() -> st.SearchStrategy[Part]:
    """Which part of a version is raised."""
    return st.sampled_from(("patch", "minor", "major"))


# -- tables and rows ---------------------------------------------------------

_NUMBERS = st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-(10**9))
_SCALARS: dict[str, st.SearchStrategy[Any]] = {
    "integer": st.integers(-INTEGER_MAX - 1, INTEGER_MAX),
    "text": texts(max_size=50),
    "boolean": st.booleans(),
    "bigint": st.integers(-(2**63), 2**63 - 1),
    "numeric": _NUMBERS,
    "double precision": st.floats(allow_nan=False),
    "date": st.dates(date(1, 1, 1)),
    "timestamptz": st.datetimes(timezones=st.just(UTC)),
    "bytea": st.binary(max_size=50),
    "uuid": st.uuids(),
    "text[]": st.lists(texts(max_size=10), max_size=4),
}
_DEFAULTS = {
    "integer": "0",
    "text": "''",
    "boolean": "false",
    "bigint": "0",
    "numeric": "0.0",
    "double precision": "1e0",
    "date": "'2000-01-01'",
    "timestamptz": "CURRENT_TIMESTAMP",
    "bytea": "'\\x00'",
    "uuid": "'00000000-0000-0000-0000-000000000000'",
    "text[]": "'{}'",
}


def columns(*, names: st.SearchStrategy[str] | None = None) -> st.SearchStrategy[Column]:
    """Columns that can be added to any table: those that are NOT NULL have a default."""
    return st.builds(
        _column,
        names if names is not None else identifiers(),
        st.sampled_from(sorted(_DEFAULTS)),
        st.sampled_from(("plain", "default", "not null")),
    )


def _column(name: str, type_: str, kind: str) -> Column:
    default = None if kind == "plain" else _DEFAULTS[type_]
    return Column(name=name, type=type_, nullable=kind != "not null", default=default)


def tables(
    *,
    names: st.SearchStrategy[str] | None = None,
    column_names: st.SearchStrategy[str] | None = None,
    max_columns: int = 6,
    keyed: bool | None = None,
) -> st.SearchStrategy[Table]:
    """Definitions of tables of schema public, with or without a primary key."""
    some = st.lists(
        columns(names=column_names),
        min_size=1,
        max_size=max_columns,
        unique_by=lambda column: column.name,
    )
    return st.builds(
        _table,
        names if names is not None else identifiers(),
        some,
        st.booleans() if keyed is None else st.just(keyed),
    )


def _table(name: str, columns: Sequence[Column], keyed: bool) -> Table:
    columns = tuple(columns)
    if keyed:
        columns = (Column(name=columns[0].name, type="integer", nullable=False), *columns[1:])
    return Table(name=name, columns=columns, keyed=keyed)


def rows(
    table: Table, *, min_size: int = 0, max_size: int = 10
) -> st.SearchStrategy[list[tuple[Any, ...]]]:
    """Rows that fit a table, in the order of its columns."""
    row = st.tuples(*(_values(column) for column in table.columns))
    key = (lambda row: row[0]) if table.keyed else None
    return st.lists(row, min_size=min_size, max_size=max_size, unique_by=key)


def _values(column: Column) -> st.SearchStrategy[Any]:
    values = _SCALARS[column.type]
    return st.one_of(st.none(), values) if column.nullable else values


# -- faults --------------------------------------------------------------------


def fault_plans(
    failpoints: Sequence[str],
    *,
    actions: Sequence[str] = ("error(40001)", "error(40P01)", "error(53100)", "cancel", "error"),
    max_hit: int = 12,
    always: bool = False,
) -> st.SearchStrategy[FaultPlan | None]:
    """Faults at one of the failpoints, or none; ``always`` has no None, and no chance in it."""
    fault = st.builds(
        FaultPlan,
        failpoint=st.sampled_from(tuple(failpoints)),
        action=st.sampled_from(tuple(actions)),
        start_hit=st.integers(1, max_hit),
        percent=st.just(100) if always else st.sampled_from((100, 50)),
        seed=st.just(0) if always else st.integers(0, 2**16),
    )
    return fault if always else st.one_of(st.none(), fault)


# -- operations ------------------------------------------------------------------


def operations(model: Model) -> st.SearchStrategy[Operation]:
    """Operations that can be done where a model is; new things get names that nothing had."""
    possible = dict(_possible(model))
    # A kind has its place whether or not it is possible, so that leaving out what
    # was done before leaves the rest as it is.
    return st.sampled_from(_KINDS).flatmap(
        lambda kind: possible.get(kind, possible[_GROUND_OF.get(kind, CreateTable)])
    )


# Two branches have to change one table before a merge has something to decide.
_KINDS: tuple[type[Operation], ...] = (
    Commit,
    CreateTable,
    CreateBranch,
    SwitchBranch,
    SwitchBranch,
    AddColumn,
    AddColumn,
    AddColumn,
    Merge,
    Merge,
    DropTable,
    DeleteBranch,
    BranchData,
)
# What is done instead, where there is nothing yet to do it with; else a table is made.
_GROUND_OF: dict[type[Operation], type[Operation]] = {
    Merge: CreateBranch,
    DeleteBranch: CreateBranch,
}


def _possible(model: Model) -> Iterator[tuple[type[Operation], st.SearchStrategy[Operation]]]:
    new = st.just(f"new{model.age}")
    living = st.sampled_from(model.living)
    yield (
        Commit,
        st.builds(Commit, branch=st.sampled_from(list(model.branches)), message=_messages()),
    )
    yield CreateTable, st.builds(CreateTable, table=new)
    yield CreateBranch, st.builds(CreateBranch, branch=new, parent=living)
    yield SwitchBranch, st.builds(SwitchBranch, branch=living)
    if model.pairs:
        pairs = st.sampled_from(model.pairs)
        yield Merge, pairs.map(lambda pair: Merge(source=pair[0], target=pair[1]))
    if model.known:
        table = st.sampled_from(model.known)
        yield AddColumn, st.builds(AddColumn, table=table, column=new)
        yield DropTable, st.builds(DropTable, table=table)
        if model.current == ROOT:
            yield BranchData, st.builds(BranchData, table=table, branch=new)
    if model.deletable:
        yield DeleteBranch, st.builds(DeleteBranch, branch=st.sampled_from(model.deletable))


def _messages() -> st.SearchStrategy[str]:
    return commit_messages(max_size=30)


@st.composite
def operation_sequences(
    draw: st.DrawFn, *, min_size: int = 0, max_size: int = 12
) -> list[Operation]:
    """Operations each of which can be done after those before it."""
    model, done = Model(), list[Operation]()
    # Whether to go on is asked each time, so that any operation can be left out.
    while len(done) < min_size or (len(done) < max_size and draw(st.integers(0, max_size))):
        operation = draw(operations(model))
        model.apply(operation)
        done.append(operation)
    return done
