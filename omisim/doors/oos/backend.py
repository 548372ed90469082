"""Run moto's S3 for one request, with a temporary backend that only the calling thread sees, at the cloud's time."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise
from threading import RLock, get_ident
from typing import Any
from unittest import mock
from urllib.parse import quote, unquote

from moto.core.model_instances import model_data
from moto.core.request import Request as MotoRequest
from moto.s3 import models, responses
from moto.s3.exceptions import RangeNotSatisfiable
from werkzeug.exceptions import HTTPException

from omisim.doors.http import HttpResponse, clean_header
from omisim.doors.oos.configurations import ONLY_VERSION
from omisim.doors.oos.pages import find_page
from omisim.state.buckets import StorageError, check_key

__all__ = ["call_moto", "use_backend"]

MAX_DELETED = 1000  # keys of a DeleteObjects
_MODELS: Mapping[str, Any] = model_data["s3"]
_LOCK = RLock()  # moto keeps its backends in module variables, so requests run one at a time


def call_moto(method: str, url: str, headers: Mapping[str, str], body: bytes) -> HttpResponse:
    """Return moto's response to a request; a request that moto cannot parse is answered with an S3 error.

    Raises StorageError if `_Backend` refuses the request, or the object has no such part.
    """
    clean_headers = {name: clean_header(value) for name, value in headers.items()}  # as a server hands them over
    request = MotoRequest.from_primitives(method, url, clean_headers, body)
    door = _Door()
    path = url.partition("?")[0].removeprefix("https://s3.amazonaws.com/")
    respond = door.key_response if "/" in path else door.bucket_response
    try:
        status, response_headers, text = respond(request, url, request.headers)
    except StorageError:
        raise
    except RangeNotSatisfiable:  # moto has this one as HTML
        raise StorageError("InvalidPartNumber", "the object has no part with this number") from None
    except HTTPException as error:
        status, response_headers, text = error.code or 400, dict(error.get_headers()), error.get_body()
    except Exception as error:  # noqa: BLE001 - moto raises many types for malformed bodies and headers
        reason = f"moto's S3 cannot read the request: {type(error).__name__}"
        text = f"<Error><Code>InvalidRequest</Code><Message>{reason}</Message></Error>"
        status, response_headers = 400, {"Content-Type": "application/xml"}
    finally:
        request.environ.clear()  # it holds the request, and both would wait for the garbage collector
    # moto sends the version "null", which S3 does not send for a bucket without versioning, and a dict as "checksum"
    dropped = {"server", "date", "checksum", "x-amzn-requestid", "x-amz-version-id"}
    if method != "HEAD":
        dropped.add("content-length")
    lower_headers = {str(name).lower(): str(value) for name, value in response_headers.items()}
    kept_headers = {name: value for name, value in lower_headers.items() if name not in dropped}
    return HttpResponse(status, text.encode() if isinstance(text, str) else bytes(text), kept_headers)


class _Door(responses.S3Response):  # type: ignore[misc]  # moto has no types
    def put_object_acl(self) -> Any:
        """Take the access control list of the body: moto takes that of the bucket in its place."""
        if self._acl_from_headers(self.headers) is not None:
            return super().put_object_acl()
        self.backend.put_object_acl(self.bucket_name, self.parse_key_name(), self._acl_from_body())
        return 200, {}, ""

    def _bucket_response_put(self, request: Any, bucket_name: str, querystring: Any) -> Any:
        """Take the grants in the headers of a new bucket, too: moto takes a canned access control list only."""
        answer = super()._bucket_response_put(request, bucket_name, querystring)
        acl = self._acl_from_headers(self.headers)
        if acl is not None:
            self.backend.put_bucket_acl(bucket_name, acl)
        return answer


class _Backend(models.S3Backend):  # type: ignore[misc]  # moto has no types
    """A backend without paging state between requests: the token of a page is the last name of the page before.

    Of a bucket with many objects, it has those alone that the request concerns: `names` are the names of all, if the
    request lists them, and `load_keys` loads the objects with some names.
    """

    names: Sequence[str] = ()
    load_keys: Callable[[_Backend, Iterable[str]], None]

    def __init__(self, *names: str) -> None:
        super().__init__(*names)
        self._pagination_tokens = _LastKeys()

    def delete_object(self, bucket_name: str, key_name: str, *args: Any, **options: Any) -> Any:
        check_key(key_name)  # DeleteObjects has its keys in the body, which only moto reads
        return super().delete_object(bucket_name, key_name, *args, **options)

    def delete_objects(self, bucket_name: str, objects: Any, *args: Any, **options: Any) -> Any:
        if len(objects) > MAX_DELETED:
            raise StorageError("MalformedXML", f"a request deletes {MAX_DELETED} keys at most, not {len(objects)}")
        if not all(map(_names_object, objects)):
            reason = "an object to delete is named by its Key alone, or with the VersionId null"
            raise StorageError("NotImplemented", reason, "OOS-007")
        self.load_keys(self, (item["Key"] for item in objects))
        return super().delete_objects(bucket_name, objects, *args, **options)

    def complete_multipart_upload(self, bucket_name: str, multipart_id: str, body: Any) -> Any:
        parts = list(body)
        numbers = [number for number, _ in parts]
        if any(number >= following for number, following in pairwise(numbers)):
            raise StorageError("InvalidPartOrder", "the parts must be listed in the order of their numbers")
        return super().complete_multipart_upload(bucket_name, multipart_id, parts)

    def list_objects(self, bucket: Any, prefix: Any, delimiter: Any, marker: Any, max_keys: int | None) -> Any:
        """Page keys and common prefixes together: moto repeats all prefixes on each page."""
        if max_keys is None:  # of `list_objects_v2`, which pages by itself
            return super().list_objects(bucket, prefix, delimiter, marker, max_keys)
        page, is_truncated, token = self.list_objects_v2(bucket, prefix, delimiter, None, marker, max_keys)
        prefixes = [item for item in page if isinstance(item, str)]
        return [item for item in page if not isinstance(item, str)], prefixes, is_truncated, token and unquote(token)

    def list_objects_v2(
        self, bucket: Any, prefix: Any, delimiter: Any, continuation_token: Any, start_after: Any, max_keys: int
    ) -> Any:
        after = self._pagination_tokens.get(continuation_token) if continuation_token else start_after
        self.load_keys(self, find_page(self.names, prefix or "", delimiter or "", after or "", max_keys))
        return super().list_objects_v2(bucket, prefix, delimiter, continuation_token, start_after, max_keys)

    def list_object_versions(
        self, bucket_name: str, delimiter: Any, key_marker: Any, max_keys: int, prefix: Any, **_unused: Any
    ) -> Any:
        """List each object as the only version of its key: moto leaves out the first key after some markers."""
        bucket = self.get_bucket(bucket_name)
        objects, prefixes, _, next_marker = self.list_objects(bucket, prefix, delimiter, key_marker, max_keys)
        for item in objects:
            item.is_latest = True
        return objects, prefixes, [], next_marker, next_marker and ONLY_VERSION

    def _truncate_result(self, result_keys: Any, max_keys: int) -> Any:
        keys, truncated, token = super()._truncate_result(result_keys, max_keys)
        return keys, truncated, quote(dict.get(self._pagination_tokens, token) or "") if token else token


def _names_object(item: Mapping[str, str]) -> bool:
    """Whether an item to delete names an object as a whole: no version except the only one, and no condition."""
    return {"Key"} <= item.keys() <= {"Key", "VersionId"} and item.get("VersionId", ONLY_VERSION) == ONLY_VERSION


class _LastKeys(dict[str, str]):
    def get(self, token: str, _default: object = None) -> str:
        """Return the key that a token stands for, which is the token itself, percent-encoded."""
        return unquote(token)


class _ThreadBackends(dict[str, Any]):
    """A replacement for moto's table of backends: one thread gets a temporary backend, all others the real ones."""

    def __init__(self, original: Any, backend: Any) -> None:
        super().__init__()
        self._original = original
        self._backend = backend
        self._thread = get_ident()
        self._accounts: dict[str, Any] = {}

    @property
    def bucket_accounts(self) -> dict[str, Any]:
        return self._accounts if get_ident() == self._thread else self._original.bucket_accounts

    def __getitem__(self, account: str) -> Any:
        return _EveryPartition(self._backend) if get_ident() == self._thread else self._original[account]


class _EveryPartition(dict[str, Any]):
    def __init__(self, backend: Any) -> None:
        super().__init__()
        self._backend = backend

    def __missing__(self, _partition: str) -> Any:
        return self._backend


@contextmanager
def use_backend(now: dt.datetime) -> Iterator[Any]:
    """Replace moto's backends by an empty one, for this thread and until the context exits, and yield it.

    moto's clock shows `now` to this thread.
    """
    with _LOCK:
        backend = _Backend("aws", "123456789012")
        thread_backends = _ThreadBackends(models.s3_backends, backend)
        thread, real = get_ident(), models.utcnow

        def utcnow() -> dt.datetime:
            at: dt.datetime = now.replace(tzinfo=None) if get_ident() == thread else real()
            return at

        with (
            mock.patch.object(models, "s3_backends", thread_backends),
            mock.patch.object(responses, "s3_backends", thread_backends),
            mock.patch.object(models, "utcnow", utcnow),
            mock.patch.object(models, "events_send_notification", _drop_notification),
            _forget_instances(),
        ):
            yield backend


def _drop_notification(**_event: Any) -> None:
    """Replace moto's notification of AWS EventBridge. A mock in its place would take 80 objects a request."""


@contextmanager
def _forget_instances() -> Iterator[None]:
    """Drop the objects of the context from the lists in which moto keeps all of its objects, for its dashboard."""
    lengths = [(model, len(model.instances_tracked)) for model in _MODELS.values()]
    try:
        yield
    finally:
        for model, length in lengths:
            del model.instances_tracked[length:]
