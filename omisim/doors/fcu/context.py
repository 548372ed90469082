"""The context of one request: the cloud, the caller and the time."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from omisim.actions.framework.registry import ACTIONS
from omisim.actions.framework.request import Dialect, Request
from omisim.engine import scheduler
from omisim.engine.dispatch import dispatch
from omisim.engine.engine import Engine

__all__ = ["Context"]

_INNER = Dialect(spell=str, controls=False, api="fcu")  # of the calls that the table makes by itself


@dataclass(slots=True)
class Context:
    """What the functions of the table know of a request.

    `account_id` is None for an unsigned request. `before` is the result of the row's function `before`, and `result`
    that of omisim's action, then the part of it that the answer shows.
    """

    engine: Engine
    account_id: str | None
    region: str
    at: dt.datetime
    ec2_parameters: dict[str, Any] = field(default_factory=dict)  # those that the row reads, by their EC2 names
    dry_run: bool = False
    before: Any = None
    result: Any = None

    def read(self, action: str, filters: Mapping[str, Any]) -> tuple[Any, ...]:
        """Return the results of a read, as the caller sees them.

        The client has not made it, so it is not in the call log, and no fault hits it.
        """
        engine, request = self.engine, Request(action, {"filters": filters}, _INNER)
        tx = engine.begin(action, scheduler.apply_due(engine), observed=False)
        account = engine.state.get("account", self.account_id or "")
        results: tuple[Any, ...] = dispatch(tx, engine.clock, ACTIONS[action], request, account, self.region).value
        return results
