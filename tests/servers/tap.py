"""Runs pgTAP files: one file, one connection, every assertion read, TODO and SKIP included."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import psycopg

_TEST = re.compile(r"(?P<not>not )?ok\b\s*(?P<number>\d+)?[\s-]*(?P<text>.*)")
_PLAN = re.compile(r"1\.\.(?P<count>\d+)(?:\s*# SKIP\s*(?P<reason>.*))?", re.IGNORECASE)
_DIRECTIVE = re.compile(r"#\s*(?P<name>TODO|SKIP)\b", re.IGNORECASE)


@dataclass(kw_only=True)
class Report:
    """What a pgTAP file said."""

    planned: int | None = None
    run: int = 0
    failures: list[str] = field(default_factory=list)
    skipped: str | None = None
    lines: list[str] = field(default_factory=list)

    def read(self, line: str) -> None:
        """Take one line of TAP; indented lines belong to a nested run, whose result follows."""
        self.lines.append(line)
        if line.startswith("Bail out!"):
            self.failures.append(line)
        elif plan := _PLAN.fullmatch(line.rstrip()):
            self.planned = int(plan["count"])
            if self.planned == 0:
                self.skipped = plan["reason"] or "no reason given"
        elif test := _TEST.match(line):
            self.run += 1
            if test["not"] and not _DIRECTIVE.search(test["text"]):
                self.failures.append(line)

    def finish(self, error: str | None) -> None:
        """Judge the whole: an SQL error and a broken plan are failures, too."""
        if error is not None:
            self.failures.append(error)
        elif self.planned is None:
            self.failures.append("the file has no plan")
        elif self.planned != self.run and self.skipped is None:
            self.failures.append(f"planned {self.planned} tests but ran {self.run}")


def run(conn: psycopg.Connection[Any], script: bytes) -> Report:
    """Run a pgTAP script over ``conn``.

    The results are taken one by one, so that an SQL error in the middle does not
    hide the assertions before it.
    """
    from psycopg.pq import ExecStatus

    report, error = Report(), None
    conn.pgconn.send_query(script)
    while (result := conn.pgconn.get_result()) is not None:
        if result.status == ExecStatus.TUPLES_OK and result.nfields == 1:
            for row in range(result.ntuples):
                value = result.get_value(row, 0)
                for line in value.decode().splitlines() if value is not None else ():
                    report.read(line)
        elif result.status == ExecStatus.FATAL_ERROR:
            error = result.error_message.decode().strip()
    report.finish(error)
    return report
