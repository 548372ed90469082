"""The manifest of an exported OMI, which exports write and imports read."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from omisim.base.foreign import parse_json, parse_url
from omisim.base.frozen import frozen
from omisim.base.subset import shorten
from omisim.formats.disk_image import GIB, to_gib
from omisim.model.base import ARCHITECTURES, BOOT_MODES
from omisim.spec import limits
from omisim.spec.rules import refuse

__all__ = ["Manifest", "ManifestDisk", "parse_manifest", "write_manifest"]

VERSION = 1
_PARTITION = re.compile(r"/dev/sda[1-9]")  # the root, and the guide's own /dev/sda2


@frozen(kw_only=True)
class ManifestDisk:
    """One device of the OMI: the URL of its disk image, and the values of its volume. `size` is in bytes."""

    device: str
    url: str
    size: int
    filename: str = ""
    volume_type: str = "standard"
    iops: int | None = None
    delete_on_termination: bool = True


@frozen(kw_only=True)
class Manifest:
    """The exported values of an OMI: its licences and its disks, including the root."""

    product_types: tuple[str, ...]
    disks: tuple[ManifestDisk, ...]
    name: str = ""
    description: str = ""
    architecture: str = "x86_64"
    boot_modes: tuple[str, ...] = ("legacy",)
    tpm_mandatory: bool = False
    public: bool = False


def write_manifest(manifest: Manifest) -> bytes:
    """Serialize a manifest to its JSON file."""
    snapshots = [
        {
            "Device": disk.device,
            "Filename": disk.filename,
            "PreSignedUrl": disk.url,
            "Size": disk.size,
            "VolumeType": disk.volume_type,
            "Iops": disk.iops,
            "DeleteOnTermination": disk.delete_on_termination,
        }
        for disk in manifest.disks
    ]
    image = {
        "Name": manifest.name,
        "Description": manifest.description,
        "Architecture": manifest.architecture,
        "Type": "machine",
        "ProductTypes": list(manifest.product_types),
        "Public": manifest.public,
        "Snapshots": snapshots,
    }
    return json.dumps({"Version": VERSION, "Image": image}, indent=2).encode()


def parse_manifest(text: bytes) -> Manifest:
    """Parse a manifest file. Unknown keys are ignored (MAN-017). Raises ApiError."""
    try:
        whole = parse_json(text)
    except ValueError as error:
        raise refuse("IMP-003", reason=str(error)) from None
    reader = _Reader(whole, "the manifest")
    version = reader.get_required("Version", int)
    if version != VERSION:
        raise refuse("MAN-001", version=version)
    return _read_image(reader.get_required("Image", dict))


def _read_image(image: _Reader) -> Manifest:
    disks = tuple(
        _read_disk(entry, f"Image.Snapshots[{n}]") for n, entry in enumerate(image.get_required("Snapshots", list))
    )
    devices = [disk.device for disk in disks]
    architecture = image.get_optional("Architecture", str, "x86_64")
    kind = image.get_optional("Type", str, "machine")
    modes = image.get_optional("BootModes", list, ["legacy"])
    codes = image.get_required("ProductTypes", list)
    unique = devices.count(limits.ROOT) == 1 and len(set(devices)) == len(devices)
    are_modes = modes and all(mode in BOOT_MODES for mode in modes)
    are_codes = codes and all(isinstance(code, str) for code in codes)
    image.check(
        (unique, f"Snapshots must have unique devices that include {limits.ROOT}, not {devices}"),
        (
            architecture in ARCHITECTURES,
            f"Architecture must be one of {', '.join(ARCHITECTURES)}, not {architecture!r}",
        ),
        (kind == "machine", f"Type must be machine, not {kind!r}"),
        (are_modes, f"BootModes must be a list of {' and '.join(BOOT_MODES)}, not {modes!r}"),
        (are_codes, f"ProductTypes must be a list of product codes, not {codes!r}"),
    )
    return Manifest(
        product_types=tuple(dict.fromkeys(codes)),
        disks=disks,
        name=image.get_optional("Name", str, ""),
        description=image.get_optional("Description", str, ""),
        architecture=architecture,
        boot_modes=tuple(dict.fromkeys(modes)),
        tpm_mandatory=image.get_optional("TpmMandatory", bool, default=False),
        public=image.get_optional("Public", bool, default=False),
    )


def _read_disk(entry: object, where: str) -> ManifestDisk:
    reader = _Reader(entry, where)
    disk = ManifestDisk(
        device=reader.get_required("Device", str),
        url=reader.get_required("PreSignedUrl", str),
        size=reader.get_required("Size", int),
        filename=reader.get_optional("Filename", str, ""),
        volume_type=reader.get_optional("VolumeType", str, "standard"),
        iops=reader.get_optional("Iops", int, None),
        delete_on_termination=reader.get_optional("DeleteOnTermination", bool, default=True),
    )
    is_device = _PARTITION.fullmatch(disk.device) or limits.DATA_DEVICE.fullmatch(disk.device)
    largest, types = limits.MAX_SIZE * GIB, limits.VOLUME_TYPES
    reader.check(
        (0 < disk.size <= largest, f"Size must be 1 to {largest} bytes, not {disk.size}"),
        (disk.volume_type in types, f"VolumeType must be one of {', '.join(types)}, not {disk.volume_type!r}"),
        (_is_url(disk.url), f"PreSignedUrl must be a URL, not {shorten(disk.url.partition('?')[0])}"),
        (is_device, f"Device must be a device name, for example {limits.ROOT}, not {disk.device!r}"),
        *_list_iops_conditions(disk),
    )
    return disk


def _is_url(text: str) -> bool:
    try:
        parse_url(text)
    except ValueError:
        return False
    return True


def _list_iops_conditions(disk: ManifestDisk) -> list[tuple[bool, str]]:
    """Return the conditions of a disk's IOPS, each with what to say if it is not met."""
    if disk.volume_type != "io1":
        return [(disk.iops is None, f"Iops is allowed for io1 only, not {disk.iops!r}")]
    size, iops = to_gib(disk.size), disk.iops or 0
    least, most = limits.MIN_IOPS, min(limits.MAX_IOPS, limits.IOPS_PER_GIB * size)
    smallest = limits.MIN_IO1_SIZE
    return [
        (size >= smallest, f"Size must be at least {smallest} GiB for io1, not {disk.size} bytes"),
        (least <= iops <= most, f"Iops must be {least} to {most} for {size} GiB of io1, not {disk.iops!r}"),
    ]


_NAMES = {str: "a string", int: "an integer", bool: "true or false", list: "a list", dict: "an object"}


class _Reader:
    """An object of the manifest and its path, for error texts."""

    def __init__(self, value: object, where: str) -> None:
        if not isinstance(value, Mapping):
            raise refuse("IMP-004", reason=f"{where} must be an object, not {shorten(value)}")
        self._value: Mapping[str, Any] = value
        self._where = where

    def get_required(self, key: str, cls: type) -> Any:
        """Return a required value. Raises ApiError if it is missing or has another type."""
        if self._value.get(key) is None:
            raise refuse("IMP-004", reason=f"{self._where} has no {key}")
        return self.get_optional(key, cls, None)

    def get_optional(self, key: str, cls: type, default: object) -> Any:
        """Return a value, or the default if it is absent or null. Raises ApiError for another type."""
        value = self._value.get(key)
        if value is None:
            return default
        if not isinstance(value, cls) or (isinstance(value, bool) and cls is not bool):
            raise refuse("IMP-004", reason=f"{self._where}.{key} must be {_NAMES[cls]}, not {value!r}")
        below = key if self._where == "the manifest" else f"{self._where}.{key}"
        return _Reader(value, below) if cls is dict else value

    def check(self, *conditions: tuple[object, str]) -> None:
        """Raise ApiError for the first condition that is not met, each with what to say then."""
        for is_met, problem in conditions:
            if not is_met:
                raise refuse("IMP-004", reason=f"{self._where}.{problem}")
