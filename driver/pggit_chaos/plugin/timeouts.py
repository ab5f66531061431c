"""When pytest-timeout gives a test up, its sessions end, too.

The exception that ends a test reaches its main thread only.  Threads that wait
for the server keep waiting, and the test waits for its threads.
"""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import suppress
from typing import Any

import pytest

from pggit_chaos.plugin.experiment import EXPERIMENT

GRACE = 1.0  # seconds between the timeout and the end of the sessions, and between two attempts

_END_SESSIONS = """
SELECT pg_terminate_backend(pid)
  FROM pg_stat_activity
 WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
_OVER = pytest.StashKey[threading.Event]()


@pytest.hookimpl(wrapper=True, optionalhook=True)
def pytest_timeout_set_timer(item: pytest.Item, settings: Any) -> Generator[None, object, object]:
    """Begin to watch a test that has a database."""
    result = yield
    if "chaos_database" in getattr(item, "fixturenames", ()):
        item.stash[_OVER] = over = threading.Event()
        arguments = (item, over, settings.timeout + GRACE)
        threading.Thread(target=_watch, args=arguments, daemon=True).start()
    return result


@pytest.hookimpl(wrapper=True, optionalhook=True)
def pytest_timeout_cancel_timer(item: pytest.Item) -> Generator[None, object, object]:
    """Cease to watch."""
    if _OVER in item.stash:
        item.stash[_OVER].set()
    return (yield)


def _watch(item: pytest.Item, over: threading.Event, patience: float) -> None:
    while not over.wait(patience):
        patience = GRACE  # those that were not there yet, or came back
        if EXPERIMENT in item.stash:
            _end_sessions(item.stash[EXPERIMENT].conninfo)


def _end_sessions(conninfo: str) -> None:
    import psycopg

    with (
        suppress(psycopg.OperationalError),  # no server, no sessions
        psycopg.connect(conninfo, autocommit=True) as conn,
    ):
        conn.execute(_END_SESSIONS)
