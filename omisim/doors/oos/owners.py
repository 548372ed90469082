"""The owners of buckets, objects and uploads in answers: moto names users of its own."""

from __future__ import annotations

import html
import re
from collections.abc import Callable

from moto.s3 import models

__all__ = ["name_owners"]

_ENTRY = re.compile(rb"<(?:Contents><Key|Upload><UploadId)>(.*?)</.*?</(?:Contents|Upload)>", re.DOTALL)
_OWNER = re.compile(rb"<(Owner|Initiator)>.*?</\1>", re.DOTALL)
_GRANTEE = f"<ID>{models.OWNER}</ID>".encode()


def name_owners(body: bytes, owner: str, find_owner: Callable[[str], str]) -> bytes:
    """Return an answer that names owners by the ids of their accounts (OOS-004).

    `find_owner` returns the owner of an entry of a list by its key or upload id. `owner` is that of anything else.
    """

    def name_entry(match: re.Match[bytes]) -> bytes:
        return _name_owner(match[0], find_owner(html.unescape(match[1].decode(errors="replace"))))

    body, entries = _ENTRY.subn(name_entry, body)
    return body if entries else _name_owner(body, owner)


def _name_owner(xml: bytes, owner: str) -> bytes:
    user_id = f"<ID>{owner}</ID>".encode()
    named = rb"<\1><DisplayName>%b</DisplayName>%b</\1>" % (owner.encode(), user_id)
    return _OWNER.sub(named, xml).replace(_GRANTEE, user_id)
