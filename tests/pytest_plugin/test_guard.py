"""The guard: a test that uses omisim sends no request to OUTSCALE, even where it forgets to redirect it."""

from __future__ import annotations

import socket

import pytest
from support.plugged import run_plugin
from urllib3 import HTTPConnectionPool

from omisim.clients.intercept.stack import STACK

pytest_plugins = ["pytester"]

REFUSED = "*NotServed: {}: no cloud intercepts this request: use the fixture omi_env, or cloud.intercept()"

# a way to leave the machine → what the refusal names
WAYS = {
    "sdk().ReadVms()": "ReadVms (POST https://api.eu-west-2.outscale.com/api/v1/ReadVms)",
    "requests.post(f'https://{HOST}/api/v1/ReadVms')": "ReadVms (POST https://api.eu-west-2.outscale.com/api/v1/ReadVms)",
    "boto3.client('s3', 'eu-west-2', endpoint_url='https://oos.eu-west-2.outscale.com', aws_access_key_id='A', "
    "aws_secret_access_key='B').list_buckets()": "oos (GET https://oos.eu-west-2.outscale.com/)",
    "urllib.request.urlopen(f'https://{HOST}/')": "a connection to api.eu-west-2.outscale.com",
    "http.client.HTTPSConnection(HOST).request('GET', '/')": "a connection to api.eu-west-2.outscale.com",
    "connect('connect')": "a connection to api.eu-west-2.outscale.com",
    "connect('connect_ex')": "a connection to api.eu-west-2.outscale.com",
    "socket.create_connection((HOST, 443))": "a connection to api.eu-west-2.outscale.com",
    "socket.getaddrinfo(HOST.encode(), 443)": "a connection to api.eu-west-2.outscale.com",
    "socket.gethostbyname(HOST)": "a connection to api.eu-west-2.outscale.com",
    "socket.gethostbyname_ex(HOST)": "a connection to api.eu-west-2.outscale.com",
    "asyncio.run(asyncio.open_connection(HOST, 443))": "a connection to api.eu-west-2.outscale.com",
    "urllib.request.build_opener(PROXY).open(f'https://{HOST}/')": "a connection to api.eu-west-2.outscale.com",
    "__import__('uvloop').run(asyncio.open_connection(HOST, 443))": "a connection to api.eu-west-2.outscale.com",
    "__import__('uvloop').run(resolve())": "a connection to api.eu-west-2.outscale.com",
    "asyncio.run(resolve())": "a connection to api.eu-west-2.outscale.com",
    "asyncio.run(aiohttp_get())": "ReadVms (GET https://api.eu-west-2.outscale.com/api/v1/ReadVms)",
}
IMPORTS = """
import asyncio, http.client, socket, unittest, urllib.request
import aiohttp, boto3, pytest, requests
from osc_sdk_python import Gateway
from omisim.clients.gateway import speed_up_gateways
from omisim.clients.intercept.stack import STACK

HOST = "api.eu-west-2.outscale.com"
PROXY = urllib.request.ProxyHandler({"https": "http://127.0.0.1:9"})

def sdk():
    with speed_up_gateways():
        return Gateway(access_key="A", secret_key="B")

def connect(method):
    with socket.socket() as sock:
        getattr(sock, method)((HOST, 443))

async def resolve():
    await asyncio.get_running_loop().getaddrinfo(HOST, 443)

async def aiohttp_get():
    async with aiohttp.ClientSession() as session:
        await session.get(f"https://{HOST}/api/v1/ReadVms")
"""


class TestGuardByDefault:
    @pytest.mark.parametrize("way", WAYS)
    def test_refuses_every_way_to_outscale(self, pytester: pytest.Pytester, way: str) -> None:
        """A test that uses a cloud, and whose code sends a request outside omi_env, fails and names the request."""
        result = run_plugin(pytester, f"{IMPORTS}\ndef test_sends(omi_cloud): {way}", "-W", "ignore::ResourceWarning")
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines([REFUSED.format(WAYS[way])])

    def test_applies_to_every_fixture_of_omisim_but_omi_env(self, pytester: pytest.Pytester) -> None:
        """A test is guarded by any fixture, requested by argument, marker or call, and from its first fixture on."""
        source = f"""{IMPORTS}
def send():
    requests.post(f"https://{{HOST}}/api/v1/ReadRegions", json={{}}, timeout=1).raise_for_status()

@pytest.fixture
def early(): send()

@pytest.mark.parametrize("name", ["omi_base", "omi_account", "omi_gateway", "omi_server", "omi_sleep"])
def test_by_call(request, name):
    fixture = request.getfixturevalue(name)
    assert STACK or name == "omi_base"
    if STACK:
        send()

def test_by_argument(omi_base): send()

@pytest.mark.usefixtures("omi_cloud")
def test_by_marker(): send()

def test_in_an_earlier_fixture(early, omi_env): pass

@pytest.mark.usefixtures("omi_env")
class TestCase(unittest.TestCase):
    @classmethod
    def setUpClass(cls): send()
    def test_something(self): pass

def test_redirected(omi_env): send()

def test_redirected_by_hand(omi_cloud):
    with omi_cloud.intercept(): send()

def test_without_omisim(): assert not STACK
"""
        run_plugin(pytester, source).assert_outcomes(passed=4, failed=6, errors=2)

    def test_leaves_the_cloud_of_a_wider_fixture_alone(self, pytester: pytest.Pytester) -> None:
        """The cloud that a fixture of a class has opened answers the later tests too, not only the first."""
        source = f"""{IMPORTS}
@pytest.fixture(scope="class")
def environment(omi_base):
    with omi_base.fork().account("alice").environment():
        yield

class TestShared:
    def test_first(self, environment): sdk_of_environment()
    def test_second(self, environment): sdk_of_environment()
    def test_own(self, environment, omi_env, omi_cloud):
        sdk_of_environment()
        assert omi_cloud.calls("ReadVms")

def sdk_of_environment(): Gateway().ReadVms()
"""
        run_plugin(pytester, source).assert_outcomes(passed=3)

    def test_can_be_turned_off(self, pytester: pytest.Pytester) -> None:
        """With `omisim_guard = false` no test is guarded."""
        pytester.makeini("[pytest]\nomisim_guard = false\n")
        run_plugin(pytester, f"{IMPORTS}\ndef test_free(omi_cloud): assert not STACK").assert_outcomes(passed=1)

    def test_names_its_option_for_a_wrong_value(self, pytester: pytest.Pytester) -> None:
        """A value that is neither true nor false ends the session with the name of the option."""
        pytester.makeini("[pytest]\nomisim_guard = maybe\n")
        result = run_plugin(pytester, "def test_free(): pass")
        result.stderr.fnmatch_lines(["*omisim: omisim_guard must be true or false: * 'maybe'*"])

    @pytest.mark.parametrize("during", ["setup", "call", "teardown"])
    def test_ends_with_an_interrupted_session(self, pytester: pytest.Pytester, during: str) -> None:
        """A notebook that runs pytest in its own process reaches OUTSCALE again after `pytest.exit` or Ctrl-C."""
        source = f"""
            import pytest

            def interrupt(when):
                if when == {during!r}:
                    pytest.exit("enough")

            @pytest.fixture
            def interrupted(omi_cloud):
                interrupt("setup")
                yield
                interrupt("teardown")

            def test_it(interrupted): interrupt("call")
        """
        before = socket.getaddrinfo, list(STACK)
        assert run_plugin(pytester, source).ret == pytest.ExitCode.INTERRUPTED
        assert (socket.getaddrinfo, list(STACK)) == before

    def test_ends_with_the_test(self, pytester: pytest.Pytester) -> None:
        """After a test, failed or not, nothing is refused, and after the session nothing is patched."""
        before = socket.getaddrinfo, dict(vars(socket.socket)), dict(vars(HTTPConnectionPool))
        source = f"""{IMPORTS}
def test_fails(omi_cloud): raise ValueError
def test_ends(omi_cloud): pass
def test_later():
    assert not STACK
    with pytest.raises(OSError):
        socket.create_connection(("localhost", 9))
"""
        run_plugin(pytester, source).assert_outcomes(passed=2, failed=1)
        assert (socket.getaddrinfo, dict(vars(socket.socket)), dict(vars(HTTPConnectionPool))) == before


class TestHiddenRequest:
    """A request whose error the code under test catches."""

    SOURCE = f"""{IMPORTS}
def hide():
    try:
        requests.post(f"https://{{HOST}}/api/v1/ReadVms", timeout=1)
    except Exception:
        pass

@pytest.fixture
def sends_first(omi_cloud): hide()

@pytest.fixture
def sends_last(omi_cloud):
    yield
    hide()
"""

    def test_is_an_error_of_its_phase_for_every_plugin(self, pytester: pytest.Pytester) -> None:
        """Set-up, call and tear-down raise: flaky, for example, judges a test by the exception, not by its report."""
        source = f"""{self.SOURCE}
def test_setup(sends_first): pass
def test_call(omi_cloud): hide()
def test_teardown(sends_last): pass
"""
        pytester.makeconftest("""
            def pytest_runtest_makereport(call):
                print(f"{call.when}: {call.excinfo and call.excinfo.typename}")
        """)
        result = run_plugin(pytester, source, "-s")
        result.assert_outcomes(failed=1, errors=2, passed=1)
        phases = ["setup: Failed", "teardown: None", "setup: None", "call: Failed", "teardown: None"]
        phases += ["setup: None", "call: None", "teardown: Failed"]
        result.stdout.fnmatch_lines([f"*{phase}" for phase in phases])

    def test_is_an_expected_failure_where_one_is_expected(self, pytester: pytest.Pytester) -> None:
        """A test that is marked with xfail may send a request, but not where it expects another error."""
        source = f"""{self.SOURCE}
@pytest.mark.xfail(strict=True)
def test_expected(omi_cloud): hide()

@pytest.mark.xfail(raises=ValueError)
def test_other(omi_cloud): hide()
"""
        run_plugin(pytester, source).assert_outcomes(xfailed=1, failed=1)

    def test_fails_no_later_test(self, pytester: pytest.Pytester) -> None:
        """A test that is skipped or fails for another reason leaves its requests to no one."""
        source = f"""{self.SOURCE}
def test_fails(omi_cloud):
    hide()
    raise ValueError

def test_skips(omi_cloud):
    hide()
    pytest.skip()

def test_later(omi_cloud): pass
"""
        run_plugin(pytester, source).assert_outcomes(failed=1, skipped=1, passed=1)


class TestGuardOfCollection:
    """With omisim_guard = true, what the import of a file or a hook sends, and whose error it catches."""

    def test_fails_the_file_that_sends(self, pytester: pytest.Pytester) -> None:
        """A request at the import of a file is an error of that file, not of the first test."""
        pytester.makepyfile(test_z=f"{TestHiddenRequest.SOURCE}\nhide()\ndef test_of_the_file(): pass")
        options = ("-o", "omisim_guard=true", "--continue-on-collection-errors")
        result = run_plugin(pytester, "def test_first(): pass", *options)
        result.assert_outcomes(passed=1, errors=1)
        result.stdout.fnmatch_lines(["*ERROR collecting test_z.py*", "test_z.py tried to leave this machine:"])

    def test_keeps_the_error_of_a_file(self, pytester: pytest.Pytester) -> None:
        """A file that fails or is skipped for another reason leaves its requests to no other."""
        pytester.makepyfile(
            test_a=f"{TestHiddenRequest.SOURCE}\nhide()\nraise ValueError",
            test_b=f"{TestHiddenRequest.SOURCE}\nhide()\npytest.skip(allow_module_level=True)",
        )
        options = ("-o", "omisim_guard=true", "--continue-on-collection-errors")
        result = run_plugin(pytester, "def test_first(): pass", *options)
        result.assert_outcomes(passed=1, errors=1, skipped=1)
        result.stdout.no_fnmatch_line("*tried to leave*")

    @pytest.mark.parametrize("start", ["hide()", "def pytest_configure(): hide()", "def pytest_sessionstart(): hide()"])
    def test_fails_the_session_whose_start_sends(self, pytester: pytest.Pytester, start: str) -> None:
        """A request at the import of conftest.py, or of a hook before the collection, fails no test by name."""
        pytester.makeconftest(f"{TestHiddenRequest.SOURCE}\n{start}")
        result = run_plugin(pytester, "def test_first(): pass", "-o", "omisim_guard=true")
        result.assert_outcomes(errors=1)
        result.stdout.fnmatch_lines(["the start of the session tried to leave this machine:"])


class TestThreadThatOutlivesItsTest:
    SOURCE = """
        import threading
        from concurrent.futures import ThreadPoolExecutor
        import pytest
        import requests

        URL = "https://api.eu-west-2.outscale.com/api/v1/ReadRegions"
        POOL = ThreadPoolExecutor(1)
        go, done, errors = threading.Event(), threading.Event(), []

        def poll():
            go.wait(60)
            try:
                requests.post(URL, json={}, timeout=1)
            except Exception as error:
                errors.append(error)
            done.set()

        def test_starts_a_thread(omi_env):
            threading.Thread(target=poll, name="poller").start()

        @pytest.mark.parametrize("fixtures", [[], ["omi_cloud"], ["omi_env"]])
        def test_later(request, fixtures):
            for name in fixtures:
                request.getfixturevalue(name)
            go.set()
            assert done.wait(60)
            assert "the thread poller was started in an environment of the account alice" in str(errors[0])

        def test_leaves_an_idle_thread_of_trio(omi_env):
            import trio
            trio.run(trio.to_thread.run_sync, int)

        def test_leaves_an_idle_pool(omi_env):
            assert POOL.submit(requests.post, URL, json={}, timeout=1).result().ok

        def test_uses_the_pool_again(omi_env, omi_cloud):
            assert POOL.submit(requests.post, URL, json={}, timeout=1).result().ok
            assert len(omi_cloud.calls("ReadRegions")) == 1
    """

    @pytest.mark.parametrize("later", ["fixtures0", "fixtures1", "fixtures2"])
    def test_is_reported_by_name_and_refused(self, pytester: pytest.Pytester, later: str) -> None:
        """A warning names the thread, and its requests are refused during any later test, without leaving."""
        result = run_plugin(pytester, self.SOURCE, "-W", "default", "-k", f"starts_a_thread or {later}")
        result.assert_outcomes(passed=2, warnings=1)
        result.stdout.fnmatch_lines(["*test_starts_a_thread ended before threads that it had started: poller. Their *"])

    def test_fails_the_test_where_warnings_are_errors(self, pytester: pytest.Pytester) -> None:
        """Under `-W error` the report is an error of the test that started the thread."""
        run_plugin(pytester, self.SOURCE, "-k", "starts_a_thread or fixtures0").assert_outcomes(passed=2, errors=1)

    def test_may_be_an_idle_worker_of_trio(self, pytester: pytest.Pytester) -> None:
        """Trio keeps a thread for ten seconds after its job."""
        run_plugin(pytester, self.SOURCE, "-W", "error", "-k", "idle_thread_of_trio").assert_outcomes(passed=1)

    def test_may_be_an_idle_worker_of_a_pool(self, pytester: pytest.Pytester) -> None:
        """A ThreadPoolExecutor of a module serves one test after the other."""
        run_plugin(pytester, self.SOURCE, "-k", "idle_pool or pool_again").assert_outcomes(passed=2)

    SHARED = """
        import asyncio
        import threading
        from multiprocessing.pool import ThreadPool
        import anyio
        import httpx
        import pytest
        from anyio.from_thread import start_blocking_portal

        URL = "https://api.eu-west-2.outscale.com/api/v1/ReadRegions"
        POOL = LOOP = THREAD = None
        begun = threading.Semaphore(0)

        def read_regions():
            return httpx.post(URL, json={}).status_code

        async def read_regions_async():
            async with httpx.AsyncClient() as client:
                return (await client.post(URL, json={})).status_code

        def run(coroutine):
            global LOOP, THREAD
            if LOOP is None:
                LOOP = asyncio.new_event_loop()
                THREAD = threading.Thread(target=LOOP.run_forever, name="loop")
                THREAD.start()
            return asyncio.run_coroutine_threadsafe(coroutine, LOOP).result(60)

        @pytest.fixture(scope="module", autouse=True)
        def stop_loop():
            async def stop():
                for task in asyncio.all_tasks() - {asyncio.current_task()}:
                    task.cancel()
                LOOP.call_soon(LOOP.stop)

            yield
            if LOOP is not None:
                run(stop())
                THREAD.join()
                LOOP.close()

        @pytest.mark.parametrize("number", [1, 2])
        def test_uses_the_pool(omi_env, omi_cloud, number):
            global POOL
            POOL = POOL or ThreadPool(2)
            assert POOL.apply(read_regions) == 200
            assert len(omi_cloud.calls("ReadRegions")) == 1
            if number == 2:
                POOL.close()
                POOL.join()

        @pytest.mark.parametrize("number", [1, 2])
        def test_uses_the_loop(omi_env, omi_cloud, number):
            assert run(read_regions_async()) == 200
            assert len(omi_cloud.calls("ReadRegions")) == 1

        @pytest.fixture(scope="module")
        def portal():
            with start_blocking_portal() as portal:
                yield portal

        @pytest.mark.parametrize("number", [1, 2])
        def test_uses_the_worker(portal, omi_env, omi_cloud, number):
            assert portal.call(anyio.to_thread.run_sync, read_regions) == 200
            assert len(omi_cloud.calls("ReadRegions")) == 1

        def test_leaves_a_call(end_of_job, portal, omi_env):
            _, event = end_of_job
            portal.start_task_soon(anyio.to_thread.run_sync, lambda: (begun.release(), event.wait()))
            assert begun.acquire(timeout=60)

        def test_leaves_a_task(omi_env):
            async def start():
                asyncio.create_task(asyncio.sleep(60))
            run(start())

        @pytest.fixture
        def end_of_job():
            pools, event = [], threading.Event()
            yield pools, event
            event.set()
            for pool in pools:
                pool.close()
                pool.join()

        def test_leaves_a_job(end_of_job, omi_env):
            pools, event = end_of_job
            pools.append(ThreadPool(1))
            pools[0].apply_async(lambda: (begun.release(), event.wait()))
            assert begun.acquire(timeout=60)
    """

    @pytest.mark.parametrize("shared", ["pool", "loop", "worker"])
    def test_may_be_an_idle_thread_of_the_code_under_test(self, pytester: pytest.Pytester, shared: str) -> None:
        """So does a pool of multiprocessing, an event loop in a thread, such as that of fsspec, and a worker of anyio.

        Such workers run the synchronous endpoints of a web application that a TestClient of a module calls.
        """
        run_plugin(pytester, self.SHARED, "-W", "error", "-k", f"uses_the_{shared}").assert_outcomes(passed=2)

    @pytest.mark.parametrize("work", ["task", "job", "call"])
    def test_is_reported_while_it_has_work(self, pytester: pytest.Pytester, work: str) -> None:
        """A loop with a task, and a worker with a job, may still send requests for their test."""
        result = run_plugin(pytester, self.SHARED, "-W", "default", "-k", f"leaves_a_{work}")
        result.assert_outcomes(passed=1, warnings=1)
        result.stdout.fnmatch_lines([f"*test_leaves_a_{work} ended before threads that it had started: *"])
