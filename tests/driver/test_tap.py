"""The pgTAP runner: what it takes for a failure, and what not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from servers import tap
from servers.fleet import Fleet

pytestmark = pytest.mark.one_version


def _report(*lines: str, error: str | None = None) -> tap.Report:
    report = tap.Report()
    for line in lines:
        report.read(line)
    report.finish(error)
    return report


def test_what_passes_passes() -> None:
    assert _report("1..2", "ok 1 - a", "ok 2", "# all is well").failures == []


def test_a_test_that_fails_is_a_failure() -> None:
    assert _report("1..2", "ok 1", "not ok 2 - b").failures == ["not ok 2 - b"]


@pytest.mark.parametrize("directive", ["# TODO later", "# todo", "# SKIP no reason"])
def test_a_test_with_a_directive_is_none(directive: str) -> None:
    assert _report("1..1", f"not ok 1 - a {directive}").failures == []


@pytest.mark.parametrize("ran", [0, 1, 3])
def test_a_plan_that_is_not_kept_is_a_failure(ran: int) -> None:
    lines = [f"ok {number + 1}" for number in range(ran)]
    assert _report("1..2", *lines).failures == [f"planned 2 tests but ran {ran}"]


def test_a_plan_may_come_last() -> None:
    assert _report("ok 1", "1..1").failures == []


def test_no_plan_is_a_failure() -> None:
    assert _report("ok 1").failures == ["the file has no plan"]


def test_bailing_out_is_a_failure() -> None:
    assert _report("1..1", "ok 1", "Bail out!  no more").failures == ["Bail out!  no more"]


def test_a_file_that_skips_all_says_why() -> None:
    report = _report("1..0 # SKIP not on this server")
    assert (report.skipped, report.failures) == ("not on this server", [])


def test_a_nested_test_does_not_count() -> None:
    assert _report("1..1", "    not ok 1 - inside", "ok 1 - outside").failures == []


@pytest.fixture
def with_pgtap(fleet: Fleet, server_version: str) -> Iterator[psycopg.Connection[Any]]:
    """A connection to a database with pgTAP."""
    name = fleet.reference(server_version, pgtap=True)
    with fleet.cluster(server_version).connect(name, options="-c search_path=public,tap") as conn:
        yield conn
    fleet.drop(server_version, [name])


def test_assertions_before_an_error_are_kept(with_pgtap: psycopg.Connection[Any]) -> None:
    script = b"SELECT plan(3); SELECT ok(true, 'a'); SELECT is(1, 2, 'b'); SELECT 1/0;"
    report = tap.run(with_pgtap, script)
    assert report.failures == ["not ok 2 - b", "ERROR:  division by zero"]


def test_pgtap_itself_is_understood(with_pgtap: psycopg.Connection[Any]) -> None:
    report = tap.run(
        with_pgtap,
        b"SELECT plan(3); SELECT pass('a'); SELECT todo('later', 1); SELECT fail('b');"
        b" SELECT skip('c', 1); SELECT * FROM finish();",
    )
    assert (report.failures, report.planned, report.run) == ([], 3, 3)
