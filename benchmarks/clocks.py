"""What time is read from: the wall, or the processor time of the server process."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import psycopg

__all__ = ["CLOCKS", "Clock", "default"]

Clock = Callable[["psycopg.Connection[Any]"], int]
"""Reads the nanoseconds that have passed for the server process of a connection."""


def _wall(_: psycopg.Connection[Any]) -> int:
    return time.perf_counter_ns()


def _cpu(conn: psycopg.Connection[Any]) -> int:
    # Linux keeps it in nanoseconds; getrusage() and the like count in ticks.
    schedstat = Path(f"/proc/{conn.info.backend_pid}/schedstat")
    return int(schedstat.read_text(encoding="ascii").split()[0])


CLOCKS: Mapping[str, Clock] = {"cpu": _cpu, "wall": _wall}


def default() -> str:
    """Return the clock that does not mind what else the machine does, where there is one."""
    return "cpu" if Path("/proc/self/schedstat").exists() else "wall"
