"""What of ours is in a database, and how to undo it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from pggit_chaos import listing, options, talk
from pggit_chaos.workbench import Choice, open_workbench

if TYPE_CHECKING:
    import psycopg

_HOOKS = "SELECT count(*) FROM pggit_chaos.failpoint"
# Where there is no hook at all, hooks_intact() says that too.
_BROKEN = """
SELECT count(*) FROM pggit_chaos.hooks_intact()
 WHERE EXISTS (SELECT FROM pggit_chaos.failpoint)
"""
_FAULTS = "SELECT count(*) FROM pggit_chaos.fault WHERE state = 'armed'"
_HOLDS = "SELECT count(*) FROM pggit_chaos.lock_hold"
_CORRUPTIONS = "SELECT count(*) FROM pggit_chaos.corruption WHERE state = 'present'"
_REPAIRS = "SELECT count(*) FROM pggit_chaos.corruption WHERE state = 'repaired'"
# Not the view, which runs the checks.
_ACCEPTED = "SELECT count(*) FROM pggit_chaos._accepted_finding"
_DIGESTS = "SELECT count(*) FROM pggit_chaos._recorded_digest"
_COPIES = "SELECT count(*) FROM pg_catalog.pg_database AS d WHERE starts_with(d.datname, %s)"


@click.command(
    epilog='Example: pggit-chaos status --dsn "$DSN" --format json',
    short_help="Say what of pggit_chaos is active, and what undoes it.",
)
@options.choice
@options.format_name
def command(*, choice: Choice, format_name: str) -> int:
    """List the opt-in, hooks, faults and corruptions, with the call that undoes each.

    Exit status 1 where a fault is armed, a corruption is present or a hook is broken.
    """
    with open_workbench(choice, talk.say) as bench:
        records = _records(bench.conn)
        label = bench.label
    result = listing.Listing(
        name="status",
        title=f"Status: {label}",
        target=label,
        columns=("what", "state", "undo"),
        records=records,
    )
    listing.write([result], format_name)
    return int(result.failures > 0)


def _records(conn: psycopg.Connection[Any]) -> list[listing.Record]:
    from pggit_chaos import clones, extension
    from pggit_chaos.errors import translated

    def count(query: str, arguments: tuple[str, ...] = ()) -> int:
        row = conn.execute(query, arguments).fetchone()
        return int(row[0]) if row is not None else 0

    with translated():
        enabled = bool(count("SELECT pggit_chaos.is_enabled()::integer"))
        return [
            _record("enabled", enabled, extension.opt_in(conn, on=False)),
            _record("failpoints", count(_HOOKS), "SELECT * FROM pggit_chaos.uninstall_hooks();"),
            _record(
                "broken hooks",
                count(_BROKEN),
                "SELECT * FROM pggit_chaos.install_hooks();",
                harmful=True,
            ),
            _record(
                "armed faults",
                count(_FAULTS),
                "SELECT pggit_chaos.disarm_all();",
                harmful=True,
            ),
            _record(
                "lock holds",
                count(_HOLDS),
                "SELECT pggit_chaos.release_lock(hold_id) FROM pggit_chaos.lock_hold;",
                harmful=True,
            ),
            _record(
                "present corruptions",
                count(_CORRUPTIONS),
                "SELECT pggit_chaos.heal_all();",
                harmful=True,
            ),
            _record(
                "repairs",
                count(_REPAIRS),
                "SELECT pggit_chaos.heal(corruption_id) FROM pggit_chaos.corruption"
                " WHERE state = 'repaired';",
            ),
            _record(
                "accepted findings",
                count(_ACCEPTED),
                "SELECT pggit_chaos.reject_finding(check_id, row_identity)"
                " FROM pggit_chaos.accepted_finding;",
            ),
            _record(
                "recorded digests",
                count(_DIGESTS),
                "SELECT pggit_chaos.forget_digests();",
            ),
            _record(
                "copies on this server",
                count(_COPIES, (clones.PREFIX,)),
                f"\\l {clones.PREFIX}*, then DROP DATABASE of those that nobody drills",
            ),
        ]


def _record(what: str, state: int, undo: str, *, harmful: bool = False) -> listing.Record:
    return listing.Record(
        name=what,
        values={"what": what, "state": state, "undo": undo if state else None},
        failure=f"{state} {what}" if harmful and state else None,
    )
