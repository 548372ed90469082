"""The patch of requests: a request that is answered in this process does not look for a proxy.

The urllib3 patch answers it whatever the proxy. The search reads every environment variable twice per request, which
takes longer than the cloud's answer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from omisim.clients.intercept.replaced import wrap_attributes
from omisim.clients.intercept.stack import is_kept_in_process

__all__ = ["patch_requests"]


def patch_requests() -> Callable[[], None]:
    """Make sessions ignore the environment's proxies for intercepted hosts; return a function that removes the patch.

    Proxies that the code under test sets on a session or a call stay in effect.
    """
    from requests import sessions  # noqa: PLC0415 - loaded, or being loaded

    return wrap_attributes((sessions, "get_environ_proxies", _wrap_get_environ_proxies))


def _wrap_get_environ_proxies(real: Callable[..., dict[str, str]]) -> Callable[..., dict[str, str]]:
    def get_environ_proxies(url: str, *args: Any, **kwargs: Any) -> dict[str, str]:
        return {} if is_kept_in_process(urlsplit(url).hostname or "") else real(url, *args, **kwargs)

    return get_environ_proxies
