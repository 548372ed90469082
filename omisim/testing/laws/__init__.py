"""The laws of the model: invariants that hold in every cloud after any calls.

Each law is a function with the rule that it follows from. `check(cloud)` checks all laws for all rows that differ from
the initial state. `check(cloud, since=mark)` checks the rows that changed since the mark and their related rows; its
cost depends on the number of changes, not on the size of the cloud. Laws read a cloud without changing it or its call
log. `call` makes a call and checks the laws.

    from omisim.testing import laws

    laws.call(alice, "DeleteImage", ImageId=image_id)  # raises laws.Broken with the law, its rule and the finding
    mark = cloud.mark()
    cloud.settle()
    laws.check(cloud, since=mark)
    laws.check(cloud)
    for law in laws.LAWS.values():
        print(law)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from omisim.cloud.account import Account
from omisim.cloud.cloud import Cloud
from omisim.engine.engine import Engine
from omisim.engine.marks import Mark
from omisim.state.initial_state import initial_state
from omisim.state.state import Change, State
from omisim.state.table import find_differences
from omisim.testing.arguments import takes_cloud
from omisim.testing.laws import bookkeeping, creation, disks, history, images, networks, visibility
from omisim.testing.laws.calls import make_call
from omisim.testing.laws.table import LAWS, Broken, Law, Step, of_calls, of_changes, of_clouds, of_creations, of_rows

__all__ = [
    "LAWS", "Broken", "Law", "bookkeeping", "broken", "call", "check", "check_affected", "check_changes", "creation",
    "disks", "history", "images", "networks", "visibility",
]  # fmt: skip


@takes_cloud
def check(cloud: Cloud, since: Mark | None = None) -> None:
    """Check every law for a cloud, or for its changes since a mark. Raises Broken.

    With `since`, check after each call or operation: laws about changes compare the changes of one step.
    Raises ValueError for a mark of another cloud and for one that has been rolled back.
    """
    with cloud.engine.lock:
        for finding in _iter_broken(cloud, since):
            raise finding


@takes_cloud
def broken(cloud: Cloud, since: Mark | None = None, *, whole: bool = True) -> list[Broken]:
    """Return a Broken for each finding of the laws, without raising; an empty list if all hold.

    `whole=False` leaves out the laws about a cloud as a whole, which take most of the time.
    """
    with cloud.engine.lock:
        return list(_iter_broken(cloud, since, whole=whole))


def call(account: Account, action: str, /, **parameters: Any) -> dict[str, Any]:
    """Make a call like `account.call`, and check the laws for the call and its changes.

    `why_not` must predict the outcome, a refused call must change nothing, and reads must show created resources as
    answered. Raises Broken, and ApiError for a correctly refused call.
    """
    if not isinstance(account, Account):
        raise TypeError(f"call takes an Account, such as cloud.account('alice'), not {account!r}")
    cloud = account.cloud
    with cloud.engine.lock:
        mark = cloud.mark()
        api_call = make_call(account, action, parameters)
        for finding in _apply(of_calls, api_call):
            raise finding
        check(cloud, since=mark)
    if api_call.refusal is not None:
        raise api_call.refusal
    assert api_call.answer is not None
    return api_call.answer


def check_changes(engine: Engine, changes: Sequence[Change]) -> None:
    """Check the laws about changes for those of one call. Raises Broken."""
    for finding in _iter_broken_changes(engine, changes):
        raise finding


def check_affected(engine: Engine, changes: Sequence[Change]) -> None:
    """Check the laws about rows for those that changes have written, and for those related to them. Raises Broken."""
    for finding in _iter_broken_rows(engine, changes):
        raise finding


def _iter_broken(cloud: Cloud, since: Mark | None, *, whole: bool = True) -> Iterator[Broken]:
    return _check_all(cloud, whole=whole) if since is None else _check_step(cloud, since)


def _check_all(cloud: Cloud, *, whole: bool) -> Iterator[Broken]:
    engine, initial = cloud.engine, initial_state()
    for kind, row_laws in of_rows.items():
        rows = engine.state.rows(kind)
        changed, _ = find_differences(rows, initial.rows(kind))  # unchanged rows of the catalogue need no check
        for row_id in changed:
            yield from _apply(row_laws, engine, rows[row_id])
    for law in of_clouds if whole else ():
        yield from _apply([law], cloud)


def _check_step(cloud: Cloud, since: Mark) -> Iterator[Broken]:
    cloud.engine.check_mark(since)
    changes = cloud.engine.state.changes_since(since.position)
    yield from _iter_broken_changes(cloud.engine, changes)
    yield from _iter_broken_rows(cloud.engine, changes)


def _iter_broken_changes(engine: Engine, changes: Sequence[Change]) -> Iterator[Broken]:
    step = Step(engine, changes)
    for change in changes:
        is_creation = change.before is None and "#" in change.cause
        for laws in (of_changes, of_creations) if is_creation else (of_changes,):
            for law in laws.get(change.kind, ()):
                check = law.check  # a call of law.check(...) would search for a method
                finding = check(step, change)
                if finding is not None:
                    yield Broken(law, finding)


def _iter_broken_rows(engine: Engine, changes: Sequence[Change]) -> Iterator[Broken]:
    state = engine.state
    for kind, row_id in dict.fromkeys(_iter_affected(state, changes)):
        row = state.get(kind, row_id) if kind in of_rows else None
        if row is not None:
            yield from _apply(of_rows[kind], engine, row)


def _apply(laws: Iterable[Law], *subjects: Any) -> Iterator[Broken]:
    for law in laws:
        finding = law.check(*subjects)
        if finding is not None:
            yield Broken(law, finding)


def _iter_affected(state: State, changes: Sequence[Change]) -> Iterator[tuple[str, str]]:
    """Yield the changed rows, and the rows whose laws depend on them."""
    for change in changes:
        kind, row_id = change.kind, change.id
        yield kind, row_id
        row = change.before if change.after is None else change.after
        if kind == "due":
            yield row.kind, row.id
        elif kind == "snapshot":
            yield from (
                ("image", image.image_id)
                for image in state.find_by("image", "block_device_mappings.bsu.snapshot_id", row_id)
            )
            if change.after is None or change.after.state == "deleting":
                yield from (
                    (kind, row_id) for kind in ("image_export", "snapshot_export") for row_id in state.rows(kind)
                )
        elif kind == "volume":
            yield "volume_link", row_id
        elif kind == "volume_link":
            yield "volume", row_id
            yield "vm", row.vm_id
        elif kind == "vm":
            yield from (("volume_link", link.volume_id) for link in state.find_by("volume_link", "vm_id", row_id))
        yield from networks.iter_affected(state, change)
        if kind in _COUNTED:
            yield "account", row.account_id


_COUNTED = frozenset({"vm", "volume", "snapshot", "image_export", "snapshot_export"})  # kinds that count towards quotas
