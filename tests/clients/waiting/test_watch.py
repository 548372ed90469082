"""Nothing hangs: waits that nothing can end raise an error, and time passes beside work that does not end."""

from __future__ import annotations

import asyncio
import datetime as dt
import gc
import hashlib
import itertools
import os
import queue
import subprocess
import sys
import threading
import time
import warnings
import weakref
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from support import real_sleeps
from support.sign import sign_request
from support.waiting import measure

from omisim import Account, Cloud
from omisim.clients.real_time import read_monotonic
from omisim.clients.waiting import cloud_time, outside, watch
from omisim.clients.waiting.cloud_time import CloudTime
from omisim.clients.waiting.kernel import Kernel
from omisim.clients.waiting.private import current_frames
from omisim.clients.waiting.waits import Wait
from omisim.doors.oapi import OapiDoor
from omisim.errors import EndlessPollingError

KEPT: dict[str, Callable[[float], None]] = {"nap": time.sleep}
HELD = threading.Lock()  # made before any context, as by a module under test
ITEMS: queue.SimpleQueue[int] = queue.SimpleQueue()


@pytest.fixture(autouse=True)
def _held() -> None:
    HELD.acquire(blocking=False)


async def wait_forever() -> None:
    """Wait for what never comes."""
    await asyncio.get_running_loop().create_future()


def join_a_waiting_thread() -> None:
    """Wait for a thread that waits for ever."""
    thread = threading.Thread(target=threading.Event().wait, daemon=True)
    thread.start()
    thread.join()


def read_vms(cloud: Cloud, account: Account, secret_key: str | None = None) -> int:
    """Return the HTTP status of a signed request."""
    request = sign_request(account, "/api/v1/ReadVms", at=cloud.now, secret_key=secret_key)
    return OapiDoor(cloud.engine).handle(request, cloud.now).status


class TestDeadlock:
    @pytest.mark.parametrize(
        ("act", "line"),
        [
            (lambda: threading.Event().wait(), r"threading\.Event\(\)\.wait\(\)"),
            (lambda: asyncio.run(wait_forever()), r"asyncio\.run\(wait_forever"),
            (lambda: HELD.acquire(timeout=-1), r"HELD\.acquire\(timeout=-1\)"),
            (lambda: HELD.acquire(timeout=60), r"HELD\.acquire\(timeout=60\)"),
            (lambda: ITEMS.get(timeout=60), r"ITEMS\.get\(timeout=60\)"),
            (join_a_waiting_thread, r"thread\.join\(\)"),
        ],
        ids=["event", "loop", "lock-of-a-module", "limited-lock-of-a-module", "queue-of-a-module", "thread"],
    )
    def test_raises_an_error_that_names_the_lines(self, cloud: Cloud, act: Callable[[], object], line: str) -> None:
        """Where every thread waits without a time limit, the test's thread gets an error with each thread's line."""
        failure = pytest.raises(RuntimeError, match=rf"(?s)every thread of the test waits.*MainThread: .*{line}")
        with failure, cloud.sleeping(patience=0.05):
            act()

    def test_of_a_thread_that_is_not_the_main_one(self, cloud: Cloud) -> None:
        """A context in another thread reports there."""
        failures: list[BaseException] = []

        def act() -> None:
            try:
                with cloud.sleeping(patience=0.05):
                    threading.Event().wait()
            except RuntimeError as error:
                failures.append(error)

        thread = threading.Thread(target=act)
        thread.start()
        thread.join()
        assert "every thread of the test waits" in str(failures[0])

    @pytest.mark.parametrize("patience", [0, -1, "1", float("nan"), float("inf")])
    def test_refuses_an_invalid_limit(self, cloud: Cloud, patience: float) -> None:
        """The limit is a positive number of seconds."""
        message = "patience must be a positive number of seconds, not"
        with pytest.raises(ValueError, match=message), cloud.sleeping(patience=patience):
            pass


class TestEndlessLoop:
    @pytest.fixture(autouse=True)
    def _works(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """On a busy machine, a loop gets so little of a processor that it would seem to wait for another program."""
        monkeypatch.setattr(outside, "process_time", itertools.count().__next__)

    def test_is_not_one_that_waits_for_a_timer(self, cloud: Cloud, alice: Account) -> None:
        """A loop that polls every two seconds until a terminated VM has vanished sees the end of its hour."""
        (vm,) = alice.create_vms(image_id=cloud.images.official("debian").image_id)
        cloud.settle()
        alice.delete_vms(vm_ids=[vm.vm_id])
        with cloud.sleeping():
            while alice.read_vms():
                time.sleep(2)

    def test_is_not_one_that_waits_until_a_key_expires(
        self, cloud: Cloud, alice: Account, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A loop that polls every hour with a key that expires tomorrow is refused then."""
        monkeypatch.setattr(cloud_time, "MAX_IDLE", 10)
        alice.update_access_key(access_key_id=alice.access_key, state="ACTIVE", expiration_date="2026-01-02")
        with cloud.sleeping():
            while read_vms(cloud, alice) == 200:
                time.sleep(3600)
        assert cloud.now.day == 2

    def test_is_not_one_that_waits_for_the_end_of_a_lock_out(
        self, cloud: Cloud, alice: Account, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A loop that tries to sign in every ten seconds succeeds after the lock-out of the account."""
        monkeypatch.setattr(cloud_time, "MAX_IDLE", 3)
        assert [read_vms(cloud, alice, "guess") for _ in range(4)] == [401] * 4
        start = cloud.now
        with cloud.sleeping():
            while read_vms(cloud, alice) == 401:
                time.sleep(10)
        assert cloud.now - start == dt.timedelta(minutes=1)

    def test_is_not_one_whose_requests_all_differ(self, cloud: Cloud, alice: Account) -> None:
        """A loop that reads one thing after the other, with a pause after each, is not a polling loop."""
        with cloud.sleeping():
            for number in range(2 * cloud_time.MAX_IDLE):
                alice.read_images(filters={"image_names": [f"golden-{number}"]})
                time.sleep(0.2)

    def test_ends_at_last_beside_a_timer_and_with_requests_that_differ(
        self, cloud: Cloud, alice: Account, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A loop whose timer is far away, or that counts its polls in the request, raises an error at last."""
        monkeypatch.setattr(cloud_time, "MAX_QUIET", 2 * cloud_time.MAX_IDLE)

        def read_different_images() -> None:
            for number in itertools.count():
                alice.read_images(filters={"image_names": [f"golden-{number}"]})
                time.sleep(0.1)

        def poll_keypairs() -> None:
            while not alice.read_keypairs():
                time.sleep(0.1)

        with cloud.sleeping(), pytest.raises(EndlessPollingError, match="2000 sleeps between calls"):
            read_different_images()
        (vm,) = alice.create_vms(image_id=cloud.images.official("debian").image_id)
        alice.delete_vms(vm_ids=[vm.vm_id])
        with cloud.sleeping(), pytest.raises(EndlessPollingError, match="2000 sleeps between calls"):
            poll_keypairs()

    def test_without_a_call_raises_an_error(self, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
        """A loop that sleeps until something happens that never does is ended, with the remedy."""
        monkeypatch.setattr(cloud_time, "MAX_QUIET", 100)

        def poll() -> None:
            deadline = time.monotonic() + 600
            while time.monotonic() < deadline:
                time.sleep(10)

        with cloud.sleeping(), pytest.raises(RuntimeError, match=r"never finish.*time\.monotonic\(\).*virtual_time"):
            poll()
        with cloud.sleeping(virtual_time=True):
            poll()

    def test_by_the_date_raises_an_error(self, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
        """No context moves dates, so that the remedy is a library that does."""
        monkeypatch.setattr(cloud_time, "MAX_QUIET", 100)

        def poll() -> None:
            deadline = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=600)
            while dt.datetime.now(dt.UTC) < deadline:
                time.sleep(10)

        with cloud.sleeping(virtual_time=True), pytest.raises(RuntimeError, match=r"datetime\.now\(\) needs freezegun"):
            poll()

    @pytest.mark.parametrize("pause", [lambda: None, lambda: time.sleep(0)], ids=["none", "sleep-0"])
    def test_without_a_wait_raises_an_error(
        self, cloud: Cloud, alice: Account, monkeypatch: pytest.MonkeyPatch, pause: Callable[[], None]
    ) -> None:
        """A loop that polls without waiting would poll for ever: the clock stands still while code runs."""
        monkeypatch.setattr(cloud_time, "MAX_IDLE", 10)
        alice.create_volume(subregion_name="eu-west-2a", size=1)

        def poll() -> None:
            while alice.read_volumes()[0].state == "creating":
                pause()

        with cloud.sleeping(patience=0.05), pytest.raises(EndlessPollingError, match=r"without a wait.*timing='reads'"):
            poll()

    @pytest.mark.parametrize("ending", ["an object", "a collection"])
    def test_raises_no_error_where_python_ignores_it(
        self, cloud: Cloud, alice: Account, monkeypatch: pytest.MonkeyPatch, ending: str
    ) -> None:
        """Code that runs when an object or a collection of garbage ends is let through: the loop gets the error."""
        monkeypatch.setattr(cloud_time, "MAX_IDLE", 10)
        alice.create_volume(subregion_name="eu-west-2a", size=1)

        class Reader:
            def __del__(self) -> None:
                read()

        def read(*_args: object) -> None:
            for _ in range(5):
                alice.read_volumes()

        def poll() -> None:
            while alice.read_volumes()[0].state == "creating":
                Reader() if ending == "an object" else gc.collect(0)

        callbacks = [read] if ending == "a collection" else []
        gc.callbacks.extend(callbacks)
        try:
            with cloud.sleeping(patience=0.05), pytest.raises(EndlessPollingError, match="without a wait"):
                poll()
        finally:
            gc.callbacks[len(gc.callbacks) - len(callbacks) :] = []

    def test_without_a_wait_of_an_event_loop_raises_the_same_error(
        self, cloud: Cloud, alice: Account, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A coroutine that polls, and only lets others run, is not taken for a deadlock."""
        monkeypatch.setattr(cloud_time, "MAX_IDLE", 10)
        alice.create_volume(subregion_name="eu-west-2a", size=1)

        async def poll() -> None:
            while alice.read_volumes()[0].state == "creating":  # noqa: ASYNC110 - the code under test polls
                await asyncio.sleep(0)

        with cloud.sleeping(patience=0.05), pytest.raises(EndlessPollingError, match="without a wait"):
            asyncio.run(poll())

    def test_is_not_raised_where_an_event_loop_would_log_it(
        self, cloud: Cloud, alice: Account, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Between two steps of a coroutine, the loop runs code of its own, and goes on when that raises something."""
        monkeypatch.setattr(cloud_time, "MAX_IDLE", 3)
        alice.create_volume(subregion_name="eu-west-2a", size=1)

        def spend(_loop: asyncio.AbstractEventLoop) -> None:
            end = read_monotonic() + 0.05
            while read_monotonic() < end:
                pass

        async def poll() -> None:
            monkeypatch.setattr(asyncio.BaseEventLoop, "_check_closed", spend)  # of call_soon
            while alice.read_volumes()[0].state == "creating":  # noqa: ASYNC110 - the code under test polls
                await asyncio.sleep(0)

        with cloud.sleeping(patience=0.05), pytest.raises(EndlessPollingError, match="without a wait"):
            asyncio.run(poll())

    @pytest.mark.parametrize("case", ["it changes something", "nothing is due", "it has ended"])
    def test_is_no_other_row_of_calls(
        self, cloud: Cloud, alice: Account, monkeypatch: pytest.MonkeyPatch, case: str
    ) -> None:
        """Calls that change something, have ended, or beside which nothing is due are not taken for an endless loop."""
        monkeypatch.setattr(cloud_time, "MAX_IDLE", 10)
        alice.create_volume(subregion_name="eu-west-2a", size=1)
        if case == "nothing is due":
            cloud.settle()
        kernel = Kernel(cloud, {})
        kernel.owner = kernel.add()
        looks = watch.Watch(kernel, patience=5.0)
        kernel.owner.wait = Wait(None)
        kernel.owner.wait.member = kernel.owner
        kernel.outside.append(lambda: True)  # the wait is not a deadlock
        for number in range(40):
            if case == "it changes something":
                alice.create_volume(subregion_name="eu-west-2a", size=1)
            elif case != "it has ended" or number < 20:
                alice.read_volumes()
            looks.look(0.2)
        assert kernel.owner.wait.error is None


class TestEndlessLoopOfAnotherProgram:
    @pytest.mark.parametrize(
        "options", [{}, {"timeout": 600}, {"capture_output": True}], ids=["end", "limit", "output"]
    )
    def test_ends_the_wait_for_the_program(self, cloud: Cloud, alice: Account, options: dict[str, Any]) -> None:
        """A program that polls with real sleeps would poll for ever: the clock stands still while the test waits."""
        alice.create_volume(subregion_name="eu-west-2a", size=1)
        ended = threading.Event()

        def poll() -> None:  # as the server does for the program, in a thread that takes no part
            while not ended.wait(0.02):
                alice.read_volumes()

        thread = threading.Thread(target=poll)
        thread.start()
        try:
            with (
                cloud.sleeping(patience=0.2),
                pytest.raises(EndlessPollingError, match=r"another program.*timing='reads'"),
            ):
                subprocess.run([sys.executable, "-S", "-c", "import time; time.sleep(60)"], check=True, **options)
        finally:
            ended.set()
            thread.join()

    @pytest.mark.parametrize("every", [1, 10])
    def test_is_found_however_long_its_waits_are(self, cloud: Cloud, alice: Account, every: int) -> None:
        """A program whose waits are longer than the limit polls for longer until it is found."""
        alice.create_volume(subregion_name="eu-west-2a", size=1)
        assert self.look(cloud, lambda number: alice.read_volumes() if number % every == 0 else None)

    @pytest.mark.parametrize("case", ["changes", "other requests", "nothing due", "ended", "work in the test"])
    def test_is_no_other_row_of_calls(
        self, cloud: Cloud, alice: Account, monkeypatch: pytest.MonkeyPatch, case: str
    ) -> None:
        """Calls that change something, differ or have ended, and those of a working test, are not an endless loop."""
        alice.create_volume(subregion_name="eu-west-2a", size=1)
        if case == "nothing due":
            cloud.settle()
        elif case == "work in the test":
            monkeypatch.setattr(outside, "process_time", itertools.count().__next__)

        def act(number: int) -> None:
            if case == "changes":
                alice.create_volume(subregion_name="eu-west-2a", size=1)
            if case == "other requests":
                alice.read_volumes(filters={"volume_sizes": [number]})
            elif case != "ended" or number < 3:
                alice.read_volumes()
                alice.read_volumes()

        assert not self.look(cloud, act)

    def look(self, cloud: Cloud, act: Callable[[int], object]) -> bool:
        """Whether one of 60 looks, a second apart, finds a loop with a limit of five seconds."""
        loop = outside.OutsideLoop(CloudTime(cloud, {}), patience=5.0)
        for number in range(60):
            act(number)
            if loop.find(1.0) is not None:
                return True
        return False


class Napping:
    """A class that keeps the function of its sleeps."""

    nap = staticmethod(time.sleep)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what a thread waits for")
class TestSleepThatIsNotFollowed:
    @pytest.mark.parametrize(
        "nap",
        [partial(time.sleep, 60), lambda: KEPT["nap"](60), lambda: Napping.nap(60)],
        ids=["partial", "dict", "class"],
    )
    def test_raises_wherever_its_function_was_kept(
        self, cloud: Cloud, monkeypatch: pytest.MonkeyPatch, nap: Callable[[], None]
    ) -> None:
        """A sleep by a function that was taken before the context raises, whatever its name is."""
        monkeypatch.setattr(watch, "MAX_SLEEP", 0.02)
        monkeypatch.setattr(real_sleeps, "MAX_SLEEP", 60)  # Python 3.13 announces the sleep, which is cut short
        with cloud.sleeping(), pytest.raises(RuntimeError, match=r"nap\(.*: this sleep takes real time"):
            nap()

    def test_is_not_confused_with_other_waits(self, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
        """A read from a pipe is not taken for a sleep, even if its line of code has one."""
        monkeypatch.setattr(watch, "MAX_SLEEP", 0.02)
        monkeypatch.setattr(watch, "MIN_REAL", 0.1)
        reader, writer = os.pipe()
        with cloud.sleeping(), os.fdopen(reader, "rb", 0) as source, os.fdopen(writer, "wb", 0) as target:
            threading.Timer(0.1, target.write, (b"x",)).start()
            assert [source.read(1), time.sleep(0)][0] == b"x"  # type: ignore[func-returns-value]


class TestThreadThatIsBeingStarted:
    """A thread that the system has not begun to run, as on a busy machine."""

    @pytest.mark.parametrize(("deadline", "ending"), [(10.0, "time"), (None, "ready")])
    def test_lets_nothing_end_the_waits_of_others(self, cloud: Cloud, deadline: float | None, ending: str) -> None:
        """While a thread is being started, time stands still and no deadlock is reported."""
        kernel = Kernel(cloud, {})
        kernel.owner = kernel.add()
        starting = kernel.add()
        starting.thread = threading.Thread()
        wait = kernel.owner.wait = Wait(deadline)
        wait.member = kernel.owner
        looks = watch.Watch(kernel, patience=0.01)

        def look() -> str:
            for _ in range(2 * watch.LOCKED_LOOKS):
                looks.look(0.002)
            return wait.outcome

        assert look() == ""
        kernel.remove(starting)
        assert look() == ending
        assert (wait.error is None) is (ending == "time")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells where a thread waits")
class TestThreadThatIsBlocked:
    def test_leaves_its_turn_to_others(self, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
        """Beside a thread that waits where the kernel cannot see it, others go on long before a real second is over."""
        reader, writer = os.pipe()
        event = threading.Event()

        def write() -> None:
            event.wait()
            os.write(writer, b"x")

        def act() -> None:
            threading.Thread(target=write).start()
            threading.Thread(target=event.set).start()
            assert os.read(reader, 1) == b"x"

        monkeypatch.setattr(watch, "MIN_REAL", 60)
        monkeypatch.setattr(watch, "STALLED_LOOKS", 30_000)
        assert measure(cloud, act) == 0
        os.close(reader)
        os.close(writer)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells whether a thread runs")
class TestThreadThatRunsAtALineWithALock:
    def test_is_not_taken_for_one_that_waits(self, cloud: Cloud) -> None:
        """A line that may wait for a lock, and works for long or does not get a processor, lets no time pass."""
        items: queue.Queue[bytes] = queue.Queue()
        times: list[float] = []

        def digest() -> None:
            items.put(hashlib.pbkdf2_hmac("sha256", b"", b"", 300_000))
            times.append((cloud.now - before).total_seconds())

        with cloud.sleeping():
            before = cloud.now
            thread = threading.Thread(target=digest)
            thread.start()
            time.sleep(10)
            thread.join()
        assert times == [0]

    @pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what a thread waits for")
    def test_is_not_taken_for_one_that_waits_where_it_reads(self, cloud: Cloud) -> None:
        """A line that reads from a pipe, and puts what it reads into a queue, lets no time pass while it reads."""
        lines: queue.Queue[bytes] = queue.Queue()
        times: list[float] = []
        reader, writer = os.pipe()
        with os.fdopen(reader, "rb") as source, os.fdopen(writer, "wb", 0) as target:
            end = threading.Timer(0.1, target.close)

            def forward() -> None:
                lines.put(source.read())
                times.append((cloud.now - before).total_seconds())

            end.start()
            with cloud.sleeping():
                before = cloud.now
                thread = threading.Thread(target=forward)
                thread.start()
                time.sleep(10)
                thread.join()
        assert times == [0]


class TestRealTime:
    def test_passes_beside_work_that_goes_on(self, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
        """A thread that only looks whether another is done does not hold it up for longer than in reality."""
        monkeypatch.setattr(watch, "MIN_REAL", 0.05)
        before = cloud.now
        with cloud.sleeping():
            thread = threading.Thread(target=time.sleep, args=(0.05,))
            thread.start()
            while thread.is_alive():
                pass
        assert (cloud.now - before).total_seconds() == 0.05

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
    def test_is_the_time_of_a_forked_child(self, cloud: Cloud) -> None:
        """A forked child has no virtual time: it waits really, and does not hang."""
        with cloud.sleeping():
            threading.Thread(target=time.sleep, args=(10,)).start()
            with warnings.catch_warnings(action="ignore", category=DeprecationWarning):  # from Python 3.12
                child = os.fork()
            if child == 0:
                time.sleep(0.001)
                os._exit(0 if not threading.Event().wait(0.001) else 1)
            assert os.waitpid(child, 0)[1] == 0


class TestFrames:
    def test_are_not_kept_by_a_look(self) -> None:
        """What a function has in its variables is gone with it, also if it looked at the frames of all threads."""

        def look() -> weakref.ref[threading.Event]:
            variable = threading.Event()
            frames = current_frames()
            assert threading.get_ident() not in frames
            return weakref.ref(variable)

        gc.disable()
        try:
            assert look()() is None
        finally:
            gc.enable()
