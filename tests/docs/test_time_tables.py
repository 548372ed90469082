"""The tables of docs/howto/time.md: every cell is measured."""

from __future__ import annotations

import asyncio
import json
import queue
import select
import selectors
import socket
import subprocess
import sys
import threading
import time
from asyncio import proactor_events
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor, as_completed, wait
from contextlib import suppress
from textwrap import dedent
from time import sleep as nap
from typing import Any
from unittest import mock

import anyio
import pytest
import trio
from support.pages import ROOT

from omisim import Cloud

PAGE = ROOT / "docs" / "howto" / "time.md"
SHORT = 0.001  # seconds of a wait that is real
OLD_LOCK = threading.Lock()
OLD_LOCK.acquire()
EARLY, SLEPT = threading.Event(), threading.Event()
PYTHON = (sys.executable, "-S", "-c")


def read_table(first: str) -> dict[str, list[str]]:
    """Return the table whose first header cell is `first`: the cells of each row by the row's first one."""
    lines = iter(PAGE.read_text("utf-8").splitlines())
    rows: dict[str, list[str]] = {}
    for line in lines:
        if line.startswith(f"| {first} |"):
            rows["header"] = [cell.strip() for cell in line.strip("|").split(" | ")[1:]]
            next(lines)
            for row in lines:
                if not row.startswith("|"):
                    return rows
                name, *cells = [cell.strip() for cell in row.strip("|").split(" | ")]
                rows[name] = cells
    return rows


def hold(lock: Any) -> Any:
    """Return a lock that is held."""
    lock.acquire()
    return lock


def wait_in(condition: threading.Condition) -> None:
    """Wait for a condition."""
    with condition:
        condition.wait(10)


def start(thread: threading.Thread) -> threading.Thread:
    """Start a thread."""
    thread.start()
    return thread


def use_pool(act: Callable[[ThreadPoolExecutor], object]) -> None:
    """Use an executor whose job sleeps for ten seconds."""
    with ThreadPoolExecutor() as pool:
        act(pool)


def be_early() -> None:
    """Sleep in a thread that was started before the context."""
    EARLY.wait()
    time.sleep(SHORT)
    SLEPT.set()


def sleep_by_default(seconds: float, sleep: Callable[[float], None] = time.sleep) -> None:
    """Sleep by a default argument."""
    sleep(seconds)


async def expire() -> None:
    """Run into a time limit."""
    async with asyncio.timeout(10):
        await asyncio.Event().wait()


async def call_later() -> None:
    """Wait for a callback."""
    fired = asyncio.Event()
    asyncio.get_running_loop().call_later(10, fired.set)
    await fired.wait()


def receive() -> None:
    """Wait for a socket on which nothing arrives."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(SHORT)
        ours.recv(1)


class ProactorLoop(asyncio.SelectorEventLoop):
    """Stands for the loop that Windows has by default, which other platforms cannot run."""


def refuse(make_loop: Callable[[], Any], wait: Coroutine[Any, Any, object]) -> None:
    """Run a coroutine on a loop on which its waits are refused."""
    with (
        mock.patch.object(proactor_events, "BaseProactorEventLoop", ProactorLoop),
        asyncio.Runner(loop_factory=make_loop) as runner,
        pytest.raises(RuntimeError, match=r"(uvloop|Proactor)\S*Loop: its waits .*SelectorEventLoop"),
    ):
        runner.run(wait)


def make_uvloop() -> Any:
    """Return a loop of uvloop, where it exists."""
    return pytest.importorskip("uvloop").new_event_loop()


def fill() -> None:
    """Put an item into a full queue."""
    items: queue.Queue[int] = queue.Queue(1)
    items.put(1)
    items.put(2, timeout=10)


WAITS: dict[str, list[Callable[[], object]]] = {
    "`time.sleep`, also by `from time import sleep as nap`": [lambda: time.sleep(10), lambda: nap(10)],
    "`Event.wait`, `Condition.wait`, `Semaphore.acquire`, `Barrier.wait` with a time limit": [
        lambda: threading.Event().wait(10),
        lambda: wait_in(threading.Condition()),
        lambda: threading.Semaphore(0).acquire(timeout=10),
        lambda: threading.Barrier(2).wait(10),
    ],
    "`Thread.join(timeout)`, `threading.Timer`": [
        lambda: start(threading.Thread(target=time.sleep, args=(3600,))).join(10),
        lambda: start(threading.Timer(10, print)).join(),
    ],
    "`Queue.get(timeout=…)`, `Queue.put(timeout=…)`": [lambda: queue.Queue().get(timeout=10), fill],
    "`ThreadPoolExecutor`: its jobs, `result(timeout)`, `wait`, `as_completed`": [
        lambda: use_pool(lambda pool: pool.submit(time.sleep, 10).result(60)),
        lambda: use_pool(lambda pool: wait([pool.submit(time.sleep, 10)], 60)),
        lambda: use_pool(lambda pool: list(as_completed([pool.submit(time.sleep, 10)], 60))),
    ],
    "`Lock.acquire(timeout=…)` of a lock that is made inside": [lambda: hold(threading.Lock()).acquire(timeout=10)],
    "`select.select` and `selectors` with a time limit": [
        lambda: select.select([], [], [], 10),
        lambda: selectors.DefaultSelector().select(10),
    ],
    "`asyncio.sleep`, `asyncio.timeout`, `loop.call_later`, `asyncio.to_thread`": [
        lambda: asyncio.run(asyncio.sleep(10)),
        lambda: asyncio.run(expire()),
        lambda: asyncio.run(call_later()),
        lambda: asyncio.run(asyncio.to_thread(time.sleep, 10)),
    ],
    "anyio, on asyncio and on trio": [
        lambda: anyio.run(anyio.sleep, 10),
        lambda: anyio.run(anyio.sleep, 10, backend="trio"),
    ],
    "`trio.sleep`, where trio is imported before the context": [lambda: trio.run(trio.sleep, 10)],
    "a sleep in a thread that was started before the context": [lambda: (EARLY.set(), SLEPT.wait())],  # type: ignore[func-returns-value]
    "`time.sleep` as a default argument of a function": [lambda: sleep_by_default(SHORT)],
    "`Lock.acquire(timeout=…)` of a lock that is older than the context": [lambda: OLD_LOCK.acquire(timeout=SHORT)],
    "`select.poll`, a blocking socket with a time limit": [lambda: select.poll().poll(1), receive],
    "`subprocess.run(timeout=…)`, `Popen.wait(timeout)`": [
        lambda: subprocess.run([*PYTHON, ""], timeout=60, check=True),
    ],
    "a wait in another process": [lambda: subprocess.run([*PYTHON, f"import time; time.sleep({SHORT})"], check=True)],
    "`asyncio.sleep` and time limits on uvloop, or on the Proactor loop of Windows": [
        lambda: refuse(make_uvloop, asyncio.sleep(10)),
        lambda: refuse(make_uvloop, expire()),
        lambda: refuse(ProactorLoop, asyncio.sleep(10)),
        lambda: refuse(ProactorLoop, expire()),
    ],
}


class TestWaits:
    def test_are_those_that_are_measured(self) -> None:
        """The table has exactly the rows of this test."""
        assert list(read_table("wait"))[1:] == list(WAITS)

    @pytest.mark.parametrize(
        ("row", "act"),
        [
            pytest.param(row, act, id=f"row{number}-{index}")
            for number, (row, acts) in enumerate(WAITS.items())
            for index, act in enumerate(acts)
        ],
    )
    def test_move_the_clock_as_the_table_says(self, slow: Cloud, row: str, act: Callable[[], object]) -> None:
        """A wait of ten seconds moves the clock by ten seconds where the table says so, else not at all."""
        if "started before" in row:
            threading.Thread(target=be_early).start()
        before = slow.now
        with slow.sleeping(), suppress(TimeoutError, queue.Empty, queue.Full, threading.BrokenBarrierError):
            act()
        (cell,) = read_table("wait")[row]
        moved = round((slow.now - before).total_seconds(), 3)
        assert moved == {"yes": 10, "no, it waits": 0, "no, it raises": 0}[cell]


MEASURE = """
    import asyncio, datetime, json, time
    from contextlib import nullcontext
    from omisim import Cloud

    cloud = Cloud(timing="clock")

    def read():
        times = [cloud.now.timestamp(), time.time(), time.monotonic(), time.perf_counter()]
        return [*times, datetime.datetime.now().timestamp()]

    def freeze():
        {freeze}

    with freeze(), cloud.sleeping({options}):
        before = read()
        time.sleep(60)
        spans = [after - start for after, start in zip(read(), before)]

        async def sleep():
            loop = asyncio.get_running_loop()
            start = loop.time()
            await asyncio.sleep(60)
            return loop.time() - start

        spans.append(asyncio.run(sleep()))
    print(json.dumps(spans))
"""
CONTEXTS = {
    "`omi_sleep`": ("return nullcontext()", ""),
    "`omi_sleep` with `virtual_time`": ("return nullcontext()", "virtual_time=True"),
    "with freezegun": ("import freezegun; return freezegun.freeze_time('2030-01-01')", ""),
    "with time-machine": ("import time_machine; return time_machine.travel('2030-01-01')", ""),
}


class TestClocks:
    def test_are_those_that_are_measured(self) -> None:
        """The table has exactly the contexts of this test."""
        assert list(read_table("context"))[1:] == list(CONTEXTS)

    @pytest.mark.parametrize("context", CONTEXTS)
    def test_move_as_the_table_says(self, context: str) -> None:
        """A wait of a minute moves a clock by a minute where the table says so; each context in its own process."""
        freeze, options = CONTEXTS[context]
        code = dedent(MEASURE).format(freeze=freeze, options=options)
        run = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
        assert run.stderr == ""
        answers = ["yes" if 59 < span < 61 else "no" for span in json.loads(run.stdout)]
        assert dict(zip(read_table("context")["header"], answers, strict=True)) == dict(
            zip(read_table("context")["header"], read_table("context")[context], strict=True)
        )
