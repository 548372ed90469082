"""Paging of reads: ResultsPerPage and NextPageToken."""

from __future__ import annotations

import base64
import json
import re
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from functools import partial
from sys import maxsize
from typing import Any, NamedTuple

from omisim.actions.framework.request import EVERYTHING, Page
from omisim.actions.tags import TAGGED
from omisim.base.foreign import parse_json
from omisim.model import Entity, Log, Quota, QuotaTypes, Tag, VmsStopHistory, VmStates
from omisim.model.answers import GLOBAL
from omisim.model.filters import Filters
from omisim.model.ids import derive_hex
from omisim.spec.rules import refuse
from omisim.state.state import State

__all__ = ["MAX_RESULTS", "find_page", "has_size", "paginate"]

MAX_RESULTS = 1000
UNSIZED = "u."  # begins a token whose page only the platform has limited
# a sort key (`_make_sort_key`) of a resource, or of a tag or quota: then also its place in `TAGGED`, and the tag's key
_FIRST = re.compile("(?:(?:tag|quota) (?P<kind>[0-9]{2}))?(?P<creation>[0-9]{20})(?P<key>.*)", re.DOTALL)


def paginate(
    state: State,
    action: str,
    rows: tuple[Any, ...],
    selection: object,
    size: int | None,
    next_token: str | None,
    default_size: int,
    max_size: int | None = None,
) -> tuple[tuple[Any, ...], str | None]:
    """Return the rows of one page and the token of the next page, None after the last.

    A token is opaque. It says where the next page begins, and is valid for the same action and selection only, in any
    order (PAG-005). `max_size` limits the page, whatever size was requested.
    """
    if size is not None and not 1 <= size <= MAX_RESULTS:
        raise refuse("PAG-001", results_per_page=size)
    size = size or default_size
    unsized = not size  # only the platform limits the page, so the next request need not name a size either
    if max_size is not None:
        size = min(size or max_size, max_size)
    if next_token is None and (not size or len(rows) <= size):
        return rows, None
    mark = derive_hex(f"{action}:{_normalize(selection)}")[:16]
    start = 0 if next_token is None else _find_start(state, rows, _parse_token(next_token, mark))
    end = start + (size or MAX_RESULTS)
    if end >= len(rows):
        return rows[start:], None
    token = _encode_token(_Token(mark, end, _make_sort_key(state, rows[end])))
    return rows[start:end], f"{UNSIZED}{token}" if unsized else token


def has_size(size: int | None, next_token: str, default_size: object) -> bool:
    """Whether the request of a later page names its size, or need not: the platform alone has limited the last."""
    return size is not None or bool(default_size) or next_token.startswith(UNSIZED)


def find_page(size: int | None, next_token: str | None, default_size: int, max_size: int | None = None) -> Page:
    """Return what a read needs to list before `paginate` has the page and knows whether another follows.

    A read leaves out what comes before, so that a later page costs no more than the first one. It lists everything
    without a size, and if any number of rows may have appeared before the page, because its read cannot begin there.
    """
    size = size or default_size or max_size or (MAX_RESULTS if next_token else 0)
    if not size:
        return EVERYTHING
    limit = min(max(size, 0), MAX_RESULTS) + 1
    token = next_token and _decode_token(next_token)
    if not token:
        return EVERYTHING if next_token else Page(limit=limit)
    if not token.key:
        return Page(limit=min(token.start + limit, maxsize))
    first = _FIRST.fullmatch(token.key)
    return Page(int(first["creation"]), (int(first["kind"] or 0), first["key"]), limit) if first else EVERYTHING


def _normalize(selection: object) -> str:
    """Return a text that is the same for the same filters and values in any order."""
    if isinstance(selection, Filters):
        selection = [f"{name}={_normalize(value)}" for name, value in vars(selection).items() if value is not None]
    elif isinstance(selection, Mapping):  # parameters, of which False is as good as absent
        selection = [f"{name}={_normalize(value)}" for name, value in selection.items() if value]
    if isinstance(selection, list | tuple):
        return str(sorted({_normalize(item) for item in selection}))
    return repr(selection)


class _Token(NamedTuple):
    """The action and selection of a read, and the first row of its next page: its position and its sort key."""

    mark: Any
    start: int
    key: str


def _find_start(state: State, rows: Sequence[Any], token: _Token) -> int:
    """Return where the next page begins: rows before it may have been deleted or added since (PAG-008)."""
    return bisect_left(rows, token.key, key=partial(_make_sort_key, state)) if token.key else token.start


def _make_sort_key(state: State, row: Any) -> str:
    """Return a text by which the rows of each list are sorted; "" for a row of the catalogue, which always stays."""
    match row:
        case Entity():
            return _make_creation_key(state, row.kind, row.id)
        case Log():
            return f"log {row.serial:020}"
        case Tag() | Quota() | QuotaTypes():
            return _make_resource_key(state, row)
        case VmStates():
            return _make_creation_key(state, "vm", row.vm_id)
        case VmsStopHistory():
            date = row.stop_date.isoformat(timespec="microseconds")
            return f"{date}{_make_creation_key(state, 'vm', row.vm_id)}"
    return ""


def _make_resource_key(state: State, row: Tag | Quota | QuotaTypes) -> str:
    """Return a text by which values of resources are sorted: by kind as in `TAGGED`, creation, and name.

    "" for the quotas of the account, which come first and always stay.
    """
    match row:
        case Tag():
            noun, resource_id, name = "tag", row.resource_id, row.key
        case Quota():  # only FCU lists quotas by themselves
            noun, resource_id, name = "quota", row.quota_type, row.name
        case QuotaTypes():
            noun, resource_id, name = "quota", row.quota_type, ""
    if resource_id == GLOBAL:
        return ""
    prefix = f"{resource_id.rpartition('-')[0]}-"
    return f"{noun} {[*TAGGED].index(prefix):02}{_make_creation_key(state, TAGGED[prefix][0], resource_id)}{name}"


def _make_creation_key(state: State, kind: str, row_id: str) -> str:
    return f"{state.order(kind, row_id):020}" if state.get(kind, row_id) is not None else ""


def _encode_token(token: _Token) -> str:
    return base64.b64encode(json.dumps(token).encode()).decode()


def _parse_token(next_token: str, mark: str) -> _Token:
    """Return the decoded token, or refuse one that no read with this mark has returned (PAG-003, PAG-005)."""
    token = _decode_token(next_token)
    if token is None:
        raise refuse("PAG-003", reason="no read returned this token")
    if token.mark != mark:
        raise refuse("PAG-003", reason="the token belongs to another read or to other filters")
    return token


def _decode_token(next_token: str) -> _Token | None:
    """Decode a token; return None for an invalid one."""
    try:
        token = _Token(*parse_json(base64.b64decode(next_token.removeprefix(UNSIZED), validate=True)))
    except (ValueError, TypeError):
        return None
    return token if type(token.start) is int and token.start >= 0 and type(token.key) is str else None
