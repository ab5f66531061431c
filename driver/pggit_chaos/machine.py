"""A Hypothesis state machine: ordinary work in any order, undone and struck, beside the model."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import psycopg
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from pggit_chaos import extension, strategies
from pggit_chaos.chaos import Chaos
from pggit_chaos.model import ROOT
from pggit_chaos.oracle import departures, observe, perform
from pggit_chaos.plans import AddColumn, FaultPlan, Operation, SwitchBranch
from pggit_chaos.target import Target

if TYPE_CHECKING:
    from hypothesis import settings

    from pggit_chaos.cluster import Cluster

__all__ = ["Ground", "PgGitMachine", "attempt", "ground_that_crashes", "run"]

Connection = psycopg.Connection[Any]

# Where ordinary work writes: a fault elsewhere would never fire.
_FAILPOINTS = """
SELECT f.failpoint
  FROM pggit_chaos.failpoint AS f
 WHERE f.kind = 'table'
   AND f.phase IN ('before', 'after')
   AND f.object ~ '^pggit\\.(branches|commits|objects|history)$'
 ORDER BY f.failpoint
"""


@dataclass(frozen=True, kw_only=True)
class Ground:
    """Where a machine does its work.

    ``open`` returns an autocommit connection to a pristine database with hooks,
    for each sequence.  Without ``crash`` it may be the same every time: all is
    done in a transaction that is rolled back.  ``crash`` ends the server of a
    connection, and returns a new one to the same database when it has recovered;
    then the work is committed.
    """

    open: Callable[[], Connection]
    crash: Callable[[Connection], Connection] | None = None


def ground_that_crashes(cluster: Cluster, template: str) -> Ground:
    """Return a ground of copies of a database of a cluster that may be crashed."""
    numbers = itertools.count(1)

    def open_copy() -> Connection:
        name = cluster.create_database(f"{template}_{next(numbers)}", template=template)
        with cluster.connect(name, autocommit=True) as conn:
            extension.enable(conn)
        return cluster.connect(name, autocommit=True)

    def crash(conn: Connection) -> Connection:
        name = conn.info.dbname
        cluster.crash()
        conn.close()
        return cluster.connect(name, autocommit=True)

    return Ground(open=open_copy, crash=crash)


def attempt(target: Target, chaos: Chaos, operation: Operation, plan: FaultPlan | None) -> bool:
    """Do an operation, under a fault if there is one; answer whether it was done.

    Raises AssertionError where pgGit does not pass on what struck it, and what
    pgGit raises by itself.
    """
    if plan is None:
        with target.conn.transaction():
            perform(target, operation)
        return True
    seen: psycopg.Error | None = None
    with plan.armed(chaos) as fault:
        try:
            with target.conn.transaction():
                perform(target, operation)
        except psycopg.Error as error:
            seen = error
        fired = fault.fired
    _judge(plan, fired, seen)
    return seen is None


class PgGitMachine(RuleBasedStateMachine):
    """Any sequence of operations; see ``run``."""

    ground: Ground
    findings: ClassVar[set[tuple[str, str]] | None] = None
    """What fsck finds on the pristine ground, which is the same for every sequence."""

    def __init__(self) -> None:
        super().__init__()
        self._exits = ExitStack()

    @initialize()
    def begin(self) -> None:
        """Take the database as it is found."""
        self.conn = self.ground.open()
        if self.ground.crash is None:
            self._exits.enter_context(self.conn.transaction(force_rollback=True))
        self.chaos = Chaos(self.conn)
        self.failpoints = [row[0] for row in self.conn.execute(_FAILPOINTS)]
        self._known()
        self.model = observe(self.conn)
        self.healthy = True

    # -- what happens ----------------------------------------------------

    @rule(data=st.data())
    def work(self, data: st.DataObject) -> None:
        """Do something."""
        operation = self._draw(data)
        with self.conn.transaction():
            perform(self.target, operation)
        self.model.apply(operation)

    @precondition(lambda self: self.model.shared)
    @rule(data=st.data())
    def diverge(self, data: st.DataObject) -> None:
        """Change one table on two branches, so that the next merge meets a conflict."""
        source, target, table = data.draw(st.sampled_from(self.model.shared), label="shared")
        for branch in (source, target):
            for operation in (
                SwitchBranch(branch=branch),
                AddColumn(table=table, column=f"new{self.model.age}"),
            ):
                with self.conn.transaction():
                    perform(self.target, operation)
                self.model.apply(operation)

    @rule(data=st.data())
    def undo(self, data: st.DataObject) -> None:
        """Do something, and roll it back."""
        operation = self._draw(data)
        with self.conn.transaction(force_rollback=True):
            perform(self.target, operation)

    @rule(data=st.data())
    def strike(self, data: st.DataObject) -> None:
        """Do something while a fault is armed: it is done, or it fails as the fault says."""
        operation = self._draw(data)
        plan = data.draw(strategies.fault_plans(self.failpoints, max_hit=3), label="fault")
        if attempt(self.target, self.chaos, operation, plan):
            self.model.apply(operation)

    @precondition(lambda self: self.ground.crash is not None)
    @rule(data=st.data(), committed=st.booleans())
    def crash(self, data: st.DataObject, committed: bool) -> None:
        """Let the server die, in the middle of something or right behind its COMMIT."""
        operation = self._draw(data)
        self.conn.execute("BEGIN")
        perform(self.target, operation)
        if committed:
            self.conn.execute("COMMIT")
            self.model.apply(operation)
        self._crash()

    # -- what holds ------------------------------------------------------

    @invariant()
    def it_is_as_promised(self) -> None:
        """Hold what the model holds."""
        if not hasattr(self, "model"):
            return  # before the first step
        wrong = departures(self.model, observe(self.conn))
        self.healthy = not wrong
        assert not wrong, "pgGit broke its promises:\n  " + "\n  ".join(wrong)

    def teardown(self) -> None:
        """Look for damage, and undo all of it."""
        with self._exits:
            if not hasattr(self, "model") or self.conn.broken:
                return
            # A sequence that failed is tried many times more, to make it smaller.
            if self.healthy:
                self._end()
            if self.ground.crash is not None:
                self.conn.close()

    # -- how it is done --------------------------------------------------

    @property
    def target(self) -> Target:
        """What pgGit can do, over the present connection."""
        return Target(self.conn)

    def _draw(self, data: st.DataObject) -> Operation:
        return data.draw(strategies.operations(self.model), label="operation")

    def _end(self) -> None:
        if self.ground.crash is not None:
            self._crash()  # every sequence survives one
            self.it_is_as_promised()
        new = self._findings() - self._known()
        assert not new, f"fsck found what was not there before: {sorted(new)}"

    def _crash(self) -> None:
        assert self.ground.crash is not None
        self.conn = self.ground.crash(self.conn)
        self.chaos = Chaos(self.conn)
        self.model.current = ROOT  # which branch a session is on ends with it

    def _known(self) -> set[tuple[str, str]]:
        if self.findings is None:
            type(self).findings = self._findings()
        return self.findings or set()

    def _findings(self) -> set[tuple[str, str]]:
        return {(finding.check_id, finding.row_identity or "") for finding in self.chaos.fsck()}


def _judge(plan: FaultPlan, fired: int, seen: psycopg.Error | None) -> None:
    if seen is None:
        assert not fired, f"pgGit swallowed {plan.action} at {plan.failpoint} and went on"
        return
    if not fired:
        raise seen
    assert seen.sqlstate == plan.sqlstate, (
        f"{plan.failpoint} was struck by {plan.sqlstate}, and the caller saw {seen.sqlstate}:"
        f" no caller can act on that ({seen})"
    )


def run(ground: Ground, settings: settings | None = None) -> None:
    """Run the machine on a ground; what Hypothesis finds is raised."""
    machine = type("PgGitMachine", (PgGitMachine,), {"ground": ground})
    run_state_machine_as_test(machine, settings=settings)
