"""Many clouds on one server: how requests find theirs, and that none of them reaches another."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path
from threading import Thread
from typing import Any, cast

import boto3
import pytest
import requests
from support.sign import sign_request

from omisim import Account, Cloud
from omisim.doors.http import HttpRequest, HttpResponse
from omisim.server import Limits, Running
from omisim.server.app import App
from omisim.server.client import Client
from omisim.server.clouds import Clouds
from omisim.server.control import Control
from omisim.server.http_error import HttpError
from omisim.server.state_file import open_state_file, read_state_file
from omisim.tools.cli import main

VOLUME = {"SubregionName": "eu-west-2a", "Size": 1}


def create_volume(server: Running, account: Account, **headers: str) -> requests.Response:
    """Create a volume by a signed request with more headers."""
    address = server.url.partition("//")[2]
    request = sign_request(account, "/api/v1/CreateVolume", json.dumps(VOLUME).encode(), host=address)
    url = f"{server.url}/api/v1/CreateVolume"
    return requests.post(url, request.body, headers={**request.headers, **headers}, timeout=60)


def count_volumes(cloud: Cloud) -> int:
    """Return the number of volumes of all accounts."""
    return len(cloud.engine.state.rows("volume"))


class TestNewCloud:
    def test_is_a_fork_of_the_first(self, cloud: Cloud, alice: Account, control: Client, server: Running) -> None:
        """It begins with the resources of the first cloud, and what happens in one is not in the other."""
        volume = alice.create_volume(subregion_name="eu-west-2a", size=1)
        control.post("clouds", name="job-7")
        fork = server.clouds.get("job-7").cloud
        assert [row.volume_id for row in fork.account("alice").read_volumes()] == [volume.volume_id]
        fork.account("alice").delete_volume(volume_id=volume.volume_id)
        alice.create_volume(subregion_name="eu-west-2a", size=2)
        assert (count_volumes(fork), count_volumes(cloud)) == (0, 2)

    def test_is_a_fork_of_the_cloud_that_the_header_names(self, control: Client, server: Running) -> None:
        """A fork can be forked, for the shards of a job."""
        control.post("clouds", name="job")
        server.clouds.get("job").cloud.account("bob")
        Client(server.url, server.token, "job").post("clouds", name="shard")
        assert server.clouds.get("shard").cloud.accounts == ("alice", "bob")

    def test_is_that_of_a_scenario(self, control: Client, server: Running) -> None:
        """A shipped scenario sets it up; a file of the server's machine cannot be named."""
        accounts = control.post("clouds", name="shared", scenario="shared-image")["accounts"]
        assert [account["name"] for account in accounts] == list(server.clouds.get("shared").cloud.accounts)
        for scenario in ("/etc/passwd.toml", "shared-imag", "../x", ""):
            with pytest.raises(ValueError, match="shipped"):
                control.post("clouds", scenario=scenario)

    def test_is_that_of_a_dump(self, control: Client, server: Running) -> None:
        """A dump without secrets suffices: the accounts have new keys. The server decides how clients sign in."""
        other = Cloud(auth="off")
        other.account("zoe").create_volume(subregion_name="eu-west-2a", size=1)
        (zoe,) = control.post("clouds", name="loaded", dump=other.dump())["accounts"]
        loaded = server.clouds.get("loaded").cloud
        assert (count_volumes(loaded), loaded.engine.settings.auth) == (1, "strict")
        assert zoe["access_key"] != other.account("zoe").access_key
        assert create_volume(server, loaded.account("zoe")).status_code == HTTPStatus.OK

    def test_has_a_name_of_its_own(self, control: Client) -> None:
        """Without a name it gets a free one; a name that is taken is refused."""
        control.post("clouds", name="cloud-1")
        assert [control.post("clouds")["name"] for _ in range(2)] == ["cloud-2", "cloud-3"]
        with pytest.raises(ValueError, match="already has a cloud 'cloud-2'"):
            control.post("clouds", name="cloud-2")
        assert [entry["name"] for entry in control.get("clouds")] == ["default", "cloud-1", "cloud-2", "cloud-3"]

    @pytest.mark.parametrize("name", ["", " ", "a/b", "a\n", "é", "-x", "x" * 65])
    def test_has_a_name_that_fits_into_a_header(self, control: Client, name: str) -> None:
        """A name is 1 to 64 letters, digits, dots, underscores and dashes."""
        with pytest.raises(ValueError, match="name must be 1 to 64"):
            control.post("clouds", name=name)

    @pytest.mark.parametrize("argument", ["source", "name", "scenario", "dump"])
    def test_is_refused_for_an_argument_of_another_type(self, server: Running, argument: str) -> None:
        """In Python, the error names the argument and its value."""
        with pytest.raises(ValueError, match=f"{argument}|data"):
            server.clouds.create(**{argument: cast("Any", 3)})
        assert len(list(server.clouds)) == 1

    @pytest.mark.parametrize("dump", [{}, {"omisim": 99}, {"omisim": 2, "rows": 3}])
    def test_is_refused_for_a_bad_dump(self, control: Client, dump: dict[str, Any]) -> None:
        """A dump that cannot be loaded, and one beside a scenario, leave no cloud behind."""
        with pytest.raises(ValueError, match=r"dump|data|settings"):
            control.post("clouds", name="x", dump=dump)
        with pytest.raises(ValueError, match="not from both"):
            control.post("clouds", name="x", dump=dump, scenario="shared-image")
        assert len(control.get("clouds")) == 1

    def test_is_refused_at_the_limit(self, cloud: Cloud) -> None:
        """There are at most as many clouds as --limit clouds says; one that is removed makes room."""
        with cloud.serve(limits=Limits(clouds=2)) as server:
            control = Client(server.url, server.token)
            for name in ("a", "b"):
                control.post("clouds", name=name)
            with pytest.raises(ValueError, match=r"already has 2 clouds besides the first, its maximum"):
                control.post("clouds", name="c")
            control.delete("clouds", name="a")
            control.post("clouds", name="c")


class TestHeader:
    def test_selects_the_cloud_of_a_request(self, alice: Account, control: Client, server: Running) -> None:
        """A signed request with the header reaches the named cloud, and only its keys count there. [AUTH-006]"""
        control.post("clouds", name="job")
        job = server.clouds.get("job").cloud
        assert create_volume(server, job.account("alice"), **{"X-Omisim-Cloud": "job"}).status_code == HTTPStatus.OK
        assert create_volume(server, alice, **{"X-Omisim-Cloud": "default"}).status_code == HTTPStatus.OK
        refusal = create_volume(server, alice, **{"X-Omisim-Cloud": "job"})
        assert (refusal.status_code, refusal.headers["X-Omisim-Rule"]) == (HTTPStatus.BAD_REQUEST, "AUTH-006")
        assert (count_volumes(job), count_volumes(alice.cloud)) == (1, 1)

    def test_selects_the_cloud_of_the_control_plane(self, cloud: Cloud, control: Client, server: Running) -> None:
        """Every endpoint acts on the named cloud: clocks, marks, faults, accounts and resets are its own."""
        control.post("clouds", name="job")
        job = Client(server.url, server.token, "job")
        before = cloud.now
        job.post("advance", seconds=60)
        assert cloud.now == before
        mark = job.post("savepoint")["mark"]
        with pytest.raises(ValueError, match="unknown mark"):
            control.post("rollback", mark=mark)
        assert job.post("accounts", name="dave")["env"]["OSC_REGION"] == "eu-west-2"
        job.post("faults", action="ReadVms")
        assert (len(cloud.faults), len(job.get("faults")), cloud.accounts) == (0, 1, ("alice",))
        keys = [account["access_key"] for account in job.get("accounts")]
        job.post("reset")
        assert [account["access_key"] for account in job.get("accounts")] == keys[:1]

    @pytest.mark.parametrize(
        ("path", "suggestion"),
        [
            ("/api/v1/ReadVms", ""),
            ("/fcu", ""),
            ("/oos/eu-west-2/bucket", ""),
            ("/_omisim/clouds", "; did you mean job-17?"),
        ],
    )
    def test_with_an_unknown_name_is_answered_by_404(
        self, control: Client, server: Running, path: str, suggestion: str
    ) -> None:
        """A client with the token gets the name that was probably meant; a service tells no name of a cloud."""
        control.post("clouds", name="job-17")
        headers = {"X-Omisim-Cloud": "job-7", "X-Omisim-Token": server.token}
        answer = requests.get(server.url + path, headers=headers, timeout=60)
        assert answer.status_code == HTTPStatus.NOT_FOUND
        assert f"this server has no cloud 'job-7'{suggestion}" in answer.text
        assert ("job-17" in answer.text) is bool(suggestion)

    def test_tells_names_of_the_control_plane_to_its_clients_alone(self, control: Client, server: Running) -> None:
        """Without the token, an unknown and a known cloud are the same 401."""
        control.post("clouds", name="job")
        for name in ("job", "jop"):
            answer = requests.get(f"{server.url}/_omisim/dump", headers={"X-Omisim-Cloud": name}, timeout=60)
            assert (answer.status_code, "job" in answer.text) == (HTTPStatus.UNAUTHORIZED, False)

    @pytest.mark.parametrize("path", ["/api/v1/ReadVms", "/_omisim/accounts"])
    def test_without_a_name_is_answered_by_404(self, server: Running, path: str) -> None:
        """An unset variable of a script does not lead to the first cloud."""
        headers = {"X-Omisim-Cloud": "", "X-Omisim-Token": server.token}
        answer = requests.get(server.url + path, headers=headers, timeout=60)
        assert answer.status_code == HTTPStatus.NOT_FOUND
        assert "this server has no cloud ''" in answer.text
        with pytest.raises(ValueError, match="this server has no cloud ''"):
            Client(server.url, server.token, "").get("accounts")

    def test_sent_twice_is_rejected(self, server: Running) -> None:
        """A proxy and the server must not choose different clouds."""
        line = HTTPConnection(server.url.partition("//")[2], timeout=60)
        line.putrequest("GET", "/_omisim/health")
        for name in ("default", "other"):
            line.putheader("X-Omisim-Cloud", name)
        line.endheaders()
        assert line.getresponse().status == HTTPStatus.BAD_REQUEST
        line.close()


class TestAccessKey:
    def test_selects_the_cloud_of_an_unmodified_client(
        self, cloud: Cloud, control: Client, server: Running, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """boto3 needs the variables of its account, and no header. [AUTH-002]"""
        (account,) = control.post("clouds", name="job")["accounts"]
        for name, value in account["env"].items():
            monkeypatch.setenv(name, value)
        boto3.Session().client("ec2").create_volume(AvailabilityZone="eu-west-2a", Size=1)
        boto3.Session().client("s3").create_bucket(Bucket="bucket-of-the-job")
        assert (count_volumes(server.clouds.get("job").cloud), count_volumes(cloud)) == (1, 0)
        assert len(cloud.calls("CreateVolume")) == 0

    def test_selects_the_cloud_of_presigned_urls(
        self, cloud: Cloud, control: Client, server: Running, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A URL that a key of a cloud has signed is answered by this cloud. [OOS-003]"""
        (account,) = control.post("clouds", name="job")["accounts"]
        for name, value in account["env"].items():
            monkeypatch.setenv(name, value)
        client = boto3.Session().client("s3")
        client.create_bucket(Bucket="bucket-of-the-job")
        client.put_object(Bucket="bucket-of-the-job", Key="key", Body=b"text")
        url = client.generate_presigned_url("get_object", Params={"Bucket": "bucket-of-the-job", "Key": "key"})
        assert requests.get(url, timeout=60).content == b"text"

    def test_selects_the_cloud_of_keys_and_accounts_made_later(self, control: Client, server: Running) -> None:
        """Two clouds never create the same key, and a deleted one selects no cloud any more. [AK-001, ID-010]"""
        control.post("clouds", name="a")
        control.post("clouds", name="b")
        first, second = (server.clouds.get(name).cloud for name in "ab")
        keys = [cloud.account("alice").create_access_key().access_key_id for cloud in (first, second)]
        keys += [cloud.account("dave").access_key for cloud in (first, second)]
        owners = [server.clouds.find_by_key(key) for key in keys]
        assert [hosted.name for hosted in owners if hosted] == ["a", "b", "a", "b"]
        first.account("alice").delete_access_key(access_key_id=keys[0])
        assert server.clouds.find_by_key(keys[0]) is None

    def test_of_the_first_cloud_stays_with_it(self, cloud: Cloud, alice: Account, server: Running) -> None:
        """A second key of the source, which its forks have too, still reaches the source."""
        key = alice.create_access_key()
        server.clouds.create(name="job")
        assert server.clouds.find_by_key(key.access_key_id) is server.clouds.first
        assert server.clouds.find_by_key(alice.access_key) is server.clouds.first
        assert server.clouds.find_by_key("UNKNOWN") is None

    def test_derives_from_the_name(self, cloud: Cloud, alice: Account) -> None:
        """Servers with the same seed have the same keys for a cloud of the same name, and only for it."""
        first, second = (Clouds(cloud).create(name="job").cloud.account("alice") for _ in range(2))
        other = Clouds(cloud).create(name="job2").cloud.account("alice")
        assert first.access_key == second.access_key != other.access_key
        assert first.secret_key == second.secret_key != alice.secret_key

    def test_of_a_cloud_has_an_environment(self, server: Running) -> None:
        """`server.env` takes the accounts of every cloud of the server."""
        account = server.clouds.create(name="job").cloud.account("alice")
        assert server.env(account)["OSC_ACCESS_KEY"] == account.access_key
        with pytest.raises(ValueError, match="must be one of the served cloud"):
            server.env(Cloud(seed=9).account("alice"))


class TestRemoval:
    def test_ends_a_cloud(self, control: Client, server: Running) -> None:
        """Its name is unknown then, its keys are refused, and its name is free."""
        control.post("clouds", name="job")
        control.post("clouds", name="other")  # with the first cloud alone, the server asks no key for its cloud
        account = server.clouds.get("job").cloud.account("alice")
        assert create_volume(server, account).status_code == HTTPStatus.OK
        control.delete("clouds", name="job")
        assert create_volume(server, account).headers["X-Omisim-Rule"] == "AUTH-006"
        with pytest.raises(ValueError, match="has no cloud 'job'"):
            control.delete("clouds", name="job")
        control.post("clouds", name="job")
        assert count_volumes(server.clouds.get("job").cloud) == 0

    def test_is_refused_for_the_first(self, control: Client) -> None:
        """The server keeps the cloud that it began with; a removal names its cloud."""
        with pytest.raises(ValueError, match="the cloud 'default' cannot be removed"):
            control.delete("clouds", name="default")
        with pytest.raises(ValueError, match="name is required"):
            control.delete("clouds")

    def test_ends_its_streams(self, control: Client, server: Running) -> None:
        """A stream of its events ends, and leaves its thread to others."""
        control.post("clouds", name="job")
        received: list[Any] = []
        listener = Thread(target=lambda: received.extend(Client(server.url, server.token, "job").events()))
        listener.start()
        account = server.clouds.get("job").cloud.account("alice")
        while not received:
            account.create_keypair(keypair_name=f"k{len(account.read_keypairs())}")
            listener.join(0.05)
        control.delete("clouds", name="job")
        listener.join(60)
        assert not listener.is_alive()


class TestThousands:
    def test_of_clouds_are_isolated(self, cloud: Cloud, alice: Account) -> None:
        """Of 2,000 clouds, each request reaches its own: by header and by key, from several threads."""
        app = App(cloud, "t")
        hosted_clouds = [app.clouds.create(name=f"job-{number}") for number in range(2000)]

        def send(number: int) -> int:
            account = hosted_clouds[number].cloud.account("alice")
            request = sign_request(account, "/api/v1/CreateVolume", json.dumps(VOLUME).encode())
            found = app.clouds.find(request)
            return found.front.handle("api", request, found.cloud.now).status

        with ThreadPoolExecutor(8) as pool:
            assert set(pool.map(send, range(0, 2000, 10))) == {200}
        assert [count_volumes(hosted.cloud) for hosted in hosted_clouds] == [1, *[0] * 9] * 200
        assert count_volumes(cloud) == 0

    def test_of_clouds_have_locks_of_their_own(self, cloud: Cloud, alice: Account) -> None:
        """A request is answered while another thread holds the locks of all other clouds."""
        clouds = Clouds(cloud)
        first, second = clouds.create(), clouds.create()
        statuses: list[int] = []

        def send() -> None:
            request = sign_request(second.cloud.account("alice"), "/api/v1/ReadVms", b"{}")
            request.headers = {**request.headers, "x-omisim-cloud": second.name}
            statuses.append(clouds.find(request).front.handle("api", request, cloud.now).status)

        with cloud.engine.lock, first.cloud.engine.lock:
            thread = Thread(target=send)
            thread.start()
            thread.join(60)
        assert statuses == [200]

    def test_of_an_account_waits_for_no_other_cloud(self, server: Running) -> None:
        """An account is made while another thread holds the locks of all other clouds: it might wait for this one."""
        clouds = server.clouds
        first, second = clouds.create(), clouds.create()
        control = Client(server.url, server.token, second.name)
        thread = Thread(target=control.post, args=("accounts",), kwargs={"name": "zoe"})
        with clouds.first.cloud.engine.lock, first.cloud.engine.lock:
            thread.start()
            thread.join(10)
        assert not thread.is_alive()
        assert "zoe" in second.cloud.accounts

    def test_of_requests_at_once_create_one_cloud_of_a_name(self, cloud: Cloud) -> None:
        """Of many attempts to create the same cloud at the same time, one succeeds."""
        clouds = Clouds(cloud)

        def create(_: int) -> bool:
            try:
                clouds.create(name="job")
            except HttpError as error:
                assert error.status == HTTPStatus.CONFLICT  # noqa: PT017 - in a thread of the pool
                return False
            return True

        with ThreadPoolExecutor(8) as pool:
            assert sum(pool.map(create, range(16))) == 1


class TestCommands:
    def test_take_the_name_of_a_cloud(self, server: Running, capsys: pytest.CaptureFixture[str]) -> None:
        """`omisim env`, `dump` and the views of a cloud read the one that --cloud names."""
        job = server.clouds.create(name="job").cloud
        options = ["--url", server.url, "--token", server.token, "--cloud", "job"]
        assert main(["env", "alice", *options]) == 0
        assert job.account("alice").access_key in capsys.readouterr().out
        assert main(["dump", *options]) == 0
        assert json.loads(capsys.readouterr().out)["rows"]["access_key"].keys() == {job.account("alice").access_key}
        assert main(["dump", *options[:-1], "jop"]) == 2
        assert "did you mean job?" in capsys.readouterr().err

    def test_refuse_an_empty_name_of_a_cloud(self, server: Running, capsys: pytest.CaptureFixture[str]) -> None:
        """`--cloud "$JOB"` with an unset variable does not lead to the first cloud."""
        assert main(["env", "alice", "--url", server.url, "--token", server.token, "--cloud", ""]) == 2
        assert capsys.readouterr().err == "omisim env: this server has no cloud ''\n"


class TestStateFile:
    def test_holds_the_first_cloud_alone(self, tmp_path: Path) -> None:
        """Other clouds end with the server, and what happens in them is not in the file of --state."""
        path = tmp_path / "cloud.db"
        with open_state_file(str(path), Cloud, lambda _: None) as cloud:
            alice = cloud.account("alice")
            job = Clouds(cloud).create(name="job").cloud
            job.account("alice").create_volume(subregion_name="eu-west-2a", size=1)
        kept = read_state_file(str(path))
        assert (count_volumes(job), count_volumes(kept)) == (1, 0)
        assert kept.account("alice").access_key == alice.access_key != job.account("alice").access_key


def test_control_plane_answers_a_removed_cloud(cloud: Cloud) -> None:
    """A control plane that a request has found before the removal still answers it."""
    app = App(cloud, "t")
    control = Control(app.clouds.create(name="job"), app.shared)
    app.clouds.remove("job")
    request = HttpRequest("GET", "", "/_omisim/accounts", {"x-omisim-token": "t"})
    assert cast("HttpResponse", control.handle(request)).status == HTTPStatus.OK
