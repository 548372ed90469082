"""`pytest --omisim-coverage`: record the coverage of a session, merge the coverage of xdist workers, and report it.

`write_json` writes the files of the plugin's options.
"""

from __future__ import annotations

import json
from contextlib import ExitStack
from typing import Any

import pytest

from omisim.base.private_file import write_private
from omisim.testing.coverage import Coverage, recording
from omisim.testing.coverage_report import MAX_LINES, report

__all__ = ["CoverageReport", "write_json"]

_OUTPUT_KEY = "omisim_coverage"  # key of a worker's coverage in its output to the controller


class CoverageReport:
    """The plugin behind `--omisim-coverage`; `omisim.plugin` registers it only when the option is given."""

    def __init__(self, config: pytest.Config) -> None:
        self._has_file: bool = config.getoption("omisim_coverage_json") is not None
        self._written = ""  # the path of the file, once it is written
        self._minimum: float | None = config.getoption("omisim_coverage_fail_under")
        self._is_worker = hasattr(config, "workerinput")
        self._lost_workers: list[str] = []
        self._recording = ExitStack()
        self._coverage: Coverage = self._recording.enter_context(recording())

    @property
    def _is_below_minimum(self) -> bool:
        return self._minimum is not None and self._coverage.percent < self._minimum

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Merge the coverage of a pytest-xdist worker."""
        data = getattr(node, "workeroutput", {}).get(_OUTPUT_KEY)
        if data is None:
            self._lost_workers.append(node.gateway.id)
        else:
            self._coverage.merge(Coverage.from_json(data))

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Send the coverage to the controller, or save it and fail a passed session if it is below the minimum."""
        if self._is_worker:
            session.config.workeroutput[_OUTPUT_KEY] = self._coverage.to_json()  # type: ignore[attr-defined]  # xdist's
            return
        if self._has_file:
            self._written = write_json(session, "--omisim-coverage-json", self._coverage.to_json())
        if self._is_below_minimum and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
        """Print the report, without a limit with -vv."""
        terminalreporter.section("omisim coverage")
        is_verbose = config.get_verbosity() > 1
        terminalreporter.write_line(report(self._coverage, limit=None if is_verbose else MAX_LINES))
        if self._lost_workers:
            terminalreporter.write_line(
                f"The coverage of crashed workers is missing: {', '.join(self._lost_workers)}", yellow=True
            )
        if self._written:
            terminalreporter.write_line(f"Full coverage written to {self._written}")
        if self._is_below_minimum:
            terminalreporter.write_line(
                f"FAIL omisim coverage of {self._coverage.percent:.1f} % is under {self._minimum:g} %", red=True
            )

    def pytest_unconfigure(self) -> None:
        """Stop recording."""
        self._recording.close()


def write_json(session: pytest.Session, option: str, data: object) -> str:
    """Write data to the file of an option at the end of a session, and return its path.

    If that fails, return "", make pytest end with the reason, and turn the exit status of a passed session into that of
    a usage error, as for a file that is refused before the tests.
    """
    path = session.config.invocation_params.dir / session.config.getoption(option)
    try:
        write_private(path, json.dumps(data, indent=2) + "\n")
    except OSError as error:
        reasons = [str(session.shouldfail)] if session.shouldfail else []
        session.shouldfail = "; ".join([*reasons, f"{option} {path}: {error.strerror}"])
        if session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.USAGE_ERROR
        return ""
    return str(path)
