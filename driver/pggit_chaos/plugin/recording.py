"""The Chaos that tests get: it remembers which faults were armed through it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pggit_chaos.chaos import Chaos, Fault
from pggit_chaos.plugin.experiment import Armed

if TYPE_CHECKING:
    import psycopg

__all__ = ["RecordingChaos"]


class RecordingChaos(Chaos):
    """Chaos that adds to ``armed`` whatever it arms."""

    def __init__(self, conn: psycopg.Connection[Any], armed: list[Armed]) -> None:
        super().__init__(conn)
        self._armed = armed

    @contextmanager
    def fault(
        self, failpoint: str, term: str = "error", *, scope: str = "session", **options: Any
    ) -> Iterator[Fault]:
        """Arm a fault for the block, as Chaos does, and remember it."""
        with super().fault(failpoint, term, scope=scope, **options) as fault:
            self._armed.append(Armed(failpoint=failpoint, term=term, scope=scope, fault=fault))
            yield fault
