"""Read and write recordings: exchanges with the API, one JSON object a line."""

from __future__ import annotations

from omisim.formats.recording import Exchange, exchanges, write

__all__ = ["Exchange", "exchanges", "write"]
