"""The session of a Gateway prepares and sends each request as a session of requests does."""

from __future__ import annotations

from typing import Any
from unittest import mock

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from requests import PreparedRequest, Request, Session
from requests.cookies import RequestsCookieJar
from requests.structures import CaseInsensitiveDict

from omisim.clients.intercept.sdk_session import SdkSession


def sign(request: PreparedRequest) -> PreparedRequest:
    """Sign a request as the SDK does: by its path and its body, in a header."""
    request.headers["Authorization"] = f"{request.path_url} {request.body!r}"
    return request


def note(response: requests.Response, *_args: Any, **_kwargs: Any) -> None:
    """Stand for a hook."""


def describe(request: PreparedRequest) -> dict[str, Any]:
    """Return all that a request says."""
    parts = vars(request)
    return parts | {"_cookies": dict(parts["_cookies"]), "headers": [*request.headers.items()]}


COOKIES = RequestsCookieJar()
COOKIES.set("c", "1")
REQUEST: dict[str, Any] = {
    "method": "POST",
    "url": "https://api.eu-west-2.outscale.com/api/v1/ReadVms",
    "data": "{}",
    "auth": sign,
}
SETTINGS: list[tuple[dict[str, Any], dict[str, Any]]] = [  # of a request, and of its session
    ({}, {}),
    ({"method": "get"}, {}),
    ({"url": "HTTPS://Api.example:443/a b/../c?d=é#e"}, {}),
    ({"data": None}, {}),
    ({"data": '{"A": "é"}'}, {}),
    ({"data": {"a": "b"}}, {}),
    ({"data": {"a": "b"}, "files": {"f": ("name", b"x")}}, {}),
    ({"files": {"f": ("name", b"x")}}, {}),
    ({"data": None, "json": {"a": 1}}, {}),
    ({"auth": ("user", "password")}, {}),
    ({"auth": ("user", "password")}, {"auth": ("other", "password")}),
    ({"auth": None}, {"auth": ("other", "password")}),
    ({"headers": {"X-One": "1", "accept": None}}, {}),
    ({}, {"headers": CaseInsensitiveDict({"X-One": "1", "Accept": None})}),
    ({}, {"headers": CaseInsensitiveDict({"Cookie": "a=b"})}),
    ({"params": {"p": "1"}}, {}),
    ({}, {"params": {"p": "1"}}),
    ({"cookies": {"e": "2"}}, {}),
    ({}, {"cookies": COOKIES}),
    ({"hooks": {"response": [note]}}, {}),
    ({}, {"hooks": {"response": [note]}}),
]


def prepare(of_request: dict[str, Any], of_session: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what a session of omisim and one of requests make of a request of the SDK with other settings."""
    prepared = []
    with mock.patch("urllib3.filepost.choose_boundary", return_value="boundary"):
        for session in (SdkSession(), Session()):
            session.trust_env = False
            vars(session).update(of_session)
            try:
                prepared.append(describe(session.prepare_request(Request(**{**REQUEST, **of_request}))))
            except ValueError as error:  # of files beside a text
                prepared.append({"error": str(error)})
    return prepared


@pytest.mark.parametrize(("of_request", "of_session"), SETTINGS)
def test_prepares_a_request_as_requests_does(of_request: dict[str, Any], of_session: dict[str, Any]) -> None:
    """Method, URL, headers, body, hooks and cookies are those of a session of requests."""
    ours, theirs = prepare(of_request, of_session)
    assert ours == theirs


@given(
    proxies=st.sampled_from([None, {}, {"https": "http://p"}]),
    of_session=st.sampled_from([{}, {"http": "http://q"}]),
    stream=st.sampled_from([None, True, False]),
    verify=st.sampled_from([None, True, False, "/ca.pem"]),
    cert=st.sampled_from([None, "/cert.pem"]),
)
def test_sends_with_the_settings_that_requests_finds(
    proxies: Any, of_session: dict[str, str], stream: bool | None, verify: Any, cert: Any
) -> None:
    """Proxies, stream, verify and cert are those that requests finds for a session without an environment."""
    found = []
    for session in (SdkSession(), Session()):
        session.trust_env, session.proxies, session.cert = False, of_session, "/own.pem"
        found.append(dict(session.merge_environment_settings("https://x", proxies, stream, verify, cert)))
    ours, theirs = found
    assert ours == theirs | {"proxies": theirs["proxies"] or {}}
