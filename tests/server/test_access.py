"""Who may use the control plane, which pages may send requests, and what never leaves the server."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from base64 import b64decode, b64encode
from contextlib import ExitStack
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import requests
from support.sign import sign_request
from support.storing import BUCKET, create_bucket, presign_url

from omisim import Account, Cloud
from omisim.base.hosts import is_loopback
from omisim.base.redact import redact
from omisim.doors.front import FrontDoor
from omisim.doors.http import HttpRequest, HttpResponse
from omisim.server import run_server
from omisim.server.access import Access
from omisim.server.app import App
from omisim.server.client import Client, render_exports
from omisim.server.control import Control
from omisim.tools import cli, serve

OWN = "127.0.0.1:8333"
TOKEN = {"x-omisim-token": "t"}


def ask(control: Control, name: str, method: str = "GET", host: str = OWN, **headers: str) -> HttpResponse:
    """Send a request to the control plane; `_` in the name of a header stands for a hyphen."""
    given = {key.replace("_", "-"): value for key, value in headers.items()}
    response = control.handle(HttpRequest(method, host, f"/_omisim/{name}", given))
    assert isinstance(response, HttpResponse)
    return response


def get_status(app: App, request: HttpRequest, *, is_for_proxy: bool = False) -> int:
    """Return the status of an answer other than a stream."""
    response = app.answer(request, is_for_proxy=is_for_proxy)
    assert isinstance(response, HttpResponse)
    return response.status


@pytest.fixture(name="control")
def _control(cloud: Cloud, alice: Account) -> Control:
    return App(cloud, "t").control


class TestToken:
    @pytest.mark.parametrize(
        ("headers", "status"),
        [
            ({}, 401),
            ({"x_omisim_token": "t"}, 200),
            ({"authorization": "Bearer t"}, 200),
            ({"authorization": "bearer t"}, 200),
            ({"authorization": "t"}, 401),
            ({"authorization": "Basic t"}, 401),
            ({"authorization": "Bearer t", "x_omisim_token": "u"}, 401),
            ({"authorization": "Bearer u", "x_omisim_token": "t"}, 401),
            ({"x_omisim_token": ""}, 401),
            ({"authorization": "", "x_omisim_token": "t"}, 200),
            ({"authorization": "Bearer t", "x_omisim_token": ""}, 200),
            ({"origin": "", "x_omisim_token": "t"}, 200),
            ({"x_omisim_token": "ä"}, 401),
            ({"cookie": "omisim_session_8333=t"}, 401),
        ],
    )
    def test_is_needed_in_one_of_two_headers(self, control: Control, headers: dict[str, str], status: int) -> None:
        """Each of the two that is not empty must hold the token; nothing else replaces it."""
        assert ask(control, "dump", **headers).status == status

    def test_is_needed_to_learn_which_endpoints_exist(self, control: Control) -> None:
        """Without the token, an unknown endpoint is refused like a known one."""
        assert {ask(control, name).status for name in ("dump", "nothing", "session", "openapi.json")} == {401}

    def test_decides_what_health_tells(self, control: Control) -> None:
        """Without the token, health says that the server is up, whatever the host, and nothing else."""
        assert json.loads(ask(control, "health", host="x").body) == {"status": "ok"}
        assert json.loads(ask(control, "health", authorization="Bearer t").body)["accounts"] == ["alice"]

    def test_is_an_argument_of_the_command_line(self, cloud: Cloud) -> None:
        """A token that a server has chosen never looks like an option: `--token -x` would be refused."""
        with cloud.serve() as server:
            assert re.fullmatch(r"[0-9a-f]{64}", server.token)

    @pytest.mark.parametrize("header", ["X_Omisim_Token", "X-Omisim_Token", "x_omisim-token"])
    def test_is_not_taken_from_variants_of_a_header(self, cloud: Cloud, header: str) -> None:
        """X_Omisim_Token is another header than X-Omisim-Token, which a proxy may have checked."""
        with cloud.serve(token="t") as server:
            answer = requests.get(f"{server.url}/_omisim/dump", headers={header: "t"}, timeout=60)
        assert answer.status_code == 401

    def test_is_of_no_use_in_a_request_to_a_proxy(self, cloud: Cloud) -> None:
        """A request line with an absolute URL is for another server, and reaches no control plane."""
        request = HttpRequest("GET", "127.0.0.1", "/_omisim/dump", TOKEN)
        assert get_status(App(cloud, "t"), request, is_for_proxy=True) == 400


class TestSession:
    """The cookie of a page that the server serves."""

    @pytest.fixture(name="cookie")
    def _cookie(self, control: Control) -> str:
        opened = ask(control, "session", "POST", x_omisim_token="t", origin=f"http://{OWN}")
        return opened.headers["Set-Cookie"]

    def test_is_kept_from_scripts_and_other_sites(self, cookie: str) -> None:
        """The cookie is HttpOnly and SameSite=Strict, and holds a random value instead of the token."""
        value, *attributes = cookie.split("; ")
        assert attributes == ["HttpOnly", "SameSite=Strict", "Path=/_omisim"]
        assert len(value) > 40
        assert Access("t", "https").open_session(HttpRequest("POST", OWN, "", {"origin": "x"})).endswith("; Secure")

    @pytest.mark.parametrize(
        ("method", "headers", "status"),
        [
            ("POST", {"origin": f"http://{OWN}"}, 200),
            ("GET", {"origin": f"http://{OWN}"}, 200),
            ("GET", {"sec_fetch_site": "same-origin"}, 200),
            ("GET", {}, 401),
            ("POST", {}, 401),
            ("POST", {"sec_fetch_site": "same-origin"}, 401),
            ("POST", {"origin": "http://evil.example"}, 403),
            ("POST", {"origin": f"https://{OWN}"}, 403),
            ("POST", {"origin": "null"}, 403),
            ("GET", {"sec_fetch_site": "same-site"}, 401),
        ],
    )
    def test_counts_for_its_own_page_only(
        self, control: Control, cookie: str, method: str, headers: dict[str, str], status: int
    ) -> None:
        """A request with the cookie must come from a page of the server; a write says so in its Origin."""
        name = "settle" if method == "POST" else "calls"
        assert ask(control, name, method, cookie=cookie.partition(";")[0], **headers).status == status

    @pytest.mark.parametrize("foreign", ['a={"b":1}', "a b=1", "a", ";", "a=1"])
    def test_counts_beside_any_cookie_of_another_server(self, control: Control, cookie: str, foreign: str) -> None:
        """A browser sends the cookies of all servers on this machine together, whatever their ports and forms."""
        cookies = f"{foreign}; {cookie.partition(';')[0]}; {foreign}"
        assert ask(control, "calls", cookie=cookies, sec_fetch_site="same-origin").status == 200

    def test_has_a_cookie_of_each_server_of_a_machine(self, control: Control) -> None:
        """Its name has the port: a page of a second server would replace the cookie of the first one."""
        hosts = ("127.0.0.1:8333", "127.0.0.1:8334", "[::1]:8335", "a.localhost")
        requests = [HttpRequest("POST", host, "", {"origin": f"http://{host}"}) for host in hosts]
        names = [Access("t").open_session(request).partition("=")[0] for request in requests]
        assert names == ["omisim_session_8333", "omisim_session_8334", "omisim_session_8335", "omisim_session"]

    def test_begins_with_the_token_and_ends(self, control: Control, cookie: str) -> None:
        """Only a page gets a cookie, only for the token; DELETE ends the session."""
        given = {"cookie": cookie.partition(";")[0], "origin": f"http://{OWN}"}
        assert ask(control, "session", "POST", x_omisim_token="u", origin=f"http://{OWN}").status == 401
        assert ask(control, "session", "POST", x_omisim_token="t").status == 403
        assert ask(control, "session", "GET", x_omisim_token="t").status == 405
        assert ask(control, "session", "DELETE", **given).headers["Set-Cookie"].endswith("Max-Age=0")
        assert ask(control, "settle", "POST", **given).status == 401

    def test_the_oldest_of_many_ends(self, control: Control, cookie: str) -> None:
        """64 pages have a session at once."""
        for _ in range(64):
            ask(control, "session", "POST", x_omisim_token="t", origin=f"http://{OWN}")
        given = {"cookie": cookie.partition(";")[0], "origin": f"http://{OWN}"}
        assert ask(control, "settle", "POST", **given).status == 401
        assert ask(control, "settle", "POST", cookie="omisim_session_8333", origin=f"http://{OWN}").status == 401


class TestSite:
    @pytest.mark.parametrize(
        ("host", "status"),
        [
            *((host, 200) for host in (OWN, "localhost", "LOCALHOST:1", "[::1]:8333", "10.0.0.7", "a.localhost")),
            *((host, 200) for host in ("api.eu-west-2.outscale.com", "mine:80", "")),
            *(
                (host, 403)
                for host in ("evil.example", "evil.example:8333", "127.0.0.1.evil.example", "a@b", "[::1", "²")
            ),
        ],
    )
    def test_is_named_by_the_host(self, cloud: Cloud, host: str, status: int) -> None:
        """A page that rebinds its own name to this address is refused; addresses and the server's names are not."""
        control = App(cloud, "t", access=Access("t", hosts=("mine",))).control
        assert ask(control, "calls", host=host, x_omisim_token="t").status == status

    @pytest.mark.parametrize("service", ["api", "fcu", "oos"])
    def test_of_a_foreign_page_reaches_no_unsigned_service(self, service: str) -> None:
        """With auth off, a form of a foreign page, or a rebound name, would otherwise act as the first account."""
        app = App(Cloud(auth="off"), "t")
        app.cloud.account("alice")
        path = {"api": "/api/v1/ReadVms", "fcu": "/fcu", "oos": "/oos/eu-west-2/"}[service]
        for origin, host, allowed in (
            ("http://evil.example", OWN, False),
            (None, "evil.example", False),
            (f"http://{OWN}", OWN, True),
            (None, OWN, True),
        ):
            request = HttpRequest("POST", host, path, {"origin": origin} if origin else {})
            assert (get_status(app, request) == 403) is not allowed

    def test_of_a_foreign_page_may_read_alone(self, cloud: Cloud, alice: Account) -> None:
        """The API lets pages of any site read answers of Read actions, as the real one does, and of no other."""
        door = FrontDoor(cloud.engine)
        for action, expected in (("ReadVms", "*"), ("CreateVolume", None), ("Nothing", None)):
            response = door.handle("api", sign_request(alice, f"/api/v1/{action}"), cloud.now)
            assert response.headers.get("Access-Control-Allow-Origin") == expected


class TestOtherMachines:
    @pytest.mark.parametrize(
        ("host", "token", "auth"), [("0.0.0.0", None, "strict"), ("::", "t", "off"), ("10.0.0.1", "", "strict")]
    )
    def test_need_a_signature_and_a_token(self, host: str, token: str | None, auth: Any) -> None:
        """An address that other machines reach needs auth strict and a token of the caller's choice."""
        cloud = Cloud(auth=auth)
        with pytest.raises(ValueError, match="lets other machines in"), run_server(cloud, 0, host, token=token):
            pass

    def test_are_those_beyond_loopback(self) -> None:
        """Loopback addresses and localhost belong to this machine alone."""
        assert all(map(is_loopback, ("127.0.0.1", "127.1.2.3", "::1", "localhost")))
        assert not any(map(is_loopback, ("0.0.0.0", "::", "", "192.168.0.1", "example.com", "127.0.0.1.example")))


@pytest.fixture(name="busy")
def _busy(cloud: Cloud, alice: Account) -> list[str]:
    """The secrets of a cloud in which each kind of secret was used."""
    create_bucket(alice).put_object(Bucket=BUCKET, Key="a", Body=b"x")
    url = presign_url(alice, "a")
    alice.create_snapshot(file_location=url, snapshot_size=2**30)
    image = alice.create_image(
        image_name="golden", vm_id=alice.create_vms(image_id=cloud.images.official("debian").image_id)[0].vm_id
    )
    key = alice.create_access_key()
    target = {"disk_image_format": "raw", "osu_bucket": BUCKET}
    target["osu_api_key"] = {"api_key_id": key.access_key_id, "secret_key": key.secret_key}  # type: ignore[assignment]
    alice.create_image_export_task(image_id=image.image_id, osu_export=target)
    manifest = presign_url(alice, f"{image.image_id}/manifest.json")
    alice.create_image(image_name="copy", file_location=manifest)
    keypair = alice.create_keypair(keypair_name="k")
    alice.check_authentication(login=alice.email, password=alice.password)
    signatures = [text.partition("X-Amz-Signature=")[2] for text in (url, manifest)]
    return [alice.secret_key, key.secret_key, alice.password, str(keypair.private_key)[40:80], *signatures]


class TestSecrets:
    def test_are_in_no_answer_of_the_control_plane(self, cloud: Cloud, busy: list[str], control: Control) -> None:
        """Calls, events, timelines and a dump without `secrets` hold none, not even in the bytes of a manifest."""
        dump = json.loads(ask(control, "dump", authorization="Bearer t").body)
        texts = [ask(control, name, authorization="Bearer t").body.decode() for name in ("calls", "events")]
        texts += [json.dumps(dump), repr(cloud.events), "\n".join(map(str, cloud.calls())), repr(cloud.calls())]
        texts += [repr(cloud.timeline(next(iter(cloud.engine.state.rows("image_export")))))]
        objects = [serialized for _, serialized in dump["rows"]["object"].values()]
        texts += [b64decode(item["body"]).decode(errors="replace") for item in objects]
        assert not [(secret, text[:60]) for secret in busy for text in texts if secret in text]
        request = HttpRequest("GET", OWN, "/_omisim/dump", {"authorization": "Bearer t"}, b"", "secrets=true")
        answer = control.handle(request)
        assert isinstance(answer, HttpResponse)
        assert Cloud.load(json.loads(answer.body)) == cloud
        assert busy[0] in answer.body.decode()

    def test_are_in_no_api_log(self, alice: Account, busy: list[str]) -> None:
        """ReadApiLogs shows the parameters of calls without their secrets."""
        text = json.dumps(alice.call("ReadApiLogs"))
        assert not [secret for secret in busy if secret in text]
        assert '\\"SecretKey\\": \\"redacted\\"' in text

    def test_are_in_no_log_and_no_recording(self, cloud: Cloud, alice: Account) -> None:
        """Files of a server hold no password, secret key, private key or signature of a URL."""
        log, record = StringIO(), StringIO()
        app = App(cloud, "t", log, record)
        secrets = ["p4ssw0rd", "s3cr3tk3y", "51gn4tur3"]
        for action, body in (
            ("CreateKeypair", {"KeypairName": "k"}),
            ("CheckAuthentication", {"Login": "a", "Password": secrets[0]}),
            ("CreateImageExportTask", {"OsuExport": {"OsuApiKey": {"SecretKey": secrets[1]}}}),
            ("CreateSnapshot", {"FileLocation": f"http://a/?X-Amz-Signature={secrets[2]}&x=1", "SnapshotSize": 1}),
        ):
            request = sign_request(alice, f"/api/v1/{action}", json.dumps(body).encode(), host="127.0.0.1")
            app.answer(replace(request, query=f"X-Amz-Signature={secrets[2]}"))
        text = log.getvalue() + record.getvalue()
        assert len(record.getvalue().splitlines()) == 4
        assert not [secret for secret in (*secrets, "PRIVATE KEY", alice.secret_key) if secret in text]

    def test_of_a_login_are_not_kept(self, cloud: Cloud, alice: Account) -> None:
        """A recorded call keeps no password of its Authorization header."""
        header = "Basic " + b64encode(f"{alice.email}:{alice.password}".encode()).decode()
        request = HttpRequest("POST", "api.eu-west-2.outscale.com", "/api/v1/ReadAccessKeys", {"authorization": header})
        assert FrontDoor(cloud.engine).handle("api", request, cloud.now).status == 200
        assert cloud.calls()[-1].headers["authorization"] == "Basic redacted"

    def test_are_found_under_any_spelling(self) -> None:
        """Names of both spellings and signatures of both kinds of URL are redacted; empty values and others stay."""
        given = {
            "SecretKey": "a",
            "secret_key": "b",
            "Password": "",
            "Tags": [{"password": "c"}],
            "Url": "u?Signature=d&e=f",
        }
        expected = {
            "SecretKey": "redacted", "secret_key": "redacted", "Password": "", "Tags": [{"password": "redacted"}],
            "Url": "u?Signature=redacted&e=f",
        }  # fmt: skip
        assert redact(given) == expected

    @pytest.mark.parametrize("words", [[], ["--secrets"]])
    def test_are_in_a_dump_of_the_command_on_request(
        self, cloud: Cloud, alice: Account, capsys: pytest.CaptureFixture[str], words: list[str]
    ) -> None:
        """`omisim dump` prints secrets with --secrets alone, and reports a wrong token in one line."""
        with cloud.serve() as server:
            assert cli.main(["dump", "--url", server.url, f"--token={server.token}", *words]) == 0
            assert (alice.secret_key in capsys.readouterr().out) is bool(words)
            assert cli.main(["dump", "--url", server.url, "--token=wrong", *words]) == 2
        assert "requires its token" in capsys.readouterr().err


class TestFiles:
    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
    def test_that_cannot_be_written_never_decide_an_answer(
        self, cloud: Cloud, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """With a full disk, requests are answered as before; the loss is reported once for each file."""
        with ExitStack() as stack:
            full, closed = serve.open_for_append(stack, "/dev/full"), StringIO()
            closed.close()
            for log, record in ((full, None), (None, full), (closed, closed)):
                app = App(cloud, "t", log, record)
                for _ in range(2):
                    assert get_status(app, HttpRequest("POST", "", "/api/v1/ReadRegions", {})) == 200
        lines = capsys.readouterr().err.splitlines()
        assert [line.split(":")[1].strip() for line in lines] == ["--log", "--record", "--record", "--log"]

    def test_are_for_their_owner_alone(self, tmp_path: Path) -> None:
        """A log or a recording has the mode 0600, also if it existed with another one."""
        (tmp_path / "old").touch(0o644)
        with ExitStack() as stack:
            for name in ("new", "old"):
                file = serve.open_for_append(stack, str(tmp_path / name))
                assert file is not None
                file.write("ä\n")
                assert (tmp_path / name).stat().st_mode & 0o777 == 0o600
                assert (tmp_path / name).read_text("utf-8") == "ä\n"


class TestOutputOfServe:
    def test_is_safe_to_evaluate(self, cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
        """A shell runs nothing of an account's name, whatever it holds."""
        for name in ("a\ntouch owned", "b'; touch owned; '", "$(touch owned)", "`touch owned`", "c\r touch owned"):
            cloud.account(name)
        with cloud.serve() as server:
            serve.announce(server)
        text = capsys.readouterr().out
        script = f"touch() {{ echo owned; }}\neval {shlex.quote(text)}\n"
        run = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
        assert run.stdout + run.stderr == ""

    @pytest.mark.parametrize("name", ["AWS_A=1; touch owned; B", "LD_PRELOAD", "PATH", "BASH_ENV"])
    def test_has_variables_for_clients_alone(self, name: str) -> None:
        """`omisim env` prints what a server answers, which may be another one that wants to run something here."""
        with pytest.raises(ValueError, match="not a variable for clients"):
            render_exports({name: "x"})


def test_keys_of_one_server_do_not_work_on_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without --seed, each server has keys of its own, which a reset keeps."""
    keys = []
    for words in ([], [], ["--seed", "7"], ["--seed", "7"]):
        options = cli.parsers()["serve"].parse_args(words)
        serve.choose_seed(options)
        first, again = serve.create_cloud(options), serve.create_cloud(options)
        assert first.account("alice").secret_key == again.account("alice").secret_key
        keys.append(first.account("alice").secret_key)
    assert keys[0] != keys[1] != keys[2] == keys[3]


def test_client_of_the_control_plane_needs_nothing_new(cloud: Cloud) -> None:
    """`omisim.server.client` sends the token in the header that counts."""
    with cloud.serve() as server:
        assert Client(server.url, server.token).get("dump", secrets="true")["omisim"]
