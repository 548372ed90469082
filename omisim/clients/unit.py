"""A cloud for unittest: a mixin that gives each test the state that `setUpClass` has left, and a decorator."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from functools import wraps
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, Unpack, cast, overload
from unittest import TestCase, TestResult

from omisim.base.suggest import describe_unknown
from omisim.clients.environment import enter_environment
from omisim.cloud.account import Account
from omisim.cloud.cloud import Cloud

if TYPE_CHECKING:
    from osc_sdk_python import Gateway

    from omisim.cloud.options import CaseOptions

__all__ = ["CloudMixin", "CloudTestCase", "with_cloud"]

F = TypeVar("F", bound=Callable[..., Any])
OWN_OPTIONS = ("account", "environment", "region", "scenario", "sleep")


class _Gateway:
    """The attribute `gateway`: made when a test first uses it, because not every suite has the SDK."""

    def __get__(self, test: object, cls: type[CloudMixin]) -> Gateway:
        if "_omisim_gateway" not in vars(cls):
            cls._omisim_gateway = cls.account.gateway()
        gateway: Gateway = vars(cls)["_omisim_gateway"]
        return gateway


class CloudMixin:
    """Gives a TestCase a cloud. Put it before the TestCase: `class Tests(CloudMixin, IsolatedAsyncioTestCase)`.

    All tests of a class share one cloud. `setUpClass` prepares it, and after each test it returns to the state that
    `setUpClass` has left, calls and faults included. Clients that the code under test creates reach the cloud as its
    account.

    Attributes:
        omisim: Options: the arguments of `Cloud`, and `account` (default "alice"), `region` (the default of the cloud
            for accounts and official OMIs), `scenario`, `environment` (False: clients that the code creates are not
            redirected) and `sleep` (True: waiting in a test moves the cloud's clock).
        cloud: The cloud.
        account: The account.
        gateway: A real `Gateway` of osc-sdk-python, signed in as the account.
    """

    omisim: ClassVar[Mapping[str, Any]] = {}

    cloud: ClassVar[Cloud]
    account: ClassVar[Account]
    _omisim_gateway: ClassVar[Any]
    _omisim_strays: ClassVar[list[str]]
    if TYPE_CHECKING:
        gateway: ClassVar[Gateway]
    else:
        gateway = _Gateway()

    def __init_subclass__(cls, **arguments: Any) -> None:
        """Raise TypeError if a TestCase stands before the mixin: its setUpClass would run instead of this one."""
        super().__init_subclass__(**arguments)
        if issubclass(cls, TestCase) and cls.__mro__.index(TestCase) < cls.__mro__.index(CloudMixin):
            raise TypeError(f"{cls.__name__} must name CloudMixin before TestCase: its setUpClass makes the cloud")

    @classmethod
    def setUpClass(cls) -> None:
        """Create the cloud and the account. An override calls `super().setUpClass()` first."""
        stack = ExitStack()
        cls.cloud, cls._omisim_strays = stack.enter_context(_opened(cls.omisim))
        cls.account = _open_account(cls.cloud, cls.omisim)
        cls.addClassCleanup(_close, cls, stack)  # type: ignore[attr-defined]  # of the TestCase
        super().setUpClass()  # type: ignore[misc]  # of the TestCase

    def run(self, result: TestResult | None = None) -> TestResult | None:
        """Run the test, then return the cloud to what it was before."""
        if "cloud" not in vars(type(self)):
            self.setUp = self._fail  # raising here would end the whole run
            return super().run(result)  # type: ignore[misc,no-any-return]  # of the TestCase
        self.addCleanup(_check_strays, self._omisim_strays)  # type: ignore[attr-defined]  # of the TestCase
        with _restored(self.cloud), _waiting(self.cloud, self.omisim):
            outcome: TestResult | None = super().run(result)  # type: ignore[misc]  # of the TestCase
            return outcome

    def _fail(self) -> None:
        raise RuntimeError(f"{type(self).__name__}.setUpClass must call super().setUpClass() first")


class CloudTestCase(CloudMixin, TestCase):
    """A TestCase with a cloud; see `CloudMixin`."""


@contextmanager
def _restored(cloud: Cloud) -> Iterator[None]:
    saved = cloud.engine.save()
    try:
        yield
    finally:
        cloud.engine.restore(saved)


def _waiting(cloud: Cloud, options: Mapping[str, Any]) -> AbstractContextManager[None]:
    """Return the context in which a test runs: with the option `sleep`, waiting moves the cloud's clock."""
    return cloud.sleeping() if options.get("sleep") else nullcontext()


def _close(cls: type[CloudMixin], stack: ExitStack) -> None:
    """Leave the environment of a class whose tests are over, and forget its cloud: another run makes a new one."""
    stack.close()
    for name in {"cloud", "account", "_omisim_gateway", "_omisim_strays"} & vars(cls).keys():
        delattr(cls, name)


@overload
def with_cloud(decorated: F, /) -> F: ...


@overload
def with_cloud(**options: Unpack[CaseOptions]) -> Callable[[F], F]: ...


def with_cloud(decorated: F | None = None, /, **options: Unpack[CaseOptions]) -> F | Callable[[F], F]:
    """Decorate a test function, a test method or a TestCase: it gets a new cloud.

    A function gets it as its last positional argument, each test of a class as `self.cloud`. The options are those of
    `CloudMixin.omisim`. Under pytest, the other arguments of a function are fixtures and parameters.

    Raises:
        TypeError: A class is not a TestCase, a function does not take the cloud, or an option is not given by name.
    """
    if decorated is not None and not callable(decorated):
        raise TypeError(f"with_cloud takes its options by name, not {decorated!r}")

    def decorate(decorated: Any) -> Any:
        if inspect.isclass(decorated):
            return _decorate_class(decorated, options)
        caller = _get_caller_signature(decorated)
        if inspect.iscoroutinefunction(decorated):

            @wraps(decorated)
            async def run_async(*args: Any, **kwargs: Any) -> Any:
                given = caller.bind_partial(*args, **kwargs)
                with _running(options) as cloud:
                    return await decorated(*given.args, cloud, **given.kwargs)

            run_async.__signature__ = caller  # type: ignore[attr-defined]  # functions have it where it is set
            return run_async

        @wraps(decorated)
        def run(*args: Any, **kwargs: Any) -> Any:
            given = caller.bind_partial(*args, **kwargs)
            with _running(options) as cloud:
                return decorated(*given.args, cloud, **given.kwargs)

        run.__signature__ = caller  # type: ignore[attr-defined]  # functions have it where it is set
        return run

    return decorate if decorated is None else cast("F", decorate(decorated))


def _get_caller_signature(function: Callable[..., Any]) -> inspect.Signature:
    """Return the signature of a function without the parameter that takes the cloud: pytest looks for a fixture."""
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise TypeError(
            f"with_cloud decorates tests: the cloud of the generator {function.__name__} ends before it runs"
        )
    own = inspect.signature(function)
    kinds = {name: parameter.kind for name, parameter in own.parameters.items()}
    names = [name for name, kind in kinds.items() if kind <= inspect.Parameter.POSITIONAL_OR_KEYWORD]
    if inspect.Parameter.VAR_POSITIONAL in kinds.values():
        return own
    if names[-1:] in ([], ["self"]):
        raise TypeError(f"with_cloud: {function.__name__} must take the cloud as its last positional argument")
    return own.replace(parameters=[own.parameters[name] for name in kinds if name != names[-1]])


def _decorate_class(cls: type, options: Mapping[str, Any]) -> type:
    if not issubclass(cls, TestCase):
        advice = "another class uses the fixture omi_cloud of pytest"
        raise TypeError(f"with_cloud decorates functions and TestCases; {cls.__name__} is not a TestCase: {advice}")
    original = cls.run

    @wraps(original)
    def run(self: Any, result: TestResult | None = None) -> TestResult | None:
        with _opened(options) as (cloud, strays), _waiting(cloud, options):
            self.cloud = cloud
            self.addCleanup(_check_strays, strays)
            return original(self, result)

    cls.run = run  # type: ignore[method-assign]  # of the decorated class
    return cls


@contextmanager
def _running(options: Mapping[str, Any]) -> Iterator[Cloud]:
    """Open a cloud for one function."""
    with _opened(options) as (cloud, strays), _waiting(cloud, options):
        yield cloud
        _check_strays(strays)


def _check_strays(strays: list[str]) -> None:
    """Fail a test that has sent requests which no cloud serves, even if its code has caught their errors."""
    if strays:
        text = "\n  ".join(["the test tried to leave this machine:", *dict.fromkeys(strays)])
        strays.clear()
        raise AssertionError(text)


@contextmanager
def _opened(options: Mapping[str, Any]) -> Iterator[tuple[Cloud, list[str]]]:
    """Yield a new cloud, and the list of the requests to OUTSCALE services that omisim does not serve."""
    if not isinstance(options, Mapping):
        raise ValueError(f"omisim must be a mapping of options, not {options!r}")
    for name in ("environment", "sleep"):
        if not isinstance(options.get(name, False), bool):
            raise ValueError(f"{name} must be True or False, not {options[name]!r}")
    arguments = {name: value for name, value in options.items() if name not in OWN_OPTIONS}
    known = [*OWN_OPTIONS, *inspect.signature(Cloud).parameters]
    for name in arguments:
        if name not in known:
            raise ValueError(describe_unknown("option", name, known))
    scenario = options.get("scenario")
    cloud = Cloud.from_scenario(scenario, **arguments) if scenario else Cloud(**arguments)
    if options.get("region") is not None:
        cloud.default_region = options["region"]
    with ExitStack() as stack:
        strays: list[str] = []
        if options.get("environment", True):
            strays = stack.enter_context(enter_environment(cloud, _open_account(cloud, options))).strays
        yield cloud, strays


def _open_account(cloud: Cloud, options: Mapping[str, Any]) -> Account:
    return cloud.account(options.get("account", "alice"), region=options.get("region"))
