"""One call: its failed checks are collected in any order, and the first class of REQ-014 takes precedence."""

from __future__ import annotations

import re
from typing import Any

from reference.states import REFUSED
from reference.world import KINDS, Row, World

__all__ = ["EXISTENCE", "STATE", "UNKNOWN", "Call", "DryRun", "Refusal", "get_rank", "get_status"]

# The order of checks [REQ-014]: the index of the first range that contains a code is its rank.
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


def get_rank(code: str) -> int:
    """Return the position of a code in the order of checks."""
    return next(place for place, (first, last) in enumerate(ORDER) if first <= int(code) <= last)


def get_status(code: str) -> int:
    """Return the HTTP status of a code. [9.6]"""
    return 401 if code == "5" else 409 if code[0] in "69" else 400


class Refusal(Exception):
    """A refusal, with the codes of the first class of checks that fails; if there are several, each is correct."""

    def __init__(self, codes: list[str]) -> None:
        super().__init__(", ".join(codes))
        self.codes = codes


class DryRun(Exception):
    """The end of a dry run that would succeed. [REQ-013]"""


class Call:
    """A call: its account and parameters, and the codes of the checks that have failed so far."""

    def __init__(self, world: World, account: Row, parameters: Row) -> None:
        self.world, self.account, self.parameters = world, account, parameters
        self.codes: dict[str, int] = {}  # with the ranks of their checks

    def __getitem__(self, name: str) -> Any:
        """Return a parameter, or None."""
        return self.parameters.get(name)

    def get(self, name: str, default: Any) -> Any:
        """Return a parameter, or the default if it is not given."""
        return self.parameters.get(name, default)

    def check(self, holds: object, code: str, *, after: int = 0) -> None:
        """Record the code of a condition that does not hold.

        A value that is compared with a resource is checked after the existence of resources: `after=EXISTENCE`.
        """
        if not holds:
            self.codes[code] = min(max(get_rank(code), after), self.codes.get(code, LAST))

    def raise_if_refused(self) -> None:
        """Raise a Refusal if a check has failed, and DryRun at the end of a dry run."""
        if self.codes:
            first = min(self.codes.values())
            raise Refusal([code for code, place in self.codes.items() if place == first])
        if self["DryRun"]:
            raise DryRun

    # tokens

    def find_repeated(self, action: str, kind: str) -> list[Row]:
        """Return the resources that this client token made. Refuses other parameters. [SNP-014, VOL-017, VM-008]"""
        key = (self.account["id"], action, self["ClientToken"])
        if key not in self.world.tokens:
            return []
        token_parameters, resources = self.world.tokens[key]
        self.check(token_parameters == self._get_comparable(), "4119")
        self.check(
            all(row in self.world.rows[kind].values() for row in resources), "4119"
        )  # a resource no longer exists
        self.raise_if_refused()
        return resources

    def record_token(self, action: str, resources: list[Row]) -> None:
        """Record the resources that a request with a client token made."""
        if self["ClientToken"]:
            self.world.tokens[self.account["id"], action, self["ClientToken"]] = (self._get_comparable(), resources)

    def _get_comparable(self) -> Row:
        return {name: value for name, value in self.parameters.items() if name != "DryRun"}

    # resources

    def check_id(self, value: str, *prefixes: str) -> bool:
        """Check the prefix and the shape of an id. [ID-015, ID-016]"""
        prefix = next((one for one in prefixes if value.startswith(f"{one}-")), None)
        self.check(prefix, "4104")
        good = prefix is not None and re.fullmatch(r"[0-9a-f]{8}", value.removeprefix(f"{prefix}-"))
        self.check(prefix is None or good, "4105")
        return bool(good)

    def find(self, kind: str, value: str, *, own: bool = False) -> Row | None:
        """Return the resource with an id if the caller sees it, or with `own`, if the caller owns it. [ID-018]"""
        prefixes = ("ami", "ari", "aki") if kind == "Image" else (KINDS[kind][0],)
        if not self.check_id(value, *prefixes):
            return None
        row = self.world.rows[kind].get(value)
        if row and self.world.can_see(kind, self.account, row) and (not own or self.is_owner(row)):
            return row
        self.check(holds=False, code=UNKNOWN[kind])
        return None

    def is_owner(self, row: Row) -> bool:
        """Return whether a row belongs to the caller."""
        return bool(row["owner"] == self.account["id"])

    def check_state(self, kind: str, row: Row | None, action: str) -> bool:
        """Check that the state of a row allows an action. Returns whether it does."""
        code = REFUSED[kind, action].get(self.world.get_state(kind, row)) if row else None
        self.check(code is None, code or "")
        return code is None

    # quotas

    def check_quota(self, quota: str, used_amount: float, more: float, code: str) -> None:
        """Check that a quota is not exceeded. [QTA-018]"""
        most = self.account["quotas"].get(quota, 0)
        self.check(not most or not more or used_amount + more <= most, code)

    def check_snapshot_quotas(self, more: int, *, running: int) -> None:
        """Check the quotas of snapshots. [SNP-020, QTA-008, QTA-009]"""
        rows = self.world.list_own("Snapshot", self.account)
        busy = [row for row in rows if row["State"] in ("in-queue", "pending")]
        self.check_quota("snapshot_limit", len(rows), more, "10026")
        self.check_quota("concurrent_snapshot_limit", len(busy), running, "10008")

    def check_volume_quotas(self, bsus: list[Row]) -> None:
        """Check the quotas of volumes: their number, their sizes, their IOPS. [VOL-018]"""
        rows = self.world.list_own("Volume", self.account)
        self.check_quota("volume_limit", len(rows), len(bsus), "10018")
        self.check_size_quotas(
            [(row["VolumeType"], row["Size"]) for row in rows], [(b["VolumeType"], b["VolumeSize"]) for b in bsus]
        )
        self.check_iops_quota(rows, sum(bsu.get("Iops") or 0 for bsu in bsus))

    def check_iops_quota(self, volumes: list[Row], more: int) -> None:
        """Check the quota of the IOPS of io1 volumes, with those that unfinished updates will add. [QTA-020]"""
        iops = sum(row["Iops"] for row in volumes if row["VolumeType"] == "io1")
        for before, after in self._list_updates():
            if after["VolumeType"] == "io1":
                iops += max(after["Iops"] - (before["Iops"] if before["VolumeType"] == "io1" else 0), 0)
        self.check_quota("iops_limit", iops, more, "10025")

    def _list_updates(self) -> list[tuple[Row, Row]]:
        """Return the values before and after each unfinished update of the caller's volumes."""
        tasks = [
            row["VolumeUpdate"]
            for row in self.world.list_own("VolumeUpdate", self.account)
            if row["State"] in ("pending", "active")
        ]
        return [(task["Origin"], task["Target"]) for task in tasks]

    def check_size_quotas(self, usages: list[tuple[str, int]], more: list[tuple[str, int]]) -> None:
        """Check the quotas of sizes, of all volumes and of each type, with the growth of unfinished updates."""
        for kind in ("", "standard", "gp2", "io1"):
            quota = f"{kind}_volume_size_limit".lstrip("_")
            self.check_quota(
                quota,
                sum(size for name, size in usages if kind in ("", name)) + self._count_growth(kind),
                sum(size for name, size in more if kind in ("", name)),
                "10024",
            )

    def _count_growth(self, kind: str) -> int:
        """Return the GiB of a type, "" for all, that unfinished updates will add. [QTA-020]"""
        return sum(
            after["Size"] - (before["Size"] if kind in ("", before["VolumeType"]) else 0)
            for before, after in self._list_updates()
            if kind in ("", after["VolumeType"])
        )


UNKNOWN = {
    "Image": "5023",
    "Snapshot": "5054",
    "Volume": "5064",
    "Vm": "5063",
    "ImageExport": "5058",
    "SnapshotExport": "5058",
}
