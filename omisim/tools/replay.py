"""Replaying a recording: what it asked is asked of a fresh cloud, and what differs in the answers is told.

Values are not compared, for no two clouds have the same: compared are the status, the codes of errors, the fields with
their types, how long lists are, and their order. Ids are translated. One that an earlier answer gave stands for what
this cloud gave in the same place, and must go on standing for it; an id that no answer gave is unknown to both.
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
# statuses that do not come of what was asked, and why
_SKIPPED = {
    401: "no recording keeps what it takes to sign",
    429: "it was throttled",
    500: "the platform failed",
    503: "the platform was throttled",
}
_TYPES = {dict: "object", list: "list", str: "string", bool: "boolean", int: "integer", float: "number"}


@dataclass(frozen=True, slots=True)
class Acceptance:
    """Divergences that are known, and why they may be: on a line, of an action, or that read like a pattern."""

    reason: str
    line: int | None = None
    action: str | None = None
    pattern: str = "*"

    def covers(self, found: Divergence) -> bool:
        """Whether it is about this divergence."""
        here = self.line in (None, found.line) and self.action in (None, found.action)
        return here and fnmatchcase(found.says, self.pattern)


@dataclass(frozen=True, slots=True)
class Divergence:
    """What differs in an answer, in words, on a line of the recording; `accepted`: why that may be, or ""."""

    line: int
    action: str
    says: str
    accepted: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """What came of a replay. `skipped`: why by line; `idle`: acceptances that covered nothing."""

    exchanges: int
    divergences: tuple[Divergence, ...]
    skipped: Mapping[int, str]
    idle: tuple[Acceptance, ...]

    @property
    def failed(self) -> tuple[Divergence, ...]:
        """The divergences that nothing accepts."""
        return tuple(found for found in self.divergences if not found.accepted)


def acceptances(text: str) -> tuple[Acceptance, ...]:
    """Read an acceptance list. Raises ValueError for what cannot be one.

    TOML, a table `[[accept]]` for each: `reason`, and one or more of `line`, `action` and `pattern` (`*` and `?` stand
    for what they do in a shell) of the divergence's words.
    """
    read = tomllib.loads(text)
    rows = read.pop("accept", [])
    if read or not isinstance(rows, list):
        raise ValueError("an acceptance list has tables [[accept]] and nothing else")
    return tuple(_acceptance(row) for row in rows)


def _acceptance(row: Any) -> Acceptance:
    types = {"reason": str, "line": int, "action": str, "pattern": str}
    if not isinstance(row, dict) or not row.get("reason") or len(row) == 1:
        raise ValueError(f"[[accept]] wants a reason, and a line, an action or a pattern; not {row!r}")
    for name, value in row.items():
        if name not in types or type(value) is not types[name]:
            raise ValueError(f"[[accept]] has reason, line, action and pattern; not {name} = {value!r}")
    return Acceptance(**row)


def replay(
    recorded: Iterable[Exchange],
    accepted: Iterable[Acceptance] = (),
    *,
    region: str | None = None,
    timing: Timing = "eager",
    seed: int | str = 0,
) -> Report:
    """Ask a fresh cloud what was recorded, and compare.

    Args:
        recorded: the exchanges, as `omisim.recording.exchanges` reads them.
        accepted: divergences that may be.
        region: where it happens, if the recording does not say; eu-west-2 unless told.
        timing: of the cloud. Its clock moves as it did between the recorded calls.
        seed: of the cloud.

    Raises ValueError for a Region or a timing that there is not, and for what are no exchanges.
    """
    recorded, accepted = (
        _all(Exchange, recorded, "recording.exchanges"),
        _all(Acceptance, accepted, "replay.acceptances"),
    )
    player = _Player(Cloud(seed=seed, timing=timing, auth="off"), recorded, region)
    found: list[Divergence] = []
    skipped: dict[int, str] = {}
    for exchange in recorded:
        if exchange.status in _SKIPPED:
            skipped[exchange.line] = _SKIPPED[exchange.status]
            continue
        for says in dict.fromkeys(player.play(exchange)):
            one = Divergence(exchange.line, exchange.action, says)
            why = next((acceptance.reason for acceptance in accepted if acceptance.covers(one)), "")
            found.append(replace(one, accepted=why))
    idle = tuple(acceptance for acceptance in accepted if not any(map(acceptance.covers, found)))
    return Report(len(recorded), tuple(found), skipped, idle)


def _all(cls: type[T], given: Iterable[T], reader: str) -> tuple[T, ...]:
    found = tuple(given) if isinstance(given, Iterable) else ()
    if not isinstance(given, Iterable) or not all(isinstance(item, cls) for item in found):
        items = reader.partition(".")[2]
        raise ValueError(f"replay takes {items}, as omisim.{reader} reads them; not {given!r:.80}")
    return found


class _Player:
    """A cloud, and what it knows of the recording: who its accounts are, and what its ids stand for."""

    def __init__(self, cloud: Cloud, recorded: Iterable[Exchange], region: str | None) -> None:
        self._cloud = cloud
        self._door = OapiDoor(cloud.engine)
        self._accounts = {
            said: cloud.account(said[0] or "alice", region=said[1] or region)
            for said in dict.fromkeys((exchange.account, exchange.region) for exchange in recorded)
        }
        self._ids: dict[str, str] = {}  # recorded → here
        self._taken: set[str] = set()  # those here
        self._start: tuple[dt.datetime, dt.datetime] | None = None  # the recording's, and the cloud's

    def play(self, exchange: Exchange) -> Iterator[str]:
        """Ask what an exchange asked; yield in what the answers differ."""
        self._wait(exchange.at)
        account = self._accounts[exchange.account, exchange.region]
        given = self._translated(exchange.given)
        body = given if isinstance(given, str) else "" if given is None else json.dumps(given)
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
        yield from _differing(_tree(exchange.answer), _tree(answer))
        yield from self._learnt(exchange.answer, answer, "", fits=True)

    def _wait(self, at: dt.datetime | None) -> None:
        """Move the clock as far from its start as the recording is from its own."""
        if at is None:
            return
        if self._start is None:
            self._start = at, self._cloud.now
        seconds = (at - self._start[0] - (self._cloud.now - self._start[1])).total_seconds()
        if seconds > 0:
            self._cloud.advance(seconds)

    def _translated(self, value: Any) -> Any:
        """Return what the recording says in this cloud's ids; one that is unknown there is unknown here."""
        if isinstance(value, dict):
            return {name: self._translated(inner) for name, inner in value.items()}
        if isinstance(value, list):
            return [self._translated(inner) for inner in value]
        if not isinstance(value, str):
            return value
        if value in self._ids or value not in self._taken:
            return self._ids.get(value, value)
        prefix, _, digits = value.rpartition("-")
        return f"{prefix}-{derive_hex(value)[: len(digits)]}" if prefix else value

    def _learnt(self, then: Any, now: Any, path: str, *, fits: bool) -> Iterator[str]:
        """Learn what ids stand for; yield where one stands for another than before. `fits`: places correspond."""
        if isinstance(then, dict) and isinstance(now, dict):
            for name in then.keys() & now.keys():
                yield from self._learnt(then[name], now[name], f"{path}.{name}".lstrip("."), fits=fits)
        elif isinstance(then, list) and isinstance(now, list):
            if len(then) != len(now):
                yield f"{path}: {_items(len(then))} recorded, here {_items(len(now))}"
            expected = [self._translated(item) for item in then]
            if expected != now and _sorted(expected) == _sorted(now):
                yield f"{path}: the same items, in another order"
                return
            for number, (one, other) in enumerate(zip(then, now, strict=False)):
                yield from self._learnt(one, other, f"{path}[{number}]", fits=fits and len(then) == len(now))
        elif isinstance(then, str) and isinstance(now, str) and (_ID.fullmatch(then) or path == "NextPageToken"):
            known = self._ids.setdefault(then, now)
            self._taken.add(known)
            if fits and known != now:
                yield f"{path}: the recording has {then} there, which is {known} here, but here it is {now}"


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
    """Return the types by path; `[]` in a path stands for all items of a list."""
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


def _differing(then: Mapping[str, set[str]], now: Mapping[str, set[str]]) -> Iterator[str]:
    """Yield the fields and types in which two trees differ. Of an empty list the items are not known."""
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
