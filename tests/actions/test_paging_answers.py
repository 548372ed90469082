"""Refusals of pages, IOPS and sizes, and permissions of public OMIs: through a typed call, the SDK and HTTP."""

from __future__ import annotations

import pytest
from support.catalogue import SUBREGION, find_official
from support.entrances import Entrance

from omisim import Account, Cloud

GIB = 1024**3


@pytest.fixture(name="alice")
def _alice(timed: Cloud) -> Account:
    return timed.account("alice")


class TestPages:
    def test_need_their_size_with_the_token(self, entrance: Entrance, alice: Account) -> None:
        """A NextPageToken alone is refused; with ResultsPerPage it is answered. [PAG-007]"""
        first = entrance.answer(alice, "ReadImages", ResultsPerPage=2)
        token = first["NextPageToken"]
        assert entrance.refusal(alice, "ReadImages", NextPageToken=token) == (400, "7000", "PAG-007")
        second = entrance.answer(alice, "ReadImages", NextPageToken=token, ResultsPerPage=2)
        assert len(second["Images"]) == 2
        assert second["Images"] != first["Images"]

    def test_need_their_size_before_valid_ids_and_dates(self, entrance: Entrance, alice: Account) -> None:
        """A missing ResultsPerPage is refused before malformed ids and reversed dates. [PAG-007, REQ-014]"""
        reversed_dates = {"FromCreationDate": "2026-02-01", "ToCreationDate": "2026-01-01"}
        for action, filters in (("ReadVms", {"VmIds": ["x"]}), ("ReadSnapshots", reversed_dates)):
            refusal = entrance.refusal(alice, action, NextPageToken="garbage", Filters=filters)
            assert refusal == (400, "7000", "PAG-007")

    def test_refuse_a_token_that_no_read_returned(self, entrance: Entrance, alice: Account) -> None:
        """An unknown token is 4117, and 4116 where a switch says so. [PAG-003]"""
        parameters = {"NextPageToken": "garbage", "ResultsPerPage": 2}
        assert entrance.refusal(alice, "ReadVms", **parameters) == (400, "4117", "PAG-003")
        alice.cloud.engine.set_switch("PAG-003", "expired-page-token")
        assert entrance.refusal(alice, "ReadVms", **parameters) == (400, "4116", "PAG-003")


class TestIops:
    def test_are_at_most_300_per_gib(self, entrance: Entrance, alice: Account) -> None:
        """More IOPS than 300 per GiB are 4202, in every request that has both; a switch restores 4047. [VOL-009]"""
        fast = {"VolumeType": "io1", "Iops": 3001}
        image = find_official(alice, "Ubuntu*").image_id
        disk = {"DeviceName": "/dev/sdb", "Bsu": {"VolumeSize": 10, **fast}}
        refusal = (400, "4202", "VOL-009")
        volume = {"SubregionName": SUBREGION, "Size": 10}
        assert entrance.refusal(alice, "CreateVolume", **volume, **fast) == refusal
        assert entrance.refusal(alice, "CreateVms", ImageId=image, BlockDeviceMappings=[disk]) == refusal
        volume_id = entrance.answer(alice, "CreateVolume", **volume, VolumeType="io1", Iops=3000)["Volume"]["VolumeId"]
        alice.cloud.settle()
        assert entrance.refusal(alice, "UpdateVolume", VolumeId=volume_id, Iops=3001) == refusal
        alice.cloud.engine.set_switch("VOL-009", "invalid-parameter-value")
        assert entrance.refusal(alice, "CreateVolume", **volume, **fast) == (400, "4047", "VOL-009")

    @pytest.mark.parametrize("size", [-1, 14_902 * GIB])
    def test_of_an_import_have_an_error_of_their_own(self, entrance: Entrance, alice: Account, size: int) -> None:
        """An invalid SnapshotSize is 4203. [SNP-012]"""
        parameters = {"FileLocation": "https://example.com/x", "SnapshotSize": size}
        assert entrance.refusal(alice, "CreateSnapshot", **parameters) == (400, "4203", "SNP-012")


class TestPermissionsOfAPublicOmi:
    def test_are_shown_to_every_account(self, entrance: Entrance, timed: Cloud, alice: Account) -> None:
        """Readers of a public OMI see all its accounts, others only themselves. [OMI-085, OMI-085/public]"""
        bob, carol = timed.account("bob"), timed.account("carol")
        source = {"SourceImageId": find_official(alice, "Ubuntu*").image_id, "SourceRegionName": alice.region}
        image = entrance.answer(alice, "CreateImage", ImageName="mine", **source)["Image"]["ImageId"]
        ids = [bob.account_id, carol.account_id]

        def share(**permissions: object) -> None:
            change = {"Additions": permissions}
            entrance.answer(alice, "UpdateImage", ImageId=image, PermissionsToLaunch=change)

        def read_permissions(account: Account) -> list[str]:
            (row,) = entrance.answer(account, "ReadImages", Filters={"ImageIds": [image]})["Images"]
            account_ids: list[str] = row["PermissionsToLaunch"]["AccountIds"]
            return account_ids

        share(AccountIds=ids)
        assert [read_permissions(account) for account in (alice, bob, carol)] == [ids, ids[:1], ids[1:]]
        share(GlobalPermission=True)
        dave = timed.account("dave")
        assert [read_permissions(account) for account in (alice, bob, carol, dave)] == [ids] * 4
        by_bob = {"PermissionsToLaunchAccountIds": [bob.account_id]}
        assert [row["ImageId"] for row in entrance.answer(dave, "ReadImages", Filters=by_bob)["Images"]] == [image]
