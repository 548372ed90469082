"""The view of a cloud as JSON data: its accounts, cards, steps and access, for the console's page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from omisim.base.redact import redact, redact_text
from omisim.cloud.access_matrix import RIGHTS
from omisim.cloud.console.cards import KINDS, describe_states
from omisim.cloud.console.history import History
from omisim.cloud.trace import find_row
from omisim.engine.engine import Engine
from omisim.model.serialize import format_date, to_api
from omisim.state.initial_state import initial_state

if TYPE_CHECKING:
    from omisim.cloud.cloud import Cloud

__all__ = ["describe_accounts", "describe_resource", "describe_view", "view_for_report"]

FORMAT: Final = 1
MAX_RELATIVES: Final = 100  # of a lineage
MAX_MATRICES: Final = 50  # OMIs whose access matrix is in a report


def describe_view(engine: Engine, history: History) -> dict[str, Any]:
    """Return everything that the page needs, for a history that was just created."""
    with engine.lock:
        now, timing, accounts = engine.clock.now(), engine.settings.timing, describe_accounts(engine)
    return {
        "format": FORMAT,
        "now": format_date(now),
        "timing": timing,
        "accounts": accounts,
        "kinds": [[kind, title] for kind, title in KINDS.items()],
        "states": describe_states(),
        "base": history.base,
        "steps": history.steps,
        "complete": history.is_complete,
    }


def view_for_report(cloud: Cloud) -> dict[str, Any]:
    """Return the view of a cloud with the access matrices of its last OMIs, which a page in a file cannot ask for."""
    with cloud.engine.lock:  # so that the matrices belong to the last step
        view = describe_view(cloud.engine, History(cloud.engine))
        own = [row_id for row_id in cloud.engine.state.rows("image") if row_id not in initial_state().rows("image")]
        return {**view, "access": {row_id: _describe_access(cloud, row_id) for row_id in own[-MAX_MATRICES:]}}


def describe_accounts(engine: Engine) -> list[dict[str, Any]]:
    """Return the accounts in the order of their creation; `platform` marks those that are not a user's."""
    platform = initial_state().rows("account")
    with engine.lock:
        rows = dict(engine.state.rows("account"))
    return [
        {"id": row_id, "name": row.name, "region": row.region, "platform": row_id in platform}
        for row_id, row in rows.items()
    ]


def describe_resource(cloud: Cloud, resource_id: str) -> dict[str, Any]:
    """Return the fields, the timeline, the lineage and, for an OMI, the access of a resource.

    Raises ValueError for an id that has never existed in this cloud.
    """
    state = cloud.engine.state
    row = next((row for kind in KINDS if (row := state.get(kind, resource_id)) is not None), None)
    has_lineage = state.get("origin", resource_id) is not None or find_row(state, resource_id) is not None
    return {
        "id": resource_id,
        "timeline": redact_text(str(cloud.timeline(resource_id))),
        "fields": redact(to_api(row)) if row is not None and row.kind != "object" else None,
        "lineage": redact_text(str(cloud.lineage(resource_id, MAX_RELATIVES))) if has_lineage else None,
        "access": _describe_access(cloud, resource_id) if row is not None and row.kind == "image" else None,
    }


def _describe_access(cloud: Cloud, image_id: str) -> dict[str, Any]:
    """Return who may use an OMI: `rights`, `rows` of [account, [allowed, rule], …], and what each rule states.

    Raises ValueError for an unknown OMI.
    """
    access = cloud.who_can(image_id)
    return {
        "rights": list(RIGHTS),
        "rows": [
            [name, *([cells[right].allowed, cells[right].rule] for right in RIGHTS)]
            for name, cells in access.cells.items()
        ],
        "rules": access.list_rules(),
        "supported_by": access.supported_by,
    }
