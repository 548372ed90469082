"""What a run leaves in a cloud, in a form that can be compared with another run: without ids, dates and addresses."""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from hashlib import sha256
from typing import Any, Final

from omisim.base.frozen import frozen
from omisim.cloud.cloud import Cloud
from omisim.spec.cell_rules import get_cell_rule
from omisim.state.state import State
from omisim.testing.remnants import ENDING, describe, get_name, get_state, iter_remnants
from omisim.testing.vocabulary import DELETIONS, NOUNS

__all__ = ["ID", "STALL", "Inventory", "Item", "compare", "find_extras", "find_lost", "normalize", "take_inventory"]

ID: Final = re.compile(r"\b[a-z]+(?:-[a-z]+)*-[0-9a-f]{8}\b")
STALL: Final = 1_000_000  # seconds for which a stalled state lasts, about twelve days
_TRANSPORT: Final = "ResponseMetadata"  # how boto3 got an answer: its attempts, the headers
# text that differs between two runs that do the same, and what stands for it
_VARYING: Final = tuple(
    (re.compile(pattern), name)
    for pattern, name in (
        (r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", "<uuid>"),
        (r"\b([a-z]+(?:-[a-z]+)*)-[0-9a-f]{8,32}\b", r"\1-<id>"),
        (r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[.\d]*(?:Z|[+-]\d\d:?\d\d)?", "<date>"),
        (r"\b[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT\b", "<date>"),
        (r"\b(?:[0-9a-f]{2}:){6,}[0-9a-f]{2}\b", "<fingerprint>"),
        (r"\b(?:[0-9a-f]{2}:){5}[0-9a-f]{2}\b", "<mac>"),
        (r"\bssh-(?:rsa|ed25519) [A-Za-z0-9+/=]+", "<public key>"),
        (r"-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]*-----END [A-Z ]*PRIVATE KEY-----", "<private key>"),
        (r"\bip-\d+-\d+-\d+-\d+\b|\b\d{1,3}(?:\.\d{1,3}){3}\b", "<ip>"),
        (r"\b(?=[A-Z0-9]*\d)[A-Z0-9]{20,40}\b", "<key>"),
        (r"\b[0-9a-f]{32,}\b", "<hex>"),
    )
)


def normalize(value: object) -> object:
    """Return a value of JSON's types without ids, dates, addresses and keys; None for an object of another type."""
    if isinstance(value, str):
        return normalize_text(value)
    if isinstance(value, Mapping):
        return {normalize_text(str(key)): normalize(item) for key, item in value.items() if key != _TRANSPORT}
    if isinstance(value, list | tuple | set | frozenset):
        items = [normalize(item) for item in value]
        return sorted(items, key=repr) if isinstance(value, set | frozenset) else items
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: normalize(getattr(value, field.name)) for field in fields(value)}
    return value if isinstance(value, bool | int | float) else None


def normalize_text(text: str) -> str:
    """Return a text without ids, dates, addresses and keys."""
    text = str(text)
    if text.isalpha():
        return text
    for pattern, name in _VARYING:
        text = pattern.sub(name, text)
    return text


@frozen()
class Item:
    """A resource: `label` is its kind, name and owner, `text` its description, `fields` its normalized fields."""

    label: tuple[str, str, str]
    text: str
    fields: Mapping[str, object]


@frozen()
class Inventory:
    """The resources that a run created, changed and deleted, by id. Resources that are being deleted do not count."""

    created: Mapping[str, Item]
    changed: Mapping[str, Item]
    deleted: Mapping[str, Item]


def take_inventory(cloud: Cloud, before: State) -> Inventory:
    """Compare a cloud, once nothing is in progress any more, with a state before."""
    after = cloud.fork()
    after.settle()
    created, changed, alive = {}, {}, set()
    for row in iter_remnants(after, None, None):
        alive.add(row.id)
        old = before.get(row.kind, row.id)
        if old is None and _is_stuck(cloud, row):
            continue
        if old is None:
            created[row.id] = _make_item(after, row)
        elif old is not row:
            item = _make_item(after, row)
            if item.fields != _normalize_fields(old):
                changed[row.id] = item
    deleted = {
        old.id: Item(_make_label(cloud, old), f"{NOUNS[old.kind]} {old.id}", {})
        for old in _iter_removed(after, before)
        if old.id not in alive and get_state(old) not in ENDING
    }
    return Inventory(created, changed, deleted)


def _is_stuck(cloud: Cloud, row: Any) -> bool:
    """Whether a resource was in a state that lasts for days and forbids its deletion when the run ended."""
    state = get_state(cloud.engine.state.get(row.kind, row.id)) or ""
    lasts = cloud.durations.get(f"{row.kind}.{state}", 0)
    return lasts >= STALL and get_cell_rule(row.kind, DELETIONS[row.kind], state) is not None


def _iter_removed(cloud: Cloud, before: State) -> Iterator[Any]:
    """Yield the rows of a state that the cloud no longer has, or has in another version."""
    for kind in DELETIONS:
        rows = cloud.engine.state.rows(kind) if kind in before.tables else {}
        if kind in before.tables and rows is not before.rows(kind):
            yield from (row for row_id, row in before.rows(kind).items() if rows.get(row_id) is not row)


def _make_item(cloud: Cloud, row: Any) -> Item:
    return Item(_make_label(cloud, row), describe(cloud, row), _normalize_fields(row))


def _make_label(cloud: Cloud, row: Any) -> tuple[str, str, str]:
    name = get_name(row) or getattr(row, "name", "")
    owner = cloud.engine.state.get("account", row.account_id)
    return NOUNS[row.kind], normalize_text(name), owner.name if owner else ""


def _normalize_fields(row: Any) -> dict[str, object]:
    values = ((field.name, getattr(row, field.name)) for field in fields(row))
    return {
        name: _digest(value) if isinstance(value, bytes) else normalize(value)
        for name, value in values
        if not isinstance(value, dt.datetime) and name != "checksum"  # of a body that is compared without ids
    }


def _digest(content: bytes) -> str:
    """Return the size of a content, and a digest of it without ids, dates, addresses and keys."""
    text = normalize_text(content.decode(errors="surrogateescape"))
    return f"{len(content)} bytes with digest {sha256(text.encode(errors='surrogateescape')).hexdigest()[:7]}"


def find_extras(run: Inventory, allowed: Mapping[str, Item]) -> list[str]:
    """Return descriptions of the resources that a run left beyond the allowed ones."""
    surplus = Counter(item.label for item in run.created.values())
    surplus.subtract(item.label for item in allowed.values())
    extras = []
    # of several equal resources, name those that are not among the allowed ones
    for _, item in sorted(run.created.items(), key=lambda pair: pair[0] in allowed):
        if surplus[item.label] > 0:
            surplus[item.label] -= 1
            extras.append(item.text)
    return extras


def compare(run: Inventory, clean: Inventory) -> Iterator[str]:
    """Yield what a successful run left undone or did otherwise than the clean run."""
    expected = Counter(item.label for item in clean.created.values())
    expected.subtract(item.label for item in run.created.values())
    yield from (
        f"missing: {' '.join(filter(None, label[:2]))} of {label[2]}" for label in expected if expected[label] > 0
    )
    for label in expected:
        pairs = [[item for item in side.created.values() if item.label == label] for side in (run, clean)]
        for item, other in zip(*_drop_equal(*pairs), strict=False):
            yield from _compare_fields(item, other.fields)
    for row_id in [*run.changed, *(row_id for row_id in clean.changed if row_id not in run.changed)]:
        mine, theirs = run.changed.get(row_id), clean.changed.get(row_id)
        if mine is None or theirs is None:
            present = mine or theirs
            assert present is not None
            if row_id not in run.deleted and row_id not in clean.deleted:
                yield f"{present.text}: {'changed' if mine else 'not changed'}, unlike in the clean run"
        else:
            yield from _compare_fields(mine, theirs.fields)
    yield from (f"not deleted: {item.text}" for row_id, item in clean.deleted.items() if row_id not in run.deleted)


def _drop_equal(run: list[Item], clean: list[Item]) -> tuple[list[Item], list[Item]]:
    """Return the items of two runs without those that are equal in both, in the order of their fields."""
    differing, rest = [], sorted(clean, key=lambda item: repr(item.fields))
    for mine in sorted(run, key=lambda item: repr(item.fields)):
        equal = next((item for item in rest if item.fields == mine.fields), None)
        if equal is None:
            differing.append(mine)
        else:
            rest.remove(equal)
    return differing, rest


def find_lost(run: Inventory, clean: Inventory) -> list[str]:
    """Return what a run deleted that the clean run keeps."""
    return [f"deleted: {item.text}" for row_id, item in run.deleted.items() if row_id not in clean.deleted]


def _compare_fields(mine: Item, theirs: Mapping[str, object]) -> Iterator[str]:
    for name, value in mine.fields.items():
        if value != theirs.get(name):
            yield f"{mine.text}: {name} is {value!r}, not {theirs.get(name)!r}"
