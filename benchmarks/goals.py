"""Goals that are measured side by side: omisim, a null client and a peer, in turn, in one process.

A goal says what its sides are. `measure` runs them in short interleaved rounds of CPU time, so that a busy machine
affects all alike, and returns ratios with their spread.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from statistics import median, quantiles
from typing import Any, NamedTuple

import boto3
from moto import mock_aws

from benchmarks.fcu import LIMITS, NullHook, add_images, make_calls, make_calls_like, measure_seconds
from benchmarks.sdk import ADDED_LIMIT, Canned
from omisim import Cloud

__all__ = ["Figure", "Goal", "Ratio", "list_goals", "measure"]

Sides = Mapping[str, Callable[[], object]]  # "omisim", "null" and, if there is one, "peer"


class Ratio(NamedTuple):
    """The median of the ratios of all rounds, and the quartiles below and above it."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        """Return the median and the spread."""
        return f"{self.median:.2f} ({self.low:.2f} to {self.high:.2f})"


@dataclass(frozen=True)
class Goal:
    """One goal: omisim takes at most `limit` times as long as the null client, and `peer` at least `factor` times ours.

    A `limit` or `factor` of 0 is none. `sides` are measured `calls` times a round.
    """

    name: str
    sides: Sides
    null: str
    limit: float
    peer: str = ""
    factor: float = 0
    calls: int = 8


@dataclass(frozen=True)
class Figure:
    """What was measured: microseconds of omisim, its time over the null client's, and the peer's over omisim's."""

    goal: Goal
    microseconds: float
    over_null: Ratio
    peer_over: Ratio | None

    @property
    def holds(self) -> bool:
        """Whether the goal is reached."""
        is_near = not self.goal.limit or self.over_null.median <= self.goal.limit
        return is_near and (self.peer_over is None or self.peer_over.median >= self.goal.factor)


def measure(goal: Goal, rounds: int) -> Figure:
    """Measure the sides of a goal in turn."""
    times: dict[str, list[float]] = {side: [] for side in goal.sides}
    for number in range(rounds + 1):
        for side, call in goal.sides.items():
            seconds = measure_seconds(call, goal.calls)
            if number:  # the first round fills the caches
                times[side].append(seconds)
    own, peer = times["omisim"], times.get("peer")
    return Figure(
        goal,
        median(own) * 1e6,
        _divide(own, times["null"]),
        _divide(peer, own) if peer else None,
    )


def _divide(one: list[float], other: list[float]) -> Ratio:
    ratios = [a / b for a, b in zip(one, other, strict=True)]
    low, _, high = quantiles(ratios, n=4) if len(ratios) > 1 else (ratios[0], ratios[0], ratios[0])
    return Ratio(median(ratios), low, high)


@contextmanager
def list_goals(only: str = "", images: int = 1000) -> Iterator[list[Goal]]:
    """Yield the goals whose name contains a text, with the clients that they call."""
    cloud = Cloud()
    alice = cloud.account("alice")
    ours = alice.client("fcu")
    keys = {"aws_access_key_id": "A", "aws_secret_access_key": "B"}
    goals = [_make_sdk_goal(cloud)]
    with mock_aws():
        null = boto3.client("ec2", "eu-west-2", endpoint_url="https://fcu.eu-west-2.outscale.com", **keys)
        hook = NullHook(null, ours)
        moto = boto3.client("ec2", "eu-west-1", **keys)
        calls = make_calls(ours, "eu-west-2a", cloud.images.official("ubuntu").image_id)
        theirs = make_calls(moto, "eu-west-1a", moto.describe_images()["Images"][0]["ImageId"])
        canned = make_calls_like(calls, hook.client)
        for client in (ours, moto) if only in "boto3: DescribeImages of 1,000" else ():
            add_images(client, client.describe_instances()["Reservations"][0]["Instances"][0]["InstanceId"], images)
        for name, (limit, factor, times) in LIMITS.items():
            sides = {"omisim": calls[name], "null": canned[name], "peer": theirs[name]}
            goals.append(Goal(f"boto3: {name}", sides, "boto3 with canned bytes", limit, "moto", factor, times))
        gc.collect()
        gc.freeze()  # the collections within the rounds then pass over it
        try:
            yield [goal for goal in goals if only in goal.name]
        finally:
            gc.unfreeze()


def _make_sdk_goal(cloud: Cloud) -> Goal:
    alice = cloud.account("alice")
    volume = alice.create_volume(subregion_name="eu-west-2a", size=10)
    ours, canned = alice.gateway(), alice.gateway()
    bodies: list[bytes] = []

    def keep_body(response: Any, *_args: Any, **_kwargs: Any) -> None:
        bodies.append(response.content)

    read = {"Filters": {"VolumeIds": [volume.volume_id]}}
    ours.call.session.hooks["response"] = [keep_body]
    ours.ReadVolumes(**read)
    ours.call.session.hooks["response"] = []
    canned.call.session.mount("https://", Canned(bodies[0]))
    sides = {"omisim": partial(ours.ReadVolumes, **read), "null": partial(canned.ReadVolumes, **read)}
    return Goal("SDK: ReadVolumes by id", sides, "the SDK with canned bytes", 1 + ADDED_LIMIT, calls=50)
