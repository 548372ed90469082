"""Calibration: the switches of an endpoint that behaves differently are found by probing it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import pytest
from support.probing import serve_probed

from omisim import Cloud, Switches
from omisim.cloud.switch_file import read_switches
from omisim.probe.judge import DEFAULTS, DIFFERS, Finding
from omisim.probe.loading import load_experiments
from omisim.probe.report import Report, list_not_calibrated, read_report, write_switches
from omisim.state.settings import SWITCHES

# what OAPI does not show: the content of disks, and FCU
HIDDEN = {"fcu_unknown_parameters", "snapshot_cut"}
FLIPPED = {name: switch.others[0] for name, switch in SWITCHES.items() if name not in HIDDEN}
DELAYS = {"vm.pending": 90, "volume.creating": 45, "snapshot.pending": 120, "vm.stopping": 60}


def probe_switches(switches: dict[str, Any], expected: dict[str, Any] | None = None) -> list[Finding]:
    """Probe a slow server with these switches, by the experiments that show a switch or an error of these rules."""
    cloud = Cloud(timing="clock", switches=cast("Switches", switches))
    for state, seconds in DELAYS.items():
        cloud.durations[state] = seconds
    chosen = [one for one in load_experiments() if one.switches or set(one.rules) & set(switches)]
    with serve_probed(cloud) as probed:
        return probed.probe(*chosen, switches=expected)


def make_report(findings: list[Finding]) -> Report:
    """Return a report with these findings."""
    return Report("http://127.0.0.1", "eu-west-2", "0", "2026-01-01", "omisim-probe-0", findings)


class TestCalibration:
    def test_finds_the_switches_and_errors_of_another_simulator(self, tmp_path: Path) -> None:
        """The probe finds flipped switches and other errors of a slow server; with its switches, nothing differs."""
        hidden = {**FLIPPED, "OMI-022": "in-use", "VOL-004": "invalid-parameter-value"}
        report = make_report(probe_switches(hidden))
        assert report.switches == hidden
        assert list_not_calibrated(report.findings, report.switches) == []
        path = tmp_path / "switches.toml"
        path.write_text(write_switches(report.switches, report.endpoint, report.started), "utf-8")
        assert Cloud(switches=path).engine.settings.switches == hidden
        again = probe_switches(dict(read_switches(path)), expected=dict(read_switches(path)))
        assert [one for one in again if one.verdict == DIFFERS] == []

    def test_writes_no_switch_for_a_server_that_agrees(self) -> None:
        """Defaults are left out."""
        assert make_report(probe_switches({})).switches == {}


class TestReports:
    def test_can_be_read_again(self) -> None:
        """What is written as JSON is read as it was."""
        finding = Finding("e", ("OMI-022",), DIFFERS, "code 9015", "409, code 9029", "CreateImage", {}, "9029")
        report = make_report([finding])
        assert read_report(json.dumps(report.to_dict())) == report

    @pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 2}', '{"format": 1, "findings": [3]}'])
    def test_of_another_form_are_refused(self, text: str) -> None:
        """A file that is not a report is a ValueError."""
        with pytest.raises(ValueError, match=r".+"):
            read_report(text)

    @pytest.mark.parametrize(("name", "value"), [("done", {}), ("created", "3"), ("run", None), ("left", [])])
    def test_with_a_value_of_another_type_are_refused(self, name: str, value: object) -> None:
        """Such a report could not be continued."""
        with pytest.raises(ValueError, match=f"not a report of omisim probe: {name} must be "):
            read_report(json.dumps({**make_report([]).to_dict(), name: value}))

    def test_leave_contradictions_out_of_the_switches(self) -> None:
        """Two answers that show different values of a switch calibrate nothing."""
        findings = [
            Finding("e", ("UNK-06",), DIFFERS, "", "", switch="start_running", value="no-op"),
            Finding("f", ("UNK-06",), "agrees", "", "", switch="start_running", value="refuse"),
        ]
        assert make_report(findings).switches == {}


def test_every_switch_has_a_default_that_the_probe_knows() -> None:
    """The probe reads the defaults from the same table."""
    assert {name: switch.default for name, switch in SWITCHES.items()} == DEFAULTS
