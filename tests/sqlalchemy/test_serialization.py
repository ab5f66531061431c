"""Transactions that PostgreSQL takes back: their SQLSTATE arrives, and a retry applies once."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError, OperationalError

from pggit_chaos import Chaos
from pggit_chaos.retry import is_serialization, with_retry
from shop import SCOPE, Shop, order

BEFORE = "pggit.commits.insert.before"


def _is_taken_back(error: BaseException) -> bool:
    return isinstance(error, DBAPIError) and is_serialization(error.orig)


@pytest.mark.parametrize("sqlstate", ["40001", "40P01"])
@pytest.mark.parametrize(
    "failpoint",
    ["pggit.commit_changes(text,text,text)", BEFORE, "pggit.commits.insert.commit"],
)
def test_a_retry_on_sqlstate_applies_exactly_once(
    engine: Engine, chaos: Chaos, shop: Shop, failpoint: str, sqlstate: str
) -> None:
    with chaos.fault(failpoint, f"2*error({sqlstate})", scope=SCOPE) as fault:
        with_retry(lambda: order(engine, "a chair"), 3, 0, retry_on=_is_taken_back)
    assert fault.fired == 2
    assert shop.stored("a chair") == (1, 1)


def test_another_sqlstate_is_not_tried_again(engine: Engine, chaos: Chaos, shop: Shop) -> None:
    with chaos.fault(BEFORE, "error(53100)", scope=SCOPE) as fault:
        with pytest.raises(OperationalError) as caught:
            with_retry(lambda: order(engine, "a chair"), 3, 0, retry_on=_is_taken_back)
    assert (fault.fired, caught.value.orig.sqlstate) == (1, "53100")
    assert shop.stored("a chair") == (0, 0)


def test_a_serialization_failure_leaves_the_connection_in_the_pool(
    engine: Engine, chaos: Chaos, shop: Shop
) -> None:
    with chaos.fault(BEFORE, "error(40001)", scope=SCOPE):
        with pytest.raises(OperationalError) as caught:
            order(engine, "a chair")
        before = shop.sessions()
    assert not caught.value.connection_invalidated
    order(engine, "a chair")
    assert shop.sessions() == before
    assert shop.stored("a chair") == (1, 1)


def test_two_orders_at_once_are_both_stored_once(
    make_engine: Callable[..., Engine], chaos: Chaos, shop: Shop
) -> None:
    """No error is injected: the first is held up in its middle until the second waits for it."""
    engine = make_engine(isolation_level="REPEATABLE READ")
    seen = []

    def order_for_certain(item: str) -> None:
        with_retry(
            lambda: order(engine, item),
            backoff=0,
            retry_on=_is_taken_back,
            before_retry=lambda error: seen.append(error.orig.sqlstate),
        )

    with ThreadPoolExecutor(2) as workers:
        with chaos.paused(BEFORE, scope=SCOPE) as pause:
            orders = [workers.submit(order_for_certain, "a chair")]
            pause.wait()
            orders.append(workers.submit(order_for_certain, "a table"))
            shop.wait_until_blocked()
        for each in orders:
            each.result(10)
    assert seen == ["40001"]
    assert [shop.stored(item) for item in ("a chair", "a table")] == [(1, 1), (1, 1)]
