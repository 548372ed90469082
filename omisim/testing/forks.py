"""`fork_each_example`: tests with `@given` that use the fixtures of the pytest plugin.

    from hypothesis import given
    from omisim.testing.forks import fork_each_example
    from omisim.testing.strategies import image_names

    @given(name=image_names())
    @fork_each_example
    def test_any_name(omi_account, name):
        my_code.publish(omi_account.gateway(), name)

A failing example lists the calls in its fork.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import wraps
from typing import Any, TypeVar, cast

try:
    from hypothesis import currently_in_test_context
    from hypothesis.control import current_build_context
except ImportError as _error:
    raise ImportError("omisim.testing.forks needs Hypothesis: pip install 'omisim[hypothesis]'") from _error

from omisim.cloud.account import Account
from omisim.cloud.cloud import Cloud

__all__ = ["fork_each_example"]

F = TypeVar("F", bound=Callable[..., Any])

MAX_CALLS = 20  # calls to list for a failed example


def fork_each_example(test: F) -> F:
    """Give each example of a test with `@given` a fork of the test's cloud: the fixtures `omi_*` belong to the fork.

    Place it below `@given`. A fixture of pytest is set up once per test, so without this decorator, each example would
    find what the earlier ones have left, and Hypothesis refuses such a test. The marker and the ini options apply.
    Raises TypeError if it is placed above `@given`, or for a test without a fixture that it can fork.
    """
    if hasattr(test, "hypothesis"):
        raise TypeError(f"place @fork_each_example below @given: {test.__name__}")
    parameters = inspect.signature(test).parameters
    fixtures = [name for name in parameters if name in _FIXTURES]
    if not fixtures:
        raise TypeError(f"{test.__name__} must use at least one of {', '.join(_FIXTURES)}")
    others = [parameter for name, parameter in parameters.items() if name not in (*fixtures, "request")]
    position = 1 if others and others[0].name == "self" else 0
    request = inspect.Parameter("request", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    signature = inspect.Signature([*others[:position], request, *others[position:]])

    @contextmanager
    def fork(positional: tuple[Any, ...], keywords: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Yield the arguments of the test for one example."""
        arguments = signature.bind(*positional, **keywords).arguments
        with _fork(arguments["request"], fixtures) as values:
            yield {name: value for name, value in arguments.items() if name in parameters} | values

    if inspect.iscoroutinefunction(test):

        @wraps(test)
        async def forked(*positional: Any, **keywords: Any) -> Any:
            with fork(positional, keywords) as arguments:
                return await test(**arguments)

    else:

        @wraps(test)
        def forked(*positional: Any, **keywords: Any) -> Any:
            with fork(positional, keywords) as arguments:
                return test(**arguments)

    forked.__signature__ = signature  # type: ignore[attr-defined]  # what pytest and Hypothesis read
    return cast("F", forked)


@contextmanager
def _fork(request: Any, fixtures: list[str]) -> Iterator[dict[str, Any]]:
    """Yield the fixtures of one example, for a fork of the test's cloud."""
    if "omi_sleep" in fixtures:
        request.getfixturevalue("omi_sleep")  # it sets the timing
    original = request.getfixturevalue("omi_cloud")
    name = "" if set(fixtures) <= _CLOUD_ALONE else request.getfixturevalue("omi_account").name
    fork = original.fork()
    fork.engine.session.copy_faults(original.engine.session)
    with ExitStack() as stack:
        example = _Example(request, fork, name, stack)
        try:
            yield {name: _FIXTURES[name](example) for name in fixtures}
        except Exception as failure:
            if currently_in_test_context() and current_build_context().is_final:
                failure.add_note(_list_calls(fork))
            raise


def _list_calls(cloud: Cloud) -> str:
    """Return the calls of a failed example; the report of the plugin shows those of the test's own cloud."""
    calls = cloud.calls()[-MAX_CALLS:]
    return "\n".join(["Calls in the fork of this example:", *(f"  {call}" for call in calls or ["none"])])


class _Example:
    """One example: its cloud, its account, and what ends with it."""

    def __init__(self, request: Any, cloud: Cloud, account: str, stack: ExitStack) -> None:
        self.cloud, self._account, self.stack = cloud, account, stack
        options = request.getfixturevalue("_omi_options")
        self.limiter, self.children, self.virtual_time = (
            options.get(name, False) for name in ("limiter", "children", "virtual_time")
        )

    @property
    def account(self) -> Account:
        """The account of the fixture omi_account."""
        return self.cloud.account(self._account)

    @contextmanager
    def environment(self) -> Iterator[Any]:
        """Yield the environment, and fail if the code under test has sent requests that no cloud serves.

        It also fails if a thread outlives the example, whose requests would be refused from then on.
        """
        with self.account.environment(limiter=self.limiter, server=self.children) as environment:
            yield environment
            assert not environment.strays, f"requests that omisim does not serve: {', '.join(environment.strays)}"
        assert not environment.threads, f"threads that the example has not ended: {', '.join(environment.threads)}"


_CLOUD_ALONE = {"omi_cloud", "omi_accounts", "omi_server", "omi_sleep"}
_FIXTURES: Mapping[str, Callable[[_Example], Any]] = {
    "omi_cloud": lambda example: example.cloud,
    "omi_account": lambda example: example.account,
    "omi_accounts": lambda example: example.cloud.account,
    "omi_gateway": lambda example: example.account.gateway(limiter=example.limiter),
    "omi_oos": lambda example: example.account.client("oos"),
    "omi_fcu": lambda example: example.account.client("fcu"),
    "omi_server": lambda example: example.stack.enter_context(example.cloud.serve()),
    "omi_env": lambda example: example.stack.enter_context(example.environment()),
    "omi_sleep": lambda example: example.stack.enter_context(example.cloud.sleeping(virtual_time=example.virtual_time)),
}
