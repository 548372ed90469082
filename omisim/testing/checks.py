"""Assertions about a cloud after the code under test has run. Each raises an AssertionError that lists the findings.

`account` (a name) limits a check to the resources or calls of one account; `since` (a mark of `cloud.mark()`) to those
after the mark. `deletion_order` is not an assertion: it returns ids.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from omisim.actions.tags import TAGGED
from omisim.base.suggest import suggest
from omisim.cloud.cloud import Cloud
from omisim.engine.marks import Mark
from omisim.model.serialize import format_date
from omisim.testing.arguments import require_some, takes_cloud
from omisim.testing.remnants import ENDING, describe, get_state, iter_remnants, iter_rows
from omisim.testing.vocabulary import DELETIONS

__all__ = [
    "called_in_order", "deleted_in_order", "deletion_order", "no_warnings", "not_called", "nothing_left",
    "nothing_public", "nothing_refused", "tagged",
]  # fmt: skip

__tracebackhide__ = True  # pytest shows the test's line, not ours

_PERMISSIONS: Final = {"image": "permissions_to_launch", "snapshot": "permissions_to_create_volume"}
_DEFAULT_KINDS: Final = ("image", "snapshot", "vm", "volume")


# --- resources


@takes_cloud
def nothing_left(cloud: Cloud, *, account: str | None = None, since: Mark | None = None) -> None:
    """Assert that no resource is left to delete.

    The error lists the remaining resources in an order in which they can be deleted. Resources that are being deleted
    or go with a VM that is, finished exports, the first access key of an account, default security groups and main
    route tables do not count.
    """
    remnants = [f"{describe(cloud, row)}: {DELETIONS[row.kind]}" for row in iter_remnants(cloud, account, since)]
    _assert_empty("left behind, to be deleted in this order", remnants)


@takes_cloud
def deletion_order(cloud: Cloud, *, account: str | None = None, since: Mark | None = None) -> tuple[str, ...]:
    """Return the ids that `nothing_left` would list, in an order in which they can be deleted.

    An OMI comes before its snapshots, a VM before its volumes. Some volumes are deleted together with their VM.
    """
    return tuple(row.id for row in iter_remnants(cloud, account, since))


@takes_cloud
def nothing_public(cloud: Cloud, *, account: str | None = None, since: Mark | None = None) -> None:
    """Assert that no OMI or snapshot is public in its Region, or was made public after the mark `since`."""
    findings = []
    if since is not None:
        cloud.engine.check_mark(since)
    for row in (row for kind in _PERMISSIONS for row in iter_rows(cloud, kind, account, None) if _is_public(row)):
        openings = [
            change for change in cloud.timeline(row.id) if _is_public(change.after) and not _is_public(change.before)
        ]
        if since is None or (openings and openings[-1].seq >= since.position):
            origin = f", since {openings[-1].cause} at {format_date(openings[-1].at)}" if openings else ""
            findings.append(f"{describe(cloud, row)}{origin}")
    _assert_empty("public in the Region", findings)


@takes_cloud
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
    require_some("tagged", "key", keys)
    if isinstance(kinds, str):
        raise ValueError(f"kinds must be a list of kinds, such as [{kinds!r}], not {kinds!r}")
    findings = []
    tagged_kinds = {kind for kind, _ in TAGGED.values()}
    for kind in kinds:
        if kind not in tagged_kinds:
            raise ValueError(f"kinds must be kinds that can have tags, not {kind!r}{suggest(kind, tagged_kinds)}")
        for row in iter_rows(cloud, kind, account, since):
            missing = sorted(set(keys) - {tag.key for tag in row.tags})
            if missing:
                findings.append(f"{describe(cloud, row)}: no {', '.join(missing)}")
    _assert_empty("not tagged", findings)


# --- changes and calls


@takes_cloud
def deleted_in_order(cloud: Cloud, *resource_ids: str) -> None:
    """Assert that these resources were deleted in this order, for example an OMI before its snapshots."""
    require_some("deleted_in_order", "id", resource_ids)
    last_seq, previous_id = -1, ""
    for resource_id in resource_ids:
        changes = [change for change in cloud.timeline(resource_id) if change.kind != "volume_link"]
        ends = [change.seq for change in changes if get_state(change.after) in (None, *ENDING)]
        if not ends:
            raise AssertionError(f"{resource_id} was not deleted{f', but {previous_id} was' if previous_id else ''}")
        if ends[0] < last_seq:
            raise AssertionError(f"{resource_id} was deleted before {previous_id}, not after it")
        last_seq, previous_id = ends[0], resource_id


@takes_cloud
def called_in_order(cloud: Cloud, *actions: str, account: str | None = None, since: Mark | None = None) -> None:
    """Assert that calls of these actions succeeded in this order; other calls may come between them.

    Raises ValueError for an unknown action.
    """
    require_some("called_in_order", "action", actions)
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


@takes_cloud
def not_called(
    cloud: Cloud, action: str, *, account: str | None = None, since: Mark | None = None, **parameters: Any
) -> None:
    """Assert that no call of an action was made, optionally with these parameters; see `cloud.calls`."""
    calls = cloud.calls(action, account=account, since=since, **parameters)
    _assert_empty(f"calls of {calls.query}", map(str, calls))


@takes_cloud
def nothing_refused(cloud: Cloud, *, account: str | None = None, since: Mark | None = None) -> None:
    """Assert that no call was refused and no connection dropped. The error names the rule of each refusal.

    Requests to object storage do not count.
    """
    calls = cloud.calls(account=account, since=since)
    _assert_empty("refused calls", [str(call) for call in calls if call.error is not None or call.dropped])


@takes_cloud
def no_warnings(cloud: Cloud, *, account: str | None = None, since: Mark | None = None) -> None:
    """Assert that no call caused a warning, for example about a dropped licence."""
    calls = cloud.calls(account=account, since=since)
    _assert_empty("warnings", [f"{text} ({call})" for call in calls for text in call.warnings])


# --- shared


def _is_public(row: Any) -> bool:
    return row is not None and bool(getattr(row, _PERMISSIONS[row.kind]).global_permission)


def _assert_empty(title: str, findings: Iterable[str]) -> None:
    lines = list(findings)
    if lines:
        raise AssertionError("\n  ".join([f"{len(lines)} {title}:", *lines]))
