"""The environment of code that knows nothing of omisim, and the guard against requests that would leave the machine."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import permutations
from pathlib import Path
from textwrap import dedent
from unittest import mock

import boto3
import osc_sdk_python
import pytest
import requests
import urllib3
from osc_sdk_python import Gateway
from osc_sdk_python.limiter import RateLimiter
from requests import HTTPError
from support.interpreter import run_python
from support.plugged import run_plugin

from omisim import Account, Cloud
from omisim.clients.environment import Environment
from omisim.clients.intercept import NotServed, guard_hosts

pytest_plugins = ["pytester"]
API = "https://api.eu-west-2.outscale.com/api/v1"


@pytest.fixture(name="machine", autouse=True)
def _machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine that is configured for the real cloud, in every way there is."""
    keys = {"access_key": "REAL0000000000000000", "secret_key": "R" * 40, "region": "us-east-2"}
    for directory, name, text in (
        (".osc", "config.json", json.dumps({"default": keys, "prod": keys})),
        (".aws", "credentials", "[default]\naws_access_key_id = REAL\naws_secret_access_key = REAL\n"),
    ):
        (tmp_path / directory).mkdir()
        (tmp_path / directory / name).write_text(text)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("OSC_CONFIG_FILE", str(tmp_path / ".osc" / "config.json"))
    monkeypatch.setenv("OSC_ENDPOINT_API", "https://real.example.com/api/v1")
    monkeypatch.setenv("AWS_PROFILE", "real")
    monkeypatch.setattr(osc_sdk_python.credentials, "STD_PATH", str(tmp_path / ".osc" / "config.json"))
    return tmp_path


@pytest.fixture(name="inside")
def _inside(alice: Account, bob: Account) -> Iterator[Environment]:
    with alice.environment() as environment:
        yield environment


def run_forgetful(context: str, act: str) -> str:
    """Run code in a process of its own, which has a context of a cloud, and return what it prints, errors included."""
    code = f"""
        import os
        import sys

        from omisim import Cloud

        sys.stderr = sys.stdout
        cloud = Cloud()
        alice = cloud.account("alice")
        context = {context}
    """
    return run_python(dedent(code) + dedent(act))


def get_first_name(**environment: str) -> str:
    """Return the name of the account that a Gateway of the SDK is signed in as."""
    return str(Gateway(**environment).ReadAccounts()["Accounts"][0]["FirstName"])


@pytest.mark.usefixtures("inside")
class TestEnvironment:
    def test_configures_a_gateway_for_the_account(self) -> None:
        """A Gateway that the code creates is signed in as the account, whatever the machine's configuration is."""
        assert get_first_name() == "alice"

    def test_configures_boto3_for_object_storage(self, cloud: Cloud) -> None:
        """A boto3 client that the code creates reaches the account's object storage."""
        boto3.client("s3").create_bucket(Bucket="golden")
        assert [bucket.name for bucket in cloud.engine.state.rows("bucket").values()] == ["golden"]

    def test_configures_osc_cli_that_was_imported_before(
        self, bob: Account, machine: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """osc-cli, which fixes the path of its file at import, signs in as the account, and not as the machine does."""
        osc_cli = pytest.importorskip("osc_sdk.sdk")
        monkeypatch.setattr(osc_cli, "CONF_PATHS", [machine / ".osc" / "config.json"])
        with bob.environment():
            call = osc_cli.OSCCall(**osc_cli.get_conf("default"))
            call.make_request("ReadAccounts")
        assert call.response["Accounts"][0]["AccountId"] == bob.account_id
        assert osc_cli.get_conf("default")["access_key"] == "REAL0000000000000000"

    def test_answers_plain_requests(self) -> None:
        """A request without a client library is answered too."""
        assert requests.post(f"{API}/ReadRegions", json={}, timeout=1).ok

    def test_applies_to_other_threads(self) -> None:
        """Clients created in threads find the same configuration."""
        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(lambda _: get_first_name(), range(8))) == ["alice"] * 8

    def test_has_a_configuration_file(self, alice: Account, machine: Path) -> None:
        """Code that reads ~/.osc/config.json itself finds the account there."""
        assert Path.home() != machine
        read = json.loads(Path("~/.osc/config.json").expanduser().read_text())
        assert read["default"]["access_key"] == alice.access_key
        assert read["bob"]["region"] == "eu-west-2"

    def test_has_a_profile_for_each_account(self) -> None:
        """The profile with the name of an account belongs to that account."""
        assert get_first_name(profile="bob") == "bob"

    @pytest.mark.parametrize("name", ["bob", "default"])
    def test_has_a_profile_of_boto3_for_each_account(self, cloud: Cloud, name: str) -> None:
        """A session of boto3 for the profile with the name of an account signs as that account, in its Region."""
        session = boto3.Session(profile_name=name)
        assert session.region_name == "eu-west-2"
        session.client("s3").create_bucket(Bucket="golden")
        owner = cloud.account("alice" if name == "default" else name)
        assert [bucket.account_id for bucket in cloud.engine.state.rows("bucket").values()] == [owner.account_id]

    def test_has_a_profile_for_an_account_that_is_created_later(self, cloud: Cloud) -> None:
        """The SDK and boto3 find an account that the test creates inside the environment."""
        carol = cloud.account("carol")
        assert get_first_name(profile="carol") == "carol"
        credentials = boto3.Session(profile_name="carol").get_credentials()
        assert credentials is not None
        assert credentials.access_key == carol.access_key

    def test_survives_code_that_removes_its_home(self, cloud: Cloud) -> None:
        """An account that is created after that has a profile."""
        shutil.rmtree(Path.home())
        cloud.account("carol")
        assert get_first_name(profile="carol") == "carol"

    def test_has_the_profile_of_a_replaced_key(self, cloud: Cloud) -> None:
        """After `set_access_key`, the profile signs with the new key."""
        cloud.set_access_key("bob", "B" * 20, "S" * 40)
        assert get_first_name(profile="bob") == "bob"

    def test_lets_a_test_switch_the_account_by_variables(self, bob: Account, monkeypatch: pytest.MonkeyPatch) -> None:
        """Variables that a test sets take precedence over our file, which replaces the real one."""
        monkeypatch.setenv("OSC_ACCESS_KEY", bob.access_key)
        monkeypatch.setenv("OSC_SECRET_KEY", bob.secret_key)
        assert get_first_name() == "bob"

    def test_falls_back_to_its_configuration_file(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Without variables the SDK reads the file, as it would elsewhere."""
        for name in [name for name in os.environ if name.startswith("OSC_")]:
            monkeypatch.delenv(name)
        assert get_first_name() == "alice"

    def test_lets_a_test_bring_its_own_configuration_file(
        self, bob: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A file of the test takes precedence over the variables, as it would elsewhere."""
        keys = {"access_key": bob.access_key, "secret_key": bob.secret_key}
        (tmp_path / "own.json").write_text(json.dumps({"default": keys}))
        monkeypatch.setenv("OSC_CONFIG_FILE", str(tmp_path / "own.json"))
        assert get_first_name() == "bob"
        assert get_first_name(path=str(tmp_path / "own.json")) == "bob"

    def test_hides_the_variables_of_the_machine(self, inside: Environment) -> None:
        """No variable of the machine's configuration is left."""
        there = {name: value for name, value in os.environ.items() if name.startswith(("OSC_", "AWS_"))}
        assert there.items() <= inside.variables.items()

    def test_names_the_region_of_an_account_used_elsewhere(self, cloud: Cloud) -> None:
        """A client for another Region than the account's is refused, and the error names the Region. [AUTH-006]"""
        with pytest.raises(HTTPError, match="code = 4120") as refusal:
            get_first_name(region="us-east-2")
        assert refusal.value.response is not None
        assert "does not exist in us-east-2" in refusal.value.response.text
        error = cloud.calls("ReadAccounts")[0].error
        assert error is not None
        assert "alice in eu-west-2 has this key. Call the Region of the key" in error.explain()

    def test_lifts_the_rate_limiter_of_the_sdk(self) -> None:
        """Twenty calls a second of a Gateway that the code creates do not wait."""
        gateway = Gateway(limiter_max_requests=1)
        with mock.patch("time.sleep", side_effect=AssertionError("it waits")):
            for _ in range(20):
                gateway.ReadVms()

    def test_lists_requests_to_unserved_services(self, inside: Environment) -> None:
        """A request to a service that is not served is refused, and listed even if the code goes on."""
        with pytest.raises(NotServed, match="omisim does not serve lbu hosts yet"):
            requests.post("https://lbu.eu-west-2.outscale.com/", timeout=1)
        assert inside.strays == [
            "lbu (POST https://lbu.eu-west-2.outscale.com/): omisim does not serve lbu hosts yet",
        ]

    @pytest.mark.parametrize("host", ["api.eu-west-2.outscale.com", "api.eu-west-2.oks.outscale.com"])
    def test_stops_clients_that_omisim_does_not_reach(self, inside: Environment, host: str) -> None:
        """A client that omisim does not reach cannot send a request to OUTSCALE."""
        with pytest.raises(NotServed, match="use the fixture omi_server for others"):
            urllib.request.urlopen(f"https://{host}/")
        assert len(inside.strays) == 1

    def test_does_not_affect_other_hosts(self) -> None:
        """Other hosts are resolved as usual."""
        assert socket.getaddrinfo("127.0.0.1", 80)
        assert socket.getaddrinfo(b"127.0.0.1", 80)


def test_profiles_of_boto3_can_be_read_whatever_the_accounts_are_named(cloud: Cloud, alice: Account) -> None:
    """An account whose name boto3 cannot read has no profile there; the others have."""
    names = ["two words", "a]b", "# c", "line\nend", "[bracket]\n", "Zoë"]
    for name in names:
        cloud.account(name)
    with alice.environment():
        assert set(boto3.Session().available_profiles) == {"alice", "default", *names[:3]}


def test_profiles_are_written_for_open_environments_alone(cloud: Cloud, alice: Account, bob: Account) -> None:
    """Of two environments, the one that is still open has the new account, and afterwards none is written."""
    first, second = alice.environment(), bob.environment()
    with first as outer:
        with second as inner:
            cloud.account("carol")
        for environment in (outer, inner):
            file = environment.home / ".aws" / "credentials"
            assert file.exists() == (environment is outer)
        cloud.account("dave")
        assert "[dave]" in (outer.home / ".aws" / "credentials").read_text()
    cloud.account("erin")
    assert not outer.home.exists()


class TestOwnClients:
    def test_ignore_the_configuration_of_the_machine(self, alice: Account) -> None:
        """The machine's configuration does not affect the clients of an account."""
        assert alice.client("oos").list_buckets()["Buckets"] == []
        assert alice.gateway().ReadAccounts()["Accounts"][0]["FirstName"] == "alice"


class TestLeavingAnEnvironment:
    def test_restores_variables_home_sdk_and_boto3(self, alice: Account, machine: Path) -> None:
        """Variables, home directory, the SDK and boto3 are as they were before."""
        os.environ["AWS_PROFILE"] = "default"
        boto3.setup_default_session(aws_access_key_id="real", aws_secret_access_key="real")
        before = dict(os.environ), boto3.DEFAULT_SESSION, socket.getaddrinfo
        parts = [
            (osc_sdk_python.Gateway, "_convert"),
            (osc_sdk_python.credentials, "STD_PATH"),
            (osc_sdk_python.credentials.Profile, "from_standard_configuration"),
            (osc_sdk_python.limiter.RateLimiter, "acquire"),
        ]
        sdk = [getattr(*part) for part in parts]
        with alice.environment() as environment:
            assert environment.home.exists()
            boto3.client("s3")
        assert (dict(os.environ), boto3.DEFAULT_SESSION, socket.getaddrinfo) == before
        assert [getattr(*part) for part in parts] == sdk
        assert not environment.home.exists()
        assert Path.home() == machine
        boto3.DEFAULT_SESSION = None

    def test_leaves_the_sdk_that_it_imports_with_the_file_of_the_machine(self, machine: Path) -> None:
        """The SDK, which fixes the path of its file at import, does not keep that of an environment."""
        program = dedent("""
            from omisim import Cloud
            with Cloud().account("alice").environment():
                from osc_sdk_python import credentials
            print(credentials.STD_PATH)
        """)
        run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        assert run.stdout.strip() == str(machine / ".osc" / "config.json")

    def test_restores_the_outer_environment(self, alice: Account, bob: Account) -> None:
        """Environments nest: the innermost counts, and the outer one is restored after it."""
        with alice.environment():
            with bob.environment():
                assert get_first_name() == "bob"
                boto3.client("s3").create_bucket(Bucket="bobs")
            assert get_first_name() == "alice"
            assert boto3.client("s3").list_buckets()["Buckets"] == []


class TestForgettingToLeaveAContext:
    """The code calls `__enter__` and never `__exit__`, as in a notebook. An error would be text on standard error."""

    @pytest.mark.parametrize("context", ["alice.environment()", "alice.environment(server=True)"])
    def test_leaves_no_home_behind(self, context: str) -> None:
        """An environment ends with the interpreter."""
        assert not Path(run_forgetful(context, "print(context.__enter__().home, end='')")).exists()

    @pytest.mark.parametrize("context", ["cloud.serve()", "cloud.serve(tls=True)", "cloud.intercept()"])
    def test_does_not_keep_the_interpreter_from_its_end(self, context: str) -> None:
        """The threads of a server end, too."""
        assert run_forgetful(context, "context.__enter__()") == ""

    def test_leaves_it_to_the_parent_of_a_forked_process(self) -> None:
        """A forked process that ends like a program does not stop the server of its parent."""
        act = """
            import urllib.request

            url = context.__enter__().url
            if os.fork() == 0:
                sys.exit()
            os.wait()
            print(urllib.request.urlopen(f"{url}/_omisim/").status)
        """
        assert run_forgetful("cloud.serve()", act) == "200\n"


class TestLeavingEnvironmentsInAnyOrder:
    @pytest.mark.parametrize("order", list(permutations(range(3))), ids=str)
    def test_restores_everything_after_the_last(self, cloud: Cloud, machine: Path, order: tuple[int, ...]) -> None:
        """In any order of three, the innermost that is open counts, and then nothing is left of any."""
        os.environ["AWS_PROFILE"] = "default"
        before = process_state()
        names = ("alice", "bob", "carol")
        contexts = [cloud.account(name).environment(limiter=name == "bob") for name in names]
        for context in contexts:
            context.__enter__()
        open_names = list(names)
        for index in order:
            assert get_first_name() == open_names[-1]
            assert os.environ["AWS_ACCESS_KEY_ID"] == cloud.account(open_names[-1]).access_key
            assert json.loads(Path("~/.osc/config.json").expanduser().read_text())["default"]["region"] == "eu-west-2"
            boto3.client("s3").create_bucket(Bucket=f"of-{open_names[-1]}-{index}")
            contexts[index].__exit__(None, None, None)
            open_names.remove(names[index])
        assert process_state() == before
        assert Path.home() == machine

    def test_keeps_the_limiter_of_the_innermost(self, alice: Account, bob: Account) -> None:
        """An inner environment that keeps the SDK's rate limiter has it, and the outer one has none again."""
        real = osc_sdk_python.limiter.RateLimiter.acquire
        with alice.environment():
            assert osc_sdk_python.limiter.RateLimiter.acquire is not real
            with bob.environment(limiter=True):
                assert osc_sdk_python.limiter.RateLimiter.acquire is real
            assert osc_sdk_python.limiter.RateLimiter.acquire is not real


class TestEnvironmentWithAnOlderSdk:
    """Before 0.39 osc-sdk-python had no profiles, before 0.35 no limiter, and up to 0.41 a second file."""

    @pytest.fixture(autouse=True)
    def _older_sdk(self, machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delattr(osc_sdk_python.credentials, "Profile")
        monkeypatch.setitem(sys.modules, "osc_sdk_python.limiter", None)
        original = str(machine / ".oapi_credentials")
        monkeypatch.setattr(osc_sdk_python.credentials, "ORIGINAL_PATH", original, raising=False)

    @pytest.mark.usefixtures("inside")
    def test_serves_the_other_clients(self) -> None:
        """An environment needs no part of the SDK that an older version lacks."""
        boto3.client("s3").create_bucket(Bucket="golden")

    def test_hides_both_files_of_the_machine(self, inside: Environment) -> None:
        """No credentials of the machine are read, from the file that the SDK has given up either."""
        paths = osc_sdk_python.credentials.STD_PATH, osc_sdk_python.credentials.ORIGINAL_PATH
        assert [Path(path).relative_to(inside.home) for path in paths] == [
            Path(".osc", "config.json"),
            Path(".oapi_credentials"),
        ]


def process_state() -> object:
    """Return what an environment replaces in this process."""
    parts = (
        (osc_sdk_python.Gateway, "_convert"),
        (osc_sdk_python.Gateway, "_load_errors"),
        (osc_sdk_python.credentials, "STD_PATH"),
        (osc_sdk_python.credentials.Profile, "from_standard_configuration"),
        (osc_sdk_python.limiter.RateLimiter, "acquire"),
        (socket, "getaddrinfo"),
        (subprocess.Popen, "__init__"),
    )
    return dict(os.environ), boto3.DEFAULT_SESSION, [getattr(*part) for part in parts]


class TestGatewayInAnEnvironment:
    @pytest.mark.parametrize("by_variable", [False, True])
    def test_names_the_profiles_when_it_is_created_with_another(
        self, alice: Account, monkeypatch: pytest.MonkeyPatch, by_variable: bool
    ) -> None:
        """The SDK's error does not name the profile that is missing; a note does, with what to do."""
        with alice.environment():
            if by_variable:
                monkeypatch.setenv("OSC_PROFILE", "bob")
            with pytest.raises(AttributeError) as failure:
                Gateway() if by_variable else Gateway(profile="bob")
        (note,) = failure.value.__notes__
        assert note.startswith("omisim: unknown profile 'bob'; known: alice, default. Each account of the cloud has ")

    def test_leaves_the_errors_of_another_file_alone(
        self, alice: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A configuration file of the test's own has its own profiles."""
        (tmp_path / "config.json").write_text("{}")
        with alice.environment():
            monkeypatch.setenv("OSC_CONFIG_FILE", str(tmp_path / "config.json"))
            with pytest.raises(AttributeError) as failure:
                Gateway(profile="bob")
        assert not hasattr(failure.value, "__notes__")

    def test_keeps_the_rate_limiter_on_request(self, alice: Account) -> None:
        """`limiter=True` keeps the SDK's five calls a second."""
        with (
            alice.environment(limiter=True),
            mock.patch("time.sleep", side_effect=InterruptedError) as waits,
            mock.patch.object(RateLimiter, "clean_old_requests"),  # on a busy machine, five calls take over a second
        ):
            gateway = Gateway()
            for _ in range(5):
                gateway.ReadVms()
            with pytest.raises(InterruptedError):
                gateway.ReadVms()
        assert waits.call_count == 1

    def test_parses_the_sdk_description_once(self, alice: Account) -> None:
        """A second Gateway that the code creates does not parse the SDK's description again."""
        with alice.environment():
            Gateway()
            with mock.patch("ruamel.yaml.YAML", side_effect=AssertionError("it parses")):
                assert Gateway().ReadVms()["Vms"] == []


class TestGuard:
    def test_refuses_requests_within_its_context(self) -> None:
        """In a guarded context no request to OUTSCALE leaves the machine."""
        with guard_hosts() as strays:
            with pytest.raises(NotServed, match="use the fixture omi_env"):
                urllib3.PoolManager().request("POST", f"{API}/ReadVms")
            with pytest.raises(NotServed):
                socket.getaddrinfo("oos.eu-west-2.outscale.com", 443)
        assert len(strays) == 2

    def test_refuses_datagrams_and_reverse_lookups(self) -> None:
        """No method of a socket resolves the name of an OUTSCALE host; other addresses and names pass."""
        address = ("api.eu-west-2.outscale.com", 443)
        with guard_hosts() as strays, socket.socket(type=socket.SOCK_DGRAM) as sock:
            sock.bind(("127.0.0.1", 0))
            for send in (
                lambda: sock.sendto(b"x", address),
                lambda: sock.sendto(b"x", 0, address),
                lambda: sock.sendmsg([b"x"], [], 0, address),
                lambda: socket.getnameinfo(address, 0),
            ):
                with pytest.raises(NotServed, match="a connection to api"):
                    send()
            sock.sendto(b"x", sock.getsockname())
            sock.connect(sock.getsockname())
            sock.sendmsg([b"y"])
            assert [sock.recv(1), sock.recv(1)] == [b"x", b"y"]
            assert socket.getnameinfo(("127.0.0.1", 80), socket.NI_NUMERICHOST | socket.NI_NUMERICSERV)[1] == "80"
        assert len(strays) == 4

    def test_lets_an_intercepting_cloud_answer(self, cloud: Cloud) -> None:
        """A cloud that intercepts inside a guarded context answers."""
        with guard_hosts() as strays, cloud.intercept():
            assert requests.post(f"{API}/ReadRegions", json={}, timeout=1).ok
        assert strays == []

    def test_fails_a_test_that_sends_to_outscale(self, pytester: pytest.Pytester) -> None:
        """With omisim_guard a test fails that sends to OUTSCALE without a fixture, even if its code goes on."""
        pytester.makeini("[pytest]\nomisim_guard = true\n")
        source = """
            import threading
            import requests

            URL = "https://api.eu-west-2.outscale.com/api/v1/ReadRegions"

            def send():
                try:
                    requests.post(URL, json={}, timeout=1)
                except Exception:
                    pass

            def test_raises(): requests.post(URL, json={}, timeout=1)
            def test_goes_on(): send()
            def test_in_a_thread():
                thread = threading.Thread(target=send)
                thread.start()
                thread.join()
            def test_innocent(): pass
            def test_with_it(omi_env): send()
        """
        result = run_plugin(pytester, source)
        result.assert_outcomes(passed=2, failed=3)
        result.stdout.fnmatch_lines(
            [
                "E *NotServed: ReadRegions (POST https://api.eu-west-2.outscale.com/*): no cloud intercepts *",
                "*.py::test_goes_on tried to leave this machine:",
                "  ReadRegions (POST https://api.eu-west-2.outscale.com/api/v1/ReadRegions): no cloud intercepts *",
                "*.py::test_in_a_thread tried to leave this machine:",
            ]
        )

    def test_is_not_needed_to_fail_on_unserved_services(self, pytester: pytest.Pytester) -> None:
        """In omi_env a request to a service that is not served fails the test, even if its code goes on."""
        source = """
            import requests

            def test_goes_on(omi_env):
                try:
                    requests.post("https://lbu.eu-west-2.outscale.com/", timeout=1)
                except Exception:
                    pass
        """
        result = run_plugin(pytester, source)
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines(
            ["  lbu (POST https://lbu.eu-west-2.outscale.com/): omisim does not serve lbu hosts yet"]
        )


LATE = """
    import sys
    from omisim import Cloud

    cloud = Cloud()
    alice = cloud.account("alice")
    assert "botocore" not in sys.modules
    with alice.environment():
        import boto3

        made = boto3.client("s3").generate_presigned_url("get_object", Params={"Bucket": "golden", "Key": "manifest"})
    assert "20260101T" in made or "Expires=1767" in made, made
"""


def test_library_imported_late_signs_with_the_time_of_the_cloud() -> None:
    """A library that the code under test imports inside the context signs with the cloud's clock too."""
    run = subprocess.run([sys.executable, "-c", dedent(LATE)], capture_output=True, text=True, check=False)
    assert run.stderr == ""
