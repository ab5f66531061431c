"""Scripts for psql that show one bug of pgGit each, and end in an error where they do not."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from pggit_chaos import extension
from pggit_chaos.recording import Step

__all__ = ["of_failure", "of_finding", "of_outcome", "run"]

_OUTCOMES: Final = {
    "masked": "the caller sees another error than the one that struck, so no retry can tell",
    "leaked": "the caller sees an error, and something outlives it",
    "lost": "success is reported, and nothing was done, or the answer is not what it should be",
    "torn": "success is reported, and only half of it was done",
}
_NOT_REPRODUCED = "    DO $$ BEGIN RAISE EXCEPTION 'not reproduced'; END $$;"


def of_outcome(
    *,
    operation: str,
    statement: str,
    ground: Sequence[Step],
    failpoint: str,
    nth: int,
    sqlstate: str,
    outcome: str,
    place: str,
    target: str,
) -> str:
    """Return the script of an outcome of a sweep; all that it does is rolled back.

    ``nth`` counts the hits of ``failpoint``, from 1.
    """
    return _joined(
        _header(
            f"{outcome}: {_OUTCOMES.get(outcome, 'as it should be')}",
            f"Operation: {operation}.",
            f"Fault: error {sqlstate} at hit {nth} of failpoint {failpoint}.",
            f"Look at: {place}.",
            target=target,
            undone=True,
        ),
        [
            f"\\set operation {_quoted(statement)}",
            f"\\set failpoint {_quoted(failpoint)}",
            "BEGIN;",
            "",
            "-- What the operation stands on.",
            "\\o /dev/null",
        ],
        _within_transaction(ground),
        [
            "SELECT FROM pggit_chaos.install_hooks();",
            "\\o",
            "",
            "\\echo 'This is how the operation gets there:'",
            "SELECT t.hit, t.stack FROM pggit_chaos.trace(:'operation') AS t"  # noqa: S608 psql's own variables
            f" WHERE t.failpoint = :'failpoint' ORDER BY t.hit OFFSET {nth - 1} LIMIT 1;",
            "",
            "\\echo 'This comes of an error there, compared with an undisturbed run:'",
            f"SELECT s.outcome, s.detail, s.outcome = {_literal(outcome)} AS reproduced",
            f"  FROM pggit_chaos.sweep(:'operation', ARRAY[{_literal(sqlstate)}],",
            "                         every_hit => true, failpoints => :'failpoint') AS s",
            f" ORDER BY s.hit OFFSET {nth - 1} LIMIT 1 \\gset",
            "\\echo :outcome: :detail",
            "",
            "\\echo 'This is what the caller sees:'",
            f"SELECT pggit_chaos.arm(:'failpoint', 'error({sqlstate})',"
            f" start_hit => {nth}, end_hit => {nth}) AS fault \\gset",
            "\\set ON_ERROR_STOP off",
            ":operation;",
            "\\if :ERROR",
            "\\else",
            "    SET CONSTRAINTS ALL IMMEDIATE;  -- what would happen at COMMIT",
            "\\endif",
            "\\echo 'SQLSTATE' :SQLSTATE",
            "\\set ON_ERROR_STOP on",
            "ROLLBACK;",
        ],
        _verdict(),
    )


def of_finding(
    *, check_id: str, message: str, operation: str, steps: Sequence[Step], target: str
) -> str:
    """Return the script of a finding after ordinary work; it leaves that work behind."""
    call = f"pggit_chaos.fsck(ARRAY[{_literal(check_id)}]) AS f"
    return _joined(
        _header(
            f"finding: check {check_id} speaks after ordinary work",
            message,
            f"Operation: {operation}.",
            target=target,
            undone=False,
        ),
        [f"SELECT count(*) AS known FROM {call} \\gset", "\\o /dev/null"],  # noqa: S608 quoted
        _as_transactions(steps),
        [
            "\\o",
            "",
            f"SELECT f.severity, f.row_identity, f.message, f.action FROM {call};",  # noqa: S608 quoted
            f"SELECT count(*) > :known AS reproduced FROM {call} \\gset",  # noqa: S608 quoted
        ],
        _verdict(),
    )


def of_failure(*, sqlstate: str, operation: str, steps: Sequence[Step], target: str) -> str:
    """Return the script of an operation that fails without any fault; it is the last step."""
    *before, failing = steps
    *prepared, statement = failing.statements
    return _joined(
        _header(
            f"fails: {operation} ends in error {sqlstate} by itself",
            f"Operation: {operation}.",
            target=target,
            undone=False,
        ),
        _as_transactions(before),
        ["", "-- The one that fails.", "BEGIN;"],
        map(_terminated, prepared),
        [
            "\\set ON_ERROR_STOP off",
            _terminated(statement),
            "\\set seen :SQLSTATE",
            "\\set ON_ERROR_STOP on",
            "ROLLBACK;",
            f"SELECT :'seen' = {_literal(sqlstate)} AS reproduced \\gset",
        ],
        _verdict(),
    )


def run(psql: Path | str, script: Path, dsn: str) -> bool:
    """Run a script on a database and answer whether it reproduced its bug."""
    done = subprocess.run(
        [str(psql), "-X", "-q", "-f", str(script), "-d", dsn],
        env={**os.environ, "LC_ALL": "C", "PAGER": "cat"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    return done.returncode == 0


# -- how it is written ---------------------------------------------------


def _joined(*parts: Iterable[str]) -> str:
    return "\n".join(line for part in parts for line in part) + "\n"


def _header(*said: str, target: str, undone: bool) -> list[str]:
    lines = [f"-- {line}" for sentence in said for line in sentence.splitlines()]
    return [
        *lines,
        "--",
        f"-- Found by pggit-chaos {extension.version()} on {target}.  To see it, on a copy of a",
        "-- database with that pgGit and pggit_chaos, whose owner has opted in:",
        "--     psql -X -q -f THIS_FILE -d DATABASE",
        '-- It ends with "reproduced" and status 0, or in the error "not reproduced".',
        "-- All of it is rolled back." if undone else "-- It leaves behind what it did.",
        "",
        "\\set ON_ERROR_STOP on",
        "\\pset pager off",
        "SET TimeZone = 'UTC';",
        "SET client_min_messages = warning;",
        "",
    ]


def _verdict() -> list[str]:
    return [
        "",
        "\\if :reproduced",
        "    \\echo 'reproduced'",
        "\\else",
        _NOT_REPRODUCED,
        "\\endif",
    ]


def _within_transaction(steps: Sequence[Step]) -> Iterator[str]:
    """Write steps as parts of one transaction; those that were undone still move sequences."""
    for step in steps:
        if step.undone:
            yield "SAVEPOINT step;"
            yield "\\set ON_ERROR_STOP off"
            yield from map(_terminated, step.statements)
            yield "\\set ON_ERROR_STOP on"
            yield "ROLLBACK TO SAVEPOINT step;"
        else:
            yield from map(_terminated, step.statements)


def _as_transactions(steps: Sequence[Step]) -> Iterator[str]:
    for step in steps:
        yield ""
        if step.name:
            yield f"-- {step.name}"
        yield "BEGIN;"
        if step.undone:
            yield "\\set ON_ERROR_STOP off"
        yield from map(_terminated, step.statements)
        if step.undone:
            yield "\\set ON_ERROR_STOP on"
        yield "ROLLBACK;" if step.undone else "COMMIT;"


def _terminated(statement: str) -> str:
    return statement.strip().rstrip(";") + ";"


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _quoted(text: str) -> str:
    r"""Quote an argument of a psql command, in which \ escapes."""
    return "'" + text.replace("\\", "\\\\").replace("'", "''").replace("\n", "\\n") + "'"
