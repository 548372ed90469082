"""A cloud and the reference model side by side: the same calls on both, and what they answer and show held together."""

from __future__ import annotations

import re
from typing import Any

import pytest
from reference import Answer, Reference
from reference.call import status

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
# What the reference leaves out of a row is not there on the cloud either.
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
# Lists in an order that no rule gives, and what sorts them.
UNORDERED = {"BlockDeviceMappings": "DeviceName", "Tags": "Key", "BootModes": ""}


class Disagreement(AssertionError):
    """The cloud and the reference differ."""


class Lockstep:
    """A cloud, the reference, and which id of the one is which of the other."""

    def __init__(self, timing: Timing, quotas: dict[str, int]) -> None:
        self.cloud, self.reference = Cloud(timing=timing), Reference(timing)
        self.said: dict[str, Any] = {}  # what the cloud answered last
        self.ours: dict[str, str] = {}  # the cloud's id → the reference's
        self.theirs: dict[str, str] = {}
        self.accounts = [self.cloud.account("alice"), self.cloud.account("bob")]
        self.accounts.append(self.cloud.account("carol", region="us-east-2", quotas=quotas))  # type: ignore[arg-type]
        for account in self.accounts:
            limits = quotas if account.name == "carol" else {}
            self.reference.account(account.name, account.region, account.account_id, quotas=limits)
        for account in (self.accounts[0], self.accounts[2]):
            self._platform(account)
        bucket(self.accounts[0], "exports")
        self.reference.bucket("alice", "exports")

    def begin(self) -> None:
        """Give each account two VMs, one stopped, a linked volume, an OMI and a snapshot; the first exports these."""
        for account in self.accounts:
            image = self.cloud.images.official("ubuntu", account.region).image_id
            vm = self.made(account, "CreateVms", ImageId=image)["Vms"][0]["VmId"]
            self.made(account, "CreateVms", ImageId=image, BootOnCreation=False)
            made = self.made(account, "CreateVolume", SubregionName=f"{account.region}a", Size=5)
            volume = made["Volume"]["VolumeId"]
            self.settle()
            self.made(account, "LinkVolume", DeviceName="/dev/sdb", VmId=vm, VolumeId=volume)
            self.made(account, "CreateImage", VmId=vm, ImageName="golden", NoReboot=True)
            snapshot = self.made(account, "CreateSnapshot", VolumeId=volume)["Snapshot"]["SnapshotId"]
            if account is self.accounts[0]:
                self._export(account, snapshot)

    def _export(self, account: Account, snapshot: str) -> None:
        """Fill the bucket, so that there is something to import."""
        self.settle()
        target = {"DiskImageFormat": "qcow2", "OsuBucket": "exports"}
        image = account.read_images(filters={"account_ids": [account.account_id]})[0].image_id
        self.made(account, "CreateImageExportTask", ImageId=image, OsuExport=target)
        self.made(account, "CreateSnapshotExportTask", SnapshotId=snapshot, OsuExport=target)
        self.settle()

    def made(self, account: Account, action: str, **parameters: Any) -> dict[str, Any]:
        """Make a call that both let pass, and return the cloud's answer."""
        expected = self.call(account, action, parameters)
        assert not expected.code, expected
        return self.said

    def settle(self) -> None:
        """Move all that is under way to its end."""
        while moving := self.reference.moving():
            for one in moving:
                self.step(one)

    def step(self, one: str) -> None:
        """Move what is under way a step, by the reference's id."""
        if one in self.reference.moving():
            self.reference.complete(one)
            self.cloud.complete(self.theirs[one])

    def advance(self, seconds: float) -> None:
        """Let time pass on both."""
        self.cloud.advance(seconds=seconds)
        self.reference.advance(seconds)

    def to_the_next(self) -> None:
        """Let time pass to a second before something ends by itself, hold what is seen together, and go on."""
        soonest = self.reference.world.soonest()
        left = soonest[0] - self.reference.world.seconds if soonest else 0
        if left > 1:
            self.advance(left - 1)
            self.look()
        self.advance(min(left, 1))

    def fail(self, one: str) -> None:
        """Let something under way fail on both, or on neither."""
        try:
            self.reference.fail(one)
        except ValueError:
            with pytest.raises(ValueError, match=self.theirs[one]):
                self.cloud.fail(self.theirs[one], comment="drawn")
        else:
            self.cloud.fail(self.theirs[one], comment="drawn")

    def _platform(self, account: Account) -> None:
        """Give the reference the OMIs of the platform, as the cloud shows them."""
        for image in account.call("ReadImages")["Images"]:
            owner = f"{image['AccountAlias']} {account.region}"
            if owner not in self.reference.world.accounts:
                self.reference.account(owner, account.region, image["AccountId"], image["AccountAlias"])
            self.reference.adopt(owner, image)
            for one in ID.findall(str(image)):
                self.ours[one] = self.theirs[one] = one

    def call(self, account: Account, action: str, parameters: dict[str, Any]) -> Answer:
        """Make a call on both, and hold the answers together."""
        expected = self.reference.call(account.name, action, **self._translated(parameters))
        try:
            body = account.call(action, **parameters)
        except ApiError as refused:
            told = (expected.code, *expected.ties)
            if refused.code not in told or refused.status != status(refused.code):
                raise Disagreement(f"{action}: the cloud says {refused}, the reference {told}") from refused
            return expected
        if expected.code:
            raise Disagreement(f"{action}: the cloud lets it pass, the reference refuses it with {expected.code}")
        self.said = body
        self._agree(body, expected.body, action)
        return expected

    def look(self) -> None:
        """Hold together what each account reads."""
        users = [account.account_id for account in self.accounts]
        for account in self.accounts:
            for read in READS:
                owned = read in ("ReadImages", "ReadSnapshots")
                filters: dict[str, Any] = {"Filters": {"AccountIds": users}} if owned else {}
                self.call(account, read, filters)

    def _translated(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {name: self._translated(item) for name, item in value.items()}
        if isinstance(value, list):
            return [self._translated(item) for item in value]
        return ID.sub(lambda one: self.ours.get(one[0], one[0]), value) if isinstance(value, str) else value

    def _agree(self, cloud: Any, reference: Any, path: str) -> None:
        if isinstance(reference, dict) and isinstance(cloud, dict):
            for name in ABSENT & set(cloud) - set(reference):
                self._same(cloud[name] or "", "", f"{path}.{name}")
            for name, value in reference.items():
                theirs = _ordered(name, cloud.get(name), self.ours)
                self._agree(theirs, _ordered(name, value, {}), f"{path}.{name}")
        elif isinstance(reference, list) and isinstance(cloud, list):
            self._same(len(cloud), len(reference), f"{path}, how many: {cloud} {reference}")
            for number, (one, other) in enumerate(zip(cloud, reference, strict=True)):
                self._agree(one, other, f"{path}[{number}]")
        elif isinstance(reference, str) and isinstance(cloud, str):
            self._same(ID.sub("…", cloud), ID.sub("…", reference), path)
            for one, other in zip(ID.findall(cloud), ID.findall(reference), strict=True):
                self._same(self.ours.setdefault(one, other), other, f"{path}, an id")
                self._same(self.theirs.setdefault(other, one), one, f"{path}, an id")
        else:
            self._same(cloud, reference, path)

    def _same(self, cloud: Any, reference: Any, path: str) -> None:
        if cloud != reference or type(cloud) is not type(reference):
            raise Disagreement(f"{path}: the cloud says {cloud!r}, the reference {reference!r}")


def _ordered(name: str, value: Any, ids: dict[str, str]) -> Any:
    if name not in UNORDERED or not isinstance(value, list):
        return value
    key = UNORDERED[name]

    def rank(item: Any) -> Any:
        tagged = item.get("ResourceId", "") if key else ""
        return (item[key], ids.get(tagged, tagged)) if key else item

    return sorted(value, key=rank)
