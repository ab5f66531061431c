"""Runs of pytest inside of tests of the plugin."""

from __future__ import annotations

from collections.abc import Callable

import hypothesis  # noqa: F401 see below
import psycopg_pool  # noqa: F401
import pytest

# A run inside of a run forgets what it imported, and the next would import it anew:
# what is here already stays the same for all.
import pggit_chaos.plugin.evidence
import pggit_chaos.plugin.recording
import pggit_chaos.target
import pggit_chaos.workload  # noqa: F401
from servers.fleet import PGTAP, Fleet

Run = Callable[..., pytest.RunResult]

INI = """
[pytest]
addopts = --strict-markers -p pggit_chaos.plugin -p no:cacheprovider
filterwarnings = error
"""


@pytest.fixture
def chaos_run(pytester: pytest.Pytester, fleet: Fleet, server_version: str) -> Run:
    """Run pytest on a module: ``chaos_run(source, "--option")``, on a throwaway server."""
    pytester.makeini(INI)
    bindir = fleet.programs(server_version).bindir

    def run(source: str, *arguments: str, subprocess: bool = False) -> pytest.RunResult:
        pytester.makepyfile(source)
        if not any(each.startswith("--chaos-dsn") for each in arguments):
            arguments = (f"--chaos-pg-bindir={bindir}", *arguments)
        method = pytester.runpytest_subprocess if subprocess else pytester.runpytest_inprocess
        return method(*arguments)

    return run


@pytest.fixture
def pgtap_directory() -> str:
    """Where pgTAP's extension files are."""
    return str(PGTAP)
