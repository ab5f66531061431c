"""pgTAP files: what is taken for a failure, and that pg_prove takes the same for one."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict

from pggit_chaos.plugin import tap
from servers.fleet import PG_PROVE, Fleet

pytestmark = pytest.mark.one_version

LINES = (
    "ok 1 - a",
    "ok 2 - b",
    "ok - without a number",
    "not ok 2 - b",
    "not ok 1 # TODO later",
    "not ok 1 - a # SKIP no reason",
    "ok 1 # skip no reason",
    "not ok 1 escaped \\# TODO",
    "1..1",
    "1..2",
    "1..0 # SKIP not here",
    "Bail out!  no more",
    "    not ok 1 - inside",
    "# a comment",
)

FILES = {
    "passes": "SELECT plan(1); SELECT ok(true);",
    "fails": "SELECT plan(2); SELECT ok(true); SELECT ok(false);",
    "todo": "SELECT plan(1); SELECT todo('later', 1); SELECT fail('b');",
    "skip": "SELECT plan(1); SELECT skip('c', 1);",
    "skip_all": "SELECT '1..0 # SKIP not here';",
    "bail_out": "SELECT plan(2); SELECT ok(true); SELECT 'Bail out!  no more';",
    "too_few": "SELECT plan(2); SELECT ok(true);",
    "too_many": "SELECT plan(1); SELECT ok(true); SELECT ok(true);",
    "finished": "SELECT plan(1); SELECT ok(true); SELECT * FROM finish();",
    "no_plan": "SELECT * FROM no_plan(); SELECT ok(true); SELECT * FROM finish();",
    "plan_missing": "SELECT 'ok 1';",
    "empty": "",
    "sql_error": "SELECT plan(1); SELECT ok(true); SELECT 1/0;",
    "lost_session": "SELECT plan(1); SELECT pg_terminate_backend(pg_backend_pid());",
    "meta_commands": "\\set QUIET 1\n\\set n 1\nSELECT plan(:n);\n\\unset ECHO\nSELECT ok(true);",
    "autocommit": "SELECT plan(1);\nVACUUM pg_class;\nSELECT ok(true);",
    "transaction": "BEGIN; SELECT plan(1); SELECT ok(true); SELECT * FROM finish(); ROLLBACK;",
    "subtests": """
        CREATE SCHEMA t;
        CREATE FUNCTION t.test_it() RETURNS SETOF text LANGUAGE sql AS 'SELECT tap.fail(''x'')';
        SELECT * FROM runtests('t'::name);
    """,
}
BAD = {
    *("fails", "bail_out", "too_few", "too_many", "plan_missing", "empty"),
    *("sql_error", "lost_session", "subtests"),
}


def _has_harness() -> bool:
    if shutil.which("perl") is None:
        return False
    return subprocess.run(["perl", "-MTAP::Harness", "-e1"], capture_output=True).returncode == 0


needs_harness = pytest.mark.skipif(not _has_harness(), reason="perl has no TAP::Harness here")


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


@pytest.mark.parametrize("ran", [0, 1, 3])
def test_a_plan_that_is_not_kept_is_a_failure(ran: int) -> None:
    lines = [f"ok {number + 1}" for number in range(ran)]
    assert _report("1..2", *lines).failures == [f"planned 2 tests but ran {ran}"]


def test_a_file_that_skips_all_says_why() -> None:
    report = _report("1..0 # SKIP not on this server")
    assert (report.skipped, report.failures) == ("not on this server", [])


def test_what_psql_complains_about_is_a_failure() -> None:
    assert _report("1..1", "ok 1", error="no such file").failures == ["no such file"]


@needs_harness
def test_perls_harness_judges_the_same() -> None:
    documents = [
        "\n".join(lines)
        for length in range(1, 4)
        for lines in itertools.product(LINES, repeat=length)
    ]
    program = """
        use TAP::Parser; my $all = join('', <STDIN>);
        for my $document (split /\\0/, $all, -1) {
            my $parser = TAP::Parser->new({ source => [split /\\n/, $document] });
            my $bailed = 0;  # which is the harness's matter, not the parser's
            while (my $result = $parser->next) { $bailed ||= $result->is_bailout; }
            print $bailed || $parser->has_problems ? 1 : 0;
        }
    """
    done = subprocess.run(
        ["perl", "-e", program], input="\0".join(documents), capture_output=True, text=True
    )
    theirs = [character == "1" for character in done.stdout]
    ours = [bool(_report(*document.split("\n")).failures) for document in documents]
    judged = zip(documents, ours, theirs, strict=True)
    assert [document for document, our, their in judged if our != their] == []


@pytest.fixture
def tap_conninfo(fleet: Fleet, server_version: str) -> Iterator[str]:
    """A database with pgTAP."""
    name = fleet.reference(server_version, pgtap=True)
    options = "-c search_path=public,tap -c client_min_messages=warning"
    yield fleet.cluster(server_version).dsn(name, options=options)
    fleet.drop(server_version, [name])


@pytest.fixture(params=FILES)
def tap_file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A pgTAP file of each sort."""
    path = tmp_path / f"{request.param}.pgtap.sql"
    path.write_text(FILES[request.param], encoding="utf-8")
    return path


def test_a_file_is_judged_by_what_it_says(tap_file: Path, tap_conninfo: str) -> None:
    report = tap.run(tap_file, tap_conninfo)
    assert bool(report.failures) == (tap_file.name.split(".")[0] in BAD)


@needs_harness
def test_pg_prove_judges_the_same(tap_file: Path, tap_conninfo: str) -> None:
    words = conninfo_to_dict(tap_conninfo)
    names = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "options": "PGOPTIONS"}
    done = subprocess.run(
        ["perl", PG_PROVE, "--dbname", words["dbname"], tap_file],
        env={
            **os.environ,
            **{variable: str(words[word]) for word, variable in names.items()},
            "PERL5LIB": str(PG_PROVE.parents[1] / "share/perl5"),
        },
        capture_output=True,
        text=True,
    )
    assert (done.returncode != 0) == bool(tap.run(tap_file, tap_conninfo).failures), done.stdout


def test_assertions_before_an_error_are_kept(tmp_path: Path, tap_conninfo: str) -> None:
    script = tmp_path / "error.pgtap.sql"
    script.write_text("SELECT plan(3);\nSELECT is(1, 2, 'b');\nSELECT 1/0;", encoding="utf-8")
    failures = tap.run(script, tap_conninfo).failures
    assert failures[0] == "not ok 1 - b"
    assert "error.pgtap.sql:3: ERROR:  division by zero" in failures[1]
