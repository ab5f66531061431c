"""What somebody may do with a pgGit, and what may strike it, as plain data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from psycopg import sql

    from pggit_chaos.chaos import Chaos, Fault

__all__ = [
    "AddColumn",
    "BranchData",
    "Column",
    "Commit",
    "CreateBranch",
    "CreateTable",
    "DeleteBranch",
    "DropTable",
    "FaultPlan",
    "Merge",
    "Operation",
    "Part",
    "SwitchBranch",
    "Table",
    "Version",
]

PLAIN_ERROR = "PC100"
SQLSTATES = {"cancel": "57014", "terminate": "57P01"}

Part = Literal["patch", "minor", "major"]


class Version(NamedTuple):
    """A semantic version."""

    major: int
    minor: int
    patch: int

    def next(self, part: Part) -> Version:
        """Return the version that follows: what is right of the raised part begins anew."""
        match part:
            case "major":
                return Version(self.major + 1, 0, 0)
            case "minor":
                return Version(self.major, self.minor + 1, 0)
            case "patch":
                return Version(self.major, self.minor, self.patch + 1)

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column: its name, its type as SQL spells it, and its default as an SQL expression."""

    name: str
    type: str
    nullable: bool = True
    default: str | None = None

    @property
    def definition(self) -> sql.Composed:
        """What stands between the commas of CREATE TABLE, or behind ADD COLUMN."""
        from psycopg import sql

        words: list[sql.Composable] = [sql.Identifier(self.name), sql.SQL(self.type)]
        if self.default is not None:
            words.append(sql.SQL("DEFAULT ") + sql.SQL(self.default))
        if not self.nullable:
            words.append(sql.SQL("NOT NULL"))
        return sql.SQL(" ").join(words)


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table of schema public; where it is keyed, the first column is its primary key."""

    name: str
    columns: Sequence[Column]
    keyed: bool = False

    @property
    def identifier(self) -> sql.Identifier:
        """The name with its schema, quoted."""
        from psycopg import sql

        return sql.Identifier("public", self.name)

    @property
    def create(self) -> sql.Composed:
        """The statement that makes it."""
        from psycopg import sql

        parts = [column.definition for column in self.columns]
        if self.keyed:
            key = sql.SQL("PRIMARY KEY ({})").format(sql.Identifier(self.columns[0].name))
            parts.append(key)
        return sql.SQL("CREATE TABLE {} ({})").format(self.identifier, sql.SQL(", ").join(parts))

    @property
    def insert(self) -> sql.Composed:
        """The statement that adds a row, with a parameter for each column."""
        from psycopg import sql

        names = sql.SQL(", ").join(sql.Identifier(column.name) for column in self.columns)
        head = sql.SQL("INSERT INTO {} ({}) VALUES ").format(self.identifier, names)
        values = ", ".join(f"%s::{column.type}" for column in self.columns)
        # A statement with parameters has each % of a name doubled.
        return sql.SQL("{}({})").format(
            sql.SQL(head.as_string().replace("%", "%%")), sql.SQL(values)
        )


@dataclass(frozen=True, kw_only=True)
class FaultPlan:
    """A fault that is yet to be armed; ``percent`` is how likely each hit is to be struck."""

    failpoint: str
    action: str
    start_hit: int = 1
    percent: int = 100
    seed: int = 0

    @property
    def term(self) -> str:
        """It in the language of terms."""
        return self.action if self.percent == 100 else f"{self.percent}%{self.action}"

    @property
    def sqlstate(self) -> str | None:
        """What a caller sees when it strikes; None where it raises nothing."""
        name, _, arguments = self.action.partition("(")
        if name == "error":
            return arguments.rstrip(")").partition(",")[0] or PLAIN_ERROR
        return SQLSTATES.get(name)

    @contextmanager
    def armed(self, chaos: Chaos, *, scope: str = "session") -> Iterator[Fault]:
        """Have it armed for the block."""
        with chaos.fault(
            self.failpoint, self.term, scope=scope, start_hit=self.start_hit, seed=self.seed
        ) as fault:
            yield fault


# -- operations: what is done, by the names of what it is done to -------------


@dataclass(frozen=True, kw_only=True)
class CreateTable:
    """A table of one integer column, on the branch that the session is on."""

    table: str


@dataclass(frozen=True, kw_only=True)
class AddColumn:
    """A text column more, on the branch that the session is on."""

    table: str
    column: str


@dataclass(frozen=True, kw_only=True)
class DropTable:
    """A table less, on the branch that the session is on."""

    table: str


@dataclass(frozen=True, kw_only=True)
class SwitchBranch:
    """The session goes to another branch."""

    branch: str


@dataclass(frozen=True, kw_only=True)
class Commit:
    """A commit to a branch, whichever the session is on."""

    branch: str
    message: str


@dataclass(frozen=True, kw_only=True)
class CreateBranch:
    """A branch that begins where its parent is."""

    branch: str
    parent: str


@dataclass(frozen=True, kw_only=True)
class Merge:
    """What changed on one branch is brought to another."""

    source: str
    target: str


@dataclass(frozen=True, kw_only=True)
class DeleteBranch:
    """A branch is given up."""

    branch: str


@dataclass(frozen=True, kw_only=True)
class BranchData:
    """A table's rows are copied for a new branch that begins where main is."""

    table: str
    branch: str


Operation = (
    CreateTable
    | AddColumn
    | DropTable
    | SwitchBranch
    | Commit
    | CreateBranch
    | Merge
    | DeleteBranch
    | BranchData
)
