"""The pattern of a resource test: take something away, and see that pgGit says so.

A limit is set for one session only, so that the others can look.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from pggit_chaos.oracle import state
from pggit_chaos.target import Target


@pytest.mark.chaos
@pytest.mark.resource
def test_a_commit_that_runs_out_of_time_says_so_and_leaves_nothing(
    pggit: Target, chaos_connect: Callable[..., Any]
) -> None:
    """Promise: a statement_timeout in the middle of a commit is a 57014, and nothing is stored."""
    holder = chaos_connect()
    holder.execute("LOCK TABLE pggit.commits IN EXCLUSIVE MODE")
    before = state(pggit.conn)
    hurried = Target(chaos_connect(autocommit=True))
    hurried.conn.execute("SET statement_timeout = '50ms'")
    with pytest.raises(psycopg.errors.QueryCanceled):
        hurried.commit("main", "in a hurry")
    holder.rollback()
    assert state(pggit.conn) == before, "the commit ran out of time, and something of it is there"
    hurried.conn.execute("RESET statement_timeout")
    hurried.commit("main", "with time")
    assert state(pggit.conn) != before
