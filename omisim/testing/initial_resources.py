"""The resources that each account of a random history begins with: `CloudMachine.starts_with` and `clouds()`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final, NamedTuple

from hypothesis import strategies as st

from omisim.testing.recorder import Recorder
from omisim.testing.strategies.values import check_choice

__all__ = ["KINDS", "Planned", "check_counts", "create", "initial_resources"]

WORDS: Final = ("amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "heron")
WAITS: Final = (0, 60, 3_600, 86_400, 2_592_000)  # seconds from one resource to the next
USUALLY: Final = 4  # one list in five has fewer resources than `starts_with` says


class Planned(NamedTuple):
    """A resource to create: its kind, its name, and the seconds to wait before."""

    kind: str
    name: str
    wait: int

    def __repr__(self) -> str:
        """Show it in the report of a failure."""
        return f"{self.kind} {self.name}" + (f" after {self.wait} s" if self.wait else "")


@st.composite
def initial_resources(draw: Callable[[st.SearchStrategy[Any]], Any], counts: Mapping[str, int]) -> list[Planned]:
    """Draw at most so many resources of each kind, and usually as many; shrinks to none.

    Names are drawn independently of the order of creation, so that resources sorted by name are seldom sorted by date.
    """
    planned = []
    for kind, count in counts.items():
        for number in range(1, count + 1):
            is_present = draw(st.integers(0, USUALLY * count))
            word, wait = draw(st.sampled_from(WORDS)), draw(st.sampled_from(WAITS))
            if is_present:  # all is drawn even if it is left out: a sequence of draws of one shape shrinks fast
                planned.append(Planned(kind, f"{word}-{number}", wait))
    return planned


def create(recorder: Recorder, account: str, planned: list[Planned]) -> None:
    """Create the resources for an account, each finished before the next."""
    for kind, name, wait in planned:
        if wait:
            recorder.do(f"cloud.advance({wait})", partial(recorder.cloud.advance, wait))
        KINDS[kind](recorder, account, name)


def _create_image(recorder: Recorder, account: str, name: str) -> None:
    source = _official(recorder, account)
    region = recorder.account(account).region
    recorder.call_unchecked(account, "CreateImage", SourceImageId=source, SourceRegionName=region, ImageName=name)


def _create_keypair(recorder: Recorder, account: str, name: str) -> None:
    recorder.call_unchecked(account, "CreateKeypair", KeypairName=name)


def _create_snapshot(recorder: Recorder, account: str, name: str) -> None:
    volume = _create_volume(recorder, account, name)
    if volume:
        recorder.call_unchecked(account, "CreateSnapshot", VolumeId=volume["Volume"]["VolumeId"], Description=name)
        recorder.finish()


def _create_vm(recorder: Recorder, account: str, name: str) -> None:
    launched = recorder.call_unchecked(account, "CreateVms", ImageId=_official(recorder, account))
    if launched:
        _name(recorder, account, launched["Vms"][0]["VmId"], name)


def _create_volume(recorder: Recorder, account: str, name: str) -> dict[str, Any] | None:
    subregion = f"{recorder.account(account).region}a"
    volume = recorder.call_unchecked(account, "CreateVolume", SubregionName=subregion, Size=10)
    if volume:
        _name(recorder, account, volume["Volume"]["VolumeId"], name)
    return volume


def _name(recorder: Recorder, account: str, resource_id: str, name: str) -> None:
    """Name a resource by a tag, and finish it."""
    recorder.call_unchecked(account, "CreateTags", ResourceIds=[resource_id], Tags=[{"Key": "Name", "Value": name}])
    recorder.finish()


def _official(recorder: Recorder, account: str) -> str:
    return recorder.cloud.images.official("debian", recorder.account(account).region).image_id


KINDS: Final[Mapping[str, Callable[[Recorder, str, str], object]]] = {
    "image": _create_image, "keypair": _create_keypair, "snapshot": _create_snapshot, "vm": _create_vm,
    "volume": _create_volume,
}  # fmt: skip


def check_counts(counts: object, alternative: str = "") -> None:
    """Check the numbers of resources by kind. Raises ValueError, which also names what else `starts_with` may be."""
    if not isinstance(counts, Mapping):
        raise ValueError(f"starts_with must map kinds to numbers{alternative}, not {counts!r}")
    for kind, count in counts.items():
        check_choice("each key of starts_with", kind, tuple(KINDS))
        if type(count) is not int or count < 0:
            raise ValueError(f"starts_with[{kind!r}] must be an int from 0, not {count!r}")
