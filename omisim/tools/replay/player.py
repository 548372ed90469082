"""Send the recorded requests to a new cloud, and compare its answers with the recorded ones."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from omisim.cloud.cloud import Cloud
from omisim.doors.http import HttpRequest
from omisim.doors.oapi import OapiDoor
from omisim.formats.recording import Exchange
from omisim.model.ids import derive_hex
from omisim.state.settings import Timing
from omisim.tools.replay.compare import (
    ID,
    ID_INSIDE,
    compare_trees,
    compare_values,
    find_ids,
    is_identity,
    make_tree,
    pair_items,
    sort_key,
)
from omisim.tools.replay.report import Acceptance, Divergence, Report

__all__ = ["replay"]

T = TypeVar("T")
# statuses that do not depend on the request → the reason
_SKIPPED = {
    401: "a recording has no signatures",
    429: "it was throttled",
    500: "the platform failed",
    503: "the platform was throttled",
}


def replay(
    recorded: Iterable[Exchange],
    accepted: Iterable[Acceptance] = (),
    *,
    region: str | None = None,
    timing: Timing = "eager",
    seed: int | str = 0,
    values: bool = False,
    fill: Mapping[str, Any] | None = None,
) -> Report:
    """Send the recorded requests to a new cloud, and compare its answers with the recorded ones.

    Args:
        recorded: The exchanges, from `omisim.recording.exchanges`.
        accepted: Acceptances of known divergences, from `acceptances`.
        region: The Region of exchanges that name none (default eu-west-2).
        timing: The timing of the cloud. Its clock advances as between the recorded calls.
        seed: The seed of the cloud.
        values: Compare the values of enums, booleans, numbers and texts too.
        fill: The values to send for redactions, from `fillings`. Other redactions are sent as they are.

    Raises ValueError for an unknown Region or timing, and for arguments of another type.
    """
    recorded = _check_items("recorded", Exchange, recorded, "recording.exchanges")
    accepted = _check_items("accepted", Acceptance, accepted, "replay.acceptances")
    player = _Replayer(Cloud(seed=seed, timing=timing, auth="off"), recorded, region, values=values, fill=fill)
    divergences: list[Divergence] = []
    skipped: dict[int, str] = {}
    for exchange in recorded:
        reason = _SKIPPED.get(exchange.status, "")
        if exchange.service != "api":
            reason = f"its host is that of {exchange.service}, and only calls of the API are replayed"
        if reason:
            skipped[exchange.line] = reason
            continue
        for divergence in dict.fromkeys(player.play(exchange)):
            accepted_for = next((acceptance.reason for acceptance in accepted if acceptance.covers(divergence)), "")
            divergences.append(replace(divergence, accepted=accepted_for))
    idle = tuple(acceptance for acceptance in accepted if not any(map(acceptance.covers, divergences)))
    unused = tuple(name for name in fill or {} if name not in player.filled)
    return Report(len(recorded), tuple(divergences), skipped, idle, unused)


def _check_items(parameter: str, cls: type[T], values: Iterable[T], reader: str) -> tuple[T, ...]:
    items = tuple(values) if isinstance(values, Iterable) else ()
    if not isinstance(values, Iterable) or not all(isinstance(item, cls) for item in items):
        raise ValueError(f"{parameter} must be the result of omisim.{reader}(), not {values!r:.80}")
    return items


class _Replayer:
    """A cloud, with the mapping of the recording's accounts and ids to its own."""

    def __init__(
        self,
        cloud: Cloud,
        recorded: Iterable[Exchange],
        region: str | None,
        *,
        values: bool,
        fill: Mapping[str, Any] | None,
    ) -> None:
        self._cloud, self._values, self._fill = cloud, values, fill or {}
        self.filled: set[str] = set()  # the redactions that have got a value
        self._door = OapiDoor(cloud.engine)
        self._accounts = {
            caller: cloud.account(caller[0] or "alice", region=caller[1] or region)
            for caller in dict.fromkeys((exchange.account, exchange.region) for exchange in recorded)
        }
        self._ids: dict[str, str] = {}  # recorded id → id in this cloud
        self._taken: set[str] = set()  # the ids in this cloud
        self._lost: dict[str, int] = {}  # recorded id that this cloud has not created → the line of the divergence
        # the times of the first exchange: the recorded one, and that in this cloud
        self._start: tuple[dt.datetime, dt.datetime] | None = None

    def play(self, exchange: Exchange) -> Iterator[Divergence]:
        """Send the request of an exchange, and yield the differences between the answers."""
        self._advance_to(exchange.at)
        account = self._accounts[exchange.account, exchange.region]
        parameters = self._translate(exchange.parameters)
        body = parameters if isinstance(parameters, str) else "" if parameters is None else json.dumps(parameters)
        headers = {"content-type": "application/json", "authorization": f"Credential={account.access_key}/"}
        response = self._door.handle(HttpRequest("POST", "", exchange.path, headers, body.encode()), self._cloud.now)
        answer = json.loads(response.body)
        cause = self._find_cause(exchange)
        here = f"{response.status}, code {_code(answer)}" if "Errors" in answer else str(response.status)
        then = f"{exchange.status}, code {_code(exchange.answer)}" if exchange.status >= 400 else str(exchange.status)  # noqa: PLR2004
        if here != then:
            rule = response.headers.get("X-Omisim-Rule", "")
            why = f" ({rule}: {answer['Errors'][0]['Details']})" if "Errors" in answer else ""
            says = f"status {then} was recorded, here it is {here}{why}"
            yield Divergence(exchange.line, exchange.action, says, severity="answer", rule=rule, follows=cause)
            if exchange.status < 400:  # noqa: PLR2004 - the recorded call succeeded
                self._note_lost_ids(exchange, cause or exchange.line)
            return
        for says in self._compare(exchange.answer, answer):
            yield Divergence(exchange.line, exchange.action, says, follows=cause)

    def _compare(self, then: Any, now: Any) -> Iterator[str]:
        """Yield the differences between two answers of the same status, and learn ids from them."""
        yield from compare_trees(make_tree(then), make_tree(now))
        yield from self._map_ids(then, now, "", fits=True)
        if self._values:
            yield from compare_values(then, now)

    def _find_cause(self, exchange: Exchange) -> int | None:
        """Return the line of the divergence without whose resources an exchange cannot be repeated, or None."""
        used = (*find_ids(exchange.parameters), *find_ids(exchange.answer))
        return next((self._lost[row_id] for row_id in used if row_id in self._lost), None)

    def _note_lost_ids(self, exchange: Exchange, line: int) -> None:
        """Note the ids that the recorded answer returned first: this cloud has not created their resources."""
        for row_id in find_ids(exchange.answer):
            if row_id not in self._ids:
                self._lost.setdefault(row_id, line)

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
        if isinstance(value, str) and value in self._fill:
            self.filled.add(value)
            return self._fill[value]
        if not isinstance(value, str):
            return value
        if value in self._ids or value not in self._taken:
            return self._ids.get(value) or ID_INSIDE.sub(lambda match: self._ids.get(match[0], match[0]), value)
        prefix, _, digits = value.rpartition("-")
        return f"{prefix}-{derive_hex(value)[: len(digits)]}" if prefix else value

    def _map_ids(self, then: Any, now: Any, path: str, *, fits: bool) -> Iterator[str]:
        """Map recorded ids to this cloud's; yield a line per mismatch. `fits`: the places correspond."""
        if isinstance(then, dict) and isinstance(now, dict):
            for name in filter(now.__contains__, then):
                yield from self._map_ids(then[name], now[name], f"{path}.{name}".lstrip("."), fits=fits)
        elif isinstance(then, list) and isinstance(now, list):
            if len(then) != len(now):
                yield f"{path}: {_items(len(then))} recorded, here {_items(len(now))}"
            expected = [self._translate(item) for item in then]
            if expected != now and sort_key(expected) == sort_key(now):
                yield f"{path}: the same items, in another order"
                return
            for number, (first, other) in enumerate(pair_items(then, now, self._ids)):
                yield from self._map_ids(first, other, f"{path}[{number}]", fits=fits and len(then) == len(now))
        elif isinstance(then, str) and isinstance(now, str) and (is_identity(then) or path == "NextPageToken"):
            known_id = self._ids.setdefault(then, now)
            self._taken.add(known_id)
            if fits and known_id != now and ID.fullmatch(then):
                yield f"{path}: the recording has {then} there, which is {known_id} here, but here it is {now}"


def _code(answer: Any) -> str:
    try:
        return str(answer["Errors"][0]["Code"])
    except (KeyError, IndexError, TypeError):
        return "none"


def _items(count: int) -> str:
    return "1 item was" if count == 1 else f"{count} items were"
