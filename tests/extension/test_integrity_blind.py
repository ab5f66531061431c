"""A check that has gone blind is noticed: by the drills, and by the matrix of kinds and checks."""

from __future__ import annotations

import importlib.util
from types import ModuleType

import pytest

from nightly import some
from pggit_chaos.rows import Drill
from servers.fleet import ROOT

pytestmark = pytest.mark.one_version

SAMPLE = 10
BLIND = "SELECT NULL::text, NULL::text WHERE false"


def module(path: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.replace("/", "_"), ROOT / f"{path}.py")
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def drill(conn, kind):
    row = conn.execute(
        "SELECT kind, detected, detected_by, unrelated, healed, elapsed FROM pggit_chaos.drill(%s)",
        (kind,),
    ).fetchone()
    names = ("kind", "detected", "detected_by", "unrelated", "healed", "elapsed")
    return Drill(**dict(zip(names, row, strict=True)))


def blind(conn, check):
    conn.execute(
        "UPDATE pggit_chaos._integrity_check SET query = %s WHERE check_id = %s", (BLIND, check)
    )


def test_a_drill_fails_without_the_one_check_that_finds_its_kind(used):
    rows = used.execute("SELECT kind, detected_by FROM pggit_chaos.drill_all()").fetchall()
    alone = {checks[0]: kind for kind, checks in rows if checks is not None and len(checks) == 1}
    assert len(alone) > 20
    for check in some(sorted(alone), SAMPLE):
        with used.transaction(force_rollback=True):
            blind(used, check)
            assert drill(used, alone[check]).failure == "not detected", check


def test_the_matrix_fails_without_a_check(used):
    matrix = module("tests/packaging/test_matrix")
    generated = module("docs/generate").matrix_page
    verdict = matrix.test_when_it_is_run_each_kind_is_found_by_its_checks_and_by_no_other
    blind(used, "commit_parent_missing")
    with pytest.raises(AssertionError, match="is not found"):
        verdict(matrix._cells(generated(used)))
