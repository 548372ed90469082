"""Switches in a file: for a cloud, for pytest and for the server."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.plugged import run_plugin

from omisim import Cloud

pytest_plugins = ["pytester"]


@pytest.mark.parametrize("kind", [str, Path])
def test_cloud_takes_the_path_of_a_file(tmp_path: Path, kind: type) -> None:
    """The file has one switch per line: behaviour, or the error of a rule."""
    (tmp_path / "s.toml").write_text('start_running = "no-op"\nOMI-022 = "in-use"\n')
    switches = Cloud(switches=kind(tmp_path / "s.toml")).engine.settings.switches
    assert switches == {"start_running": "no-op", "OMI-022": "in-use"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, "No such file"),
        ("=", "Invalid statement"),
        ("start_runing = 1\n", "s.toml: unknown switch 'start_runing'"),
    ],
)
def test_file_that_is_wrong_is_refused(tmp_path: Path, text: str | None, expected: str) -> None:
    """A missing file, one that is not TOML and an unknown switch are ValueErrors."""
    if text is not None:
        (tmp_path / "s.toml").write_text(text)
    with pytest.raises(ValueError, match=expected):
        Cloud(switches=tmp_path / "s.toml")


def test_ini_option_names_a_file_that_single_switches_override(pytester: pytest.Pytester) -> None:
    """The path is relative to the rootdir."""
    pytester.makefile(".toml", measured='start_running = "no-op"\nos_family = "sent"\n')
    pytester.makeini("[pytest]\nomisim_switches_file = measured.toml\nomisim_switches =\n    os_family = absent\n")
    test = """
        def test_switches(omi_cloud):
            assert omi_cloud.engine.settings.switches == {"start_running": "no-op", "os_family": "absent"}
    """
    assert run_plugin(pytester, test).parseoutcomes() == {"passed": 1}
