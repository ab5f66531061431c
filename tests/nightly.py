"""How much the tests do: HYPOTHESIS_PROFILE is ordinary, by day, or nightly."""

from __future__ import annotations

import os
import random
from collections.abc import Sequence
from typing import Final, TypeVar

PROFILE: Final = os.environ.get("HYPOTHESIS_PROFILE", "ordinary")
NIGHTLY: Final = PROFILE == "nightly"

T = TypeVar("T")


def some(items: Sequence[T], number: int) -> Sequence[T]:
    """Return all at night, and else so many of them, the same each time."""
    return items if NIGHTLY else random.Random(1).sample(items, number)
