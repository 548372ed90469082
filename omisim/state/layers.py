"""`Layers`: a mapping that forks share. Copying it copies nothing, and a copy stores only what differs."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

__all__ = ["Layers"]

_Layer = dict[Any, Any]


class Layers:
    """A mapping with a layer of its own on top of others, the newest first, that its copies share.

    A value of None in a layer means that the key is missing. A lookup asks each layer in turn, so `copy` merges a layer
    with the next one when it has grown to half of its size: there are never more than a few.
    """

    __slots__ = ("own", "shared")

    def __init__(self, shared: tuple[_Layer, ...] = ()) -> None:
        """Create an empty mapping, or one on top of shared layers."""
        self.own: _Layer = {}
        self.shared: tuple[_Layer, ...] = shared

    def get(self, key: Hashable) -> Any:
        """Return the value of a key, or None, also as `layers[key]`."""
        if key in self.own:
            return self.own[key]
        for layer in self.shared:
            if key in layer:
                return layer[key]
        return None

    __getitem__ = get

    def __contains__(self, key: Hashable) -> bool:
        """Whether a key is there."""
        return self.get(key) is not None

    def __setitem__(self, key: Hashable, value: Any) -> None:
        """Set the value of a key, which is not None."""
        self.own[key] = value

    def pop(self, key: Hashable, _default: None = None) -> None:
        """Remove a key, if it is there."""
        for layer in self.shared:
            if key in layer:
                self.own[key] = None
                return
        self.own.pop(key, None)

    def copy(self) -> Layers:
        """Return an independent mapping with the same content. No other thread may write to this one meanwhile."""
        if self.own:
            layers = (self.own, *self.shared)
            while len(layers) > 1 and 2 * len(layers[0]) >= len(layers[1]):
                layers = (layers[1] | layers[0], *layers[2:])
            self.own, self.shared = {}, layers
        return Layers(self.shared)

    def to_dict(self) -> _Layer:
        """Return the keys that are there, with their values."""
        merged: _Layer = {}
        for layer in (*reversed(self.shared), self.own):
            merged |= layer
        return {key: value for key, value in merged.items() if value is not None}
