"""The README's first screen is what a reader gets who types it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from pggit_chaos import binaries, reference

README = Path(__file__).parents[2] / "README.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README.read_text(), re.M | re.S)


@pytest.fixture
def drills(cluster):
    """A database that has pgGit and a little history."""
    cluster.create_database("drills")
    with cluster.connect("drills", autocommit=True) as conn:
        reference.load(conn)
        conn.execute("CREATE TABLE public.customers (id int PRIMARY KEY, name text)")
        conn.execute("SELECT pggit.commit_changes('main', 'a first message')")
    yield "drills"
    cluster.drop_database("drills")


@pytest.fixture
def psql():
    found = [each.program("psql") for each in binaries.available()]
    return next(path for path in found if path is not None)


def test_the_sql_prints_what_the_readme_shows(cluster, drills, psql):
    (statements, *_), (shown, *_) = blocks("sql"), blocks("text")
    result = subprocess.run(
        [psql, "-X", "-q", "-v", "ON_ERROR_STOP=1", "--dbname", cluster.dsn(drills)],
        input=statements,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.stderr == ""
    printed = [line.rstrip() for line in result.stdout.strip().splitlines()]
    assert printed == [line.rstrip() for line in shown.strip().splitlines()]


def test_the_pytest_example_passes_as_it_stands(cluster, drills, tmp_path):
    (example, *_) = blocks("python")
    with cluster.connect(drills, autocommit=True) as conn:
        conn.execute("CREATE EXTENSION pggit_chaos")
        conn.execute("ALTER DATABASE drills SET pggit_chaos.enabled = on")
    (tmp_path / "conftest.py").write_text(
        "import psycopg, pytest\n"
        "@pytest.fixture\n"
        "def conn():\n"
        f"    with psycopg.connect({cluster.dsn(drills)!r}, autocommit=True) as conn:\n"
        "        yield conn\n"
    )
    (tmp_path / "test_example.py").write_text(example)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        tmp_path,
    ]
    result = subprocess.run([*command, tmp_path], capture_output=True, text=True, check=False)
    assert "1 passed" in result.stdout, result.stdout + result.stderr


def test_every_command_of_the_readme_exists():
    makefile = (README.parent / "Makefile").read_text()
    for target in re.findall(r"^make (\w+)", "\n".join(blocks("sh")), re.M):
        assert re.search(rf"^{target}:", makefile, re.M), target


def test_every_link_leads_somewhere():
    for link in re.findall(r"\]\((?!https?:)([^)#]+)", README.read_text()):
        assert (README.parent / link).exists(), link
