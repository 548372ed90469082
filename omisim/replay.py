"""Replay a recording on a new cloud, and compare the answers."""

from __future__ import annotations

from omisim.tools.replay import Acceptance, Divergence, Report, acceptances, fillings, replay

__all__ = ["Acceptance", "Divergence", "Report", "acceptances", "fillings", "replay"]
