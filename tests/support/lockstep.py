"""Make the same calls on a cloud and the reference model, and compare their answers and reads."""

from __future__ import annotations

import re
from typing import Any

import pytest
from reference import Answer, Reference
from reference.call import get_status

from omisim import Account, ApiError, Cloud
from omisim.state.settings import Timing
from omisim.testing.script import bucket

__all__ = ["Lockstep"]

ID = re.compile(r"(?:ami|snap-export|image-export|vol-update|snap|vol|i|r)-[0-9a-f]{8}\b")
READS = (
    "ReadImages",
    "ReadSnapshots",
    "ReadVolumes",
    "ReadVms",
    "ReadImageExportTasks",
    "ReadSnapshotExportTasks",
    "ReadVolumeUpdateTasks",
    "ReadTags",
)
# Fields that the cloud must omit, too, if the reference omits them.
ABSENT = {
    "AccountAlias",
    "ClientToken",
    "Iops",
    "KeypairName",
    "OsFamily",
    "OsuPrefix",
    "SnapshotId",
    "TaskId",
    "VolumeId",
}
# Lists whose order no rule defines, and the keys by which they are sorted.
UNORDERED = {"BlockDeviceMappings": "DeviceName", "Tags": "Key", "BootModes": ""}


class Disagreement(AssertionError):
    """The cloud and the reference differ."""


class Lockstep:
    """A cloud and the reference, with the mapping between their ids."""

    def __init__(self, timing: Timing, quotas: dict[str, int]) -> None:
        self.cloud, self.reference = Cloud(timing=timing), Reference(timing)
        self.answer: dict[str, Any] = {}  # the last answer of the cloud
        self.ours: dict[str, str] = {}  # the cloud's id → the reference's
        self.theirs: dict[str, str] = {}
        self.accounts = [self.cloud.account("alice"), self.cloud.account("bob")]
        self.accounts.append(self.cloud.account("carol", region="us-east-2", quotas=quotas))  # type: ignore[arg-type]
        for account in self.accounts:
            limits = quotas if account.name == "carol" else {}
            self.reference.add_account(account.name, account.region, account.account_id, quotas=limits)
        for account in (self.accounts[0], self.accounts[2]):
            self._adopt_official(account)
        bucket(self.accounts[0], "exports")
        self.reference.add_bucket("alice", "exports")

    def populate(self) -> None:
        """Give each account two VMs (one stopped), a linked volume, an OMI and a snapshot; alice exports hers."""
        for account in self.accounts:
            image = self.cloud.images.official("ubuntu", account.region).image_id
            vm = self.call_accepted(account, "CreateVms", ImageId=image)["Vms"][0]["VmId"]
            self.call_accepted(account, "CreateVms", ImageId=image, BootOnCreation=False)
            created = self.call_accepted(account, "CreateVolume", SubregionName=f"{account.region}a", Size=5)
            volume = created["Volume"]["VolumeId"]
            self.settle()
            self.call_accepted(account, "LinkVolume", DeviceName="/dev/sdb", VmId=vm, VolumeId=volume)
            self.call_accepted(account, "CreateImage", VmId=vm, ImageName="golden", NoReboot=True)
            snapshot = self.call_accepted(account, "CreateSnapshot", VolumeId=volume)["Snapshot"]["SnapshotId"]
            if account is self.accounts[0]:
                self._fill_bucket(account, snapshot)

    def _fill_bucket(self, account: Account, snapshot: str) -> None:
        """Export an OMI and a snapshot to the bucket, so that imports have a source."""
        self.settle()
        target = {"DiskImageFormat": "qcow2", "OsuBucket": "exports"}
        image = account.read_images(filters={"account_ids": [account.account_id]})[0].image_id
        self.call_accepted(account, "CreateImageExportTask", ImageId=image, OsuExport=target)
        self.call_accepted(account, "CreateSnapshotExportTask", SnapshotId=snapshot, OsuExport=target)
        self.settle()

    def call_accepted(self, account: Account, action: str, **parameters: Any) -> dict[str, Any]:
        """Make a call that both must accept, and return the cloud's answer."""
        expected = self.call(account, action, parameters)
        assert not expected.code, expected
        return self.answer

    def settle(self) -> None:
        """Complete all transients."""
        while moving := self.reference.list_moving():
            for row_id in moving:
                self.step(row_id)

    def step(self, row_id: str) -> None:
        """Complete a transient resource, by its id in the reference."""
        if row_id in self.reference.list_moving():
            self.reference.complete(row_id)
            self.cloud.complete(self.theirs[row_id])

    def advance(self, seconds: float) -> None:
        """Advance the time of both."""
        self.cloud.advance(seconds=seconds)
        self.reference.advance(seconds)

    def advance_to_next(self) -> None:
        """Advance to a second before the next due transition, compare the reads, and advance past it."""
        next_due = self.reference.world.find_next_due()
        seconds = next_due[0] - self.reference.world.seconds if next_due else 0
        if seconds > 1:
            self.advance(seconds - 1)
            self.compare_reads()
        self.advance(min(seconds, 1))

    def fail(self, row_id: str) -> None:
        """Make a transient resource fail on both, or on neither."""
        try:
            self.reference.fail(row_id)
        except ValueError:
            with pytest.raises(ValueError, match=self.theirs[row_id]):
                self.cloud.fail(self.theirs[row_id], comment="drawn")
        else:
            self.cloud.fail(self.theirs[row_id], comment="drawn")

    def _adopt_official(self, account: Account) -> None:
        """Copy the official OMIs of the cloud to the reference."""
        for image in account.call("ReadImages")["Images"]:
            owner = f"{image['AccountAlias']} {account.region}"
            if owner not in self.reference.world.accounts:
                self.reference.add_account(owner, account.region, image["AccountId"], image["AccountAlias"])
            self.reference.adopt(owner, image)
            for row_id in ID.findall(str(image)):
                self.ours[row_id] = self.theirs[row_id] = row_id

    def call(self, account: Account, action: str, parameters: dict[str, Any]) -> Answer:
        """Make a call on both, and compare the answers."""
        expected = self.reference.call(account.name, action, **self._translate_ids(parameters))
        try:
            body = account.call(action, **parameters)
        except ApiError as error:
            codes = (expected.code, *expected.ties)
            if error.code not in codes or error.status != get_status(error.code):
                raise Disagreement(f"{action}: the cloud says {error}, the reference {codes}") from error
            return expected
        if expected.code:
            raise Disagreement(f"{action}: the cloud accepts it, the reference refuses it with {expected.code}")
        self.answer = body
        self._compare(body, expected.body, action)
        return expected

    def compare_reads(self) -> None:
        """Compare the reads of all accounts."""
        users = [account.account_id for account in self.accounts]
        for account in self.accounts:
            for read in READS:
                has_owner_filter = read in ("ReadImages", "ReadSnapshots")
                filters: dict[str, Any] = {"Filters": {"AccountIds": users}} if has_owner_filter else {}
                self.call(account, read, filters)

    def _translate_ids(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {name: self._translate_ids(item) for name, item in value.items()}
        if isinstance(value, list):
            return [self._translate_ids(item) for item in value]
        return ID.sub(lambda match: self.ours.get(match[0], match[0]), value) if isinstance(value, str) else value

    def _compare(self, cloud: Any, reference: Any, path: str) -> None:
        if isinstance(reference, dict) and isinstance(cloud, dict):
            for name in ABSENT & set(cloud) - set(reference):
                self._compare_values(cloud[name] or "", "", f"{path}.{name}")
            for name, value in reference.items():
                theirs = _sort_unordered(name, cloud.get(name), self.ours)
                self._compare(theirs, _sort_unordered(name, value, {}), f"{path}.{name}")
        elif isinstance(reference, list) and isinstance(cloud, list):
            self._compare_values(len(cloud), len(reference), f"{path}, length: {cloud} {reference}")
            for number, (item, other) in enumerate(zip(cloud, reference, strict=True)):
                self._compare(item, other, f"{path}[{number}]")
        elif isinstance(reference, str) and isinstance(cloud, str):
            self._compare_values(ID.sub("…", cloud), ID.sub("…", reference), path)
            for cloud_id, reference_id in zip(ID.findall(cloud), ID.findall(reference), strict=True):
                self._compare_values(self.ours.setdefault(cloud_id, reference_id), reference_id, f"{path}, an id")
                self._compare_values(self.theirs.setdefault(reference_id, cloud_id), cloud_id, f"{path}, an id")
        else:
            self._compare_values(cloud, reference, path)

    def _compare_values(self, cloud: Any, reference: Any, path: str) -> None:
        if cloud != reference or type(cloud) is not type(reference):
            raise Disagreement(f"{path}: the cloud says {cloud!r}, the reference {reference!r}")


def _sort_unordered(name: str, value: Any, ids: dict[str, str]) -> Any:
    if name not in UNORDERED or not isinstance(value, list):
        return value
    key = UNORDERED[name]

    def get_sort_key(item: Any) -> Any:
        tagged = item.get("ResourceId", "") if key else ""
        return (item[key], ids.get(tagged, tagged)) if key else item

    return sorted(value, key=get_sort_key)
