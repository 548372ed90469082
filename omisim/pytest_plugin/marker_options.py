"""The cloud a test asks for: by its markers, by the ini options of its suite, by the fixture omi_base."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from inspect import signature
from typing import Any, Final

import pytest

from omisim import Account, Cloud
from omisim.base.clock import check_clock
from omisim.pytest_plugin import ini
from omisim.state.settings import Settings

__all__ = ["check", "first_account", "make_base", "make_test_cloud", "merge_options", "read_marker"]

OURS: Final = ("scenario", "region", "accounts", "limiter")  # beside the constructor's
KNOWN: Final = (*signature(Cloud).parameters, *OURS)
AT_BIRTH: Final = ("seed", "clock", "catalog", "scenario")  # what a cloud cannot become later
FIRST: Final = "alice"
_TYPES: Final[Mapping[str, tuple[Any, str]]] = {
    "scenario": (str, "a file, from the rootdir, or the name of one that omisim ships"),
    "region": (str, "the name of a Region"),
    "accounts": (str | list | tuple | Mapping, 'names, for example ["alice", "bob@us-east-2"]'),
    "limiter": (bool, "True or False"),
}
_CHECKED = pytest.StashKey[set[str]]()


def read_marker(node: pytest.Item) -> dict[str, Any]:
    """Return what the markers of a test ask for; the nearest rules. Raises ValueError for an unknown argument."""
    found: dict[str, Any] = {}
    for marker in node.iter_markers("omisim"):
        if marker.args:
            raise ValueError(f"takes its arguments by name, not {marker.args[0]!r}; known: {', '.join(KNOWN)}")
        if unknown := [name for name in marker.kwargs if name not in KNOWN]:
            raise ValueError(f"has no argument {unknown[0]!r}; known: {', '.join(KNOWN)}")
        found = _joined(marker.kwargs, found)
    return found


def read_ini(config: pytest.Config) -> dict[str, Any]:
    """Return what the ini options ask for. Raises ValueError that names the option."""
    options = [name for name in KNOWN if name != "fetch"]  # which is a function
    return {name: value for name in options if (value := ini.read(config, name)) is not None}


def merge_options(node: pytest.Item) -> dict[str, Any]:
    """Return what is asked for a test, by its markers and by the suite."""
    return _joined(read_ini(node.config), read_marker(node))


def check(config: pytest.Config, node: pytest.Item | None = None) -> None:
    """Make what the suite or a test asks for, to see whether it can be made. Raises ValueError that says why not."""
    given = read_ini(config) if node is None else merge_options(node)
    checked = config.stash.setdefault(_CHECKED, set())
    if (text := repr(sorted(given.items()))) not in checked:
        first_account(_made(config, given), given)
        checked.add(text)


def make_base(config: pytest.Config) -> Cloud:
    """Return the cloud that every test of a suite forks, unless the suite has one of its own."""
    return _made(config, read_ini(config))


def make_test_cloud(item: pytest.Item, start: Cloud, *, sleeping: bool = False) -> Cloud:
    """Return a test's own cloud: a fork of the suite's, as the test's markers want it.

    Raises ValueError when they want what the suite's cloud cannot become any more.
    """
    given = ({"timing": "clock"} if sleeping else {}) | read_marker(item)
    if born := [name for name in AT_BIRTH if name in given]:
        if not _same(start, make_base(item.config)):
            raise ValueError(f"the marker's {born[0]} comes too late: omi_base has set its cloud up already")
        return _made(item.config, _joined(read_ini(item.config), given))
    cloud = start.fork()
    cloud.engine.copy_faults(start.engine)
    _tell(cloud, given)
    _open_accounts(cloud, given)
    return cloud


def first_account(cloud: Cloud, given: Mapping[str, Any], there: Iterable[str] = ()) -> Account:
    """Return the first account asked for, else the first that was `there` when the test began, else alice."""
    named = [name for name, _ in _accounts(given)]
    name = next(iter([*named, *there]), FIRST)
    return cloud.account(name) if name in cloud.accounts else cloud.account(name, region=given.get("region"))


def _made(config: pytest.Config, given: Mapping[str, Any]) -> Cloud:
    """Make a cloud from nothing."""
    for name, (kind, what) in _TYPES.items():
        if name in given and not isinstance(given[name], kind):
            raise ValueError(f"{name} is {what}; not {given[name]!r}")
    own = {name: value for name, value in given.items() if name not in OURS}
    if "clock" in own:
        own["clock"] = check_clock(own["clock"]).copy()  # a marker is made once, for many tests
    if "scenario" in given:
        file = config.rootpath / given["scenario"]
        cloud = Cloud.from_scenario(file if file.is_file() else given["scenario"], **own)
    else:
        cloud = Cloud(**own)
    _open_accounts(cloud, given)
    return cloud


def _tell(cloud: Cloud, given: Mapping[str, Any]) -> None:
    """Change what a cloud can still change."""
    settings = cloud.engine.settings
    told = Settings.checked(
        settings.seed,
        given.get("timing", settings.timing),
        given.get("auth", settings.auth),
        {**settings.switches, **given.get("switches", {})},
    )
    settings.timing, settings.auth, settings.switches = told.timing, told.auth, told.switches
    settings.fetch = given.get("fetch", settings.fetch)
    cloud.engine.history = given.get("history", cloud.engine.history)


def _open_accounts(cloud: Cloud, given: Mapping[str, Any]) -> None:
    region = {"region": given["region"]} if "region" in given else {}
    for name, more in _accounts(given):
        cloud.account(name, **region | dict(more))


def _accounts(given: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """Return the accounts asked for: "alice bob@us-east-2", a list of such words, or a mapping of names."""
    named = given.get("accounts", ())
    if isinstance(named, Mapping):
        return [(name, more or {}) for name, more in named.items()]
    words: Iterable[Any] = named.split() if isinstance(named, str) else named
    if wrong := [word for word in words if not isinstance(word, str)]:
        raise ValueError(f"accounts is {_TYPES['accounts'][1]}; not {wrong[0]!r}")
    parts = [word.partition("@") for word in words]
    return [(name, {"region": region} if region else {}) for name, _, region in parts]


def _joined(far: Mapping[str, Any], near: Mapping[str, Any]) -> dict[str, Any]:
    """Join what is asked for: what is nearer rules, and switches are joined by their names."""
    both = {**far, **near}
    if isinstance(far.get("switches"), Mapping) and isinstance(near.get("switches"), Mapping):
        both["switches"] = {**far["switches"], **near["switches"]}
    return both


def _same(start: Cloud, other: Cloud) -> bool:
    one, two = start.engine, other.engine
    return one.state == two.state and one.settings == two.settings and not len(one.session.faults)
