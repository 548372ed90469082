"""The urllib3 patch, which covers requests, osc-sdk-python and botocore.

They all send through `urllib3.HTTPConnectionPool.urlopen`. While any cloud intercepts, the innermost cloud gets each
request first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit

import urllib3

from omisim.clients.intercept.stack import answer_request
from omisim.engine.faults import Dropped

__all__ = ["patch_urllib3"]


_real_urlopen: Callable[..., Any] = urllib3.HTTPConnectionPool.urlopen


def patch_urllib3() -> Callable[[], None]:
    """Patch urllib3 to send requests to the innermost cloud first; return a function that removes the patch."""
    global _real_urlopen  # noqa: PLW0603 - the process has one patch
    _real_urlopen = urllib3.HTTPConnectionPool.urlopen
    urllib3.HTTPConnectionPool.urlopen = _urlopen  # type: ignore[method-assign, assignment]
    return _unpatch


def _unpatch() -> None:
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
    """Replace `HTTPConnectionPool.urlopen`: answer requests to OUTSCALE hosts, and send all others."""
    target = urlsplit(url)
    host = target.hostname or pool.host
    path = target.path + (f"?{target.query}" if target.query else "")
    netloc = target.netloc or (host if pool.port in (None, 80, 443) else f"{host}:{pool.port}")
    try:
        answer = answer_request(method, host, netloc, path, headers or pool.headers, body)
    except Dropped as error:
        raise urllib3.exceptions.ProtocolError("Connection aborted.", error) from error
    if answer is None:
        return _real_urlopen(pool, method, url, body, headers, *args, **kwargs)
    return urllib3.HTTPResponse(
        body=BytesIO(answer.body),
        headers={"content-length": str(len(answer.body)), **answer.headers},
        status=answer.status,
        preload_content=kwargs.get("preload_content", True),
        decode_content=kwargs.get("decode_content", True),
        request_method=method,
        request_url=url,
    )
