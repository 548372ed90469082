"""The patches of the HTTP libraries that this process has loaded, or loads while they apply."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from threading import RLock
from typing import Any

from omisim.base.process import hold_at_fork
from omisim.clients.import_finder import ImportFinder

__all__ = ["LOCK", "apply_patches", "are_applied", "load_patches", "remove_patches", "wrap_attributes"]

# a module of a library → the module and the function that patch it once it is loaded
_PATCHES = {
    "socket": ("sockets", "patch_sockets"),
    "http.client": ("sockets", "patch_tunnels"),
    "uvloop": ("sockets", "patch_uvloop"),
    "urllib3.connectionpool": ("http", "patch_urllib3"),
    "requests.sessions": ("requests", "patch_requests"),
    "botocore.auth": ("signing", "patch_signing"),
    "botocore.httpsession": ("botocore", "patch_botocore"),
    "httpx": ("httpx", "patch_httpx"),
    "aiohttp.connector": ("aiohttp", "patch_aiohttp"),
    "aiobotocore.httpsession": ("botocore", "patch_aiobotocore"),
    "osc_sdk_python.authentication": ("credentials", "patch_sdk"),
    "multiprocessing.process": ("children", "patch_multiprocessing"),
    "os": ("children", "patch_os"),
    "subprocess": ("children", "patch_subprocess"),
    "botocore.signers": ("credentials", "patch_botocore_signer"),
    "aiobotocore.signers": ("credentials", "patch_aiobotocore_signer"),
}
_Function = Callable[..., Any]
LOCK = RLock()  # of the patches, and of the contexts for which they apply
hold_at_fork(LOCK)
_applied: dict[str, Callable[[], None]] = {}  # the patched modules, and the functions that remove the patches
_is_applied = False
_loaded: dict[str, Callable[[], Callable[[], None]]] = {}  # the functions that patch modules


def load_patches() -> None:
    """Import the patches of the loaded libraries.

    Call it without the lock: an import may wait for another thread, which may wait for the lock.
    """
    for name in _PATCHES:
        if name not in _loaded and getattr(sys.modules.get(name), "__spec__", None) is not None:
            _load(name)


def are_applied() -> bool:
    """Whether the patches apply, so that every library gets its own at its import."""
    return _is_applied and _finder in sys.meta_path


def apply_patches() -> None:
    """Patch the libraries whose patches are loaded, and from now on every library at its import. Needs the lock."""
    global _is_applied  # noqa: PLW0603 - the process has one set of patches
    _is_applied = True
    sys.meta_path.insert(0, _finder)
    for name in _loaded:
        _apply(name)


def remove_patches() -> None:
    """Remove all patches. Needs the lock."""
    global _is_applied  # noqa: PLW0603 - the process has one set of patches
    _is_applied = False
    if _finder in (sys.meta_path or ()):  # pytester restores the list, and Python drops it at its end
        sys.meta_path.remove(_finder)
    while _applied:
        _applied.popitem()[1]()


def _load(name: str) -> None:
    module, function = _PATCHES[name]
    _loaded[name] = getattr(importlib.import_module(f"omisim.clients.intercept.{module}"), function)


def _apply(name: str) -> None:
    if name not in _applied:
        _applied[name] = _loaded[name]()


def _note_import(name: str) -> None:
    _load(name)
    with LOCK:
        if _is_applied:
            _apply(name)


def wrap_attributes(*wrappers: tuple[Any, str, Callable[[_Function], _Function]]) -> Callable[[], None]:
    """Replace each attribute, given by its owner and name, by its wrapper; return a function that restores them.

    It takes microseconds, and mock.patch a hundred: every test of the plugin enters and leaves a context.
    """
    before = [(owner, name, vars(owner).get(name), name in vars(owner)) for owner, name, _ in wrappers]
    for owner, name, wrap in wrappers:
        setattr(owner, name, wrap(getattr(owner, name)))

    def restore() -> None:
        for owner, name, value, is_own in before:
            if is_own:
                setattr(owner, name, value)
            else:
                delattr(owner, name)

    return restore


_finder: Any = ImportFinder(_PATCHES, _note_import)
