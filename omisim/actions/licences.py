"""The licences of exported OMIs and snapshots: the duty to check them, and its enforcement (EXP-018, EXP-050)."""

from __future__ import annotations

from omisim.actions.framework.call import Call
from omisim.state.licences import allows_export, find_licences

__all__ = ["check_export"]


def check_export(call: Call, row_id: str, rule: str, holder: str, advice: str = "") -> None:
    """Refuse an export that a licence forbids, or that is undecided under `strict_licences` (LIC-010). Else warn of it.

    `holder` begins the warning, before the licences, and `advice` ends it.
    """
    decisions = {code: allows_export(call.state, call.tx.settings, code) for code in find_licences(call.state, row_id)}
    forbidden = ", ".join(code for code, allows in decisions.items() if allows is False)
    call.check(not forbidden, rule, id=row_id, licence=forbidden)
    undecided = ", ".join(code for code, allows in decisions.items() if allows is None)
    if undecided:
        call.check(not call.switch("strict_licences"), "LIC-010", id=row_id, licence=undecided)
        call.warn(f"{holder} the licences {undecided}, which must authorise the export ({rule}){advice}")
