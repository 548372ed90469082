"""Conditional reads and copies (RFC 9110, 13): moto knows some of the conditions, and lets a date overrule an ETag."""

from __future__ import annotations

import datetime as dt
from email.utils import parsedate_to_datetime

from omisim.model import StoredObject
from omisim.state.buckets import StorageError

__all__ = ["resolve_conditions"]

OF_SOURCE = "x-amz-copy-source-"
_CONDITIONS = ("if-match", "if-unmodified-since", "if-none-match", "if-modified-since")


def resolve_conditions(name: str, headers: dict[str, str], item: StoredObject | None) -> None:
    """Decide the conditions of a read, or those on the source of a copy, and remove them from the headers.

    `name` is that of the operation, `item` the object. One condition stays, for which moto answers 304, if the client
    of a read has the object already. Raises StorageError (412).
    """
    prefix = {"GetObject": "", "HeadObject": "", "CopyObject": OF_SOURCE, "UploadPartCopy": OF_SOURCE}.get(name)
    if prefix is None or item is None:
        return
    match, unmodified_since, none_match, modified_since = (headers.pop(prefix + each, "") for each in _CONDITIONS)
    holds = _matches(match, item) if match else not _is_later(item, unmodified_since)
    is_changed = not _matches(none_match, item) if none_match else _is_later(item, modified_since) is not False
    if not holds or (prefix and not is_changed):
        raise StorageError("PreconditionFailed", "At least one of the pre-conditions you specified did not hold")
    if not is_changed:
        headers["if-none-match"] = f'"{item.etag}"'


def _matches(tags: str, item: StoredObject) -> bool:
    """Whether one of the ETags in a list is that of an object; the quotes may be missing."""
    return tags == "*" or item.etag in (tag.strip().removeprefix("W/").strip('"') for tag in tags.split(","))


def _is_later(item: StoredObject, date: str) -> bool | None:
    """Whether an object was modified after a date, by the seconds of its Last-Modified; None for no valid date."""
    try:
        at = parsedate_to_datetime(date)
        return item.last_modified.replace(microsecond=0) > (at if at.tzinfo else at.replace(tzinfo=dt.UTC))
    except (ValueError, OverflowError):  # the standard library raises either
        return None
