"""Rows of the State that are not entities."""

from __future__ import annotations

import datetime as dt

from omisim.base.frozen import frozen


@frozen()
class Content:
    """The content of a disk: text files by path, and the number of writes. Snapshots and their volumes share it."""

    version: int = 0
    files: tuple[tuple[str, str], ...] = ()


@frozen()
class Origin:
    """The origin of a resource, which outlives it (`state/forgetting.py`). `parents` are (relation, id) pairs.

    The main parent is the first one. Resources with the same origin share it, so it has no id.
    `codes` are its own or inherited product codes. The API does not show them on disks (LIC-012). `values` are those of
    a VM's new volume, as (name, value, source): the source is "request", "OMI", "snapshot" or "default" (BDM-001).
    """

    kind: str
    account_id: str
    label: str
    parents: tuple[tuple[str, str], ...] = ()
    codes: tuple[str, ...] = ()
    values: tuple[tuple[str, str, str], ...] = ()


@frozen()
class ClientToken:
    """The request and the created ids of a ClientToken's first use (SNP-014)."""

    request: str
    ids: tuple[str, ...]


@frozen()
class Due:
    """A scheduled transition. It happens at a time, after `reads` more counted reads, or only on request."""

    kind: str
    id: str
    event: str
    at: dt.datetime | None
    timer: bool
    order: int
    reads: int | None = None
