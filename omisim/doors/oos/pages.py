"""The pages of lists: their limit, their names and their results."""

from __future__ import annotations

import html
import re
from bisect import bisect_left
from collections.abc import Collection, Iterable, Mapping
from itertools import islice
from urllib.parse import quote

from omisim.base.foreign import parse_count
from omisim.doors.http import HttpResponse
from omisim.spec.storage_operations import STORAGE_PAGES
from omisim.state.buckets import StorageError

__all__ = ["count_results", "encode_names", "find_page", "read_limit"]

MAX_PAGE = 1000  # results
_NAME = re.compile(rb"<(Key|Prefix|Delimiter|(?:Next)?(?:Key)?Marker|StartAfter)>(.*?)</\1>", re.DOTALL)
_LIST_END = re.compile(rb"(?=</List(?:Bucket|Versions)Result>)")


def read_limit(parameters: Mapping[str, str], name: str) -> str:
    """Return the limit of a page, which is `MAX_PAGE` at most. Raises StorageError if it is not a number."""
    text = parameters.get(name, str(MAX_PAGE))
    try:
        return str(min(parse_count(text, 2**63), MAX_PAGE))
    except ValueError:
        raise StorageError("InvalidArgument", f"{name} must be a number from 0, not {text[:20]!r}") from None


def find_page(names: Iterable[str], prefix: str, delimiter: str, after: str, size: int) -> Collection[str]:
    """Return the names of the objects that make a page and tell whether another follows: one of each common prefix.

    The page begins after the key or common prefix `after`.
    """
    ordered = sorted(names)
    entries: dict[str, str] = {}  # key or common prefix → its first object
    for name in islice(ordered, bisect_left(ordered, max(prefix, after)), None):
        if len(entries) > size or not name.startswith(prefix):
            break
        folder, end, _ = name[len(prefix) :].partition(delimiter) if delimiter else (name, "", "")
        entry = f"{prefix}{folder}{end}" if end else name
        if entry > after:
            entries.setdefault(entry, name)
    return entries.values()


def encode_names(body: bytes) -> bytes:
    """Return a list of objects with all its names percent-encoded. moto encodes only some of them."""

    def encode(match: re.Match[bytes]) -> bytes:
        name = quote(html.unescape(match[2].decode(errors="replace")))
        return b"<%b>%b</%b>" % (match[1], name.encode(), match[1])

    return _LIST_END.sub(b"<EncodingType>url</EncodingType>", _NAME.sub(encode, body))


def count_results(name: str, response: HttpResponse) -> int:
    """Return the number of results in a page."""
    return sum(response.body.count(f"<{element}>".encode()) for element in STORAGE_PAGES[name][1])
