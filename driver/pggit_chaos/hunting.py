"""The hunt for bugs of a pgGit: sweeps, ordinary work, and a script for each thing that is wrong.

Everything happens in copies of one pristine database on a throwaway server.  What
has one cause is one bug: an outcome at one place, a check that speaks after one
operation, an operation that fails with one error.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pggit_chaos import drills, extension, reproduction, shrinking, sweeps
from pggit_chaos.listing import Listing, Record
from pggit_chaos.recording import Recorder, Step, connect
from pggit_chaos.rows import Drill, Finding, Outcome, TraceHit

if TYPE_CHECKING:
    import psycopg

    from pggit_chaos.chaos import Chaos
    from pggit_chaos.cluster import Cluster
    from pggit_chaos.operations import Operation

__all__ = ["Bug", "Hunt", "as_listing"]

WORKLOAD_STEPS: Final = 40

_COLUMNS = ("name", "symptom", "place", "operation", "script", "detail")
_FUNCTION = re.compile(r"^PL/pgSQL function (?P<name>.+\)) line \d+ at", re.MULTILINE)
# Names that the workload makes: what is left of a step is its operation.
_MADE = re.compile(r"(\b(to|of|on) )?(\S*chaos[_/]\S+|\bmain\b)")
_HANDLERS = """
SELECT p.oid::pg_catalog.regprocedure::text
  FROM pg_catalog.pg_proc AS p
 WHERE p.prosrc ~* '\\mexception\\s+when\\M'
"""


@dataclass(frozen=True, kw_only=True)
class Bug:
    """One thing that is wrong, and the text of the script that shows it."""

    symptom: str
    """An outcome of a sweep, or ``finding``, or ``fails``."""
    place: str
    """Where to look: the function that catches or is struck, the check, the error."""
    operation: str
    text: str
    detail: str | None = None
    name: str = ""
    """Of its script, without the ending."""

    @property
    def cause(self) -> tuple[str, str]:
        """What makes it the same bug as another."""
        return self.symptom, self.place


class Hunt:
    """Looks for bugs in copies of a database, which nobody may be connected to."""

    def __init__(
        self, cluster: Cluster, pristine: str, *, target: str, psql: Path, directory: Path
    ) -> None:
        self._cluster = cluster
        self._pristine = pristine
        self._target = target
        self._psql = psql
        self._directory = directory
        self._numbers = itertools.count(1)
        self._causes: set[tuple[str, str]] = set()
        self._names: set[str] = set()
        self.bugs: list[Bug] = []
        """What was found until now, each proven by its script."""
        self.unproven: list[Bug] = []
        """What was seen, and not seen again when its script was run."""

    def operations(self) -> list[Operation]:
        """Return the operations that this pgGit has."""
        from pggit_chaos.target import Target

        with self._copy() as (conn, _):
            return Target(conn).operations()

    def drill(self, seed: int) -> Iterator[Drill]:
        """Drill every kind of corruption after some work."""
        from pggit_chaos.chaos import Chaos
        from pggit_chaos.target import Target

        with self._copy() as (conn, _):
            Target(conn).furnish(seed, WORKLOAD_STEPS)
            chaos = Chaos(conn)
            for kind in drills.kinds(chaos):
                yield drills.run(chaos, kind, seed)

    def sweep(self, operations: Sequence[Operation]) -> Iterator[str]:
        """Sweep each operation for bugs, and yield its name."""
        from pggit_chaos.chaos import Chaos

        ground = self._record_ground()
        with self._copy() as (conn, _):
            chaos = Chaos(conn)
            with sweeps.ground(chaos):
                handlers = {name for (name,) in conn.execute(_HANDLERS)}
                for operation in operations:
                    for bug in self._sweep_one(chaos, operation, ground, handlers):
                        self._prove(bug)
                    yield operation.name

    def work(self, seed: int) -> Iterator[str]:
        """Do an ordinary workload with fsck after every step, and yield what each step was."""
        from pggit_chaos.chaos import Chaos
        from pggit_chaos.target import Target
        from pggit_chaos.workload import Workload

        with self._copy(record=True) as (conn, recorder), self._beside(conn) as watcher:
            chaos = Chaos(watcher)
            first = chaos.fsck()
            before = Counter(each.check_id for each in first)
            seen = {_key(each) for each in first}
            workload = Workload(Target(conn), seed)
            for _ in range(WORKLOAD_STEPS):
                known = len(recorder.steps)
                name = workload.step()
                for step in recorder.steps[known:]:
                    step.name = name
                for bug in self._new_findings(chaos, seen, before, recorder.steps, name):
                    self._prove(bug)
                if "fails by itself" in name:
                    self._prove_failure(recorder.steps, name)
                yield name

    # -- sweeps ----------------------------------------------------------

    def _sweep_one(
        self, chaos: Chaos, operation: Operation, ground: Sequence[Step], handlers: set[str]
    ) -> Iterator[Bug]:
        (swept,) = sweeps.run(chaos, [operation])
        if swept.error is not None:
            sqlstate, _, message = swept.error.partition(": ")
            yield self._failure(
                [*ground, Step(statements=[operation.statement])],
                sqlstate,
                operation.name,
                message,
            )
            return
        bad = [outcome for outcome in swept.outcomes if outcome.failure is not None]
        if not bad:
            return
        trace = chaos.trace(operation.statement)
        for outcome in bad:
            yield self._outcome(operation, ground, outcome, trace, handlers)

    def _outcome(
        self,
        operation: Operation,
        ground: Sequence[Step],
        outcome: Outcome,
        trace: Sequence[TraceHit],
        handlers: set[str],
    ) -> Bug:
        way = [
            hit for hit in trace if hit.hit <= outcome.hit and hit.failpoint == outcome.failpoint
        ]
        place = _place(outcome, trace, handlers)
        return Bug(
            symptom=outcome.outcome,
            place=place,
            operation=operation.name,
            detail=f"error {outcome.sqlstate} at {outcome.failpoint}: "
            f"{outcome.detail or outcome.seen_sqlstate or ''}",
            text=reproduction.of_outcome(
                operation=operation.name,
                statement=operation.statement,
                ground=ground,
                failpoint=outcome.failpoint,
                nth=len(way),
                sqlstate=outcome.sqlstate,
                outcome=outcome.outcome,
                place=place,
                target=self._target,
            ),
        )

    def _record_ground(self) -> list[Step]:
        from pggit_chaos.target import Target

        with self._copy(record=True) as (conn, recorder):
            target = Target(conn)
            _ = target.functions  # what it asks the catalogue is no part of the ground
            recorder.steps.clear()
            target.prepare()
            return recorder.steps

    # -- ordinary work ---------------------------------------------------

    def _new_findings(
        self,
        chaos: Chaos,
        seen: set[tuple[str, str]],
        before: Counter[str],
        steps: Sequence[Step],
        name: str,
    ) -> Iterator[Bug]:
        """Yield a bug for each check that found something new, and add that to ``seen``."""
        latest = [finding for finding in chaos.fsck() if _key(finding) not in seen]
        new = {finding.check_id: finding for finding in reversed(latest)}
        seen.update(map(_key, latest))
        operation = _operation(name)
        for check_id, finding in sorted(new.items()):
            if ("finding", _speaking(check_id, operation)) not in self._causes:
                yield self._finding(finding, steps, operation, before[check_id])

    def _finding(self, finding: Finding, steps: Sequence[Step], operation: str, before: int) -> Bug:
        def shows(conn: psycopg.Connection[Any]) -> bool:
            return _count(conn, finding.check_id) > before

        return Bug(
            symptom="finding",
            place=_speaking(finding.check_id, operation),
            operation=operation,
            detail=finding.message,
            text=reproduction.of_finding(
                check_id=finding.check_id,
                message=finding.message,
                operation=operation,
                steps=self._fewest(steps, shows),
                target=self._target,
            ),
        )

    def _prove_failure(self, steps: Sequence[Step], name: str) -> None:
        last = max(number for number, step in enumerate(steps) if step.sqlstate is not None)
        sqlstate, operation = str(steps[last].sqlstate), _operation(name)
        if ("fails", _failing(operation, sqlstate)) not in self._causes:
            self._prove(self._failure(steps[: last + 1], sqlstate, operation, steps[last].message))

    def _failure(
        self, steps: Sequence[Step], sqlstate: str, operation: str, detail: str | None
    ) -> Bug:
        *before, failing = steps
        fewer = self._fewest(before, lambda conn: _fails(conn, failing, sqlstate))
        text = reproduction.of_failure(
            sqlstate=sqlstate, operation=operation, steps=[*fewer, failing], target=self._target
        )
        place = _failing(operation, sqlstate)
        return Bug(symptom="fails", place=place, operation=operation, detail=detail, text=text)

    def _fewest(
        self, steps: Sequence[Step], shows: Callable[[psycopg.Connection[Any]], bool]
    ) -> list[Step]:
        with self._copy() as (conn, _):
            return shrinking.fewest(conn, steps, shows)

    # -- copies and proofs -----------------------------------------------

    def _prove(self, bug: Bug) -> None:
        """Write the script of a bug that is new, and run it: only what shows again counts."""
        if bug.cause in self._causes:
            return
        self._causes.add(bug.cause)
        bug = replace(bug, name=self._name(bug))
        path = self._directory / f"{bug.name}.sql"
        path.write_text(bug.text, encoding="utf-8")
        copy = self._new_copy()
        proven = False
        try:
            proven = reproduction.run(self._psql, path, self._cluster.dsn(copy))
            (self.bugs if proven else self.unproven).append(bug)
        finally:
            if not proven:
                path.unlink()
            self._cluster.drop_database(copy)

    def _name(self, bug: Bug) -> str:
        """Return a name that no other has: functions may differ in their arguments only."""
        words = re.sub(r"\(.*?\)", "", f"{bug.symptom} {bug.place}")
        name = re.sub(r"[^A-Za-z0-9_.]+", "-", words).strip("-")
        candidates = itertools.chain([name], (f"{name}-{n}" for n in itertools.count(2)))
        unique = next(each for each in candidates if each not in self._names)
        self._names.add(unique)
        return unique

    def _new_copy(self) -> str:
        name = self._cluster.create_database(f"hunt_{next(self._numbers)}", template=self._pristine)
        with self._cluster.connect(name, autocommit=True) as conn:
            extension.enable(conn)
        return name

    @contextmanager
    def _copy(self, *, record: bool = False) -> Iterator[tuple[psycopg.Connection[Any], Recorder]]:
        name = self._new_copy()
        try:
            if record:
                conn, recorder = connect(self._cluster.dsn(name))
            else:
                conn, recorder = self._cluster.connect(name, autocommit=True), Recorder()
            with conn:
                conn.execute("SET TimeZone = 'UTC'")
                recorder.steps.clear()
                yield conn, recorder
        finally:
            self._cluster.drop_database(name)

    @contextmanager
    def _beside(self, conn: psycopg.Connection[Any]) -> Iterator[psycopg.Connection[Any]]:
        with self._cluster.connect(conn.info.dbname, autocommit=True) as other:
            yield other


def as_listing(bugs: Sequence[Bug], label: str, directory: Path) -> Listing:
    """Return the bugs as a list, each with its script."""
    return Listing(
        name="bugs",
        title=f"Bugs: {label}",
        target=label,
        columns=_COLUMNS,
        records=[
            Record(
                name=bug.name,
                values={
                    **{column: getattr(bug, column) for column in _COLUMNS if column != "script"},
                    "script": str(directory / f"{bug.name}.sql"),
                },
                failure=f"{bug.symptom}: {bug.detail or bug.place}",
            )
            for bug in bugs
        ],
    )


def _place(outcome: Outcome, trace: Sequence[TraceHit], handlers: set[str]) -> str:
    """Return the innermost function on the way that catches errors, else the one struck."""
    (stack,) = (hit.stack or "" for hit in trace if hit.hit == outcome.hit)
    functions = [match["name"] for match in _FUNCTION.finditer(stack)]
    catching = [name for name in functions if name in handlers]
    return (catching or functions or [outcome.failpoint])[0]


def _operation(name: str) -> str:
    """Return what a step of the workload does, without the names that it does it to."""
    return " ".join(_MADE.sub("", name.partition(":")[0]).replace(",", "").split())


def _speaking(check_id: str, operation: str) -> str:
    return f"{check_id} after {operation}"


def _failing(operation: str, sqlstate: str) -> str:
    return f"{operation} with {sqlstate}"


def _key(finding: Finding) -> tuple[str, str]:
    return finding.check_id, finding.row_identity


def _count(conn: psycopg.Connection[Any], check_id: str) -> int:
    from pggit_chaos.chaos import Chaos

    return len(Chaos(conn).fsck([check_id]))


def _fails(conn: psycopg.Connection[Any], step: Step, sqlstate: str) -> bool:
    import psycopg

    try:
        with conn.transaction(force_rollback=True):
            for statement in step.statements:
                conn.execute(statement.encode())
    except psycopg.Error as error:
        return error.sqlstate == sqlstate
    return False
