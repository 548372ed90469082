"""Strategies of files: manifests of exported OMIs, disk images and scenarios, good and broken."""

from __future__ import annotations

import gzip
import json
from typing import Any

from hypothesis import strategies as st

from omisim.base.hosts import DEFAULT_REGION
from omisim.formats.disk_image import FORMATS, GIB, encode
from omisim.formats.manifest import Manifest, ManifestDisk, write_manifest
from omisim.model import Content
from omisim.testing.strategies.values import ROOT, one_of_these, texts

__all__ = ["disk_images", "manifests", "scenarios"]

_PATHS = st.text("abcdefghij/._-", min_size=1, max_size=12).map(lambda path: f"/{path}")


def disk_images(form: str = "qcow2", *, valid: bool = True) -> st.SearchStrategy[tuple[bytes, int]]:
    """Draw disk images, gzipped as in a bucket, and their virtual size in bytes; or ones that cannot be imported.

    Good ones hold files that `cloud.read` finds once a volume is made from them. Broken ones are cut off, are no gzip,
    or (qcow2) have a damaged header.
    """
    one_of_these("form", form, FORMATS)
    one_of_these("valid", valid, (True, False))
    contents = st.builds(
        lambda version, files: Content(version, tuple(sorted(files.items()))),
        st.integers(1, 9),
        st.dictionaries(_PATHS, st.text(max_size=20), max_size=3),
    )
    good = st.builds(lambda content, size: (encode(content, size, form), size * GIB), contents, st.integers(1, 40))
    if valid:
        return good
    wrecks = ["cut", "bits"] if form == "raw" else ["cut", "bits", "magic", "version"]
    return st.builds(lambda image, how: (_wrecked(image[0], how), image[1]), good, st.sampled_from(wrecks))


def _wrecked(image: bytes, how: str) -> bytes:
    if how == "cut":
        return image[: len(image) // 2]
    if how == "bits":
        return image[:3] + b"\xff" + image[4:-9] + bytes(9)  # flags that gzip does not know, and no checksum
    plain = bytearray(gzip.decompress(image))
    plain[0 if how == "magic" else 7] = 99
    return gzip.compress(bytes(plain), mtime=0)


def manifests(urls: list[str], *, valid: bool = True) -> st.SearchStrategy[bytes]:
    """Draw manifests of OMIs whose disks lie behind these URLs, the root first; or ones that an import refuses.

    Broken ones are no JSON, lack a key, have a key of a wrong type, or name a device twice (IMP-003, IMP-004).
    Raises ValueError without a URL.
    """
    one_of_these("valid", valid, (True, False))
    places = texts("urls", urls)
    if not places:
        raise ValueError("a manifest names the images of its disks: name their URLs")
    devices = [ROOT, *(f"/dev/sd{letter}" for letter in "bcdefghij")][: len(places)]
    disk = st.builds(
        lambda place, size, keep: ManifestDisk(
            device=place[0], url=place[1], size=size * GIB, filename="disk.qcow2.gz", delete_on_termination=keep
        ),
        st.sampled_from(list(zip(devices, places, strict=False))),
        st.integers(40, 60),
        st.booleans(),
    )
    good = st.builds(
        lambda disks, codes, name, public: write_manifest(
            Manifest(product_types=tuple(codes), disks=tuple(disks), name=name, public=public)
        ),
        st.lists(disk, min_size=1, unique_by=lambda one: one.device).filter(_has_root),
        st.lists(st.sampled_from(["0001", "0002", "0006"]), min_size=1, unique=True),
        st.text("golden-", min_size=3, max_size=8),
        st.booleans(),
    )
    if valid:
        return good
    return st.builds(_spoilt, good, st.sampled_from(["cut", "no codes", "no disks", "version", "twice", "type"]))


def _has_root(disks: list[ManifestDisk]) -> bool:
    return any(disk.device == ROOT for disk in disks)


def _spoilt(manifest: bytes, how: str) -> bytes:
    data: dict[str, Any] = json.loads(manifest)
    image = data["Image"]
    match how:
        case "cut":
            return manifest[:-2]
        case "no codes":
            image["ProductTypes"] = []
        case "no disks":
            image["Snapshots"] = []
        case "version":
            data["Version"] = 99
        case "twice":
            image["Snapshots"] *= 2
        case _:
            image["Snapshots"] = "snap-00000000"
    return json.dumps(data).encode()


def scenarios() -> st.SearchStrategy[str]:
    """Draw scenarios, the text of a TOML file for `Cloud.from_scenario`: accounts, a VM, and what comes of it."""
    region = st.sampled_from([DEFAULT_REGION, "us-east-2"])
    steps = st.lists(st.sampled_from(sorted(_STEPS)), max_size=4, unique=True)
    return st.builds(_scenario, st.sampled_from(["eager", "clock"]), region, st.integers(0, 3), steps)


_STEPS = {
    "image": 'do = "CreateImage"\nas = "golden"\nVmId = "{builder}"\nImageName = "golden"',
    "snapshot": 'do = "CreateSnapshot"\nVolumeId = "{builder/dev/sda1}"',
    "stop": 'do = "StopVms"\nVmIds = ["{builder}"]',
    "volume": 'do = "CreateVolume"\nas = "data"\nSize = 10\nSubregionName = "{region}a"',
}


def _scenario(timing: str, region: str, others: int, steps: list[str]) -> str:
    accounts = [f'alice = {{ region = "{region}" }}', *(f"other-{number} = {{}}" for number in range(others))]
    head = [f'[cloud]\ntiming = "{timing}"', "[accounts]\n" + "\n".join(accounts)]
    launch = 'do = "CreateVms"\nas = "builder"\nImageId = "{official/debian}"'
    texts = [launch, *(_STEPS[step].replace("{region}", region) for step in steps)]
    return "\n\n".join([*head, *(f"[[steps]]\n{text}" for text in texts)]) + "\n"
