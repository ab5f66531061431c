"""An error anywhere in the reference target reaches the caller, and nothing is half done."""

from __future__ import annotations

import pytest

from pggit_chaos.target import Target

TOLERABLE = {"surfaced", "tolerated"}


@pytest.fixture
def ground(conn):
    Target(conn).prepare()
    conn.execute("SELECT pggit_chaos.install_hooks()")


@pytest.mark.parametrize("sqlstate", ["40001", "57014"])
def test_every_core_operation_survives_a_fault_at_every_point(conn, ground, sqlstate):
    for operation in Target(conn).operations():
        with conn.transaction(force_rollback=True):
            points = conn.execute(
                "SELECT failpoint, outcome, detail FROM pggit_chaos.sweep(%s, %s)",
                (operation.statement, [sqlstate]),
            ).fetchall()
        assert points, operation.name
        assert not [point for point in points if point[1] not in TOLERABLE], operation.name
