"""What is there, and what is missing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from pggit_chaos import binaries, listing, options, talk
from pggit_chaos.workbench import Choice, Workbench, open_workbench

if TYPE_CHECKING:
    import psycopg

# Where there is no hook at all, hooks_intact() says that too.
_BROKEN = """
SELECT object, problem FROM pggit_chaos.hooks_intact()
 WHERE EXISTS (SELECT FROM pggit_chaos.failpoint)
"""


@click.command(
    epilog="Example: pggit-chaos doctor --pggit-source ../pgGit",
    short_help="Say what is there and what is missing.",
)
@options.choice
@options.format_name
def command(*, choice: Choice, format_name: str) -> int:
    """List PostgreSQL's programs, the extension, and pgGit's core functions one by one.

    For a --pggit-source also what its installer complained about.  Exit status 1
    where hooks are broken.
    """
    with open_workbench(choice, talk.say, needs_extension=False, workload=False) as bench:
        records = [
            *_programs(),
            *_extension(bench.conn),
            *_functions(bench.conn),
            *_installer(bench),
        ]
        label = bench.label
    result = listing.Listing(
        name="doctor",
        title=f"Doctor: {label}",
        target=label,
        columns=("area", "item", "state", "detail"),
        records=records,
    )
    listing.write([result], format_name)
    return int(result.failures > 0)


def _programs() -> Iterator[listing.Record]:
    found = list(binaries.available())
    for each in found:
        state = f"found by {each.origin}"
        yield _record("programs", f"PostgreSQL {each.version}", state, str(each.bindir))
    if not found:
        yield _record("programs", "PostgreSQL", "missing", "no server can be started here")


def _extension(conn: psycopg.Connection[Any]) -> Iterator[listing.Record]:
    from pggit_chaos import extension
    from pggit_chaos.errors import translated

    present = extension.installation(conn)
    if present is None:
        yield _record("extension", "pggit_chaos", "missing", "pggit-chaos install --dsn DSN")
        return
    version = present.version or "of unknown version"
    yield _record("extension", "pggit_chaos", version, f"installed by {present.how}")
    with translated():
        enabled = conn.execute("SELECT pggit_chaos.is_enabled()").fetchone() == (True,)
        failpoints = conn.execute("SELECT count(*) FROM pggit_chaos.failpoint").fetchone()
        broken = conn.execute(_BROKEN).fetchall()
    yield _record(
        "extension",
        "opt-in",
        "enabled" if enabled else "not enabled",
        None if enabled else extension.opt_in(conn),
    )
    count = failpoints[0] if failpoints is not None else 0
    yield _record("hooks", "failpoints", str(count), None)
    for name, problem in broken:
        yield _record("hooks", name, "broken", problem, failure=problem)


def _functions(conn: psycopg.Connection[Any]) -> Iterator[listing.Record]:
    from pggit_chaos.errors import NotInstalledError
    from pggit_chaos.target import CORE_FUNCTIONS, Target

    target = Target(conn)
    try:
        for function in CORE_FUNCTIONS:
            state = "present" if target.has(function) else "missing"
            yield _record("pgGit", f"pggit.{function}", state, None)
    except NotInstalledError as error:
        yield _record("pgGit", "schema pggit", "missing", str(error))


def _installer(bench: Workbench) -> Iterator[listing.Record]:
    for error in bench.installer_errors:
        yield _record("installer", f"{error.file}:{error.line}", "error", error.message)


def _record(
    area: str, item: str, state: str, detail: str | None, failure: str | None = None
) -> listing.Record:
    return listing.Record(
        name=f"{area}: {item}",
        values={"area": area, "item": item, "state": state, "detail": detail},
        failure=failure,
    )
