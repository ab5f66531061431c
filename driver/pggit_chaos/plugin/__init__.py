"""The pytest plugin: fixtures, markers and options for chaos tests of pgGit.

pytest loads it in every run once the package is installed, so importing it is
cheap: psycopg, Hypothesis and rich are imported where they are used.
"""

from __future__ import annotations

import pytest

from pggit_chaos.plugin import levels, options

pytest_plugins = (
    "pggit_chaos.plugin.comparison",
    "pggit_chaos.plugin.fixtures",
    "pggit_chaos.plugin.coroutines",
    "pggit_chaos.plugin.tap_files",
    "pggit_chaos.plugin.timeouts",
    "pggit_chaos.plugin.verdicts",
)

MARKERS = (
    "chaos: a test of pgGit under faults, load or damage",
    "property: a promise that holds for every input, tried with many of them",
    "concurrent: several sessions at once",
    "transaction: atomicity, isolation and rollback",
    "resource: limits of memory, disk, connections and time",
    "corruption: damage to pgGit's metadata, and whether it is noticed",
    "migration: a migration that fails",
    "recovery: the way back after a failure",
    "load: many operations, or large ones",
    "slow: takes long for what it adds to the others, which the smoke level has",
    "destructive: crashes, starves or fills a server of its own",
    "rolled_back: has one connection, in a transaction that is rolled back; shares its database",
    "may_leave_findings(*check_ids): fsck may find something when the test is over; "
    "without ids anything",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    options.add(parser)


@pytest.hookimpl(tryfirst=True)  # before Hypothesis looks for the profile that it was told
def pytest_configure(config: pytest.Config) -> None:
    """Add the markers, and the profiles if one of them was asked for."""
    if config.getoption("--hypothesis-profile", None) in levels.LEVELS:
        levels.register()
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)


def pytest_sessionstart(session: pytest.Session) -> None:
    """Say at once what is wrong with what was chosen, rather than once a test."""
    chosen = options.Options.of(session.config)
    if not chosen.target or hasattr(session.config, "workerinput"):
        return
    from pggit_chaos.errors import ChaosError
    from pggit_chaos.plugin import provision

    try:
        provision.check(chosen)
    except ChaosError as error:
        said = [error, *(note for note in (error.detail, error.hint) if note is not None)]
        raise pytest.UsageError("\n".join(map(str, said))) from error


def pytest_report_header(config: pytest.Config) -> str | None:
    """Say what is tested, if that was chosen."""
    target = options.Options.of(config).target
    return f"pggit_chaos: {target}" if target else None
