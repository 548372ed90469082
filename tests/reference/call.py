"""One call: its refusals are collected in any order, and the first class of REQ-014 wins."""

from __future__ import annotations

import re
from typing import Any

from reference.states import REFUSED
from reference.world import KINDS, Row, World

__all__ = ["EXISTENCE", "STATE", "UNKNOWN", "Call", "Dry", "Refused", "rank", "status"]

# The order of checks [REQ-014]: the first range that holds a code gives its rank.
ORDER = (
    (3001, 3001),  # unknown parameters
    (4110, 4110),  # types
    (7000, 7999),  # what is required
    (3000, 3999),  # combinations
    (4104, 4105),  # the shape of ids
    (4000, 4999),  # values
    (5000, 5999),  # existence, visibility
    (1, 20),  # ownership
    (6000, 9999),  # states, conflicts
    (10003, 10999),  # quotas
    (10001, 10001),  # capacity
)


EXISTENCE, STATE, LAST = 7, 8, len(ORDER)


def rank(code: str) -> int:
    """Return the place of a code in the order of checks."""
    return next(place for place, (first, last) in enumerate(ORDER) if first <= int(code) <= last)


def status(code: str) -> int:
    """Return the HTTP status of a code. [9.6]"""
    return 401 if code == "5" else 409 if code[0] in "69" else 400


class Refused(Exception):
    """The codes of the first class of checks that a call does not pass; where it fails there twice, either is right."""

    def __init__(self, codes: list[str]) -> None:
        super().__init__(", ".join(codes))
        self.codes = codes


class Dry(Exception):
    """A call that only asked whether it would succeed. [REQ-013]"""


class Call:
    """Who calls with what, and what speaks against it so far."""

    def __init__(self, world: World, account: Row, given: Row) -> None:
        self.world, self.account, self.given = world, account, given
        self.codes: dict[str, int] = {}  # with the ranks of their checks

    def __getitem__(self, name: str) -> Any:
        """Return a parameter, or None."""
        return self.given.get(name)

    def get(self, name: str, default: Any) -> Any:
        """Return a parameter, or what counts where it is not given."""
        return self.given.get(name, default)

    def check(self, holds: object, code: str, *, after: int = 0) -> None:
        """Hold against the call what does not hold.

        A value that is judged against a resource comes after the existence of resources: `after=EXISTENCE`.
        """
        if not holds:
            self.codes[code] = min(max(rank(code), after), self.codes.get(code, LAST))

    def decide(self) -> None:
        """End the checks."""
        if self.codes:
            first = min(self.codes.values())
            raise Refused([code for code, place in self.codes.items() if place == first])
        if self["DryRun"]:
            raise Dry

    # tokens

    def again(self, action: str, kind: str) -> list[Row]:
        """Return what the same request with this token made; all else with it is refused. [SNP-014, VOL-017, VM-008]"""
        key = (self.account["id"], action, self["ClientToken"])
        if key not in self.world.tokens:
            return []
        given, made = self.world.tokens[key]
        self.check(given == self._asked(), "4119")
        self.check(all(row in self.world.rows[kind].values() for row in made), "4119")  # what it made is gone
        self.decide()
        return made

    def remember(self, action: str, made: list[Row]) -> None:
        """Keep what a token made."""
        if self["ClientToken"]:
            self.world.tokens[self.account["id"], action, self["ClientToken"]] = (self._asked(), made)

    def _asked(self) -> Row:
        return {name: value for name, value in self.given.items() if name != "DryRun"}

    # resources

    def shaped(self, value: str, *prefixes: str) -> bool:
        """Check the prefix and the shape of an id. [ID-015, ID-016]"""
        prefix = next((one for one in prefixes if value.startswith(f"{one}-")), None)
        self.check(prefix, "4104")
        good = prefix is not None and re.fullmatch(r"[0-9a-f]{8}", value.removeprefix(f"{prefix}-"))
        self.check(prefix is None or good, "4105")
        return bool(good)

    def find(self, kind: str, value: str, *, own: bool = False) -> Row | None:
        """Return what an id stands for, if the caller sees it, or owns it where that is asked. [ID-018]"""
        prefixes = ("ami", "ari", "aki") if kind == "Image" else (KINDS[kind][0],)
        if not self.shaped(value, *prefixes):
            return None
        row = self.world.rows[kind].get(value)
        if row and self.world.sees(kind, self.account, row) and (not own or self.owns(row)):
            return row
        self.check(holds=False, code=UNKNOWN[kind])
        return None

    def owns(self, row: Row) -> bool:
        """Say whether a row is the caller's."""
        return bool(row["owner"] == self.account["id"])

    def may(self, kind: str, row: Row | None, action: str) -> bool:
        """Check that the state of a row allows an action, and say whether it does."""
        code = REFUSED[kind, action].get(self.world.state(kind, row)) if row else None
        self.check(code is None, code or "")
        return code is None

    # quotas

    def room(self, quota: str, used: float, more: float, code: str) -> None:
        """Check that a quota has room for more. [QTA-018]"""
        most = self.account["quotas"].get(quota, 0)
        self.check(not most or not more or used + more <= most, code)

    def snapshots(self, more: int, *, running: int) -> None:
        """Check the quotas of snapshots. [SNP-020, QTA-008, QTA-009]"""
        rows = self.world.own("Snapshot", self.account)
        busy = [row for row in rows if row["State"] in ("in-queue", "pending")]
        self.room("snapshot_limit", len(rows), more, "10026")
        self.room("concurrent_snapshot_limit", len(busy), running, "10008")

    def volumes(self, bsus: list[Row]) -> None:
        """Check the quotas of volumes: their number, their sizes, their IOPS. [VOL-018]"""
        rows = self.world.own("Volume", self.account)
        self.room("volume_limit", len(rows), len(bsus), "10018")
        self.sizes(
            [(row["VolumeType"], row["Size"]) for row in rows], [(b["VolumeType"], b["VolumeSize"]) for b in bsus]
        )
        iops = sum(row["Iops"] for row in rows if row["VolumeType"] == "io1")
        self.room("iops_limit", iops, sum(bsu.get("Iops") or 0 for bsu in bsus), "10025")

    def sizes(self, used: list[tuple[str, int]], more: list[tuple[str, int]]) -> None:
        """Check the quotas of sizes, of all volumes and of each type."""
        for kind in ("", "standard", "gp2", "io1"):
            quota = f"{kind}_volume_size_limit".lstrip("_")
            self.room(
                quota,
                sum(size for name, size in used if kind in ("", name)),
                sum(size for name, size in more if kind in ("", name)),
                "10024",
            )


UNKNOWN = {
    "Image": "5023",
    "Snapshot": "5054",
    "Volume": "5064",
    "Vm": "5063",
    "ImageExport": "5058",
    "SnapshotExport": "5058",
}
