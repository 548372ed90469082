"""Merge the marker and the ini options of a test, and create its cloud from them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from inspect import signature
from typing import Any, Final

import pytest

from omisim import Account, Cloud
from omisim.base.clock import check_clock
from omisim.base.suggest import describe_unknown, suggest
from omisim.cloud.switch_file import load_switches, read_switches
from omisim.engine.unserved import parse_answers
from omisim.pytest_plugin import ini
from omisim.state.licences import parse_licences
from omisim.state.settings import Settings

__all__ = [
    "check_options", "first_account", "iter_arguments", "make_base", "make_test_cloud", "merge_options",
    "read_marker",
]  # fmt: skip

# beside the parameters of Cloud
EXTRA_OPTIONS: Final = ("scenario", "region", "accounts", "limiter", "children", "virtual_time")
KNOWN: Final = (*signature(Cloud).parameters, *EXTRA_OPTIONS)
ACCOUNT_OPTIONS: Final = tuple(name for name in signature(Cloud.account).parameters if name not in ("self", "name"))
FIXED_OPTIONS: Final = ("seed", "clock", "catalog", "scenario")  # fixed when a cloud is created
DEFAULT_ACCOUNT: Final = "alice"
_TYPES: Final[Mapping[str, tuple[Any, str]]] = {
    "scenario": (str, "a path relative to the rootdir or the name of a shipped scenario"),
    "region": (str, "the name of a Region"),
    "accounts": (
        str | list | tuple | Mapping,
        'names, for example ["alice", "bob@us-east-2"] or "alice bob"',
    ),
    "limiter": (bool, "True or False"),
    "children": (bool, "True or False"),
    "virtual_time": (bool, "True or False"),
}
_CHECKED = pytest.StashKey[set[str]]()


def iter_arguments(node: pytest.Item, name: str, known: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Yield the arguments of each marker of a test with this name, the closest first.

    Those of its parameters, `pytest.param(…, marks=…)`, come before the others: pytest lists them after the function's.
    Raises ValueError for a positional or unknown argument.
    """
    of_parameters = getattr(getattr(node, "callspec", None), "marks", ())
    for marker in (*(marker for marker in of_parameters if marker.name == name), *node.iter_markers(name)):
        if marker.args:
            raise ValueError(f"takes keyword arguments only, not {marker.args[0]!r}; known: {', '.join(known)}")
        if unknown := [argument for argument in marker.kwargs if argument not in known]:
            raise ValueError(f"has no argument {unknown[0]!r}{suggest(unknown[0], known)}; known: {', '.join(known)}")
        yield dict(marker.kwargs)


def read_marker(node: pytest.Item) -> dict[str, Any]:
    """Return the arguments of a test's markers; a closer marker overrides a farther one. Raises ValueError."""
    options: dict[str, Any] = {}
    for arguments in iter_arguments(node, "omisim", KNOWN):
        if "switches" in arguments:
            arguments["switches"] = load_switches(arguments["switches"])
        options = _merge(arguments, options)
    return options


def read_ini(config: pytest.Config) -> dict[str, Any]:
    """Return the values of the ini options that are set. Raises ValueError that names an invalid option."""
    options = [name for name in KNOWN if name not in ("fetch", "licences", "answers")]  # not written in an ini file
    values = {name: value for name in options if (value := ini.read(config, name)) is not None}
    if path := config.getini("omisim_switches_file"):
        values["switches"] = {**read_switches(config.rootpath / path), **values.get("switches", {})}
    return values


def merge_options(node: pytest.Item) -> dict[str, Any]:
    """Return the options of a test: its ini options, overridden by its markers."""
    return _merge(read_ini(node.config), read_marker(node))


def check_options(config: pytest.Config, node: pytest.Item | None = None) -> None:
    """Validate the options of the suite, or of one test, by creating a cloud from them.

    Raises ValueError that names the invalid option.
    """
    options = read_ini(config) if node is None else merge_options(node)
    checked = config.stash.setdefault(_CHECKED, set())
    if (text := repr(sorted(options.items()))) not in checked:
        first_account(_create(config, options), options)
        checked.add(text)


def make_base(config: pytest.Config) -> Cloud:
    """Return the default `omi_base`: a cloud configured by the ini options."""
    return _create(config, read_ini(config))


def make_test_cloud(item: pytest.Item, start: Any, *, sleeping: bool = False) -> Cloud:
    """Return the cloud of one test: a fork of `start`, the suite's cloud, configured by the test's markers.

    A marker's accounts and Region replace those of the ini options, so that they need a new cloud too; to an omi_base
    that the suite has prepared they are added.

    Raises ValueError if a marker sets an option that is fixed at creation (seed, clock, catalog, scenario) and the
    suite has prepared omi_base, if a marker is invalid, and if omi_base returns something else than a cloud.
    """
    if not isinstance(start, Cloud):
        remedy = "; does the overriding fixture lack `return cloud`?" if start is None else ""
        raise ValueError(f"omi_base must return a Cloud, not {start!r}{remedy}")
    check_options(item.config, item)  # again: a hook or a fixture may have added a marker since the collection
    options = ({"timing": "clock"} if sleeping else {}) | read_marker(item)
    fixed = [name for name in FIXED_OPTIONS if name in options]
    if fixed or not options.keys().isdisjoint(("accounts", "region")):
        suite = read_ini(item.config)
        if (fixed or "accounts" in suite) and _is_same(start, make_base(item.config)):
            return _create(item.config, _merge(suite, options))
        if fixed:
            raise ValueError(f"the marker cannot set {fixed[0]}: omi_base has already created the cloud")
    cloud = start.fork()
    cloud.engine.session.copy_faults(start.engine.session)
    if options:
        _reconfigure(cloud, options)
    _open_accounts(cloud, options)
    return cloud


def first_account(cloud: Cloud, options: Mapping[str, Any], existing: Iterable[str] = ()) -> Account:
    """Return the first account that the options name, else the first `existing` one, else alice."""
    requested = [name for name, _ in _parse_accounts(options)]
    name = next(iter([*requested, *existing]), DEFAULT_ACCOUNT)
    return cloud.account(name)


def _create(config: pytest.Config, options: Mapping[str, Any]) -> Cloud:
    """Create a cloud from the options. Raises ValueError for an invalid value."""
    for name, (expected_type, description) in _TYPES.items():
        if name in options and not isinstance(options[name], expected_type):
            raise ValueError(f"{name} must be {description}, not {options[name]!r}")
    arguments = {name: value for name, value in options.items() if name not in EXTRA_OPTIONS}
    if arguments.get("clock") is not None:
        arguments["clock"] = check_clock(arguments["clock"]).copy()  # several tests share the clock of one marker
    if "scenario" in options:
        scenario = options["scenario"]
        is_file = scenario.endswith(".toml")
        cloud = Cloud.from_scenario(config.rootpath / scenario if is_file else scenario, **arguments)
    else:
        cloud = Cloud(**arguments)
    _open_accounts(cloud, options)
    return cloud


def _reconfigure(cloud: Cloud, options: Mapping[str, Any]) -> None:
    """Apply the options that an existing cloud can still change."""
    settings = cloud.engine.settings
    changed = Settings.checked(
        settings.seed,
        options.get("timing", settings.timing),
        options.get("auth", settings.auth),
        {**settings.switches, **(options.get("switches") or {})},
        options.get("unserved", settings.unserved),
    )
    own_answers = parse_answers(options.get("answers"))
    cloud.engine.change_timing(changed.timing)
    cloud.engine.change_settings(
        auth=changed.auth,
        switches=changed.switches,
        unserved=changed.unserved,
        fetch=options.get("fetch", settings.fetch),
        licences={**settings.licences, **parse_licences(options.get("licences"), cloud.engine.state)},
        answers={**settings.answers, **own_answers},
        first_answers={**settings.first_answers, **own_answers},
    )
    cloud.engine.history = options.get("history", cloud.engine.history)


def _open_accounts(cloud: Cloud, options: Mapping[str, Any]) -> None:
    region = {"region": options["region"]} if "region" in options else {}
    if region:
        cloud.default_region = options["region"]
    for name, arguments in _parse_accounts(options):
        cloud.account(name, **region | dict(arguments))


def _parse_accounts(options: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """Return the requested accounts as pairs of a name and the arguments of `Cloud.account`.

    The option is "alice bob@us-east-2", a list of such words, or a mapping from names to arguments.
    """
    accounts = options.get("accounts", ())
    if isinstance(accounts, Mapping):
        return [(name, _check_account(arguments or {})) for name, arguments in accounts.items()]
    words: Iterable[Any] = accounts.split() if isinstance(accounts, str) else accounts
    if invalid := [word for word in words if not isinstance(word, str) or "," in word]:
        raise ValueError(f"accounts must be {_TYPES['accounts'][1]}, not {invalid[0]!r}")
    parts = [word.partition("@") for word in words]
    return [(name, {"region": region} if region else {}) for name, _, region in parts]


def _check_account(arguments: Any) -> Mapping[str, Any]:
    """Return the arguments of an account. Raises ValueError unless `Cloud.account` takes them."""
    if not isinstance(arguments, Mapping):
        example = '{"alice": {"region": "eu-west-2"}}'
        raise ValueError(
            f"accounts must map names to arguments of Cloud.account, as {example} does, not to {arguments!r}"
        )
    for name in arguments:
        if name not in ACCOUNT_OPTIONS:
            raise ValueError(describe_unknown("argument of an account", name, ACCOUNT_OPTIONS))
    return arguments


def _merge(base: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Return the base options with the overrides applied; switches are merged by name."""
    merged = {**base, **overrides}
    if isinstance(base.get("switches"), Mapping) and isinstance(overrides.get("switches"), Mapping):
        merged["switches"] = {**base["switches"], **overrides["switches"]}
    return merged


def _is_same(start: Cloud, other: Cloud) -> bool:
    """Whether forks of two clouds begin alike, and the first has no faults and requested failures to copy."""
    engine, expected = start.engine, other.engine
    return (
        engine.state == expected.state
        and engine.settings == expected.settings
        and engine.history == expected.history
        and repr(engine.clock) == repr(expected.clock)  # the offset of a SystemClock: wall time may be frozen
        and not engine.session.faults
        and not engine.session.failures
    )
