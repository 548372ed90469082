"""Server-sent events: the streams of changes that clients of the control plane listen to."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http import HTTPStatus
from threading import Event, Lock
from typing import Any
from weakref import WeakSet

from omisim.base.redact import redact
from omisim.cloud.cloud import Cloud
from omisim.model.serialize import serialize
from omisim.state.state import Change

__all__ = ["MAX_STREAMS", "Feed", "Streams", "TooManyStreams", "describe_change"]

POLL_SECONDS = 0.1  # between two checks for new events
KEEP_ALIVE_POLLS = 20  # without an event, before a comment is sent; a failed send reveals a closed connection
MAX_STREAMS = 8  # at once, of all clouds: each occupies one of the server's threads


class TooManyStreams(Exception):
    """A stream too many, which would take another thread of the server."""

    status = HTTPStatus.SERVICE_UNAVAILABLE

    def __init__(self) -> None:
        super().__init__(f"the server already has {MAX_STREAMS} event streams, which is the maximum")


class Feed:
    """An event stream of one cloud, and its position.

    `undone`: changes that it has sent have been undone since. `ended`: its cloud has been removed.
    """

    def __init__(self, cloud: Cloud, position: int) -> None:
        self.cloud: Cloud = cloud
        self.position: int = position
        self.undone: bool = False
        self.ended: bool = False

    def read_new(self) -> bytes:
        """Return the new changes as server-sent events."""
        with self.cloud.engine.lock:
            changes = [change for change in self.cloud.events if change.seq >= self.position]
            undone, self.undone = self.undone, False
            position, self.position = self.position, self.cloud.engine.state.position
        events = [("undone", {"seq": position})] if undone else []
        events += [("change", describe_change(change)) for change in changes]
        return "".join(f"event: {event}\ndata: {json.dumps(data)}\n\n" for event, data in events).encode()


class Streams:
    """The event streams of all clouds of a server, and `stopping`, which ends them."""

    def __init__(self) -> None:
        self.stopping: Event = Event()
        self._feeds: WeakSet[Feed] = WeakSet()  # the server drops the stream of a client that disconnects
        self._lock = Lock()

    def open(self, cloud: Cloud) -> Feed:
        """Return the feed of a new stream. Raises TooManyStreams."""
        with cloud.engine.lock:
            feed = Feed(cloud, cloud.engine.state.position)
        with self._lock:
            if len(self._feeds) >= MAX_STREAMS:
                raise TooManyStreams
            self._feeds.add(feed)
        return feed

    def send(self, feed: Feed) -> Iterator[bytes]:
        """Yield each change as a server-sent event, until the cloud is removed or the server stops."""
        yield b": omisim\n\n"
        silent = 0
        while not (self.stopping.wait(POLL_SECONDS) or feed.ended):
            events = feed.read_new()
            silent = 0 if events else silent + 1
            if events or silent % KEEP_ALIVE_POLLS == 0:
                yield events or b": still here\n\n"

    def note_undone(self, cloud: Cloud, position: int) -> None:
        """Tell the streams of a cloud that the changes since a position have been undone."""
        for feed in self._list_feeds(cloud):
            feed.undone, feed.position = True, min(feed.position, position)

    def end(self, cloud: Cloud) -> None:
        """End the streams of a cloud."""
        for feed in self._list_feeds(cloud):
            feed.ended = True

    def _list_feeds(self, cloud: Cloud) -> list[Feed]:
        with self._lock:
            return [feed for feed in self._feeds if feed.cloud is cloud]


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
