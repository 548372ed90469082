"""moto's S3 for one request: a back end that only the thread that asks finds, at the cloud's time."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import RLock, get_ident
from typing import Any
from unittest import mock

from moto.core.request import Request as MotoRequest
from moto.s3 import models, responses
from werkzeug.exceptions import HTTPException

from omisim.doors.http import HttpResponse

__all__ = ["call_moto", "use_backend"]

_LOCK = RLock()  # moto keeps its back ends in module variables: one request at a time


def call_moto(method: str, url: str, headers: Mapping[str, str], body: bytes) -> HttpResponse:
    """Return what moto answers to a request; what it cannot read is refused."""
    request = MotoRequest.from_primitives(method, url, headers, body)
    door = responses.S3Response()
    path = url.partition("?")[0].removeprefix("https://s3.amazonaws.com/")
    ask = door.key_response if "/" in path else door.bucket_response
    try:
        status, answered, text = ask(request, url, request.headers)
    except HTTPException as error:
        status, answered, text = error.code or 400, dict(error.get_headers()), error.get_body()
    except Exception as error:  # noqa: BLE001 - moto reads bodies and headers that anybody may have sent
        text = f"<Error><Code>InvalidRequest</Code><Message>{type(error).__name__}</Message></Error>"
        status, answered = 400, {"Content-Type": "application/xml"}
    dropped = ("server", "date", "x-amzn-requestid", *(("content-length",) if method != "HEAD" else ()))
    kept = {str(name).lower(): str(value) for name, value in answered.items() if str(name).lower() not in dropped}
    return HttpResponse(status, text.encode() if isinstance(text, str) else bytes(text), kept)


class _Backend(models.S3Backend):  # type: ignore[misc]  # moto has no types
    """A back end that remembers no page between requests: the token of the next one is the last key of this."""

    def __init__(self, *names: str) -> None:
        super().__init__(*names)
        self._pagination_tokens = _LastKeys()

    def _truncate_result(self, result_keys: Any, max_keys: int) -> Any:
        kept, truncated, token = super()._truncate_result(result_keys, max_keys)
        return kept, truncated, dict.get(self._pagination_tokens, token) if token else token


class _LastKeys(dict[str, str]):
    def get(self, token: str, _default: object = None) -> str:
        """Return the key that a token stands for: itself."""
        return token


class _Ours(dict[str, Any]):
    """Stands in for moto's back ends while one thread asks; every other thread finds those that were there."""

    def __init__(self, before: Any, backend: Any) -> None:
        super().__init__()
        self._before = before
        self._backend = backend
        self._thread = get_ident()
        self._accounts: dict[str, Any] = {}

    @property
    def bucket_accounts(self) -> dict[str, Any]:
        return self._accounts if get_ident() == self._thread else self._before.bucket_accounts

    def __getitem__(self, account: str) -> Any:
        return _Same(self._backend) if get_ident() == self._thread else self._before[account]


class _Same(dict[str, Any]):
    def __init__(self, backend: Any) -> None:
        super().__init__()
        self._backend = backend

    def __missing__(self, _partition: str) -> Any:
        return self._backend


@contextmanager
def use_backend(now: dt.datetime) -> Iterator[Any]:
    """Give moto a back end of its own, empty, for this thread and as long as this lasts."""
    with _LOCK:
        backend = _Backend("aws", "123456789012")
        ours = _Ours(models.s3_backends, backend)
        thread, real = get_ident(), models.utcnow

        def utcnow() -> dt.datetime:
            at: dt.datetime = now.replace(tzinfo=None) if get_ident() == thread else real()
            return at

        with (
            mock.patch.object(models, "s3_backends", ours),
            mock.patch.object(responses, "s3_backends", ours),
            mock.patch.object(models, "utcnow", utcnow),
            mock.patch.object(models, "events_send_notification"),
        ):
            yield backend
