"""Scenarios: a TOML file that sets a cloud up by calls of the API and of `Cloud`, so that every rule holds in it.

    [cloud]          the constructor's arguments: seed, timing, switches, catalog, auth, history
    [durations]      "snapshot.pending" = 600, as in `cloud.durations`
    [accounts]       bob = { region = "us-east-2", alias = "bobs", quotas = { vm_limit = 2 } }
    [[steps]]        one call each; what it starts ends before the next one, and takes no time
    [[under_way]]    the same, after all steps and in the cloud's own timing: what they start may still be under way

A step says what it does (`do`) and gives the parameters of that: an action of the API with the API's names, a method of
`Cloud` (one of PLATFORM) with Python's, or `oos.<method>` of a boto3 client of object storage. `by` is the account that
does it, the first one unless told. `as` names what it makes: `{name}` stands for its id in later steps,
`{name/dev/sda1}` for the id of the volume or snapshot of its device, and `cloud.named` answers the same to a test. An
account's name stands for the account, `{official/debian}` for an official OMI in the Region of the caller. `files` are
written on a new volume, or on the first volume of a new VM.
"""

from __future__ import annotations

import inspect
import re
import tomllib
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import Any, Final

from omisim.account import Account
from omisim.actions.registry import ACTIONS, not_served
from omisim.cloud import Cloud
from omisim.errors import ApiError
from omisim.faults import Dropped
from omisim.hint import hint
from omisim.marketplace import Product
from omisim.model import Vm, Volume
from omisim.plain import api_name

__all__ = ["played", "shipped"]

PLATFORM: Final = (
    "adopt", "advance", "allow_unknown_images", "complete", "fail", "fail_next", "faults.add", "marketplace.activate",
    "marketplace.new_version", "marketplace.publish", "marketplace.subscribe", "marketplace.unpublish", "retire",
    "set_capacity", "settle", "write",
)  # fmt: skip
_TABLES: Final[Mapping[str, type]] = {
    "cloud": dict, "durations": dict, "accounts": dict, "steps": list, "under_way": list,
}  # fmt: skip
_CLOUD: Final = ("seed", "timing", "switches", "catalog", "auth", "history")
_ACCOUNT: Final = ("region", "alias", "quotas")
_OWN_WORDS: Final = ("do", "by", "as", "files")
_OFFICIAL: Final = "official/"
_NAME: Final = re.compile(r"[\w-]+")
_REFERENCE: Final = re.compile(r"\{([\w-]+(?:/[\w/.-]+)?)\}")
_AT_LINE: Final = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)")
Place = tuple[str | int, ...]  # the keys and numbers from the top of a file down to one of its entries


def played(scenario: str | Path, given: Mapping[str, Any]) -> Cloud:
    """Return the cloud that a scenario sets up; `given` rules over its [cloud].

    Raises ValueError with the file, the line, and what is wrong there.
    """
    path = _found(scenario)
    try:
        text = path.read_text(encoding="utf-8")
        return _set_up(tomllib.loads(text), given)
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: this scenario cannot be read: {error}") from error
    except tomllib.TOMLDecodeError as error:
        at = _AT_LINE.search(str(error))
        line = at[1] if at and at[1] else text.count("\n") + 1
        raise ValueError(f"{path}:{line}: {_AT_LINE.sub('', str(error))}") from error
    except _Wrong as wrong:
        raise ValueError(f"{path}:{_line(text, wrong.place)}: {wrong}") from wrong.__cause__


def shipped() -> dict[str, Path]:
    """Return the scenarios that come with omisim, by name."""
    here = Path(__file__).parent
    places = (here / "scenarios", here.parent / "fixtures" / "scenarios")  # of a wheel, of a checkout
    return {path.stem: path for place in places for path in sorted(place.glob("*.toml"))}


def _found(scenario: str | Path) -> Path:
    if Path(scenario).suffix == ".toml":
        return Path(scenario)
    known = shipped()
    if str(scenario) not in known:
        raise ValueError(
            f"there is no scenario {str(scenario)!r}{hint(scenario, known)}; shipped are {', '.join(known)}, "
            "and the name of a file of your own ends in .toml"
        )
    return known[str(scenario)]


class _Wrong(ValueError):
    """What is wrong with a scenario, and at which entry."""

    def __init__(self, text: str, place: Place) -> None:
        super().__init__(text)
        self.place = place


@contextmanager
def _at(*place: str | int) -> Iterator[None]:
    """Say of whatever is wrong inside that it is wrong at this entry."""
    try:
        yield
    except _Wrong:
        raise
    except (TypeError, ValueError) as error:
        raise _Wrong(str(error), place) from error


def _set_up(data: Mapping[str, Any], given: Mapping[str, Any]) -> Cloud:
    for name, value in data.items():
        _check_known("table of a scenario", name, _TABLES, (name,))
        tables = value if isinstance(value, list) else [value]
        listed = _TABLES[name] is list
        if listed is not isinstance(value, list) or any(type(table) is not dict for table in tables):
            raise _Wrong(f"write it as {f'[[{name}]]' if listed else f'[{name}]'}", (name,))
    settings = data.get("cloud", {})
    _check_parts(("cloud",), settings, _CLOUD, Cloud)
    cloud = Cloud(**settings | given)
    for state, seconds in data.get("durations", {}).items():
        with _at("durations", state):
            cloud.durations[state] = seconds
    accounts = {}
    for name, account in data.get("accounts", {}).items():
        with _at("accounts", name):
            _check_parts(("accounts", name), account, _ACCOUNT, partial(_opened, name))
            accounts[name] = cloud.account(name, **account)
    script = _Script(cloud, accounts)
    timing, cloud._settings.timing = cloud._settings.timing, "eager"
    for part in ("steps", "under_way"):
        for number, step in enumerate(data.get(part, ())):
            with _at(part, number):
                script.play(step, (part, number))
        cloud._settings.timing = timing
    cloud._session.trim_calls(cloud._session.call_position)  # a test sees its own calls
    cloud._session.warnings.clear()
    return cloud


def _opened(name: str, **given: Any) -> Account:
    return Cloud().account(name, **given)


class _Script:
    """The steps of a scenario, and what they have named so far."""

    def __init__(self, cloud: Cloud, accounts: Mapping[str, Account]) -> None:
        self._cloud = cloud
        self._accounts = accounts
        self._things: dict[str, Any] = dict(accounts)  # what methods of `Cloud` take as it is: accounts, products
        self._ids: dict[str, str] = {name: account.account_id for name, account in accounts.items()}

    def play(self, step: Mapping[str, Any], place: Place) -> None:
        """Do what a step says, and name what it makes."""
        do, account = step.get("do"), self._account(step, place)
        if not isinstance(do, str):
            raise _Wrong('a step says what it does: do = "CreateVms", for example', place)
        with _at(*place, "do"):
            call, known = self._call(do, account)
        given = {}
        for name, value in step.items():
            if name not in _OWN_WORDS:
                _check_known(f"parameter of {do}", name, known, (*place, name))
                with _at(*place, name):
                    given[name] = self._filled(value, account, self._things if do in PLATFORM else self._ids)
        try:
            made = call(given)
        except ApiError as error:
            parameter = re.split(r"[.\[]", str(error.facts.get("parameter", "")))[0]
            where = (*place, parameter) if parameter in given else place
            raise _Wrong(f"{do} by {account.name if account else ''} is refused: {error}", where) from error
        except (TypeError, ValueError, Dropped) as error:
            raise _Wrong(f"{do}: {error}", place) from error
        rows = made if isinstance(made, tuple) else (made,)
        with _at(*place, "as"):
            self._name(step.get("as", []), do, rows)
        with _at(*place, "files"):
            self._write(step.get("files", {}), do, rows)

    def _account(self, step: Mapping[str, Any], place: Place) -> Account | None:
        by = step.get("by")
        if by is None:
            return next(iter(self._accounts.values()), None)
        if step.get("do") in PLATFORM:
            raise _Wrong(f"{step['do']} is done by no account", (*place, "by"))
        _check_known("account of this scenario", by, self._accounts, (*place, "by"))
        return self._accounts[by]

    def _call(self, do: str, account: Account | None) -> tuple[Callable[[dict[str, Any]], Any], Collection[str]]:
        """Return what a step calls, and the names of its parameters."""
        if do in PLATFORM:
            method = attrgetter(do)(self._cloud)
            return lambda given: method(**given), inspect.signature(method).parameters
        if account is None:
            raise ValueError(f"somebody has to do {do}: name an account in [accounts]")
        if do.startswith("oos."):
            return _in_buckets(account, do.removeprefix("oos."))
        if do not in ACTIONS:
            why = not_served().get(do)
            said = f": {why}" if why else hint(do, (*ACTIONS, *PLATFORM))
            raise ValueError(f"{do!r} is neither an action that is served nor one of {', '.join(PLATFORM)}{said}")
        return lambda given: account._answer(do, given, wire=True).value, ACTIONS[do].shape.by_api_name

    # --- names

    def _filled(self, value: Any, account: Account | None, names: Mapping[str, Any]) -> Any:
        """Return a value with what its references stand for."""
        if isinstance(value, dict):
            return {key: self._filled(item, account, self._ids) for key, item in value.items()}
        if isinstance(value, list):
            return [self._filled(item, account, self._ids) for item in value]
        found = _REFERENCE.fullmatch(value) if isinstance(value, str) else None
        if found is None:
            return value
        name = found[1]
        if name.startswith(_OFFICIAL):
            region = (account.region,) if account else ()
            return self._cloud.images.official(name.removeprefix(_OFFICIAL), *region).image_id
        if name not in self._ids:
            raise ValueError(f"{value} is named by no step before this one{hint(name, self._ids)}")
        return names.get(name, self._ids[name])

    def _name(self, said: Any, do: str, rows: tuple[Any, ...]) -> None:
        """Name what was made, and what is behind its devices."""
        names = [said] if isinstance(said, str) else said
        if names and len(names) != len(rows):
            raise ValueError(f"{do} makes {len(rows)}: `as` is a list of as many names")
        for name, row in zip(names, rows, strict=False):
            if name in self._ids or not _NAME.fullmatch(name):
                raise ValueError(f"{name!r} is {'taken' if name in self._ids else 'no name: letters, digits, _ and -'}")
            if isinstance(row, Product):
                self._things[name] = row
            row_id = row.product_code if isinstance(row, Product) else getattr(row, "id", None)
            if row_id is None:
                raise ValueError(f"{do} makes nothing that could be named")
            found = {name: row_id}
            for mapping in getattr(row, "block_device_mappings", ()):
                bsu = mapping.bsu
                found[name + mapping.device_name] = bsu.volume_id if isinstance(row, Vm) else bsu.snapshot_id
            self._ids |= found
            for key, value in found.items():
                self._cloud._tx("scenario").write("name", key, value)

    def _write(self, files: Mapping[str, str], do: str, rows: tuple[Any, ...]) -> None:
        for row in rows if files else ():
            if not isinstance(row, Vm | Volume):
                raise TypeError(f"{do} makes no VM and no volume to write files on")
            volume_id = row.volume_id if isinstance(row, Volume) else row.block_device_mappings[0].bsu.volume_id
            for path, text in files.items():
                self._cloud.write(volume_id, path, text)


def _in_buckets(account: Account, method: str) -> tuple[Callable[[dict[str, Any]], Any], Collection[str]]:
    client = account.client("oos")
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - what `client` needs is there

    operations = client.meta.method_to_api_mapping
    if method not in operations:
        raise ValueError(f"{method!r} is no method of a client of object storage{hint(method, operations)}")

    def call(given: dict[str, Any]) -> None:
        try:
            getattr(client, method)(**given)
        except (BotoCoreError, ClientError) as error:
            raise ValueError(str(error)) from error

    shape = client.meta.service_model.operation_model(operations[method]).input_shape
    return call, tuple(shape.members) if shape else ()


# --- what is wrong, and where


def _check_known(what: str, name: object, known: Collection[str], place: Place) -> None:
    if name not in known:
        near = hint(name, known) or hint(api_name(str(name)), known)
        raise _Wrong(f"{name!r} is no {what}{near or '; known: ' + ', '.join(known)}", place)


def _check_parts(place: Place, table: Any, known: Collection[str], make: Callable[..., object]) -> None:
    """Try each entry of a table by itself, and so find the one that is wrong."""
    if type(table) is not dict:
        raise _Wrong(f"{place[-1]} is a table with any of {', '.join(known)}", place)
    for key, value in table.items():
        _check_known(f"entry of {place[-1]}", key, known, (*place, key))
        parts: dict[Place, Any] = {(key,): value}
        if isinstance(value, dict):
            parts = {(key, name): {name: part} for name, part in value.items()}
        for where, part in parts.items():
            with _at(*place, *where):
                make(**{key: part})


def _line(text: str, place: Place) -> int:
    """Return the line on which an entry begins.

    The parser tells no lines, but it tells what the first so many lines of a file contain, where these are whole.
    """
    lines = text.split("\n")

    def whole(count: int) -> tuple[int, Any]:
        """Return the most lines up to a count that are whole, and what they say."""
        while True:
            try:
                return count, tomllib.loads("\n".join(lines[:count]))
            except tomllib.TOMLDecodeError:
                count -= 1

    end = bisect_left(range(len(lines)), x=True, key=lambda count: _has(whole(count)[1], place))
    return whole(end - 1)[0] + 1


def _has(data: Any, place: Place) -> bool:
    for part in place:
        try:
            data = data[part]
        except (KeyError, IndexError, TypeError):
            return False
    return True
