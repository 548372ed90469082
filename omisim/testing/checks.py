"""Assertions about a cloud after the code under test has run. Each raises an AssertionError that lists the findings.

`account` (a name) limits a check to the resources or calls of one account; `since` (a mark of `cloud.mark()`) to those
after the mark. `deletion_order` is not an assertion: it returns ids.
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
_DEFAULT_KINDS: Final = ("image", "snapshot", "vm", "volume")
_ENDING: Final = ("terminated", "shutting-down", "deleting")
_FINISHED: Final = (ExportState.COMPLETED, ExportState.CANCELLED, ExportState.FAILED)


# --- resources


def nothing_left(cloud: Cloud, *, account: str | None = None, since: Mark | None = None) -> None:
    """Assert that no resource is left to delete.

    The error lists the remaining resources in an order in which they can be deleted. Resources that are being deleted,
    finished exports, the first access key of an account, default security groups and main route tables do not count.
    """
    remnants = [f"{_describe(cloud, row)}: {DELETIONS[row.kind]}" for row in _iter_remnants(cloud, account, since)]
    _assert_empty("left behind, to be deleted in this order", remnants)


def deletion_order(cloud: Cloud, *, account: str | None = None, since: Mark | None = None) -> tuple[str, ...]:
    """Return the ids that `nothing_left` would list, in an order in which they can be deleted.

    An OMI comes before its snapshots, a VM before its volumes. Some volumes are deleted together with their VM.
    """
    return tuple(row.id for row in _iter_remnants(cloud, account, since))


def _iter_remnants(cloud: Cloud, account: str | None, since: Mark | None) -> Iterator[Any]:
    """Yield the rows that `nothing_left` counts."""
    first_keys = {cloud.account(row.name).access_key for row in _iter_accounts(cloud, account)}
    rows = (row for kind in DELETIONS for row in _iter_rows(cloud, kind, account, since))
    return (row for row in rows if row.id not in first_keys and not _is_exempt(row))


def nothing_public(cloud: Cloud, *, account: str | None = None, since: Mark | None = None) -> None:
    """Assert that no OMI or snapshot is public in its Region, or was made public after the mark `since`."""
    findings = []
    for row in (row for kind in _PERMISSIONS for row in _iter_rows(cloud, kind, account, None) if _is_public(row)):
        openings = [
            change for change in cloud.timeline(row.id) if _is_public(change.after) and not _is_public(change.before)
        ]
        if since is None or (openings and openings[-1].seq >= since.position):
            origin = f", since {openings[-1].cause} at {format_date(openings[-1].at)}" if openings else ""
            findings.append(f"{_describe(cloud, row)}{origin}")
    _assert_empty("public in the Region", findings)


def tagged(
    cloud: Cloud,
    *keys: str,
    kinds: Iterable[str] = _DEFAULT_KINDS,
    account: str | None = None,
    since: Mark | None = None,
) -> None:
    """Assert that every resource of these kinds has a tag with each of these keys.

    The default kinds are image, snapshot, vm and volume, including the volumes of a VM and the snapshots of an OMI.
    Raises ValueError for a kind that cannot have tags.
    """
    findings = []
    known = {kind for kind, _ in TAGGED.values()}
    for kind in kinds:
        if kind not in known:
            raise ValueError(f"kinds must be kinds that can have tags, not {kind!r}{suggest(kind, known)}")
        for row in _iter_rows(cloud, kind, account, since):
            missing = sorted(set(keys) - {tag.key for tag in row.tags})
            if missing:
                findings.append(f"{_describe(cloud, row)}: no {', '.join(missing)}")
    _assert_empty("not tagged", findings)


# --- changes and calls


def deleted_in_order(cloud: Cloud, *resource_ids: str) -> None:
    """Assert that these resources were deleted in this order, for example an OMI before its snapshots."""
    last_seq, previous_id = -1, ""
    for resource_id in resource_ids:
        ends = [change.seq for change in cloud.timeline(resource_id) if _get_state(change.after) in (None, *_ENDING)]
        if not ends:
            raise AssertionError(f"{resource_id} was not deleted{f', but {previous_id} was' if previous_id else ''}")
        if ends[0] < last_seq:
            raise AssertionError(f"{resource_id} was deleted before {previous_id}, not after it")
        last_seq, previous_id = ends[0], resource_id


def called_in_order(cloud: Cloud, *actions: str, account: str | None = None, since: Mark | None = None) -> None:
    """Assert that calls of these actions succeeded in this order; other calls may come between them."""
    for action in actions:
        cloud.calls(action)  # raises ValueError for an unknown action
    successful_calls = [
        call for call in cloud.calls(account=account, since=since) if call.error is None and not call.dropped
    ]
    later_calls = iter(successful_calls)
    for number, action in enumerate(actions):
        if not any(call.action == action for call in later_calls):
            after = f" after {', '.join(actions[:number])}" if number else ""
            succeeded = ", ".join(call.action for call in successful_calls) or "none"
            raise AssertionError(f"{action} was not called successfully{after}; successful calls: {succeeded}")


def not_called(
    cloud: Cloud, action: str, *, account: str | None = None, since: Mark | None = None, **parameters: Any
) -> None:
    """Assert that no call of an action was made, optionally with these parameters; see `cloud.calls`."""
    calls = cloud.calls(action, account=account, since=since, **parameters)
    _assert_empty(f"calls of {calls.query}", map(str, calls))


def nothing_refused(cloud: Cloud, *, account: str | None = None, since: Mark | None = None) -> None:
    """Assert that no call was refused and no connection dropped. The error names the rule of each refusal."""
    calls = cloud.calls(account=account, since=since)
    _assert_empty("refused calls", [str(call) for call in calls if call.error is not None or call.dropped])


def no_warnings(cloud: Cloud, *, account: str | None = None, since: Mark | None = None) -> None:
    """Assert that no call caused a warning, for example about a dropped licence."""
    calls = cloud.calls(account=account, since=since)
    _assert_empty("warnings", [f"{text} ({call})" for call in calls for text in call.warnings])


# --- rows and their descriptions


def _iter_accounts(cloud: Cloud, name: str | None) -> Iterator[AccountRow]:
    """Yield the accounts that tests have created, or only the one with this name."""
    rows = [
        row
        for row in cloud.engine.state.rows("account").values()
        if initial_state().get("account", row.account_id) is None
    ]
    names = [row.name for row in rows]
    if name is not None and name not in names:
        raise ValueError(
            f"unknown account {name!r}{suggest(name, names)}; known accounts: {', '.join(names) or 'none'}"
        )
    return (row for row in rows if name in (None, row.name))


def _iter_rows(cloud: Cloud, kind: str, account: str | None, since: Mark | None) -> Iterator[Any]:
    """Yield the rows of a kind that are not being deleted."""
    if since is not None:
        cloud.engine.check_mark(since)
    owners = {row.account_id for row in _iter_accounts(cloud, account)}
    for row_id, row in cloud.engine.state.rows(kind).items():
        is_new = since is None or cloud.engine.state.order(kind, row_id) >= since.position
        if is_new and row.account_id in owners and _get_state(row) not in _ENDING:
            yield row


def _get_state(row: Any) -> str | None:
    """Return the state of a resource, None if it no longer exists, "" if its kind has no states."""
    return None if row is None else getattr(row, "state", "")


def _is_exempt(row: Any) -> bool:
    """Whether a resource is a finished export, or is created and deleted together with a Net."""
    if isinstance(row, ImageExportTask | SnapshotExportTask):
        return row.state in _FINISHED
    if isinstance(row, RouteTable):
        return any(link.main for link in row.link_route_tables)
    return isinstance(row, SecurityGroup) and row.security_group_name == "default"


def _is_public(row: Any) -> bool:
    return row is not None and bool(getattr(row, _PERMISSIONS[row.kind]).global_permission)


def _describe(cloud: Cloud, row: Entity) -> str:
    owner: AccountRow = cloud.engine.state.get("account", row.account_id)  # type: ignore[attr-defined]  # each listed kind has this field
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


def _assert_empty(title: str, findings: Iterable[str]) -> None:
    lines = list(findings)
    if lines:
        raise AssertionError("\n  ".join([f"{len(lines)} {title}:", *lines]))
