"""The environment variables that keep the requests to a local server away from a proxy."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

__all__ = ["bypass_proxy"]

_LOCAL = ("127.0.0.1", "localhost", "::1")


def bypass_proxy(url: str) -> dict[str, str]:
    """Return NO_PROXY in both spellings: the hosts that this process exempts from its proxy, and the host of a URL.

    The loopback hosts are exempt as well. Where the spellings differ, clients disagree on which counts; both get all.
    """
    before = ",".join(filter(None, map(os.environ.get, ("NO_PROXY", "no_proxy"))))
    hosts = [*(host.strip() for host in before.split(",") if host.strip()), urlsplit(url).hostname or "", *_LOCAL]
    exempt = ",".join(dict.fromkeys(filter(None, hosts)))
    return {"NO_PROXY": exempt, "no_proxy": exempt}
