"""Whatever ordinary work is done, every promise holds after each step."""

from __future__ import annotations

import pytest

from pggit_chaos.target import Target


@pytest.mark.parametrize("seed", range(3))
def test_ordinary_work_breaks_no_promise(conn, seed, drift):
    Target(conn).workload(seed, 60)
    assert not drift()


def test_the_same_work_makes_the_same_history(conn, connect, scalar):
    def history(seed):
        with conn.transaction(force_rollback=True):
            Target(conn).workload(seed, 25)
            return conn.execute(
                """SELECT o.full_name, h.change_type::text, h.old_version, h.new_version, h.new_hash
                     FROM pggit.history AS h JOIN pggit.objects AS o ON o.id = h.object_id
                    ORDER BY h.id"""
            ).fetchall()

    assert history(1) == history(1) != history(2)
