"""Entities without a cloud."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from ipaddress import IPv4Address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.official import find_mismatches, get_schema

from omisim import Account, Cloud
from omisim.model import Entity, Image, LinkState, Vm, VmState
from omisim.model.ids import Id
from omisim.spec.lifecycle import LIFECYCLES
from omisim.testing import factories
from omisim.testing.factories import image, image_export_task, keypair, snapshot, snapshot_export_task, vm, volume, wire

MAKERS = [image, snapshot, volume, vm, keypair, image_export_task, snapshot_export_task]
Maker = Callable[..., Entity]


class TestEntities:
    @pytest.mark.parametrize("make", MAKERS)
    def test_match_the_official_description(self, make: Maker) -> None:
        """Each entity, as JSON, is an answer that the official description allows."""
        entity = make()
        assert find_mismatches(wire(entity), get_schema(type(entity).__name__), "") == []

    def test_have_the_fields_that_a_cloud_answers(self, cloud: Cloud, alice: Account, golden: Image, vm: Vm) -> None:
        """An entity of a cloud has the same fields."""
        alice.create_keypair(keypair_name="pair")
        oos = alice.client("oos")
        oos.create_bucket(Bucket="exports")
        target = {"DiskImageFormat": "qcow2", "OsuBucket": "exports"}
        mine = alice.read_snapshots(filters={"account_ids": [alice.account_id]})[0].snapshot_id
        alice.call("CreateImageExportTask", ImageId=golden.image_id, OsuExport=target)
        alice.call("CreateSnapshotExportTask", SnapshotId=mine, OsuExport=target)
        owned = {"Filters": {"AccountIds": [alice.account_id]}}
        reads = {
            "ReadImages": (image(), owned),
            "ReadSnapshots": (snapshot(), owned),
            "ReadVms": (factories.vm(), {}),
            "ReadVolumes": (volume(snapshot_id="snap-12345678", state="in-use"), {}),
            "ReadKeypairs": (keypair(), {}),
            "ReadImageExportTasks": (image_export_task(), {}),
            "ReadSnapshotExportTasks": (snapshot_export_task(), {}),
        }
        for action, (entity, parameters) in reads.items():
            answer = alice.call(action, **parameters)
            real = answer[action.removeprefix("Read")][0].keys() - {"PublicIp", "PublicDnsName"}
            assert wire(entity).keys() == real, action

    def test_have_ids_that_depend_on_their_number_only(self) -> None:
        """The same number gives the same entity in every process, another number another id."""
        names = ", ".join(make.__name__ for make in MAKERS)
        code = f"from omisim.testing.factories import *; print(*[make(2).id for make in ({names})])"
        printed = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout.split()
        assert [make(2).id for make in MAKERS] == printed
        assert all(make(2) == make(2) for make in MAKERS)
        assert not {make().id for make in MAKERS} & set(printed)
        assert all(Id(make().kind).is_well_formed(row_id) for make, row_id in zip(MAKERS, printed, strict=True))

    def test_of_one_number_refer_to_each_other(self) -> None:
        """The VM comes from the OMI and has the volume, of which the snapshot is taken."""
        assert vm(2).image_id == image(2).image_id
        assert vm(2).block_device_mappings[0].bsu.volume_id == volume(2).volume_id == snapshot(2).volume_id
        bsu = image(2).block_device_mappings[0].bsu
        assert bsu is not None
        assert bsu.snapshot_id == snapshot(2).snapshot_id
        assert volume(2, state="in-use").linked_volumes[0].vm_id == vm(2).vm_id

    @given(st.data())
    def test_can_be_in_every_state_of_their_kind(self, data: st.DataObject) -> None:
        """In each state an entity is an answer that the official description allows."""
        make = data.draw(st.sampled_from([image, snapshot, volume, vm, image_export_task, snapshot_export_task]))
        state = data.draw(st.sampled_from(sorted(LIFECYCLES[make().kind].moves)))
        entity: Any = make(state=state)
        assert entity.state == state
        assert find_mismatches(wire(entity), get_schema(type(entity).__name__), "") == []


class TestFields:
    def test_are_given_by_name_and_decide_derived_fields(self) -> None:
        """A given field replaces the default, and fields that depend on it follow."""
        golden = image(image_name="golden", account_id="123456789012")
        assert (golden.image_name, golden.file_location) == ("golden", "123456789012/golden")
        assert wire(golden)["FileLocation"] == "123456789012/golden"
        assert (snapshot(state="pending").progress, snapshot(state="pending", progress=40).progress) == (0, 40)

    def test_may_be_given_as_texts_lists_and_dicts(self) -> None:
        """A text stands for a state or a date, a list for a tuple, a dict for a dataclass."""
        stopped = vm(state="stopped", creation_date="2026-02-01T00:00:00Z", tags=[{"key": "owner", "value": "web"}])
        assert stopped.state is VmState.STOPPED
        assert (stopped.creation_date.month, stopped.tags[0].value) == (2, "web")
        assert volume(state="in-use").linked_volumes[0].state is LinkState.ATTACHED

    @pytest.mark.parametrize(
        ("make", "values", "message"),
        [
            (image, {"image_nam": "x"}, r"^image_nam is not a field of Image; did you mean image_name\?$"),
            (image, {"vm_initiated_shutdown_behavior": "stop"}, "is not a field of Image"),
            (image, {"image_id": "golden"}, r"^image_id must be an id like ami-[0-9a-f]{8}, not 'golden'$"),
            (image, {"image_id": "ami-xyz"}, "^image_id must be an id like ami-"),
            (image, {"state": "completed"}, "^state must be one of pending, available, failed, not 'completed'$"),
            (image, {"state": 3}, "^state must be ImageState, not 3$"),
            (image, {"product_codes": "0001"}, "^product_codes must be a list, not '0001'$"),
            (
                image,
                {"permissions_to_launch": {"account_ids": [3]}},
                r"^permissions_to_launch.account_ids\[0\] must be a str, not 3$",
            ),
            (
                image,
                {"permissions_to_launch": {"accounts": []}},
                r"^permissions_to_launch.accounts is not a field of Perm",
            ),
            (volume, {"size": "10"}, "^size must be an int, not '10'$"),
            (volume, {"size": True}, "^size must be an int, not True$"),
            (volume, {"size": None}, "^size must be an int, not None$"),
            (volume, {"linked_volumes": [{"vm_id": "i"}]}, r"^linked_volumes\[0\].delete_on_vm_deletion is missing; "),
            (vm, {"tpm_enabled": 1}, "^tpm_enabled must be True or False, not 1$"),
            (vm, {"creation_date": "yesterday"}, "^creation_date must be a date such as .*, not 'yesterday'$"),
            (vm, {"creation_date": "2026-01-01T00:00:00"}, "^creation_date must have a time zone"),
        ],
    )
    def test_that_the_api_never_answers_are_refused(self, make: Maker, values: dict[str, Any], message: str) -> None:
        """A unit test cannot be written against an answer that the API never gives."""
        with pytest.raises(ValueError, match=message):
            make(**values)


class TestArguments:
    @given(st.integers(0, 2**24 - 1))
    def test_that_are_numbers_determine_the_address_of_a_vm(self, number: int) -> None:
        """Each number gives a valid address of its own."""
        assert int(IPv4Address(vm(number).private_ip)) == int(IPv4Address("10.0.0.0")) + number

    @pytest.mark.parametrize("make", MAKERS)
    @pytest.mark.parametrize("number", ["x", -1, 1.0, True, None])
    def test_are_one_number_and_named_fields(self, make: Maker, number: Any) -> None:
        """A positional argument that is not a number is refused, since fields are given by name."""
        with pytest.raises(ValueError, match=r"^number must be an int of at least 0, not .*; pass fields by name$"):
            make(number)

    @pytest.mark.parametrize("wrong", [3, None, "ami-12345678", Image, []])
    def test_of_wire_must_be_entities(self, wrong: Any) -> None:
        """`wire` refuses a value that is not an entity, for example a class."""
        with pytest.raises(ValueError, match=r"^entity must be an entity, for example image\(\), not "):
            wire(wrong)
