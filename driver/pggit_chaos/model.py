"""What pgGit promises, as a model: what its tables must hold after a sequence of operations.

A branch begins where its parent is.  Each commit has the former head of its
branch as its parent.  A change is recorded on the branch that the session is
on, and counts the object's version up by one.  A merge is a three-way merge.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field
from typing import Literal

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

__all__ = ["ROOT", "Branch", "Model", "Record", "RecordedCommit"]

ROOT = "main"
FIRST_VERSION = 1  # of a row that is made, before the change that it is made for is counted

Columns = tuple[str, ...]
Status = Literal["ACTIVE", "MERGED", "DELETED", "CONFLICTED"]


@dataclass
class Branch:
    """A branch; ``head`` is the place of its latest commit among all of them."""

    parent: str | None
    head: int | None = None
    status: Status = "ACTIVE"


@dataclass
class Record:
    """What a branch knows of a table: its columns, None where it was dropped, and its version."""

    columns: Columns | None
    version: int


@dataclass(frozen=True)
class RecordedCommit:
    """A commit; ``parent`` is a place among all commits."""

    branch: str
    parent: int | None
    message: str


@dataclass
class Model:
    """All that the operations of ``plans`` bring about."""

    branches: dict[str, Branch] = field(default_factory=lambda: {ROOT: Branch(parent=None)})
    commits: list[RecordedCommit] = field(default_factory=list)
    records: dict[tuple[str, str], Record] = field(default_factory=dict)
    copies: set[tuple[str, str]] = field(default_factory=set)
    """Which branch has a copy of which table's rows."""
    conflicts: list[tuple[str, str, str]] = field(default_factory=list)
    """Source, target and table of each conflict that a merge met."""
    current: str = ROOT
    tables: dict[str, Columns] = field(default_factory=dict)
    """The tables that exist: once, whatever branches know of them."""
    age: int = 0
    """How many operations there were."""
    _bases: dict[frozenset[str], dict[str, Columns]] = field(default_factory=dict)
    """What two branches had when they were last the same."""

    def copy(self) -> Model:
        """Return one that goes its own way."""
        return deepcopy(self)

    def apply(self, operation: Operation) -> None:
        """Do an operation that is allowed."""
        self.age += 1
        match operation:
            case CreateTable() | AddColumn() | DropTable():
                self._change_schema(operation)
            case SwitchBranch(branch=branch):
                self.current = branch
            case Commit(branch=branch, message=message):
                self._append_commit(branch, message)
            case CreateBranch(branch=branch, parent=parent):
                self._create_branch(branch, parent)
            case Merge(source=source, target=target):
                self._merge(source, target)
            case DeleteBranch(branch=branch):
                self.branches[branch].status = "DELETED"
                self.copies = {copy for copy in self.copies if copy[0] != branch}
            case BranchData(table=table, branch=branch):
                self._create_branch(branch, ROOT)
                self.copies.add((branch, table))

    # -- what can be done next -------------------------------------------

    @property
    def living(self) -> list[str]:
        """The branches that are not deleted."""
        return [name for name, branch in self.branches.items() if branch.status != "DELETED"]

    @property
    def deletable(self) -> list[str]:
        """The branches that may be deleted while the session goes on where it is."""
        return [name for name in self.living if name not in (ROOT, self.current)]

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """The branches that can be merged: a branch into its parent and the other way round."""
        living = set(self.living)
        pairs = [(name, self.branches[name].parent) for name in living]
        upwards = [(child, parent) for child, parent in pairs if parent in living and parent]
        return sorted(upwards + [(parent, child) for child, parent in upwards])

    @property
    def known(self) -> list[str]:
        """The tables that exist, that the current branch knows, and whose rows were not copied.

        Some pgGits put a view in the place of a table whose rows were branched.
        """
        branched = {table for _, table in self.copies}
        return [
            table
            for table in self.tables
            if table not in branched and self._has(self.current, table) is not None
        ]

    @property
    def shared(self) -> list[tuple[str, str, str]]:
        """Branches that can be merged, and a table that exists and that both know."""
        branched = {table for _, table in self.copies}
        return [
            (source, target, table)
            for source, target in self.pairs
            for table in self.tables
            if table not in branched and self._has(source, table) and self._has(target, table)
        ]

    # -- how it comes about ----------------------------------------------

    def _has(self, branch: str, table: str) -> Columns | None:
        record = self.records.get((branch, table))
        return record.columns if record is not None else None

    def _holding(self, branch: str) -> dict[str, Columns]:
        return {
            table: record.columns
            for (name, table), record in self.records.items()
            if name == branch and record.columns is not None
        }

    def _change_schema(self, operation: CreateTable | AddColumn | DropTable) -> None:
        table = operation.table
        match operation:
            case DropTable():
                del self.tables[table]
                if (self.current, table) in self.records:
                    self.records[self.current, table].columns = None
            case AddColumn(column=column):
                self.tables[table] = (*self.tables[table], column)
                self._record(self.current, table, self.tables[table])
            case CreateTable():
                self.tables[table] = ("id",)
                self._record(self.current, table, self.tables[table])

    def _record(self, branch: str, table: str, columns: Columns) -> None:
        record = self.records.setdefault((branch, table), Record(None, FIRST_VERSION))
        record.columns = columns
        record.version += 1

    def _append_commit(self, name: str, message: str) -> None:
        if name not in self.branches:
            self._create_branch(name, ROOT)
        branch = self.branches[name]
        self.commits.append(RecordedCommit(name, branch.head, message))
        branch.head = len(self.commits) - 1
        branch.status = "ACTIVE"

    def _create_branch(self, name: str, parent: str) -> None:
        self.branches[name] = Branch(parent=parent, head=self.branches[parent].head)
        holding = self._holding(parent)
        for table, columns in holding.items():
            version = self.records[parent, table].version
            self.records[name, table] = Record(columns, version)
        self._bases[frozenset((name, parent))] = holding

    def _merge(self, source: str, target: str) -> None:
        pair = frozenset((source, target))
        base = self._bases[pair]
        taken, conflicts = self._judge(source, target, base)
        if conflicts:
            self.conflicts += [(source, target, table) for table in conflicts]
            self._mark(source, "CONFLICTED")
            return
        for table in taken:
            columns = self._has(source, table)
            if columns is not None:
                self._record(target, table, columns)
            else:
                self.records[target, table].columns = None
        self._bases[pair] = self._holding(source)
        self._append_commit(target, merge_message(source, target))
        self._mark(source, "MERGED")

    def _judge(
        self, source: str, target: str, base: dict[str, Columns]
    ) -> tuple[list[str], list[str]]:
        """Return what the target takes, and what both have changed."""
        taken: list[str] = []
        conflicts: list[str] = []
        for name, table in self.records:
            mine, theirs = self._has(target, table), self._has(source, table)
            if name != source or mine == theirs or theirs == base.get(table):
                continue
            (taken if mine == base.get(table) else conflicts).append(table)
        return taken, conflicts

    def _mark(self, branch: str, status: Status) -> None:
        """Say what became of a branch; the root of all goes on as it is."""
        if branch != ROOT:
            self.branches[branch].status = status


def merge_message(source: str, target: str) -> str:
    """Return the message under which a merge is done."""
    return f"merge {source} into {target}"
