"""The generated pages are what the extension and the command line say of themselves."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

from pggit_chaos import extension

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def generate():
    spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def published(name):
    return (DOCS / "reference" / name).read_text()


@pytest.mark.one_version
def test_the_page_of_the_sql_is_up_to_date(generate, conn):
    """Run: python docs/generate.py."""
    assert published("sql.md") == generate.sql_page(conn)


def test_the_page_of_the_commands_is_up_to_date(generate):
    """Run: python docs/generate.py."""
    assert published("command-line.md") == generate.command_page()


def test_the_page_of_the_sabotages_is_up_to_date(generate):
    """Run: python docs/generate.py."""
    assert published("sabotages.md") == generate.sabotage_page()


def test_every_code_of_ours_is_documented():
    script = extension.files()[f"pggit_chaos--{extension.version()}.sql"].decode()
    used = set(re.findall(r"'(PC\d{3})'", script))
    documented = set(
        re.findall(r"^\| (PC\d{3}) ", (DOCS / "reference/errors.md").read_text(), re.M)
    )
    assert documented == used


def test_every_action_is_documented():
    script = extension.files()[f"pggit_chaos--{extension.version()}.sql"].decode()
    actions = set(re.findall(r"\._action_(\w+)_parse\(", script)) - {"journal"}
    documented = set(re.findall(r"^\| `(\w+)", (DOCS / "reference/terms.md").read_text(), re.M))
    assert actions <= documented
