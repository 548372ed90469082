"""Deterministic ids, in the formats of the API (ID-001 to ID-014)."""

from __future__ import annotations

import re
from functools import cache, lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING

from omisim.base.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "PREFIXES", "Id", "check_id", "derive_hex", "make_access_key", "make_account_id", "make_first_access_key",
    "make_id", "make_request_id",
]  # fmt: skip

# kind → the prefixes that the API accepts; it generates the first one (ID-017: images also accept `ari-` and `aki-`)
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
    "security_group_rule": ("sgr-",),
    "snapshot": ("snap-",),
    "snapshot_export": ("snap-export-",),
    "subnet": ("subnet-",),
    "vm": ("i-",),
    "volume": ("vol-",),
    "volume_update": ("vol-update-",),
}
_HEX_DIGITS = {"keypair": 32}
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


@frozen()
class Id:
    """Marks a parameter of an action as the id of a `kind` (a key of `PREFIXES`, or "account")."""

    kind: str

    @property
    def prefixes(self) -> tuple[str, ...]:
        """The prefixes that the API accepts. Empty for account ids, which are twelve digits."""
        return PREFIXES.get(self.kind, ())

    def has_prefix(self, value: str) -> bool:
        """Whether the value has a prefix of this kind (ID-015)."""
        return self.kind == "account" or value.startswith(self.prefixes)

    def is_well_formed(self, value: str) -> bool:
        """Whether the value has the prefix, length and characters of an id of this kind (ID-016)."""
        return _make_pattern(self.kind).fullmatch(value) is not None


@cache
def _make_pattern(kind: str) -> re.Pattern[str]:
    """Return the regular expression of the ids of a kind."""
    if kind == "account":
        return re.compile("[0-9]{12}")
    return re.compile(f"(?:{'|'.join(PREFIXES[kind])})[0-9a-f]{{{_HEX_DIGITS.get(kind, 8)}}}")


@lru_cache(maxsize=1024)  # the resources of each test have the same ids
def make_id(kind: str, seed: str, number: int) -> str:
    """Return an id that depends only on the kind, the cloud's seed and the number."""
    return PREFIXES[kind][0] + derive_hex(f"{seed}:{number}:{kind}")[: _HEX_DIGITS.get(kind, 8)]


@lru_cache(maxsize=256)
def make_account_id(seed: str, name: str) -> str:
    """Return an account id: twelve digits (ID-011)."""
    return f"{int(derive_hex(f'{seed}:{name}:account'), 16) % 10**12:012d}"


def make_access_key(seed: str, number: int) -> tuple[str, str]:
    """Return an access key id, 20 capital letters and digits, and its secret key, 40 of them (ID-010)."""
    return _encode_key(seed, number, "")


def make_first_access_key(seed: str, account: str) -> tuple[str, str]:
    """Return the key that an account begins with. It depends on the name alone, as the account id does (ID-010).

    So a client that was made for an account of an earlier cloud never signs in as another account of a later one.
    """
    return _encode_key(seed, account, "account_")


@lru_cache(maxsize=256)  # every test has an account of the same name; it takes a sixth of a fresh cloud's first write
def _encode_key(seed: str, of: int | str, kind: str) -> tuple[str, str]:
    access_key = _encode_letters(derive_hex(f"{seed}:{of}:{kind}access_key"), 20)
    return access_key, _encode_letters(derive_hex(f"{seed}:{of}:{kind}secret_key"), 40)


def make_request_id(seed: str, number: int) -> str:
    """Return a request id: a lower-case UUID of version 4 that starts with the number (ID-014)."""
    return (number & 0xFFFFFFFF).to_bytes(4).hex() + _make_request_tail(seed)


@lru_cache(maxsize=1024)
def _make_request_tail(seed: str) -> str:
    digits = derive_hex(f"{seed}:request")
    return f"-{digits[:4]}-4{digits[4:7]}-8{digits[7:10]}-{digits[10:22]}"


def derive_hex(text: str) -> str:
    """Return a hash of a text as 64 hex digits."""
    return blake2b(text.encode(), digest_size=32).hexdigest()


def _encode_letters(digits: str, count: int) -> str:
    number = int(digits, 16)
    letters = []
    for _ in range(count):
        number, index = divmod(number, len(_ALPHABET))
        letters.append(_ALPHABET[index])
    return "".join(letters)


def check_id(parameter: str, value: object) -> None:
    """Raise ValueError for a value that is not an id, such as the resource itself."""
    if not isinstance(value, str):
        raise ValueError(f"{parameter} must be an id such as 'ami-12345678', not of type {type(value).__name__}")
