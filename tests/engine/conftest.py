"""How many sequences, inputs and kills: HYPOTHESIS_PROFILE is ordinary or nightly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import pytest
from hypothesis import HealthCheck, settings

from nightly import PROFILE


@dataclass(frozen=True, kw_only=True)
class Effort:
    """What one run of these tests is worth."""

    sequences: int
    inputs: int
    kills: int


EFFORTS: Final = {
    "ordinary": Effort(sequences=200, inputs=200, kills=8),
    "nightly": Effort(sequences=2_000, inputs=10_000, kills=200),
}

for name, effort in EFFORTS.items():
    settings.register_profile(
        name,
        max_examples=effort.sequences,
        deadline=None,  # a server answers when it answers
        derandomize=name == "ordinary",
        database=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )


def pytest_configure(config: pytest.Config) -> None:
    if PROFILE not in EFFORTS:
        raise pytest.UsageError(f'HYPOTHESIS_PROFILE: "{PROFILE}" is none of {sorted(EFFORTS)}')
    settings.load_profile(PROFILE)


@pytest.fixture(scope="session")
def effort() -> Effort:
    return EFFORTS[PROFILE]
