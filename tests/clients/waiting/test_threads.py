"""Threads, executors and locks in a cloud's time: a wait in any thread moves the clock, and takes no real time."""

from __future__ import annotations

import queue
import sched
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed, wait
from contextlib import suppress
from multiprocessing.pool import ThreadPool
from typing import Any

import pytest
from _pytest import timing
from hypothesis import given, settings
from hypothesis import strategies as st
from support.catalogue import SUBREGION
from support.waiting import bake, measure, work

from omisim import Account, Cloud
from omisim.clients.waiting import threads

AN_HOUR = 3600
LOCK = threading.Lock()  # made before any context, as by a module under test
EXECUTOR = ThreadPoolExecutor(2)


def make_meeting(kind: str) -> tuple[Callable[[], object], Callable[[], object]]:
    """Return a function with which threads wait for another one, and the function with which it wakes them."""
    event, condition, lock, items = threading.Event(), threading.Condition(), threading.Lock(), queue.Queue[int]()

    def wait_for_condition() -> None:
        with condition:
            condition.wait()

    def notify() -> None:
        with condition:
            condition.notify_all()

    def pass_lock() -> None:
        with lock:
            pass

    def put() -> None:
        for number in range(8):
            items.put(number)

    lock.acquire()
    meetings: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
        "event": (event.wait, event.set),
        "condition": (wait_for_condition, notify),
        "lock": (pass_lock, lock.release),
        "queue": (items.get, put),
    }
    return meetings[kind]


class TestExecutor:
    def test_of_the_test_moves_the_clock(self, cloud: Cloud, alice: Account) -> None:
        """A polling loop in a ThreadPoolExecutor ends."""

        def run() -> None:
            with ThreadPoolExecutor() as pool:
                assert pool.submit(bake, alice).result(timeout=60).startswith("vol-")

        assert measure(cloud, run) == 10

    def test_of_a_module_works_in_every_test(self, cloud: Cloud, alice: Account) -> None:
        """An executor whose threads are older than the context takes part with its jobs, time after time."""
        for _ in range(3):
            assert measure(cloud, lambda: EXECUTOR.submit(bake, alice).result(timeout=60)) == 10

    def test_runs_more_jobs_than_it_has_threads(self, cloud: Cloud, alice: Account) -> None:
        """Jobs that wait for a thread do not hold up the time."""
        assert measure(cloud, lambda: list(EXECUTOR.map(bake, [alice] * 5))) == 30

    def test_repeats_itself_exactly(self) -> None:
        """Jobs begin in the order in which they were submitted, and wake in the order of their times."""
        clouds = [Cloud(timing="clock") for _ in range(5)]
        for cloud in clouds:
            alice = cloud.account("alice")
            with cloud.sleeping(), ThreadPoolExecutor(4) as pool:
                list(pool.map(bake, [alice] * 8))
        assert all(cloud == clouds[0] for cloud in clouds)

    def test_times_out(self, cloud: Cloud) -> None:
        """The time limits of futures are virtual."""

        def run() -> None:
            with ThreadPoolExecutor() as pool:
                nap = pool.submit(time.sleep, AN_HOUR)
                with pytest.raises(TimeoutError):
                    nap.result(timeout=10)
                with pytest.raises(TimeoutError):
                    list(as_completed([nap], timeout=10))
                assert wait([nap], timeout=10).not_done
                assert wait([nap]).done

        assert measure(cloud, run) == AN_HOUR

    def test_of_threads_of_multiprocessing_moves_the_clock(self, cloud: Cloud) -> None:
        """Multiprocessing's ThreadPool, where the test makes it, takes part."""

        def run() -> None:
            with ThreadPool(2) as pool:
                pool.map(time.sleep, [10, 20, 30])

        assert measure(cloud, run) == 40

    def test_is_left_without_jobs_that_have_not_begun(self, cloud: Cloud) -> None:
        """At the end of the context, sleeping jobs end and queued ones are cancelled, so that nothing is left over."""
        with cloud.sleeping():
            jobs = [EXECUTOR.submit(time.sleep, AN_HOUR) for _ in range(3)]
        assert all(job.cancelled() or isinstance(job.exception(timeout=60), SystemExit) for job in jobs)


class TestThreads:
    def test_wake_in_the_order_of_their_times(self, cloud: Cloud) -> None:
        """The earliest wakes first; at the same moment, the thread that was started first."""
        woken: list[tuple[str, int]] = []

        def nap(name: str, span: int) -> None:
            for _ in range(3):
                time.sleep(span)
                woken.append((name, cloud.now.second))

        with cloud.sleeping():
            threads = [threading.Thread(target=nap, args=row) for row in (("a", 3), ("b", 2), ("c", 6))]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert woken == [
            ("b", 2), ("a", 3), ("b", 4), ("a", 6), ("b", 6), ("c", 6), ("a", 9), ("c", 12), ("c", 18),
        ]  # fmt: skip

    @pytest.mark.parametrize("kind", ["event", "condition", "lock", "queue"])
    def test_take_turns_where_one_wakes_them(self, cloud: Cloud, kind: str) -> None:
        """Threads that can go on at the same moment do so in the order of their start, one until it waits."""
        order: list[int] = []

        def act() -> None:
            wait, wake = make_meeting(kind)

            def run(number: int) -> None:
                wait()
                order.append(number)

            threads = [threading.Thread(target=run, args=[number]) for number in range(8)]
            for thread in threads:
                thread.start()
            time.sleep(10)
            wake()
            for thread in threads:
                thread.join()

        for _ in range(3):
            measure(cloud, act)
        assert order == [*range(8)] * 3

    def test_are_joined_in_virtual_time(self, cloud: Cloud) -> None:
        """`join` with a time limit returns when it is over; without one, when the thread ends."""

        def run() -> None:
            thread = threading.Thread(target=time.sleep, args=(100,))
            thread.start()
            thread.join(10)
            assert thread.is_alive()
            thread.join()

        assert measure(cloud, run) == 100

    def test_of_a_timer_fire_at_its_time(self, cloud: Cloud) -> None:
        """`threading.Timer` counts virtual time."""

        def run() -> None:
            fired = threading.Event()
            threading.Timer(30, fired.set).start()
            assert fired.wait(60)

        assert measure(cloud, run) == 30

    def test_of_the_time_limit_of_a_test_stays_real(self, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
        """A timer of pytest-timeout, which ends the process, does not count the virtual time that the test waits."""
        monkeypatch.setattr(threads, "TIME_LIMITS", (__name__,))
        expired = []
        timer = threading.Timer(60, lambda: expired.append(cloud.now))
        with cloud.sleeping():
            timer.start()
            time.sleep(AN_HOUR)
            timer.cancel()
            timer.join()
        assert expired == []

    def test_that_work_let_time_stand_still(self, cloud: Cloud) -> None:
        """Time does not pass for a sleeping thread while another one works, or asks the cloud."""
        times: list[float] = []

        def run() -> None:
            work(0.1)
            times.append((cloud.now - before).total_seconds())

        with cloud.sleeping():
            before = cloud.now
            thread = threading.Thread(target=run)
            thread.start()
            time.sleep(10)
            times.append((cloud.now - before).total_seconds())
            thread.join()
        assert times == [0, 10]

    def test_that_outlive_the_context_end(self, cloud: Cloud) -> None:
        """A thread that still sleeps when the context ends does not go on, or wait for real."""
        reached: list[bool] = []

        def nap() -> None:
            time.sleep(AN_HOUR)
            reached.append(True)

        with cloud.sleeping():
            thread = threading.Thread(target=nap)
            thread.start()
        thread.join(60)
        assert not thread.is_alive()
        assert reached == []

    def test_of_two_contexts_move_their_own_clocks(self) -> None:
        """A thread moves the clock of the context in which it was started."""
        outer, inner = Cloud(), Cloud()
        before = outer.now
        with outer.sleeping():
            thread = threading.Thread(target=time.sleep, args=(20,))
            thread.start()
            with inner.sleeping():
                time.sleep(5)
            thread.join()
        assert ((outer.now - before).total_seconds(), (inner.now - before).total_seconds()) == (20, 5)


def acquire(lock: Any) -> bool:
    """Acquire a lock of another thread within ten seconds."""
    lock.acquire()
    results: list[bool] = []
    thread = threading.Thread(target=lambda: results.append(lock.acquire(timeout=10)))
    thread.start()
    thread.join()
    return results[0]


def put_into_full_queue() -> None:
    """Put a second item into a queue for one."""
    full: queue.Queue[int] = queue.Queue(1)
    full.put(1)
    full.put(2, timeout=10)


def wait_in_condition() -> bool:
    """Wait until a predicate is true, which it never is."""
    condition = threading.Condition()
    with condition:
        return condition.wait_for(lambda: False, 10)


def run_scheduler() -> None:
    """Run an event of `sched` in ten seconds."""
    scheduler = sched.scheduler()
    scheduler.enter(10, 1, lambda: None)
    scheduler.run()


SHARED: queue.Queue[int] = queue.Queue()


class TestInterruptibleWait:
    @pytest.mark.parametrize(
        "act",
        [
            lambda: threading.Event().wait(10),
            wait_in_condition,
            lambda: threading.Semaphore(0).acquire(timeout=10),
            lambda: threading.Barrier(2).wait(10),
            lambda: queue.Queue().get(timeout=10),
            lambda: SHARED.get(timeout=10),
            lambda: queue.SimpleQueue().get(timeout=10),
            put_into_full_queue,
            lambda: acquire(threading.Lock()),
            lambda: acquire(threading.RLock()),
            run_scheduler,
        ],
        ids=lambda act: getattr(act, "__name__", "").replace("<lambda>", "wait"),
    )
    def test_lasts_as_long_as_its_time_limit(self, cloud: Cloud, act: Callable[[], object]) -> None:
        """Every wait with a time limit of ten seconds moves the clock by ten seconds."""

        def run() -> None:
            with suppress(queue.Empty, queue.Full, threading.BrokenBarrierError):
                assert not act()

        assert measure(cloud, run) == 10

    def test_ends_when_it_is_notified(self, cloud: Cloud) -> None:
        """An event that another thread sets ends the wait at that moment."""

        def run() -> None:
            event = threading.Event()
            threading.Timer(3, event.set).start()
            assert event.wait(10)

        assert measure(cloud, run) == 3

    def test_for_a_lock_of_a_module_does_not_hold_up_its_holder(self, cloud: Cloud) -> None:
        """Threads that poll one after the other, under a lock that is older than the context, all come to an end."""

        def poll() -> None:
            with LOCK:
                time.sleep(10)

        def run() -> None:
            threads = [threading.Thread(target=poll) for _ in range(3)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

        assert measure(cloud, run) == 30

    def test_works_after_the_context(self, cloud: Cloud) -> None:
        """Locks and queues that were made inside are ordinary ones afterwards."""
        with cloud.sleeping():
            lock, items = threading.Lock(), queue.SimpleQueue[int]()
        assert lock.acquire()
        assert not lock.acquire(timeout=0.001)
        assert not lock.acquire(blocking=False)
        assert "locked" in repr(lock)
        lock.release()
        with lock, pytest.raises(queue.Empty):
            items.get(timeout=0.001)
        with pytest.raises(RuntimeError):
            lock.release()


class TestClocks:
    def test_leave_pytest_its_own(self, cloud: Cloud) -> None:
        """The durations that pytest shows are real, whatever a test waits for."""
        with cloud.sleeping(virtual_time=True):
            start = timing.perf_counter()
            time.sleep(10_000)
            assert timing.perf_counter() - start < 1000

    def test_leave_hypothesis_its_own(self, cloud: Cloud) -> None:
        """An example that waits in virtual time does not exceed the deadline of Hypothesis, which is a real one."""

        @settings(max_examples=1, deadline=600_000)  # milliseconds
        @given(seconds=st.just(AN_HOUR))
        def nap(seconds: float) -> None:
            time.sleep(seconds)

        assert measure(cloud, nap, virtual_time=True) == AN_HOUR

    def test_follow_where_they_are_asked_to(self, cloud: Cloud) -> None:
        """With virtual_time, the clocks of `time` move with the cloud's clock, in every thread."""
        spans: list[float] = []

        def nap() -> None:
            start = time.time(), time.monotonic(), time.perf_counter(), time.time_ns() / 1e9
            time.sleep(60)
            end = time.time(), time.monotonic(), time.perf_counter(), time.time_ns() / 1e9
            spans.extend(after - before for before, after in zip(start, end, strict=True))

        with cloud.sleeping(virtual_time=True):
            nap()
            thread = threading.Thread(target=nap)
            thread.start()
            thread.join()
        assert [round(span) for span in spans] == [60, 60, 60, 60] * 2

    def test_end_a_loop_at_its_deadline(self, cloud: Cloud, alice: Account) -> None:
        """Code that gives up by time.monotonic() does so."""
        cloud.durations["volume.creating"] = AN_HOUR
        alice.create_volume(subregion_name=SUBREGION, size=1)
        with cloud.sleeping(virtual_time=True):
            deadline = time.monotonic() + 600
            while alice.read_volumes()[0].state != "available" and time.monotonic() < deadline:
                time.sleep(10)
        assert len(cloud.calls("ReadVolumes")) == 61

    def test_stay_real_without_it(self, cloud: Cloud) -> None:
        """By default, the clocks of `time` do not move."""
        with cloud.sleeping():
            start = time.monotonic()
            time.sleep(AN_HOUR)
            assert time.monotonic() - start < 60
