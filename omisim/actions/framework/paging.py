"""Paging of reads: ResultsPerPage and NextPageToken (domain 9.4)."""

from __future__ import annotations

import base64
import binascii
import json
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple

from omisim.base.foreign import parse_json
from omisim.model.ids import derive_hex
from omisim.spec.rules import refuse

__all__ = ["MAX_RESULTS", "compute_limit", "paginate"]

MAX_RESULTS = 1000
MOST = sys.maxsize // 2 - 1  # two of them, and one more row, can be counted
UNSIZED = "u."  # begins a token whose page only the platform has limited


def paginate(
    action: str,
    rows: tuple[Any, ...],
    filters: object,
    size: int | None,
    next_token: str | None,
    default_size: int,
    max_size: int | None = None,
) -> tuple[tuple[Any, ...], str | None]:
    """Return the rows of one page and the token of the next page, None after the last.

    A token is opaque. It names the first row of the next page, and is valid for the same action and filters only
    (PAG-005). `max_size` limits the page, whatever size was requested.
    """
    if size is not None and not 1 <= size <= MAX_RESULTS:
        raise refuse("PAG-001", results_per_page=size)
    size = size or default_size
    unsized = not size  # only the platform limits the page, so the next request need not name a size either
    if unsized and next_token is not None and not next_token.startswith(UNSIZED):
        raise refuse("PAG-007")
    if max_size is not None:
        size = min(size or max_size, max_size)
    if next_token is None and (not size or len(rows) <= size):
        return rows, None
    mark = derive_hex(action, repr(filters))[:16]
    start = 0
    if next_token is not None:
        token = _decode_token(next_token)
        if token is None:
            raise refuse("PAG-003", reason="no read returned this token")
        if token.mark != mark:
            raise refuse("PAG-003", reason="the token belongs to another read or to other filters")
        start = _find_start(rows, token)
    end = start + (size or MAX_RESULTS)
    more = (
        (UNSIZED if unsized else "") + _encode_token(_Token(mark, end, _identify(rows[end])))
        if end < len(rows)
        else None
    )
    return rows[start:end], more


def compute_limit(size: int | None, next_token: str | None, default_size: int, max_size: int | None) -> int | None:
    """Return the number of results after which `paginate` has a page and knows whether another follows.

    None if it needs them all. Values that `paginate` refuses give any number.
    """
    size = size or default_size or max_size
    if not size:
        return None
    token = _decode_token(next_token) if next_token is not None else _Token("", 0, "")
    return None if token is None or token.start > MOST else token.start + min(max(size, 0), MOST) + 1


class _Token(NamedTuple):
    """The action and filters of a read, and the first row of its next page: where it was, and which one it is."""

    mark: Any
    start: int
    row: Any


def _find_start(rows: Sequence[Any], token: _Token) -> int:
    """Return where the next page begins: rows before it may have been deleted since the last page (PAG-008)."""
    start = token.start
    if start < len(rows) and _identify(rows[start]) == token.row:
        return start
    return next((index for index, row in enumerate(rows) if _identify(row) == token.row), start)


def _identify(row: Any) -> str:
    return str(getattr(row, "id", "")) or derive_hex(repr(row))[:16]


def _encode_token(token: _Token) -> str:
    return base64.b64encode(json.dumps(token).encode()).decode()


def _decode_token(next_token: str) -> _Token | None:
    """Decode a token; return None for an invalid one."""
    try:
        token = _Token(*parse_json(base64.b64decode(next_token.removeprefix(UNSIZED), validate=True)))
    except (binascii.Error, ValueError, TypeError):
        return None
    return token if type(token.start) is int and token.start >= 0 else None
