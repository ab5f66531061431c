"""A checkout of pgGit and its installer; the checkouts here are our own inventions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
import pytest

from pggit_chaos import pggit_source
from pggit_chaos.cluster import Cluster
from pggit_chaos.errors import SourceError
from pggit_chaos.target import Target

pytestmark = pytest.mark.one_version


@pytest.fixture
def invention(tmp_path: Path) -> Path:
    """A directory with an installer of the same form: parts, and errors on the way."""
    parts = tmp_path / "sql"
    parts.mkdir()
    (parts / "install.sql").write_text(
        "\\echo 'installing'\n\\i 001_schema.sql\n\\i 002_more.sql\n"
    )
    (parts / "001_schema.sql").write_text("CREATE SCHEMA pggit;\n")
    (parts / "002_more.sql").write_text(
        "\nSELECT nothing_of_this_name;\nCREATE TABLE pggit.last (i int);\n"
    )
    return tmp_path


def test_the_installer_goes_on_after_an_error_and_reports_it(
    cluster: Cluster, bare_database: str, invention: Path
) -> None:
    (error,) = pggit_source.install(cluster.dsn(bare_database), invention)
    assert (error.file, error.line) == ("002_more.sql", 2)
    assert error.message == 'column "nothing_of_this_name" does not exist'
    with cluster.connect(bare_database) as conn:
        assert conn.execute("SELECT to_regclass('pggit.last') IS NOT NULL").fetchone() == (True,)


def test_a_core_that_the_installer_leaves_out_is_loaded_after_it(invention: Path) -> None:
    core = invention / "sql/060_chaos_engineering_core.sql"
    core.touch()
    names = [path.name for path in pggit_source.installer_files(invention)]
    assert names == ["install.sql", core.name]


def test_a_core_that_the_installer_includes_is_not_loaded_twice(invention: Path) -> None:
    installer = invention / "sql/install.sql"
    installer.write_text("\\i 029_chaos_engineering_core.sql\n")
    (invention / "sql/029_chaos_engineering_core.sql").touch()
    assert pggit_source.installer_files(invention) == [installer]


@pytest.mark.parametrize("name", ["", "no/such/directory"])
def test_what_is_no_checkout_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(SourceError, match="is no checkout of pgGit"):
        pggit_source.installer_files(tmp_path / name)


def test_a_missing_psql_is_said(
    invention: Path, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(SourceError, match="there is no psql"):
        pggit_source.install(cluster.dsn(), invention)


def test_a_database_that_does_not_answer_is_said(invention: Path, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"psql could not run install\.sql"):
        pggit_source.install(f"host={tmp_path}", invention)


def test_a_real_pggit_is_installed(real_pggit: psycopg.Connection[Any]) -> None:
    assert Target(real_pggit).has("create_branch(text,text,boolean)")
