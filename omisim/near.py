"""For an id that does not exist: the ids near it among what the caller may see, for `ApiError.explain`."""

from __future__ import annotations

from operator import ne
from typing import Any

from omisim.actions.call import Call
from omisim.actions.sharing import visible
from omisim.errors import ApiError
from omisim.ids import PREFIXES
from omisim.model import Image, Snapshot

__all__ = ["near"]

MOST = 3
MOST_WRONG = 2  # characters: a slip, or two swapped
_VISIBLE = (
    "image", "internet_service", "keypair", "net", "nic", "public_ip", "route_table", "security_group", "snapshot",
    "subnet", "vm", "volume",
)  # fmt: skip


def near(call: Call, error: ApiError) -> tuple[str, ...]:
    """Return up to three ids that differ little from the one that was refused as unknown (5xxx); none otherwise."""
    if not error.code.startswith("5") or len(error.code) < len("5000"):
        return ()
    asked = next((fact for fact in error.facts.values() if isinstance(fact, str)), "")
    kind = next((kind for kind in _VISIBLE if asked.startswith(PREFIXES[kind])), None)
    if kind is None:
        return ()
    found = ((_wrong(asked, row.id), row.id) for row in call.state.rows(kind).values() if _may_see(call, row))
    return tuple(row_id for wrong, row_id in sorted(found)[:MOST] if 0 < wrong <= MOST_WRONG)


def _wrong(asked: str, known: str) -> int:
    return sum(map(ne, asked, known)) if len(asked) == len(known) else MOST_WRONG + 1


def _may_see(call: Call, row: Any) -> bool:
    return visible(call, row) if isinstance(row, Image | Snapshot) else call.owns(row)
