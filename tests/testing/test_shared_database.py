"""Hypothesis's database, shared by a team: what one has found, the others try first."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

RUN = """
import sys

from hypothesis import HealthCheck, Phase, settings
from hypothesis.database import DirectoryBasedExampleDatabase
from hypothesis.stateful import rule, run_state_machine_as_test

from omisim.testing.machine import CloudMachine


class Mine(CloudMachine):
    actions = frozenset({"CreateVolume"})
    begun = 0

    def prepare(self):
        Mine.begun += 1

    @rule(volume=CloudMachine.volumes)
    def mine(self, volume):
        raise LookupError(volume)


settings.register_profile("team", database=DirectoryBasedExampleDatabase(sys.argv[1]))
settings.load_profile("team")
try:
    slow = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}  # on a busy machine
    run_state_machine_as_test(Mine, settings=settings(phases=[Phase[sys.argv[2]]], **slow))
except LookupError:
    print(Mine.begun)
"""


def test_shared_database_replays_a_failure_of_another_process_first(tmp_path: Path) -> None:
    """A failure that one process has found is the first history of another, which draws no new one."""
    (tmp_path / "mine.py").write_text(RUN)
    lengths = [
        subprocess.run(
            [sys.executable, "mine.py", "shared", phase], cwd=tmp_path, capture_output=True, text=True, check=True
        ).stdout
        for phase in ("generate", "reuse")
    ]
    assert int(lengths[0]) >= 2
    assert int(lengths[1]) == 2  # the history, and again to tell it
