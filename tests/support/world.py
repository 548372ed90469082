"""The cloud of the cases: accounts and resources with the names of `tests/cases/world.toml`."""

from __future__ import annotations

from functools import cache

from support.cases import Parameters, fill
from support.networks import add_networks

from omisim import Account, Cloud
from omisim.model import Image

__all__ = ["World", "get_world"]


class World:
    """Alice and bob in eu-west-2, carol in us-east-2, and resources of every kind. Built once, forked for each test."""

    def __init__(self) -> None:
        self.cloud = Cloud()
        alice, bob = self.cloud.account("alice"), self.cloud.account("bob")
        carol = self.cloud.account("carol", region="us-east-2")
        self.ids: dict[str, str] = {"alice": alice.account_id, "bob": bob.account_id, "carol": carol.account_id}
        for name in ("ubuntu", "windows"):
            self.ids[name] = self.cloud.images.official(name).image_id
        self._add_vms(alice, bob)
        self._add_volumes(alice, bob)
        self._add_images(alice, bob)
        alice.create_keypair(keypair_name="pair")
        add_networks(alice, self.ids["ubuntu"], self.ids)
        self.ids["bobs_net"] = bob.create_net(ip_range="10.0.0.0/16").net_id
        self.ids["bobs_group"] = bob.read_security_groups()[0].security_group_id

    def _add_vms(self, alice: Account, bob: Account) -> None:
        disks = [{"device_name": "/dev/sdb", "bsu": {"volume_size": 20}}]
        vm = alice.create_vms(image_id=self.ids["ubuntu"], block_device_mappings=disks)[0]
        self.ids["vm"] = vm.vm_id
        for mapping, name in zip(vm.block_device_mappings, ("root", "data"), strict=True):
            self.ids[name] = mapping.bsu.volume_id
        stopped, protected, rootless = alice.create_vms(image_id=self.ids["ubuntu"], max_vms_count=3)
        self.ids |= {"stopped": stopped.vm_id, "protected": protected.vm_id, "rootless": rootless.vm_id}
        alice.stop_vms(vm_ids=[stopped.vm_id, rootless.vm_id])
        alice.unlink_volume(volume_id=rootless.block_device_mappings[0].bsu.volume_id)
        alice.update_vm(vm_id=protected.vm_id, deletion_protection=True)
        self.ids["bobs_vm"] = bob.create_vms(image_id=self.ids["ubuntu"])[0].vm_id

    def _add_volumes(self, alice: Account, bob: Account) -> None:
        for name, kind in {"free": {}, "fast": {"volume_type": "io1", "iops": 500}}.items():
            volume = alice.create_volume(subregion_name="eu-west-2a", size=10, **kind)  # type: ignore[arg-type]
            self.ids[name] = volume.volume_id
        self.ids["elsewhere"] = alice.create_volume(subregion_name="eu-west-2b", size=10).volume_id
        self.ids["bobs_volume"] = bob.create_volume(subregion_name="eu-west-2a", size=10).volume_id
        self.ids["snapshot"] = alice.create_snapshot(volume_id=self.ids["free"]).snapshot_id
        self.ids["bobs_snapshot"] = bob.create_snapshot(volume_id=self.ids["bobs_volume"]).snapshot_id
        shared = bob.create_snapshot(volume_id=self.ids["bobs_volume"]).snapshot_id
        self.ids["shared_snapshot"] = shared
        grant: Parameters = {"additions": {"account_ids": [alice.account_id]}}
        bob.update_snapshot(snapshot_id=shared, permissions_to_create_volume=grant)

    def _add_images(self, alice: Account, bob: Account) -> None:
        golden = alice.create_image(vm_id=self.ids["vm"], image_name="golden", no_reboot=True)
        self.ids |= {"golden": golden.image_id, "golden_root": _get_root_snapshot(golden)}
        private = bob.create_image(vm_id=self.ids["bobs_vm"], image_name="bobs", no_reboot=True)
        shared = bob.create_image(vm_id=self.ids["bobs_vm"], image_name="for alice", no_reboot=True)
        self.ids |= {"bobs_image": private.image_id, "shared": shared.image_id}
        grant: Parameters = {"additions": {"account_ids": [alice.account_id]}}
        bob.update_image(image_id=shared.image_id, permissions_to_launch=grant)

    def fill(self, parameters: Parameters) -> Parameters:
        """Return parameters with the names in braces replaced."""
        values: Parameters = fill(parameters, self.ids)
        return values


def _get_root_snapshot(image: Image) -> str:
    bsu = image.block_device_mappings[0].bsu
    assert bsu is not None
    return str(bsu.snapshot_id)


@cache
def get_world() -> World:
    """Return the cached world."""
    return World()
