"""Child processes of the code under test: forked ones have a copy of the cloud, all others have none."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import select
import shlex
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from tempfile import NamedTemporaryFile
from threading import Event, Thread
from typing import Any

import aiohttp
import boto3
import httpx
import pytest
import requests
import urllib3
from osc_sdk_python import Gateway
from support.plugged import run_plugin

from omisim import Account, Cloud
from omisim.base.hosts import make_endpoint

pytest_plugins = ["pytester"]
pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")

REGIONS = f"{make_endpoint('api', 'eu-west-2')}/api/v1/ReadRegions"
REMEDY = "omisim_children = true, or account.environment(server=True)"
NO_FORK = pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows has no fork")
DEADLOCK = 20  # seconds after which a child counts as blocked

# how a program calls the API: by the variables that it has inherited
PROGRAM = """
import json, os, sys
import requests
try:
    url = os.environ["OSC_ENDPOINT_API"]
    answer = requests.post(f"{url}/ReadRegions", json={}, timeout=60)
    print(json.dumps(len(answer.json()["Regions"])))
except Exception as error:
    print(json.dumps(f"{type(error).__name__}: {error}"))
"""


def in_a_fork(call: Callable[[], object]) -> str:
    """Run a function in a forked process; return the text of its result or exception."""
    reader, writer = os.pipe()
    if not (pid := os.fork()):
        try:
            text = repr(call())
        except BaseException as error:  # noqa: BLE001 - the parent gets its text
            text = f"{type(error).__name__}: {error}"
        os.write(writer, text.encode()[:4000])
        os._exit(0)
    os.close(writer)
    try:
        if not select.select([reader], [], [], DEADLOCK)[0]:
            os.kill(pid, signal.SIGKILL)
            return "blocked"
        return os.read(reader, 4000).decode()
    finally:
        os.close(reader)
        os.waitpid(pid, 0)


def read_regions() -> int:
    """Call the API by requests, as the code under test does anywhere."""
    return len(requests.post(REGIONS, json={}, timeout=60).json()["Regions"])


def post_by_requests(body: dict[str, Any]) -> int:
    """Call the API with a body, and return the status of the answer."""
    return requests.post(REGIONS, **body, timeout=60).status_code


def post_by_httpx(body: dict[str, Any]) -> int:
    """Do the same by httpx, which calls a body in chunks `content`."""
    return httpx.post(
        REGIONS, **{"content" if name == "data" else name: value for name, value in body.items()}
    ).status_code


def post_by_aiohttp(body: dict[str, Any]) -> int:
    """Do the same by aiohttp, which takes a body in chunks from an asynchronous generator."""

    async def list_parts() -> AsyncIterator[bytes]:
        for part in body["data"]:
            yield part

    async def post() -> int:
        given = {"data": list_parts(), "headers": {"Content-Type": "application/json"}} if "data" in body else body
        async with aiohttp.ClientSession() as session, session.post(REGIONS, **given) as answer:
            return answer.status

    return asyncio.run(post())


POSTS = (post_by_requests, post_by_httpx, post_by_aiohttp)


def call_as_a_program() -> Any:
    """Call the API by the variables of this process, in a process of multiprocessing."""
    answer = requests.post(f"{os.environ['OSC_ENDPOINT_API']}/ReadRegions", json={}, timeout=60)
    return len(answer.json()["Regions"])


def run_program(**options: Any) -> Any:
    """Run the program and return what it prints."""
    run = subprocess.run([sys.executable, "-c", PROGRAM], check=True, capture_output=True, text=True, **options)
    return json.loads(run.stdout)


async def run_program_in_asyncio() -> Any:
    """Run the program by asyncio."""
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", PROGRAM, stdout=subprocess.PIPE)
    return json.loads((await process.communicate())[0])


def run_program_by_system() -> Any:
    """Run the program by os.system, whose program gets the variables of the process itself, not `os.environ`."""
    with NamedTemporaryFile() as output:
        os.system(f"{shlex.quote(sys.executable)} -c {shlex.quote(PROGRAM)} > {output.name}")
        return json.loads(output.read())


def run_program_by_os(start: Callable[..., int]) -> Any:
    """Run the program by a function of os that takes an environment and returns the process."""
    with NamedTemporaryFile() as output:
        command = f"{shlex.quote(sys.executable)} -c {shlex.quote(PROGRAM)} > {output.name}"
        os.waitpid(start("/bin/sh", ["sh", "-c", command], os.environ), 0)
        return json.loads(output.read())


def run_in_a_pool(method: str) -> Any:
    """Call the API in a worker of a ProcessPoolExecutor whose processes start by a method of multiprocessing."""
    with ProcessPoolExecutor(1, multiprocessing.get_context(method)) as pool:
        try:
            return pool.submit(call_as_a_program).result()
        except requests.RequestException as error:
            return f"{type(error).__name__}: {error}"


@pytest.fixture(name="inside")
def _inside(alice: Account) -> Iterator[None]:
    with alice.environment():
        yield


@pytest.fixture(name="with_server")
def _with_server(alice: Account) -> Iterator[None]:
    with alice.environment(server=True):
        yield


@NO_FORK
@pytest.mark.usefixtures("inside")
class TestForkedChild:
    def test_refuses_the_first_request_with_the_remedy(self, cloud: Cloud) -> None:
        """A client in a forked child does not work on the child's copy of the cloud in silence."""
        refusal = in_a_fork(read_regions)
        assert refusal.startswith(f"NotServed: ReadRegions (POST {REGIONS})")
        assert REMEDY in refusal
        assert len(cloud.calls()) == 0

    def test_refuses_the_clients_and_methods_of_an_account(self, alice: Account) -> None:
        """So do the objects of omisim that the child has inherited."""
        gateway, client = alice.gateway(), alice.client("oos")
        for call in (alice.read_vms, gateway.ReadVms, client.list_buckets, lambda: alice.call("ReadVms")):
            assert in_a_fork(call).startswith("ForkedCloud: this cloud belongs to the parent process")
        assert not alice.can("CreateVms")

    def test_of_multiprocessing_and_a_pool_is_refused_too(self) -> None:
        """The exception reaches the parent of a pool."""
        with ProcessPoolExecutor(1, multiprocessing.get_context("fork")) as pool:
            failure = pool.submit(read_regions).exception()
        assert type(failure).__name__ == "NotServed"

    def test_may_work_on_a_copy(self, cloud: Cloud) -> None:
        """A fork of the cloud belongs to the child."""
        assert in_a_fork(lambda: cloud.fork().account("alice").read_vms()) == "()"
        assert in_a_fork(lambda: Cloud().account("alice").read_vms()) == "()"

    def test_does_not_wait_for_a_lock_that_a_thread_of_the_parent_holds(self, cloud: Cloud, alice: Account) -> None:
        """A thread that was within a call when the process was forked does not run in the child."""
        is_held, release = Event(), Event()

        def hold() -> None:
            with cloud.engine.lock:
                is_held.set()
                release.wait(DEADLOCK)

        thread = Thread(target=hold)
        thread.start()
        is_held.wait(DEADLOCK)
        try:
            assert in_a_fork(alice.read_vms).startswith("ForkedCloud")
            assert in_a_fork(lambda: cloud.fork().now == cloud.now) == "True"
            assert in_a_fork(read_regions).startswith("NotServed")
        finally:
            release.set()
            thread.join()


@NO_FORK
@pytest.mark.usefixtures("with_server")
class TestForkedChildWithServer:
    def test_reaches_the_cloud_by_every_client(self, cloud: Cloud, alice: Account) -> None:
        """Clients in the child, made there or before, change the cloud of the parent."""
        gateway = Gateway()
        assert in_a_fork(lambda: len(gateway.CreateVolume(SubregionName="eu-west-2a", Size=1)["Volume"]["VolumeId"]))
        assert len(alice.read_volumes()) == 1
        assert in_a_fork(
            lambda: boto3.client("s3").create_bucket(Bucket="golden")["ResponseMetadata"]["HTTPStatusCode"]
        )
        assert [bucket.name for bucket in cloud.engine.state.rows("bucket").values()] == ["golden"]
        assert in_a_fork(read_regions) == "3"

    @pytest.mark.parametrize("post", POSTS)
    def test_gets_the_same_answer_as_its_parent(self, post: Callable[[dict[str, Any]], int]) -> None:
        """Every library understands the answer of the server, also to a body that it sends in chunks."""
        assert in_a_fork(lambda: post({"json": {}})) == "200"
        assert in_a_fork(lambda: post({"data": (part for part in (b"{", b"}"))})) == "200"

    def test_meets_the_faults_of_the_cloud(self, cloud: Cloud) -> None:
        """A lost connection is lost for the child, and its retries work."""
        cloud.faults.add("ReadRegions", times=2, drop=True)
        assert in_a_fork(read_regions).startswith("ConnectionError")
        retries = urllib3.Retry(1, allowed_methods=None)
        assert in_a_fork(lambda: urllib3.PoolManager(retries=retries).request("POST", REGIONS, json={}).status) == "200"
        assert len(cloud.calls("ReadRegions")) == 3

    def test_does_not_wait_for_a_lock_of_the_parent(self, cloud: Cloud) -> None:
        """A call of the child waits for the call of another thread as any call does, not for ever."""
        with cloud.engine.lock:
            assert in_a_fork(lambda: os.getpid() > 0) == "True"
        assert in_a_fork(read_regions) == "3"


PROGRAMS = {
    "subprocess": run_program,
    "subprocess with a copy of the environment": lambda: run_program(env=os.environ.copy()),
    "subprocess with a dict": lambda: run_program(env={**os.environ, "LANG": "C"}),
    "asyncio": lambda: asyncio.run(run_program_in_asyncio()),
    "os.system": run_program_by_system,
    "os.posix_spawn": lambda: run_program_by_os(os.posix_spawn),
    "os.spawnve": lambda: run_program_by_os(partial(os.spawnve, os.P_NOWAIT)),
    "a spawned process": partial(run_in_a_pool, "spawn"),
    "a process of a forkserver": partial(run_in_a_pool, "forkserver"),
}


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)
class TestProgram:
    def test_is_refused_by_name(self, alice: Account, program: Callable[[], Any]) -> None:
        """A program gets an address that no client knows, so that it neither reaches OUTSCALE nor tries for long."""
        with alice.environment():
            refusal = program()
        assert refusal.startswith("InvalidSchema: No connection adapters were found for 'omisim-does-not-reach-child")
        assert "set-omisim_children-to-true" in refusal

    def test_reaches_the_cloud_by_the_server(self, cloud: Cloud, alice: Account, program: Callable[[], Any]) -> None:
        """With a server the same program works, and its calls are in the log of the cloud."""
        with alice.environment(server=True):
            assert program() == 3
        assert len(cloud.calls("ReadRegions")) == 1


class TestVariablesOfPrograms:
    def test_leave_this_process_alone(self, alice: Account) -> None:
        """The clients of this process have no endpoint but OUTSCALE's, and afterwards programs have none."""
        with alice.environment(server=True):
            assert "OSC_ENDPOINT_API" not in os.environ
            assert os.environ["AWS_ENDPOINT_URL_S3"] == "https://oos.eu-west-2.outscale.com"
        assert run_program() == "KeyError: 'OSC_ENDPOINT_API'"

    def test_do_not_override_those_that_the_test_gives(self, alice: Account) -> None:
        """An address of the caller's own counts, and an environment without our credentials is left alone."""
        with alice.environment():
            assert "No connection adapters" in run_program(env={**os.environ, "OSC_ENDPOINT_API": "own://host"})
            assert "own://host" in run_program(env={**os.environ, "OSC_ENDPOINT_API": "own://host"})
            assert "KeyError" in run_program(env={"PATH": os.environ["PATH"]})

    def test_refuse_other_services_of_aws_by_name(self, alice: Account) -> None:
        """With a server too, a client of a service that omisim lacks does not reach AWS: botocore shows the reason."""
        program = "import boto3; boto3.client('sts')"
        with alice.environment(server=True):
            run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
        assert "Invalid endpoint: omisim-serves-only-ec2-and-s3-of-aws://" in run.stderr

    def test_are_those_of_the_innermost_environment(self, alice: Account, bob: Account) -> None:
        """Environments may end in any order: programs get the address of the innermost that is open."""
        outer, inner = alice.environment(server=True), bob.environment()
        outer.__enter__()
        inner.__enter__()
        assert "InvalidSchema" in run_program()
        outer.__exit__(None, None, None)
        assert "InvalidSchema" in run_program()
        inner.__exit__(None, None, None)
        assert "KeyError" in run_program()

    def test_let_a_gateway_of_a_program_simply_work(self, pytester: pytest.Pytester) -> None:
        """With `omisim_children = true` a program that makes a Gateway, or a client of S3, needs no change."""
        pytester.makeini("[pytest]\nomisim_children = true\n")
        source = """
            import subprocess, sys
            import pytest

            CODE = %r

            def test_runs_a_program(omi_env, omi_cloud):
                run = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
                assert run.stdout.split() == ["alice", "['golden']"]
                assert len(omi_cloud.calls("ReadAccounts")) == 1

            @pytest.mark.omisim(children=False)
            def test_runs_a_program_without_the_server(omi_env):
                run = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=False)
                assert "set-omisim_children-to-true" in run.stderr
        """
        source %= GATEWAY_PROGRAM
        run_plugin(pytester, source).assert_outcomes(passed=2)


GATEWAY_PROGRAM = """
import boto3
from osc_sdk_python import Gateway
from omisim.clients.gateway import speed_up_gateways

s3 = boto3.client("s3")
s3.create_bucket(Bucket="golden")
with speed_up_gateways():  # only parses the SDK's description faster
    print(Gateway().ReadAccounts()["Accounts"][0]["FirstName"])
print([bucket["Name"] for bucket in s3.list_buckets()["Buckets"]])
"""
