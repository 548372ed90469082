"""The console's part of the control plane: its page without the token, its data and its stream with it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from typing import Any, cast

import pytest

from omisim import Account, Cloud
from omisim.cloud.console import PAGE_POLICY, list_page_files
from omisim.doors.http import HttpRequest, HttpResponse
from omisim.model import Image
from omisim.server import streams
from omisim.server.app import App
from omisim.server.control import Control
from omisim.server.streams import MAX_STREAMS, ViewFeed

HOST = "127.0.0.1:8333"
TOKEN = {"x-omisim-token": "t"}


@pytest.fixture(name="control")
def _control(cloud: Cloud, alice: Account) -> Control:
    return App(cloud, "t").control


def ask(control: Control, name: str, body: Any = None, **headers: str) -> HttpResponse:
    """Send a request with the token: a POST if it has a body."""
    method = "GET" if body is None else "POST"
    path, _, query = f"/_omisim/{name}".partition("?")
    request = HttpRequest(method, HOST, path, TOKEN | headers, json.dumps(body).encode() if body else b"", query)
    response = control.handle(request)
    assert isinstance(response, HttpResponse)
    return response


class TestPage:
    @pytest.mark.parametrize(
        ("path", "headers", "status"),
        [
            ("/", {"Accept": "text/html,*/*"}, 303),
            ("/", {"Accept": "*/*"}, 401),
            ("/", {"Accept": "text/html", "Authorization": "AWS4-HMAC-SHA256 x"}, 401),
            ("/", {"Accept": "text/html", "Host": "oos.eu-west-2.outscale.com"}, 403),
            ("/a", {"Accept": "text/html"}, 401),
        ],
    )
    def test_opens_at_the_address_of_the_server(
        self, cloud: Cloud, path: str, headers: dict[str, str], status: int
    ) -> None:
        """A browser at the root is led to the page; any other request there is one of a service."""
        with cloud.serve() as server:
            connection = HTTPConnection(server.url.removeprefix("http://"))
            connection.request("GET", path, headers=headers)
            with closing(connection), connection.getresponse() as response:
                assert response.status == status
                assert response.headers.get("Location") == ("/_omisim/" if status == 303 else None)

    def test_needs_no_token(self, control: Control) -> None:
        """Its files are served to anyone who may reach the server, with the policy; everything else needs the token."""
        for name in list_page_files():
            response = control.handle(HttpRequest("GET", HOST, f"/_omisim/{name}", {}))
            assert isinstance(response, HttpResponse)
            assert (response.status, response.headers["Content-Security-Policy"]) == (200, PAGE_POLICY)
        for name in ("view", "actions", "resource", "call", "why_not", "console.html", "page.py"):
            refused = cast("HttpResponse", control.handle(HttpRequest("GET", HOST, f"/_omisim/{name}", {})))
            assert refused.status == 401

    def test_is_for_this_server_alone(self, control: Control) -> None:
        """A page that has rebound its name to this address gets none of it."""
        refused = cast("HttpResponse", control.handle(HttpRequest("GET", "evil.example", "/_omisim/", {})))
        assert refused.status == 403


class TestCalls:
    def test_show_integers_beyond_those_of_javascript_as_texts(self, control: Control, cloud: Cloud) -> None:
        """The page would round an integer above 2**53, so it gets the digits as a text."""
        check = {"CheckInterval": 2**53 - 1, "HealthyThreshold": 2**53 + 1, "Port": -(2**53) - 1}
        cloud.answer("CreateLoadBalancer", {"LoadBalancer": {"HealthCheck": check, "SecuredCookies": True}})
        request = {"account": "alice", "action": "CreateLoadBalancer"}
        answer = json.loads(ask(control, "call", request).body)["answer"]
        assert answer["LoadBalancer"] == {
            "HealthCheck": {
                "CheckInterval": 9007199254740991,
                "HealthyThreshold": "9007199254740993",
                "Port": "-9007199254740993",
            },
            "SecuredCookies": True,
        }

    def test_answer_refuse_or_drop(self, control: Control, cloud: Cloud) -> None:
        """The answer is the API's, a refusal is explained, and a dropped call says so."""
        request = {"account": "alice", "action": "ReadVolumes", "parameters": {}}
        assert json.loads(ask(control, "call", request).body)["answer"]["Volumes"] == []
        cloud.faults.add("ReadVolumes", drop=True)
        assert "dropped" in json.loads(ask(control, "call", request).body)
        unknown = {"account": "alice", "action": "ReadUnicorns"}
        assert json.loads(ask(control, "call", unknown).body)["refusal"]["rule"] == "REQ-002"

    def test_are_checked_without_a_trace(self, control: Control, cloud: Cloud) -> None:
        """`why_not` lists the refusals, and is in no log."""
        request = {"account": "alice", "action": "DeleteImage", "parameters": {"ImageId": "ami-12345678"}}
        (refusal,) = json.loads(ask(control, "why_not", request).body)["refusals"]
        assert refusal["rule"] == "OMI-122"
        assert cloud.calls() == ()

    @pytest.mark.parametrize(
        "body",
        [
            {"account": "mallory", "action": "ReadVolumes"},
            {"account": "alice"},
            {"account": "alice", "action": 3},
            {"account": "alice", "action": "ReadVolumes", "parameters": []},
            {"account": "alice", "action": "ReadVolumes", "more": 1},
        ],
    )
    def test_of_another_form_are_refused(self, control: Control, cloud: Cloud, body: dict[str, Any]) -> None:
        """A wrong request is named, and creates no account."""
        for name in ("call", "why_not"):
            assert ask(control, name, body).status == 400
        assert cloud.accounts == ("alice",)

    @pytest.mark.parametrize(
        "parameters", [{"": 1}, {"ImageId": {"a": [[]]}}, {"self": 1}, {"action": 1}, {"x" * 9000: 1}]
    )
    def test_may_have_any_parameters(self, control: Control, parameters: dict[str, Any]) -> None:
        """Whatever the names and values are, the API refuses them by a rule."""
        request = {"account": "alice", "action": "DeleteImage", "parameters": parameters}
        assert json.loads(ask(control, "call", request).body)["refusal"]["rule"].startswith("REQ-")
        assert json.loads(ask(control, "why_not", request).body)["refusals"]


class TestResource:
    def test_is_shown_or_refused(self, control: Control, golden: Image) -> None:
        """An unknown id is a mistake of the caller."""
        assert "golden" in json.loads(ask(control, f"resource?id={golden.image_id}").body)["lineage"]
        assert ask(control, "resource?id=ami-12345678").status == 400


class TestStream:
    def test_begins_with_the_view(self, cloud: Cloud, alice: Account) -> None:
        """First comes the whole view, then the steps, and the whole view again after a rollback."""
        feed = ViewFeed()
        mark = cloud.mark()
        assert [name for name, _ in feed.read_new(cloud)] == ["view"]
        assert feed.read_new(cloud) == []
        alice.create_keypair(keypair_name="k")
        ((name, data),) = feed.read_new(cloud)
        assert (name, [step["action"] for step in data["steps"]]) == ("steps", ["CreateKeypair"])
        cloud.rollback(mark)
        assert [name for name, _ in feed.read_new(cloud)] == ["view"]

    def test_tells_the_time(self, cloud: Cloud) -> None:
        """A clock that moves without a change is shown, too."""
        feed = ViewFeed()
        feed.read_new(cloud)
        cloud.advance(60)
        assert feed.read_new(cloud) == [("now", {"now": "2026-01-01T00:01:00.000Z"})]

    def test_counts_among_the_streams_of_the_server(self, control: Control) -> None:
        """Streams take threads, so their number is limited; without one, the view can still be read."""
        request = HttpRequest("GET", HOST, "/_omisim/view", TOKEN | {"accept": "text/event-stream"})
        streams = [control.handle(request) for _ in range(MAX_STREAMS)]
        assert all(isinstance(stream, Iterator) for stream in streams)
        assert cast("HttpResponse", control.handle(request)).status == 503
        assert ask(control, "view").status == 200

    def test_writes_a_comment_when_nothing_happens(self, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
        """A write is what reveals that a client has gone."""
        # not by its name: a test that imports the package again leaves another module under it
        monkeypatch.setattr(streams, "POLL_SECONDS", 0)
        monkeypatch.setattr(streams, "KEEP_ALIVE_POLLS", 2)
        events: Iterator[Any] = iter([[], [], [("now", {})]])
        # another test's browser may still listen to another cloud
        monkeypatch.setattr(ViewFeed, "read_new", lambda _, shown: next(events) if shown is cloud else [])
        stream = streams.Streams().open_view(cloud)
        assert [next(stream), next(stream)] == [b": omisim\n\n", b": still here\n\n"]

    def test_holds_no_secrets(self, cloud: Cloud, alice: Account) -> None:
        """Keys and passwords are in neither the view nor the steps."""
        feed = ViewFeed()
        events = feed.read_new(cloud)
        key = alice.create_access_key()
        private_key = alice.create_keypair(keypair_name="k").private_key
        carol = cloud.account("carol")
        events += feed.read_new(cloud)
        text = json.dumps(events)
        secrets = (alice.secret_key, alice.password, carol.secret_key, key.secret_key, private_key)
        assert [secret for secret in secrets if secret and secret in text] == []
