"""`omisim serve` as a process, and `omisim env`, which asks it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from threading import Thread
from typing import ClassVar
from urllib.parse import urlsplit

import pytest
import requests

from omisim import Cloud
from omisim.server import Running, run_server
from omisim.server.client import Client
from omisim.tools import serve
from omisim.tools.cli import main


class Process:
    """`omisim serve` as a process."""

    started: ClassVar[list[subprocess.Popen[str]]] = []

    def __init__(self, *words: str) -> None:
        command = [sys.executable, "-W", "error", "-m", "omisim", "serve", "--port", "0", *words]
        self.run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.started.append(self.run)
        self.variables: dict[str, str] = {}
        assert self.run.stdout is not None
        for line in self.run.stdout:
            if line.startswith("export "):
                name, _, value = line.removeprefix("export ").strip().partition("=")
                self.variables[name] = value
            if "is ready" in line:
                break

    @property
    def control(self) -> Client:
        """A client of its control plane."""
        return Client(self.variables["OMISIM_URL"], self.variables["OMISIM_TOKEN"])

    def stop(self) -> tuple[int, str]:
        """Tell it to stop; return its exit status and what it said."""
        self.run.send_signal(signal.SIGTERM)
        _, output = self.run.communicate(timeout=60)
        return self.run.returncode, output


@pytest.fixture(autouse=True)
def _kill_servers_of_a_failed_test() -> Iterator[None]:
    yield
    for run in Process.started:
        run.kill()  # does nothing to a process that has ended
        run.communicate()
    Process.started.clear()


ANSWERS_OF_OTHERS = (
    b"HTTP/1.0 200 OK\r\n\r\n" + b"[" * 100_000,
    b"HTTP/1.0 404 Not Found\r\n\r\n" + b"[" * 100_000,
    b"HTTP/1.1 404 No\r\n\r\n{}",
    b"HTTP/1.1 200 OK\r\n\r\n<p>",
    b"SSH-2.0-x\r\n",
    *(
        b"HTTP/1.1 200 OK\r\n\r\n" + text
        for text in (
            b"null",
            b'{"a": 1}',
            b"[1]",
            b'[{"name": "alice"}]',
            b'[{"name": "alice", "env": {"PATH": "/x"}}]',
        )
    ),
)


class TestServeCommand:
    def test_stops_on_sigterm_and_saves_its_state(self, tmp_path: Path) -> None:
        """The server says when it is ready, stops on SIGTERM, saves, and continues from its saved state."""
        state = tmp_path / "state.json"
        first = Process("--state", str(state), "--account", "bob@us-east-2:AKAKAKAKAKAKAKAKAKAK:SKSK", "--seed", "7")
        assert first.variables["OSC_ACCESS_KEY"] == "AKAKAKAKAKAKAKAKAKAK"
        assert first.variables["OSC_SECRET_KEY"] == "SKSK"
        first.control.post("accounts", name="dave")
        assert first.stop() == (0, "")
        second = Process("--state", str(state), "--account", "bob:AKAKAKAKAKAKAKAKAKAK:SKSK")
        assert [account["name"] for account in second.control.get("accounts")] == ["bob", "dave"]
        assert second.stop() == (0, "")

    def test_says_which_options_have_no_effect_on_a_cloud_of_a_file(self, tmp_path: Path) -> None:
        """The cloud in the file has its own settings; the same command line starts it again."""
        words = ("--state", str(tmp_path / "cloud.db"), "--scenario", "shared-image", "--timing", "clock")
        assert Process(*words).stop() == (0, "")
        text = f"omisim serve: no effect on the cloud in {tmp_path / 'cloud.db'}: --timing, --scenario\n"
        assert Process(*words).stop() == (0, text)

    def test_starts_from_a_scenario_and_resets_to_it(self) -> None:
        """--scenario sets up the cloud; a reset undoes later changes, and every account keeps its keys."""
        process = Process("--scenario", "shared-image", "--account", "zed@us-east-2:ZEDSKEY:SECRET")
        before = process.control.get("accounts")
        assert {"alice", "bob", "zed"} <= {account["name"] for account in before}
        process.control.post("accounts", name="dave")
        process.control.post("reset")
        assert process.control.get("accounts") == before
        assert process.variables["OSC_SECRET_KEY"] == "SECRET"
        assert process.stop() == (0, "")

    def test_logs_its_requests(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """--log writes a line of JSON for each request; `omisim env` finds the account of a running server."""
        log = tmp_path / "log"
        process = Process("--log", str(log), "--token", "secret")
        monkeypatch.setenv("OMISIM_URL", process.variables["OMISIM_URL"])
        monkeypatch.setenv("OMISIM_TOKEN", process.variables["OMISIM_TOKEN"])
        assert main(["env"]) == 0
        assert main(["env", "nobody"]) == 2
        assert process.variables["OMISIM_TOKEN"] == "secret"
        requests.post(f"{process.variables['OMISIM_URL']}/api/v1/ReadVms", data=b"{}", timeout=60)
        assert process.stop() == (0, "")
        lines = [json.loads(line) for line in log.read_text().splitlines()]
        assert (lines[-1]["path"], lines[-1]["status"], lines[-1]["rule"]) == ("/api/v1/ReadVms", 401, "AUTH-005")

    def test_takes_its_token_from_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A container gets its token as a variable, which no list of processes shows."""
        monkeypatch.setenv("OMISIM_TOKEN", "secret")
        process = Process()
        assert process.variables["OMISIM_TOKEN"] == "secret"
        assert process.stop() == (0, "")

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            (["--account", ":AK:SK"], "NAME"),
            (["--account", "alice:AK"], "NAME"),
            (["--account", "alice,bob"], "once for each account"),
            (["--account", "alice@mars"], "region"),
            (["--account", "alice:AK:SK", "--account", "bob:AK:SK"], "belongs to another account"),
            (["--state", "/nowhere/at/all.json"], "directory does not exist"),
            (["--tls-cert", "cert.pem"], "must go together"),
            (["--tls-cert", "cert.pem", "--tls-key", "key.pem"], "cert.pem and key.pem must be a PEM certificate and"),
            (["--tls-cert", __file__, "--tls-key", __file__], "must be a PEM certificate"),
            (["--scenario", "nothing"], "shipped are"),
            (["--account", "alice:A/K:SK"], "access_key must be"),
            (["--host", "nowhere.invalid", "--token", "t"], "not known"),
            (["--host", "0.0.0.0"], "needs a token of your choice"),
            (["--host", "0.0.0.0", "--token", "t", "--auth", "off"], "needs auth='strict'"),
            (["--host", "0.0.0.0", "--token", "t", "--seed", "7"], "know the keys of --seed 7"),
            (["--state", ""], "--state must not be empty"),
            (["--host", "\udcff", "--token", "t"], "host must be an address or a name"),
            (["--token", ""], "--token must not be empty"),
            (["--token", "a b"], "token must consist of visible ASCII characters"),
            (["--token", "clé"], "token must consist of visible ASCII characters"),
            (["--state", "/nowhere/a", "--log", "/nowhere/a"], "--state and --log must be different files"),
            (["--state", "/nowhere/a", "--record", "/nowhere/./a"], "--state and --record must be different files"),
            (["--allow-host", "http://omisim:8333"], "--allow-host must be a name without a port"),
            (["--allow-host", "omisim:8333"], "--allow-host must be a name without a port"),
            (["--allow-host", ""], "--allow-host must be a name without a port"),
            (["--limit", "size=1"], "with a name of body, head"),
            (["--limit", "body=²"], "must be a number from 0"),
            (["--limit", "body"], "must be a number from 0"),
        ],
    )
    def test_reports_a_wrong_option_in_one_line(
        self, words: list[str], message: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """A wrong option is one clear line and exit status 2."""
        assert main(["serve", "--port", "0", *words]) == 2
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1

    def test_names_a_port_that_is_in_use(self, capsys: pytest.CaptureFixture[str]) -> None:
        """The port of another program is refused with its number, without an error number."""
        with socket.create_server(("127.0.0.1", 0)) as listening:
            port = listening.getsockname()[1]
            assert main(["serve", "--port", str(port)]) == 2
        reason = f"cannot listen on 127.0.0.1, port {port}: Address already in use; port 0 picks a free one"
        assert capsys.readouterr().err == f"omisim serve: {reason}\n"

    def test_has_its_port_again_after_it_was_killed(self) -> None:
        """A server that was killed with a client connected can be started again at its port at once."""
        first = Process()
        port = urlsplit(first.variables["OMISIM_URL"]).port
        with socket.create_connection(("127.0.0.1", port or 0), timeout=60) as client:
            client.sendall(b"GET /_omisim/health HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert client.recv(12) == b"HTTP/1.1 200"
            first.run.kill()
            first.run.communicate()
            second = Process("--port", str(port))
        assert second.variables["OMISIM_URL"] == first.variables["OMISIM_URL"]
        assert second.stop() == (0, "")

    @pytest.mark.parametrize("port", ["65536", "-1", "http"])
    def test_refuses_an_invalid_port(self, port: str, capsys: pytest.CaptureFixture[str]) -> None:
        """A port is a number from 0 to 65535."""
        with pytest.raises(SystemExit):
            main(["serve", "--port", port])
        assert f"from 0 to 65535, not {port}" in capsys.readouterr().err

    def test_refuses_a_port_that_is_taken(self, server: Running, capsys: pytest.CaptureFixture[str]) -> None:
        """A port in use is one clear line."""
        assert main(["serve", "--port", server.url.rpartition(":")[2]]) == 2
        assert capsys.readouterr().err.startswith("omisim serve: ")

    def test_refuses_a_damaged_state_file(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """A file that is not a dump is refused, and not changed."""
        for text in ("", "{}", '{"omisim": 1}'):
            (tmp_path / "state.json").write_text(text)
            assert main(["serve", "--port", "0", "--state", str(tmp_path / "state.json")]) == 2
            assert "state.json" in capsys.readouterr().err
            assert (tmp_path / "state.json").read_text() == text

    def test_refuses_to_record_a_cloud_with_a_past(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """A replay starts with a new cloud, so a recording cannot start with a state file."""
        state, record = tmp_path / "state.json", tmp_path / "record"
        state.touch()
        assert main(["serve", "--port", "0", "--state", str(state), "--record", str(record)]) == 2
        assert f"{state} already exists" in capsys.readouterr().err
        assert not record.exists()

    @pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with names")
    def test_waits_for_no_reader_of_its_log(self, tmp_path: Path) -> None:
        """A pipe without a reader is refused, and one that is full loses lines: no request waits for it."""
        pipe = tmp_path / "pipe"
        os.mkfifo(pipe)
        command = [sys.executable, "-m", "omisim", "serve", "--port", "0", "--log", str(pipe)]
        run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert run.stderr.startswith(f"omisim serve: {pipe}: ")
        reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
        with ExitStack() as stack:
            log = serve.open_for_append(stack, str(pipe))
            assert log is not None
            writer = Thread(target=log.writelines, args=[["line\n"] * 50_000], daemon=True)
            writer.start()
            writer.join(60)
            assert not writer.is_alive()
            assert os.read(reader, 5) == b"line\n"
        os.close(reader)

    def test_has_an_env_command_that_reports_no_server(self, capsys: pytest.CaptureFixture[str]) -> None:
        """`omisim env` without a server is one clear line."""
        assert main(["env", "--url", "http://127.0.0.1:1"]) == 2
        reason = "no server answers at http://127.0.0.1:1: Connection refused; `omisim serve` starts one"
        assert capsys.readouterr().err == f"omisim env: {reason}\n"

    def test_has_an_env_command_that_names_the_certificate(
        self, cloud: Cloud, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """A shell that does not trust the certificate of `--tls` learns which variable is missing."""
        with cloud.serve(tls=True) as server:
            monkeypatch.delenv("SSL_CERT_FILE", raising=False)
            assert main(["env", "--url", server.url, "--token", server.token]) == 2
        error = capsys.readouterr().err
        assert error.startswith(f"omisim env: the certificate of {server.url} is not trusted (")
        assert error.endswith("): export SSL_CERT_FILE as `omisim serve` prints it\n")

    @pytest.mark.parametrize(
        ("tls", "host", "cure"),
        [
            (False, "https://127.0.0.1", "write http:// for a server without --tls"),
            (True, "http://127.0.0.1", "write https:// for a server with --tls"),
            (True, "https://127.0.0.2", "--tls-cert and --tls-key of `omisim serve` take one for this address"),
        ],
    )
    def test_has_an_env_command_that_tells_the_kinds_of_urls_apart(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tls: bool, host: str, cure: str
    ) -> None:
        """A URL with the wrong scheme, or a host that the certificate does not name, is answered with the cure."""
        with run_server(Cloud(), host="0.0.0.0", token="t", tls=tls) as server:
            monkeypatch.setenv("SSL_CERT_FILE", server.ca or "")
            assert main(["env", "--url", f"{host}:{urlsplit(server.url).port}", "--token=t"]) == 2
        assert capsys.readouterr().err.endswith(f": {cure}\n")

    @pytest.mark.parametrize("answer", ANSWERS_OF_OTHERS)
    def test_has_an_env_command_that_reports_another_server(
        self, capsys: pytest.CaptureFixture[str], answer: bytes
    ) -> None:
        """The port of another program is one clear line, too."""
        with socket.create_server(("127.0.0.1", 0)) as listening:

            def speak() -> None:
                line, _ = listening.accept()
                with line:
                    line.recv(4096)
                    line.sendall(answer)

            speaker = Thread(target=speak)
            speaker.start()
            assert main(["env", "--url", f"http://127.0.0.1:{listening.getsockname()[1]}"]) == 2
            speaker.join()
        error = capsys.readouterr().err
        assert "not an omisim server" in error
        assert error.count("\n") == 1
