"""The options of functions that make a `Cloud`, for type checkers: its arguments by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from omisim.base.clock import Clock
    from omisim.engine.unserved import OwnAnswer
    from omisim.state.settings import Auth, Timing, Unserved
    from omisim.state.switch_types import Switches

__all__ = ["CaseOptions", "CloudOptions"]


class CloudOptions(TypedDict, total=False):
    """The arguments of `Cloud`."""

    seed: int | str
    timing: Timing
    clock: Clock | None
    switches: Switches | str | Path | None
    catalog: str
    auth: Auth
    history: int
    fetch: Callable[[str], bytes] | None
    licences: Mapping[str, Mapping[str, bool]] | None
    unserved: Unserved
    answers: Mapping[str, OwnAnswer] | None


class CaseOptions(CloudOptions, total=False):
    """The options of `omisim.unittest.with_cloud`: the arguments of `Cloud`, and those that choose the rest."""

    account: str
    environment: bool
    region: str | None
    scenario: str | Path | None
    sleep: bool
