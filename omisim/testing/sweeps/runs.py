"""One run of the code under test on a cloud of its own, and the record of what it did and left."""

from __future__ import annotations

import asyncio
import inspect
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from traceback import walk_tb
from typing import Any, Final

from omisim.base.endless import EndlessPollingError
from omisim.base.frozen import frozen
from omisim.clients.real_time import TIME_LIMITS
from omisim.cloud.cloud import Cloud
from omisim.engine.faults import ANY_ACTION, Fault, Killed
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
    has no faults. An exception of a time limit of the test, and KeyboardInterrupt, are raised.
    """
    engine = cloud.engine
    mark, first = cloud.mark(), engine.session.requests
    engine.change_settings(read_switches=set())
    limit = cloud.faults.add(ANY_ACTION, every=budget, times=1, kill=True)
    try:
        with _ignore_kills():
            value, failure = _execute(cloud, code, limit, expected)
    finally:
        cloud.faults.clear()
    switches = frozenset(engine.settings.read_switches)
    changes = engine.state.changes_since(mark.position)
    calls = tuple(call for call in engine.session.calls if call.serial > first)
    return Run(calls, changes, failure, value, take_inventory(cloud, before), switches)


@contextmanager
def _ignore_kills() -> Iterator[None]:
    """Print no exception of a thread or a finalizer that ends because its process is killed."""

    def wrap(hook: Callable[[Any], object]) -> Callable[[Any], object]:
        return lambda args: None if isinstance(args.exc_value, Killed) else hook(args)

    thread_hook, other_hook = threading.excepthook, sys.unraisablehook
    threading.excepthook, sys.unraisablehook = wrap(thread_hook), wrap(other_hook)
    try:
        yield
    finally:
        threading.excepthook, sys.unraisablehook = thread_hook, other_hook


def _execute(cloud: Cloud, code: Code, limit: Fault, expected: Expected | None) -> tuple[object, RunFailure | None]:
    value, failure = None, None
    try:
        value = code(cloud)
        if inspect.isawaitable(value):
            value = asyncio.run(_wait_for(value))
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # the code under test may raise anything
        if any(map(_is_time_limit, _iter_causes(error))):
            raise
        failure = _classify(error, expected)
    if any(fault.is_dead for fault in cloud.faults):  # however the code, or a thread of it, took the exception
        place = _name_lines(failure.error) if failure and failure.error else ""
        return None, _describe_kill(limit, place)
    return normalize(value), failure


def _is_time_limit(error: BaseException) -> bool:
    """Whether an exception says that the whole test takes too long, for which the run that it hits is not to blame."""
    return any(frame.f_globals.get("__name__") in TIME_LIMITS for frame, _ in walk_tb(error.__traceback__))


def _describe_kill(limit: Fault, place: str) -> RunFailure:
    reason = f"it has made more than {limit.every} calls{place}"
    return RunFailure("killed", "killed") if limit.times else RunFailure("endless", reason)


async def _wait_for(value: Awaitable[object]) -> object:
    return await value


def describe_error(error: BaseException) -> str:
    """Return a phrase with the type of an exception, the first line of its text, if any, and the line of the code."""
    return f"raises {_name_error(error)}{_name_lines(error)}"


def _name_error(error: BaseException) -> str:
    """Return the type of an exception and the first line of its text; of a group, also those of its exceptions."""
    name, module = type(error).__qualname__, type(error).__module__
    parts = [name if module == "builtins" else f"{module}.{name}", _read_first_line(error)]
    if isinstance(error, BaseExceptionGroup):
        parts.append(", ".join(map(_name_error, error.exceptions)))
    return ": ".join(filter(None, parts))


def _name_lines(error: BaseException) -> str:
    """Return the lines of the code under test that an exception and its causes came from, in parentheses."""
    lines = ", from ".join(dict.fromkeys(line for cause in _iter_causes(error) for line in _find_line(cause)))
    return f" ({lines})" if lines else ""


def _iter_causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception, those of its group, and those that it was raised from or during."""
    waiting, seen = [error], set[int]()
    while waiting:
        cause = waiting.pop(0)
        if id(cause) not in seen:
            seen.add(id(cause))
            yield cause
            waiting += cause.exceptions if isinstance(cause, BaseExceptionGroup) else ()
            earlier = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
            waiting += () if earlier is None else (earlier,)


def _find_line(error: BaseException) -> list[str]:
    """Return the last line of the code under test that an exception has passed, if there is one."""
    lines = [
        f"{Path(frame.f_code.co_filename).name}:{number}"
        for frame, number in walk_tb(error.__traceback__)
        if _is_own(frame.f_globals.get("__name__", "")) and "site-packages" not in frame.f_code.co_filename
    ]
    return lines[-1:]


def _is_own(module: str) -> bool:
    """Whether a module belongs neither to Python nor to a client library."""
    return module.partition(".")[0] not in _LIBRARIES | sys.stdlib_module_names


def _read_first_line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), "")[:_MAX_TEXT].rstrip(":")


def _classify(error: BaseException, expected: Expected | None) -> RunFailure:
    for cause in _iter_causes(error):  # the code may report it by an error of its own
        if isinstance(cause, EndlessPollingError):
            text = f"it polls for something that can never happen{_name_lines(cause)}: {_read_first_line(cause)}"
            return RunFailure("endless", text, error)
    return RunFailure("own" if _is_expected(error, expected) else "unexpected", describe_error(error), error)


def _is_expected(error: BaseException, expected: Expected | None) -> bool:
    """Whether an exception is an error of the code's own: by default, of no client library and not of Python.

    A group is one if all its exceptions are.
    """
    if isinstance(error, BaseExceptionGroup) and not (expected and isinstance(error, expected)):
        return all(_is_expected(inner, expected) for inner in error.exceptions)
    if expected is not None:
        return isinstance(error, expected)
    return isinstance(error, SystemExit) or _is_own(type(error).__module__)
