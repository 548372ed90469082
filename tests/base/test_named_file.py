"""The files that a user names are read up to a bound."""

from __future__ import annotations

from pathlib import Path

import pytest

from omisim import Cloud
from omisim.base import named_file
from omisim.tools.cli import main


@pytest.fixture(name="large", autouse=True)
def _large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that is larger than the bound."""
    monkeypatch.setattr(named_file, "MAX_SIZE", 10)
    path = tmp_path / "large.toml"
    path.write_text("# 4567890\n" * 2)
    return path


def test_a_file_of_switches_has_a_bound(large: Path) -> None:
    """A file of switches is read up to the bound, so that a device without end is refused."""
    with pytest.raises(ValueError, match=r"large\.toml: the file has more than 10 characters$"):
        Cloud(switches=large)


def test_a_scenario_has_a_bound(large: Path) -> None:
    """A scenario is read up to the bound."""
    with pytest.raises(ValueError, match=r"large\.toml: the file has more than 10 characters$"):
        Cloud.from_scenario(large)


@pytest.mark.parametrize("arguments", [["replay"], ["rules", "--measured"], ["probe", "http://[::1]", "--experiments"]])
def test_a_file_of_a_command_has_a_bound(large: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    """A command reports a file that exceeds the bound in one line."""
    assert main([*arguments, str(large)]) == 2
    assert capsys.readouterr().err == f"omisim {arguments[0]}: {large}: the file has more than 10 characters\n"
