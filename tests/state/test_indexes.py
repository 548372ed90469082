"""Indexes, totals and the queue of due transitions: they equal what visiting all rows finds."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from itertools import count
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omisim import Cloud
from omisim.base.clock import EPOCH
from omisim.base.frozen import replace
from omisim.model import Due, ResourceTag, Volume, VolumeState
from omisim.state import table
from omisim.state.indexes import INDEXES, TOTALS
from omisim.state.layers import Layers
from omisim.state.state import State
from omisim.state.table import Table
from omisim.testing import laws

ACCOUNTS, TYPES, NAMES = ("a", "b"), ("standard", "gp2", "io1"), [f"vol-{digit}" for digit in range(6)]
Step = tuple[str, Any]
LOOKS: Mapping[str, Callable[[State], object]] = {  # what brings indexes, totals and the queue up to date
    "count": lambda state: state.get_totals("volume", "a"),
    "find": lambda state: state.find_by("volume", "state", "available"),
    "peek": lambda state: state.next_due(),
}

volumes = st.builds(
    Volume,
    account_id=st.sampled_from(ACCOUNTS),
    creation_date=st.just(EPOCH),
    iops=st.sampled_from((None, 100)),
    size=st.integers(1, 9),
    snapshot_id=st.sampled_from((None, "snap-1", "snap-2")),
    state=st.sampled_from(VolumeState),
    subregion_name=st.just(""),
    tags=st.lists(st.builds(ResourceTag, key=st.sampled_from("kl"), value=st.sampled_from("vw")), max_size=2).map(
        tuple
    ),
    volume_id=st.just(""),
    volume_type=st.sampled_from(TYPES),
)
dues = st.builds(
    Due, st.just("volume"), st.just(""), st.just("ready"),
    st.none() | st.integers(0, 5).map(lambda seconds: EPOCH + dt.timedelta(seconds=seconds)), st.booleans(),
    st.integers(0, 3), st.sampled_from((None, 0, 2)),
)  # fmt: skip
steps = st.lists(
    st.tuples(st.just("volume"), st.sampled_from(NAMES), st.none() | volumes)
    | st.tuples(st.just("due"), st.sampled_from(NAMES), st.none() | dues)
    | st.tuples(st.just("look"), st.sampled_from(sorted(LOOKS)))
    | st.tuples(st.sampled_from(("undo", "fork", "fork and stay")), st.integers(0, 8)),
    max_size=30,
)


@pytest.mark.parametrize("copied", [0, 1000])
@given(history=steps)
def test_indexes_equal_a_scan(copied: int, history: list[tuple[Any, ...]]) -> None:
    """After any writes, undone writes and forks, each State finds by its indexes what visiting all rows finds.

    A fork may copy the rows of a table, or not.
    """
    with patch.object(table, "COPIED", copied):
        compare_states(history)


def compare_states(history: list[tuple[Any, ...]]) -> None:
    """Make the steps, and compare the indexes of each State with its rows, and its rows with its journal."""
    state, others = State(), list[State]()
    for step in history:
        match step:
            case ("undo", int(count)):
                state.undo_to(max(state.position - count, 0))
            case ("fork", _):
                others.append(state)
                state = state.fork()
            case ("fork and stay", _):
                others.append(state.fork())
            case ("look", kind):
                LOOKS[kind](state)
            case (kind, row_id, row) if row is not None or state.get(kind, row_id) is not None:
                if kind == "volume" and row is not None:
                    row = replace(row, volume_id=row_id)
                state.write(kind, row_id, row, EPOCH, "test")
    for one in (state, *others):
        check_indexes(one.tables["volume"])
        check_indexes(one.tables["due"])
        check_queue(one)
        check_rows(one)


writes = st.lists(st.tuples(st.sampled_from(NAMES[:3]), st.none() | volumes, st.booleans()), max_size=12)


@given(writes, writes)
def test_undone_rows_have_their_former_values_and_creation_numbers(before: list[Any], after: list[Any]) -> None:
    """Undoing writes, removals and new rows with a removed row's id restores rows, creation numbers and indexes."""
    state = State()
    _write_volumes(state, before)
    table = state.tables["volume"]
    position, rows = state.position, [(row_id, row, table.order(row_id)) for row_id, row in table.rows().items()]
    _write_volumes(state, after)
    state.undo_to(position)
    assert [(row_id, row, table.order(row_id)) for row_id, row in table.rows().items()] == rows
    check_indexes(table)


def _write_volumes(state: State, history: list[Any]) -> None:
    for row_id, row, searches in history:
        if row is not None or state.get("volume", row_id) is not None:
            state.write("volume", row_id, row, EPOCH, "test")
        if searches:
            LOOKS["find"](state)


@pytest.mark.parametrize("place", range(6))
def test_an_interrupted_search_leaves_no_wrong_index(place: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """When an exception interrupts the upkeep of the indexes anywhere, the next search builds them anew."""
    cloud = Cloud()
    alice = cloud.account("alice")
    ids = [alice.create_volume(subregion_name="eu-west-2a", size=1).volume_id for _ in range(4)]
    table = cloud.engine.state.tables["volume"]
    table.get_totals(alice.account_id)
    alice.delete_volume(volume_id=ids[1])
    alice.create_tags(resource_ids=[ids[2]], tags=[{"key": "a", "value": "b"}])
    alice.create_volume(subregion_name="eu-west-2a", size=2)
    calls, move = count(), Table.change_keys

    def interrupted(*args: Any) -> None:
        is_here, is_after = next(calls) == place // 2, place % 2
        if is_here and not is_after:
            raise KeyboardInterrupt
        move(*args)
        if is_here:
            raise KeyboardInterrupt

    monkeypatch.setattr(Table, "change_keys", interrupted)
    with pytest.raises(KeyboardInterrupt):
        alice.read_volumes(filters={"tag_keys": ["a"]})
    monkeypatch.undo()
    check_indexes(table)


def check_indexes(table: Table) -> None:
    """Compare the indexes and the totals of a table with its rows."""
    rows = sorted(table.rows(), key=table.order)
    assert list(table.rows()) == rows
    for name, index in INDEXES[table.kind].items():
        expected: dict[object, list[str]] = {}
        for row_id in rows:
            for key in dict.fromkeys(index.list_keys(table.get(row_id))):
                expected.setdefault(key, []).append(row_id)
        entries = table.catch_up()[name].to_dict().items()
        assert {key: list(table.find_ids(name, key)) for key, ids in entries if ids} == expected
    for account_id in ACCOUNTS if table.kind in TOTALS else ():
        assert table.get_totals(account_id) == (table.count_totals().get(account_id) or {})


def check_rows(state: State) -> None:
    """Compare the rows and their order with a dict in which the journal is repeated."""
    for kind in ("volume", "due"):
        expected: dict[str, Any] = {}
        for change in state.journal:
            if change.kind == kind and change.after is None:
                del expected[change.id]
            elif change.kind == kind:
                expected[change.id] = change.after
        assert list(state.rows(kind).items()) == list(expected.items())
        assert all(state.get(kind, row_id) is expected.get(row_id) for row_id in NAMES)


def check_queue(state: State) -> None:
    """Compare the next due transition with the earliest of all."""
    every: list[Due] = [due for due in state.rows("due").values() if due.at is not None]
    transients = [due for due in every if not due.timer]
    for due, candidates in ((state.next_due(), every), (state.next_transient(), transients)):
        earliest = min(map(get_time, candidates), default=None)
        assert (due and get_time(due)) == earliest


def get_time(due: Due) -> tuple[dt.datetime, int]:
    """Return when a transition is due, and the order among those that are due together."""
    assert due.at is not None
    return due.at, due.order


@given(st.lists(st.tuples(st.integers(0, 9), st.none() | st.integers()) | st.sampled_from(("copy", "leave"))))
def test_layers_equal_a_dict(history: list[tuple[int, int | None] | str]) -> None:
    """A mapping in layers behaves as a dict that is copied, whichever copy is written to."""
    layers, expected = Layers(), dict[int, int]()
    others = list[tuple[Layers, dict[int, int]]]()
    for step in history:
        if step == "copy":
            others.append((layers, dict(expected)))
            layers = layers.copy()
        elif step == "leave":
            others.append((layers.copy(), dict(expected)))
        else:
            assert not isinstance(step, str)
            key, value = step
            if value is None:
                layers.pop(key)
                expected.pop(key, None)
            else:
                layers.own[key] = expected[key] = value
    for mapping, content in (*others, (layers, expected)):
        assert mapping.to_dict() == content
        assert all(mapping.get(key) == content.get(key) for key in range(10))


def test_a_deletion_that_is_undone_keeps_its_place_in_each_list(cloud: Cloud) -> None:
    """A rollback brings a volume back between those before and after it, without sorting the others."""
    alice = cloud.account("alice")
    ids = [alice.create_volume(subregion_name="eu-west-2a", size=1).volume_id for _ in range(5)]
    with cloud.savepoint():
        alice.delete_volume(volume_id=ids[2])
    assert [volume.volume_id for volume in alice.read_volumes()] == ids
    assert list(cloud.engine.state.tables["volume"].find_ids("state", "available")) == ids


def test_totals_of_work_that_has_ended_agree_with_the_law() -> None:
    """An account that has counted its exports, and none of whose exports runs any more, has totals of zero."""
    cloud = Cloud(timing="manual")
    alice = cloud.account("alice", quotas={"image_export_limit": 1})
    source_id = cloud.images.official("debian").image_id
    image = alice.create_image(image_name="golden", source_image_id=source_id, source_region_name=alice.region)
    export = {"disk_image_format": "qcow2", "osu_bucket": "exports"}
    task = alice.create_image_export_task(image_id=image.image_id, osu_export=export)
    cloud.fail(task.task_id)
    laws.check(cloud)


def test_a_row_is_found_whose_id_had_another_place() -> None:
    """After an undone creation, the same id may come at another place in the order, with other values."""
    volume = Cloud().account("alice").create_volume(subregion_name="eu-west-2a", size=1)
    table = Table("volume")
    table.put("vol-1", None, volume, 5)
    assert table.find_ids("state", volume.state) == ("vol-1",)
    table.put("vol-1", volume, None, 5)
    table.put("vol-1", None, replace(volume, state=VolumeState.ERROR), 3)
    assert [table.find_ids("state", state) for state in (volume.state, VolumeState.ERROR)] == [(), ("vol-1",)]
