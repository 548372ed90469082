"""`@action`: what turns a function into an action of the API, and the table of all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, ParamSpec, TypeVar

from omisim.actions.framework.schema import Shape, compile_signature
from omisim.base.data_files import load_toml

__all__ = ["ACTIONS", "Action", "action", "not_served"]

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True)
class Action:
    """One action: its API name, the key of its answer, its function.

    `answer` is None where there is only the ResponseContext, and a class where its fields are the keys.

    `combinations` checks what parameters go together (REQ-011), before ids are looked at; `open` needs no
    authentication (AUTH-011); `paged` takes ResultsPerPage and NextPageToken; `dry_run` takes DryRun,
    which a few official actions do not.
    """

    name: str
    answer: str | type | None
    function: Callable[..., Any]
    paged: bool
    dry_run: bool
    open: bool
    combinations: Callable[..., None] | None

    @cached_property
    def shape(self) -> Shape:
        """The shape of the request, compiled from the signature on the first call."""
        return compile_signature(self.function, paged=self.paged, dry_run=self.dry_run)


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
    """Register a function as an action; the function itself stays as it is."""

    def register(function: Callable[P, R]) -> Callable[P, R]:
        ACTIONS[name] = Action(name, answer, function, paged, dry_run, open, combinations)
        return function

    return register


@cache
def not_served() -> Mapping[str, str]:
    """Return the reason for each action of the official API that omisim does not serve."""
    groups = load_toml("omisim.actions", "not_served.toml")
    return {name: group["reason"] for group in groups.values() for name in group["actions"]}
