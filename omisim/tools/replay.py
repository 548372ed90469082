"""Replay a recording against a new cloud, and report the differences between the answers.

The status, the error codes, the fields and their types, and the length and order of lists are compared. Values are not,
because they differ between clouds. Ids are translated: a recorded id stands for the id that this cloud returned in the
same place, and must keep doing so. An id that no answer returned is unknown to both clouds.
"""

from __future__ import annotations

import datetime as dt
import json
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any, TypeVar

from omisim.cloud.cloud import Cloud
from omisim.doors.http import HttpRequest
from omisim.doors.oapi import OapiDoor
from omisim.formats.recording import Exchange
from omisim.model.ids import derive_hex
from omisim.state.settings import Timing

__all__ = ["Acceptance", "Divergence", "Report", "acceptances", "replay"]

T = TypeVar("T")
_ID = re.compile(r"[a-z]+(?:-[a-z]+)*-(?:[0-9a-f]{32}|[0-9a-f]{8})|[0-9]{12}|[0-9A-Z]{20}")
# statuses that do not depend on the request → the reason
_SKIPPED = {
    401: "a recording has no signatures",
    429: "it was throttled",
    500: "the platform failed",
    503: "the platform was throttled",
}
_TYPES = {dict: "object", list: "list", str: "string", bool: "boolean", int: "integer", float: "number"}


@dataclass(frozen=True, slots=True)
class Acceptance:
    """Known divergences, by line, by action or by a pattern of their text, and the reason to accept them."""

    reason: str
    line: int | None = None
    action: str | None = None
    pattern: str = "*"

    def covers(self, divergence: Divergence) -> bool:
        """Whether the acceptance applies to a divergence."""
        same_call = self.line in (None, divergence.line) and self.action in (None, divergence.action)
        return same_call and fnmatchcase(divergence.says, self.pattern)


@dataclass(frozen=True, slots=True)
class Divergence:
    """A difference of an answer, on a line of the recording; `accepted` is the reason of its acceptance, or ""."""

    line: int
    action: str
    says: str
    accepted: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """The result of a replay. `skipped` maps lines to the reason; `idle` are the unused acceptances."""

    exchanges: int
    divergences: tuple[Divergence, ...]
    skipped: Mapping[int, str]
    idle: tuple[Acceptance, ...]

    @property
    def failed(self) -> tuple[Divergence, ...]:
        """The divergences without an acceptance."""
        return tuple(divergence for divergence in self.divergences if not divergence.accepted)


def acceptances(text: str) -> tuple[Acceptance, ...]:
    """Parse an acceptance list: TOML with one table `[[accept]]` per acceptance.

    A table has a `reason`, and one or more of `line`, `action` and `pattern` (a shell pattern for the text of the
    divergence). Raises ValueError for invalid TOML or an invalid table.
    """
    tables = tomllib.loads(text)
    rows = tables.pop("accept", [])
    if tables or not isinstance(rows, list):
        raise ValueError("an acceptance list must consist of tables [[accept]]")
    return tuple(_parse_acceptance(row) for row in rows)


def _parse_acceptance(row: Any) -> Acceptance:
    types = {"reason": str, "line": int, "action": str, "pattern": str}
    if not isinstance(row, dict) or not row.get("reason") or len(row) == 1:
        raise ValueError(f"[[accept]] must have a reason, and a line, an action or a pattern, not {row!r}")
    for name, value in row.items():
        if name not in types or type(value) is not types[name]:
            raise ValueError(f"[[accept]] must have only reason, line, action and pattern, not {name} = {value!r}")
    return Acceptance(**row)


def replay(
    recorded: Iterable[Exchange],
    accepted: Iterable[Acceptance] = (),
    *,
    region: str | None = None,
    timing: Timing = "eager",
    seed: int | str = 0,
) -> Report:
    """Send the recorded requests to a new cloud, and compare its answers with the recorded ones.

    Args:
        recorded: The exchanges, from `omisim.recording.exchanges`.
        accepted: Acceptances of known divergences, from `acceptances`.
        region: The Region of exchanges that name none (default eu-west-2).
        timing: The timing of the cloud. Its clock advances as between the recorded calls.
        seed: The seed of the cloud.

    Raises ValueError for an unknown Region or timing, and for arguments of another type.
    """
    recorded = _check_items("recorded", Exchange, recorded, "recording.exchanges")
    accepted = _check_items("accepted", Acceptance, accepted, "replay.acceptances")
    player = _Replayer(Cloud(seed=seed, timing=timing, auth="off"), recorded, region)
    divergences: list[Divergence] = []
    skipped: dict[int, str] = {}
    for exchange in recorded:
        if exchange.status in _SKIPPED:
            skipped[exchange.line] = _SKIPPED[exchange.status]
            continue
        for says in dict.fromkeys(player.play(exchange)):
            divergence = Divergence(exchange.line, exchange.action, says)
            reason = next((acceptance.reason for acceptance in accepted if acceptance.covers(divergence)), "")
            divergences.append(replace(divergence, accepted=reason))
    idle = tuple(acceptance for acceptance in accepted if not any(map(acceptance.covers, divergences)))
    return Report(len(recorded), tuple(divergences), skipped, idle)


def _check_items(parameter: str, cls: type[T], values: Iterable[T], reader: str) -> tuple[T, ...]:
    items = tuple(values) if isinstance(values, Iterable) else ()
    if not isinstance(values, Iterable) or not all(isinstance(item, cls) for item in items):
        raise ValueError(f"{parameter} must be the result of omisim.{reader}(), not {values!r:.80}")
    return items


class _Replayer:
    """A cloud, with the mapping of the recording's accounts and ids to its own."""

    def __init__(self, cloud: Cloud, recorded: Iterable[Exchange], region: str | None) -> None:
        self._cloud = cloud
        self._door = OapiDoor(cloud.engine)
        self._accounts = {
            caller: cloud.account(caller[0] or "alice", region=caller[1] or region)
            for caller in dict.fromkeys((exchange.account, exchange.region) for exchange in recorded)
        }
        self._ids: dict[str, str] = {}  # recorded id → id in this cloud
        self._taken: set[str] = set()  # the ids in this cloud
        self._start: tuple[dt.datetime, dt.datetime] | None = (
            None  # times of the first exchange: recorded, and in this cloud
        )

    def play(self, exchange: Exchange) -> Iterator[str]:
        """Send the request of an exchange, and yield the differences between the answers."""
        self._advance_to(exchange.at)
        account = self._accounts[exchange.account, exchange.region]
        parameters = self._translate(exchange.parameters)
        body = parameters if isinstance(parameters, str) else "" if parameters is None else json.dumps(parameters)
        headers = {"content-type": "application/json", "authorization": f"Credential={account.access_key}/"}
        response = self._door.handle(HttpRequest("POST", "", exchange.path, headers, body.encode()), self._cloud.now)
        answer = json.loads(response.body)
        here = f"{response.status}, code {_code(answer)}" if "Errors" in answer else str(response.status)
        then = f"{exchange.status}, code {_code(exchange.answer)}" if exchange.status >= 400 else str(exchange.status)  # noqa: PLR2004
        if here != then:
            why = (
                f" ({response.headers['X-Omisim-Rule']}: {answer['Errors'][0]['Details']})"
                if "Errors" in answer
                else ""
            )
            yield f"status {then} was recorded, here it is {here}{why}"
            return
        yield from _compare_trees(_tree(exchange.answer), _tree(answer))
        yield from self._map_ids(exchange.answer, answer, "", fits=True)

    def _advance_to(self, at: dt.datetime | None) -> None:
        """Advance the clock by the time since the first exchange of the recording."""
        if at is None:
            return
        if self._start is None:
            self._start = at, self._cloud.now
        seconds = (at - self._start[0] - (self._cloud.now - self._start[1])).total_seconds()
        if seconds > 0:
            self._cloud.advance(seconds)

    def _translate(self, value: Any) -> Any:
        """Return a recorded value with this cloud's ids; an unknown id is translated to an unknown one."""
        if isinstance(value, dict):
            return {name: self._translate(inner) for name, inner in value.items()}
        if isinstance(value, list):
            return [self._translate(inner) for inner in value]
        if not isinstance(value, str):
            return value
        if value in self._ids or value not in self._taken:
            return self._ids.get(value, value)
        prefix, _, digits = value.rpartition("-")
        return f"{prefix}-{derive_hex(value)[: len(digits)]}" if prefix else value

    def _map_ids(self, then: Any, now: Any, path: str, *, fits: bool) -> Iterator[str]:
        """Map recorded ids to this cloud's; yield a line per mismatch. `fits`: the places correspond."""
        if isinstance(then, dict) and isinstance(now, dict):
            for name in then.keys() & now.keys():
                yield from self._map_ids(then[name], now[name], f"{path}.{name}".lstrip("."), fits=fits)
        elif isinstance(then, list) and isinstance(now, list):
            if len(then) != len(now):
                yield f"{path}: {_items(len(then))} recorded, here {_items(len(now))}"
            expected = [self._translate(item) for item in then]
            if expected != now and _sorted(expected) == _sorted(now):
                yield f"{path}: the same items, in another order"
                return
            for number, (first, other) in enumerate(zip(then, now, strict=False)):
                yield from self._map_ids(first, other, f"{path}[{number}]", fits=fits and len(then) == len(now))
        elif isinstance(then, str) and isinstance(now, str) and (_ID.fullmatch(then) or path == "NextPageToken"):
            known_id = self._ids.setdefault(then, now)
            self._taken.add(known_id)
            if fits and known_id != now:
                yield f"{path}: the recording has {then} there, which is {known_id} here, but here it is {now}"


def _code(answer: Any) -> str:
    try:
        return str(answer["Errors"][0]["Code"])
    except (KeyError, IndexError, TypeError):
        return "none"


def _items(count: int) -> str:
    return "1 item was" if count == 1 else f"{count} items were"


def _sorted(items: list[Any]) -> list[str]:
    return sorted(json.dumps(item, sort_keys=True) for item in items)


def _tree(value: Any, path: str = "") -> dict[str, set[str]]:
    """Return the JSON types by path; `[]` in a path stands for all items of a list."""
    tree = {path: {_TYPES.get(type(value), "null")}}
    inner: Iterable[tuple[str, Any]] = ()
    if isinstance(value, dict):
        inner = ((f"{path}.{name}".lstrip("."), item) for name, item in value.items())
    elif isinstance(value, list):
        inner = ((f"{path}[]", item) for item in value)
    for below, item in inner:
        for at, types in _tree(item, below).items():
            tree.setdefault(at, set()).update(types)
    return tree


def _compare_trees(then: Mapping[str, set[str]], now: Mapping[str, set[str]]) -> Iterator[str]:
    """Yield the differences between two trees in fields and types; the items of an empty list are unknown."""
    for path in sorted(then.keys() | now.keys()):
        if path in then and path in now:
            if then[path] != now[path]:
                yield f"{path}: {_either(then[path])} was recorded, here it is {_either(now[path])}"
        elif _parent(path) in then and _parent(path) in now:
            types, where = (
                (then[path], "was recorded and is not here")
                if path in then
                else (now[path], "is here and was not recorded")
            )
            if not path.endswith("[]"):
                yield f"{path}: ({_either(types)}) {where}"


def _parent(path: str) -> str:
    return path.removesuffix("[]") if path.endswith("[]") else path.rpartition(".")[0]


def _either(types: set[str]) -> str:
    return " or ".join(sorted(types))
