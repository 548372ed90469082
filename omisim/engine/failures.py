"""`Failure`: a request that a transition fails. The session of a cloud keeps those that no transition has met yet."""

from __future__ import annotations

from collections.abc import Sequence

from omisim.actions.effects import find_waiting_image
from omisim.base.frozen import frozen
from omisim.base.suggest import suggest
from omisim.base.texts import check_encodable
from omisim.model import Due
from omisim.model.ids import PREFIXES, Id
from omisim.spec.lifecycle import LIFECYCLES
from omisim.state.state import State

__all__ = ["Failure", "check_comment", "find_failure", "make_failure"]


@frozen()
class Failure:
    """A request that the next transition of a kind, or of one resource, ends in its failure state."""

    kind: str
    id: str | None
    comment: str


def make_failure(kind: str, row_id: str | None, comment: str) -> Failure:
    """Return a Failure. Raises ValueError for a kind that cannot fail and for an id of another kind."""
    check_comment(comment)
    kinds = [name for name, lifecycle in LIFECYCLES.items() if lifecycle.failures]
    if kind not in kinds:
        raise ValueError(f"kind must be one that can fail ({', '.join(kinds)}), not {kind!r}{suggest(kind, kinds)}")
    prefix = PREFIXES[kind][0]
    if row_id is not None and not (row_id.startswith(prefix) and Id(kind).is_well_formed(row_id)):
        raise ValueError(
            f"{row_id!r} is not a {kind} id (expected {prefix} and 8 hex digits), so this failure could never trigger"
        )
    return Failure(kind, row_id, comment)


def check_comment(comment: str) -> None:
    """Raise ValueError for a comment that is not a text, or that no answer can show."""
    if not isinstance(comment, str):
        raise ValueError(f"comment must be a str, not {comment!r}")
    check_encodable("comment", comment)


def find_failure(failures: Sequence[Failure], state: State, due: Due) -> Failure | None:
    """Return the first failure that concerns a transition, if this can fail."""
    if "fail" not in LIFECYCLES[due.kind].moves[state.get(due.kind, due.id).state]:
        return None
    image = find_waiting_image(state, due.id) if due.kind == "snapshot" else None
    targets = [(due.kind, due.id), *([("image", image.image_id)] if image else [])]
    hits = (one for one in failures if any(one.kind == kind and one.id in (None, row_id) for kind, row_id in targets))
    return next(hits, None)
