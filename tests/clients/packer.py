"""The calls of Packer's OUTSCALE builders (plugin 1.6), in their order and with what they send, steps as its sources.

What a builder reads of an answer is read here; what Go dereferences must be there. SSH is left out (communicator none).
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from clients.go_client import Go, Refusal

__all__ = ["GO_TIME", "Packer"]

GO_TIME = "2026-11-24 17:05:00.123456789 +0100 CET m=+0.012345678"  # how Go spells the time, which names a copy
UBUNTU = {"ImageNames": ["Ubuntu*"], "AccountIds": None, "AccountAliases": ["Outscale"]}
Mapping = dict[str, Any]


class Packer:
    """One build by one account. `owners`: the filter by which the source OMI is looked for.

    `port`: which the temporary security group opens; 0, as Packer 1.7.1 has it without a communicator, is not sent.
    """

    def __init__(self, api: Go, name: str, owners: Mapping = UBUNTU, port: int = 22) -> None:
        self.api, self.name, self.owners, self.port = api, name, owners, port

    # --- the builders

    def bsu(
        self,
        *,
        devices: Sequence[Mapping] = (),
        mappings: Sequence[Mapping] = (),
        force: bool = False,
        share: Sequence[str] = (),
        product_codes: Sequence[str] | None = None,
    ) -> str:
        """Build by osc-bsu: an OMI of the VM, or of `mappings`."""
        self._prevalidate(force=force)
        vm = self._launch(devices)
        self._stop(vm)
        if force:
            self._deregister()
        request: Mapping = {"ImageName": self.name, "Description": "by Packer"}
        if mappings:
            request |= {"BlockDeviceMappings": list(mappings), "RootDeviceName": "/dev/sda1"}
        else:
            request |= {"VmId": vm["VmId"]}
        if product_codes is not None:
            request |= {"ProductCodes": list(product_codes)}
        image = self._register(request)
        self._share(image, share)
        self._tag(image)
        self._clean_up(vm)
        return str(image["ImageId"])

    def surrogate(self) -> str:
        """Build by osc-bsusurrogate: a snapshot of each launched device, an OMI of the snapshots."""
        self._prevalidate()
        device = {
            "DeviceName": "/dev/xvdf",
            "Bsu": {"DeleteOnVmDeletion": True, "VolumeSize": 12, "VolumeType": "gp2"},
        }
        vm = self._launch([device])
        self._stop(vm)
        volume = next(m["Bsu"]["VolumeId"] for m in vm["BlockDeviceMappings"] if m["DeviceName"] == "/dev/xvdf")
        bsu = device["Bsu"] | {"SnapshotId": self._snapshot(volume)}  # type: ignore[operator]
        root = {"DeviceName": "/dev/sda1", "Bsu": bsu}
        image = self._register(
            {
                "ImageName": self.name,
                "Architecture": "x86_64",
                "RootDeviceName": "/dev/sda1",
                "BlockDeviceMappings": [root],
            }
        )
        self._tag(image)
        self._clean_up(vm)
        return str(image["ImageId"])

    def volumes(self) -> list[str]:
        """Build by osc-bsuvolume: the volumes of a VM, which outlive it."""
        device = {"DeviceName": "/dev/xvdf", "Bsu": {"DeleteOnVmDeletion": False, "VolumeSize": 7}}
        vm = self._launch([device])
        volume_ids = [m["Bsu"]["VolumeId"] for m in vm["BlockDeviceMappings"] if m["DeviceName"] == "/dev/xvdf"]
        for volume in volume_ids:
            self.api.call("CreateTags", ResourceIds=[volume], Tags=[{"Key": "name", "Value": self.name}])
        self._stop(vm)
        self._terminate(vm)
        return volume_ids

    def chroot(self, vm_id: str) -> str:
        """Build by osc-chroot, on this VM: a volume of the source's root, its snapshot, an OMI of it."""
        self._prevalidate()
        vm = self._read_one("ReadVms", "Vms", VmIds=[vm_id])
        source, copied = self._copy_unless_own(self._source())
        root = next(m for m in source["BlockDeviceMappings"] if m["DeviceName"] == source["RootDeviceName"])
        gib = 12  # root_volume_size
        volume = self.api.call(
            "CreateVolume",
            SubregionName=vm["Placement"]["SubregionName"],
            Size=gib,
            SnapshotId=root["Bsu"]["SnapshotId"],
            VolumeType=root["Bsu"]["VolumeType"],
        )["Volume"]["VolumeId"]
        self.api.poll(lambda: self._read_one("ReadVolumes", "Volumes", VolumeIds=[volume])["State"] == "available")
        self.api.call("LinkVolume", DeviceName="/dev/xvdf", VmId=vm_id, VolumeId=volume)
        self.api.poll(lambda: self._get_link_state(volume) == "attached")
        self.api.call("UnlinkVolume", VolumeId=volume)
        self.api.poll(lambda: self._get_link_state(volume) is None)
        snapshot = self._snapshot(volume)
        bsu = root["Bsu"] | {"SnapshotId": snapshot, "VolumeSize": gib}
        image = self._register(
            {
                "ImageName": self.name,
                "Architecture": source["Architecture"],
                "RootDeviceName": source["RootDeviceName"],
                "BlockDeviceMappings": [root | {"Bsu": bsu}],
            }
        )
        self._tag(image)
        self.api.call("DeleteVolume", VolumeId=volume)
        if copied:
            self._delete(source)
        return str(image["ImageId"])

    # --- their steps

    def _prevalidate(self, *, force: bool = False) -> None:
        assert self.api.call("ReadVms", DryRun=True)["ResponseContext"]["RequestId"]
        if not force:
            me = self.api.call("ReadAccounts")["Accounts"][0]["AccountId"]
            filters = {"ImageNames": [self.name], "AccountIds": [me]}
            assert self.api.call("ReadImages", Filters=filters)["Images"] == [], "name conflicts with an existing OMI"

    def _source(self) -> Mapping:
        images = self.api.call("ReadImages", Filters=self.owners)["Images"]
        newest: Mapping = max(images, key=lambda image: str(image["CreationDate"]))
        assert newest["RootDeviceType"] == "bsu"
        return newest

    def _copy_unless_own(self, image: Mapping) -> tuple[Mapping, bool]:
        """Return the source, copied if it is another's, for its snapshots can be used by their owner alone."""
        if image["AccountId"] == self.api.call("ReadAccounts")["Accounts"][0]["AccountId"]:
            return image, False
        copy = self.api.call(
            "CreateImage",
            ImageName=f"{image['ImageName']}-packer-copy-{GO_TIME}",
            SourceImageId=image["ImageId"],
            SourceRegionName=self.api.account.region,
        )["Image"]["ImageId"]
        return self._wait_until_available(copy), True

    def _launch(self, devices: Sequence[Mapping]) -> Mapping:
        source = self._source()
        keypair = f"packer_{self.name}"
        assert self.api.call("CreateKeypair", KeypairName=keypair)["Keypair"]["PrivateKey"].startswith("-----BEGIN")
        public_ip = self.api.call("CreatePublicIp")["PublicIp"]["PublicIpId"]
        vm = self.api.call(
            "CreateVms",
            ImageId=source["ImageId"],
            VmType="tinav5.c1r1p2",
            UserData="",
            MinVmsCount=1,
            MaxVmsCount=1,
            BsuOptimized=False,
            BlockDeviceMappings=list(devices) or None,
            SubnetId="",
            SecurityGroupIds=[self._security_group(f"packer_osc_{public_ip}")],
            KeypairName=keypair,
            VmInitiatedShutdownBehavior="stop",
        )["Vms"][0]
        volume = vm["BlockDeviceMappings"][0]["Bsu"]["VolumeId"]  # at once: Go panics otherwise
        self._wait("running", vm)
        self.api.call("CreateTags", ResourceIds=[vm["VmId"]], Tags=[{"Key": "Name", "Value": "Packer Builder"}])
        self.api.call("CreateTags", ResourceIds=[volume], Tags=[{"Key": "Name", "Value": "Packer Builder"}])
        self.api.call("LinkPublicIp", PublicIpId=public_ip, VmId=vm["VmId"])
        read = self._read_one("ReadVms", "Vms", VmIds=[vm["VmId"]])
        assert read["PublicIp"] == self._read_one("ReadPublicIps", "PublicIps", PublicIpIds=[public_ip])["PublicIp"]
        return read | {"PublicIpId": public_ip}

    def _security_group(self, name: str) -> str:
        """Make the temporary security group, and open it to SSH."""
        answer = self.api.call("CreateSecurityGroup", SecurityGroupName=name, Description="Temporary group for Packer")
        group = str(answer["SecurityGroup"]["SecurityGroupId"])
        ports = {"FromPortRange": self.port, "ToPortRange": self.port} if self.port else {}
        rule = {"IpRanges": ["0.0.0.0/0"], "IpProtocol": "tcp", **ports}
        self.api.call("CreateSecurityGroupRule", SecurityGroupId=group, Flow="Inbound", Rules=[rule])
        return group

    def _wait(self, state: str, vm: Mapping) -> None:
        self.api.poll(lambda: self._read_one("ReadVms", "Vms", VmIds=[vm["VmId"]])["State"] == state)

    def _stop(self, vm: Mapping) -> None:
        self.api.call("StopVms", VmIds=[vm["VmId"]])
        self._wait("stopped", vm)
        assert self._read_one("ReadVms", "Vms", VmIds=[vm["VmId"]])["VmInitiatedShutdownBehavior"] in (
            "stop",
            "terminate",
        )

    def _snapshot(self, volume: str) -> str:
        snapshot = self.api.call("CreateSnapshot", Description=f"Packer: {GO_TIME}", VolumeId=volume)["Snapshot"]
        self.api.poll(
            lambda: (
                self._read_one("ReadSnapshots", "Snapshots", SnapshotIds=[snapshot["SnapshotId"]])["State"]
                == "completed"
            )
        )
        return str(snapshot["SnapshotId"])

    def _register(self, request: Mapping) -> Mapping:
        return self._wait_until_available(self.api.call("CreateImage", **request)["Image"]["ImageId"])

    def _wait_until_available(self, image_id: str) -> Mapping:
        self.api.poll(lambda: self._read_one("ReadImages", "Images", ImageIds=[image_id])["State"] == "available")
        return self._read_one("ReadImages", "Images", ImageIds=[image_id])

    def _deregister(self) -> None:
        for image in self.api.call("ReadImages", Filters={"ImageNames": [self.name]})["Images"]:
            self._delete(image)

    def _delete(self, image: Mapping) -> None:
        self.api.call("DeleteImage", ImageId=image["ImageId"])
        for mapping in image["BlockDeviceMappings"]:
            self.api.call("DeleteSnapshot", SnapshotId=mapping["Bsu"]["SnapshotId"])

    def _share(self, image: Mapping, accounts: Sequence[str]) -> None:
        if not accounts:
            return
        additions = {"AccountIds": list(accounts), "GlobalPermission": False}
        self.api.call("UpdateImage", ImageId=image["ImageId"], PermissionsToLaunch={"Additions": additions})
        for mapping in image["BlockDeviceMappings"]:
            self.api.call(
                "UpdateSnapshot",
                SnapshotId=mapping["Bsu"]["SnapshotId"],
                PermissionsToCreateVolume={"Additions": {"AccountIds": list(accounts)}},
            )

    def _tag(self, image: Mapping) -> None:
        snapshots = [
            mapping["Bsu"]["SnapshotId"]
            for mapping in self._read_one("ReadImages", "Images", ImageIds=[image["ImageId"]])["BlockDeviceMappings"]
        ]
        self.api.call(
            "CreateTags", ResourceIds=[image["ImageId"], *snapshots], Tags=[{"Key": "base", "Value": "ubuntu"}]
        )
        self.api.call("CreateTags", ResourceIds=snapshots, Tags=[{"Key": "of", "Value": self.name}])

    def _terminate(self, vm: Mapping) -> None:
        self.api.call("DeleteVms", VmIds=[vm["VmId"]])
        self._wait("terminated", vm)
        for group in vm["SecurityGroups"]:
            with suppress(Refusal):  # held for a while by the VM that is gone: Packer says so and goes on
                self.api.call("DeleteSecurityGroup", SecurityGroupId=group["SecurityGroupId"])
        self.api.call("DeletePublicIp", PublicIpId=vm["PublicIpId"])
        self.api.call("DeleteKeypair", KeypairName=vm["KeypairName"])

    def _clean_up(self, vm: Mapping) -> None:
        self._terminate(vm)
        volumes = [mapping["Bsu"]["VolumeId"] for mapping in vm["BlockDeviceMappings"]]
        for volume in self.api.call("ReadVolumes", Filters={"VolumeIds": volumes})["Volumes"]:
            if volume["State"] == "available":
                self.api.call("DeleteVolume", VolumeId=volume["VolumeId"])

    def _get_link_state(self, volume: str) -> str | None:
        links = self._read_one("ReadVolumes", "Volumes", VolumeIds=[volume])["LinkedVolumes"]
        return str(links[0]["State"]) if links else None

    def _read_one(self, action: str, key: str, **filters: Any) -> Mapping:
        rows = self.api.call(action, Filters=filters)[key]
        assert len(rows) == 1, f"{action} of {filters} found {len(rows)}"
        row: Mapping = rows[0]
        return row
