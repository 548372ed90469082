"""Use omisim twice: with all of Python, then without the names that exist on POSIX systems only.

The first use loads the dependencies. Only omisim itself is imported again, so dependencies may use those names.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from importlib import import_module
from pkgutil import walk_packages
from urllib.request import Request, urlopen

POSIX_MODULES = ("fcntl", "grp", "pty", "pwd", "resource", "syslog", "termios", "tty")
POSIX_OS = (
    *("chown", "fchmod", "fchown", "fork", "forkpty", "getegid", "geteuid", "getgid", "getgroups", "getloadavg"),
    *("getpgid", "getpgrp", "getpriority", "getsid", "getuid", "killpg", "mkfifo", "nice", "openpty", "posix_spawn"),
    *("register_at_fork", "sched_getaffinity", "setgid", "setpgid", "setsid", "setuid", "sysconf", "uname", "wait"),
)
WINDOWS_SIGNALS = ("SIGABRT", "SIGFPE", "SIGILL", "SIGINT", "SIGSEGV", "SIGTERM", "SIG_DFL", "SIG_IGN")
POSIX_SIGNAL = (
    *(name for name in dir(signal) if name.startswith("SIG") and name not in WINDOWS_SIGNALS),
    *("alarm", "pause", "pthread_kill", "pthread_sigmask", "setitimer", "siginterrupt", "sigwait"),
)


def iter_module_names() -> Iterator[str]:
    """Yield the names of omisim's modules, except the one that runs the command line."""
    package = import_module("omisim")
    yield "omisim"
    for module in walk_packages(package.__path__, "omisim."):
        if module.name != "omisim.__main__":
            yield module.name


def import_available(names: Iterable[str]) -> Iterator[str]:
    """Yield the modules whose extras are installed."""
    for name in names:
        with suppress(ImportError):
            import_module(name)
            yield name


def read_regions() -> list[str]:
    """Serve a cloud, and return the Regions that it answers over HTTP."""
    cloud = import_module("omisim").Cloud()
    with cloud.serve() as server:
        request = Request(f"{server.url}/api/v1/ReadRegions", b"{}", {"Content-Type": "application/json"})
        with urlopen(request) as response:
            return [region["RegionName"] for region in json.load(response)["Regions"]]


def hide_posix() -> None:
    """Remove the names that only POSIX systems have, and unload omisim."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "omisim"]:
        del sys.modules[name]
    sys.modules.update(dict.fromkeys(POSIX_MODULES))  # type: ignore[arg-type] # None makes an import fail
    for module, names in ((os, POSIX_OS), (signal, POSIX_SIGNAL)):
        for name in names:
            if hasattr(module, name):
                delattr(module, name)


def main() -> None:
    """Import all modules and serve, both times; raise if an import fails or an answer differs."""
    modules, regions = list(import_available(iter_module_names())), read_regions()
    hide_posix()
    for name in modules:
        import_module(name)
    assert read_regions() == regions
    assert {"omisim.cloud.cloud", "omisim.plugin", "omisim.tools.check.search"} <= set(modules)


if __name__ == "__main__":
    main()
