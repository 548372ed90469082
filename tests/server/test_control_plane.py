"""The control plane: a cloud's methods over HTTP, and their description."""

from __future__ import annotations

import json
from threading import Thread
from typing import Any, cast
from urllib.parse import urlencode

import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st
from openapi_schema_validator import OAS30Validator
from openapi_spec_validator import validate

from omisim import Account, Cloud
from omisim.doors.http import HttpRequest, HttpResponse
from omisim.server import Running, run_server
from omisim.server.app import App
from omisim.server.client import Client
from omisim.server.endpoints import ENDPOINTS, describe
from omisim.server.streams import MAX_STREAMS, ChangeFeed


class TestControlPlane:
    def test_needs_its_token(self, server: Running) -> None:
        """Health is open; every other endpoint needs the token."""
        assert requests.get(f"{server.url}/_omisim/health", timeout=60).json()["status"] == "ok"
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"X-Omisim-Token": "ü".encode()}):
            answer = requests.get(f"{server.url}/_omisim/dump", headers=headers, timeout=60)
            assert answer.status_code == 401
        good = {"X-Omisim-Token": server.token}
        assert requests.get(f"{server.url}/_omisim/dump", headers=good, timeout=60).status_code == 200

    def test_resets_the_cloud(self, cloud: Cloud, alice: Account, control: Client) -> None:
        """A reset forgets accounts, calls and faults."""
        control.post("faults", action="ReadVms")
        control.post("reset")
        assert (control.get("accounts"), control.get("calls"), control.get("faults")) == ([], [], [])

    def test_lists_accounts_without_creating_one(self, cloud: Cloud, alice: Account) -> None:
        """A reset waits for a list of accounts: the list would create the rest of them again."""
        cloud.account("bob")
        app = App(cloud, "t")
        reset = Thread(target=cloud.reset)

        def reset_meanwhile(account: Account, _host: str) -> dict[str, str]:
            if account.name == "alice":
                reset.start()
                reset.join(0.1)
            return {}

        app.shared.env = reset_meanwhile
        app.control.handle(HttpRequest("GET", "", "/_omisim/accounts", {"x-omisim-token": "t"}))
        reset.join()
        assert cloud.accounts == ()

    def test_releases_marks(self, control: Client) -> None:
        """A mark can be released, and its history with it."""
        mark = control.post("savepoint")["mark"]
        control.delete("savepoint")
        with pytest.raises(ValueError, match="unknown mark"):
            control.post("rollback", mark=mark)

    def test_describes_every_endpoint(self, cloud: Cloud, control: Client) -> None:
        """The description lists the served endpoints, and nothing else."""
        assert set(App(cloud, "").control.endpoints) == set(ENDPOINTS)
        paths = control.get("openapi.json")["paths"]
        described = {(method.upper(), path.removeprefix("/_omisim/")) for path in paths for method in paths[path]}
        assert described == set(ENDPOINTS)

    def test_rolls_back_to_a_savepoint(self, alice: Account, control: Client) -> None:
        """A savepoint can be rolled back to repeatedly."""
        mark = control.post("savepoint")["mark"]
        for _ in range(2):
            alice.create_volume(subregion_name="eu-west-2a", size=1)
            control.post("rollback", mark=mark)
            assert alice.read_volumes() == ()

    def test_moves_time(self, server: Running, cloud: Cloud, control: Client) -> None:
        """Advance and settle move the clock of the cloud."""
        before = cloud.now
        control.post("advance", seconds=60)
        control.post("settle")
        assert (cloud.now - before).total_seconds() == 60

    def test_completes_and_fails_transitions(self) -> None:
        """complete, fail and fail_next do what the methods do."""
        cloud = Cloud(timing="manual")
        alice = cloud.account("alice")
        with cloud.serve() as server:
            control = Client(server.url, server.token)
            first, second = (alice.create_volume(subregion_name="eu-west-2a", size=1).volume_id for _ in range(2))
            control.post("complete", id=first)
            control.post("fail", id=second, comment="no disk")
            control.post("fail_next", kind="volume")
        assert [volume.state for volume in alice.read_volumes()] == ["available", "error"]

    def test_adds_lists_and_clears_faults(self, cloud: Cloud, alice: Account, control: Client) -> None:
        """A fault is added, listed and cleared."""
        control.post("faults", action="ReadVms", times=2, status=503)
        (fault,) = control.get("faults")
        assert (fault["action"], fault["times"], fault["error"]) == ("ReadVms", 2, "platform-throttled")
        control.delete("faults")
        assert len(cloud.faults) == 0

    def test_dumps_and_loads_the_cloud(self, alice: Account, server: Running, control: Client) -> None:
        """A loaded dump is served from then on."""
        volume = alice.create_volume(subregion_name="eu-west-2a", size=1)
        dump = control.get("dump")
        control.post("reset")
        assert control.get("accounts") == []
        control.post("load", **dump)
        assert server.cloud.account("alice").read_volumes()[0].volume_id == volume.volume_id

    def test_keeps_its_auth_when_it_loads_a_dump(self, server: Running, control: Client) -> None:
        """The server decides how clients sign in: a server for other machines stays closed to unsigned requests."""
        control.post("load", **Cloud(auth="off").dump())
        assert requests.post(f"{server.url}/api/v1/ReadVms", json={}, timeout=60).status_code == 401

    def test_answers_timeline_events_and_calls(self, alice: Account, control: Client) -> None:
        """Timeline, events and calls are those of the cloud."""
        volume = alice.create_volume(subregion_name="eu-west-2a", size=1)
        assert [change["after"]["state"] for change in control.get("timeline", id=volume.volume_id)] == [
            "creating",
            "available",
        ]
        assert control.get("events")[-1]["id"] == volume.volume_id
        assert [call["action"] for call in control.get("calls", action="CreateVolume")] == ["CreateVolume"]

    def test_streams_events(self, alice: Account, control: Client) -> None:
        """A change arrives while it happens."""
        answers: list[dict[str, Any]] = []

        def listen() -> None:
            answers.append(next(control.events()))

        listener = Thread(target=listen)
        listener.start()
        while listener.is_alive():
            alice.create_volume(subregion_name="eu-west-2a", size=1)
            listener.join(0.05)
        assert answers[0]["kind"] in {"volume", "volume_link"}

    def test_is_found_by_the_address_of_the_console(self, server: Running) -> None:
        """A client takes the address that `omisim serve` prints for the console, as it takes that of the server."""
        client = Client(f"{server.url}/_omisim/#token={server.token}", server.token)
        assert client.url == server.url
        assert client.get("accounts") == Client(f"{server.url}/", server.token).get("accounts")

    def test_explains_a_refused_stream(self, server: Running) -> None:
        """A stream that the server refuses raises the error of any other refused request, with the server's text."""
        with pytest.raises(ValueError, match="the control plane requires its token"):
            next(Client(server.url, "wrong").events())

    @pytest.mark.parametrize("grown", [0, 1, 5])
    def test_streams_a_rollback_as_an_event(self, alice: Account, grown: int) -> None:
        """After a rollback, the stream goes on from the first change that was undone, however many follow."""
        cloud, feed = alice.cloud, ChangeFeed(alice.cloud)
        mark = cloud.mark()
        alice.create_volume(subregion_name="eu-west-2a", size=1)
        assert "volume" in [data["kind"] for _, data in feed.read_new(cloud)]
        cloud.rollback(mark)
        volumes = [alice.create_volume(subregion_name="eu-west-2a", size=2).volume_id for _ in range(grown)]
        news = feed.read_new(cloud)
        assert news[0] == ("undone", {"seq": mark.position})
        assert list(dict.fromkeys(data["id"] for _, data in news[1:])) == volumes
        assert feed.read_new(cloud) == []

    def test_streams_what_follows_a_reset(self, cloud: Cloud, control: Client) -> None:
        """Everything that the stream has sent was undone."""
        feed = ChangeFeed(cloud)
        cloud.account("bob")
        sent = feed.read_new(cloud)
        control.post("reset")
        cloud.account("carol")
        news = feed.read_new(cloud)
        assert news[0][0] == "undone"
        assert news[0][1]["seq"] <= sent[0][1]["seq"]
        assert [data["after"]["name"] for _, data in news[1:] if data["kind"] == "account"] == ["carol"]

    def test_limits_the_number_of_streams(self, cloud: Cloud) -> None:
        """A stream takes a thread of the server: one too many is refused, and one that ends makes room."""
        control = App(cloud, "t").control
        request = HttpRequest("GET", "", "/_omisim/events", {"accept": "text/event-stream", "x-omisim-token": "t"})
        streams = [control.handle(request) for _ in range(MAX_STREAMS)]
        assert cast("HttpResponse", control.handle(request)).status == 503
        streams.pop()
        assert not isinstance(control.handle(request), HttpResponse)

    def test_creates_accounts_with_credentials(self, cloud: Cloud, control: Client) -> None:
        """An account is answered with its credentials, and with the environment of clients."""
        new_account = control.post("accounts", name="carol", region="us-east-2")
        assert new_account["secret_key"] == cloud.account("carol").secret_key
        assert new_account["env"]["OSC_REGION"] == "us-east-2"
        assert [account["name"] for account in control.get("accounts")] == ["alice", "carol"]
        assert control.post("accounts", name="alice")["name"] == "alice"

    @pytest.mark.parametrize(
        ("host", "address"),
        [
            ("omisim:9000", "http://omisim:9000"),
            ("192.0.2.7:9000", "http://192.0.2.7:9000"),
            ("[2001:db8::7]:9000", "http://[2001:db8::7]:9000"),
            ("api.eu-west-2.outscale.com", "http://127.0.0.1:"),
        ],
    )
    def test_names_the_address_by_which_it_was_reached(self, cloud: Cloud, host: str, address: str) -> None:
        """Another machine, or a mapped port, gets variables with the address that it used, except names of OUTSCALE.

        Such a name selects a service, so that the path of another one would have no effect.
        """
        with run_server(cloud, token="t", hosts=["omisim"]) as server:
            headers = {"Host": host, "X-Omisim-Token": "t"}
            made = requests.post(f"{server.url}/_omisim/accounts", json={"name": "bob"}, headers=headers, timeout=60)
            forked = requests.post(f"{server.url}/_omisim/clouds", headers=headers, timeout=60)
        for account in (made.json(), *forked.json()["accounts"]):
            for name in ("OSC_ENDPOINT_API", "AWS_ENDPOINT_URL_EC2", "AWS_ENDPOINT_URL_S3"):
                assert account["env"][name].startswith(address)

    def test_sets_licences(self, cloud: Cloud, control: Client) -> None:
        """What a licence authorises is set, listed and taken back. [EXP-018]"""
        control.post("licences", code="0002", export=False)
        assert control.get("licences") == cloud.licences.all() == {"0002": False}
        control.post("licences", code="0002", export=None)
        assert control.get("licences") == {}
        with pytest.raises(ValueError, match="code must be one of 0002"):
            control.post("licences", code="2", export=False)

    def test_renews_official_omis(self, cloud: Cloud, control: Client) -> None:
        """A family of official OMIs is renewed, and the earlier one retired on request. [SHR-017/renewed]"""
        old = cloud.images.official("debian").image_id
        assert control.post("renew", family="debian", retire=True) == {
            "image_id": (new := cloud.images.official("debian")).image_id,
            "image_name": new.image_name,
        }
        assert old not in [image.image_id for image in cloud.images.all()]
        with pytest.raises(ValueError, match="family must match"):
            control.post("renew", family="beos")

    def test_reads_and_writes_files(self, alice: Account, control: Client) -> None:
        """The files of a volume are read and written."""
        volume_id = alice.create_volume(subregion_name="eu-west-2a", size=1).volume_id
        control.post("write", volume_id=volume_id, path="/a", text="ü")
        assert control.get("read", volume_id=volume_id, path="/a") == {"text": "ü"}

    @pytest.mark.parametrize(
        ("name", "parameters", "message"),
        [
            ("advance", {}, "seconds is required"),
            ("advance", {"seconds": "x"}, "seconds must be of type number, not 'x'"),
            ("advance", {"seconds": True}, "seconds must be of type number, not True"),
            ("advance", {"second": 1}, "unknown parameter 'second'; known: seconds"),
            ("settle", {"now": True}, "known: none"),
            ("advance", {"seconds": -1}, "non-negative"),
            ("rollback", {"mark": "9"}, "unknown mark"),
            ("complete", {"id": "vol-12345678"}, "no transition is in progress"),
            ("fail_next", {"kind": "keypair"}, "volume"),
            ("faults", {"action": "Nothing"}, "must be a served action"),
            ("faults", {"action": "ReadVms", "colour": 1}, "colour"),
            ("load", {"omisim": 99}, "dump"),
            ("accounts", {"name": "", "region": "mars"}, "name"),
            ("nothing", {}, "openapi.json"),
        ],
    )
    def test_explains_a_bad_request(self, control: Client, name: str, parameters: dict[str, Any], message: str) -> None:
        """A bad request is answered with one sentence."""
        with pytest.raises(ValueError, match=message):
            control.post(name, **parameters)

    @pytest.mark.parametrize("body", [b"{", b"[]", b"\xff"])
    def test_refuses_a_body_that_is_not_an_object(self, server: Running, body: bytes) -> None:
        """A body is a JSON object."""
        headers = {"X-Omisim-Token": server.token}
        assert requests.post(f"{server.url}/_omisim/settle", data=body, headers=headers, timeout=60).status_code == 400


class TestControlDescription:
    def test_is_valid_openapi(self) -> None:
        """The description of the control plane is OpenAPI 3.0."""
        validate(describe())

    def test_answers_405_with_the_methods_of_a_path(self, server: Running) -> None:
        """Another method is 405 with the allowed ones; HEAD is GET without a body."""
        headers = {"X-Omisim-Token": server.token}
        answer = requests.put(f"{server.url}/_omisim/faults", headers=headers, timeout=60)
        assert (answer.status_code, answer.headers["Allow"]) == (405, "POST, GET, DELETE")
        assert requests.head(f"{server.url}/_omisim/health", timeout=60).status_code == 200

    def test_streams_nothing_to_a_head_request(self, server: Running) -> None:
        """Nothing follows the headers of an answer to HEAD, and its connection is not kept busy."""
        headers = {"X-Omisim-Token": server.token, "Accept": "text/event-stream"}
        answer = requests.head(f"{server.url}/_omisim/events", headers=headers, timeout=60)
        assert answer.headers["Content-Type"] == "application/json"

    @settings(max_examples=150)
    @given(st.data())
    def test_covers_every_answer(self, data: st.DataObject) -> None:
        """Every answer, right or wrong, is described."""
        control = App(Cloud(timing="manual"), "t").control
        vm = control.cloud.account("alice").create_vms(image_id=control.cloud.images.official("debian").image_id)[0]
        ids = [vm.vm_id, vm.block_device_mappings[0].bsu.volume_id, "vol-00000000"]
        for _ in range(3):
            (method, name), endpoint = data.draw(st.sampled_from(sorted(ENDPOINTS.items(), key=str)))
            parameters = endpoint.parameters or {}
            drawn_parameters = {
                n: data.draw(_values(kind, ids)) for n, kind in parameters.items() if data.draw(st.integers(0, 4))
            }
            body = b"" if method == "GET" else json.dumps(drawn_parameters).encode()
            request = HttpRequest(
                method, "", f"/_omisim/{name}", {"x-omisim-token": "t"}, body, urlencode(drawn_parameters)
            )
            answer = cast("HttpResponse", control.handle(request))
            described = describe()["paths"][f"/_omisim/{name}"][method.lower()]["responses"]
            schema = described[str(answer.status)]["content"]["application/json"]["schema"]
            OAS30Validator(schema | {"components": describe()["components"]}).validate(json.loads(answer.body))


def _values(kind: str, ids: list[str]) -> st.SearchStrategy[Any]:
    """Draw values of a type of parameter, and of others."""
    sample_texts = ["alice", "CreateVms", "vm", "volume", "eu-west-2", "us-east-2", "1", "in-use", "/a", *ids]
    values: dict[str, st.SearchStrategy[Any]] = {
        "string": st.sampled_from(sample_texts) | st.text(max_size=5),
        "integer": st.integers(),
        "number": st.integers(-2, 10**5) | st.floats(),
        "boolean": st.booleans(),
        "object": st.dictionaries(st.sampled_from(["VmIds", "Filters"]), st.integers(), max_size=1),
    }
    return st.one_of(values[kind.rstrip("?")], values[kind.rstrip("?")], st.sampled_from([None, True, [], "x"]))
