"""What the cloud remembers beside its entities."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Content:
    """What is on a disk: text by path, and how often it was written. Shared by a snapshot and all that comes of it."""

    version: int = 0
    files: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a resource came from, kept when it is gone: `parents` are (how, id), the main one first.

    `codes`: the product codes it has, or what it was made from had, though the API shows none on disks (LIC-012).
    """

    kind: str
    id: str
    account_id: str
    label: str
    parents: tuple[tuple[str, str], ...] = ()
    codes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ClientToken:
    """What a ClientToken stood for when it was first used (SNP-014)."""

    request: str
    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Due:
    """A transition that will happen by itself: at a time, or when somebody completes it (`at` None)."""

    kind: str
    id: str
    event: str
    at: dt.datetime | None
    timer: bool
    order: int
