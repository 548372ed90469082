"""Durations: how long each transient state lasts, and how to set it."""

from __future__ import annotations

import json

import pytest
from support.catalogue import SUBREGION

from omisim import Cloud


class TestDurations:
    def test_can_be_set_listed_counted_and_deleted(self, slow: Cloud) -> None:
        """Durations are a mapping from the name of a state to seconds."""
        slow.durations["vm.pending"] = 3
        assert (dict(slow.durations), len(slow.durations)) == ({"vm.pending": 3.0}, 1)
        del slow.durations["vm.pending"]
        assert not slow.durations

    def test_are_shown(self, cloud: Cloud) -> None:
        """The overrides are shown, as those of a dict are."""
        cloud.durations["vm.pending"] = 3
        assert repr(cloud.durations) == "Durations({'vm.pending': 3.0})"

    def test_that_are_not_set_default_to_the_lifecycle(self, slow: Cloud) -> None:
        """Reading a duration that is not set answers the default of the lifecycle, and sets nothing."""
        assert slow.durations["vm.pending"] == 20.0
        assert "vm.pending" not in slow.durations
        slow.durations["vm.pending"] *= 2
        assert slow.durations.pop("vm.pending") == 40.0
        assert slow.durations.pop("vm.pending") == 20.0

    def test_that_depend_on_the_size_cannot_be_read_until_set(self, slow: Cloud) -> None:
        """Reading a duration that depends on the size is a KeyError until it is set; a stable state has none."""
        with pytest.raises(KeyError, match=r"snapshot\.pending depends on the size"):
            slow.durations["snapshot.pending"]
        assert slow.durations.get("vm.running") is None

    def test_of_a_mistyped_state_is_read_with_a_suggestion(self, slow: Cloud) -> None:
        """A state that does not exist has no duration, and the error shows the most similar one."""
        with pytest.raises(KeyError, match=r"'vm\.pendin' is not a transient state; did you mean vm\.pending\?"):
            slow.durations["vm.pendin"]

    @pytest.mark.parametrize(
        ("key", "seconds"), [("vm.running", 1), ("disk.pending", 1), ("vm.pending", -1), ("vm.pending", True)]
    )
    def test_of_states_that_are_not_transient_are_refused(self, slow: Cloud, key: str, seconds: float) -> None:
        """An unknown state is refused with the known ones, and a duration that is negative or no number too."""
        with pytest.raises(ValueError, match=r"snapshot\.pending|non-negative"):
            slow.durations[key] = seconds

    def test_are_kept_by_a_fork(self, slow: Cloud) -> None:
        """A fork has the durations of its original."""
        slow.durations["volume.creating"] = 9
        assert slow.fork().durations["volume.creating"] == 9.0

    def test_of_a_dump_are_floats(self, slow: Cloud) -> None:
        """A loaded cloud has a float also where JSON that another program has written has an int."""
        slow.durations["vm.pending"] = 3
        dump = json.loads(json.dumps(slow.dump()).replace("3.0", "3"))
        assert repr(Cloud.load(dump).durations) == "Durations({'vm.pending': 3.0})"

    def test_determine_the_progress_of_a_snapshot(self, slow: Cloud) -> None:
        """The progress of a pending snapshot is the elapsed part of its duration. [ST-SNP-2]"""
        alice = slow.account("alice")
        volume = alice.create_volume(subregion_name=SUBREGION, size=1)
        slow.settle()
        slow.durations["snapshot.pending"] = 100
        alice.create_snapshot(volume_id=volume.volume_id)
        slow.advance(seconds=5 + 40)
        assert [row.progress for row in alice.read_snapshots(filters={"account_ids": [alice.account_id]})] == [40]
