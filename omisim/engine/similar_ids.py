"""For an id that does not exist: the ids near it among what the caller may see, for `ApiError.explain`."""

from __future__ import annotations

from functools import lru_cache
from operator import ne
from typing import Any

from omisim.actions.framework.call import Call
from omisim.actions.sharing import is_visible
from omisim.model import Image, Snapshot
from omisim.model.ids import PREFIXES
from omisim.spec.errors import ApiError

__all__ = ["find_similar_ids"]

_SHARED = (Image, Snapshot)
MAX_IDS = 3
MAX_DIFFERENCES = 2  # characters: a slip, or two swapped
_VISIBLE = (
    "image", "internet_service", "keypair", "net", "nic", "public_ip", "route_table", "security_group", "snapshot",
    "subnet", "vm", "volume",
)  # fmt: skip


def find_similar_ids(call: Call, error: ApiError) -> tuple[str, ...]:
    """Return up to three ids that differ little from the one that was refused as unknown (5xxx); none otherwise."""
    if not error.code.startswith("5") or len(error.code) < len("5000"):
        return ()
    asked = next((fact for fact in error.facts.values() if isinstance(fact, str)), "")
    kind = next((kind for kind in _VISIBLE if asked.startswith(PREFIXES[kind])), None)
    if kind is None:
        return ()
    rows = call.state.rows(kind)
    return tuple([row_id for row_id in _rank_similar(asked, tuple(rows)) if _may_see(call, rows[row_id])][:MAX_IDS])


@lru_cache(maxsize=16)  # who asks for what is not there asks for it again
def _rank_similar(asked: str, known: tuple[str, ...]) -> list[str]:
    """Return the ids that differ little from the one that was asked for, those that differ least first."""
    a, b, c = _split_digits(asked)  # two wrong characters leave one of three parts as it is
    some = [
        (_count_differences(asked, row_id), row_id) for row_id in known if a in row_id or b in row_id or c in row_id
    ]
    return [row_id for wrong, row_id in sorted(some) if wrong]


def _split_digits(asked: str) -> tuple[str, str, str]:
    digits = asked.rpartition("-")[2]
    third = len(digits) // 3
    return digits[:third], digits[third : 2 * third], digits[2 * third :]


def _count_differences(asked: str, known: str) -> int:
    """Return in how many characters an id is wrong, 0 when in none or in too many."""
    wrong = sum(map(ne, asked, known)) if len(asked) == len(known) else 0
    return wrong if wrong <= MAX_DIFFERENCES else 0


def _may_see(call: Call, row: Any) -> bool:
    return is_visible(call, row) if isinstance(row, _SHARED) else call.owns(row)
