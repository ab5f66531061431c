"""The pattern of a transaction test: strike, and see that nothing was done.

Whether the fault fired is asked of the fault, what happened of pgGit's tables:
the error alone proves neither.
"""

from __future__ import annotations

import psycopg
import pytest

from pggit_chaos.chaos import Chaos
from pggit_chaos.oracle import state
from pggit_chaos.target import Target


@pytest.mark.chaos
@pytest.mark.transaction
def test_a_commit_that_fails_at_commit_leaves_nothing(pggit: Target, chaos: Chaos) -> None:
    """Promise: where COMMIT fails, nothing of a commit is stored, and a retry stores it once."""
    before = state(pggit.conn)
    with chaos.fault("pggit.commits.insert.commit", "1*error(40001)") as fault:
        with pytest.raises(psycopg.errors.SerializationFailure) as caught:
            pggit.commit("main", "struck")
        assert fault.fired == 1
        assert caught.value.diag.schema_name == "pggit_chaos", "this is another 40001"
        assert state(pggit.conn) == before, "something of the commit is there"
        pggit.commit("main", "struck")
    assert state(pggit.conn) != before, "the retry succeeded, and nothing is there"
