"""Replay a recording against a new cloud, and report the differences between the answers.

The status, the error codes, the fields and their types, and the length and order of lists are compared; with `values`,
also enums, booleans, numbers and texts. Ids are translated: a recorded id stands for the id that this cloud returned in
the same place, and must keep doing so. A numbered redaction, such as `redacted-7`, stands for the value returned there.
An id that no answer returned is unknown to both clouds.
"""

from omisim.tools.replay.player import replay
from omisim.tools.replay.report import Acceptance, Divergence, Report, acceptances, fillings

__all__ = ["Acceptance", "Divergence", "Report", "acceptances", "fillings", "replay"]
