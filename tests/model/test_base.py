"""What an entity keeps beside its fields: its text and its answered form."""

from __future__ import annotations

import copy
import datetime as dt
import pickle
from operator import attrgetter

from omisim.base.frozen import replace
from omisim.model import Volume, VolumeState
from omisim.model.base import keep_text, keep_view

VOLUME = Volume(
    creation_date=dt.datetime(2026, 1, 1, tzinfo=dt.UTC), size=1, state=VolumeState.AVAILABLE,
    subregion_name="eu-west-2a", volume_id="vol-12345678",
)  # fmt: skip


class TestKeptText:
    def test_is_written_once_for_each_entity(self) -> None:
        """An entity that is answered again keeps its text, and a changed copy writes its own."""
        written: list[int] = []

        @keep_text
        def write(volume: Volume) -> str:
            written.append(volume.size)
            return str(volume.size)

        volume = replace(VOLUME)
        larger = replace(volume, size=2)
        assert [write(value) for value in (volume, volume, larger, volume)] == ["1", "1", "2", "1"]
        assert written == [1, 2]

    def test_belongs_to_the_function_that_wrote_it(self) -> None:
        """Two doors that answer the same entity in turn get a text of their own each."""
        get_size, get_id = keep_text(lambda volume: str(volume.size)), keep_text(lambda volume: str(volume.volume_id))
        volume = replace(VOLUME)
        assert [get_size(volume), get_id(volume), get_size(volume)] == ["1", "vol-12345678", "1"]

    def test_is_not_a_part_of_the_value(self) -> None:
        """An entity with a text equals one without, and its copies and pickles are without it."""
        volume = replace(VOLUME)
        keep_text(repr)(volume)
        get_kept = attrgetter("_kept")
        assert volume == VOLUME
        assert hash(volume) == hash(VOLUME)
        for twin in (copy.copy(volume), copy.deepcopy(volume), pickle.loads(pickle.dumps(volume))):
            assert twin == volume
            assert get_kept(twin) is None


class TestKeptView:
    def test_is_made_again_when_a_part_has_changed(self) -> None:
        """The answered form of an entity is the same object until its parts differ."""

        @keep_view
        def add_task(volume: Volume, task_id: str) -> Volume:
            return replace(volume, task_id=task_id)

        volume = replace(VOLUME)
        first, second, third = (add_task(volume, task_id) for task_id in ("a", "a", "b"))
        assert first is second
        assert [first.task_id, third.task_id] == ["a", "b"]
