"""Server-sent events: the changes of a cloud, or the console's view of it, for as long as a client listens.

A stream occupies one of the server's threads, so their number is limited; the server refuses another one. A client that
has gone is noticed by the next write.
"""

from __future__ import annotations

import json
from collections.abc import Generator
from http import HTTPStatus
from threading import Event, Lock
from typing import Any, Protocol
from weakref import WeakKeyDictionary

from omisim.base.redact import redact
from omisim.cloud.cloud import Cloud
from omisim.cloud.console import History, describe_accounts, describe_view
from omisim.model.dump_form import serialize
from omisim.model.serialize import format_date
from omisim.server.http_error import HttpError
from omisim.state.state import Change, State

__all__ = ["MAX_STREAMS", "ChangeFeed", "Streams", "ViewFeed", "describe_change"]

POLL_SECONDS = 0.05  # between two checks for new events
KEEP_ALIVE_POLLS = 40  # without an event, before a comment is sent; a failed send reveals a closed connection
MAX_STREAMS = 4  # at once: a browser opens six connections to one server, and pages need some for requests


class _Feed(Protocol):
    def read_new(self, cloud: Cloud) -> list[tuple[str, Any]]:
        """Return the events since the last time, as (name, data)."""


class Streams:
    """The open streams of all clouds of a server."""

    def __init__(self) -> None:
        self.stopping: Event = Event()
        self._clouds: WeakKeyDictionary[_Feed, Cloud] = WeakKeyDictionary()  # of each open stream
        self._opening = Lock()

    def end(self, cloud: Cloud) -> None:
        """End the streams of a cloud."""
        with self._opening:
            for feed in [feed for feed, other in self._clouds.items() if other is cloud]:
                del self._clouds[feed]

    def open_changes(self, cloud: Cloud) -> Generator[bytes]:
        """Return a stream of the changes from now on. Raises HttpError if there are too many."""
        return self._open(ChangeFeed(cloud), cloud)

    def open_view(self, cloud: Cloud) -> Generator[bytes]:
        """Return a stream of the console's view: the whole view first, then its new steps.

        Raises HttpError if there are too many.
        """
        return self._open(ViewFeed(), cloud)

    def _open(self, feed: _Feed, cloud: Cloud) -> Generator[bytes]:
        with self._opening:
            if len(self._clouds) >= MAX_STREAMS:
                reason = f"the server already has {MAX_STREAMS} event streams, which is the maximum"
                raise HttpError(HTTPStatus.SERVICE_UNAVAILABLE, reason)
            self._clouds[feed] = cloud
        return self._send(feed, cloud)

    def _send(self, feed: _Feed, cloud: Cloud) -> Generator[bytes]:
        """Yield each event, until the cloud is removed, the server stops or the client disconnects."""
        yield b": omisim\n\n"
        silent, pause = 0, 0.0
        while not self.stopping.wait(pause) and feed in self._clouds:
            pause = POLL_SECONDS
            events = feed.read_new(cloud)
            silent = 0 if events else silent + 1
            if events:
                yield "".join(f"event: {name}\ndata: {json.dumps(data)}\n\n" for name, data in events).encode()
            elif silent % KEEP_ALIVE_POLLS == 0:
                yield b": still here\n\n"


class ChangeFeed:
    """A stream of the changes from now on. Its client gets those again that a rollback or a reset has replaced."""

    def __init__(self, cloud: Cloud) -> None:
        with cloud.engine.lock:
            self._known = _copy_journal(cloud.engine.state)

    def read_new(self, cloud: Cloud) -> list[tuple[str, Any]]:
        """Return the new changes, after the position from which earlier ones were undone."""
        with cloud.engine.lock:
            state, known = cloud.engine.state, self._known
            start = known.find_divergence(state) or state.trimmed
            if start == known.position == state.position:
                return []
            changes = [change for change in cloud.events if change.seq >= start]
            self._known = _copy_journal(state)
        events: list[tuple[str, Any]] = [("undone", {"seq": start})] if start < known.position else []
        return events + [("change", describe_change(change)) for change in changes]


def _copy_journal(state: State) -> State:
    """Return a State with the journal of another one as it is now. It is only to be compared."""
    return State(journal=state.journal.copy(), trimmed=state.trimmed)


class ViewFeed:
    """What a page has of the view. A page whose cloud was rolled back, reset or loaded gets the whole view again."""

    def __init__(self) -> None:
        self._history: History | None = None
        self._now = ""

    def read_new(self, cloud: Cloud) -> list[tuple[str, Any]]:
        """Return the whole view, or what is new of it."""
        engine = cloud.engine
        now = format_date(engine.clock.now())
        steps = self._history.read_new(engine) if self._history is not None else None
        if steps is None:
            self._history, self._now = History(engine), now
            return [("view", describe_view(engine, self._history))]
        if steps:
            self._now = now
            return [("steps", {"steps": steps, "now": now, "accounts": describe_accounts(engine)})]
        if now[:19] != self._now[:19]:  # another second
            self._now = now
            return [("now", {"now": now})]
        return []


def describe_change(change: Change) -> dict[str, Any]:
    """Return a change as JSON data, without secrets."""
    return {
        "seq": change.seq,
        "at": change.at.isoformat(),
        "kind": change.kind,
        "id": change.id,
        "before": redact(serialize(change.before)),
        "after": redact(serialize(change.after)),
        "cause": change.cause,
    }
