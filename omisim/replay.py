"""Public path of replaying a recording on a fresh cloud."""

from __future__ import annotations

from omisim.tools.replay import Acceptance, Divergence, Report, acceptances, fillings, replay

__all__ = ["Acceptance", "Divergence", "Report", "acceptances", "fillings", "replay"]
