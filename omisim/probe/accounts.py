"""The accounts of a run: their keys, and the values that experiments need to know about them and their Region."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from omisim.base.foreign import parse_json
from omisim.base.named_file import read_file
from omisim.probe.connection import NO_PERMISSION, Keys, Unreachable
from omisim.probe.endpoint import Endpoint
from omisim.probe.matching import read_rows
from omisim.probe.runner import Stopped

__all__ = ["NOUNS", "Profile", "find_profiles", "identify"]

# caller → the ending of its environment variables. Carol's account is in another Region.
CALLERS = {"alice": "", "bob": "_2", "carol": "_3"}
NOUNS = {"alice": "first account", "bob": "second account", "carol": "third account"}


class Profile(NamedTuple):
    """The keys of an account, and its Region or ""."""

    keys: Keys
    region: str


def find_profiles(environ: Mapping[str, str], home: Path | None, named: Mapping[str, str]) -> dict[str, Profile]:
    """Return the profile of each caller that has one.

    It comes from the profile in `~/.osc/config.json` that `named` gives for the caller, or from the environment
    variables (`OSC_ACCESS_KEY`, `OSC_SECRET_KEY`, `OSC_REGION`; with `_2` and `_3` for the other accounts), or, for
    alice, from the profile `default`. Raises ValueError for an unknown profile and for keys that are incomplete.
    """
    profiles_by_caller: dict[str, Profile] = {}
    for caller, ending in CALLERS.items():
        access_key, secret_key = (environ.get(f"OSC_{name}_KEY{ending}", "") for name in ("ACCESS", "SECRET"))
        region = environ.get(f"OSC_REGION{ending}", "")
        if name := named.get(caller):
            profiles_by_caller[caller] = _read_profile(home, name)
        elif bool(access_key) != bool(secret_key):
            raise ValueError(f"OSC_ACCESS_KEY{ending} and OSC_SECRET_KEY{ending} must be set together")
        elif access_key:
            profiles_by_caller[caller] = Profile(Keys(access_key, secret_key), region)
    if "alice" not in profiles_by_caller and home and (home / ".osc" / "config.json").is_file():
        profiles_by_caller["alice"] = _read_profile(home, "default")
    if "alice" not in profiles_by_caller:
        raise ValueError("no keys: set OSC_ACCESS_KEY and OSC_SECRET_KEY, or name a profile with --profile")
    return profiles_by_caller


def _read_profile(home: Path | None, name: str) -> Profile:
    if home is None:
        raise ValueError(f"profile {name!r} needs a home folder with .osc/config.json: set HOME")
    path = home / ".osc" / "config.json"
    profiles = read_file(path, parse_json)
    try:
        row = profiles[name]
        values = row["access_key"], row["secret_key"], row.get("region") or row.get("region_name") or ""
        access_key, secret_key, region = map(_check_text, values)
        return Profile(Keys(access_key, secret_key), region)
    except KeyError as error:
        raise ValueError(
            f"{path}: profile {name!r} has no {error}" if name in profiles else f"{path} has no {error}"
        ) from None
    except (TypeError, AttributeError):
        raise ValueError(f"{path} must be a JSON object of profiles, each an object of texts") from None


def _check_text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def identify(endpoints: Mapping[str, Endpoint], run: str) -> dict[str, str]:
    """Return the values of the world: account ids, Regions, Subregions and the prefix of names.

    Raises Stopped if an endpoint does not answer or refuses the keys of a caller, or if two callers are one account or
    are in the wrong Regions: experiments about sharing would then differ for no fault of the endpoint.
    """
    values, regions = {"prefix": f"{run}-"}, {}
    for caller, endpoint in endpoints.items():
        rows = _read(caller, endpoint, "Accounts")
        if not rows or not rows[0].get("AccountId"):
            raise Stopped(f"ReadAccounts of the {NOUNS[caller]} shows no account")
        account_id = str(rows[0]["AccountId"])
        if same := next((other for other in CALLERS if values.get(other) == account_id), None):
            raise Stopped(f"the {NOUNS[caller]} must be another one than the {NOUNS[same]}: both are {account_id}")
        values[caller] = account_id
        subregions = _read(caller, endpoint, "Subregions")
        regions[caller] = next((str(row["RegionName"]) for row in subregions if row.get("RegionName")), endpoint.region)
        if caller == "alice":
            names = [str(row["SubregionName"]) for row in subregions if row.get("SubregionName")]
            values |= dict(zip(("subregion_a", "subregion_b"), names, strict=False))
    values["region"] = home = regions["alice"]
    if (second := regions.get("bob", home)) != home:
        raise Stopped(f"the second account must be in the Region of the first, {home}, not in {second}")
    if regions.get("carol") == home:
        raise Stopped(f"the third account must be in another Region than the first: both are in {home}")
    named = [str(row.get("RegionName")) for row in _read("alice", endpoints["alice"], "Regions")]
    others = [region for region in (regions.get("carol", home), *named) if region != home]
    return values | {"other_region": others[0]} if others else values


def _read(caller: str, endpoint: Endpoint, name: str) -> list[Mapping[str, Any]]:
    """Return the list that a read of all resources with this name answers."""
    action = f"Read{name}"
    try:
        answer = endpoint.call(action, {})
    except Unreachable as error:
        raise Stopped(f"{endpoint.host}: {error}") from None
    if answer.status in NO_PERMISSION:
        raise Stopped(f"{endpoint.host} refuses the keys of the {NOUNS[caller]}: {action}: {answer}")
    if not answer.accepted:
        raise Stopped(f"{endpoint.host}: {action}: {answer}")
    return read_rows(answer.body, name)
