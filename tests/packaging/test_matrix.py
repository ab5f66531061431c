"""The published matrix of kinds and checks: complete, up to date, and true when it is run."""

from __future__ import annotations

import importlib.util
from typing import Any

import psycopg
import pytest

from pggit_chaos.chaos import Chaos
from pggit_chaos.target import Target
from servers.fleet import ROOT

pytestmark = pytest.mark.one_version

PAGE = ROOT / "docs/reference/matrix.md"


def _cells(text: str) -> dict[str, dict[str, str]]:
    """Return what the page says, by kind and check; cells that say nothing are left out."""
    found: dict[str, dict[str, str]] = {}
    checks: list[str] = []
    for line in text.splitlines():
        words = [word.strip().strip("`") for word in line.strip("|").split("|")]
        if line.startswith("| kind |"):
            checks = words[1:]
        elif line.startswith("| `"):
            row = zip(checks, words[1:], strict=True)
            found[words[0]] = {check: cell for check, cell in row if cell}
    return found


@pytest.fixture
def generated(conn: psycopg.Connection[Any]) -> dict[str, dict[str, str]]:
    """What the page would say now."""
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs/generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    Target(conn).furnish(steps=module.WORKLOAD_STEPS)
    return _cells(module.matrix_page(conn))


def test_every_kind_is_in_it_with_the_checks_that_may_find_it(
    conn: psycopg.Connection[Any],
) -> None:
    """Run: python docs/generate.py."""
    declared = {kind.kind: set(kind.detected_by) for kind in Chaos(conn).corruption_kinds()}
    assert {kind: set(cells) for kind, cells in _cells(PAGE.read_text()).items()} == declared


def test_every_check_in_it_exists(conn: psycopg.Connection[Any]) -> None:
    known = {check.check_id for check in Chaos(conn).integrity_checks()}
    assert {check for cells in _cells(PAGE.read_text()).values() for check in cells} <= known


def test_when_it_is_run_each_kind_is_found_by_its_checks_and_by_no_other(
    generated: dict[str, dict[str, str]],
) -> None:
    for kind, cells in generated.items():
        assert "x" in cells.values() or set(cells.values()) == {"-"}, f"{kind} is not found"
        assert "!" not in cells.values(), f"{kind} is blamed on something else: {cells}"
    # And what the page says is found here is.
    published = {kind for kind, cells in _cells(PAGE.read_text()).items() if "x" in cells.values()}
    assert published == {kind for kind, cells in generated.items() if "x" in cells.values()}
