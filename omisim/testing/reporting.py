"""`pytest --omisim-coverage`: records the coverage of a session, merges that of xdist's workers, reports it."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from omisim.testing.coverage import Coverage, recording
from omisim.testing.coverage_report import MOST, report

__all__ = ["CoverageReport"]

_SENT = "omisim_coverage"  # a worker's, by the name under which the controller finds it


class CoverageReport:
    """A plugin of its own, registered by `omisim.plugin` when it is asked for: an unused one costs nothing."""

    def __init__(self, config: pytest.Config) -> None:
        target: str | None = config.getoption("omisim_coverage_json")
        self._file = None if target is None else Path(config.invocation_params.dir, target)
        if self._file is not None and not self._file.parent.is_dir():
            raise pytest.UsageError(f"--omisim-coverage-json: there is no directory {self._file.parent}")
        self._least: float | None = config.getoption("omisim_coverage_fail_under")
        self._is_worker = hasattr(config, "workerinput")
        self._lost: list[str] = []
        self._recording = ExitStack()
        self._coverage: Coverage = self._recording.enter_context(recording())

    @property
    def _falls_short(self) -> bool:
        return self._least is not None and self._coverage.percent < self._least

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Add what a worker of pytest-xdist exercised."""
        sent = getattr(node, "workeroutput", {}).get(_SENT)
        if sent is None:
            self._lost.append(node.gateway.id)
        else:
            self._coverage.merge(Coverage.from_json(sent))

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Send it to the controller; or save it, and fail a session that otherwise passed where it falls short."""
        if self._is_worker:
            session.config.workeroutput[_SENT] = self._coverage.to_json()  # type: ignore[attr-defined]  # xdist's
            return
        if self._file is not None:
            self._file.write_text(json.dumps(self._coverage.to_json(), indent=2) + "\n")
        if self._falls_short and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
        """Report it: all of it with -vv."""
        terminalreporter.section("omisim coverage")
        everything = config.get_verbosity() > 1
        terminalreporter.write_line(report(self._coverage, most=None if everything else MOST))
        if self._lost:
            terminalreporter.write_line(f"What {', '.join(self._lost)} exercised is lost: it crashed.", yellow=True)
        if self._file is not None:
            terminalreporter.write_line(f"All of it is in {self._file}")
        if self._falls_short:
            terminalreporter.write_line(
                f"FAIL omisim coverage of {self._coverage.percent:.1f} % is under {self._least:g} %", red=True
            )

    def pytest_unconfigure(self) -> None:
        """Stop recording."""
        self._recording.close()
