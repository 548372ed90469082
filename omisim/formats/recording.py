"""Recordings of exchanges with the API, one JSON object a line, from a proxy or from `omisim serve --record`.

Required keys are `path`, `req.body`, `status` and `res.body`. Optional keys are `t` (the time), `host` (which names a
Region) and omisim's own `account` (`name@region` of the caller). Headers are neither read nor written. Secret keys,
passwords and the signatures of URLs are redacted, in requests and in answers.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TextIO

from omisim.base.foreign import parse_date, parse_json
from omisim.base.frozen import frozen
from omisim.base.hosts import parse_host
from omisim.base.redact import redact

__all__ = ["Exchange", "exchanges", "write"]


@frozen()
class Exchange:
    """One request and its answer. `at`, `account` and `region` are None if the recording does not contain them."""

    line: int
    path: str
    parameters: Any
    status: int
    answer: Any
    at: dt.datetime | None
    account: str | None
    region: str | None
    service: str = "api"  # of the host name, such as "fcu"

    @property
    def action(self) -> str:
        """The name of the requested action."""
        return self.path.rstrip("/").rpartition("/")[2]


def exchanges(lines: Iterable[str]) -> Iterator[Exchange]:
    """Yield the exchanges of a recording. Raises ValueError, with the line number, for an invalid line."""
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            yield _read_exchange(number, parse_json(line))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            reason = f"it has no {error}" if isinstance(error, KeyError) else error
            raise ValueError(f"line {number} is not a recorded exchange: {reason}") from None


def _read_exchange(number: int, line: Mapping[str, Any]) -> Exchange:
    if not isinstance(line, dict):
        raise TypeError(f"the line must be a JSON object, not {type(line).__name__}")
    path, status = line["path"], line["status"]
    if not isinstance(path, str) or type(status) is not int:
        raise TypeError("path must be a string and status an integer")
    for name in ("req", "res"):
        if not isinstance(line[name], dict):
            raise TypeError(f"{name} must be a JSON object, not {type(line[name]).__name__}")
    for name in ("account", "host"):
        if not isinstance(line.get(name, ""), str):
            raise TypeError(f"{name} must be a string")
    account, _, region = line.get("account", "").partition("@")
    host = parse_host(line.get("host", ""))
    return Exchange(
        line=number,
        path=path,
        parameters=_read_body(line["req"]),
        status=status,
        answer=_read_body(line["res"]),
        at=parse_date(line["t"]) if "t" in line else None,
        account=account or None,
        region=region or (host.region if host and host.service == "api" else None),
        service=host.service if host else "api",
    )


def _read_body(message: Mapping[str, Any]) -> Any:
    """Return a body. Many recorders write it as text: that of a JSON object is read."""
    body = message.get("body")
    if not isinstance(body, str) or not body.lstrip().startswith("{"):
        return body
    try:
        return parse_json(body)
    except ValueError:
        return body


def write(
    stream: TextIO, at: dt.datetime, account: str, path: str, request_body: bytes, status: int, answer: bytes
) -> None:
    """Write one exchange of an omisim server, with the cloud's time."""
    line = {
        "t": at.isoformat(timespec="milliseconds"),
        "account": account,
        "path": path,
        "status": status,
        "req": {"body": redact(_decode_body(request_body))},
        "res": {"body": redact(_decode_body(answer))},
    }
    stream.write(json.dumps(line) + "\n")
    stream.flush()


def _decode_body(text: bytes) -> Any:
    try:
        return parse_json(text) if text else None
    except ValueError:
        return text.decode(errors="replace")
