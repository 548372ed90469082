"""An HTTP server for clients in any language. Needs the extra `server`; `omisim.server.client` does not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from omisim.server.framing import Limits

if TYPE_CHECKING:
    from omisim.server.host import Running, run_server

__all__ = ["Limits", "Running", "run_server"]


def __getattr__(name: str) -> Any:
    """Import the server on first use, because it needs cheroot and `omisim.server.client` does not."""
    if name not in __all__:
        raise AttributeError(f"module 'omisim.server' has no attribute {name!r}")
    from omisim.server import host  # noqa: PLC0415 - needs cheroot

    return getattr(host, name)
