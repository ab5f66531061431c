"""The pattern of a concurrency test: hold the window open, and look at what comes of it.

The first session stands still in the middle of its increment.  What a second
one does then is no matter of luck: it waits, or it loses an update.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pggit_chaos.chaos import Chaos
from pggit_chaos.crowd import Crowd
from pggit_chaos.target import Target


@pytest.mark.chaos
@pytest.mark.concurrent
def test_two_increments_are_two_versions(
    pggit: Target, chaos: Chaos, chaos_connect: Callable[..., Any]
) -> None:
    """Promise: of two increments at once neither is lost."""
    pggit.conn.execute("CREATE TABLE public.counted (id integer)")
    object_id = pggit.object_id("counted")

    def increment(target: Target) -> int:
        return target.increment_version(object_id)

    crowd = Crowd(chaos_connect)
    with crowd.halted(chaos, "pggit.objects.update.before", increment) as first:
        with crowd.running(increment) as second:
            second.settle()  # it is done, or it waits for the first
            first.go_on()
            versions = {first.result(), second.result()}
    assert len(versions) == 2, f"both sessions were told that they made version {versions}"
