"""The conservation laws of the model: what holds in every cloud, whatever was called.

Each law is a function with the rule that it follows from. `check(cloud)` asks all of them about everything that is not
as the cloud began. `check(cloud, since=mark)` asks about what has changed since a mark, and what that touches: it
costs what the step cost, however large the cloud. The reads that laws make leave no trace in the cloud. `call` makes
a call and holds it against the laws.

    from omisim.testing import laws

    laws.call(alice, "DeleteImage", ImageId=image_id)  # raises laws.Broken: the law, its rule, what is wrong
    mark = cloud.mark()
    cloud.settle()
    laws.check(cloud, since=mark)
    laws.check(cloud)
    for law in laws.LAWS.values():
        print(law)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from omisim.cloud.account import Account
from omisim.cloud.cloud import Cloud
from omisim.engine.engine import Mark
from omisim.state.initial_state import initial_state
from omisim.state.state import Change, State
from omisim.testing.laws import bookkeeping, creation, disks, history, images, networks, visibility
from omisim.testing.laws.calls import make_call
from omisim.testing.laws.table import LAWS, Broken, Law, Step, of_calls, of_changes, of_rows, of_wholes

__all__ = [
    "LAWS", "Broken", "Law", "bookkeeping", "broken", "call", "check", "creation", "disks", "history", "images",
    "networks", "visibility",
]  # fmt: skip


def check(cloud: Cloud, since: Mark | None = None) -> None:
    """Ask every law about a cloud, or about what has changed since a mark of it. Raises Broken.

    With `since`, one call (or one step of whatever makes calls) at a time: laws about changes look at each change with
    those around it. Raises ValueError for a mark that has been undone.
    """
    for found in _broken(cloud, since):
        raise found


def broken(cloud: Cloud, since: Mark | None = None) -> list[Broken]:
    """Return every law that `check` would find broken; none when all hold."""
    return list(_broken(cloud, since))


def call(account: Account, action: str, /, **parameters: Any) -> dict[str, Any]:
    """Make a call as `account.call` does, and hold it and what it changed against the laws.

    `why_not` must have foretold what comes of it, a refused one must change nothing, and what it creates must be read
    as it was answered. Raises Broken; ApiError when the call is refused, as it should be.
    """
    cloud = account.cloud
    with cloud.engine.lock:
        mark = cloud.mark()
        found = make_call(account, action, parameters)
        for broken_one in _asked(of_calls, found):
            raise broken_one
        check(cloud, since=mark)
    if found.refused is not None:
        raise found.refused
    assert found.answer is not None
    return found.answer


def _broken(cloud: Cloud, since: Mark | None) -> Iterator[Broken]:
    with cloud.engine.lock:
        return _whole(cloud) if since is None else _step(cloud, since)


def _whole(cloud: Cloud) -> Iterator[Broken]:
    first = initial_state()
    for kind, found in of_rows.items():
        for row_id, row in cloud.engine.state.rows(kind).items():
            if first.get(kind, row_id) is not row:  # the catalogue's own rows were as they are before
                yield from _asked(found, cloud.engine, row)
    for law in of_wholes:
        yield from _asked([law], cloud)


def _step(cloud: Cloud, since: Mark) -> Iterator[Broken]:
    state = cloud.engine.state
    if since.position > state.position:
        raise ValueError("this mark was undone: take another one")
    changes = state.journal[since.position - (state.position - len(state.journal)) :]
    step = Step(cloud.engine, changes)
    for change in changes:
        yield from _asked(of_changes.get(change.kind, ()), step, change)
    for kind, row_id in dict.fromkeys(_touched(state, changes)):
        row = state.get(kind, row_id)
        if row is not None:
            yield from _asked(of_rows.get(kind, ()), cloud.engine, row)


def _asked(laws: Iterable[Law], *about: Any) -> Iterator[Broken]:
    for law in laws:
        what = law.check(*about)
        if what is not None:
            yield Broken(law, what)


def _touched(state: State, changes: list[Change]) -> Iterator[tuple[str, str]]:
    """Yield the rows that changed, and those that a law holds against them."""
    for change in changes:
        kind, row_id = change.kind, change.id
        yield kind, row_id
        row = change.before if change.after is None else change.after
        if kind == "due":
            yield row.kind, row.id
        elif kind == "snapshot":
            yield from (("image", image.image_id) for image in state.find_by("image", "snapshot", row_id))
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
            yield from (("volume_link", link.volume_id) for link in state.find_by("volume_link", "vm", row_id))
        yield from networks.touched(state, change)
        if kind in _COUNTED:
            yield "account", row.account_id


_COUNTED = frozenset({"vm", "volume", "snapshot", "image_export", "snapshot_export"})  # what quotas count
