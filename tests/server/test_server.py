"""The server: real clients over HTTP and TLS, its threads and its port."""

from __future__ import annotations

import datetime as dt
import json
import os
import signal
import socket
import ssl
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, suppress
from http.client import HTTPConnection
from textwrap import dedent
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
import requests
from cheroot.server import HTTPRequest
from freezegun import freeze_time
from osc_sdk_python import Gateway
from osc_sdk_python.authentication import Authentication
from osc_sdk_python.credentials import Profile
from support.interpreter import run_python
from support.sign import sign_request
from support.storing import BUCKET, create_bucket

from omisim import Account, Cloud
from omisim.clients.gateway import speed_up_gateways
from omisim.model import Image
from omisim.server import Limits, Running, host
from omisim.server.app import App
from omisim.server.host import THREADS
from omisim.server.limited_server import LimitedServer, _Connections


def read_at(account: Account, server: Running, at: dt.datetime) -> int:
    """Return the status of a request to a server that is signed at a time."""
    path, host = "/api/v1/ReadVms", server.url.partition("//")[2]
    headers = dict(sign_request(account, path, host=host, at=at).headers)
    return requests.post(server.url + path, b"{}", headers=headers, timeout=60).status_code


class TestClientsOfTheServer:
    @pytest.mark.parametrize("tls", [False, True])
    def test_of_the_official_sdk_find_it_by_the_environment(
        self, cloud: Cloud, alice: Account, monkeypatch: pytest.MonkeyPatch, tls: bool
    ) -> None:
        """An unmodified Gateway that reads OSC_* is signed in, over HTTP and over TLS. [AUTH-002]"""
        with cloud.serve(tls=tls) as server:
            for name, value in server.env(alice).items():
                monkeypatch.setenv(name, value)
            with speed_up_gateways():
                gateway = Gateway()
            volume = gateway.CreateVolume(SubregionName="eu-west-2a", Size=1)["Volume"]
        assert server.url.startswith("https" if tls else "http:")
        assert cloud.engine.state.get("volume", volume["VolumeId"]).account_id == alice.account_id

    def test_sign_with_a_frozen_time_or_the_real_one(self, cloud: Cloud, alice: Account) -> None:
        """Under freezegun, clients in this process sign with the frozen time, others with the real one. [AUTH-007]"""
        real = dt.datetime.now(dt.UTC)
        with cloud.serve() as server, freeze_time("2012-01-01"):
            frozen = dt.datetime.now(dt.UTC)
            dates = (frozen, real, frozen + dt.timedelta(hours=1), real + dt.timedelta(hours=1))
            assert [read_at(alice, server, at) for at in dates] == [200, 200, 401, 401]

    def test_sign_urls_with_the_real_time(self, cloud: Cloud, alice: Account) -> None:
        """Under freezegun, the date in a query string may be the real one, too. [AUTH-007]"""
        with cloud.serve() as server:
            keys = {"aws_access_key_id": alice.access_key, "aws_secret_access_key": alice.secret_key}
            ec2 = boto3.client("ec2", endpoint_url=server.url, region_name=alice.region, **keys)
            url = ec2.generate_presigned_url("describe_volumes", HttpMethod="GET")
            with freeze_time("2012-01-01"):
                assert requests.get(url, timeout=60).status_code == 200

    def test_sign_with_the_real_time_under_time_machine(self) -> None:
        """time-machine needs a process of its own: it replaces functions of the interpreter. [AUTH-007]"""
        code = """
            import datetime as dt, time_machine
            from omisim import Cloud
            from server.test_server import read_at
            cloud, real = Cloud(), dt.datetime.now(dt.UTC)
            with cloud.serve() as server, time_machine.travel("2012-01-01"):
                dates = (dt.datetime.now(dt.UTC), real, real + dt.timedelta(hours=1))
                print([read_at(cloud.account("alice"), server, at) for at in dates])
        """
        assert run_python(dedent(code)) == "[200, 200, 401]\n"

    def test_get_an_environment_for_its_accounts_only(self, cloud: Cloud, alice: Account) -> None:
        """An account of another cloud, or a name, is refused; one with the same key, as of a fork, is not."""
        other = Cloud()
        other.account("zoe")
        with cloud.serve() as server:
            wrong: Any
            for wrong in (Cloud(seed=9).account("alice"), other.account("zoe"), "alice"):
                with pytest.raises(ValueError, match=r"must be one of the served cloud \(server\.cloud\.account"):
                    server.env(wrong)
            assert server.env(alice) == server.env(cloud.fork().account("alice")) == server.env(other.account("alice"))

    def test_of_boto3_find_its_buckets(
        self, cloud: Cloud, alice: Account, server: Running, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """boto3 with nothing but the environment stores objects, and signs URLs for any client. [OOS-001, OOS-003]"""
        for name, value in server.env(alice).items():
            monkeypatch.setenv(name, value)
        client = boto3.client("s3")
        client.create_bucket(Bucket=BUCKET)
        client.put_object(Bucket=BUCKET, Key="a b/ç", Body=b"x" * 100_000)
        url = client.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": "a b/ç"})
        assert url.startswith(server.url)
        assert requests.get(url, timeout=60).content == b"x" * 100_000
        head = client.head_object(Bucket=BUCKET, Key="a b/ç")
        assert head["ContentLength"] == 100_000

    def test_read_an_object_whose_key_is_a_url(self, alice: Account, server: Running) -> None:
        """A path that contains `://` is not an absolute URL: curl and browsers send such a key as it is. [OOS-007]"""
        create_bucket(alice).put_object(Bucket=BUCKET, Key="http://a/b", Body=b"x", ACL="public-read")
        assert requests.get(f"{server.url}/oos/eu-west-2/{BUCKET}/http://a/b", timeout=60).content == b"x"

    def test_import_by_a_url_of_the_server(
        self, cloud: Cloud, alice: Account, server: Running, golden: Image, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A URL of a manifest may name the server instead of oos.<Region>. [IMP-002]"""
        for name, value in server.env(alice).items():
            monkeypatch.setenv(name, value)
        client = boto3.client("s3")
        client.create_bucket(Bucket=BUCKET)
        alice.create_image_export_task(
            image_id=golden.image_id, osu_export={"disk_image_format": "raw", "osu_bucket": BUCKET}
        )
        key = f"{golden.image_id}/manifest.json"
        url = client.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": key})
        carol = cloud.account("carol", region="us-east-2")
        assert carol.create_image(file_location=url, image_name="theirs").state == "pending"

    def test_may_be_64_at_once(self, cloud: Cloud, alice: Account, server: Running) -> None:
        """64 concurrent connections lose no update and meet no error."""
        session = [requests.Session() for _ in range(64)]

        def create(number: int) -> int:
            return post_signed(session[number], alice, server)

        with ThreadPoolExecutor(64) as pool:
            statuses = list(pool.map(create, range(64)))
        assert statuses == [200] * 64
        assert len(alice.read_volumes()) == 64

    @pytest.mark.parametrize("path", ["/api/v1/ReadRegions", "/api/latest/ReadRegions", "//api/latest/ReadRegions"])
    def test_may_use_any_path_of_an_action(self, server: Running, path: str) -> None:
        """Doubled slashes and both versions are equivalent. [REQ-001]"""
        line = HTTPConnection(server.url.partition("//")[2], timeout=60)  # requests would mend the path
        line.request("POST", path, b"{}")
        assert json.loads(line.getresponse().read())["Regions"]
        line.close()

    def test_are_refused_as_by_the_api(self, server: Running) -> None:
        """A missing signature, an unknown action and invalid JSON have their status, code and rule.

        [AUTH-005, REQ-002]
        """
        answers = [
            requests.post(f"{server.url}/api/v1/{name}", data=b"{}", timeout=60) for name in ("ReadVms", "Nothing")
        ]
        assert [answer.status_code for answer in answers] == [401, 401]
        assert answers[0].headers["X-Omisim-Rule"] == "AUTH-005"
        assert answers[0].headers["Content-Type"] == "application/json"

    @pytest.mark.parametrize(
        "raw",
        [
            b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
            b"POST /api/v1/ReadVms HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n",
            b"POST /%ff%00 HTTP/1.1\r\nHost: oos.mars.outscale.com\r\n\r\n",
            b"nonsense\r\n\r\n",
            b"POST /api/v1/ReadRegions HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        ],
    )
    def test_that_send_garbage_get_an_answer(self, server: Running, raw: bytes) -> None:
        """Any bytes on a connection are answered, and the server goes on."""
        address = server.url.rpartition("/")[2].partition(":")
        with socket.create_connection((address[0], int(address[2])), timeout=60) as line:
            line.sendall(raw)
            assert line.recv(12).startswith(b"HTTP/1.1 ")
        assert requests.get(f"{server.url}/_omisim/health", timeout=60).status_code == 200


class TestSilentConnections:
    """Connections that a client opens in advance, and on which it sends nothing yet."""

    @staticmethod
    def _open(server: Running) -> socket.socket:
        host, _, port = server.url.rpartition("/")[2].partition(":")
        line = socket.create_connection((host, int(port)), timeout=60)
        if server.ca is None:
            return line
        return ssl.create_default_context(cafile=server.ca).wrap_socket(line, server_hostname=host)

    @pytest.mark.parametrize("tls", [False, True])
    def test_are_closed_without_an_answer(self, cloud: Cloud, tls: bool) -> None:
        """The server closes a silent connection after a minute and sends nothing on it. [REQ-019]"""
        assert Limits().idle_seconds >= 60
        with cloud.serve(tls=tls, limits=Limits(idle_seconds=0.1)) as server, self._open(server) as line:
            assert line.recv(1) == b""

    def test_that_stop_in_a_request_are_told(self, cloud: Cloud) -> None:
        """A request that ends in its middle is answered by 408. [REQ-019]"""
        with cloud.serve(limits=Limits(request_seconds=0.1)) as server, self._open(server) as line:
            line.sendall(b"POST /api/v1/ReadRegions HTTP/1.1\r\nHost: x\r\n")
            assert line.recv(12) == b"HTTP/1.1 408"

    @pytest.mark.parametrize("date", ["2012-01-01", "2050-01-01"])
    def test_count_real_seconds(self, cloud: Cloud, date: str) -> None:
        """A test that freezes the time of the server's process closes no connection. [REQ-019]"""
        with cloud.serve() as server, self._open(server) as line, freeze_time(date, tick=True):
            line.settimeout(0.5)
            with pytest.raises(TimeoutError):
                line.recv(1)

    @pytest.mark.parametrize("tls", [False, True])
    def test_leave_the_threads_to_others(self, cloud: Cloud, tls: bool) -> None:
        """With more silent connections than threads, requests are answered, the silent ones' own ones too. [REQ-019]"""
        with cloud.serve(tls=tls) as server, ExitStack() as stack:
            lines = [stack.enter_context(self._open(server)) for _ in range(host.THREADS + 4)]
            health = f"{server.url}/_omisim/health"
            assert requests.get(health, timeout=60, verify=server.ca or True).status_code == 200
            for line in (lines[0], lines[-1]):
                line.sendall(b"GET /_omisim/health HTTP/1.1\r\nHost: x\r\n\r\n")
                assert line.recv(12) == b"HTTP/1.1 200"


def post_signed(session: requests.Session, account: Account, server: Running) -> int:
    """Create a volume over the line, signed by the SDK's own code; return the status."""
    host = server.url.partition("//")[2]
    profile = Profile(access_key=account.access_key, secret_key=account.secret_key, region=account.region)
    auth = Authentication(profile, host)
    body = json.dumps({"SubregionName": "eu-west-2a", "Size": 1})
    headers = auth.forge_headers_signed("/api/v1/CreateVolume", body)
    return session.post(f"{server.url}/api/v1/CreateVolume", data=body, headers=headers, timeout=60).status_code


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "0.0.0.0", "::", "localhost"])
class TestPort:
    """The port of a server, whatever address it listens on."""

    @staticmethod
    def _serve(cloud: Cloud, host: str, port: int = 0) -> AbstractContextManager[Running]:
        if ":" in host and not socket.has_dualstack_ipv6():
            pytest.skip("no IPv6")
        return cloud.serve(port=port, host=host, token="t")

    def test_is_free_at_once(self, host: str) -> None:
        """After its context the port is free again, although a client has not closed its connection yet."""
        cloud = Cloud(auth="strict")
        with self._serve(cloud, host) as server:
            port = urlsplit(server.url).port or 0
            client = socket.create_connection((host, port), timeout=60)
            client.sendall(b"GET /_omisim/health HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert client.recv(12) == b"HTTP/1.1 200"
        with client, self._serve(cloud, host, port) as second_server:
            assert second_server.url == server.url

    def test_is_refused_while_it_is_served(self, host: str) -> None:
        """A second server at the port of a first one is refused with the address and the reason."""
        cloud = Cloud(auth="strict")
        with self._serve(cloud, "127.0.0.1" if host == "::" else host) as server:
            port = urlsplit(server.url).port or 0
            with (
                pytest.raises(OSError, match=f"cannot listen on {host}, port {port}: Address already in use"),
                self._serve(cloud, host, port),
            ):
                raise AssertionError


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_server_releases_a_port_that_a_forked_process_has(cloud: Cloud) -> None:
    """A process that was forked while the server ran, and outlives it, does not keep its port."""
    ours, theirs = socket.socketpair()
    with cloud.serve() as server, warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of a fork beside threads
        child = os.fork()
        if not child:
            ours.close()
            theirs.send(b"running")
            theirs.recv(1)
            os._exit(0)
        ours.recv(7)
    with ours, theirs, cloud.serve(port=urlsplit(server.url).port or 0) as second_server:
        assert second_server.url == server.url
    os.waitpid(child, 0)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_forked_process_leaves_the_context_of_a_server(cloud: Cloud) -> None:
    """A process that was forked within the context goes on after it at once, and the server goes on as well."""
    parent = os.getpid()
    try:
        with cloud.serve() as server, warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of a fork beside threads
            child = os.fork()
            if not child:
                signal.alarm(30)
            else:
                assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
                assert requests.get(f"{server.url}/_omisim/health", timeout=60).status_code == 200
    finally:
        if os.getpid() != parent:
            os._exit(7)


def test_server_forgets_answers_that_a_client_does_not_take(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that leaves before its answers costs no error. Python 3.13 printed one when the file was freed."""
    close, is_closed = LimitedServer.ConnectionClass.close, []

    def close_and_note(connection: Any) -> None:
        close(connection)
        is_closed.append(connection.wfile.closed)

    monkeypatch.setattr(LimitedServer.ConnectionClass, "close", close_and_note)
    with (
        cloud.serve() as server,
        socket.create_connection(("127.0.0.1", urlsplit(server.url).port or 0), timeout=60) as client,
    ):
        client.sendall(b"GET /_omisim/health HTTP/1.1\r\nHost: localhost\r\n\r\n" * 50)
    assert is_closed
    assert all(is_closed)


def ask_for_a_large_object(server: Running, headers: str = "") -> socket.socket:
    """Return a connection on which the answer to a request has begun, which is larger than the system buffers."""
    address = urlsplit(server.url)
    line = socket.create_connection((address.hostname, address.port), timeout=60)
    if server.ca:
        line = ssl.create_default_context(cafile=server.ca).wrap_socket(line, server_hostname="localhost")
    line.sendall(f"GET /oos/eu-west-2/{BUCKET}/large HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n".encode())
    assert line.recv(5) == b"HTTP/"
    return line


def count_rest(line: socket.socket) -> int:
    """Return how many bytes come until the server ends the connection."""
    size = 0
    with suppress(OSError):  # as a connection is reset
        while data := line.recv(2**20):
            size += len(data)
    return size


@pytest.mark.parametrize("tls", [False, True])
class TestAnswersThatClientsDoNotTake:
    @pytest.fixture(autouse=True)
    def _large_object(self, alice: Account) -> None:
        create_bucket(alice).put_object(Bucket=BUCKET, Key="large", Body=bytes(2**24), ACL="public-read")

    def test_occupy_no_thread(self, cloud: Cloud, *, tls: bool) -> None:
        """More clients than threads that do not read leave all threads to the others, and get their answers later."""
        with cloud.serve(tls=tls, limits=Limits(send_seconds=60)) as server, ExitStack() as stack:
            lines = [stack.enter_context(ask_for_a_large_object(server)) for _ in range(THREADS + 4)]
            answer = requests.get(f"{server.url}/_omisim/health", timeout=60, verify=server.ca or True)
            assert answer.status_code == 200
            for line in lines:
                line.sendall(b"GET /_omisim/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                assert count_rest(line) > 2**24

    def test_are_whole_before_the_connection_ends(self, cloud: Cloud, *, tls: bool) -> None:
        """A client that reads late gets the whole answer, also to its last request."""
        with (
            cloud.serve(tls=tls, limits=Limits(send_seconds=60)) as server,
            ask_for_a_large_object(server, "Connection: close\r\n") as line,
        ):
            time.sleep(0.2)
            assert count_rest(line) > 2**24

    def test_have_a_bounded_size_together(
        self, cloud: Cloud, alice: Account, monkeypatch: pytest.MonkeyPatch, *, tls: bool
    ) -> None:
        """Where the answers that wait exceed the memory, the client that has taken nothing for longest loses its own.

        That of the last client alone fits.
        """
        alice.client("oos").put_object(Bucket=BUCKET, Key="large", Body=bytes(2**25), ACL="public-read")
        drop, has_dropped = _Connections.drop, threading.Event()

        def drop_and_note(connections: _Connections, *connection: Any) -> None:
            drop(connections, *connection)
            has_dropped.set()

        monkeypatch.setattr(_Connections, "drop", drop_and_note)
        with cloud.serve(tls=tls, limits=Limits(send_seconds=600, memory=2**25)) as server, ExitStack() as stack:
            first, last = (stack.enter_context(ask_for_a_large_object(server)) for _ in range(2))
            assert has_dropped.wait(60)
            last.sendall(b"GET /_omisim/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            assert count_rest(last) > 2**25
            assert count_rest(first) < 2**25

    @pytest.mark.parametrize("stays", [False, True])
    def test_cost_no_traceback(
        self, cloud: Cloud, capsys: pytest.CaptureFixture[str], *, tls: bool, stays: bool
    ) -> None:
        """The server prints nothing about a client that leaves during its answer or does not read it in time."""
        with cloud.serve(tls=tls, limits=Limits(send_seconds=0.2)) as server, ask_for_a_large_object(server) as line:
            if not stays:
                line.close()
        assert capsys.readouterr().err == ""

    def test_do_not_keep_a_server_from_its_end(self, cloud: Cloud, *, tls: bool) -> None:
        """The server hangs up on a client that reads no more, rather than wait for `send_seconds`."""
        with ExitStack() as stack:
            with cloud.serve(tls=tls, limits=Limits(send_seconds=40)) as server:
                line = stack.enter_context(ask_for_a_large_object(server))
            assert count_rest(line) < 2**24

    def test_do_not_keep_a_server_from_its_end_as_streams(
        self, cloud: Cloud, monkeypatch: pytest.MonkeyPatch, *, tls: bool
    ) -> None:
        """The thread that sends events to a client that reads no more is not waited for."""
        write, errors = HTTPRequest.write, []

        def note_error(exchange: HTTPRequest, chunk: bytes) -> None:
            try:
                write(exchange, chunk)
            except OSError as error:
                errors.append(error)
                raise

        monkeypatch.setattr(HTTPRequest, "write", note_error)
        monkeypatch.setattr(App, "answer", lambda *_args, **_more: (bytes(2**24) for _ in range(1)))
        with ExitStack() as stack, cloud.serve(tls=tls, limits=Limits(send_seconds=40)) as server:
            stack.enter_context(ask_for_a_large_object(server))
        assert len(errors) == 1
        assert not isinstance(errors[0], TimeoutError)


def test_server_has_all_its_threads_from_the_beginning(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """`serve` waits for a slow server, so that its threads are not taken for threads of the code under test."""
    serve = LimitedServer.serve

    def serve_late(server: LimitedServer) -> None:
        time.sleep(0.1)
        serve(server)

    monkeypatch.setattr(LimitedServer, "serve", serve_late)
    with cloud.serve():
        threads = set(threading.enumerate())
        time.sleep(0.2)
        assert set(threading.enumerate()) == threads


@pytest.mark.parametrize("port", [-1, 65536, "8333"])
def test_serve_refuses_an_invalid_port(cloud: Cloud, port: Any) -> None:
    """`serve` refuses what is not a number from 0 to 65535, and opens no socket."""
    with pytest.raises(ValueError, match="port must be an int from 0 to 65535"), cloud.serve(port=port):
        pass
