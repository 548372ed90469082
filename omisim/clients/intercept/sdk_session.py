"""The session of requests of a Gateway, without the work that the requests of osc-sdk-python do not need."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from requests import PreparedRequest, Request, Session
from requests.cookies import RequestsCookieJar

__all__ = ["SdkSession"]


class SdkSession(Session):
    """A session that adds nothing to the requests of the SDK, which are a URL, a text and a signature.

    requests merges each of them with the parameters, cookies, hooks and proxies of the session, and parses its URL:
    two fifths of the time of a polled call. It still does so for other requests, and in a session that has such
    settings.
    """

    def prepare_request(self, request: Request) -> PreparedRequest:
        """Return a request of the SDK with the headers of the session, and its signature."""
        others = (
            request.params, request.headers, request.cookies, request.hooks["response"],
            self.params, self.cookies, self.hooks["response"],
        )  # fmt: skip
        if any(others) or request.auth is None:
            return super().prepare_request(request)
        prepared = PreparedRequest()
        prepared.prepare_method(request.method)
        prepared.url = _prepare_url(request.url)
        prepared.prepare_headers({name: value for name, value in self.headers.items() if value is not None})
        vars(prepared)["_cookies"] = RequestsCookieJar()  # `prepare_cookies` also looks for a header to make of them
        prepared.prepare_body(request.data, request.files, request.json)
        prepared.prepare_auth(request.auth)
        return prepared

    def merge_environment_settings(self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any) -> Any:
        """Return how to send a request: without proxies, unless there are some."""
        if proxies or self.proxies or self.trust_env:
            return super().merge_environment_settings(url, proxies, stream, verify, cert)
        return {
            "proxies": {},
            "stream": self.stream if stream is None else stream,
            "verify": self.verify if verify is None else verify,
            "cert": self.cert if cert is None else cert,
        }


@lru_cache(maxsize=256)
def _prepare_url(url: str) -> str | None:
    prepared = PreparedRequest()
    prepared.prepare_url(url, None)
    return prepared.url
