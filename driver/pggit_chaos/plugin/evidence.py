"""What is left in a test's database: faults, lock holds, corruptions, findings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pggit_chaos.chaos import Chaos
from pggit_chaos.errors import ChaosError, translated
from pggit_chaos.plugin.experiment import Armed, Experiment
from pggit_chaos.plugin.provision import identity

if TYPE_CHECKING:
    import psycopg

    from pggit_chaos.rows import Finding

__all__ = ["describe", "describe_armed", "describe_findings", "new_findings", "sound_checks"]

# A test may have left a lock behind, or a server that is busy.
_PATIENCE = "-c lock_timeout=1s -c statement_timeout=30s"
_LOCK_NOT_AVAILABLE = "55P03"
_SHOWN = 10  # findings; one cause may have very many

_VIEWS = {
    "armed still:": (
        """
        SELECT failpoint, term, scope, state, hits, fired
          FROM pggit_chaos.fault ORDER BY fault_id
        """,
        "{} {} ({}, {}): hit {}, fired {}",
    ),
    "lock holds:": (
        "SELECT mode, target, pid FROM pggit_chaos.lock_hold ORDER BY hold_id",
        "{} on {} by pid {}",
    ),
    "corruptions:": (
        """
        SELECT kind, state, rows, relation FROM pggit_chaos.corruption ORDER BY corruption_id
        """,
        "{} ({}): {} rows of {}",
    ),
}
_END_TRANSACTIONS = """
SELECT pg_terminate_backend(pid, 1000)
  FROM pg_stat_activity
 WHERE datname = current_database() AND backend_type = 'client backend'
   AND pid <> pg_backend_pid() AND state <> 'idle'
"""


def describe(experiment: Experiment) -> str:
    """Return what a reader of a failure report wants to know, as lines of text."""
    lines = ["armed by the test:", *_indented(map(describe_armed, experiment.armed))]
    if experiment.over is not None:
        return "\n".join([*lines, experiment.over])
    from psycopg.rows import tuple_row

    # What a failed test left behind may be anything; that it cannot be read is said.
    try:
        with _looking(experiment) as conn:
            for heading, (query, line) in _VIEWS.items():
                rows = conn.cursor(row_factory=tuple_row).execute(query).fetchall()
                lines += [heading, *_indented(line.format(*row) for row in rows)]
        lines += ["fsck:", *_indented(describe_findings(new_findings(experiment)))]
    except ChaosError as error:
        lines.append(f"the rest could not be read: {error}")
    return "\n".join(lines)


def describe_armed(armed: Armed) -> str:
    """Say what was armed and what came of it."""
    counts = armed.counts
    what = f"{armed.failpoint} {armed.term} ({armed.scope}): "
    if counts is None:
        return what + "counters lost with its session or transaction"
    return what + f"hit {counts[0]}, fired {counts[1]}"


def describe_findings(findings: Sequence[Finding]) -> list[str]:
    """Say what the checks found, a line each; of many only the first."""
    lines = [
        f"{each.severity} {each.check_id} {each.relation} {each.row_identity}: {each.message}"
        for each in findings[:_SHOWN]
    ]
    more = len(findings) - len(lines)
    return [*lines, f"and {more} more"] if more else lines


def new_findings(experiment: Experiment) -> list[Finding]:
    """Return what fsck finds that the template did not have.

    A transaction that is over leaves nothing to look at.
    """
    if experiment.over is not None:
        return []
    with _looking(experiment) as conn:
        try:
            findings = Chaos(conn).fsck()
        except ChaosError as error:
            if error.sqlstate != _LOCK_NOT_AVAILABLE:
                raise
            conn.execute(_END_TRANSACTIONS)  # the test is over, and so is its work
            findings = Chaos(conn).fsck()
    return [each for each in findings if identity(each) not in experiment.known_findings]


def sound_checks(experiment: Experiment) -> set[str]:
    """Return the checks whose findings are damage on every pgGit."""
    with _looking(experiment) as conn:
        return {each.check_id for each in Chaos(conn).integrity_checks() if each.sound}


@contextmanager
def _looking(experiment: Experiment) -> Iterator[psycopg.Connection[Any]]:
    """Yield a connection that sees what the test did: another one, or in its own transaction."""
    import psycopg

    if experiment.conn is None:
        with (
            translated(),
            psycopg.connect(experiment.conninfo, autocommit=True, options=_PATIENCE) as conn,
        ):
            yield conn
        return
    with translated(), experiment.conn.transaction():
        # What waits for COMMIT comes now: there will be none.
        experiment.conn.execute("SET CONSTRAINTS ALL IMMEDIATE")
        yield experiment.conn


def _indented(lines: Iterable[str]) -> list[str]:
    return [f"  {line}" for line in lines] or ["  none"]
