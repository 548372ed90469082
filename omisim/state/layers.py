"""`Layers`: a mapping that forks share. Copying it copies nothing, and a copy stores only what differs."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Any

__all__ = ["Layers"]

_ABSENT: Any = object()
_Layer = dict[Hashable, Any]


class Layers:
    """A mapping with a layer of its own on top of others, the newest first, that its copies share.

    A value of None in a layer means that the key is missing. A lookup asks each layer in turn, so `copy` merges a layer
    with the next one when it has grown to half of its size: there are never more than a few.
    """

    __slots__ = ("own", "shared")

    def __init__(self, shared: tuple[_Layer, ...] = ()) -> None:
        """Create an empty mapping, or one on top of shared layers."""
        self.own: _Layer = {}
        self.shared = shared

    def get(self, key: Hashable) -> Any:
        """Return the value of a key, or None."""
        value = self.own.get(key, _ABSENT)
        if value is not _ABSENT:
            return value
        for layer in self.shared:
            if key in layer:
                return layer[key]
        return None

    def remove(self, key: Hashable) -> None:
        """Remove a key, if it is there. To set one, set it in `own`."""
        self.own.pop(key, None)
        for layer in self.shared:
            if key in layer:
                self.own[key] = None
                return

    def copy(self) -> Layers:
        """Return an independent mapping with the same content. No other thread may write to this one meanwhile."""
        if self.own:
            layers = (self.own, *self.shared)
            while len(layers) > 1 and 2 * len(layers[0]) >= len(layers[1]):
                layers = (layers[1] | layers[0], *layers[2:])
            self.own, self.shared = {}, layers
        return Layers(self.shared)

    def items(self) -> Iterator[tuple[Hashable, Any]]:
        """Yield the keys that are there, with their values."""
        for key in {key for layer in (self.own, *self.shared) for key in layer}:
            value = self.get(key)
            if value is not None:
                yield key, value
