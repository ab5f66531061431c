"""Faults inside pgGit, and the proof whether its metadata survives them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pggit_chaos.async_chaos import AsyncChaos
    from pggit_chaos.chaos import Chaos
    from pggit_chaos.cluster import Cluster
    from pggit_chaos.errors import ChaosError
    from pggit_chaos.target import Target

__all__ = ["AsyncChaos", "Chaos", "ChaosError", "Cluster", "Target"]

_HOMES = {
    "AsyncChaos": "async_chaos",
    "Chaos": "chaos",
    "ChaosError": "errors",
    "Cluster": "cluster",
    "Target": "target",
}


def __getattr__(name: str) -> Any:
    # A pytest plugin is loaded in every run, so psycopg is only imported when asked for.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
