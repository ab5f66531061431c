"""What the tests run on: an empty schema, a sabotage, a checkout, and what cannot be meant."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pggit_chaos import sabotage
from pggit_chaos.cluster import Cluster

pytestmark = pytest.mark.one_version

Run = Callable[..., pytest.RunResult]

COMMITS = """
import pytest

def test_commits(pggit):
    pggit.commit("main", "a message")
    row = pggit.conn.execute("SELECT message FROM pggit.commits").fetchone()
    assert row == ("a message",)

def test_strikes(pggit, chaos):
    with chaos.fault("pggit.commits.insert.after", "notice(hello)") as fault:
        pggit.commit("main", "a message")
    assert fault.fired == 1
"""

BUG = """
CREATE FUNCTION pggit.lose() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN NEW.message := ''lost''; RETURN NEW; END';
CREATE TRIGGER lose BEFORE INSERT ON pggit.commits FOR EACH ROW EXECUTE FUNCTION pggit.lose();
"""


def test_an_empty_schema_lets_nothing_pass(chaos_run: Run) -> None:
    chaos_run(COMMITS, "--chaos-null").assert_outcomes(failed=2)


def test_a_sabotage_is_put_in(chaos_run: Run, tmp_path: Path) -> None:
    bug = tmp_path / "bug.sql"
    bug.write_text(BUG, encoding="utf-8")
    result = chaos_run(COMMITS, f"--chaos-sabotage={bug}")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines([f"pggit_chaos: the reference target with {bug}"])


def test_a_checkout_is_installed(chaos_run: Run, tmp_path: Path) -> None:
    from pggit_chaos import reference

    sql = tmp_path / "sql"
    sql.mkdir()
    parts = "".join(f"\\i {part}\n" for part in reference.scripts())
    (sql / "install.sql").write_text(parts + BUG, encoding="utf-8")
    chaos_run(COMMITS, f"--chaos-pggit-source={tmp_path}").assert_outcomes(passed=1, failed=1)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--chaos-null", "--chaos-dsn=dbname=x"], "*--chaos-dsn and --chaos-null exclude*"),
        (["--chaos-sabotage=nosuch"], '*there is no sabotage "nosuch"*'),
        (["--chaos-pggit-source=nosuch"], '*"nosuch" is no checkout of pgGit*'),
        (["--chaos-dsn=host=/nowhere dbname=x"], "*no connection*"),
        (["--chaos-dsn=what is this"], "*malformed DSN*"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else None,
)
def test_what_cannot_be_meant_is_said_before_anything_runs(
    chaos_run: Run, options: list[str], said: str
) -> None:
    result = chaos_run(COMMITS, *options)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([said])


def test_several_checkouts_are_for_other_tests(chaos_run: Run, tmp_path: Path) -> None:
    sources = []
    for name in ("one", "two"):
        (tmp_path / name / "sql").mkdir(parents=True)
        (tmp_path / name / "sql/install.sql").touch()
        sources.append(f"--chaos-pggit-source={tmp_path / name}")
    result = chaos_run("def test_other(): pass\ndef test_chaos(pggit): pass", *sources)
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*one at a time*"])


def test_who_is_connected_to_the_named_database_is_said(
    chaos_run: Run, cluster: Cluster, database: str
) -> None:
    with cluster.connect(database, application_name="somebody"):
        result = chaos_run(COMMITS, f"--chaos-dsn={cluster.dsn(database)}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f'*database "{database}" is in use*', "*(somebody, pid *"])


@pytest.mark.parametrize(
    ("may", "said"),
    [("", 'role "poor" may not create databases'), ("CREATEDB", 'role "poor" is no superuser')],
)
def test_a_role_that_may_not_is_told(
    chaos_run: Run, cluster: Cluster, database: str, may: str, said: str
) -> None:
    with cluster.connect(autocommit=True) as conn:
        conn.execute("DROP ROLE IF EXISTS poor")
        conn.execute(f"CREATE ROLE poor LOGIN {may}")
    result = chaos_run(COMMITS, f"--chaos-dsn={cluster.dsn(database, user='poor')}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*{said}*"])


NOTICES = """
import pytest

pytestmark = [pytest.mark.chaos, pytest.mark.property]

@pytest.mark.parametrize("length", [1, 1000])
def test_message(pggit, length):
    pggit.commit("main", "m" * length)
    row = pggit.conn.execute("SELECT length(message) FROM pggit.commits").fetchone()
    assert row == (length,)
"""


def test_all_sabotages_are_tried_in_turn(chaos_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    two = [sabotage.find("message_cut"), sabotage.find("head_cut")]
    monkeypatch.setattr(sabotage, "all", lambda: two)
    result = chaos_run(NOTICES, "--chaos-sabotage", "all")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        [
            "*(control)*passes*",
            "*message_cut * 1 * noticed *",
            "*head_cut*no test of category corruption noticed*",
        ]
    )
