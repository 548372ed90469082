"""What calls cost, in numbers that are the same in each run, against a table: `python tests/tools/counts.py`.

A count is the number of lines of omisim that a call executes on CPython 3.11, with the rows that it lists
(`support.growth`), after earlier calls have filled the caches. `tests/tools/test_counts.py` fails if a count is 10 %
above its entry in the table. `--write` replaces the table: for a change that costs more on purpose, or that costs less.
"""

from __future__ import annotations

import argparse
import json
import sys
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.growth import measure
from support.sign import sign_request

from omisim import Account, Cloud
from omisim.doors.front import FrontDoor
from omisim.tools.check import Bounds, check

__all__ = ["MARGIN", "TABLE", "find_regressions", "measure_calls", "read_table"]

TABLE = Path(__file__).with_name("counts.toml")
MARGIN = 0.1  # how much more than in the table a call may cost
WARM_UP = 3  # calls before the one that is counted
COMMAND = "python tests/tools/counts.py --write"
SUBREGION = "eu-west-2a"


def measure_calls() -> dict[str, int]:
    """Return the count of each call by its name."""
    cloud = Cloud()
    alice = cloud.account("alice")
    vm_id = alice.create_vms(image_id=cloud.images.official("debian").image_id)[0].vm_id
    volumes = [alice.create_volume(subregion_name=SUBREGION, size=1).volume_id for _ in range(100)]
    calls = _list_typed_calls(cloud, alice, vm_id, volumes) | _list_requests(cloud, alice, volumes)
    counts = {name: _count(cloud, call) for name, call in calls.items()}
    small = Bounds(accounts=1, regions=1, images=1)
    return counts | {"check two calls deep": _count(cloud, lambda: check(small, 2))}


def _count(cloud: Cloud, call: Callable[[], object]) -> int:
    counts = []
    for _ in range(WARM_UP + 1):
        with cloud.savepoint():
            counts.append(measure(call))
    return counts[-1]


def _list_typed_calls(cloud: Cloud, alice: Account, vm_id: str, volumes: list[str]) -> dict[str, Callable[[], object]]:
    debian = cloud.images.official("debian").image_id

    def write_and_roll_back() -> None:
        with cloud.savepoint():
            alice.create_volume(subregion_name=SUBREGION, size=1)

    return {
        "Cloud() and an account": lambda: Cloud().account("alice"),
        "Cloud.fork and a write": lambda: cloud.fork().account("alice").create_volume(subregion_name=SUBREGION, size=1),
        "a savepoint around create_volume": write_and_roll_back,
        "create_volume": lambda: alice.create_volume(subregion_name=SUBREGION, size=1),
        "create_snapshot": lambda: alice.create_snapshot(volume_id=volumes[0]),
        "create_vms": lambda: alice.create_vms(image_id=debian),
        "create_image from a VM": lambda: alice.create_image(vm_id=vm_id, image_name="golden"),
        "read_volumes by id": lambda: alice.read_volumes(filters={"volume_ids": [volumes[0]]}),
        "read_volumes of 100": alice.read_volumes,
        "read_images of the catalogue": alice.read_images,
        "why_not": lambda: alice.why_not("CreateVms", ImageId="ami-00000000"),
        "Cloud.dump": cloud.dump,
    }


def _list_requests(cloud: Cloud, alice: Account, volumes: list[str]) -> dict[str, Callable[[], object]]:
    """Return calls from the bytes of a signed request to the bytes of the answer; each is sent again and again."""
    front = FrontDoor(cloud.engine)
    bodies: Mapping[str, Any] = {
        "ReadVolumes": {"Filters": {"VolumeIds": [volumes[0]]}},
        "CreateVolume": {"SubregionName": SUBREGION, "Size": 1},
        "ReadImages": {},
    }

    def send(action: str, body: Any) -> Callable[[], object]:
        request = sign_request(alice, f"/api/v1/{action}", json.dumps(body).encode(), at=cloud.now)
        return lambda: front.handle("api", request, cloud.now)

    return {f"{action}, bytes to bytes": send(action, body) for action, body in bodies.items()}


def read_table() -> dict[str, int]:
    """Return the committed counts."""
    table: dict[str, int] = tomllib.loads(TABLE.read_text("utf-8"))
    return table


def find_regressions(counts: Mapping[str, int], table: Mapping[str, int]) -> list[str]:
    """Return a line for each call that costs over 10 % more than in the table, or is missing in one of the two."""
    lines = [f"{name}: in one of the two alone" for name in sorted(counts.keys() ^ table.keys())]
    for name in counts.keys() & table.keys():
        if counts[name] > table[name] * (1 + MARGIN):
            more = counts[name] / table[name] - 1
            lines.append(f"{name}: {counts[name]} lines and rows, {more:.0%} more than the {table[name]} of the table")
    return lines


def main(words: list[str]) -> int:
    """Compare or write the table; return 1 for a call that costs more."""
    parser = argparse.ArgumentParser(description="compare what calls cost with a table of lines and rows")
    parser.add_argument("--write", action="store_true", help=f"replace {TABLE.name}")
    options = parser.parse_args(words)
    counts = measure_calls()
    if options.write:
        lines = [f"{json.dumps(name)} = {count}\n" for name, count in counts.items()]
        TABLE.write_text(f"# lines of omisim and rows that a call takes on CPython 3.11: {COMMAND}\n{''.join(lines)}")
        return 0
    table = read_table()
    print("     now    table  call")
    for name, count in counts.items():
        print(f"{count:>8} {table.get(name, 0):>8}  {name}")
    regressions = find_regressions(counts, table)
    print("\n".join([*regressions, f"If this is on purpose: {COMMAND}"] if regressions else ["no call costs more"]))
    return int(bool(regressions))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
