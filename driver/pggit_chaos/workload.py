"""Ordinary work with pgGit, chosen by a seed: DDL, branches, commits, merges."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

from pggit_chaos.errors import NotApplicableError

if TYPE_CHECKING:
    from pggit_chaos.target import Target

__all__ = ["Workload"]


class Workload:
    """Does one step after the other on a Target; the same seed does the same."""

    def __init__(self, target: Target, seed: int = 0) -> None:
        self._target = target
        self._random = random.Random(seed)  # noqa: S311 no secret is drawn from it
        self._tables: list[str] = []
        self._branches: list[str] = []
        self._count = 0
        # How often each comes, out of the sum of all.
        self._steps: dict[Callable[[], str | None], int] = {
            self._create_table: 5,
            self._alter_table: 4,
            self._create_index: 2,
            self._create_view: 2,
            self._drop_table: 1,
            self._commit: 6,
            self._create_branch: 3,
            self._merge: 2,
            self._delete_branch: 1,
            self._increment_version: 2,
            self._branch_data: 1,
            self._diverge: 1,
        }

    def step(self) -> str:
        """Do one step and say what it was, or that pgGit failed at it by itself."""
        while True:
            (chosen,) = self._random.choices(list(self._steps), weights=list(self._steps.values()))
            done = self._do(chosen)
            if done is not None:
                return done

    def leave_something(self) -> list[str]:
        """Do once more what leaves rows that others may undo; return what was done."""
        chosen = [self._create_table, self._drop_table, self._create_table, self._branch_data]
        chosen += [self._create_table, self._create_branch, self._commit, self._diverge]
        chosen += [self._create_branch, self._create_table]
        return [done for each in chosen if each in self._steps and (done := self._do(each))]

    def _do(self, chosen: Callable[[], str | None]) -> str | None:
        try:
            with self._target.conn.transaction():
                return chosen()
        except NotApplicableError:
            del self._steps[chosen]
            return None
        except psycopg.Error as error:
            if self._target.conn.closed:
                raise
            del self._steps[chosen]
            name = chosen.__name__.strip("_").replace("_", " ")
            return f"{name}: fails by itself with {error.sqlstate}"

    # Each returns what it did, or None where there is nothing to do it with yet.

    def _create_table(self) -> str:
        name = self._name("table")
        reference = self._pick(self._tables) if self._random.random() < 0.4 else None
        columns: sql.Composable = sql.SQL("id integer PRIMARY KEY, name text NOT NULL DEFAULT ''")
        if reference is not None:
            columns += sql.SQL(", parent_id integer REFERENCES public.{}").format(
                sql.Identifier(reference)
            )
        self._execute("CREATE TABLE public.{} ({})", sql.Identifier(name), columns)
        self._tables.append(name)
        return f"create table {name}"

    def _alter_table(self) -> str | None:
        table = self._pick(self._tables)
        if table is None:
            return None
        self._add_column(table)
        return f"alter table {table}"

    def _create_index(self) -> str | None:
        table = self._pick(self._tables)
        if table is None:
            return None
        index = self._name("index")
        self._execute("CREATE INDEX {} ON public.{} (name)", *map(sql.Identifier, (index, table)))
        return f"create index {index}"

    def _create_view(self) -> str | None:
        table = self._pick(self._tables)
        if table is None:
            return None
        view = self._name("view")
        self._execute(
            "CREATE VIEW public.{} AS SELECT t.id, t.name FROM public.{} AS t",
            *map(sql.Identifier, (view, table)),
        )
        return f"create view {view}"

    def _drop_table(self) -> str | None:
        table = self._pick(self._tables)
        if table is None:
            return None
        self._execute("DROP TABLE public.{} CASCADE", sql.Identifier(table))
        self._tables.remove(table)
        return f"drop table {table}"

    def _commit(self) -> str:
        branch = self._pick(["main", *self._branches]) or "main"
        self._target.commit(branch, f"step {self._count}: work on {branch}")
        return f"commit to {branch}"

    def _create_branch(self) -> str:
        parent = self._pick(["main", *self._branches]) or "main"
        branch = self._name("branch").replace("_", "/")
        self._target.create_branch(branch, parent=parent)
        self._branches.append(branch)
        return f"create branch {branch}"

    def _merge(self) -> str | None:
        branch = self._pick(self._branches)
        if branch is None:
            return None
        self._target.merge(branch, "main", message=f"merge {branch}")
        self._branches.remove(branch)
        return f"merge {branch}"

    def _delete_branch(self) -> str | None:
        branch = self._pick(self._branches)
        if branch is None:
            return None
        self._target.delete_branch(branch)
        self._branches.remove(branch)
        return f"delete branch {branch}"

    def _increment_version(self) -> str | None:
        table = self._pick(self._tables)
        if table is None:
            return None
        self._target.increment_version(
            self._target.object_id(table), description=f"step {self._count}"
        )
        return f"increment version of {table}"

    def _branch_data(self) -> str | None:
        table = self._pick(self._tables)
        if table is None:
            return None
        branch = self._name("data")
        self._target.create_data_branch(table, branch)
        self._tables.remove(table)  # some pgGits put a view in its place
        return f"branch data of {table}"

    def _diverge(self) -> str | None:
        table, branch = self._pick(self._tables), self._pick(self._branches)
        if table is None or branch is None:
            return None
        for side in (branch, "main"):
            self._target.switch_branch(side)
            self._add_column(table)
        self._target.merge(branch, "main", message=f"merge {branch}")
        self._branches.remove(branch)
        return f"change {table} on {branch} and on main, and merge"

    def _add_column(self, table: str) -> None:
        names = (table, self._name("column"))
        self._execute("ALTER TABLE public.{} ADD COLUMN {} text", *map(sql.Identifier, names))

    def _pick(self, names: list[str]) -> str | None:
        return self._random.choice(names) if names else None

    def _name(self, kind: str) -> str:
        self._count += 1
        return f"chaos_{kind}_{self._count}"

    def _execute(self, statement: str, *parts: sql.Composable) -> None:
        self._target.conn.execute(sql.SQL(statement).format(*parts))
