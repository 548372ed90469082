"""Replace functions while any context is active, in their modules and wherever another module holds them by name."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from types import ModuleType
from typing import Any, Final

from omisim.clients.replaced_values import replaced_attribute, restore_after_test

__all__ = ["Patches"]

_NOT_SCANNED: Final = ("omisim.clients.waiting", "_pytest", "freezegun", "time_machine", "_thread", "time", "threading")

_MISSING: Final = object()


class Patches:
    """The replacements of one activation, undone by `undo`."""

    def __init__(self) -> None:
        self._undo = ExitStack()
        self._replaced: set[tuple[Any, str]] = set()  # owners and names

    def undo(self) -> None:
        """Restore everything, the last replacement first."""
        self._undo.close()

    def on_undo(self, callback: Callable[[], object]) -> None:
        """Call a function when everything is restored."""
        self._undo.callback(callback)

    def set(self, owner: Any, name: str, replacement: Any) -> Any:
        """Replace an attribute, and return the function or class that it was. A missing attribute stays missing."""
        real = getattr(owner, name, None)
        if real is None:
            return None
        inherited = isinstance(owner, type) and name not in vars(owner)
        self._replace(owner, name, replacement, _MISSING if inherited else real)
        return real

    def replace_shared(self, owner: Any, name: str, replacement: Any) -> None:
        """Replace an attribute that `cloud.intercept()` replaces too: the two may be undone in any order."""
        self._undo.enter_context(replaced_attribute(owner, name, replacement))

    def replace_everywhere(self, replacements: Mapping[Any, Any]) -> None:
        """Replace functions under any name in any module outside the standard library."""
        by_id = {id(real): (real, replacement) for real, replacement in replacements.items()}
        for module, names in _find_holders(by_id):
            for name in names:
                real, replacement = by_id.get(id(vars(module).get(name)), (None, None))
                if real is not None:
                    self._replace(module, name, replacement, real)

    def _replace(self, owner: Any, name: str, replacement: Any, real: Any) -> None:
        setattr(owner, name, replacement)
        self._replaced.add((owner, name))
        self._undo.callback(self._restore, owner, name, replacement, real)

    def _restore(self, owner: Any, name: str, replacement: Any, real: Any) -> None:
        self._replaced.discard((owner, name))
        if not _restore(owner, name, replacement, real):  # freezegun, or monkeypatch, has replaced it since
            restore_after_test(lambda _: (owner, name) in self._replaced or _restore(owner, name, replacement, real))


def _restore(owner: Any, name: str, replacement: Any, real: Any) -> bool:
    """Restore an attribute that has its replacement, and return whether it had."""
    if isinstance(owner, type):
        _drop_copies(owner, name, replacement)
    if getattr(owner, name, None) is not replacement:
        return False
    if real is _MISSING:
        delattr(owner, name)
    else:
        setattr(owner, name, real)
    return True


def _drop_copies(owner: type, name: str, replacement: Any) -> None:
    """Remove the replacement from subclasses: freezegun restores what an event loop's class has inherited on it."""
    subclasses: list[type] = type.__subclasses__(owner)
    for subclass in subclasses:
        if vars(subclass).get(name) is replacement:
            delattr(subclass, name)
        _drop_copies(subclass, name, replacement)


_scanned: dict[str, tuple[int, int, frozenset[int], tuple[str, ...]]] = {}  # module → identity, size, wanted, names


def _find_holders(replaced_values: Mapping[int, Any]) -> list[tuple[ModuleType, tuple[str, ...]]]:
    """Return the modules that hold one of the objects, with the names. A module that has not changed is read once."""
    ids = frozenset(replaced_values)
    holders = []
    for key, module in list(sys.modules.items()):
        if type(module) is not ModuleType:
            continue  # reading an attribute of a lazy module would load it
        values = vars(module)
        seen = _scanned.get(key)
        if seen is None or seen[:3] != (id(module), len(values), ids):
            root = key.partition(".")[0]
            skipped = root in sys.stdlib_module_names or key.startswith(_NOT_SCANNED)
            names = () if skipped else tuple(name for name, value in list(values.items()) if id(value) in ids)
            seen = _scanned[key] = (id(module), len(values), ids, names)
        if seen[3]:
            holders.append((module, seen[3]))
    return holders
