"""The faults as the documentation describes them: which strike, and what is counted.

A passage through failpoints is a generator: it yields the fault in which the
session waits, and raises ``Struck`` where an error is injected.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field

SQLSTATES = {"error": "PC100", "error(40001)": "40001"}

Passage = Generator["Fault", None, bool]


class Struck(Exception):  # noqa: N818 it is what happens, and expected
    """An injected error that the caller sees."""

    def __init__(self, sqlstate: str) -> None:
        self.sqlstate = sqlstate


@dataclass
class Step:
    """One step of a term; ``left`` is what remains of its count, None without one."""

    action: str
    left: int | None = None
    probability: int | None = None  # percent; 0 and 100 are certain

    def __str__(self) -> str:
        percent = "" if self.probability is None else f"{self.probability}%"
        count = "" if self.left is None else f"{self.left}*"
        return f"{percent}{count}{self.action}"

    def is_due(self) -> bool:
        return self.left != 0 and self.probability != 0


@dataclass
class Session:
    """What a session has open: a transaction, rows that it wrote, its read-only mode."""

    number: int
    pid: int
    begun: str | None = None
    failed: bool = False
    deferred: int = 0
    read_only: bool = False
    told: list[str] = field(default_factory=list)

    @property
    def application(self) -> str:
        return f"lab {self.number}"


@dataclass(eq=False)
class Fault:
    """One armed fault."""

    fault_id: int
    failpoint: str
    steps: Sequence[Step]
    scope: str
    owner: int  # the session that armed it, by process id
    start: int
    end: int | None
    pending: int | None  # the session whose transaction arms it and is still open
    dead: bool = False
    hits: int = 0
    fired: int = 0

    def matches(self, failpoint: str) -> bool:
        pattern = ".*".join(re.escape(part) for part in self.failpoint.split("*"))
        return re.fullmatch(pattern, failpoint, re.DOTALL) is not None

    def covers(self, session: Session) -> bool:
        kind, _, name = self.scope.partition(":")
        return {
            "session": session.pid == self.owner,
            "database": True,
            "pid": str(session.pid) == name,
            "role": name == "postgres",
            "application": name == session.application,
        }[kind]

    def is_visible(self, pid: int) -> bool:
        return self.pending in (None, pid)

    @property
    def bound_to(self) -> int | None:
        """The session with which the fault ends."""
        kind, _, name = self.scope.partition(":")
        return {"session": self.owner, "pid": int(name) if kind == "pid" else None}.get(kind)

    @property
    def is_shared(self) -> bool:
        return self.scope != "session"

    @property
    def state(self) -> str:
        if self.dead:
            return "expired"
        if self.end is not None and self.hits >= self.end:
            return "completed"
        if self.hits >= self.start and not self._can_strike_again():
            return "completed"
        return "armed"

    def _can_strike_again(self) -> bool:
        for step in self.steps:
            if step.action != "off" and step.left != 0:
                return True
            if step.action == "off" and step.left is None and step.probability != 0:
                return False
        return False

    def hit(self) -> str:
        """Count a hit and return the action that is due."""
        self.hits += 1
        if self.hits < self.start or (self.end is not None and self.hits > self.end):
            return "off"
        due = next((step for step in self.steps if step.is_due()), None)
        if due is None:
            return "off"
        if due.left is not None:
            due.left -= 1
        self.fired += due.action != "off"
        return due.action


@dataclass
class Engine:
    """Every fault that was armed and not rolled back, and whether hooks are in place."""

    faults: list[Fault] = field(default_factory=list)
    hooked: bool = True

    def passing(self, session: Session, failpoint: str) -> Passage:
        """Pass one failpoint; return whether the row is skipped."""
        skipped = False
        if not self.hooked or session.read_only:
            return skipped
        armed = [
            fault
            for fault in self.faults
            if not fault.dead
            and fault.is_visible(session.pid)
            and fault.covers(session)
            and fault.matches(failpoint)
        ]
        for fault in sorted(armed, key=lambda fault: fault.fault_id):
            if fault.dead:  # disarmed while an earlier one waited
                continue
            action = fault.hit()
            if action == "wait":
                yield fault
            elif action.startswith("notice"):
                session.told.append(action.removeprefix("notice(").removesuffix(")"))
            elif action.startswith("error"):
                raise Struck(SQLSTATES[action])
            skipped = skipped or action == "skip"
        return skipped

    def calling(self, session: Session) -> Passage:
        yield from self.passing(session, "pggit_lab.entry()")
        return (yield from self._ending(session))

    def writing(self, session: Session) -> Passage:
        yield from self.passing(session, "pggit_lab.write()")
        yield from self.passing(session, "pggit_lab.entry()")
        skipped = yield from self.passing(session, "pggit_lab.note.insert.before")
        if not skipped:
            session.deferred += 1
            yield from self.passing(session, "pggit_lab.note.insert.after")
        return (yield from self._ending(session))

    def commenting(self, session: Session) -> Passage:
        yield from self.passing(session, "ddl.COMMENT.start")
        yield from self.passing(session, "ddl.COMMENT.end")
        return (yield from self._ending(session))

    def committing(self, session: Session) -> Passage:
        for _ in range(session.deferred):
            yield from self.passing(session, "pggit_lab.note.insert.commit")
        return False

    def _ending(self, session: Session) -> Passage:
        """Outside of a transaction the statement is one."""
        if session.begun is None:
            yield from self.committing(session)
        return False
