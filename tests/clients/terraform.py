"""The calls of the Terraform provider (1.8) for the resources around OMIs, and of frieza, which cleans up after all.

A resource's functions send what the provider sends, wait as it waits, and fail on a state that it does not wait for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any

from clients.go_client import Go, Refusal

__all__ = ["Terraform", "frieza"]

Row = dict[str, Any]


class Terraform:
    """A provider, signed in."""

    def __init__(self, api: Go) -> None:
        self.api = api

    def wait(self, read_state: Callable[[], str], pending: Iterable[str], *targets: str) -> None:
        """Wait as the provider's StateChangeConf does: any other state than these is an error."""

        def is_reached() -> bool:
            state = read_state()
            assert state in {*pending, *targets}, f"unexpected state {state!r}, wanted {targets}"
            return state in targets

        self.api.poll(is_reached, seconds=5)

    def _row(self, action: str, key: str, **filters: Any) -> Row | None:
        rows = self.api.call(action, Filters=filters)[key]
        return dict(rows[0]) if rows else None

    def _tag(self, resource_id: str, tags: Mapping[str, str]) -> None:
        rows = [{"Key": key, "Value": value} for key, value in tags.items()]
        self.api.call("CreateTags", ResourceIds=[resource_id], Tags=rows)

    # --- outscale_image, outscale_image_launch_permission, outscale_image_export_task

    def image(self, tags: Mapping[str, str] | None = None, **arguments: Any) -> Row:
        """Create an OMI, wait for it, tag it, and read it as the provider does."""
        image_id = str(self.api.call("CreateImage", **arguments)["Image"]["ImageId"])
        self.wait(lambda: self._image_state(image_id), ["pending"], "available")
        if tags:
            self._tag(image_id, tags)
        return self.read_image(image_id)

    def read_image(self, image_id: str) -> Row:
        """Read what the provider dereferences: a missing field is a panic."""
        row = self._row("ReadImages", "Images", ImageIds=[image_id])
        assert row is not None
        assert row["PermissionsToLaunch"].keys() <= {"AccountIds", "GlobalPermission"}
        assert row["BlockDeviceMappings"]
        assert row["BootModes"]
        assert isinstance(row["TpmMandatory"], bool)
        assert isinstance(row["StateComment"], dict)
        return row

    def _image_state(self, image_id: str) -> str:
        row = self._row("ReadImages", "Images", ImageIds=[image_id])
        return "destroyed" if row is None else str(row["State"])

    def delete_image(self, image_id: str) -> None:
        """Delete an OMI and wait until it is not found."""
        self.api.call("DeleteImage", ImageId=image_id)
        self.wait(lambda: self._image_state(image_id), ["available", "pending"], "destroyed")

    def launch_permission(self, image_id: str, what: str, permission: Mapping[str, Any]) -> Row:
        """Add or remove (`what`) a permission, and read it back."""
        self.api.call("UpdateImage", ImageId=image_id, PermissionsToLaunch={what: dict(permission)})
        return dict(self.read_image(image_id)["PermissionsToLaunch"])

    def image_export(self, image_id: str, bucket: str) -> Row:
        """Export an OMI; wait for the end."""
        export = {
            "DiskImageFormat": "qcow2",
            "OsuBucket": bucket,
            "OsuPrefix": "export",
            "OsuApiKey": {"ApiKeyId": self.api.account.access_key, "SecretKey": self.api.account.secret_key},
        }
        task_id = self.api.call("CreateImageExportTask", ImageId=image_id, OsuExport=export)["ImageExportTask"][
            "TaskId"
        ]
        return self._wait_for_export("ReadImageExportTasks", "ImageExportTasks", task_id, "completed")

    def snapshot_export(self, snapshot_id: str, bucket: str) -> Row:
        """Export a snapshot; wait until it is in progress, by the names of the API's version 1.40."""
        export = {"DiskImageFormat": "qcow2", "OsuBucket": bucket, "OsuPrefix": "export"}
        answer = self.api.call("CreateSnapshotExportTask", SnapshotId=snapshot_id, OsuExport=export)
        task = answer["SnapshotExportTask"]["TaskId"]
        return self._wait_for_export("ReadSnapshotExportTasks", "SnapshotExportTasks", task, "completed", "active")

    def _wait_for_export(self, action: str, key: str, task_id: str, *targets: str) -> Row:
        def state() -> str:
            row = self._row(action, key, TaskIds=[task_id])
            return "" if row is None else str(row["State"])

        self.wait(state, ["pending", "pending/queued", "queued"], *targets)
        row = self._row(action, key, TaskIds=[task_id])
        assert row is not None
        return row

    # --- outscale_snapshot, outscale_snapshot_attributes

    def snapshot(self, **arguments: Any) -> Row:
        """Create a snapshot and wait for it."""
        snapshot_id = self.api.call("CreateSnapshot", **arguments)["Snapshot"]["SnapshotId"]

        def state() -> str:
            row = self._row("ReadSnapshots", "Snapshots", SnapshotIds=[snapshot_id])
            return "" if row is None else str(row["State"])

        self.wait(state, ["pending", "pending/queued", "queued", "importing", "in-queue"], "completed")
        row = self._row("ReadSnapshots", "Snapshots", SnapshotIds=[snapshot_id])
        assert row is not None
        return row

    def snapshot_attributes(self, snapshot_id: str, account_ids: list[str]) -> Row:
        """Share a snapshot, and read it back."""
        additions = {"AccountIds": account_ids, "GlobalPermission": False}
        self.api.call("UpdateSnapshot", SnapshotId=snapshot_id, PermissionsToCreateVolume={"Additions": additions})
        row = self._row("ReadSnapshots", "Snapshots", SnapshotIds=[snapshot_id])
        assert row is not None
        return dict(row["PermissionsToCreateVolume"])

    # --- outscale_volume, outscale_volumes_link

    def volume(self, **arguments: Any) -> Row:
        """Create a volume and wait for it."""
        volume_id = self.api.call("CreateVolume", **arguments)["Volume"]["VolumeId"]
        self.wait(lambda: self.read_volume(volume_id)["State"], ["creating"], "available")
        return self.read_volume(volume_id)

    def read_volume(self, volume_id: str) -> Row:
        """Read a volume."""
        row = self._row("ReadVolumes", "Volumes", VolumeIds=[volume_id])
        assert row is not None
        return row

    def update_volume(self, volume_id: str, **arguments: Any) -> Row:
        """Change a volume; since 1.8, wait for the task that does it."""
        answer = self.api.call("UpdateVolume", VolumeId=volume_id, **arguments)["Volume"]
        if task := answer.get("TaskId"):

            def state() -> str:
                row = self._row("ReadVolumeUpdateTasks", "VolumeUpdateTasks", TaskIds=[task])
                return "" if row is None else str(row["State"])

            self.wait(state, ["pending", "in-progress", "active"], "completed")
        return self.read_volume(volume_id)

    def link(self, volume_id: str, vm_id: str, device_name: str) -> None:
        """Link a volume and wait for it."""
        self.api.call("LinkVolume", DeviceName=device_name, VmId=vm_id, VolumeId=volume_id)
        self.wait(lambda: self._link_state(volume_id), ["attaching"], "attached")
        assert self.read_volume(volume_id)["State"] == "in-use"

    def unlink(self, volume_id: str) -> None:
        """Unlink a volume and wait for it."""
        self.api.call("UnlinkVolume", VolumeId=volume_id, ForceUnlink=False)
        self.wait(lambda: self._link_state(volume_id), ["detaching", "attached"], "detached")

    def _link_state(self, volume_id: str) -> str:
        links = self.read_volume(volume_id)["LinkedVolumes"]
        return str(links[0]["State"]) if links else "detached"

    # --- outscale_vm

    def vm(self, tags: Mapping[str, str] | None = None, **arguments: Any) -> Row:
        """Create a VM, wait for it, and read it as the provider does."""
        request = {
            "BootOnCreation": True,
            "BsuOptimized": False,
            "DeletionProtection": False,
            "MaxVmsCount": 1,
            "MinVmsCount": 1,
        }
        vm_id = self.api.call("CreateVms", **request, **arguments)["Vms"][0]["VmId"]
        if tags:
            self._tag(vm_id, tags)
        self.wait(lambda: self.read_vm(vm_id)["State"], ["pending", "ending/wait"], "running")
        assert "AdminPassword" in self.api.call("ReadAdminPassword", VmId=vm_id)
        return self.read_vm(vm_id)

    def read_vm(self, vm_id: str) -> Row:
        """Read a VM."""
        row = self._row("ReadVms", "Vms", VmIds=[vm_id])
        assert row is not None
        return row

    def delete_vm(self, vm_id: str) -> None:
        """Delete a VM and wait until it is terminated."""
        self.api.call("DeleteVms", VmIds=[vm_id])
        pending = ["pending", "running", "stopped", "stopping", "shutting-down"]
        self.wait(lambda: self.read_vm(vm_id)["State"], pending, "terminated")


Todo = list[tuple[str, Row]]


def frieza(api: Go) -> None:
    """Delete all that an account has: list, delete in frieza's order, again until nothing is left.

    It goes on where a deletion is refused, for the next round will do it.
    """
    me = api.call("ReadAccounts")["Accounts"][0]["AccountId"]

    def delete_round() -> bool:
        deletions = [*_machines(api), *_network(api), *_images(api, me)]
        running = [parameters["VmIds"][0] for action, parameters in deletions if action == "DeleteVms"]
        with suppress(Refusal):
            api.call("StopVms", VmIds=running or None, ForceStop=True)
        for action, parameters in deletions:
            with suppress(Refusal):
                api.call(action, **parameters)
        return not deletions

    api.poll(delete_round, seconds=10)


def _machines(api: Go) -> Todo:
    vms = [vm for vm in api.call("ReadVms")["Vms"] if vm["State"] != "terminated"]
    groups = [g for g in api.call("ReadSecurityGroups")["SecurityGroups"] if g["SecurityGroupName"] != "default"]
    ips = api.call("ReadPublicIps")["PublicIps"]
    volumes = [volume for volume in api.call("ReadVolumes")["Volumes"] if volume["State"] != "deleting"]
    return [
        *(("DeleteVms", {"VmIds": [vm["VmId"]]}) for vm in vms),
        *(("DeleteSecurityGroup", {"SecurityGroupId": group["SecurityGroupId"]}) for group in groups),
        *(("UnlinkPublicIp", {"PublicIp": ip["PublicIp"]}) for ip in ips if "LinkPublicIpId" in ip),
        *(("DeletePublicIp", {"PublicIp": ip["PublicIp"]}) for ip in ips),
        *(("DeleteVolume", {"VolumeId": volume["VolumeId"]}) for volume in volumes),
        *(("DeleteKeypair", {"KeypairName": pair["KeypairName"]}) for pair in api.call("ReadKeypairs")["Keypairs"]),
    ]


def _network(api: Go) -> Todo:
    tables = api.call("ReadRouteTables")["RouteTables"]
    links = [(table, link) for table in tables for link in table["LinkRouteTables"]]
    main = {table["RouteTableId"] for table, link in links if link["Main"]}
    own = [table["RouteTableId"] for table in tables if table["RouteTableId"] not in main]
    services = api.call("ReadInternetServices")["InternetServices"]
    linked = [s for s in services if s.get("NetId")]
    subnets, nets = api.call("ReadSubnets")["Subnets"], api.call("ReadNets")["Nets"]
    return [
        *(("UnlinkRouteTable", {"LinkRouteTableId": k["LinkRouteTableId"]}) for _, k in links if not k["Main"]),
        *(("DeleteRouteTable", {"RouteTableId": table}) for table in own),
        *(
            ("UnlinkInternetService", {"InternetServiceId": s["InternetServiceId"], "NetId": s["NetId"]})
            for s in linked
        ),
        *(("DeleteInternetService", {"InternetServiceId": s["InternetServiceId"]}) for s in services),
        *(("DeleteSubnet", {"SubnetId": subnet["SubnetId"]}) for subnet in subnets),
        *(("DeleteNet", {"NetId": net["NetId"]}) for net in nets),
        *(("DeleteNic", {"NicId": nic["NicId"]}) for nic in api.call("ReadNics")["Nics"]),
    ]


def _images(api: Go, me: str) -> Todo:
    images = api.call("ReadImages", Filters={"AccountIds": [me]})["Images"]
    snapshots = api.call("ReadSnapshots", Filters={"AccountIds": [me]})["Snapshots"]
    return [
        *(("DeleteImage", {"ImageId": image["ImageId"]}) for image in images),
        *(("DeleteSnapshot", {"SnapshotId": snapshot["SnapshotId"]}) for snapshot in snapshots),
    ]
