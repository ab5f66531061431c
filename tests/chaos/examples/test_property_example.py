"""The pattern of a property test: a promise that holds for whatever Hypothesis draws.

Each example runs in a transaction that is rolled back, because all of them
share one database.
"""

from __future__ import annotations

import pytest
from hypothesis import given

from pggit_chaos import strategies
from pggit_chaos.oracle import value
from pggit_chaos.target import Target


@pytest.mark.chaos
@pytest.mark.property
@given(message=strategies.commit_messages())
def test_a_commit_message_is_stored_exactly(pggit: Target, message: str) -> None:
    """Promise: any commit message is stored exactly."""
    with pggit.conn.transaction(force_rollback=True):
        hash_ = pggit.commit("main", message)
        query = "SELECT c.message FROM ONLY pggit.commits AS c WHERE c.hash = %s"
        stored = value(pggit.conn, query, hash_)
    assert stored == message, f"{message!r} was committed, and {stored!r} is stored"
