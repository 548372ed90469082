"""requests and urllib3: an adapter for a Gateway of ours, and the patch below all other clients.

requests, osc-sdk-python and botocore all send through `urllib3.HTTPConnectionPool.urlopen`; while any cloud intercepts,
that one method asks the innermost of them first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from io import BytesIO
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import urllib3
from requests import ConnectionError, PreparedRequest, Response  # noqa: A004 - its own, which clients catch
from requests.adapters import BaseAdapter

from omisim.faults import Dropped
from omisim.intercept.stack import ask, reply

if TYPE_CHECKING:
    from omisim.cloud import Cloud

__all__ = ["CloudAdapter", "patch_urllib3"]


class CloudAdapter(BaseAdapter):
    """A transport adapter of requests that hands every request to one cloud."""

    def __init__(self, cloud: Cloud) -> None:
        super().__init__()
        self._cloud = cloud

    def send(self, request: PreparedRequest, *_args: Any, **_kwargs: Any) -> Response:
        """Answer a request in process."""
        host, _, target = (request.url or "").partition("//")[2].partition("#")[0].partition("/")
        names = dict(request.headers.lower_items())
        try:
            answered = ask(self._cloud, "api", request.method or "", host, f"/{target}", names, request.body)
        except Dropped as error:
            raise ConnectionError(error, request=request) from error
        response = Response()
        response.status_code = answered.status
        for name, value in answered.headers.items():
            response.headers[name] = value
        response._content = answered.body
        response.encoding = "utf-8"
        response.url = request.url or ""
        response.request = request
        return response

    def close(self) -> None:
        """Do nothing: there is no connection."""


_real_urlopen: Callable[..., Any] = urllib3.HTTPConnectionPool.urlopen


def patch_urllib3() -> Callable[[], None]:
    """Let urllib3 ask the innermost cloud first; return what takes that back."""
    global _real_urlopen  # noqa: PLW0603 - the one patch
    _real_urlopen = urllib3.HTTPConnectionPool.urlopen
    urllib3.HTTPConnectionPool.urlopen = _urlopen  # type: ignore[method-assign, assignment]
    return _mended


def _mended() -> None:
    urllib3.HTTPConnectionPool.urlopen = _real_urlopen  # type: ignore[method-assign]


def _urlopen(
    pool: urllib3.HTTPConnectionPool,
    method: str,
    url: str,
    body: Any = None,
    headers: Mapping[str, Any] | None = None,
    *args: Any,
    **kwargs: Any,
) -> Any:
    """Stand in for `HTTPConnectionPool.urlopen`: answer OUTSCALE's hosts, pass all others on."""
    target = urlsplit(url)
    host = target.hostname or pool.host
    path = target.path + (f"?{target.query}" if target.query else "")
    netloc = target.netloc or (host if pool.port in (None, 80, 443) else f"{host}:{pool.port}")
    try:
        answered = reply(method, host, netloc, path, headers or pool.headers, body)
    except Dropped as error:
        raise urllib3.exceptions.ProtocolError("Connection aborted.", error) from error
    if answered is None:
        return _real_urlopen(pool, method, url, body, headers, *args, **kwargs)
    return urllib3.HTTPResponse(
        body=BytesIO(answered.body),
        headers={"content-length": str(len(answered.body)), **answered.headers},
        status=answered.status,
        preload_content=kwargs.get("preload_content", True),
        decode_content=kwargs.get("decode_content", True),
        request_method=method,
        request_url=url,
    )
