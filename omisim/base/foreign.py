"""Parse text that comes from outside: JSON, TOML, XML, numbers, dates and URLs. The only place that does so.

Each function returns a value that the rest of the code can compute with, or raises ValueError. Python's own parsers
accept more: `²` is a digit of `str.isdigit`, `1e999` becomes infinite, and a date of the year 9999 may overflow.
"""

from __future__ import annotations

import datetime as dt
import json
import math
import re
import tomllib
from collections.abc import Callable
from typing import Any
from urllib.parse import SplitResult, urlsplit

__all__ = [
    "MAX_DEPTH", "MAX_DIGITS", "make_json_decoder", "parse_base_url", "parse_count", "parse_date", "parse_json",
    "parse_target", "parse_toml", "parse_url", "parse_xml",
]  # fmt: skip

MAX_DEPTH = 64  # objects and lists inside each other; the deepest document that omisim reads has ten
MAX_DIGITS = 40  # of an integer; the largest that has a meaning here has 20
MAX_URL = 2**16  # characters
_WHITE_SPACE = " \t\n\r"  # of JSON
_COUNT = re.compile(f"[0-9]{{1,{MAX_DIGITS}}}")
_NOT_IN_URLS = re.compile(r"[\x00-\x20\x7f\ud800-\udfff]")
Hook = Callable[[dict[str, Any]], Any]


def parse_json(text: str | bytes, decoder: json.JSONDecoder | None = None) -> Any:
    """Return the value of a JSON document. `decoder` is the result of `make_json_decoder`.

    Raises ValueError for text that is not JSON (`NaN`, `Infinity`), for numbers without a finite value and integers of
    more than 40 digits, for lone surrogates, and for more than 64 levels.
    """
    content = (text if isinstance(text, str) else text.decode()).strip(_WHITE_SPACE)
    try:
        value, end = (decoder or _DECODER).raw_decode(content)  # not decode, which searches for the space by a pattern
    except RecursionError:
        raise ValueError(f"it is nested more than {MAX_DEPTH} levels deep") from None
    if end < len(content):
        raise json.JSONDecodeError("Extra data", content, end)
    if content.count("[") + content.count("{") > MAX_DEPTH:
        _check_depth(value)
    if "\\u" in content:
        _check_surrogates(value)
    return value


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        level = [item for outer in level if isinstance(outer, dict | list) for item in _list_items(outer)]
    if level:
        raise ValueError(f"it is nested more than {MAX_DEPTH} levels deep")


def _list_items(value: dict[str, Any] | list[Any]) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else value


def _check_surrogates(value: Any) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"it contains the lone surrogate {error.object[error.start]!r}") from None


def _parse_integer(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise ValueError(f"an integer has {len(text)} digits, more than {MAX_DIGITS}")
    return int(text)


def _parse_float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:MAX_DIGITS]} is too large for a number")
    return number


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def make_json_decoder(object_hook: Hook | None = None) -> json.JSONDecoder:
    """Return a decoder for `parse_json`. `object_hook` converts each object, as in `json.loads`."""
    return json.JSONDecoder(
        object_hook=object_hook, parse_constant=_refuse_constant, parse_float=_parse_float, parse_int=_parse_integer
    )


_DECODER = make_json_decoder()


def parse_toml(text: str) -> dict[str, Any]:
    """Return the data of a TOML document.

    Raises TOMLDecodeError, a ValueError, for text that is not TOML, and for more than 64 levels.
    """
    try:
        value = tomllib.loads(text)
        _check_depth(value)
    except tomllib.TOMLDecodeError:
        raise
    except RecursionError:
        raise tomllib.TOMLDecodeError(f"it is nested more than {MAX_DEPTH} levels deep") from None
    except ValueError as error:
        raise tomllib.TOMLDecodeError(str(error)) from None
    return value


def parse_xml(text: bytes) -> dict[str, Any]:
    """Return an XML document as JSON data: elements by their names without namespaces, a repeated one as a list.

    The items of a list of EC2 (`<item>`, `<member>`) become the list itself; an empty element is "". Attributes are
    left out. Raises ValueError for text that is not XML, for a document type (whose entities can grow without bound)
    and for more than 64 levels.
    """
    content = text.decode()
    if "<!DOCTYPE" in content or "<!ENTITY" in content:
        raise ValueError("it has a document type")
    from xml.etree import ElementTree as ET  # noqa: PLC0415 - few programs need it, and its import takes milliseconds

    try:
        root = ET.fromstring(content)  # noqa: S314 - without a document type there are no entities
    except (ET.ParseError, ValueError) as error:
        raise ValueError(str(error)) from None
    return {_get_local_name(root.tag): _read_element(root, MAX_DEPTH)}


def _read_element(element: Any, depth: int) -> Any:
    if depth == 0:
        raise ValueError(f"it is nested more than {MAX_DEPTH} levels deep")
    grouped: dict[str, list[Any]] = {}
    for inner in element:
        grouped.setdefault(_get_local_name(inner.tag), []).append(_read_element(inner, depth - 1))
    if not grouped:
        return element.text or ""
    if len(grouped) == 1 and next(iter(grouped)) in _ITEMS:
        return next(iter(grouped.values()))
    return {name: values[0] if len(values) == 1 else values for name, values in grouped.items()}


_ITEMS = ("item", "member")  # the elements of a list


def _get_local_name(tag: str) -> str:
    return tag.rpartition("}")[2]


def parse_count(text: str, most: int) -> int:
    """Return the number that ASCII digits write, from 0 to `most`. Raises ValueError for any other text."""
    number = int(text) if _COUNT.fullmatch(text) else -1
    if not 0 <= number <= most:
        raise ValueError(f"it must be a number from 0 to {most}, not {text[:MAX_DIGITS]!r}")
    return number


def parse_date(text: str) -> dt.datetime:
    """Return the time of an ISO 8601 date, in UTC; without a time zone, it counts as UTC.

    Raises ValueError for any other text and for a time that no year from 1 to 9999 contains in UTC.
    """
    at = dt.datetime.fromisoformat(text)
    try:
        return at.astimezone(dt.UTC) if at.tzinfo else at.replace(tzinfo=dt.UTC)
    except OverflowError:
        raise ValueError(f"{text} is not within the years 1 to 9999 in UTC") from None


def parse_url(text: str) -> SplitResult:
    """Return the parts of an http or https URL.

    Raises ValueError for another scheme, a missing or malformed host or port, for spaces and control characters.
    """
    parts = parse_target(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:
        raise ValueError(f"{text!r} is not an http or https URL")
    return parts


def parse_base_url(text: str, name: str, example: str) -> SplitResult:
    """Return the parts of the http or https URL of a server. Raises ValueError, with the name of the option.

    A URL with a user name or a password is refused, because errors and reports contain it.
    """
    try:
        parts: SplitResult | None = parse_url(text)
    except ValueError:
        parts = None
    if parts is None or "@" in parts.netloc:
        raise ValueError(f"{name} must be a URL such as {example}, not {text!r}")
    return parts


def parse_target(text: str) -> SplitResult:
    """Return the parts of the target of an HTTP request.

    Raises ValueError for spaces, control characters, and more than 65,536 characters.
    """
    if len(text) > MAX_URL:  # Python caches the parts of the latest 128 URLs
        raise ValueError(f"it has more than {MAX_URL} characters")
    if _NOT_IN_URLS.search(text):
        raise ValueError("it contains a space or a control character")
    return urlsplit(text)
