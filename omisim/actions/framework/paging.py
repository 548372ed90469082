"""Paging of reads: ResultsPerPage and NextPageToken (domain 9.4)."""

from __future__ import annotations

import base64
import binascii
import json
import sys
from typing import Any

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

    A token is opaque. It encodes a position and is valid for the same action and filters only (PAG-005). `max_size`
    limits the page, whatever size was requested.
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
        if token[0] != mark:
            raise refuse("PAG-003", reason="the token belongs to another read or to other filters")
        start = token[1]
    end = start + (size or MAX_RESULTS)
    more = (UNSIZED if unsized else "") + _encode_token(mark, end) if end < len(rows) else None
    return rows[start:end], more


def compute_limit(size: int | None, next_token: str | None, default_size: int, max_size: int | None) -> int | None:
    """Return the number of results after which `paginate` has a page and knows whether another follows.

    None if it needs them all. Values that `paginate` refuses give any number.
    """
    size = size or default_size or max_size
    if not size:
        return None
    token = (None, 0) if next_token is None else _decode_token(next_token)
    return None if token is None or token[1] > MOST else token[1] + min(max(size, 0), MOST) + 1


def _encode_token(mark: str, start: int) -> str:
    return base64.b64encode(json.dumps([mark, start]).encode()).decode()


def _decode_token(next_token: str) -> tuple[Any, int] | None:
    """Return the mark and the position in a token, or None for what is not a token."""
    try:
        mark, start = parse_json(base64.b64decode(next_token.removeprefix(UNSIZED), validate=True))
    except (binascii.Error, ValueError, TypeError):
        return None
    return (mark, start) if type(start) is int and start >= 0 else None
