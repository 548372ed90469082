"""The patches of requests: a request that is answered in this process needs no proxy, pool or TLS context.

The urllib3 patch would answer it too. What these patches leave out takes twice as long as the cloud's answer.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit

from requests.adapters import HTTPAdapter
from requests.exceptions import ConnectionError  # noqa: A004 - `requests` itself may be half imported
from urllib3.connectionpool import HTTPConnectionPool
from urllib3.exceptions import ProtocolError
from urllib3.response import HTTPResponse

from omisim.clients.intercept.http import STANDARD_PORTS, answer_host, describe_response
from omisim.clients.intercept.patches import wrap_attributes
from omisim.clients.intercept.stack import find_service, is_kept_in_process

__all__ = ["patch_requests"]

_DEFAULTS: dict[str, Any] = {"cert": None, "proxies": {}, "stream": False}  # of a request; any time limit will do
_BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")  # the variables from which requests takes `verify`


def patch_requests() -> Callable[[], None]:
    """Make sessions ignore the environment's proxies for intercepted hosts, and answer plain requests to OAPI directly.

    Returns a function that removes the patches. Proxies that the code under test sets on a session or a call stay in
    effect.
    """
    from requests import sessions  # noqa: PLC0415 - loaded, or being loaded

    return wrap_attributes(
        (sessions, "get_environ_proxies", _wrap_get_environ_proxies), (HTTPAdapter, "send", _wrap_send)
    )


def _wrap_get_environ_proxies(real: Callable[..., dict[str, str]]) -> Callable[..., dict[str, str]]:
    def get_environ_proxies(url: str, *args: Any, **kwargs: Any) -> dict[str, str]:
        return {} if is_kept_in_process(urlsplit(url).hostname or "") else real(url, *args, **kwargs)

    return get_environ_proxies


def _wrap_send(real: Callable[..., Any]) -> Callable[..., Any]:
    if not _is_own(real, "requests.adapters"):  # another tool intercepts requests, such as the library responses
        return real

    def send(adapter: HTTPAdapter, request: Any, *args: Any, **options: Any) -> Any:
        if not args and _is_plain(adapter, request, options):
            response = _answer(adapter, request)
            if response is not None:
                return response
        return real(adapter, request, *args, **options)

    return send


def _is_plain(adapter: HTTPAdapter, request: Any, options: dict[str, Any]) -> bool:
    """Whether a request goes to OAPI, and neither its adapter nor its options, nor urllib3, are out of the ordinary."""
    return (
        type(adapter) is HTTPAdapter
        and not adapter.max_retries.total
        and request.method == "POST"
        and all(options.get(name, default) == default for name, default in _DEFAULTS.items())
        and not isinstance(options.get("timeout"), tuple)
        and options.get("verify", True) in (True, *map(os.environ.get, _BUNDLES))
        and find_service(urlsplit(request.url).hostname or "") == "api"
        and _is_own(HTTPConnectionPool.urlopen, "urllib3.connectionpool")
    )


def _is_own(function: Any, module: str) -> bool:
    """Whether a function is the one that a module defines, and no wrapper of it."""
    return function.__module__ == module and not hasattr(function, "__wrapped__")


def _answer(adapter: HTTPAdapter, request: Any) -> Any:
    """Return the innermost cloud's response to a request, read already, or None if it is to be sent."""
    url = urlsplit(request.url)
    netloc = url.netloc if url.port not in STANDARD_PORTS else url.hostname
    try:
        answer = answer_host(request.method, url.hostname, netloc, request.path_url, request.headers, request.body)
    except ProtocolError as error:
        raise ConnectionError(error, request=request) from error
    if answer is None:
        return None
    raw = HTTPResponse(BytesIO(), **describe_response(answer), preload_content=False, enforce_content_length=False)
    response = adapter.build_response(request, raw)
    # requests offers no other way to give a body
    vars(response).update(_content=answer.body, _content_consumed=True, _answered=answer.body)
    if "osc_sdk_python.problem" in sys.modules:
        from omisim.clients.intercept.sdk_response import SdkResponse  # noqa: PLC0415 - needs the SDK

        response.__class__ = SdkResponse
    return response
