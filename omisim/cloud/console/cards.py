"""Cards: what the console shows of one resource, as JSON data, made from its rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from omisim.base.redact import redact_text
from omisim.model import AccountRow, Image, Snapshot, Volume, VolumeLink
from omisim.model.parts import PermissionsOnResource
from omisim.model.serialize import api_name
from omisim.spec.lifecycle import LIFECYCLES, get_automatic_event

__all__ = ["KINDS", "ROW_KINDS", "Card", "Rows", "describe_states", "make_card"]

Card = dict[str, Any]
Rows = Mapping[str, Mapping[str, Any]]  # kind → id → row
MAX_TEXT: Final = 200  # characters of a value

# kind → what one is called; of several, an s follows
KINDS: Final[Mapping[str, str]] = {
    "image": "OMI",
    "vm": "VM",
    "volume": "Volume",
    "snapshot": "Snapshot",
    "image_export": "OMI export task",
    "snapshot_export": "Snapshot export task",
    "object": "Object",
    "bucket": "Bucket",
    "keypair": "Keypair",
    "security_group": "Security group",
    "net": "Net",
    "subnet": "Subnet",
    "nic": "NIC",
    "public_ip": "Public IP",
    "internet_service": "Internet service",
    "route_table": "Route table",
}
ROW_KINDS: Final = (*KINDS, "origin", "volume_link", "account")  # what cards are made from
# kind → the fields that a card shows beside its id, name and state
_FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    "image": ("architecture", "description", "root_device_type"),
    "vm": (
        "vm_type", "image_id", "private_ip", "public_ip", "keypair_name", "subnet_id", "boot_mode", "state_reason",
    ),
    "volume": ("volume_type", "iops", "snapshot_id", "subregion_name"),
    "snapshot": ("volume_id", "description"),
    "image_export": ("image_id", "progress", "comment"),
    "snapshot_export": ("snapshot_id", "progress", "comment"),
    "object": ("bucket_id", "etag"),
    "bucket": ("region",),
    "keypair": ("keypair_type", "keypair_fingerprint"),
    "security_group": ("description", "net_id"),
    "net": ("ip_range",),
    "subnet": ("ip_range", "net_id", "subregion_name"),
    "nic": ("description", "subnet_id", "private_dns_name"),
    "public_ip": ("public_ip", "vm_id", "nic_id"),
    "internet_service": ("net_id",),
    "route_table": ("net_id",),
}  # fmt: skip
_NAMES: Final = ("image_name", "keypair_name", "security_group_name", "name")
_HEADLINES: Final[Mapping[str, tuple[str, ...]]] = {  # kind → the values on the face of its card
    "image": ("Size", "Licences", "Shared with"),
    "vm": ("VmType", "ImageId"),
    "volume": ("Size", "VolumeType", "Attached to"),
    "snapshot": ("Size", "Progress", "Shared with"),
}


def make_card(rows: Rows, kind: str, row_id: str) -> Card | None:
    """Return the card of a resource, or None if neither it nor its origin exists. A deleted one is `deleted`."""
    row = rows[kind].get(row_id)
    origin = rows["origin"].get(row_id)
    if row is None and origin is None:
        return None
    card: Card = {"kind": kind, "account": getattr(row or origin, "account_id", "")}
    if origin is not None and origin.parents:
        card["parents"] = [list(parent) for parent in origin.parents]
    if row is None:
        assert origin is not None
        return {**card, "name": _clean(origin.label), "state": "deleted", "deleted": True}
    if name := _find_name(row):
        card["name"] = _clean(name)
    if state := getattr(row, "state", None):
        card["state"] = str(state)
    facts = dict(_list_facts(rows, kind, row))
    card["facts"] = facts
    headline_facts = _HEADLINES.get(kind, tuple(facts)[:2])
    if line := " · ".join(_shorten_fact(fact, facts[fact]) for fact in headline_facts if fact in facts):
        card["line"] = line
    return card


def _find_name(row: Any) -> str:
    tags = {tag.key: tag.value for tag in getattr(row, "tags", ())}
    return next((str(value) for field in _NAMES if (value := getattr(row, field, None))), tags.get("Name", ""))


def _shorten_fact(fact: str, value: str) -> str:
    """Return a value for the face of a card, with the words that it needs there."""
    words = {"Licences": "licence ", "Shared with": "shared with ", "Attached to": "on ", "Progress": "progress "}
    return f"{words.get(fact, '')}{value}"


def _list_facts(rows: Rows, kind: str, row: Any) -> Iterator[tuple[str, str]]:
    if (list_own := _OWN.get(kind)) is not None:
        yield from list_own(rows, row)
    for field in _FIELDS[kind]:
        value = getattr(row, field)
        if value not in (None, ""):
            yield api_name(field), _clean(value)
    if codes := getattr(row, "product_codes", ()):
        yield "Licences", _clean(" ".join(codes))
    if tags := getattr(row, "tags", ()):
        yield "Tags", _clean(", ".join(f"{tag.key}={tag.value}" for tag in tags))
    if created := getattr(row, "creation_date", None):
        yield "Created", f"{created:%Y-%m-%d %H:%M:%S}"


def _list_image_facts(rows: Rows, image: Image) -> Iterator[tuple[str, str]]:
    sizes = [mapping.bsu.volume_size or 0 for mapping in image.block_device_mappings if mapping.bsu]
    yield "Size", f"{sum(sizes)} GiB"
    yield from _list_shares(rows, image.permissions_to_launch)
    if message := image.state_comment.state_message:
        yield "Comment", _clean(message)


def _list_snapshot_facts(rows: Rows, snapshot: Snapshot) -> Iterator[tuple[str, str]]:
    yield "Size", f"{snapshot.volume_size} GiB"
    if snapshot.progress != 100:  # noqa: PLR2004 - per cent
        yield "Progress", f"{snapshot.progress} %"
    yield from _list_shares(rows, snapshot.permissions_to_create_volume)


def _list_shares(rows: Rows, granted: PermissionsOnResource) -> Iterator[tuple[str, str]]:
    if granted.global_permission:
        yield "Shared with", "everyone"
    elif granted.account_ids:
        accounts: Mapping[str, AccountRow] = rows["account"]
        names = [accounts[owner].name if owner in accounts else owner for owner in granted.account_ids]
        yield "Shared with", _clean(", ".join(names))


def _list_volume_facts(rows: Rows, volume: Volume) -> Iterator[tuple[str, str]]:
    yield "Size", f"{volume.size} GiB"
    link: VolumeLink | None = rows["volume_link"].get(volume.volume_id)
    if link is not None:
        yield "Attached to", f"{link.vm_id} as {_clean(link.device_name)} ({link.state})"


_OWN: Final[Mapping[str, Callable[[Rows, Any], Iterator[tuple[str, str]]]]] = {
    "image": _list_image_facts,
    "snapshot": _list_snapshot_facts,
    "volume": _list_volume_facts,
}


def _clean(value: object) -> str:
    """Return a value as a short text without the signatures of URLs."""
    text = redact_text(str(value))
    return text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}…"


# --- states


def describe_states() -> dict[str, dict[str, str]]:
    """Return kind → state → how the lifecycle tables see it: "busy" (it changes by itself), "failed", "gone", "steady".

    A state that only a failure leads to is failed, one that a timer ends is gone.
    """
    return {
        kind: {state: _judge(kind, state) for state in lifecycle.moves}
        for kind, lifecycle in LIFECYCLES.items()
        if kind in KINDS
    }


def _judge(kind: str, state: str) -> str:
    lifecycle = LIFECYCLES[kind]
    event = get_automatic_event(kind, state)
    if event is not None:
        return "gone" if lifecycle.moves[state][event].timer else "busy"
    if "fail" in lifecycle.moves[state]:
        return "busy"
    ways_in = {name for events in lifecycle.moves.values() for name, to in events.items() if to.state == state}
    return "failed" if ways_in == {"fail"} else "steady"
