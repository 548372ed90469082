"""Deterministic identifiers, and the shapes the API gives them (ID-001 to ID-014)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "PREFIXES", "Id", "derive_hex", "make_access_key_id", "make_account_id", "make_id", "make_request_id",
    "make_secret_key",
]  # fmt: skip

# kind → prefixes the API takes for it; the first is the one it gives (ID-017: `ari-` and `aki-` pass for images)
PREFIXES: Mapping[str, tuple[str, ...]] = {
    "dhcp_options": ("dopt-",),
    "image": ("ami-", "ari-", "aki-"),
    "export_task": ("image-export-", "snap-export-"),  # either kind, as DeleteExportTask takes them
    "image_export": ("image-export-",),
    "keypair": ("key-",),
    "internet_service": ("igw-",),
    "link_nic": ("eni-attach-",),
    "link_public_ip": ("eipassoc-",),
    "link_route_table": ("rtbassoc-",),
    "net": ("vpc-",),
    "nic": ("eni-",),
    "product_type": ("pty-",),
    "public_ip": ("eipalloc-",),
    "reservation": ("r-",),
    "route_table": ("rtb-",),
    "security_group": ("sg-",),
    "snapshot": ("snap-",),
    "snapshot_export": ("snap-export-",),
    "subnet": ("subnet-",),
    "vm": ("i-",),
    "volume": ("vol-",),
    "volume_update": ("vol-update-",),
}
_HEX_DIGITS = {"keypair": 32}
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


@dataclass(frozen=True, slots=True)
class Id:
    """Marks a parameter of an action as the id of a `kind` (a key of `PREFIXES`, or "account")."""

    kind: str

    @property
    def prefixes(self) -> tuple[str, ...]:
        """The prefixes the API takes; none for account ids, which are twelve digits."""
        return PREFIXES.get(self.kind, ())

    def has_prefix(self, value: str) -> bool:
        """Whether the value begins as an id of this kind (ID-015)."""
        return self.kind == "account" or value.startswith(self.prefixes)

    def is_well_formed(self, value: str) -> bool:
        """Whether the value has the length and the characters of an id of this kind (ID-016)."""
        return _make_pattern(self.kind).fullmatch(value) is not None


@cache
def _make_pattern(kind: str) -> re.Pattern[str]:
    """Return what an id of a kind looks like."""
    if kind == "account":
        return re.compile("[0-9]{12}")
    return re.compile(f"(?:{'|'.join(PREFIXES[kind])})[0-9a-f]{{{_HEX_DIGITS.get(kind, 8)}}}")


def make_id(kind: str, seed: str, number: int) -> str:
    """Return the number-th id of a cloud: the same for the same seed, in every process."""
    return PREFIXES[kind][0] + derive_hex(seed, number, kind)[: _HEX_DIGITS.get(kind, 8)]


def make_account_id(seed: str, name: str) -> str:
    """Return twelve digits (ID-011)."""
    return f"{int(derive_hex(seed, name, 'account'), 16) % 10**12:012d}"


def make_access_key_id(seed: str, number: int) -> str:
    """Return 20 capitals and digits (ID-010)."""
    return _encode_letters(derive_hex(seed, number, "access_key"), 20)


def make_secret_key(seed: str, number: int) -> str:
    """Return 40 capitals and digits (ID-010)."""
    return _encode_letters(derive_hex(seed, number, "secret_key"), 40)


def make_request_id(seed: str, number: int) -> str:
    """Return a lower-case UUID of version 4 (ID-014): the number, then what the seed makes of the rest."""
    return f"{number & 0xFFFFFFFF:08x}{_make_request_tail(seed)}"


@lru_cache(maxsize=1024)
def _make_request_tail(seed: str) -> str:
    digits = derive_hex(seed, "request")
    return f"-{digits[:4]}-4{digits[4:7]}-8{digits[7:10]}-{digits[10:22]}"


def derive_hex(*parts: object) -> str:
    """Return 64 hex digits that depend on the parts alone."""
    return blake2b(":".join(map(str, parts)).encode(), digest_size=32).hexdigest()


def _encode_letters(digits: str, count: int) -> str:
    number = int(digits, 16)
    letters = []
    for _ in range(count):
        number, index = divmod(number, len(_ALPHABET))
        letters.append(_ALPHABET[index])
    return "".join(letters)
