"""Pages and filters of reads."""

from __future__ import annotations

import base64
import datetime as dt
import json
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.expect import expect_refusal
from support.networks import add_networks
from support.official import index_by_api_name

from omisim import Account, ApiError, Cloud, ManualClock, SystemClock
from omisim.actions.framework.registry import ACTIONS, Action
from omisim.base.clock import Clock
from omisim.model import Image
from omisim.model.filters.dicts import FiltersImageDict, FiltersSnapshotDict
from omisim.spec.catalog import load_catalog


def read_pages(account: Account, action: str, **parameters: Any) -> Iterator[list[dict[str, Any]]]:
    """Yield the rows of each page of two results."""
    answer = account.call(action, ResultsPerPage=2, **parameters)
    yield answer[str(ACTIONS[action].answer)]
    while token := answer.get("NextPageToken"):
        answer = account.call(action, ResultsPerPage=2, NextPageToken=token, **parameters)
        yield answer[str(ACTIONS[action].answer)]


class TestPages:
    def test_follow_each_other_in_order_of_creation(self, alice: Account) -> None:
        """Pages have the requested size, in order of creation, to the end. [PAG-001, PAG-003, PAG-004, UNK-30]"""
        whole = [row["ImageId"] for row in alice.call("ReadImages")["Images"]]
        ids: list[str] = []
        token: dict[str, str] = {}
        while True:
            answer = alice.call("ReadImages", ResultsPerPage=7, **token)
            ids += [row["ImageId"] for row in answer["Images"]]
            if "NextPageToken" not in answer:
                break
            token = {"NextPageToken": answer["NextPageToken"]}
        assert ids == whole

    @pytest.mark.parametrize("region", load_catalog().regions)
    @pytest.mark.parametrize(("action", "rows"), [("ReadImages", "Images"), ("ReadSnapshots", "Snapshots")])
    def test_begin_with_the_oldest_of_the_catalogue(self, region: str, action: str, rows: str) -> None:
        """What the platform has published comes in order of its creation dates too. [PAG-004]"""
        listed = Cloud().account("alice", region=region).call(action)[rows]
        dates = [row["CreationDate"] for row in listed]
        assert dates == sorted(dates)

    def test_need_the_filters_of_their_token(self, alice: Account) -> None:
        """A token is valid with the filters it was given for. [PAG-005]"""
        token = alice.call("ReadImages", ResultsPerPage=2)["NextPageToken"]
        with pytest.raises(ApiError, match="4117"):
            alice.call("ReadImages", NextPageToken=token, ResultsPerPage=2, Filters={"ImageNames": ["U*"]})

    def test_may_have_their_filters_in_another_order(self, alice: Account) -> None:
        """The same filters and values in another order, as of a client's hash map, are the same. [PAG-005]"""
        for _ in range(3):
            alice.create_volume(subregion_name="eu-west-2a", size=1)
        first = {"SubregionNames": ["eu-west-2a"], "VolumeStates": ["available", "in-use"]}
        second = {"VolumeStates": ["in-use", "available", "in-use"], "SubregionNames": ["eu-west-2a"]}
        token = alice.call("ReadVolumes", ResultsPerPage=2, Filters=first)["NextPageToken"]
        page = alice.call("ReadVolumes", ResultsPerPage=2, NextPageToken=token, Filters=second)
        assert len(page["Volumes"]) == 1

    def test_need_the_same_all_vms_as_their_token(self, alice: Account, ubuntu: Image) -> None:
        """A token of the states of all VMs is not one of the running VMs; AllVms false is absent. [PAG-005]"""
        alice.create_vms(image_id=ubuntu.image_id, min_vms_count=3, max_vms_count=3)
        pages = {"ResultsPerPage": 2}
        token = alice.call("ReadVmsState", AllVms=False, **pages)["NextPageToken"]
        assert expect_refusal(alice, "ReadVmsState", AllVms=True, NextPageToken=token, **pages).rule == "PAG-003"
        assert len(alice.call("ReadVmsState", NextPageToken=token, **pages)["VmStates"]) == 1

    @pytest.mark.parametrize(("start", "key"), [(-1, ""), (True, ""), ("2", ""), (1.5, ""), (None, ""), (2, 5)])
    def test_refuse_a_forged_token(self, alice: Account, start: object, key: object) -> None:
        """A token that was tampered with is invalid. [PAG-003]"""
        token = alice.call("ReadImages", ResultsPerPage=2)["NextPageToken"]
        mark, *_ = json.loads(base64.b64decode(token))
        forged = base64.b64encode(json.dumps([mark, start, key]).encode()).decode()
        assert expect_refusal(alice, "ReadImages", NextPageToken=forged, ResultsPerPage=2).code == "4117"

    @pytest.mark.parametrize("deleted", [1, 2])
    def test_miss_nothing_if_earlier_resources_are_deleted(self, alice: Account, deleted: int) -> None:
        """A client may delete the resources of each page before it requests the next one. [PAG-008]"""
        ids = [alice.create_volume(subregion_name="eu-west-2a", size=1).volume_id for _ in range(5)]
        found: list[str] = []
        for page in read_pages(alice, "ReadVolumes"):
            found += [row["VolumeId"] for row in page]
            for row in page[:deleted]:
                alice.delete_volume(volume_id=row["VolumeId"])
        assert found == ids

    def test_miss_nothing_if_their_first_resource_is_deleted_too(self, alice: Account) -> None:
        """After the deletion of its first resource and of earlier ones, a page begins with the next one. [PAG-008]"""
        ids = [alice.create_volume(subregion_name="eu-west-2a", size=1).volume_id for _ in range(6)]
        pages = read_pages(alice, "ReadVolumes")
        next(pages)
        for volume_id in ids[:3]:
            alice.delete_volume(volume_id=volume_id)
        assert [row["VolumeId"] for page in pages for row in page] == ids[3:]

    def test_miss_no_tag_if_earlier_ones_are_deleted(self, alice: Account) -> None:
        """The tags of one resource are listed in the order of their keys, so that none is left out. [PAG-008]"""
        volume_id = alice.create_volume(subregion_name="eu-west-2a", size=1).volume_id
        alice.create_tags(resource_ids=[volume_id], tags=[{"key": key, "value": ""} for key in "fedcba"])
        pages = read_pages(alice, "ReadTags")
        assert [row["Key"] for row in next(pages)] == ["a", "b"]
        alice.delete_tags(resource_ids=[volume_id], tags=[{"key": key, "value": ""} for key in "abc"])
        assert [row["Key"] for page in pages for row in page] == ["d", "e", "f"]

    def test_miss_no_quota_if_earlier_resources_are_deleted(self, alice: Account) -> None:
        """The quotas of a resource are found though resources before it were deleted since the last page. [PAG-008]"""
        group_ids = [
            alice.create_security_group(security_group_name=name, description="x").security_group_id for name in "abc"
        ]
        pages = read_pages(alice, "ReadQuotas", Filters={"QuotaTypes": ["global", *group_ids]})
        found = [row["QuotaType"] for row in next(pages)]
        alice.delete_security_group(security_group_id=group_ids[0])
        assert [*found, *(row["QuotaType"] for page in pages for row in page)] == ["global", *group_ids]

    @pytest.mark.parametrize("action", ["ReadVmsState", "ReadVmsStopHistory"])
    def test_miss_and_repeat_nothing_if_earlier_rows_appear(self, alice: Account, ubuntu: Image, action: str) -> None:
        """After VMs have started or stopped between two pages, no row is missing or repeated. [PAG-008]"""
        vms = [alice.create_vms(image_id=ubuntu.image_id)[0].vm_id for _ in range(8)]
        alice.stop_vms(vm_ids=vms[:2] if action == "ReadVmsState" else vms)
        pages = read_pages(alice, action)
        found = [row["VmId"] for row in next(pages)]
        alice.start_vms(vm_ids=vms[:2])
        alice.stop_vms(vm_ids=vms[:1])
        found += [row["VmId"] for page in pages for row in page]
        assert found == (vms[2:] if action == "ReadVmsState" else [*vms, vms[0]])

    def test_miss_no_log_if_the_oldest_ones_have_expired(self, alice: Account) -> None:
        """A page of logs begins where the last one ended, although logs expire and their ids are hidden. [PAG-008]"""
        for size in (1, 2, 3, 4):
            alice.call("ReadVolumes", ResultsPerPage=size)
        alice.cloud.advance(47 * 3600)
        for size in (5, 6):
            alice.call("ReadVolumes", ResultsPerPage=size)
        pages = read_pages(alice, "ReadApiLogs", With={"RequestId": False, "QueryDate": False})
        next(pages)
        alice.cloud.advance(2 * 3600)
        sizes = [json.loads(row["QueryPayloadRaw"])["ResultsPerPage"] for row in next(pages)]
        assert sizes == [5, 6]

    def test_have_a_default_size_under_a_switch(self) -> None:
        """The switch default_page_size pages reads that do not request it. [PAG-002]"""
        alice = Cloud(switches={"default_page_size": 5}).account("alice")
        answer = alice.call("ReadImages")
        assert len(answer["Images"]) == 5
        assert len(alice.call("ReadImages", NextPageToken=answer["NextPageToken"])["Images"]) == 5
        assert len(alice.read_images()) > 5


class TestReadFilters:
    def test_are_anded_and_their_values_ored(self, alice: Account) -> None:
        """Every filter must match, with any of its values; an empty list matches nothing.

        [FLT-001, FLT-004, FLT-008]
        """
        names: FiltersImageDict = {"image_names": ["Ubuntu*", "Debian*"]}
        both = alice.read_images(filters=names)
        assert {image.image_name[:6] for image in both} == {"Ubuntu", "Debian"}
        assert alice.read_images(filters={**names, "account_aliases": ["nobody"]}) == ()
        assert alice.read_images(filters={**names, "states": []}) == ()
        assert alice.read_images(filters={}) == alice.read_images()

    def test_match_wildcards_and_case(self, alice: Account) -> None:
        """* stands for any characters, ? for one, and case matters. [FLT-005, UNK-42]"""
        assert alice.read_images(filters={"image_names": ["Ubunt?-*"]})
        assert alice.read_images(filters={"image_names": ["UBUNT?-*"]}) == ()

    @pytest.mark.parametrize(
        ("filters", "code"), [({"Names": ["x"]}, "3001"), ({"ImageNames": "x"}, "4110"), ({"States": [1]}, "4110")]
    )
    def test_are_checked_by_name_and_type(self, alice: Account, filters: dict[str, object], code: str) -> None:
        """An unknown filter and a value of another type are refused. [FLT-002, FLT-003]"""
        assert expect_refusal(alice, "ReadImages", Filters=filters).code == code

    def test_with_unknown_values_find_nothing(self, alice: Account) -> None:
        """Unknown and malformed ids, and unknown states, find nothing and are not an error. [FLT-006, FLT-010]"""
        assert alice.read_volumes(filters={"volume_ids": ["nonsense"], "volume_states": ["foo"]}) == ()

    @pytest.mark.parametrize("filters", ["a", 5, ["a"], True])
    def test_are_an_object(self, alice: Account, filters: Any) -> None:
        """Filters that are not an object are a value of a wrong type. [REQ-009]"""
        with pytest.raises(ApiError) as error:
            alice.call("ReadVms", Filters=filters)
        assert (error.value.status, error.value.code) == (400, "4110")

    @pytest.mark.parametrize("date", ["yesterday", 20260101])
    def test_take_dates_in_iso_8601(self, alice: Account, date: object) -> None:
        """A date in another format than ISO 8601 is refused. [FLT-009]"""
        assert expect_refusal(alice, "ReadSnapshots", Filters={"FromCreationDate": date}).code == "4110"

    @pytest.mark.parametrize("clock", [ManualClock(dt.datetime(2026, 1, 1, 0, 0, 0, 1999, dt.UTC)), SystemClock()])
    def test_find_a_resource_by_the_date_that_it_shows(self, clock: Clock) -> None:
        """Dates are compared in the milliseconds in which answers show them, however finely the clock counts. [FLD-008]

        A time that the clock has shown before a creation selects the resource, too.
        """
        cloud = Cloud(clock=clock, timing="clock")
        alice = cloud.account("alice")
        volume = alice.create_volume(subregion_name="eu-west-2a", size=1)
        cloud.settle()
        cloud.advance(0.0009)
        began = cloud.now
        alice.create_snapshot(volume_id=volume.volume_id)
        shown = alice.call("ReadSnapshots")["Snapshots"][0]["CreationDate"]
        (entry,) = alice.call("ReadApiLogs", Filters={"QueryCallNames": ["ReadSnapshots"]})["Logs"]
        at = entry["QueryDate"]
        volume_date = alice.call("ReadVolumes")["Volumes"][0]["CreationDate"]
        period: FiltersSnapshotDict = {"from_creation_date": shown, "to_creation_date": shown}
        assert len(alice.read_snapshots(filters=period)) == 1
        assert len(alice.read_snapshots(filters={"from_creation_date": began})) == 1
        assert alice.read_volumes(filters={"creation_dates": [volume_date]})
        assert entry in alice.call("ReadApiLogs", Filters={"QueryDateAfter": at, "QueryDateBefore": at})["Logs"]

    def test_by_product_name_and_product_code_are_anded(self, alice: Account, ubuntu: Image) -> None:
        """A filter by the name of a product and one by its code must both match. [OMI-091, FLT-001]"""
        both: FiltersImageDict = {"product_code_names": ["Linux/UNIX"], "product_codes": ["0001"]}
        assert ubuntu in alice.read_images(filters=both)
        assert alice.read_images(filters=both | {"product_codes": ["0002"]}) == ()

    def test_by_product_name_knows_the_product_types_of_the_caller(
        self, alice: Account, bob: Account, ubuntu: Image
    ) -> None:
        """The name may be that of an own product type, but not that of another account. [OMI-091, CAT-002]"""
        code = alice.create_product_type(description="Billing").product_type_id
        image = alice.create_image(
            source_image_id=ubuntu.image_id, source_region_name=alice.region, product_codes=[code]
        )
        public = {"additions": {"global_permission": True}}
        alice.update_image(image_id=image.image_id, permissions_to_launch=public)
        names: FiltersImageDict = {"product_code_names": ["Billing"]}
        assert [row.image_id for row in alice.read_images(filters=names)] == [image.image_id]
        assert bob.read_images(filters=names) == ()


FILTERED = [action for action in ACTIONS.values() if "filters" in action.shape.fields]


# groups of what was found; past lists beside the current one; a log that grows as it is read
UNLIKE = ("ReadQuotas", "ReadCatalogs", "ReadApiLogs")


def filters_of(action: Action) -> st.SearchStrategy[dict[str, Any]]:
    """Draw some filters of a read, with values that are there, and others."""
    shape = action.shape.fields["filters"].shape
    assert shape is not None
    texts = st.sampled_from(["*", "?*", "eu-west-2a", "available", "running", "0001", "team=blue", "golden", ""])
    values = {
        str: texts | st.text(max_size=8),
        int: st.integers(-1, 20),
        float: st.sampled_from([1.0, 4.0, 8.0]),
        bool: st.booleans(),
        dt.datetime: st.sampled_from(["2025-06-01", "2026-01-01T00:00:00.010Z", "2027-01-01"]),
    }
    values_by_name = {}
    for name, field in index_by_api_name(shape).items():
        takes_list = field.read([], "", []) == ()
        values_by_name[name] = st.lists(values[field.type], max_size=3) if takes_list else values[field.type]
    return st.fixed_dictionaries({}, optional=values_by_name)


@cache
def one_of_each() -> Cloud:
    """Return a cloud with a bit of everything."""
    cloud = Cloud()
    alice = cloud.account("alice")
    vm = alice.create_vms(image_id=cloud.images.official("ubuntu").image_id)[0]
    image = alice.create_image(vm_id=vm.vm_id, image_name="golden", no_reboot=True)
    alice.update_volume(volume_id=vm.block_device_mappings[0].bsu.volume_id, size=30)
    alice.create_keypair(keypair_name="golden")
    add_networks(alice, image.image_id, {})
    alice.create_tags(resource_ids=[vm.vm_id, image.image_id], tags=[{"key": "team", "value": "blue"}])
    return cloud


class TestEveryFilter:
    def test_belongs_to_a_read(self) -> None:
        """Most of the reads served have filters."""
        assert len(FILTERED) == 26

    @pytest.mark.parametrize("action", FILTERED, ids=lambda action: action.name)
    @given(data=st.data())
    def test_never_adds_a_result(self, action: Action, data: st.DataObject) -> None:
        """With any value, a filter removes results or is refused; it never adds one. [FLT-001]"""
        alice = one_of_each().account("alice")
        few = data.draw(filters_of(action))
        more = {**data.draw(filters_of(action)), **few}

        def read_rows(filters: dict[str, Any]) -> set[str] | None:
            refusals = alice.why_not(action.name, Filters=filters)
            if refusals:
                assert {error.rule for error in refusals} <= {"VM-055", "FLT-009"}
                return None
            return {json.dumps(row) for row in alice.call(action.name, Filters=filters)[str(action.answer)]}

        if action.name in UNLIKE:
            return
        all_rows, some, fewer = read_rows({}), read_rows(few), read_rows(more)
        assert some is None or all_rows is None or some <= all_rows
        assert some is None or fewer is None or fewer <= some
