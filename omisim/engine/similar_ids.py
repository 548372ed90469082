"""Similar ids for an unknown one, among the resources that the caller may see, for `ApiError.explain`.

The search visits every resource of the kind, so it waits until an explanation is requested.
"""

from __future__ import annotations

from operator import ne

from omisim.actions.framework.call import Call
from omisim.actions.sharing import is_visible
from omisim.model import AccountRow
from omisim.model.ids import PREFIXES
from omisim.spec.errors import ApiError
from omisim.state.transaction import Transaction

__all__ = ["find_similar_ids", "get_unknown_id"]

MAX_IDS = 3
MAX_DIFFERENCES = 2  # characters: one typo, or two swapped ones
_VISIBLE = (
    "image", "internet_service", "keypair", "net", "nic", "public_ip", "route_table", "security_group", "snapshot",
    "subnet", "vm", "volume",
)  # fmt: skip


def get_unknown_id(error: ApiError) -> str:
    """Return the unknown id in a refusal (code 5xxx), or "" for any other refusal."""
    if not error.code.startswith("5") or len(error.code) < len("5000"):
        return ""
    return next((fact for fact in error.facts.values() if isinstance(fact, str)), "")


def find_similar_ids(tx: Transaction, account: AccountRow, region: str, unknown_id: str) -> tuple[str, ...]:
    """Return up to three ids similar to an unknown one, among those that an account may see."""
    kind = next((kind for kind in _VISIBLE if unknown_id.startswith(PREFIXES[kind])), None)
    if kind is None:
        return ()
    call = Call("", account, region, tx)
    rows = ((row_id, tx.state.get(kind, row_id)) for row_id in _rank_similar(unknown_id, tuple(tx.state.rows(kind))))
    visible = [row_id for row_id, row in rows if row is not None and is_visible(call, row)]
    return tuple(visible[:MAX_IDS])


def _rank_similar(unknown_id: str, known_ids: tuple[str, ...]) -> list[str]:
    """Return the known ids with few differences from an unknown one, the most similar first."""
    a, b, c = _split_digits(unknown_id)  # with two wrong characters, one of three parts is still correct
    candidates = (row_id for row_id in known_ids if a in row_id or b in row_id or c in row_id)
    differences = sorted((_count_differences(unknown_id, row_id), row_id) for row_id in candidates)
    return [row_id for count, row_id in differences if count]


def _split_digits(row_id: str) -> tuple[str, str, str]:
    digits = row_id.rpartition("-")[2]
    third = len(digits) // 3
    return digits[:third], digits[third : 2 * third], digits[2 * third :]


def _count_differences(unknown_id: str, known_id: str) -> int:
    """Return the number of characters in which two ids differ, 0 for none or for too many."""
    count = sum(map(ne, unknown_id, known_id)) if len(unknown_id) == len(known_id) else 0
    return count if count <= MAX_DIFFERENCES else 0
