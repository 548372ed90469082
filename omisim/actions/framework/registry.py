"""The decorator `@action`, which registers a function as an API action, and the table of all actions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from functools import cache
from typing import Any, ParamSpec, TypeVar

from omisim.actions.framework.schema import Shape, compile_signature
from omisim.base.data_files import load_toml
from omisim.base.frozen import frozen

__all__ = ["ACTIONS", "Action", "action", "empty_lists", "not_served"]

P = ParamSpec("P")
R = TypeVar("R")


@frozen()
class Action:
    """One API action.

    Attributes:
        name: its API name.
        answer: the key of its result in the answer; a class if the class's fields are the keys; None if the answer
            holds only the ResponseContext.
        function: its implementation.
        paged: whether it takes ResultsPerPage and NextPageToken.
        dry_run: whether it takes DryRun, which a few official actions do not.
        open: whether it needs no authentication (AUTH-011).
        combinations: checks which parameters may go together (REQ-011), before the ids are checked.
    """

    name: str
    answer: str | type | None
    function: Callable[..., Any]
    paged: bool
    dry_run: bool
    open: bool
    combinations: Callable[..., None] | None
    _shape: list[Shape] = field(default_factory=list, compare=False, repr=False)  # when it has been compiled

    @property
    def shape(self) -> Shape:
        """The shape of the request, compiled from the signature on the first call."""
        if not self._shape:  # a cached_property would slow down each attribute
            self._shape.append(compile_signature(self.function, paged=self.paged, dry_run=self.dry_run))
        return self._shape[0]


ACTIONS: dict[str, Action] = {}


def action(
    name: str,
    answer: str | type | None = None,
    *,
    paged: bool = False,
    dry_run: bool = True,
    open: bool = False,  # noqa: A002 - the API's own word is "security: []"; nothing opens a file here
    combinations: Callable[..., None] | None = None,
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Return a decorator that registers a function as an action and returns it unchanged."""

    def register(function: Callable[P, R]) -> Callable[P, R]:
        ACTIONS[name] = Action(name, answer, function, paged, dry_run, open, combinations)
        return function

    return register


@cache
def not_served() -> Mapping[str, str]:
    """Return the official actions that omisim does not serve, each with the reason."""
    return {name: group["reason"] for group in _load_not_served() for name in group["actions"]}


@cache
def empty_lists() -> Mapping[str, str]:
    """Return the reads that omisim does not serve and whose list is always empty, each with the key of the list."""
    return {name: key for group in _load_not_served() for name, key in group.get("empty_lists", {}).items()}


@cache
def _load_not_served() -> tuple[Mapping[str, Any], ...]:
    return tuple(load_toml("omisim.actions", "not_served.toml").values())
