"""The console's endpoints: its page, which needs no token, and what the page asks for with its cookie."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl

from omisim.base.redact import redact
from omisim.base.suggest import describe_unknown
from omisim.cloud.account import Account
from omisim.cloud.cloud import Cloud
from omisim.cloud.console import (
    PAGE_POLICY,
    History,
    describe_actions,
    describe_refusal,
    describe_resource,
    describe_view,
    list_page_files,
)
from omisim.doors.http import HttpRequest, HttpResponse
from omisim.engine.faults import Dropped, Killed
from omisim.spec.errors import ApiError

__all__ = ["CONSOLE", "find_page", "read_cloud_name"]

MAX_SAFE_INTEGER = 2**53 - 1  # of JavaScript
_HEADERS: Mapping[str, str] = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": PAGE_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def find_page(request: HttpRequest, name: str) -> HttpResponse | None:
    """Return a file of the page, or None for another path."""
    if request.method not in ("GET", "HEAD") or name not in list_page_files():
        return None
    if not name and not request.path.endswith("/"):  # its links are relative
        return HttpResponse(308, b"", {"Location": f"{request.path}/"})
    content_type, body = list_page_files()[name]
    return HttpResponse(200, body, {"Content-Type": content_type, **_HEADERS})


def read_cloud_name(request: HttpRequest) -> str | None:
    """Return the cloud that a request of the page names in its query: its event stream cannot send a header."""
    if not request.path.rstrip("/").endswith("/view"):
        return None
    return dict(parse_qsl(request.query)).get("cloud")


def _view(cloud: Cloud, _parameters: Mapping[str, Any]) -> Any:
    return describe_view(cloud.engine, History(cloud.engine))


def _resource(cloud: Cloud, parameters: Mapping[str, Any]) -> Any:
    with cloud.engine.lock:
        return _keep_digits(describe_resource(cloud, parameters["id"]))


def _why_not(cloud: Cloud, parameters: Mapping[str, Any]) -> Any:
    refusals = _find_account(cloud, parameters).why_not(parameters["action"], **_read(parameters))
    return {"refusals": [describe_refusal(refusal) for refusal in refusals]}


def _call(cloud: Cloud, parameters: Mapping[str, Any]) -> Any:
    """Run a request. Its answer shows no secrets: a page may be seen by others than its user."""
    account = _find_account(cloud, parameters)
    try:
        return {"answer": _keep_digits(redact(account.call(parameters["action"], **_read(parameters))))}
    except ApiError as refusal:
        return {"refusal": describe_refusal(refusal)}
    except (Dropped, Killed) as fault:
        return {"dropped": str(fault)}


def _keep_digits(value: Any) -> Any:
    """Return JSON data with the integers that JavaScript would round as texts."""
    if isinstance(value, dict):
        return {name: _keep_digits(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_keep_digits(inner) for inner in value]
    return str(value) if isinstance(value, int) and abs(value) > MAX_SAFE_INTEGER else value


def _find_account(cloud: Cloud, parameters: Mapping[str, Any]) -> Account:
    name = parameters["account"]
    with cloud.engine.lock:  # `account` would create again what a reset removes meanwhile
        if name not in cloud.accounts:
            raise ValueError(describe_unknown("account", name, cloud.accounts))
        return cloud.account(name)


def _read(parameters: Mapping[str, Any]) -> dict[str, Any]:
    return dict(parameters.get("parameters") or {})


CONSOLE: Mapping[tuple[str, str], Callable[[Cloud, Mapping[str, Any]], Any]] = {
    ("GET", "view"): _view,
    ("GET", "actions"): lambda _cloud, _parameters: describe_actions(),
    ("GET", "resource"): _resource,
    ("POST", "why_not"): _why_not,
    ("POST", "call"): _call,
}
