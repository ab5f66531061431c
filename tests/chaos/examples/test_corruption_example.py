"""The pattern of a corruption test: damage, see that it is found, heal, see that it is gone."""

from __future__ import annotations

import pytest

from pggit_chaos.chaos import Chaos
from pggit_chaos.target import Target


@pytest.mark.chaos
@pytest.mark.corruption
def test_a_branch_without_its_status_is_found_and_can_be_healed(
    pggit: Target, chaos: Chaos
) -> None:
    """Promise: damage to a branch is found by the check that is made for it, and can be undone."""
    pggit.create_branch("damaged")
    before, healthy = chaos.state_digest(), chaos.fsck()
    (kind,) = [each for each in chaos.corruption_kinds() if each.kind == "branch_status_lost"]
    with chaos.corruption(kind.kind) as corruption:
        assert corruption.rows > 0
        found = {finding.check_id for finding in chaos.fsck() if finding not in healthy}
        assert found & set(kind.detected_by), f"a status is gone, and fsck finds {found}"
    assert chaos.fsck() == healthy
    assert chaos.state_digest() == before, "healed, and not what it was"
