"""The user data of VMs: Base64 text that may contain an OUTSCALE section, which has settings for the platform."""

from __future__ import annotations

import base64
from collections.abc import Mapping

__all__ = ["decode_user_data", "parse_section"]

BEGIN, END = "-----BEGIN OUTSCALE SECTION-----", "-----END OUTSCALE SECTION-----"


def decode_user_data(text: str) -> bytes | None:
    """Decode user data, whose Base64 may contain line breaks and spaces. Returns None if it is not Base64."""
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except ValueError:
        return None


def parse_section(user_data: str) -> Mapping[str, str]:
    """Return the settings of the OUTSCALE section of user data, by key. Without a section, there are none."""
    text = (decode_user_data(user_data) or b"").decode(errors="replace")
    section, end, _ = text.partition(BEGIN)[2].partition(END)
    pairs = (line.partition("=") for line in section.splitlines() if end)
    return {key.strip(): value.strip() for key, equals, value in pairs if equals}
