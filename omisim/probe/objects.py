"""What the probe has stored in object storage: buckets and objects whose names begin with the run, deleted again."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from omisim.probe.connection import Absent, Answer, Unreachable
from omisim.probe.ledger import TAG

__all__ = ["Objects", "find_old_buckets"]

Send = Callable[[str, str, Mapping[str, Any]], Answer]  # caller, method, parameters
_MAX_PAGES = 100  # of objects that one clean-up deletes
_RUN = re.compile(rf"({TAG}-[0-9a-f]{{8}})-.+")


class Objects:
    """The buckets in which a run stores objects, with their owners."""

    def __init__(self, send: Send, run: str) -> None:
        self._send, self._run = send, run
        self.owners: dict[str, str] = {}  # bucket → caller

    def is_ours(self, path: str) -> bool:
        """Whether the name of a bucket or of an object begins with the run."""
        bucket, _, key = path.removeprefix("/").partition("/")
        return bucket.startswith(self._run) or key.startswith(self._run)

    def record(self, by: str, bucket: str) -> None:
        """Record a bucket of the run, or one of the user's in which objects of the run are."""
        self.owners.setdefault(bucket, by)

    def clean(self) -> dict[str, str]:
        """Delete the objects and the buckets of the run; return what remains, with the reason."""
        left: dict[str, str] = {}
        for bucket, by in list(self.owners.items()):
            reason = self._empty(by, bucket)
            if not reason and bucket.startswith(self._run):
                reason = self._delete(by, f"/{bucket}")
            if reason:
                left[f"bucket {bucket}"] = reason
            else:
                del self.owners[bucket]
        return left

    def _empty(self, by: str, bucket: str) -> str:
        """Delete the objects of the run in a bucket; return why one remains, or ""."""
        prefix = "" if bucket.startswith(self._run) else self._run
        for _ in range(_MAX_PAGES):
            query = {"list-type": "2", "prefix": prefix}
            answer = self._request(by, "GET", {"Path": f"/{bucket}", "Query": query})
            if not answer.accepted:
                return "" if answer.code == "NoSuchBucket" else str(answer)
            keys = [str(row["Key"]) for row in _list_rows(answer.body, "ListBucketResult", "Contents")]
            reasons = [self._delete(by, f"/{bucket}/{key}") for key in keys if key.startswith(prefix)]
            if reason := next(filter(None, reasons), ""):
                return reason
            if not reasons:
                return ""
        return "it has too many objects"

    def _delete(self, by: str, path: str) -> str:
        answer = self._request(by, "DELETE", {"Path": path})
        return "" if answer.accepted or answer.code in ("NoSuchKey", "NoSuchBucket") else str(answer)

    def _request(self, by: str, method: str, given: Mapping[str, Any]) -> Answer:
        """Make a request that may be repeated, again after a lost connection."""
        try:
            return self._send(by, method, given)
        except Absent:
            raise
        except Unreachable:
            return self._send(by, method, given)


def find_old_buckets(send: Send, by: str) -> Iterator[tuple[str, str]]:
    """Yield the run and the name of each bucket that an earlier run has left behind."""
    try:
        answer = send(by, "GET", {"Path": "/"})
    except Unreachable:
        return
    for row in _list_rows(answer.body, "ListAllMyBucketsResult", "Buckets", "Bucket"):
        if match := _RUN.fullmatch(str(row.get("Name"))):
            yield match[1], match[0]


def _list_rows(body: Mapping[str, Any], *names: str) -> list[Mapping[str, Any]]:
    """Return the elements below these names; XML does not show whether a single one is a list."""
    value: Any = body
    for name in names:
        value = value.get(name) if isinstance(value, Mapping) else None
    rows = value if isinstance(value, list) else [value]
    return [row for row in rows if isinstance(row, Mapping)]
