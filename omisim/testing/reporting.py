"""`pytest --omisim-coverage`: record the coverage of a session, merge the coverage of xdist workers, and report it."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from omisim.base.private_file import write_private
from omisim.testing.coverage import Coverage, recording
from omisim.testing.coverage_report import MAX_LINES, report

__all__ = ["CoverageReport"]

_OUTPUT_KEY = "omisim_coverage"  # key of a worker's coverage in its output to the controller


class CoverageReport:
    """The plugin behind `--omisim-coverage`; `omisim.plugin` registers it only when the option is given."""

    def __init__(self, config: pytest.Config) -> None:
        target: str | None = config.getoption("omisim_coverage_json")
        self._file = None if target is None else Path(config.invocation_params.dir, target)
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
        if self._file is not None:
            write_private(self._file, json.dumps(self._coverage.to_json(), indent=2) + "\n")
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
        if self._file is not None:
            terminalreporter.write_line(f"Full coverage written to {self._file}")
        if self._is_below_minimum:
            terminalreporter.write_line(
                f"FAIL omisim coverage of {self._coverage.percent:.1f} % is under {self._minimum:g} %", red=True
            )

    def pytest_unconfigure(self) -> None:
        """Stop recording."""
        self._recording.close()
