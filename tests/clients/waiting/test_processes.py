"""Child processes under virtual time: it stands still while one of them works for the test."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import connection
from multiprocessing.pool import ApplyResult, IMapIterator, MapResult, Pool, ThreadPool
from types import SimpleNamespace
from typing import Any

import pytest
from support.waiting import measure, work

from omisim import Cloud
from omisim.clients.waiting import loops

AN_HOUR = 3600


@pytest.fixture(name="pool", scope="module")
def _pool() -> Any:
    """A pool of threads that is older than any context: it stands for one of processes, which starts slowly."""
    with ThreadPool(1) as pool:
        yield pool


class TestChildProcess:
    @pytest.mark.parametrize("way", ["poll", "waitpid"])
    def test_lets_time_stand_still(self, cloud: Cloud, way: str) -> None:
        """While a child that the code asks about runs, sleeping takes as long as the child."""
        if way == "waitpid" and not hasattr(os, "waitid"):
            pytest.skip("needs waitid")

        def is_alive(child: subprocess.Popen[bytes]) -> bool:
            return child.poll() is None if way == "poll" else os.waitpid(child.pid, os.WNOHANG) == (0, 0)

        def run() -> None:
            with subprocess.Popen([sys.executable, "-S", "-c", "pass"]) as child:
                while is_alive(child):
                    time.sleep(AN_HOUR)

        assert measure(cloud, run) <= AN_HOUR

    def test_that_is_waited_for_takes_real_time(self, cloud: Cloud) -> None:
        """`subprocess.run` with a time limit waits really, and time stands still for other threads."""

        def run() -> None:
            thread = threading.Thread(target=time.sleep, args=(10,))
            thread.start()
            before = cloud.now
            subprocess.run([sys.executable, "-S", "-c", "pass"], timeout=60, check=True)
            assert cloud.now == before
            thread.join()

        assert measure(cloud, run) == 10


class TestJob:
    def test_in_an_executor_lets_time_stand_still(self, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
        """While a job in another process runs, a time limit does not pass."""
        job: Future[str] = Future()
        monkeypatch.setattr(ProcessPoolExecutor, "submit", lambda *_: job)  # no test needs a real process for it
        begun = threading.Event()  # by a thread that takes no part

        def finish() -> None:
            begun.wait()
            job.set_result(work())

        threading.Thread(target=finish).start()

        def run() -> None:
            assert ProcessPoolExecutor.submit(None, work) is job  # type: ignore[arg-type]
            begun.set()
            assert job.result(timeout=10) == "done"

        assert measure(cloud, run) == 0

    @pytest.mark.parametrize(
        "act",
        [
            lambda pool: pool.apply_async(work).get(timeout=10),
            lambda pool: pool.map_async(work, [0.02, 0.02]).get(timeout=10)[-1],
            lambda pool: pool.imap(work, [0.02, 0.02]).next(timeout=10),
        ],
        ids=["apply_async", "map_async", "imap"],
    )
    def test_in_a_pool_lets_time_stand_still(self, cloud: Cloud, pool: Pool, act: Callable[[Pool], str]) -> None:
        """The time limits of the results of a pool of multiprocessing do not pass while it works."""
        assert measure(cloud, lambda: act(pool)) == 0

    def test_in_a_pool_lets_time_stand_still_until_its_result_is_there(self, cloud: Cloud) -> None:
        """The result of a map is removed from the jobs of its pool before it wakes the thread that waits for it."""

        class SlowCache(dict[int, Any]):
            def __delitem__(self, key: int) -> None:
                super().__delitem__(key)
                work()

        def finish() -> None:  # in a thread that takes no part
            begun.wait()
            vars(MapResult)["_set"](results[0], 0, (True, ["done"]))

        def run() -> None:
            results.append(MapResult(pool, 1, 1, None, None))
            begun.set()
            assert results[0].get(timeout=10) == ["done"]

        pool: Any = SimpleNamespace(_pool=[], _cache=SlowCache(), _state="RUN")
        begun, results = threading.Event(), list[Any]()
        threading.Thread(target=finish).start()
        assert measure(cloud, run) == 0

    @pytest.mark.parametrize("cls", [ApplyResult, IMapIterator])
    def test_in_a_pool_that_is_terminated_is_not_waited_for(self, cloud: Cloud, cls: Any) -> None:
        """A pool that is terminated gives no result, and its time limits pass."""
        pool = SimpleNamespace(_pool=[], _cache={}, _state="TERMINATE")
        arguments = (None, None) if cls is ApplyResult else ()

        def run() -> None:
            result = cls(pool, *arguments)
            with pytest.raises(multiprocessing.TimeoutError):
                (result.get if cls is ApplyResult else result.next)(timeout=10)

        assert measure(cloud, run) == 10


class TestConnection:
    def test_waits_for_a_child_that_runs(self, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
        """While a child of multiprocessing runs, a time limit does not pass; after it, it does."""
        children = [1]
        monkeypatch.setattr(loops, "has_children", lambda: bool(children))
        ours, theirs = multiprocessing.Pipe()
        begun = threading.Event()

        def answer() -> None:
            begun.wait()
            work()
            theirs.send("answer")
            children.clear()

        threading.Thread(target=answer).start()

        def run() -> None:
            begun.set()
            assert ours.poll(10)
            assert ours.recv() == "answer"
            assert not ours.poll(10)
            assert connection.wait([ours], 10) == []

        with ours, theirs:
            assert measure(cloud, run) == 20

    def test_reaches_a_child(self, cloud: Cloud) -> None:
        """A real child is found to run, and its answer arrives in no time of the cloud."""
        if "fork" not in multiprocessing.get_all_start_methods():
            pytest.skip("needs fork")
        context: Any = multiprocessing.get_context("fork")
        ours, theirs = context.Pipe()

        def run() -> None:
            child = context.Process(target=lambda: theirs.send(work()))
            child.start()
            assert ours.poll(60)
            assert ours.recv() == "done"
            child.join(60)
            assert not child.is_alive()

        with ours, theirs:
            assert measure(cloud, run) == 0
