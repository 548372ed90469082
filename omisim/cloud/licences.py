"""`cloud.licences`: what third-party licences authorise."""

from __future__ import annotations

from omisim.engine.engine import Engine
from omisim.state.licences import check_licence

__all__ = ["Licences"]


class Licences:
    """What the licences of product codes authorise.

    Their texts are contracts, which the API does not know: before an export, the caller must check that they authorise
    it (EXP-018, EXP-050). A test says here what they contain.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def set(self, code: str, *, export: bool | None) -> None:
        """Say whether a licence authorises the export of OMIs and snapshots that carry it.

        False refuses every such export. True allows it, also under the switch `strict_licences`, without a warning.
        None withdraws the decision: that of the constructor's `licences` applies again. Without one, the question is
        open: an export adds a warning, and is refused under `strict_licences`.

        `code` is a built-in product code such as "0002" (Windows), that of a Marketplace product, or the id of a
        product type that an account has created. Raises ValueError for any other code, and for "0001" (Linux).
        """
        if not isinstance(export, bool | None):
            raise ValueError(f"export must be True, False or None, not {export!r}")
        with self._engine.transaction("licence") as tx:
            check_licence(tx.state, code)
            tx.write("licence", code, export)

    def all(self) -> dict[str, bool]:
        """Return the licences with a decision, and whether each authorises exports."""
        with self._engine.lock:
            return {**self._engine.settings.licences, **self._engine.state.rows("licence")}
