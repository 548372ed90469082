"""Sleeping in a cloud's time: real polling loops that take no time."""

from __future__ import annotations

import asyncio
import itertools
import pickle
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from textwrap import dedent
from threading import Event, Thread
from time import sleep as bound_as_something_else
from types import ModuleType
from typing import Any

import pytest
from freezegun import freeze_time
from hypothesis import given
from hypothesis import strategies as st
from osc_sdk_python import Gateway
from requests import HTTPError
from support.catalogue import SUBREGION
from support.plugged import run_plugin

from omisim import Account, Cloud, ManualClock, SystemClock
from omisim.base.clock import EPOCH
from omisim.clients import sleeping
from omisim.clients.waiting import cloud_time, watch
from omisim.errors import EndlessPollingError

pytest_plugins = ["pytester"]
AN_HOUR = 3600

CLOCKS = ("time", "monotonic", "perf_counter", "time_ns", "monotonic_ns", "perf_counter_ns")


@pytest.fixture(name="module")
def _module() -> Iterator[Callable[[str], Any]]:
    """Makes a module of code under test, as if it had been imported before."""
    module = ModuleType("code_under_test")
    sys.modules["code_under_test"] = module

    def run(source: str) -> Any:
        exec(dedent(source), module.__dict__)
        return module

    yield run
    del sys.modules["code_under_test"]


def seconds(cloud: Cloud, act: Callable[[], object]) -> float:
    """Return how long something took in the cloud's time."""
    before = cloud.now
    act()
    return (cloud.now - before).total_seconds()


class TestSleeping:
    def test_moves_the_clock_and_returns_at_once(self, cloud: Cloud) -> None:
        """A sleep of an hour moves the cloud's clock by an hour and takes no real time."""
        with cloud.sleeping():
            assert seconds(cloud, lambda: time.sleep(AN_HOUR)) == AN_HOUR

    def test_lets_a_polling_loop_see_every_state(self, cloud: Cloud, alice: Account) -> None:
        """A loop with 10-second sleeps sees every state of an export of 40 minutes, in milliseconds."""
        image = alice.create_image(
            source_image_id=cloud.images.official("rhel").image_id, source_region_name=alice.region, image_name="golden"
        )
        cloud.settle()
        alice.client("oos").create_bucket(Bucket="exports")
        cloud.durations["image_export.pending"] = 40 * 60
        export = {"disk_image_format": "qcow2", "osu_bucket": "exports"}
        task = alice.create_image_export_task(image_id=image.image_id, osu_export=export)
        states = [str(task.state)]
        polls = 0
        with cloud.sleeping():
            while states[-1] != "completed":
                time.sleep(10)
                polls += 1
                state = str(alice.read_image_export_tasks(filters={"task_ids": [task.task_id]})[0].state)
                states += [state] if state != states[-1] else []
        assert states == ["pending/queued", "pending", "completed"]
        assert polls >= 240

    def test_reaches_modules_that_import_sleep_by_name(self, cloud: Cloud, module: Callable[[str], Any]) -> None:
        """Modules with `from time import sleep` are reached, and restored afterwards."""
        code = module("from time import sleep\ndef poll(): sleep(10)")
        with cloud.sleeping():
            assert seconds(cloud, code.poll) == 10
        assert code.sleep is time.sleep

    def test_reaches_modules_imported_inside_the_context(self, cloud: Cloud, module: Callable[[str], Any]) -> None:
        """A module that imports sleep inside the context sleeps in the cloud's time inside, and really after it."""
        with cloud.sleeping():
            code = module("from time import sleep as rest\ndef poll(seconds): rest(seconds)")
            assert seconds(cloud, lambda: code.poll(10)) == 10
        assert seconds(cloud, lambda: code.poll(0.001)) == 0

    def test_reaches_sleep_under_another_name(self, cloud: Cloud) -> None:
        """A module that imported sleep under another name before the context is reached."""
        with cloud.sleeping():
            assert seconds(cloud, lambda: bound_as_something_else(10)) == 10

    @pytest.mark.parametrize("name", ["sleep", "time", "monotonic", "perf_counter_ns"])
    def test_leaves_functions_that_can_be_pickled(self, cloud: Cloud, name: str) -> None:
        """A spawned process can be given a function of time, and calls its own."""
        with cloud.sleeping(virtual_time=True):
            assert pickle.loads(pickle.dumps(getattr(time, name))) is getattr(time, name)

    def test_does_not_reach_a_default_argument(self, cloud: Cloud, module: Callable[[str], Any]) -> None:
        """A function that a default argument holds sleeps really: the documented limit."""
        code = module("import time\ndef poll(seconds, sleep=time.sleep): sleep(seconds)")
        with cloud.sleeping():
            assert seconds(cloud, lambda: code.poll(0.001)) == 0

    def test_does_not_affect_threads_that_run_already(self, cloud: Cloud) -> None:
        """A thread that was started before the context sleeps really."""
        started, slept = Event(), Event()

        def nap() -> None:
            started.wait()
            time.sleep(0.001)
            slept.set()

        thread = Thread(target=nap)
        thread.start()
        with cloud.sleeping():
            before = cloud.now
            started.set()
            slept.wait()
            assert cloud.now == before
        thread.join()

    def test_does_not_affect_the_standard_library(self, cloud: Cloud) -> None:
        """Waiting for a process takes real time."""
        with cloud.sleeping(), subprocess.Popen([sys.executable, "-c", ""]) as process:
            assert seconds(cloud, lambda: process.wait(timeout=60)) == 0

    def test_nests_by_moving_the_innermost_clock(self, cloud: Cloud) -> None:
        """The innermost cloud's clock moves, and after it the outer one's."""
        other = Cloud()
        with cloud.sleeping():
            with other.sleeping():
                assert seconds(cloud, lambda: time.sleep(10)) == 0
            assert seconds(cloud, lambda: time.sleep(10)) == 10

    def test_can_end_in_another_thread(self, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
        """A context that the main thread has entered ends where another thread leaves it, without an error."""
        errors: list[Any] = []
        monkeypatch.setattr(threading, "excepthook", errors.append)
        real, before = time.sleep, signal.getsignal(watch.ALARM) if watch.ALARM else None
        stack = ExitStack()
        stack.enter_context(cloud.sleeping())
        thread = Thread(target=stack.close)
        thread.start()
        thread.join()
        assert (errors, time.sleep) == ([], real)
        if watch.ALARM:
            signal.signal(watch.ALARM, before)

    def test_is_undone_after_its_context(self, cloud: Cloud) -> None:
        """Afterwards both functions are the real ones."""
        before = time.sleep, asyncio.sleep
        with pytest.raises(InterruptedError), cloud.sleeping():
            raise InterruptedError
        assert (time.sleep, asyncio.sleep) == before

    @pytest.mark.parametrize("order", list(itertools.permutations(range(3))), ids=str)
    def test_is_undone_if_it_ends_before_another_context(
        self, cloud: Cloud, alice: Account, order: tuple[int, ...]
    ) -> None:
        """Sleeping, an environment and interception can end in any order: sockets are the real ones afterwards."""

        def read_methods() -> list[Any]:
            return [getattr(socket.socket, name) for name in ("connect", "connect_ex", "sendmsg", "sendto")]

        before = read_methods()
        contexts = (cloud.sleeping(), alice.environment(), cloud.intercept())
        for context in contexts:
            context.__enter__()
        for index in order:
            contexts[index].__exit__(None, None, None)
        assert read_methods() == before

    @pytest.mark.parametrize(
        ("span", "error"),
        [(-1, ValueError), ("1", TypeError), (float("nan"), ValueError), (float("inf"), OverflowError)],
    )
    def test_refuses_what_time_sleep_refuses(self, cloud: Cloud, span: Any, error: type[Exception]) -> None:
        """An invalid duration is refused as usual, and no time passes."""
        with cloud.sleeping(), pytest.raises(error):
            time.sleep(span)
        assert cloud == Cloud(timing="clock")

    @given(spans=st.lists(st.floats(0, 1e6), max_size=8))
    def test_moves_the_clock_by_the_sum_of_the_sleeps(self, spans: list[float]) -> None:
        """The clock moves by the sum of the sleeps, each of which may take up to a microsecond longer."""
        cloud = Cloud()
        with cloud.sleeping():
            for span in spans:
                time.sleep(span)
        assert -1e-7 < (cloud.now - EPOCH).total_seconds() - sum(spans) < 1e-5

    @given(
        uptime=st.floats(0, 1e9),
        clock=st.sampled_from(CLOCKS),
        steps=st.lists(st.tuples(st.floats(1e-6, 1e9), st.integers(0, 20)), max_size=8),
    )
    def test_is_never_shorter_on_a_clock(self, uptime: float, clock: str, steps: list[tuple[float, int]]) -> None:
        """A loop with a deadline ends after one sleep until then, however floats are rounded."""
        unit = 10**9 if clock.endswith("_ns") else 1
        start = 1.9e9 if clock.startswith("time") else uptime
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(cloud_time, "read_monotonic", lambda: uptime)
            patch.setattr(sleeping, "read_clocks", lambda: {clock: int(start * unit) if unit > 1 else start})
            with Cloud().sleeping(virtual_time=True):
                read = getattr(time, clock)
                for span, readings in steps:
                    for _ in range(readings):
                        read()
                    deadline = read() + (int(span * unit) if unit > 1 else span)
                    time.sleep(span)
                    assert read() >= deadline

    def test_raises_an_error_in_an_endless_polling_loop(self, cloud: Cloud, alice: Account) -> None:
        """A polling loop that can never finish raises an error that names what it polled."""

        def poll() -> None:
            while not alice.read_volumes():
                time.sleep(10)

        with cloud.sleeping(), pytest.raises(EndlessPollingError, match=r"never finish.*\(last call: ReadVolumes\)"):
            poll()

    def test_names_the_timing_of_an_endless_polling_loop_where_only_the_test_ends_a_state(self) -> None:
        """In the timing manual, the error does not deny that a transient state is in progress."""
        alice = (cloud := Cloud(timing="manual")).account("alice")
        alice.create_volume(subregion_name=SUBREGION, size=1)

        def poll() -> None:
            while alice.read_volumes()[0].state == "creating":
                time.sleep(10)

        with cloud.sleeping(), pytest.raises(EndlessPollingError, match="the timing manual, in which only the test"):
            poll()

    def test_allows_any_number_of_polls_before_a_due_transition(self, cloud: Cloud, alice: Account) -> None:
        """While a transition is due, any number of polls is allowed."""
        cloud.durations["volume.creating"] = 2_000
        alice.create_volume(subregion_name=SUBREGION, size=1)
        with cloud.sleeping():
            while alice.read_volumes()[0].state != "available":
                time.sleep(1)

    def test_shortens_the_retries_of_the_sdk(self, cloud: Cloud, alice: Account) -> None:
        """A Gateway that retries after a 503 waits in the cloud's time."""
        cloud.faults.add("ReadVms", times=3, status=503)
        with alice.environment(), cloud.sleeping():
            gateway = Gateway()
            assert seconds(cloud, gateway.ReadVms) >= 7
            cloud.faults.add("ReadVms", times=4, status=503)
            with pytest.raises(HTTPError):
                gateway.ReadVms()


class TestAsyncioSleep:
    def test_moves_the_clock_and_returns_its_result(self, cloud: Cloud) -> None:
        """`asyncio.sleep` returns at once, with its result."""
        with cloud.sleeping():
            assert seconds(cloud, lambda: asyncio.run(asyncio.sleep(AN_HOUR))) == AN_HOUR
            assert asyncio.run(asyncio.sleep(10, "result")) == "result"
            assert seconds(cloud, lambda: asyncio.run(asyncio.sleep(0))) == 0

    def test_wakes_tasks_in_the_order_of_their_times(self, cloud: Cloud) -> None:
        """Tasks that sleep concurrently take as long as the longest."""
        woken: list[float] = []

        async def nap(span: float) -> None:
            await asyncio.sleep(span)
            woken.append(span)

        async def naps() -> None:
            await asyncio.gather(nap(30), nap(10), nap(20), nap(10))

        with cloud.sleeping():
            assert seconds(cloud, lambda: asyncio.run(naps())) == 30
        assert woken == [10, 10, 20, 30]

    def test_of_a_cancelled_task_is_not_waited_for(self, cloud: Cloud) -> None:
        """A cancelled sleep does not move the clock."""

        async def main() -> None:
            task = asyncio.create_task(asyncio.sleep(5))
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.sleep(10)

        with cloud.sleeping():
            assert seconds(cloud, lambda: asyncio.run(main())) == 10


MACHINE = """
    import time
    import time_machine
    from omisim import Cloud, ManualClock, SystemClock

    def took(cloud):
        before = cloud.now, time.time()
        time.sleep(60)
        return round((cloud.now - before[0]).total_seconds()), round(time.time() - before[1])

    for clock in (ManualClock, SystemClock):
        cloud = Cloud(clock=clock())
        with time_machine.travel("2030-01-01"), cloud.sleeping():
            assert took(cloud) == (60, 60)
        with cloud.sleeping(), time_machine.travel("2031-01-01", tick=False):
            assert took(cloud) == (60, 60)
"""


FROZEN = """
    import sys
    from contextlib import nullcontext
    from freezegun import freeze_time
    from omisim import ApiError, Cloud

    def work():
        cloud = Cloud()
        alice = cloud.account("alice")
        alice.create_access_key(expiration_date="2027-01-01")
        alice.create_volume(subregion_name="eu-west-2a", size=1)
        try:
            alice.create_access_key(expiration_date=3)
        except ApiError as error:
            assert "date" in str(error)
        assert Cloud.load(cloud.dump()) == cloud
        return alice.call("ReadVolumes"), alice.gateway().ReadAccessKeys()["AccessKeys"]

    first, then = freeze_time("2026-01-01"), nullcontext()
    for frozen in (first, then, first):
        with frozen:
            volumes, keys = work()
        assert volumes["Volumes"][0]["CreationDate"].startswith("2026-01-01T")
        assert keys[1]["ExpirationDate"] == "2027-01-01T00:00:00.000Z"
"""


class TestSleepUnderFrozenTime:
    def test_keeps_cached_answers_valid(self) -> None:
        """What a cloud computes under freezegun is valid after it, and vice versa."""
        run = subprocess.run([sys.executable, "-c", dedent(FROZEN)], capture_output=True, text=True, check=False)
        assert run.stderr == ""

    def test_moves_a_ticking_time_by_the_whole_wait(self, cloud: Cloud) -> None:
        """The real time that has passed before a wait is not lost."""
        with freeze_time("2030-01-01", tick=True), cloud.sleeping():
            before = time.time()
            time.sleep(60)
            assert time.time() - before >= 60

    @pytest.mark.parametrize("seconds", [2.5e11, 1e12, 1e300])
    @pytest.mark.parametrize("tick", [False, True])
    def test_refuses_a_wait_beyond_the_years_before_it_moves_a_time(self, seconds: float, tick: bool) -> None:
        """A sleep that the cloud's clock has no room for leaves the frozen time where it is."""
        with freeze_time("2030-01-01", tick=tick):
            cloud = Cloud(clock=SystemClock())
            with cloud.sleeping(), pytest.raises(ValueError, match="must not pass the year 8999"):
                time.sleep(seconds)
            assert (cloud.now.year, time.gmtime().tm_year) == (2030, 2030)

    @pytest.mark.parametrize("clock", [ManualClock, SystemClock])
    def test_moves_both_clocks_in_either_order(self, clock: type[ManualClock | SystemClock]) -> None:
        """Under freezegun a sleep moves the cloud's time and the frozen one, whichever context was entered first."""
        cloud = Cloud(clock=clock())
        with freeze_time("2030-01-01"), cloud.sleeping():
            before = time.time(), time.monotonic()
            assert seconds(cloud, lambda: time.sleep(60)) == 60
            assert (time.time() - before[0], time.monotonic() - before[1]) == (60, 60)
        with cloud.sleeping(), freeze_time("2031-01-01"):
            before = time.time(), time.monotonic()
            assert seconds(cloud, lambda: time.sleep(60)) == pytest.approx(60)
            assert time.time() - before[0] == 60

    def test_moves_both_clocks_under_time_machine(self) -> None:
        """The same holds for time-machine, which needs its own process: it replaces functions of the interpreter."""
        pytest.importorskip("time_machine")
        run = subprocess.run([sys.executable, "-c", dedent(MACHINE)], capture_output=True, text=True, check=False)
        assert run.stderr == ""

    def test_ends_a_loop_at_its_own_deadline(self, cloud: Cloud, alice: Account) -> None:
        """Code that gives up after half an hour does so when freezegun controls its time."""
        cloud.durations["volume.creating"] = AN_HOUR
        alice.create_volume(subregion_name=SUBREGION, size=1)
        with freeze_time("2030-01-01"), cloud.sleeping():
            deadline = time.monotonic() + 1800
            while alice.read_volumes()[0].state != "available" and time.monotonic() < deadline:
                time.sleep(10)
        assert alice.read_volumes()[0].state == "creating"


class TestSleepFixture:
    def test_sets_the_timing_to_clock(self, pytester: pytest.Pytester) -> None:
        """With omi_sleep transients last, unless the marker sets a timing; however late the test requests it."""
        pytester.makeini("[pytest]\nomisim_timing = eager\n")
        source = """
            import time
            import pytest

            def create(account):
                return account.create_volume(subregion_name="eu-west-2a", size=1)

            def test_clock(omi_account, omi_sleep):
                create(omi_account)
                assert omi_account.read_volumes()[0].state == "creating"
                time.sleep(60)
                assert omi_account.read_volumes()[0].state == "available"

            @pytest.mark.omisim(timing="manual")
            def test_told(omi_account, omi_sleep):
                create(omi_account)
                time.sleep(86400)
                assert omi_account.read_volumes()[0].state == "creating"

            def test_late(omi_account, request):
                request.getfixturevalue("omi_sleep")
                create(omi_account)
                assert omi_account.read_volumes()[0].state == "creating"
        """
        run_plugin(pytester, source).assert_outcomes(passed=3)
