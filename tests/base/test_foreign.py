"""Text from outside is parsed in one place, by functions that return a usable value or raise ValueError."""

from __future__ import annotations

import ast
import datetime as dt
import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.syntax import syntax_nodes

from omisim import ManualClock, SystemClock
from omisim.base.clock import EARLIEST, LATEST
from omisim.base.foreign import (
    MAX_DEPTH,
    parse_count,
    parse_date,
    parse_json,
    parse_toml,
    parse_url,
    parse_xml,
)

HOSTILE_NUMBERS = ("Infinity", "-Infinity", "NaN", "1e999", "-1e999", "9" * 5000, "²", "١٢", "1_000", " 1", "+1", "0x1")
HOSTILE_DATES = ("9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", "²", "1e999", "9" * 5000, "", "\ud800")
HOSTILE_URLS = (
    "http://[",
    "http://[::1",
    "http://a:99999/",
    "http://a:²/",
    "http://a b/",
    "http://\ud800/",
    "http://℀.com/",
)
# modules that may use Python's own parsers, because their text does not come from outside
OWN_TEXT = {
    "spec/": "tables of the package",
    "base/foreign.py": "the one place",
    "engine/unserved.py": "a copy of the user's own dict",
    "probe/": "answers of an endpoint that the user names, and files of the user",
    "testing/": "values of the user's own test",
    "pytest_plugin/ini.py": "the user's own settings, each with a named error",
    "clients/": "requests of the process itself",
    "state/storage_signatures.py": "splits URLs that it has made",
    "model/dump_form.py": "dumps, whose reader names the errors",
    "state/sqlite_store.py": "rows of the state file, whose reader names the errors",
    "tools/explain.py": "the name of an action or a word",
    "tools/replay/player.py": "answers of omisim",
}
PARSERS = {"fromisoformat", "isdecimal", "isdigit", "isnumeric", "loads", "strptime", "urlsplit", "urlparse"}


@given(st.text() | st.sampled_from([*HOSTILE_NUMBERS, *HOSTILE_DATES, *HOSTILE_URLS]))
def test_any_text_is_parsed_or_refused_with_a_value_error(text: str) -> None:
    """Whatever the text, a parser returns a value that can be computed with, or raises ValueError."""
    with suppress(ValueError):
        assert 0 <= parse_count(text, 2**63) <= 2**63
    with suppress(ValueError):
        assert parse_date(text).tzinfo is dt.UTC
    with suppress(ValueError):
        parse_url(text).port  # noqa: B018 - must not raise
    with suppress(ValueError):
        json.dumps(parse_json(text), allow_nan=False).encode()
    with suppress(ValueError):
        json.dumps(parse_json(text.encode(errors="surrogatepass")), allow_nan=False, ensure_ascii=False).encode()
    with suppress(ValueError):
        parse_toml(text)


@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 5000])
def test_deep_toml_is_refused(depth: int) -> None:
    """A scenario, a table of switches and the other files of the command line may be nested 64 levels deep."""
    parse_toml(f"a = {'[' * (MAX_DEPTH - 1)}{']' * (MAX_DEPTH - 1)}")
    with pytest.raises(ValueError, match="nested more than 64 levels deep"):
        parse_toml(f"a = {'[' * depth}{']' * depth}")


@pytest.mark.parametrize("text", HOSTILE_NUMBERS)
def test_numbers_of_python_alone_are_refused(text: str) -> None:
    """Python's int and float accept digits of other scripts, underscores and infinity."""
    with pytest.raises(ValueError, match="must be a number from 0 to 100"):
        parse_count(text, 100)
    with pytest.raises(ValueError, match=r"JSON|large|digits|Expecting|Extra"):
        parse_json(f"[{text.strip()}]") if text.strip() != "1" else parse_json("[01]")


@pytest.mark.parametrize("text", HOSTILE_DATES)
def test_dates_outside_of_the_calendar_are_refused(text: str) -> None:
    """A date that UTC cannot express is refused, as text that is not a date."""
    with pytest.raises(ValueError, match=r"years 1 to 9999|isoformat|1\.\.12"):
        parse_date(text)


@pytest.mark.parametrize("text", HOSTILE_URLS)
def test_malformed_urls_are_refused(text: str) -> None:
    """A URL with a malformed host or port, a space or a surrogate is refused."""
    with pytest.raises(ValueError, match=r"IPv6|Port|control character|netloc"):
        parse_url(text)


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_nested_json_is_bounded(opening: str) -> None:
    """64 levels are read. One more is refused, as is any number that would exhaust the stack."""
    closing = {"[": "]", '{"a":': "}"}[opening]
    assert parse_json(opening * MAX_DEPTH + "1" + closing * MAX_DEPTH)
    for depth in (MAX_DEPTH + 1, 500, 100_000):
        with pytest.raises(ValueError, match="more than 64 levels"):
            parse_json(opening * depth + "1" + closing * depth)


AROUND = st.text(alphabet=" \t\n\r\f\xa0\ufeff,]}1", max_size=3)


@given(AROUND, AROUND)
def test_only_white_space_may_be_around_json(before: str, after: str) -> None:
    """Before and after its value, a document has only the white space of JSON."""
    text = f"{before}[1]{after}"
    if text.strip(" \t\n\r") == "[1]":
        assert parse_json(text) == [1]
    else:
        with pytest.raises(ValueError, match=r"Expecting value|Extra data"):
            parse_json(text)


def test_lone_surrogates_are_refused_in_values_and_names() -> None:
    """JSON can write half of a character, which no encoding can; a whole pair is one character."""
    for text in (r'{"a": "\ud800"}', r'{"\udc00": 1}', r'["\uD800\ud800"]'):
        with pytest.raises(ValueError, match="lone surrogate"):
            parse_json(text)
    assert parse_json(r'"\ud83d\ude00"') == "😀"


@pytest.mark.parametrize("clock", [ManualClock(), SystemClock()], ids=["manual", "system"])
def test_clocks_stop_far_below_the_last_year(clock: ManualClock | SystemClock) -> None:
    """No clock passes the year 8999, so that adding a duration to its time never overflows."""
    for seconds in (1e12, 10**40, float("inf"), float("nan")):
        with pytest.raises(ValueError, match=r"finite|pass the year 8999"):
            clock.advance(seconds)


@pytest.mark.parametrize(
    "start",
    [
        LATEST + dt.timedelta(days=1),
        dt.datetime(1, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=2))),
        EARLIEST - dt.timedelta(days=1),
    ],
    ids=["late", "before the first year in UTC", "early"],
)
def test_clocks_start_in_years_of_four_digits(start: dt.datetime) -> None:
    """Signatures and answers write a year with four digits."""
    with pytest.raises(ValueError, match="in the years 1000 to 8999"):
        ManualClock(start)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b"<a/>", {"a": ""}),
        (b'<?xml version="1.0"?><a xmlns="urn:x"><b>1</b><c z="2"/></a>', {"a": {"b": "1", "c": ""}}),
        (b"<a><b>1</b><b>2</b></a>", {"a": {"b": ["1", "2"]}}),
        (b"<a><set><item><b>1</b></item></set></a>", {"a": {"set": [{"b": "1"}]}}),
    ],
)
def test_xml_becomes_data(text: bytes, value: object) -> None:
    """Elements become objects, and items of EC2 a list, even if there is only one."""
    assert parse_xml(text) == value


@pytest.mark.parametrize(
    "text",
    [
        b"", b"{}", b"<a>", b"<html>&nbsp;</html>", b"\xff\xfe<\x00", b"<a>" * 70 + b"</a>" * 70,
        b'<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>', "<!DOCTYPE a><a/>".encode("utf-16"),
    ],
)  # fmt: skip
def test_other_text_is_not_xml(text: bytes) -> None:
    """Broken, deep and self-expanding documents are refused with ValueError."""
    with pytest.raises(ValueError, match=r"."):
        parse_xml(text)


def test_other_modules_do_not_parse_foreign_text() -> None:
    """Only omisim/base/foreign.py uses Python's lenient parsers on text from outside."""
    parsing = {
        path
        for path, node in syntax_nodes("|".join(PARSERS))
        if isinstance(node, ast.Call)
        and (node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")) in PARSERS
        and not ast.unparse(node.func).startswith("tomllib.")
    }
    assert not {path for path in parsing if not path.startswith(tuple(OWN_TEXT))}
    assert not {own for own in OWN_TEXT if not any(path.startswith(own) for path in parsing)}, "no longer needed"
