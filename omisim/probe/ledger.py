"""What the probe has created: marked with a tag, counted, and deleted again.

A resource is deleted only if a read shows the mark of the run on it, or a name with the run's prefix.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from omisim.base.data_files import load_toml
from omisim.base.texts import iter_texts
from omisim.probe.connection import Answer, Unreachable
from omisim.probe.fcu import list_created
from omisim.probe.matching import read_path, read_rows
from omisim.spec.lifecycle import LIFECYCLES, get_automatic_event

__all__ = ["KINDS", "TAG", "Ledger", "Send", "find_kind", "find_leftovers", "is_brief", "read_resource"]

Send = Callable[[str, str, Mapping[str, Any]], Answer]  # caller, action, parameters
TAG = "omisim-probe"  # the key of the tag; its value is the run
KINDS: Mapping[str, Mapping[str, Any]] = load_toml("omisim.probe", "kinds.toml")
# what the block device mappings in the answer to a creation name
_PARTS = {"Vms": "VolumeId", "Image": "SnapshotId"}
_RUN = re.compile(rf"{TAG}-[0-9a-f]+")
_ACCESS_KEY = re.compile("[A-Z0-9]{20}")
_MAX_ROUNDS = 60  # of the clean-up, with a pause after each


class Ledger:
    """The resources that one run has created, by id, with their owners."""

    def __init__(self, send: Send, run: str, sleep: Callable[[float], None], pause: float) -> None:
        self.run: str = run
        self._send, self._sleep, self._pause = send, sleep, pause
        self.owners: dict[str, str] = {}  # id → caller
        self.created: int = 0
        self._unmarked: list[tuple[str, list[str]]] = []  # caller, ids

    def record(
        self, by: str, action: str, parameters: Mapping[str, Any], answer: Mapping[str, Any], *, fcu: bool = False
    ) -> str:
        """Record and mark what a successful call has created. Returns why the mark failed, or "".

        Raises what `send` raises. The clean-up marks what was not marked by then.
        """
        if fcu:
            answered_ids = list_created(action, answer)
        else:
            answered_ids = _list_created_ids(answer) if action.startswith("Create") else []
        old_ids = {*iter_texts(parameters), *self.owners}
        created = [one for one in answered_ids if find_kind(one) and one not in old_ids]
        if not created:
            return ""
        self.created += len(created)
        self.owners |= dict.fromkeys(created, by)
        parts = [one for one in _list_part_ids(answer) if one not in old_ids]
        self._unmarked += [(by, parts), (by, created)]
        return self._mark_all()

    def _mark_all(self) -> str:
        """Mark what is not marked yet; return why that failed for something that a call was to create, or ""."""
        problem = ""
        while self._unmarked:
            by, ids = self._unmarked[0]
            reason = self._mark(by, ids)
            del self._unmarked[0]
            if reason == "":
                self.owners |= dict.fromkeys(ids, by)
                continue
            for one in ids:  # parts that cannot be marked are not what they seem, and not ours
                if one in self.owners:
                    problem = reason
                    self._delete(one, marked=False)  # the answer to our own creation has named it
        return problem

    def _mark(self, by: str, ids: list[str]) -> str:
        """Tag resources with the run; return why that failed, or ""."""
        markable = [one for one in ids if "untagged" not in KINDS[find_kind(one)]]
        if not markable:
            return ""
        tags = {"ResourceIds": markable, "Tags": [{"Key": TAG, "Value": self.run}]}
        answer = self._send(by, "CreateTags", tags)
        return "" if answer.accepted else f"what it creates cannot be marked: CreateTags answered {answer}"

    def clean(self, ids: Iterable[str] | None = None, *, patient: bool = True) -> dict[str, str]:
        """Delete recorded resources, all by default; return what remains, with the reason.

        A patient clean-up repeats until everything is gone; the other one leaves what cannot be deleted yet.
        """
        selected = None if ids is None else set(ids)
        left: dict[str, str] = {}
        for _ in range(_MAX_ROUNDS if patient else 1):
            with suppress(Unreachable):
                self._mark_all()
            pending = [one for one in self.owners if selected is None or one in selected]
            pending.sort(key=lambda one: list(KINDS).index(find_kind(one)))
            left = {one: reason for one in pending if (reason := self._try_to_delete(one))}
            for one in pending:
                if one not in left:
                    del self.owners[one]
            if not left or not patient or (len(left) == len(pending) and all("mark" in why for why in left.values())):
                break
            self._sleep(self._pause)
        return left

    def find(self, row_id: str) -> tuple[Mapping[str, Any] | None, str]:
        """Return a recorded resource, or None if it is gone, or cannot and need not be deleted.

        The text is "", or says why the answer does not show whether the resource exists.
        """
        kind = KINDS[find_kind(row_id)]
        row, answer = read_resource(self._send, self.owners[row_id], row_id)
        if "delete" not in kind or (row is not None and row.get("State") in kind.get("ends", ())):
            return None, ""
        is_clear = row is not None or isinstance(answer.body.get(kind["items"]), list)
        return row, "" if is_clear else f"{kind['read']} does not show whether it exists: {answer}"

    def _try_to_delete(self, row_id: str) -> str:
        try:
            return self._delete(row_id)
        except Unreachable as error:
            return str(error)

    def _delete(self, row_id: str, *, marked: bool = True) -> str:
        """Delete a resource if it is ours; return why it still exists, or ""."""
        by, kind = self.owners[row_id], KINDS[find_kind(row_id)]
        row, doubt = self.find(row_id)
        if row is None:
            return doubt
        if marked and not self._is_ours(row_id, row):
            return f"it does not have the mark {TAG}={self.run}"
        values = {"id": row_id}
        for calls in (*kind.get("before", ()), kind["delete"]):
            for action, template in calls.items():
                try:
                    answer = self._send(by, action, _fill(template, values, row))
                except KeyError:
                    continue
        return "" if answer.accepted and find_kind(row_id) != "i-" else str(answer)

    def _is_ours(self, row_id: str, row: Mapping[str, Any]) -> bool:
        if "untagged" in KINDS[find_kind(row_id)]:
            return True
        marks = [tag.get("Value") for tag in read_rows(row, "Tags") if tag.get("Key") == TAG]
        names = [value for name, value in row.items() if name.endswith("Name") and isinstance(value, str)]
        return self.run in marks or any(name.startswith(self.run) for name in names)


def find_kind(row_id: str) -> str:
    """Return the prefix under which `KINDS` has an id, or "" for another kind of id."""
    if _ACCESS_KEY.fullmatch(row_id):
        return "access-key"
    return next((prefix for prefix in KINDS if row_id.startswith(prefix)), "")


def is_brief(row_id: str, state: str) -> bool:
    """Whether a resource leaves a state by itself."""
    kind = KINDS[find_kind(row_id)].get("kind", "") if row_id else ""
    return kind in LIFECYCLES and state in LIFECYCLES[kind].moves and bool(get_automatic_event(kind, state))


def read_resource(send: Send, by: str, row_id: str) -> tuple[Mapping[str, Any] | None, Answer]:
    """Return a resource by its id, or None if the caller sees none, and the answer to the read.

    An endpoint that ignores the filter answers other resources too.
    """
    kind = KINDS[find_kind(row_id)]
    answer = send(by, kind["read"], {"Filters": {kind["filter"]: [row_id]}})
    rows = (row for row in read_rows(answer.body, kind["items"]) if row_id in row.values())
    return next(rows, None), answer


def find_leftovers(send: Send, callers: Iterable[str]) -> Iterator[tuple[str, str, str]]:
    """Yield the caller, the run and the id of each resource that earlier runs have left behind."""
    for by in callers:
        answer = send(by, "ReadTags", {"Filters": {"Keys": [TAG]}})
        for tag in read_rows(answer.body, "Tags"):
            run, row_id = str(tag.get("Value")), str(tag.get("ResourceId"))
            if tag.get("Key") == TAG and _RUN.fullmatch(run) and find_kind(row_id):
                yield by, run, row_id


def _list_created_ids(answer: Mapping[str, Any]) -> list[str]:
    """Return the ids of the resources that the answer to a creation is about."""
    owns = [(row, "TaskId" if name.endswith("Task") else f"{name.removesuffix('s')}Id") for name, row in _rows(answer)]
    return [str(row[own]) for row, own in owns if find_kind(str(row.get(own)))]


def _list_part_ids(answer: Mapping[str, Any]) -> list[str]:
    """Return the ids of what a creation made besides: the volumes of VMs, and the snapshots of an OMI."""
    rows = ((name, row.get("BlockDeviceMappings") or ()) for name, row in _rows(answer) if name in _PARTS)
    parts = (str((mapping.get("Bsu") or {}).get(_PARTS[name])) for name, mappings in rows for mapping in mappings)
    return [one for one in parts if find_kind(one)]


def _rows(answer: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the resources of an answer with the names under which they stand."""
    for name, value in answer.items():
        yield from ((name, row) for row in (value if isinstance(value, list) else [value]) if isinstance(row, dict))


def _fill(template: Any, values: Mapping[str, str], row: Mapping[str, Any]) -> Any:
    if isinstance(template, dict):
        return {name: _fill(value, values, row) for name, value in template.items()}
    if isinstance(template, list):
        return [_fill(value, values, row) for value in template]
    if isinstance(template, str) and template.startswith("{"):
        name = template[1:-1]
        return values[name] if name in values else read_path(row, name)
    return template
