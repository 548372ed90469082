"""Event loops and real input in a cloud's time."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from subprocess import PIPE
from textwrap import dedent
from typing import Any

import anyio
import pytest
import trio
import trio.testing
from freezegun import freeze_time
from support.waiting import bake, measure, work

from omisim import Account, Cloud
from omisim.clients.waiting import watch
from omisim.clients.waiting.kernel import Kernel

AN_HOUR = 3600
LOOP = asyncio.new_event_loop()  # of a thread that is older than any context, as of a module under test


@pytest.fixture(scope="module", autouse=True)
def _loop() -> Iterator[None]:
    """The thread of the module's loop."""
    thread = threading.Thread(target=LOOP.run_forever)
    thread.start()
    yield
    LOOP.call_soon_threadsafe(LOOP.stop)
    thread.join()
    LOOP.close()


def run(main: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine in a loop, and close what it leaves."""
    return asyncio.run(main)


class TestAsyncio:
    def test_runs_a_polling_loop_in_a_thread(self, cloud: Cloud, alice: Account) -> None:
        """`asyncio.to_thread` moves the clock."""
        assert measure(cloud, lambda: run(asyncio.to_thread(bake, alice))) == 10

    def test_wakes_threads_and_tasks_in_the_order_of_their_times(self, cloud: Cloud) -> None:
        """Threads of an executor and tasks of a loop share one time."""
        woken: list[tuple[str, int]] = []

        async def nap(span: int) -> None:
            await asyncio.sleep(span)
            woken.append(("task", cloud.now.second))

        def thread_nap(span: int) -> None:
            time.sleep(span)
            woken.append(("thread", cloud.now.second))

        async def main() -> None:
            await asyncio.gather(nap(20), asyncio.to_thread(thread_nap, 10), nap(5), asyncio.to_thread(thread_nap, 30))

        assert measure(cloud, lambda: run(main())) == 30
        assert woken == [("task", 5), ("thread", 10), ("task", 20), ("thread", 30)]

    def test_times_out(self, cloud: Cloud) -> None:
        """`asyncio.timeout`, `wait_for` and `call_later` count virtual time, in order."""
        fired: list[int] = []

        async def main() -> None:
            loop = asyncio.get_running_loop()
            loop.call_later(50, fired.append, 50)
            loop.call_later(20, fired.append, 20)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(30):
                    await asyncio.sleep(100)
            fired.append(30)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(asyncio.Event().wait(), 30)

        assert measure(cloud, lambda: run(main())) == 60
        assert fired == [20, 30, 50]

    def test_of_a_thread_that_runs_already_takes_part(self, cloud: Cloud) -> None:
        """A loop in a thread of a module takes part from the first coroutine that a test gives it; in every test."""
        for _ in range(3):
            nap = asyncio.sleep(30, "done")
            assert (
                measure(cloud, partial(lambda nap: asyncio.run_coroutine_threadsafe(nap, LOOP).result(60), nap)) == 30
            )

    def test_that_outlive_a_context_count_on_from_its_time(self, cloud: Cloud) -> None:
        """A task that still sleeps when a context ends, as that of a fixture of a module, need not sleep for longer."""
        loop, naps = asyncio.new_event_loop(), []

        async def wait() -> None:
            await asyncio.sleep(AN_HOUR)
            naps.append(asyncio.create_task(asyncio.sleep(0.01, "done")))
            await asyncio.sleep(0)

        with closing(loop):
            for _ in range(2):
                assert measure(cloud, lambda: loop.run_until_complete(wait())) == AN_HOUR
            assert loop.run_until_complete(asyncio.wait_for(asyncio.gather(*naps), 60)) == ["done", "done"]

    def test_waits_for_a_child_process(self, cloud: Cloud) -> None:
        """While a child runs, a time limit does not pass."""

        async def main() -> None:
            command = (sys.executable, "-S", "-c", "print(1)")
            child = await asyncio.create_subprocess_exec(*command, stdout=PIPE)
            async with asyncio.timeout(5):
                assert (await child.communicate())[0] == b"1\n"

        assert measure(cloud, lambda: run(main())) == 0

    def test_that_freezegun_made_real_are_restored(self, cloud: Cloud) -> None:
        """After the context, no class of event loops holds a function of omisim that freezegun has restored."""
        with cloud.sleeping(), freeze_time("2030-01-01", real_asyncio=True):
            pass
        assert not vars(asyncio.SelectorEventLoop).get("time", time.sleep).__module__.startswith("omisim")

    def test_stays_real_where_freezegun_says_so(self, cloud: Cloud) -> None:
        """With freezegun's `real_asyncio`, loops wait really."""

        def act() -> None:
            with freeze_time("2030-01-01", real_asyncio=True):
                run(asyncio.sleep(0.01))

        assert measure(cloud, act) == 0

    def test_raises_an_error_in_an_endless_polling_loop(self, cloud: Cloud, alice: Account) -> None:
        """A polling task that can never finish ends the loop with an error."""

        async def main() -> None:
            while not alice.read_volumes():  # noqa: ASYNC110 - the code under test polls
                await asyncio.sleep(10)

        with pytest.raises(RuntimeError, match="never finish"):
            measure(cloud, lambda: run(main()))


async def in_task_group() -> None:
    """Sleep in a task and in a thread of anyio, and run into a time limit."""
    async with anyio.create_task_group() as group:
        group.start_soon(anyio.sleep, 10)
        group.start_soon(anyio.to_thread.run_sync, time.sleep, 30)
    with anyio.move_on_after(5) as scope:
        await anyio.sleep(10)
    assert scope.cancelled_caught


class TestAnyioAndTrio:
    @pytest.mark.parametrize("backend", ["asyncio", "trio"])
    def test_tasks_threads_and_time_limits_move_the_clock(self, cloud: Cloud, backend: str) -> None:
        """Anyio works on both of its backends."""
        assert measure(cloud, lambda: anyio.run(in_task_group, backend=backend)) == 35

    def test_trio_uses_no_thread_of_an_earlier_context(self) -> None:
        """Trio keeps idle threads for ten seconds; the next context does not get one of an earlier context."""
        for _ in range(2):
            assert measure(Cloud(timing="clock"), lambda: trio.run(trio.to_thread.run_sync, time.sleep, 30)) == 30

    def test_trio_shares_the_time_of_threads(self, cloud: Cloud) -> None:
        """Trio's run loop wakes in order with threads."""
        woken: list[str] = []

        def nap(span: int) -> None:
            time.sleep(span)
            woken.append("thread")

        async def main() -> None:
            await trio.sleep(20)
            woken.append("trio")

        def act() -> None:
            threads = [threading.Thread(target=nap, args=(span,)) for span in (10, 30)]
            for thread in threads:
                thread.start()
            trio.run(main)
            for thread in threads:
                thread.join()

        assert measure(cloud, act) == 30
        assert woken == ["thread", "trio", "thread"]

    def test_trio_with_a_clock_of_its_own_is_left_alone(self, cloud: Cloud) -> None:
        """Trio's MockClock moves its own time only."""
        clock = trio.testing.MockClock(autojump_threshold=0)
        assert measure(cloud, lambda: trio.run(trio.sleep, 60, clock=clock)) == 0


LATE = """
    from omisim import Cloud

    cloud = Cloud()
    before = cloud.now
    with cloud.sleeping():
        import trio, uvloop
        trio.run(trio.sleep, 10)
        loop = uvloop.new_event_loop()
        try:
            loop.call_later(10, print)
        except RuntimeError as error:
            assert "uvloop" in str(error), error
        loop.close()
    assert round((cloud.now - before).total_seconds()) == 10
"""


class TestLoopThatIsImportedLate:
    def test_is_followed_or_refused(self) -> None:
        """A library that is imported inside the context is treated as if it had been imported before."""
        pytest.importorskip("uvloop")
        run = subprocess.run([sys.executable, "-c", dedent(LATE)], capture_output=True, text=True, check=False)
        assert (run.stderr, run.returncode) == ("", 0)


class TestUvloop:
    def test_waits_for_a_job_that_sleeps(self, cloud: Cloud) -> None:
        """A loop that cannot be followed itself waits for a job of an executor in virtual time."""
        uvloop = pytest.importorskip("uvloop")

        async def main(loop: Any) -> None:
            await loop.run_in_executor(None, time.sleep, AN_HOUR)

        def act() -> None:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(main(runner.get_loop()))

        assert measure(cloud, act) == AN_HOUR

    def test_may_call_at_once(self, cloud: Cloud) -> None:
        """A callback without a delay is not a wait."""
        loop = pytest.importorskip("uvloop").new_event_loop()
        with cloud.sleeping():
            loop.call_later(0, loop.stop)
            loop.run_forever()
        loop.call_later(0.001, loop.stop)
        loop.run_forever()
        loop.close()


def answer_slowly(listener: socket.socket) -> None:
    """Answer one request after a while, in two parts."""
    connection, _ = listener.accept()
    with connection:
        connection.recv(100)
        work()
        connection.send(b"first\n")
        connection.send(b"second\n")


class TestOutstandingInput:
    def test_lets_time_stand_still(self, cloud: Cloud) -> None:
        """While a server outside the cloud answers, a time limit does not pass; on a connection at rest it does."""

        async def main(port: int) -> None:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"ask")
            async with asyncio.timeout(5):
                assert await reader.readline() == b"first\n"
                assert await reader.readline() == b"second\n"
            before = cloud.now
            await asyncio.sleep(60)
            assert (cloud.now - before).total_seconds() == 60
            writer.close()
            await writer.wait_closed()

        with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor() as pool:
            pool.submit(answer_slowly, listener)
            assert measure(cloud, lambda: run(main(listener.getsockname()[1]))) == 60

    @pytest.mark.parametrize("served_by", ["a thread", "the loop"])
    def test_excludes_answers_of_the_test_itself(
        self, cloud: Cloud, monkeypatch: pytest.MonkeyPatch, served_by: str
    ) -> None:
        """The wait of a server of the test moves the clock: time needs no push by the watch, which takes real time."""

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readline()
            await asyncio.sleep(20)
            writer.write(b"answer\n")
            writer.close()

        def serve(listener: socket.socket) -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(100)
                time.sleep(20)
                connection.send(b"answer\n")

        async def main() -> None:
            with socket.create_server(("127.0.0.1", 0)) as listener:
                if served_by == "the loop":
                    await asyncio.start_server(answer, sock=listener)
                else:
                    threading.Thread(target=serve, args=[listener]).start()
                reader, writer = await asyncio.open_connection(*listener.getsockname())
                writer.write(b"ask\n")
                assert await reader.readline() == b"answer\n"
                writer.close()
                await writer.wait_closed()

        def note_push(kernel: Kernel, *, jump: bool = False) -> None:
            pushes.append(jump)
            settle(kernel, jump=jump)

        pushes: list[bool] = []
        settle = Kernel.settle
        monkeypatch.setattr(watch, "MIN_REAL", 20)
        monkeypatch.setattr(Kernel, "settle", note_push)
        assert measure(cloud, lambda: run(main())) == 20
        assert not any(pushes)

    def test_includes_requests_to_the_clouds_own_server(self, cloud: Cloud, alice: Account) -> None:
        """A client of `cloud.serve()` with a time limit gets its answer, and its sleeps move the clock."""

        async def main(url: str) -> None:
            port = int(url.rpartition(":")[2])
            for _ in range(2):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(b"GET /api/v1/ReadRegions HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                async with asyncio.timeout(5):
                    assert (await reader.read()).startswith(b"HTTP/1.1 ")
                writer.close()
                await writer.wait_closed()
                await asyncio.sleep(60)

        with cloud.serve() as running:
            assert measure(cloud, lambda: run(main(running.url))) == 120
