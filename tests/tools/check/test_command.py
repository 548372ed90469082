"""`omisim check`: its output, its script, and what a signal leaves behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from support.checking import plant_bug

from omisim.tools.cli import main


class TestCheckCommand:
    def test_prints_levels_sums_and_the_result(self, capsys: pytest.CaptureFixture[str]) -> None:
        """`omisim check` prints one line a level, the sums and the speed, and that the laws held."""
        assert main(["check", "--regions", "1", "--images", "1", "--depth", "2"]) == 0
        out = capsys.readouterr().out
        assert out.splitlines()[0].startswith("depth 1:       1 visited,")
        assert out.endswith("Every law held in every state.\n")

    def test_prints_json_on_request(self, capsys: pytest.CaptureFixture[str]) -> None:
        """With --json the result is JSON, and nothing else is printed."""
        assert main(["check", "--regions", "1", "--images", "1", "--depth", "2", "--json"]) == 0
        data = json.loads(capsys.readouterr().out)
        assert (data["accounts"], data["depth"], data["violation"]) == (2, 2, None)
        assert data["states"] == 1 + sum(level["new"] for level in data["levels"])

    def test_fails_with_the_shortest_script_for_a_violation(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A violation ends the command with status 1 and the shortest script that shows it."""
        plant_bug(monkeypatch)
        assert main(["check", "--regions", "1", "--depth", "4"]) == 1
        out = capsys.readouterr().out
        assert "alice.delete_snapshot(snapshot_id='snap-" in out
        assert "laws.check(cloud, since=mark)" in out

    def test_reports_impossible_bounds_with_status_2(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Impossible bounds are one line on standard error and status 2: no law is broken."""
        assert main(["check", "--regions", "9"]) == 2
        assert capsys.readouterr().err == "omisim check: regions must be 1 to 5, not 9\n"

    @pytest.mark.parametrize("workers", ["1", "2"])
    def test_stops_its_workers_on_ctrl_c(self, workers: str) -> None:
        """Ctrl-C ends the command and its workers at once, with one line on standard error and status 130."""
        with run_check("--workers", workers) as process:
            os.killpg(process.pid, signal.SIGINT)
            assert process.communicate(timeout=60)[1] == b"omisim check: stopped\n"
            assert process.returncode == 130

    @pytest.mark.skipif(sys.platform != "linux", reason="/proc")
    @pytest.mark.parametrize("reason", ["Ctrl-C", "a killed worker"])
    def test_does_not_wait_for_a_suspended_worker(self, reason: str) -> None:
        """A worker that SIGSTOP has suspended, which no other signal ends, is killed when the check ends."""
        with run_check("--workers", "2") as process:
            suspended, other = list_workers(process.pid)
            os.kill(suspended, signal.SIGSTOP)
            if reason == "Ctrl-C":
                os.killpg(process.pid, signal.SIGINT)
            else:
                os.kill(other, signal.SIGKILL)
            assert process.communicate(timeout=60)[1].startswith(b"omisim check: ")
            assert process.returncode == (130 if reason == "Ctrl-C" else 2)

    def test_leaves_no_workers_behind_when_killed(self) -> None:
        """When the command is killed, its workers end too and nothing holds its output open."""
        with run_check("--workers", "2") as process:
            process.kill()
            process.communicate(timeout=60)


def list_workers(pid: int) -> list[int]:
    """Return the process ids of the workers of a check."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in children if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]


@contextmanager
def run_check(*options: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a long check as a terminal would, in a process group of its own, and wait until it has started.

    A background job of a shell ignores SIGINT, and so do its children: the check handles it as in a terminal.
    """
    code = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        f"from omisim.tools.cli import main; exit(main(['check', '--depth', '9', *{options!r}]))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith(b"depth 1: ")
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
