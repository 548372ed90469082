"""Recordings: exchanges, a JSON object a line, as a proxy before the real API or `omisim serve --record` keeps them.

Of an object these keys are read: `path`, `req.body`, `status`, `res.body`; and where they are there: `t` (when), `host`
(a Region's), and `account`, our own: `name@region` of who asked. Headers are neither read nor written, nor are the keys
in an answer.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TextIO

from omisim.base.hosts import parse_host

__all__ = ["Exchange", "exchanges", "write"]

_SECRETS = ("PrivateKey", "SecretKey")


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and its answer. `at`, `account` and `region` are None where the recording does not tell."""

    line: int
    path: str
    given: Any
    status: int
    answer: Any
    at: dt.datetime | None
    account: str | None
    region: str | None

    @property
    def action(self) -> str:
        """The action that was asked for."""
        return self.path.rstrip("/").rpartition("/")[2]


def exchanges(lines: Iterable[str]) -> Iterator[Exchange]:
    """Read a recording. Raises ValueError, with the line's number, for what is no exchange."""
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            yield _read_exchange(number, json.loads(line))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            why = f"it has no {error}" if isinstance(error, KeyError) else error
            raise ValueError(f"line {number} is no recorded exchange: {why}") from None


def _read_exchange(number: int, said: Mapping[str, Any]) -> Exchange:
    if not isinstance(said, dict):
        raise TypeError("it is no JSON object")
    path, status = said["path"], said["status"]
    if not isinstance(path, str) or type(status) is not int:
        raise TypeError("path is a string, status a number")
    account, _, region = said.get("account", "").partition("@")
    host = parse_host(said.get("host", ""))
    return Exchange(
        number,
        path,
        said["req"].get("body"),
        status,
        said["res"].get("body"),
        dt.datetime.fromisoformat(said["t"]) if "t" in said else None,
        account or None,
        region or (host.region if host and host.service == "api" else None),
    )


def write(stream: TextIO, at: dt.datetime, account: str, path: str, given: bytes, status: int, answer: bytes) -> None:
    """Write one exchange of a server of ours, at the cloud's time."""
    line = {
        "t": at.isoformat(timespec="milliseconds"),
        "account": account,
        "path": path,
        "status": status,
        "req": {"body": _decode_body(given)},
        "res": {"body": _redact_secrets(_decode_body(answer))},
    }
    stream.write(json.dumps(line, ensure_ascii=False) + "\n")
    stream.flush()


def _redact_secrets(value: Any) -> Any:
    """Return an answer with a word in the place of each key: a replay compares no values."""
    if isinstance(value, dict):
        return {n: "redacted" if n in _SECRETS else _redact_secrets(inner) for n, inner in value.items()}
    return [_redact_secrets(inner) for inner in value] if isinstance(value, list) else value


def _decode_body(text: bytes) -> Any:
    try:
        return json.loads(text) if text else None
    except (ValueError, RecursionError):
        return text.decode(errors="replace")
