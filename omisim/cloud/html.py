"""Render a cloud for a notebook."""

from __future__ import annotations

from collections import Counter
from html import escape

from omisim.model import AccountRow
from omisim.state.state import State

__all__ = ["render_cloud"]

KINDS = {"image": "OMIs", "snapshot": "snapshots", "volume": "volumes", "vm": "VMs", "image_export": "OMI export tasks"}


def render_cloud(state: State, title: str, accounts: tuple[str, ...]) -> str:
    """Return a table of the accounts, with the number of resources of each kind."""
    counts = {kind: Counter(row.account_id for row in state.rows(kind).values()) for kind in KINDS}
    rows = ""
    for name in accounts:
        account: AccountRow = state.find_by("account", "name", name)[0]
        cells = "".join(f"<td>{counts[kind][account.account_id]}</td>" for kind in KINDS)
        rows += f"<tr><th>{escape(name)}</th><td>{account.account_id}</td><td>{account.region}</td>{cells}</tr>"
    head = "".join(f"<th>{name}</th>" for name in ("account", "id", "Region", *KINDS.values()))
    return f"<table><caption>{escape(title)}</caption><tr>{head}</tr>{rows}</table>"
