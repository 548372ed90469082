"""One run of the code under test on a cloud of its own, and the record of what it did and left."""

from __future__ import annotations

import asyncio
import inspect
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from traceback import walk_tb
from typing import Final

from omisim.base.endless import EndlessPollingError
from omisim.base.frozen import frozen
from omisim.cloud.cloud import Cloud
from omisim.engine.faults import ANY_ACTION, Fault
from omisim.engine.session import CallRecord
from omisim.state.state import Change, State
from omisim.testing.sweeps.inventory import Inventory, normalize, take_inventory

__all__ = ["Code", "Expected", "Run", "RunFailure", "describe_error", "perform"]

Code = Callable[[Cloud], object]
Expected = type[BaseException] | tuple[type[BaseException], ...]

# packages whose exceptions are not errors of the code under test's own
_LIBRARIES: Final = frozenset(
    {"aiohttp", "anyio", "boto3", "botocore", "httpcore", "httpx", "omisim", "osc_sdk_python", "pytest", "requests"}
    | {"s3transfer", "tenacity", "urllib3", "_pytest"}
)
_MAX_TEXT: Final = 300


@frozen()
class RunFailure:
    """How a run ended other than by returning: `kind` is "own", "unexpected", "killed" or "endless"."""

    kind: str
    text: str
    error: BaseException | None = None


@frozen()
class Run:
    """The record of one run.

    Attributes:
        calls: the calls that it made, requests to object storage included.
        changes: the changes of the cloud during the run.
        failure: how it ended, or None if it returned.
        value: what it returned, in a form that does not depend on ids and dates.
        inventory: what it left, changed and deleted, compared with the cloud before the run.
        switches: the behaviour switches that it touched.
    """

    calls: Sequence[CallRecord]
    changes: Sequence[Change]
    failure: RunFailure | None
    value: object
    inventory: Inventory
    switches: frozenset[str]


def perform(cloud: Cloud, code: Code, before: State, budget: int, expected: Expected | None) -> Run:
    """Run the code on a cloud, and return the record.

    `before` is the state to compare with. A run that makes more calls than `budget` never ends. Afterwards the cloud
    has no faults.
    """
    engine = cloud.engine
    mark, first = cloud.mark(), engine.session.requests
    engine.change_settings(read_switches=set())
    limit = cloud.faults.add(ANY_ACTION, every=budget, times=1, kill=True)
    value, failure = _execute(cloud, code, limit, expected)
    switches = frozenset(engine.settings.read_switches)
    changes = engine.state.changes_since(mark.position)
    calls = tuple(call for call in engine.session.calls if call.serial > first)
    cloud.faults.clear()
    return Run(calls, changes, failure, value, take_inventory(cloud, before), switches)


def _execute(cloud: Cloud, code: Code, limit: Fault, expected: Expected | None) -> tuple[object, RunFailure | None]:
    value, failure = None, None
    try:
        value = code(cloud)
        if inspect.isawaitable(value):
            value = asyncio.run(_wait_for(value))
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - the code under test may raise anything
        failure = _classify(error, expected)
    if any(fault.is_dead for fault in cloud.faults):  # however the code, or a thread of it, took the exception
        return None, _describe_kill(limit)
    return normalize(value), failure


def _describe_kill(limit: Fault) -> RunFailure:
    reason = f"it has made more than {limit.every} calls"
    return RunFailure("killed", "killed") if limit.times else RunFailure("endless", reason)


async def _wait_for(value: Awaitable[object]) -> object:
    return await value


def describe_error(error: BaseException) -> str:
    """Return a phrase with the type of an exception, the first line of its text, if any, and the line of the code."""
    name, module = type(error).__qualname__, type(error).__module__
    text = _read_first_line(error)
    lines = ", from ".join(dict.fromkeys(_iter_lines(error)))
    place = f" ({lines})" if lines else ""
    return f"raises {name if module == 'builtins' else f'{module}.{name}'}{text and f': {text}'}{place}"


def _iter_lines(error: BaseException) -> Iterator[str]:
    """Yield the last line of the code under test that an exception has passed, then those of its causes."""
    chain: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in chain:
        chain.append(cause)
        lines = [
            f"{Path(frame.f_code.co_filename).name}:{number}"
            for frame, number in walk_tb(cause.__traceback__)
            if _is_own(frame.f_globals.get("__name__", "")) and "site-packages" not in frame.f_code.co_filename
        ]
        yield from lines[-1:]
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)


def _is_own(module: str) -> bool:
    """Whether a module belongs neither to Python nor to a client library."""
    return module.partition(".")[0] not in _LIBRARIES | sys.stdlib_module_names


def _read_first_line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), "")[:_MAX_TEXT]


def _classify(error: BaseException, expected: Expected | None) -> RunFailure:
    if isinstance(error, EndlessPollingError):
        text = f"it polls for something that can never happen ({_read_first_line(error)})"
        return RunFailure("endless", text, error)
    return RunFailure("own" if _is_expected(error, expected) else "unexpected", describe_error(error), error)


def _is_expected(error: BaseException, expected: Expected | None) -> bool:
    """Whether an exception is an error of the code's own: by default, of no client library and not of Python."""
    if expected is not None:
        return isinstance(error, expected)
    return isinstance(error, SystemExit) or _is_own(type(error).__module__)
