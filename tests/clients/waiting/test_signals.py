"""Alarms and waits for signals in a cloud's time."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from textwrap import dedent

import pytest
from support.waiting import measure

from omisim import Cloud
from omisim.clients.waiting import cloud_time, signals, watch

if sys.platform == "win32":
    pytest.skip("needs the signals of POSIX", allow_module_level=True)


@pytest.fixture(name="rings", autouse=True)
def _rings(cloud: Cloud) -> Iterator[list[float]]:
    """The times of the cloud's clock at which SIGALRM arrives, in seconds."""
    rings: list[float] = []
    start = cloud.now
    before = signal.signal(signal.SIGALRM, lambda *_: rings.append(round((cloud.now - start).total_seconds())))
    yield rings
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


class TestAlarm:
    @pytest.mark.parametrize(
        "wait", [lambda: time.sleep(60), lambda: threading.Event().wait(60), lambda: run_thread(60)]
    )
    def test_rings_during_a_wait(self, cloud: Cloud, rings: list[float], wait: Callable[[], object]) -> None:
        """The handler runs at the time of the alarm, and the wait goes on to its end."""
        before = cloud.now
        with cloud.sleeping():
            signal.alarm(10)
            wait()
        assert rings == [10]
        assert round((cloud.now - before).total_seconds()) == 60

    def test_ends_a_wait_whose_handler_raises(self, cloud: Cloud) -> None:
        """The usual time limit: the handler raises out of the wait, and later waits are as usual."""

        def raise_error(*_: object) -> None:
            raise TimeoutError

        signal.signal(signal.SIGALRM, raise_error)
        before = cloud.now
        with cloud.sleeping():
            signal.alarm(10)
            with pytest.raises(TimeoutError):
                time.sleep(60)
            time.sleep(5)
        assert round((cloud.now - before).total_seconds()) == 15

    @pytest.mark.parametrize(
        "work",
        [lambda: [None for _ in iter(int, 1)], lambda: subprocess.run(["sleep", "60"], check=True)],
        ids=["a loop", "a program"],
    )
    def test_ends_work_that_does_not_wait(
        self, cloud: Cloud, monkeypatch: pytest.MonkeyPatch, work: Callable[[], object]
    ) -> None:
        """Time stands still beside work, so that the alarm rings after as much real time."""
        monkeypatch.setattr(watch, "MIN_REAL", 0.05)

        def raise_error(*_: object) -> None:
            raise TimeoutError

        signal.signal(signal.SIGALRM, raise_error)
        with cloud.sleeping():
            signal.setitimer(signal.ITIMER_REAL, 0.05)
            with pytest.raises(TimeoutError):
                work()

    def test_repeats_itself_beside_work(
        self, cloud: Cloud, rings: list[float], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A timer with an interval rings as often, and the work goes on."""
        monkeypatch.setattr(watch, "MIN_REAL", 0.01)
        with cloud.sleeping():
            signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)
            while len(rings) < 3:
                pass

    def test_repeats_itself(self, cloud: Cloud, rings: list[float]) -> None:
        """A timer with an interval rings until it is cancelled."""
        with cloud.sleeping():
            signal.setitimer(signal.ITIMER_REAL, 10, 20)
            time.sleep(55)
            signal.setitimer(signal.ITIMER_REAL, 0)
            time.sleep(60)
        assert rings == [10, 30, 50]

    def test_rings_without_another_wait(self, cloud: Cloud, rings: list[float]) -> None:
        """`signal.pause` returns after it, and `sigwait` where it is blocked."""
        with cloud.sleeping():
            signal.alarm(10)
            signal.pause()
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])
            try:
                signal.alarm(10)
                assert signal.sigwait([signal.SIGALRM]) == signal.SIGALRM
            finally:
                signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGALRM])
        assert rings == [10]

    def test_lets_another_signal_end_a_pause(self, cloud: Cloud, rings: list[float]) -> None:
        """`signal.pause` returns after the first signal with a handler, before the alarm."""
        before = signal.signal(signal.SIGUSR1, lambda *_: None)
        try:
            with cloud.sleeping():
                start = cloud.now
                signal.alarm(60)
                threading.Timer(10, os.kill, (os.getpid(), signal.SIGUSR1)).start()
                signal.pause()
                assert round((cloud.now - start).total_seconds()) == 10
                signal.pause()
        finally:
            signal.signal(signal.SIGUSR1, before)
        assert rings == [60]

    def test_is_read_and_replaced(self, cloud: Cloud, rings: list[float]) -> None:
        """Each function returns the seconds that were left."""
        with cloud.sleeping():
            assert signal.setitimer(signal.ITIMER_REAL, 30, 5) == (0, 0)
            time.sleep(10)
            assert signal.getitimer(signal.ITIMER_REAL) == pytest.approx((20, 5))
            assert signal.alarm(7) == 20
            assert signal.setitimer(signal.ITIMER_REAL, 0) == pytest.approx((7, 0))
            assert signal.alarm(0) == 0
        assert rings == []

    def test_is_refused_as_by_the_system(self, cloud: Cloud) -> None:
        """A negative time and a fraction of a second get the errors that they get outside."""
        with cloud.sleeping():
            with pytest.raises(signal.ItimerError, match="Invalid argument"):
                signal.setitimer(signal.ITIMER_REAL, -1)
            with pytest.raises(TypeError, match="integer"):
                signal.alarm(2.5)  # type: ignore[arg-type]  # the mistake
            assert signal.alarm(0) == 0

    @pytest.mark.parametrize("uptime", [100.3, 2023.6774887977115])
    def test_shows_whole_seconds(self, cloud: Cloud, monkeypatch: pytest.MonkeyPatch, uptime: float) -> None:
        """What is left of an alarm does not depend on how the time since the start of the machine is rounded."""
        monkeypatch.setattr(cloud_time, "read_monotonic", lambda: uptime)
        with cloud.sleeping():
            signal.alarm(30)
            time.sleep(10)
            assert signal.alarm(0) == 20

    def test_ends_with_the_context(self, cloud: Cloud) -> None:
        """An alarm that has not rung is forgotten: it would end the process of a later test."""
        with cloud.sleeping():
            signal.alarm(60)
        assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)

    def test_of_another_kind_or_owner_stays_real(self, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
        """Timers of CPU time, and those of pytest-timeout, are not those of the code under test."""
        with cloud.sleeping():
            signal.setitimer(signal.ITIMER_VIRTUAL, 600)
            assert 0 < signal.setitimer(signal.ITIMER_VIRTUAL, 0)[0] < 601
            with monkeypatch.context() as patch:
                patch.setattr(signals, "TIME_LIMITS", (__name__.partition(".")[0],))
                signal.setitimer(signal.ITIMER_REAL, 600)
            time.sleep(3600)
            assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)
        assert 0 < signal.setitimer(signal.ITIMER_REAL, 0)[0] < 601


def run_thread(seconds: float) -> None:
    """Join a thread that sleeps."""
    thread = threading.Thread(target=time.sleep, args=(seconds,))
    thread.start()
    thread.join()


class TestSignalOfAThread:
    def test_wakes_an_event_loop_at_its_time(self, cloud: Cloud) -> None:
        """The handler runs at the time at which another thread sends the signal, not after the wait of the loop."""

        async def wait() -> None:
            loop, received = asyncio.get_running_loop(), asyncio.Event()
            loop.add_signal_handler(signal.SIGUSR1, received.set)
            threading.Timer(10, signal.pthread_kill, (threading.main_thread().ident, signal.SIGUSR1)).start()
            await asyncio.wait_for(received.wait(), 60)
            loop.remove_signal_handler(signal.SIGUSR1)

        assert measure(cloud, lambda: asyncio.run(wait())) == 10


BLOCKED = """
    import os, signal, threading
    from omisim import Cloud

    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])  # in every thread, as programs that wait for it do
    cloud = Cloud()
    before = cloud.now
    with cloud.sleeping():
        threading.Timer(3, os.kill, (os.getpid(), signal.SIGUSR1)).start()
        assert signal.sigtimedwait([signal.SIGUSR1], 10).si_signo == signal.SIGUSR1
        assert signal.sigtimedwait([signal.SIGUSR1], 10) is None
    assert round((cloud.now - before).total_seconds()) == 13
"""


class TestSigtimedwait:
    def test_ends_when_the_signal_is_sent(self) -> None:
        """A signal that another thread sends after three seconds ends the wait at that moment."""
        run = subprocess.run([sys.executable, "-c", dedent(BLOCKED)], capture_output=True, text=True, check=False)
        assert (run.stderr, run.returncode) == ("", 0)
