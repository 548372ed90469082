"""The owners of buckets, objects and uploads in answers, and the dates of uploads: moto has its own for all."""

from __future__ import annotations

import html
import re
from collections.abc import Callable

from moto.s3 import models

from omisim.model import StoredObject, Upload
from omisim.model.serialize import format_date

__all__ = ["describe_rows"]

_ENTRY = re.compile(rb"<(Contents|Upload|Version)>.*?<(?:Key|UploadId)>(.*?)</.*?</\1>", re.DOTALL)
_OWNER = re.compile(rb"<(Owner|Initiator)>.*?</\1>", re.DOTALL)
_DATE = re.compile(rb"(?<=<Initiated>)[^<]*")
_GRANTEE = f"<ID>{models.OWNER}</ID>".encode()


def describe_rows(body: bytes, owner: str, find_entry: Callable[[str], StoredObject | Upload]) -> bytes:
    """Return an answer that names owners by the ids of their accounts (OOS-004), and the dates of uploads.

    `find_entry` returns the row of an entry of a list by its key or upload id. `owner` is that of anything else.
    """

    def describe_entry(match: re.Match[bytes]) -> bytes:
        row = find_entry(html.unescape(match[2].decode(errors="replace")))
        entry = _name_owner(match[0], row.account_id)
        if not isinstance(row, Upload) or row.initiated is None:
            return entry
        return _DATE.sub(format_date(row.initiated).encode(), entry)

    body, entries = _ENTRY.subn(describe_entry, body)
    return body if entries else _name_owner(body, owner)


def _name_owner(xml: bytes, owner: str) -> bytes:
    user_id = f"<ID>{owner}</ID>".encode()
    named = rb"<\1><DisplayName>%b</DisplayName>%b</\1>" % (owner.encode(), user_id)
    return _OWNER.sub(named, xml).replace(_GRANTEE, user_id)
