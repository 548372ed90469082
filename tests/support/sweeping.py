"""Setups, code under test and views of reports for the tests of sweeps."""

from __future__ import annotations

from collections.abc import Iterable

from support.catalogue import SUBREGION

from omisim import ApiError, Cloud
from omisim.testing.sweeps import Kind, SweepReport, World
from omisim.testing.sweeps.inventory import normalize

LOST: list[Kind] = ["lost"]


class Failed(Exception):
    """An error of the code's own."""


def setup() -> Cloud:
    """Return a cloud with an account."""
    cloud = Cloud()
    cloud.account("alice")
    return cloud


def stored() -> Cloud:
    """Return a cloud with an account that has a bucket with two objects."""
    cloud = setup()
    oos = cloud.account("alice").client("oos")
    oos.create_bucket(Bucket="images")
    for key in ("a", "b"):
        oos.put_object(Bucket="images", Key=key, Body=b"")
    return cloud


def make_clock_cloud() -> Cloud:
    """Return a cloud with an account whose transitions take time."""
    cloud = Cloud(timing="clock")
    cloud.account("alice")
    return cloud


def create_volume(cloud: Cloud) -> None:
    """Create a volume, and report each failure by an error of its own."""
    try:
        cloud.account("alice").call("CreateVolume", SubregionName=SUBREGION, Size=1)
    except (ApiError, ConnectionError) as error:
        raise Failed from error


def retry(cloud: Cloud) -> None:
    """Create a volume, and repeat a call that fails."""
    try:
        create_volume(cloud)
    except Failed:
        create_volume(cloud)


def get_only_world(report: SweepReport) -> World:
    """Return the only finding of a report."""
    (finding,) = report.findings
    return finding


def outcomes(report: SweepReport) -> dict[str, str]:
    """Return the outcome of each world by its deviation."""
    return {without_ids(world.title): world.outcome for world in report.worlds}


def without_ids(text: str) -> str:
    """Return a text with the kinds of its ids."""
    return str(normalize(text))


def details(worlds: Iterable[World]) -> set[str]:
    """Return the details of some worlds."""
    return {without_ids(line) for world in worlds for line in world.details}
