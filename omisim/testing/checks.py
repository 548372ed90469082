"""What tests want to be true of a cloud when the code under test is done. Each raises AssertionError that explains.

All take the cloud. `account` (a name) and `since` (a mark of `cloud.mark()`) let them look at what is that account's or
newer than that, alone. `deletion_order` alone answers instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from omisim.actions.tags import TAGGED
from omisim.base.suggest import suggest
from omisim.cloud.cloud import Cloud
from omisim.engine.engine import Mark
from omisim.model import AccountRow, Entity, ExportState, ImageExportTask, RouteTable, SecurityGroup, SnapshotExportTask
from omisim.model.serialize import format_date
from omisim.state.initial_state import initial_state
from omisim.testing.vocabulary import DELETIONS, NOUNS

__all__ = [
    "called_in_order", "deleted_in_order", "deletion_order", "no_warnings", "not_called", "nothing_left",
    "nothing_public", "nothing_refused", "tagged",
]  # fmt: skip

__tracebackhide__ = True  # pytest shows the test's line, not ours

_PERMISSIONS: Final = {"image": "permissions_to_launch", "snapshot": "permissions_to_create_volume"}
_TAGGED: Final = ("image", "snapshot", "vm", "volume")
_ON_ITS_WAY: Final = ("terminated", "shutting-down", "deleting")
_OVER: Final = (ExportState.COMPLETED, ExportState.CANCELLED, ExportState.FAILED)


# --- what is there


def nothing_left(cloud: Cloud, *, account: str | None = None, since: Mark | None = None) -> None:
    """Nothing is left that somebody would have to delete; what is on its way out, and finished exports, do not count.

    Else lists what is left, in the order in which it can be deleted. An account's first access key, default security
    groups and main route tables are no remnants.
    """
    left = [f"{_said(cloud, row)}: {DELETIONS[row.kind]}" for row in _left(cloud, account, since)]
    _none("left behind, to be deleted in this order", left)


def deletion_order(cloud: Cloud, *, account: str | None = None, since: Mark | None = None) -> tuple[str, ...]:
    """Return the ids of what `nothing_left` would list, in the order in which it can be deleted.

    An OMI comes before its snapshots, a VM before its volumes; some of these go with their VM.
    """
    return tuple(row.id for row in _left(cloud, account, since))


def _left(cloud: Cloud, account: str | None, since: Mark | None) -> Iterator[Any]:
    """Yield what somebody would have to delete."""
    first = {cloud.account(row.name).access_key for row in _accounts(cloud, account)}
    rows = (row for kind in DELETIONS for row in _rows(cloud, kind, account, since))
    return (row for row in rows if row.id not in first and not _needs_nobody(row))


def nothing_public(cloud: Cloud, *, account: str | None = None, since: Mark | None = None) -> None:
    """No OMI and no snapshot is open to everybody in its Region (`since`: was opened since). Else lists them."""
    found = []
    for row in (row for kind in _PERMISSIONS for row in _rows(cloud, kind, account, None) if _public(row)):
        opening = [change for change in cloud.timeline(row.id) if _public(change.after) and not _public(change.before)]
        if since is None or (opening and opening[-1].seq >= since.position):
            how = f", since {opening[-1].cause} at {format_date(opening[-1].at)}" if opening else ""
            found.append(f"{_said(cloud, row)}{how}")
    _none("open to everybody in the Region", found)


def tagged(
    cloud: Cloud,
    *keys: str,
    kinds: Iterable[str] = _TAGGED,
    account: str | None = None,
    since: Mark | None = None,
) -> None:
    """Every resource of these kinds has a tag of each of these keys. Else lists those that have not.

    By default OMIs, snapshots, VMs and volumes: also the volumes of a VM and the snapshots of an OMI. Raises ValueError
    for a kind that has no tags.
    """
    found = []
    known = {kind for kind, _ in TAGGED.values()}
    for kind in kinds:
        if kind not in known:
            raise ValueError(f"{kind!r} is no kind that has tags{suggest(kind, known)}")
        for row in _rows(cloud, kind, account, since):
            missing = sorted(set(keys) - {tag.key for tag in row.tags})
            if missing:
                found.append(f"{_said(cloud, row)}: no {', '.join(missing)}")
    _none("not tagged", found)


# --- what was done


def deleted_in_order(cloud: Cloud, *resource_ids: str) -> None:
    """All these were deleted, each after the one before it: an OMI before its snapshots, for example."""
    last, before = -1, ""
    for resource_id in resource_ids:
        ends = [change.seq for change in cloud.timeline(resource_id) if _state(change.after) in (None, *_ON_ITS_WAY)]
        if not ends:
            raise AssertionError(f"{resource_id} was not deleted{f', {before} was' if before else ''}")
        if ends[0] < last:
            raise AssertionError(f"{resource_id} was deleted before {before}, not after it")
        last, before = ends[0], resource_id


def called_in_order(cloud: Cloud, *actions: str, account: str | None = None, since: Mark | None = None) -> None:
    """Calls of these actions succeeded in this order, whatever was called between them."""
    for action in actions:
        cloud.calls(action)  # an unknown one is refused
    made = [call for call in cloud.calls(account=account, since=since) if call.error is None and not call.dropped]
    later = iter(made)
    for number, action in enumerate(actions):
        if not any(call.action == action for call in later):
            after = f" after {', '.join(actions[:number])}" if number else ""
            said = ", ".join(call.action for call in made) or "no calls"
            raise AssertionError(f"{action} was not called with success{after}; what succeeded: {said}")


def not_called(
    cloud: Cloud, action: str, *, account: str | None = None, since: Mark | None = None, **parameters: Any
) -> None:
    """No call of an action was made, with these parameters, or at all; see `cloud.calls`. Else lists them."""
    calls = cloud.calls(action, account=account, since=since, **parameters)
    _none(f"calls of {calls.query}", map(str, calls))


def nothing_refused(cloud: Cloud, *, account: str | None = None, since: Mark | None = None) -> None:
    """No call was refused, nor its connection dropped. Else lists them, with the rules."""
    calls = cloud.calls(account=account, since=since)
    _none("refused calls", [str(call) for call in calls if call.error is not None or call.dropped])


def no_warnings(cloud: Cloud, *, account: str | None = None, since: Mark | None = None) -> None:
    """No call was allowed and yet probably not meant, as when a licence is dropped. Else lists them."""
    calls = cloud.calls(account=account, since=since)
    _none("warnings", [f"{text} ({call})" for call in calls for text in call.warnings])


# --- in words


def _accounts(cloud: Cloud, name: str | None) -> Iterator[AccountRow]:
    """Yield the accounts that tests made, or the one of this name."""
    rows = [
        row
        for row in cloud.engine.state.rows("account").values()
        if initial_state().get("account", row.account_id) is None
    ]
    names = [row.name for row in rows]
    if name is not None and name not in names:
        raise ValueError(f"there is no account {name!r}{suggest(name, names)}; known: {', '.join(names) or 'none'}")
    return (row for row in rows if name in (None, row.name))


def _rows(cloud: Cloud, kind: str, account: str | None, since: Mark | None) -> Iterator[Any]:
    """Yield what is there of a kind, and not on its way out."""
    if since is not None:
        cloud.engine.check_mark(since)
    owners = {row.account_id for row in _accounts(cloud, account)}
    for row_id, row in cloud.engine.state.rows(kind).items():
        new = since is None or cloud.engine.state.order(kind, row_id) >= since.position
        if new and row.account_id in owners and _state(row) not in _ON_ITS_WAY:
            yield row


def _state(row: Any) -> str | None:
    """Return the state of a resource, None of one that is gone; "" where its kind has none."""
    return None if row is None else getattr(row, "state", "")


def _needs_nobody(row: Any) -> bool:
    """Whether a resource is history, or comes and goes with another one."""
    if isinstance(row, ImageExportTask | SnapshotExportTask):
        return row.state in _OVER
    if isinstance(row, RouteTable):
        return any(link.main for link in row.link_route_tables)
    return isinstance(row, SecurityGroup) and row.security_group_name == "default"


def _public(row: Any) -> bool:
    return row is not None and bool(getattr(row, _PERMISSIONS[row.kind]).global_permission)


def _said(cloud: Cloud, row: Entity) -> str:
    owner: AccountRow = cloud.engine.state.get("account", row.account_id)  # type: ignore[attr-defined]  # each listed kind has one
    name = next(
        (
            f" {value}"
            for field in ("image_name", "keypair_name", "security_group_name")
            if (value := getattr(row, field, ""))
        ),
        "",
    )
    state = f", {row.state}" if hasattr(row, "state") else ""
    return f"{NOUNS[row.kind]}{name} {row.id} of {owner.name}{state}"


def _none(what: str, found: Iterable[str]) -> None:
    lines = list(found)
    if lines:
        raise AssertionError("\n  ".join([f"{len(lines)} {what}:", *lines]))
