"""What is conserved, whatever is called: laws of the model, checked after every step of random histories."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from random_calls import draw_call

from omisim import Account, ApiError, Cloud
from omisim.model import Bucket, Image, Snapshot, Vm, Volume

READS = {
    "ImageExportTasks": ("ReadImageExportTasks", "TaskId"),
    "Images": ("ReadImages", "ImageId"),
    "SnapshotExportTasks": ("ReadSnapshotExportTasks", "TaskId"),
    "Snapshots": ("ReadSnapshots", "SnapshotId"),
    "Vms": ("ReadVms", "VmId"),
    "Volumes": ("ReadVolumes", "VolumeId"),
}
# what Create answers and Read does not: what has moved on since
MOVING = {"State", "Progress", "BlockDeviceMappings", "LinkedVolumes", "StateReason", "StateComment"}
MOVING |= {"Comment", "OsuExport"}  # of an export that has ended
MOVING |= {"PrivateIp", "PrivateDnsName", "PublicIp", "PublicDnsName"}  # addresses of a VM outside a Net (VM-030)


# what a deletion leaves alone: a deleted OMI harms no VM and no copy, a deleted snapshot no volume
UNHARMED = {
    "DeleteImage": ("vm", "volume", "volume_link", "snapshot", "snapshot_export"),
    "DeleteSnapshot": ("vm", "volume", "volume_link", "image"),
    "DeleteExportTask": ("image", "snapshot", "object"),
}


class Laws(RuleBasedStateMachine):
    """Three accounts in two Regions make random calls; the clock moves now and then."""

    @initialize(timing=st.sampled_from(["eager", "clock"]))
    def start(self, timing: str) -> None:
        """Make a cloud and its accounts."""
        self.cloud = Cloud(timing=timing)
        self.accounts = [self.cloud.account("alice"), self.cloud.account("bob")]
        self.accounts.append(self.cloud.account("carol", region="us-east-2", quotas={"vm_limit": 3, "volume_limit": 6}))
        self._bucket()
        for account in self.accounts:
            vm = account.create_vms(image_id=self.cloud.images.official("ubuntu", account.region).image_id)[0]
            volume = account.create_volume(subregion_name=f"{account.region}a", size=5)
            self.cloud.settle()
            account.link_volume(device_name="/dev/sdb", vm_id=vm.vm_id, volume_id=volume.volume_id)
            account.create_image(vm_id=vm.vm_id, image_name="golden", no_reboot=True)

    def _bucket(self) -> None:
        row = Bucket(
            account_id=self.accounts[0].account_id,
            bucket_id="eu-west-2/exports",
            creation_date=self.cloud.now,
            name="exports",
            region="eu-west-2",
        )
        self.cloud._tx("test").add(row)

    @rule(data=st.data())
    def call(self, data: Any) -> None:
        """Make a call: `why_not` foretells it, a refused one changes nothing, what is created is read as answered."""
        account, action, parameters = draw_call(data.draw, self.cloud, self.accounts)
        self.cloud.advance(seconds=0)  # what is due comes first, so that it is not the call's doing
        foretold = account.why_not(action, **parameters)
        before = self.cloud.fork()
        if not foretold:
            answer = account.call(action, **parameters)
            for kind in UNHARMED.get(action, ()):
                assert self.cloud._state.rows(kind) == before._state.rows(kind), (action, kind)
            assert bool(self.cloud.diff(before)) == (self.cloud != before)
            if action.startswith("Create"):
                self._read_back(account, answer)
            return
        with pytest.raises(ApiError) as refused:
            account.call(action, **parameters)
        assert str(refused.value) == str(foretold[0])
        assert self.cloud == before

    def _read_back(self, account: Account, answer: dict[str, Any]) -> None:
        for wrapper, (read, key) in READS.items():
            made = answer.get(wrapper, [answer[wrapper[:-1]]] if wrapper[:-1] in answer else [])
            for row in made:
                if key not in row or "CurrentState" in row:
                    continue
                seen = account.call(read, Filters={f"{key}s": [row[key]]})[wrapper]
                assert [_still(other) for other in seen] == [_still(row)], (seen, row)

    @rule(seconds=st.sampled_from([1, 30, 400, 4000]))
    def wait(self, seconds: int) -> None:
        """Let time pass."""
        self.cloud.advance(seconds=seconds)

    @rule()
    def save(self) -> None:
        """Go on with what a dump gives back."""
        twin = Cloud.load(self.cloud.dump())
        assert twin == self.cloud
        assert self.cloud.diff(twin) == ()

    def rows(self, kind: str) -> list[Any]:
        """Return the rows of a kind."""
        return list(self.cloud._state.rows(kind).values())

    @invariant()
    def no_snapshot_of_an_omi_is_gone(self) -> None:
        """Every snapshot that an OMI maps is there. [SNP-016]"""
        there = self.cloud._state.rows("snapshot")
        for image in self.rows("image"):
            assert all(m.bsu.snapshot_id in there for m in image.block_device_mappings if m.bsu and m.bsu.snapshot_id)

    @invariant()
    def links_and_volumes_agree(self) -> None:
        """A volume is in use exactly when it is linked, to a VM that is there and not terminated. [ST-VOL-4]"""
        links = self.cloud._state.rows("volume_link")
        for volume in self.rows("volume"):
            assert (volume.state == "in-use") == (volume.volume_id in links)
        for link in links.values():
            vm: Vm = self.cloud._state.get("vm", link.vm_id)
            assert vm.state != "terminated"
            assert vm.placement.subregion_name == self.cloud._state.get("volume", link.volume_id).subregion_name

    @invariant()
    def sizes_never_shrink(self) -> None:
        """A volume is at least as large as the snapshot it was made from. [VOL-013]"""
        for volume in self.rows("volume"):
            snapshot: Snapshot | None = self.cloud._state.get("snapshot", volume.snapshot_id or "")
            assert snapshot is None or volume.size >= snapshot.volume_size

    @invariant()
    def names_are_unique(self) -> None:
        """No account has two OMIs of one name. [OMI-022]"""
        assert max(Counter((i.account_id, i.image_name) for i in self.rows("image")).values()) == 1

    @invariant()
    def nobody_sees_what_is_not_his(self) -> None:
        """What an account reads is its own, shared with it or public in its Region. [OMI-081, SNP-021, REG-001]"""
        for account in self.accounts:
            me = account.account_id
            assert {volume.account_id for volume in account.read_volumes()} <= {me}
            assert {vm.account_id for vm in account.read_vms()} <= {me}
            for image in account.read_images():
                assert self._shared(account, image, image.permissions_to_launch)
            for snapshot in account.read_snapshots():
                assert self._shared(account, snapshot, snapshot.permissions_to_create_volume)

    def _shared(self, account: Account, row: Image | Snapshot, granted: Any) -> bool:
        owner = self.cloud._state.get("account", row.account_id)
        if account.region != owner.region:
            return False
        me = account.account_id
        return row.account_id == me or granted.global_permission or me in granted.account_ids

    @invariant()
    def who_can_agrees_with_the_reads(self) -> None:
        """`who_can` lists exactly the accounts that read an OMI."""
        for image in self.rows("image")[-4:]:
            able = self.cloud.who_can(image.image_id)
            for account in self.accounts:
                found = account.read_images(filters={"image_ids": [image.image_id]})
                assert bool(found) == (account.name in able)

    @invariant()
    def quotas_hold(self) -> None:
        """No account has more than its quotas allow. [QTA-001, QTA-005]"""
        carol = self.accounts[2]
        living = [vm for vm in self.rows("vm") if vm.account_id == carol.account_id and vm.state != "terminated"]
        volumes: list[Volume] = [v for v in self.rows("volume") if v.account_id == carol.account_id]
        assert len(living) <= 3
        assert len(volumes) <= 6

    @invariant()
    def eager_leaves_nothing_under_way(self) -> None:
        """In eager timing no transient is left when a call has been answered."""
        if self.cloud._settings.timing == "eager":
            assert all(due.timer for due in self.rows("due"))


def _still(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in MOVING}


Laws.TestCase.settings = settings(max_examples=settings().max_examples // 2 or 1, stateful_step_count=25, deadline=None)
TestLaws = Laws.TestCase
