"""The form of values in dumps."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from omisim.model import (
    BlockDeviceMappingImage,
    BsuToCreate,
    Content,
    Image,
    ImageState,
    PermissionsOnResource,
    ResourceTag,
    StateComment,
)
from omisim.model.dump_form import InvalidData, deserialize, serialize

LAUNCH = "permissions_to_launch"
IMAGE = Image(
    account_id="123456789012",
    block_device_mappings=(BlockDeviceMappingImage(device_name="/dev/sda1", bsu=BsuToCreate(volume_size=4)),),
    creation_date=dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
    file_location="123456789012/golden",
    image_id="ami-00000001",
    image_name="golden",
    permissions_to_launch=PermissionsOnResource(account_ids=("000000000000",)),
    state=ImageState.FAILED,
    state_comment=StateComment(state_code="bad", state_message="of its own"),
    tags=(ResourceTag(key="k", value="v"),),
)


def test_a_value_comes_back() -> None:
    """Nested values, dates, states and pairs are JSON data in a dump, and the same values when it is loaded."""
    content = Content(version=3, files=(("/etc/motd", "hello"), ("/etc/hosts", "")))
    for value in (IMAGE, content):
        assert deserialize(type(value), serialize(value)) == value
    data = serialize(IMAGE)
    assert data["block_device_mappings"] == [{"bsu": {"volume_size": 4}, "device_name": "/dev/sda1"}]
    assert (data["state"], data["creation_date"]) == ("failed", "2026-01-01T00:00:00+00:00")
    assert type(data["state"]) is str


def test_equal_parts_of_rows_are_shared() -> None:
    """Rows have most of their parts in common, so a loaded cloud has each of them once."""
    one, other = (deserialize(Image, serialize(IMAGE)) for _ in range(2))
    assert one.permissions_to_launch is other.permissions_to_launch
    assert one.block_device_mappings[0] is other.block_device_mappings[0]
    assert one.creation_date is other.creation_date
    assert one is not other


@pytest.mark.parametrize(
    ("changes", "path", "reason"),
    [
        ({"state": "lost"}, "state", "must be one of pending, available, failed, not 'lost'"),
        ({"state": 3}, "state", "must be one of pending, available, failed, not 3"),
        ({"state": []}, "state", "must be one of pending, available, failed, not []"),
        ({"creation_date": "2026-01-01"}, "creation_date", "must be a date with a time zone, not '2026-01-01'"),
        ({"creation_date": 3}, "creation_date", "must be str, not 3"),
        ({LAUNCH: {"global_permission": 0}}, f"{LAUNCH}.global_permission", "must be bool, not 0"),
        ({LAUNCH: {"account_ids": [3]}}, f"{LAUNCH}.account_ids[0]", "must be str, not 3"),
        ({LAUNCH: {"account_ids": ""}}, f"{LAUNCH}.account_ids", "must be list, not ''"),
        ({"block_device_mappings": [{"bsu": {"iops": 1.5}}]}, "block_device_mappings[0].bsu.iops", "must be int"),
        ({"block_device_mappings": [{"bsu": {"size": 1}}]}, "block_device_mappings[0].bsu.size", "unknown key"),
        ({"tags": [{"key": "k", "value": "v"}, {"key": "k"}]}, "tags[1].value", "is missing"),
    ],
)
def test_a_wrong_value_is_named_by_its_path(changes: dict[str, Any], path: str, reason: str) -> None:
    """However often right values of the same form were loaded before, a wrong one is refused with its path."""
    right = serialize(IMAGE)
    assert deserialize(Image, right) == IMAGE
    with pytest.raises(InvalidData) as error:
        deserialize(Image, {**right, **changes})
    assert error.value.path == f".{path}"
    assert error.value.reason.startswith(reason)


def test_values_that_are_equal_in_python_are_not_mixed_up() -> None:
    """True is 1 to Python, and not in a dump."""
    shared = {"account_ids": [], "global_permission": True}
    assert deserialize(Image, serialize(IMAGE) | {LAUNCH: shared})
    with pytest.raises(InvalidData):
        deserialize(Image, serialize(IMAGE) | {LAUNCH: {**shared, "global_permission": 1}})
