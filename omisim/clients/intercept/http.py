"""urllib3: the patch below all clients that omisim did not make.

requests, osc-sdk-python and botocore all send through `urllib3.HTTPConnectionPool.urlopen`; while any cloud intercepts,
that one method asks the innermost of them first.
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
        answered = answer_request(method, host, netloc, path, headers or pool.headers, body)
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
