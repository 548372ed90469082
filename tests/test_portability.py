"""omisim runs where Python has none of the names that only POSIX systems offer."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parent / "support" / "without_posix.py"


def test_omisim_is_imported_and_serves_without_posix_modules_and_signals() -> None:
    """Every module of omisim loads, and a server answers, without `fcntl`, `signal.SIGHUP`, `os.fork` and their like.

    Only omisim is imported without them. What it depends on is imported before they are removed, for libraries choose
    by `os.name` what they use, and this machine's is not that of Windows.
    """
    run = subprocess.run([sys.executable, "-W", "error", SCRIPT], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
