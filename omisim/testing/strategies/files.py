"""Strategies for valid and broken files: manifests of exported OMIs, disk images and scenarios."""

from __future__ import annotations

import gzip
import json
from typing import Any, Literal

from hypothesis import strategies as st

from omisim.base.hosts import DEFAULT_REGION
from omisim.formats.disk_image import FORMATS, GIB, encode
from omisim.formats.manifest import Manifest, ManifestDisk, write_manifest
from omisim.model import Content
from omisim.spec.limits import ROOT
from omisim.testing.strategies.values import check_choice, check_strings

__all__ = ["disk_images", "manifests", "scenarios"]

_PATHS = st.text("abcdefghij/._-", min_size=1, max_size=12).map(lambda path: f"/{path}")


def disk_images(form: Literal["qcow2", "raw"] = "qcow2", *, valid: bool = True) -> st.SearchStrategy[tuple[bytes, int]]:
    """Draw gzipped disk images as in a bucket, with their virtual size in bytes.

    Valid images hold files that `cloud.read` finds in a volume created from them. Images with `valid=False` cannot be
    imported: they are truncated, are not gzip files, or (qcow2) have a damaged header.
    """
    check_choice("form", form, FORMATS)
    check_choice("valid", valid, (True, False))
    contents = st.builds(
        lambda version, files: Content(version, tuple(sorted(files.items()))),
        st.integers(1, 9),
        st.dictionaries(_PATHS, st.text(max_size=20), max_size=3),
    )
    good = st.builds(lambda content, size: (encode(content, size, form), size * GIB), contents, st.integers(1, 40))
    if valid:
        return good
    damages = ["cut", "bits"] if form == "raw" else ["cut", "bits", "magic", "version"]
    return st.builds(lambda image, how: (_damage(image[0], how), image[1]), good, st.sampled_from(damages))


def _damage(image: bytes, how: str) -> bytes:
    if how == "cut":
        return image[: len(image) // 2]
    if how == "bits":
        return image[:3] + b"\xff" + image[4:-9] + bytes(9)  # unknown gzip flags, and a zeroed checksum
    plain = bytearray(gzip.decompress(image))
    plain[0 if how == "magic" else 7] = 99
    return gzip.compress(bytes(plain), mtime=0)


def manifests(urls: list[str], *, valid: bool = True) -> st.SearchStrategy[bytes]:
    """Draw manifests of OMIs with disk images at these URLs, the root first.

    Manifests with `valid=False` are refused by an import: they are not JSON, lack a key, have a key of a wrong type, or
    name a device twice (IMP-003, IMP-004). Raises ValueError for an empty list of URLs.
    """
    check_choice("valid", valid, (True, False))
    disk_urls = check_strings("urls", urls)
    if not disk_urls:
        raise ValueError(f"urls must be a list of at least one URL, not {urls!r}")
    devices = [ROOT, *(f"/dev/sd{letter}" for letter in "bcdefghij")][: len(disk_urls)]
    disk = st.builds(
        lambda device_url, size, keep: ManifestDisk(
            device=device_url[0],
            url=device_url[1],
            size=size * GIB,
            filename="disk.qcow2.gz",
            delete_on_termination=keep,
        ),
        st.sampled_from(list(zip(devices, disk_urls, strict=False))),
        st.integers(40, 60),
        st.booleans(),
    )
    good = st.builds(
        lambda disks, codes, name, public: write_manifest(
            Manifest(product_types=tuple(codes), disks=tuple(disks), name=name, public=public)
        ),
        st.lists(disk, min_size=1, unique_by=lambda mapping: mapping.device).filter(_has_root),
        st.lists(st.sampled_from(["0001", "0002", "0006"]), min_size=1, unique=True),
        st.text("golden-", min_size=3, max_size=8),
        st.booleans(),
    )
    if valid:
        return good
    return st.builds(
        _break_manifest, good, st.sampled_from(["cut", "no codes", "no disks", "version", "twice", "type"])
    )


def _has_root(disks: list[ManifestDisk]) -> bool:
    return any(disk.device == ROOT for disk in disks)


def _break_manifest(manifest: bytes, how: str) -> bytes:
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
    """Draw scenarios as TOML text for `Cloud.from_scenario`, with accounts, a VM, and steps that use it."""
    region = st.sampled_from([DEFAULT_REGION, "us-east-2"])
    steps = st.lists(st.sampled_from(sorted(_STEPS)), max_size=4, unique=True)
    return st.builds(_render_scenario, st.sampled_from(["eager", "clock"]), region, st.integers(0, 3), steps)


_STEPS = {
    "image": 'do = "CreateImage"\nas = "golden"\nVmId = "{builder}"\nImageName = "golden"',
    "snapshot": 'do = "CreateSnapshot"\nVolumeId = "{builder/dev/sda1}"',
    "stop": 'do = "StopVms"\nVmIds = ["{builder}"]',
    "volume": 'do = "CreateVolume"\nas = "data"\nSize = 10\nSubregionName = "{region}a"',
}


def _render_scenario(timing: str, region: str, others: int, steps: list[str]) -> str:
    accounts = [f'alice = {{ region = "{region}" }}', *(f"other-{number} = {{}}" for number in range(others))]
    head = [f'[cloud]\ntiming = "{timing}"', "[accounts]\n" + "\n".join(accounts)]
    launch = 'do = "CreateVms"\nas = "builder"\nImageId = "{official/debian}"'
    texts = [launch, *(_STEPS[step].replace("{region}", region) for step in steps)]
    return "\n\n".join([*head, *(f"[[steps]]\n{text}" for text in texts)]) + "\n"
