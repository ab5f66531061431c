"""How tests are run: coroutines, levels of Hypothesis, timeouts, interruptions, imports."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pggit_chaos.cluster import Cluster
from pggit_chaos.plugin import levels
from servers.fleet import ROOT

pytestmark = pytest.mark.one_version

Run = Callable[..., pytest.RunResult]

COROUTINES = """
import asyncio
import pytest
from hypothesis import given, settings, strategies as st

numbers = set()

async def test_in_the_loop_of_its_connection(async_conn):
    await async_conn.execute("SELECT")

@settings(max_examples=5, database=None, deadline=None,
          suppress_health_check=list(__import__("hypothesis").HealthCheck))
@given(st.integers())
async def test_every_example(async_conn, number):
    await async_conn.execute("SELECT %s", (number,))
    numbers.add(number)

def test_there_were_examples():
    assert len(numbers) > 1

@pytest.mark.chaos
async def test_without_fixtures():
    await asyncio.sleep(0)

async def test_fails(async_conn):
    assert False

@pytest.mark.anyio
async def test_of_another_plugin():
    pass
"""


def test_coroutines_run_but_those_of_other_plugins(chaos_run: Run) -> None:
    result = chaos_run(COROUTINES, "-m", "not anyio", "-o", "markers=anyio")
    result.assert_outcomes(passed=4, failed=1, deselected=1)
    result = chaos_run(COROUTINES, "-m", "anyio", "-o", "markers=anyio")
    assert "passed" not in result.parseoutcomes()


PROFILES = """
import pytest
from hypothesis import given, settings, strategies as st

seen = []

@settings(phases=())
def inner():
    pass

@given(st.integers())
def test_examples(number):
    seen.append(number)

def test_count(expected):
    assert len(seen) == expected

def test_name(name):
    assert settings.get_current_profile_name() == name
"""

SUITE_CONFTEST = (ROOT / "tests/chaos/conftest.py").read_text(encoding="utf-8")
FIXTURES = """

@pytest.fixture
def expected():
    return {expected}

@pytest.fixture
def name():
    return "{name}"
"""


@pytest.mark.parametrize(
    ("options", "name", "expected"),
    [((), "smoke", 15), (("--hypothesis-profile=full",), "full", 60)],
)
def test_the_level_is_a_profile_of_hypothesis(
    pytester: pytest.Pytester, chaos_run: Run, options: tuple[str, ...], name: str, expected: int
) -> None:
    from hypothesis import settings

    before = settings.get_current_profile_name()
    pytester.makeconftest(SUITE_CONFTEST + FIXTURES.format(expected=expected, name=name))
    try:
        chaos_run(PROFILES, *options).assert_outcomes(passed=3)
        if not options:
            assert settings.get_current_profile_name() == before
    finally:
        settings.load_profile(before)


HANGS = """
from concurrent.futures import ThreadPoolExecutor

def wait(connect):
    connect(autocommit=True).execute("SELECT pg_sleep(1000)")

def test_hangs(chaos_connect):
    with ThreadPoolExecutor() as pool:
        pool.submit(wait, chaos_connect).result()

def test_comes_afterwards(pggit):
    pggit.commit("main", "a message")
"""


def test_a_timeout_ends_the_sessions_that_threads_wait_for(chaos_run: Run) -> None:
    options = ("-o", "timeout=3", "-o", "timeout_func_only=true")
    result = chaos_run(HANGS, *options, subprocess=True)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*Timeout*"])


WAITS = """
from pathlib import Path

def test_waits(chaos_connect):
    conn = chaos_connect(autocommit=True)
    Path("waits").write_text(conn.info.dbname)
    conn.execute("SELECT pg_sleep(1000)")
"""


def test_an_interruption_leaves_no_copy_behind(
    pytester: pytest.Pytester, cluster: Cluster, database: str
) -> None:
    pytester.makepyfile(WAITS)
    process = pytester.popen(
        [
            *(sys.executable, "-m", "pytest", "-ppggit_chaos.plugin", "-pno:cacheprovider"),
            f"--chaos-dsn={cluster.dsn(database)}",
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    )
    with cluster.connect(autocommit=True) as conn:
        sleeps = "SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(1000)'"
        while conn.execute(sleeps).fetchone() == (0,):
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate()
        assert b"KeyboardInterrupt" in said
        name = (pytester.path / "waits").read_text()
        left = conn.execute("SELECT FROM pg_database WHERE datname = %s", (name,)).fetchone()
    assert left is None


TAP = """-- markers: chaos corruption
SELECT plan(2);
SELECT ok(pggit_chaos.is_enabled(), 'the owner has opted in');
SELECT is({found}, (SELECT count(*) FROM pggit.commits), 'nothing was committed');
"""


def test_a_pgtap_file_is_a_test_with_marks(
    pytester: pytest.Pytester, chaos_run: Run, pgtap_directory: str
) -> None:
    for name, found in {"good": 0, "bad": 1}.items():
        path = pytester.path / f"{name}.pgtap.sql"
        path.write_text(TAP.format(found=f"{found}::bigint"), encoding="utf-8")
    option = f"--chaos-extension-dir={pgtap_directory}"
    result = chaos_run("", option, "-m", "corruption and not slow")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["not ok 2 - nothing was committed", "all of it:", "ok 1 - *"])


def test_a_pgtap_file_is_skipped_where_pgtap_is_missing(
    pytester: pytest.Pytester, chaos_run: Run
) -> None:
    (pytester.path / "any.pgtap.sql").write_text("SELECT plan(0);", encoding="utf-8")
    # The other test comes after it, and has what it needs.
    result = chaos_run("def test_other(pggit): pass", "-rs")
    result.assert_outcomes(skipped=1, passed=1)
    result.stdout.fnmatch_lines(["*not applicable: the server has no extension pgtap*"])


def test_the_plugin_alone_imports_nothing_heavy() -> None:
    code = """
import sys
import pytest
before = set(sys.modules)
import pggit_chaos.plugin as plugin
for name in plugin.pytest_plugins:
    __import__(name)
print(*({"psycopg", "psycopg_pool", "hypothesis", "rich", "click", "asyncio"}
        & (set(sys.modules) - before)))
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(Path(ROOT, "driver"))},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == []


def test_cases_that_smoke_does_without_are_slow() -> None:
    quick, other = levels.cases(["a", "b"], smoke=["a"])
    assert quick == "a"
    assert (other.values, [mark.name for mark in other.marks]) == (("b",), ["slow"])
    with pytest.raises(ValueError, match="'c'"):
        levels.cases(["a", "b"], smoke=["a", "c"])
