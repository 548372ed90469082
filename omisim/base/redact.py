"""Replace secrets in what is shown, logged or recorded. What is stored to be restored keeps them."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Any

__all__ = ["REDACTED", "redact", "redact_text"]

REDACTED = "redacted"
# how names of fields and parameters end, without underscores and hyphens and in lower case
_NAMES = ("authorization", "password", "privatekey", "secretkey", "seed")
_LONGEST_END = 2 * max(map(len, _NAMES))  # with underscores or hyphens
# what grants access in a signed URL or in a form
_SIGNATURE = re.compile(r"(?i)((?:x-amz-|x-osc-)?(?:signature|security-token)=)[^&\s\"'<>]+")
_PASSWORD = re.compile(r"(://[^/?#@:\s]*:)[^/?#@\s]+@")  # in a URL
_SIGNED_BODY = re.compile(rb"(?i)(signature=)[^&\s\"'<>]+")


def redact(value: Any) -> Any:
    """Return a copy of JSON data without the values of secret names in any spelling, and as `redact_text` does."""
    if isinstance(value, Mapping):
        return {name: _redact_member(name, item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [redact(item) for item in value]
    return redact_text(value) if isinstance(value, str) else value


def redact_text(text: str) -> str:
    """Return a text without the signatures and passwords of the URLs in it."""
    if "=" in text:
        text = _SIGNATURE.sub(rf"\1{REDACTED}", text)
    return _PASSWORD.sub(rf"\1{REDACTED}@", text) if "://" in text and "@" in text else text


def _redact_member(name: Any, value: Any) -> Any:
    end = str(name)[-_LONGEST_END:].replace("_", "").replace("-", "").lower()
    if value and value is not True and end.endswith(_NAMES):
        return REDACTED
    return _redact_body(value) if name == "body" and isinstance(value, str) else redact(value)


def _redact_body(text: str) -> str:
    """Return the base64 text of an object in a dump without the signatures of the URLs in it: those of a manifest."""
    try:
        body = base64.b64decode(text, validate=True)
    except ValueError:
        return redact_text(text)
    return base64.b64encode(_SIGNED_BODY.sub(rb"\1" + REDACTED.encode(), body)).decode()
