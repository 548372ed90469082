"""A cloud as an HTTP server, for clients in any language. Needs the extra `server`."""

from __future__ import annotations

from omisim.server.host import Running, running

__all__ = ["Running", "running"]
