"""The tables of docs/howto/time.md: every cell is measured."""

from __future__ import annotations

import _thread
import asyncio
import json
import multiprocessing
import os
import queue
import select
import selectors
import signal
import socket
import socketserver
import ssl
import subprocess
import sys
import threading
import time
from asyncio import proactor_events
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor, as_completed, wait
from contextlib import suppress
from functools import partial
from multiprocessing import connection
from textwrap import dedent
from time import sleep as nap
from typing import Any
from unittest import mock

import anyio
import pytest
import trio
from support import real_sleeps
from support.pages import ROOT

from omisim import Cloud
from omisim.clients.waiting import watch

PAGE = ROOT / "docs" / "howto" / "time.md"
SHORT = 0.001  # seconds of a wait that is real
OLD_LOCK = threading.Lock()
OLD_LOCK.acquire()
OLD_QUEUE: queue.SimpleQueue[int] = queue.SimpleQueue()
KEPT = {"nap": time.sleep}
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


def sleep_in_a_bare_thread() -> None:
    """Wait for a thread that is not one of threading."""
    slept = threading.Event()

    def sleep() -> None:
        time.sleep(SHORT)
        slept.set()

    _thread.start_new_thread(sleep, ())
    slept.wait()


def sleep_by_default(seconds: float, sleep: Callable[[float], None] = time.sleep) -> None:
    """Sleep by a default argument."""
    sleep(seconds)


async def expire() -> None:
    """Run into a time limit."""
    async with asyncio.timeout(10):
        await asyncio.Event().wait()


async def move_on() -> None:
    """Run into a time limit of trio."""
    with trio.move_on_after(10):
        await trio.sleep_forever()


async def call_later() -> None:
    """Wait for a callback."""
    fired = asyncio.Event()
    asyncio.get_running_loop().call_later(10, fired.set)
    await fired.wait()


def receive(wait: Callable[[socket.socket], object]) -> None:
    """Wait for a socket on which nothing arrives."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(10)
        wait(ours)


def accept() -> None:
    """Wait for a client that does not come."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(10)
        listener.accept()


class SlowHandler(socketserver.BaseRequestHandler):
    """A handler that sleeps before it answers."""

    def handle(self) -> None:
        """Sleep, then answer."""
        time.sleep(SHORT)
        self.request.sendall(b"x")


def use_slow_server() -> None:
    """Ask a server of the same process."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), SlowHandler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,)).start()
        with socket.create_connection(server.socket.getsockname()) as client:
            client.recv(1)
        server.shutdown()


def shake_hands(ours: socket.socket) -> None:
    """Wait for an answer over TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    with context.wrap_socket(ours, do_handshake_on_connect=False) as secured:
        secured.settimeout(SHORT)
        secured.do_handshake()


def ring(set_alarm: Callable[[], object]) -> None:
    """Wait longer than an alarm, whose handler raises."""

    def time_out(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, time_out)
    try:
        set_alarm()
        time.sleep(60)
    finally:
        signal.signal(signal.SIGALRM, before)


def poll_pipe() -> bool:
    """Poll a pipe of multiprocessing."""
    ours, theirs = multiprocessing.Pipe(duplex=False)
    with ours, theirs:
        return ours.poll(10)


def expect_error(act: Callable[[], object], line: str) -> None:
    """Sleep for long by a function that was taken before the context."""
    with mock.patch.object(watch, "MAX_SLEEP", 0.02), pytest.raises(RuntimeError, match=f"{line}: this sleep"):
        act()


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
    "`select.select`, `select.poll`, `select.epoll` and `selectors` with a time limit": [
        lambda: select.select([], [], [], 10),
        lambda: select.poll().poll(10_000),
        lambda: select.epoll().poll(10),
        lambda: selectors.DefaultSelector().select(10),
    ],
    "`recv`, `recvfrom` and `accept` of a blocking socket with a time limit": [
        lambda: receive(lambda ours: ours.recv(1)),
        lambda: receive(lambda ours: ours.recvfrom(1)),
        lambda: receive(lambda ours: ours.makefile("rb").readline()),
        accept,
    ],
    "`signal.alarm`, `signal.setitimer` of real time, `signal.sigtimedwait`": [
        lambda: ring(lambda: signal.alarm(10)),
        lambda: ring(lambda: signal.setitimer(signal.ITIMER_REAL, 10)),
        lambda: signal.sigtimedwait([signal.SIGUSR1], 10),
    ],
    "`Connection.poll`, `Queue.get(timeout=…)` and `connection.wait` of multiprocessing": [
        poll_pipe,
        lambda: multiprocessing.Queue().get(timeout=10),
        lambda: connection.wait([], 10),
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
    "`trio.sleep`, `trio.move_on_after`": [lambda: trio.run(move_on), lambda: trio.run(trio.sleep, 10)],
    "a sleep in a thread that was started before the context, or by `_thread.start_new_thread`": [
        lambda: (EARLY.set(), SLEPT.wait()),  # type: ignore[func-returns-value]  # two steps of one lambda
        sleep_in_a_bare_thread,
    ],
    "`Lock.acquire(timeout=…)` and `SimpleQueue.get(timeout=…)` that are older than the context": [
        lambda: OLD_LOCK.acquire(timeout=SHORT),
        lambda: OLD_QUEUE.get(timeout=SHORT),
    ],
    "`Event.wait`, `Lock.acquire(timeout=…)` of multiprocessing": [
        lambda: multiprocessing.Event().wait(SHORT),
        lambda: hold(multiprocessing.Lock()).acquire(timeout=SHORT),
    ],
    "a socket with TLS": [lambda: receive(shake_hands)],
    "`subprocess.run(timeout=…)`, `Popen.wait(timeout)`": [
        lambda: subprocess.run([*PYTHON, ""], timeout=60, check=True),
    ],
    "a handler of `socketserver` and `http.server`, the initializer of an executor": [
        use_slow_server,
        lambda: ThreadPoolExecutor(1, initializer=time.sleep, initargs=(SHORT,)).submit(int).result(),
    ],
    "a wait in another process": [lambda: subprocess.run([*PYTHON, f"import time; time.sleep({SHORT})"], check=True)],
    "`asyncio.sleep` and time limits on uvloop, or on the Proactor loop of Windows": [
        lambda: refuse(make_uvloop, asyncio.sleep(10)),
        lambda: refuse(make_uvloop, expire()),
        lambda: refuse(make_uvloop, call_later()),
        lambda: refuse(ProactorLoop, asyncio.sleep(10)),
        lambda: refuse(ProactorLoop, expire()),
    ],
    "`time.sleep` as a default argument, in a `functools.partial`, a class or a container": [
        lambda: expect_error(lambda: sleep_by_default(60), r"sleep\(seconds\)"),
        lambda: expect_error(partial(KEPT["nap"], 60), r"act\(\)"),
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
    def test_move_the_clock_as_the_table_says(
        self, slow: Cloud, row: str, act: Callable[[], object], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A wait of ten seconds moves the clock by ten seconds where the table says so, else not at all."""
        (cell,) = read_table("wait")[row]
        if cell == "no, it raises":  # Python 3.13 announces the sleep, which is cut short
            monkeypatch.setattr(real_sleeps, "MAX_SLEEP", 60)
        if "started before" in row:
            threading.Thread(target=be_early).start()
        before = slow.now
        with slow.sleeping(), suppress(TimeoutError, queue.Empty, queue.Full, threading.BrokenBarrierError):
            act()
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


PLUGINS = """
    import datetime, json, time
    from pathlib import Path
    import anyio, pytest

    def read(cloud):
        times = [cloud.now.timestamp(), time.time(), time.monotonic(), time.perf_counter()]
        return [*times, datetime.datetime.now().timestamp(), anyio.current_time()]

    async def measure(cloud, name):
        before = read(cloud)
        await anyio.sleep(60)
        spans = [after - start for after, start in zip(read(cloud), before)]
        Path(name).write_text(json.dumps(spans))

    @pytest.mark.asyncio
    async def test_pytest_asyncio(omi_cloud, omi_sleep):
        await measure(omi_cloud, "pytest-asyncio")

    @pytest.mark.anyio
    async def test_anyio(omi_cloud, omi_sleep, anyio_backend_name):
        await measure(omi_cloud, anyio_backend_name)
"""
PLUGIN_CONTEXTS = {
    "`omi_sleep` with pytest-asyncio": "pytest-asyncio",
    "`omi_sleep` with anyio's plugin, on asyncio": "asyncio",
    "`omi_sleep` with anyio's plugin, on trio": "trio",
}


@pytest.fixture(name="plugin_spans", scope="module")
def _plugin_spans(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[float]]:
    """What each clock of each plugin's context moved by, measured in one run of pytest."""
    directory = tmp_path_factory.mktemp("plugins")
    (directory / "test_plugins.py").write_text(dedent(PLUGINS))
    (directory / "pytest.ini").write_text("[pytest]\nasyncio_default_fixture_loop_scope = function\n")
    plugins = ("omisim.plugin", "pytest_asyncio.plugin", "anyio.pytest_plugin", "no:cacheprovider")
    options = [option for plugin in plugins for option in ("-p", plugin)]
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "error", *options],
        cwd=directory,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "3 passed" in run.stdout, run.stdout
    return {name: json.loads((directory / name).read_text()) for name in PLUGIN_CONTEXTS.values()}


class TestClocks:
    def test_are_those_that_are_measured(self) -> None:
        """The table has exactly the contexts of this test."""
        assert list(read_table("context"))[1:] == [*CONTEXTS, *PLUGIN_CONTEXTS]

    @pytest.mark.parametrize("context", CONTEXTS)
    def test_move_as_the_table_says(self, context: str) -> None:
        """A wait of a minute moves a clock by a minute where the table says so; each context in its own process."""
        freeze, options = CONTEXTS[context]
        code = dedent(MEASURE).format(freeze=freeze, options=options)
        run = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
        assert run.stderr == ""
        compare_row(context, json.loads(run.stdout))

    @pytest.mark.parametrize("context", PLUGIN_CONTEXTS)
    def test_of_asynchronous_tests_move_as_the_table_says(
        self, context: str, plugin_spans: dict[str, list[float]]
    ) -> None:
        """The same for an await of a minute in an asynchronous test."""
        compare_row(context, plugin_spans[PLUGIN_CONTEXTS[context]])


def compare_row(context: str, spans: list[float]) -> None:
    """Compare by how much the clocks have moved with a row of the table."""
    header, row = read_table("context")["header"], read_table("context")[context]
    moved = ["yes" if 59 < span < 61 else "no" for span in spans]
    assert dict(zip(header, moved, strict=True)) == dict(zip(header, row, strict=True))
