"""`omisim doctor`: what it finds, and what it says to do."""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Mapping
from errno import EACCES
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

import omisim
from omisim import Cloud
from omisim.tools import doctor
from omisim.tools.cli import main
from omisim.tools.doctor import Finding, diagnose


def find(environ: Mapping[str, str], home: Path, grade: str = "problem") -> dict[str, str]:
    """Return the findings of a grade: the remedy of each text."""
    return {finding.text: finding.remedy for finding in diagnose(environ, home) if finding.grade == grade}


class TestDoctor:
    def test_finds_no_problem_in_a_complete_installation(self, tmp_path: Path) -> None:
        """All extras are installed, and nothing is in the way."""
        assert find({}, tmp_path) == {}
        good = find({}, tmp_path, "ok")
        assert any(text.startswith("extra osc: osc-sdk-python ") for text in good)
        assert any(text.startswith(f"omisim {omisim.__version__} in ") for text in good)
        assert "no configuration of real clients" in good

    def test_names_the_command_for_a_missing_extra(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """What an extra is for, and how to install it."""
        real = metadata.version

        def version(name: str) -> str:
            if name == "moto":
                raise metadata.PackageNotFoundError(name)
            return real(name)

        monkeypatch.setattr(metadata, "version", version)
        findings = find({}, tmp_path, "note")
        text = "extra oos is not installed (missing: moto), needed for client('oos')"
        assert findings[text] == "pip install 'omisim[oos]'"

    def test_reports_a_version_that_does_not_fit(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A package outside the versions that omisim supports is a problem."""
        real = metadata.version
        monkeypatch.setattr(metadata, "version", lambda name: "6.0.1" if name == "moto" else real(name))
        (text,) = find({}, tmp_path)
        assert text.startswith("extra oos: moto 6.0.1, not ")

    @pytest.mark.parametrize(
        ("version", "requirement", "fits"),
        [("5.1.2", ">=5.1,<6", True), ("6.0", "<6,>=5.1", False), ("5.0", ">=5.1", False), ("1.2.3rc1", ">=1.2", True),
         ("2.0", "", True), ("2.0.1", "!=2.0", False)],
    )  # fmt: skip
    def test_compares_versions(self, version: str, requirement: str, fits: bool) -> None:
        """Bounds are compared by their numbers."""
        assert doctor.fits(version, requirement) is fits

    def test_reports_patches_left_behind(self, tmp_path: Path) -> None:
        """A context that has not been left is a problem, with what to do."""
        with Cloud(timing="clock").sleeping():
            findings = find({}, tmp_path)
            assert vars(time)["sleep"].__globals__["__name__"].startswith("omisim.")
        assert findings["time.sleep is replaced by omisim: a context has not been left"].startswith(
            "enter cloud.intercept()"
        )
        assert find({}, tmp_path) == {}

    def test_reports_a_proxy_in_the_way_of_a_local_server(self, tmp_path: Path) -> None:
        """A proxy would get the requests to `omisim serve`."""
        (text,) = find({"https_proxy": "http://proxy:3128"}, tmp_path)
        assert text == "NO_PROXY does not name 127.0.0.1 and localhost, although a proxy is set: https_proxy"
        assert not find({"HTTP_PROXY": "http://proxy:3128", "no_proxy": "localhost,127.0.0.1"}, tmp_path)
        assert not find({"HTTP_PROXY": "http://proxy:3128", "NO_PROXY": "*"}, tmp_path)

    def test_reports_a_missing_file_of_certificates(self, tmp_path: Path) -> None:
        """Every HTTPS request would fail."""
        assert find({"REQUESTS_CA_BUNDLE": str(tmp_path / "none.pem")}, tmp_path) == {
            "REQUESTS_CA_BUNDLE names a file that does not exist or cannot be read": "unset REQUESTS_CA_BUNDLE"
        }

    def test_reports_that_pytest_does_not_load_the_plugin(self, tmp_path: Path) -> None:
        """The variable that turns plugins off is a problem."""
        (text,) = find({"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}, tmp_path)
        assert text.startswith("PYTEST_DISABLE_PLUGIN_AUTOLOAD is set")

    def test_notes_the_configuration_of_real_clients_without_its_values(self, tmp_path: Path) -> None:
        """Stray variables and files are named, and secrets are not shown."""
        (tmp_path / ".osc").mkdir()
        (tmp_path / ".osc" / "config.json").write_text("{}")
        findings = find({"OSC_SECRET_KEY": "hidden"}, tmp_path, "note")
        assert "the environment configures real clients: OSC_SECRET_KEY" in findings
        assert "there are configuration files of real clients: ~/.osc/config.json" in findings
        assert "hidden" not in str(findings)

    def test_passes_over_what_another_user_has(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """On a shared machine, folders that the user may not read do not end the command."""
        (tmp_path / "omisim-theirs").mkdir()
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        stat = os.stat

        def refuse(path: Any, **options: Any) -> os.stat_result:
            if isinstance(path, str | Path) and Path(path).name in (".osc", "config.json"):
                raise PermissionError(EACCES, "Permission denied", str(path))
            return stat(path, **options)

        monkeypatch.setattr(os, "stat", refuse)
        assert find({}, tmp_path) == {}

    def test_reports_another_copy_of_omisim(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The imported package is not the installed one."""
        monkeypatch.setattr(omisim, "__version__", "0.0.1")
        (text,) = find({}, tmp_path)
        assert text.startswith("the installed omisim is ")


class TestDoctorCommand:
    def test_prints_findings_and_ends_with_1_for_a_problem(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Each finding is a line, followed by what to do."""
        monkeypatch.setattr(
            doctor, "diagnose", lambda *_: [Finding("ok", "fine"), Finding("problem", "bad", "mend it")]
        )
        assert main(["doctor"]) == 1
        assert capsys.readouterr().out == "ok       fine\nproblem  bad\n         → mend it\n"

    def test_prints_json_on_request(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        """The findings as data."""
        monkeypatch.setattr(doctor, "diagnose", lambda *_: [Finding("ok", "fine")])
        assert main(["doctor", "--json"]) == 0
        assert json.loads(capsys.readouterr().out) == [{"grade": "ok", "text": "fine", "remedy": ""}]


def test_omisim_without_a_command_prints_help(capsys: pytest.CaptureFixture[str]) -> None:
    """The commands are listed, and the status is 0."""
    assert main([]) == 0
    assert "doctor" in capsys.readouterr().out
