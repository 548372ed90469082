"""Find and read a scenario file, and set up its cloud."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

from omisim.base.foreign import parse_toml
from omisim.base.named_file import read_file
from omisim.base.suggest import suggest
from omisim.cloud.account import Account
from omisim.cloud.cloud import Cloud
from omisim.tools.scenario.mistakes import ScenarioError, check_name, check_parts, find_line, locate_errors
from omisim.tools.scenario.script import Script

__all__ = ["list_shipped", "load_scenario"]

_TABLES: Final[Mapping[str, type]] = {
    "cloud": dict, "answers": dict, "durations": dict, "accounts": dict, "steps": list, "under_way": list,
}  # fmt: skip
_CLOUD: Final = ("seed", "timing", "switches", "catalog", "auth", "history", "licences", "unserved")
_ACCOUNT: Final = ("region", "alias", "quotas")
_AT_LINE: Final = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)")


def load_scenario(scenario: str | Path, overrides: Mapping[str, Any]) -> Cloud:
    """Return the cloud that a scenario sets up; `overrides` takes precedence over its table [cloud].

    Raises ValueError with the file, the line and the mistake.
    """
    path = _find_file(scenario)
    text = read_file(path, str)
    try:
        return _set_up(parse_toml(text), overrides)
    except tomllib.TOMLDecodeError as error:
        match = _AT_LINE.search(str(error))
        line = match[1] if match and match[1] else text.count("\n") + 1
        raise ValueError(f"{path}:{line}: {_AT_LINE.sub('', str(error))}") from error
    except ScenarioError as error:
        raise ValueError(f"{path}:{find_line(text, error.place)}: {error}") from error.__cause__


def list_shipped() -> dict[str, Path]:
    """Return the paths of the shipped scenarios by name."""
    here = Path(__file__).parents[2]
    places = (here / "scenarios", here.parent / "fixtures" / "scenarios")  # in a wheel, in a checkout
    return {path.stem: path for place in places for path in sorted(place.glob("*.toml"))}


def _find_file(scenario: str | Path) -> Path:
    if not isinstance(scenario, str | Path):
        raise ValueError(f"scenario must be the path of a TOML file or the name of a shipped one, not {scenario!r}")
    if Path(scenario).suffix == ".toml":
        return Path(scenario)
    shipped = list_shipped()
    if str(scenario) not in shipped:
        raise ValueError(
            f"unknown scenario {str(scenario)!r}{suggest(scenario, shipped)}; shipped are {', '.join(shipped)}, "
            "and the path of another file must end in .toml"
        )
    return shipped[str(scenario)]


def _set_up(data: Mapping[str, Any], overrides: Mapping[str, Any]) -> Cloud:
    for name, value in data.items():
        check_name("table of a scenario", name, _TABLES, (name,))
        tables = value if isinstance(value, list) else [value]
        is_list = _TABLES[name] is list
        if is_list is not isinstance(value, list) or any(type(table) is not dict for table in tables):
            raise ScenarioError(f"write it as {f'[[{name}]]' if is_list else f'[{name}]'}", (name,))
    settings = data.get("cloud", {})
    check_parts(("cloud",), settings, _CLOUD, Cloud)
    cloud = Cloud(**settings | overrides)
    for action, answer in data.get("answers", {}).items():
        with locate_errors("answers", action):
            cloud.answer(action, answer)
    for state, seconds in data.get("durations", {}).items():
        with locate_errors("durations", state):
            cloud.durations[state] = seconds
    accounts = {}
    for name, account in data.get("accounts", {}).items():
        with locate_errors("accounts", name):
            check_parts(("accounts", name), account, _ACCOUNT, partial(_open_account, name))
            accounts[name] = cloud.account(name, **account)
    script = Script(cloud, accounts)
    timing = cloud.engine.settings.timing
    cloud.engine.change_settings(timing="eager")
    for part in ("steps", "under_way"):
        for number, step in enumerate(data.get(part, ())):
            with locate_errors(part, number):
                script.play(step, (part, number))
        cloud.engine.change_settings(timing=timing)
    cloud.engine.session.trim_calls(cloud.engine.session.call_position)  # hide the calls of the setup
    cloud.engine.session.warnings.clear()
    return cloud


def _open_account(name: str, **options: Any) -> Account:
    return Cloud().account(name, **options)
