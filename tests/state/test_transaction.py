"""Transactions: how an action writes to State."""

from __future__ import annotations

import pytest
from support.catalogue import SUBREGION

from omisim import Account, Cloud
from omisim.spec.lifecycle import IllegalMove


def test_only_a_move_changes_or_ends_a_lifecycle(cloud: Cloud, alice: Account) -> None:
    """Neither `put` nor `drop` changes what has a lifecycle, and `move` takes only its events."""
    volume = alice.create_volume(subregion_name=SUBREGION, size=1)
    now = cloud.engine.state.get("volume", volume.volume_id)
    with pytest.raises(IllegalMove, match="only move"):
        cloud.engine.begin("test").put(volume)
    with pytest.raises(IllegalMove, match="only move"):
        cloud.engine.begin("test").drop(now)
    with pytest.raises(IllegalMove, match="no event 'boot'"):
        cloud.engine.begin("test").move(now, "boot")
