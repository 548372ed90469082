"""`omisim.mock`: a cloud for the boto3 clients that a test creates, in the form of moto's `mock_aws`.

Inside, EC2 clients reach FCU and S3 clients reach object storage, with any credentials and any Region of AWS in their
configuration. A client that was created before keeps its endpoint.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import ExitStack, aclosing
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar, Unpack, cast, overload
from unittest import TestCase

from omisim.clients.environment import enter_environment
from omisim.cloud.cloud import Cloud

if TYPE_CHECKING:
    from omisim.cloud.options import CloudOptions

__all__ = ["Mock", "mock"]

F = TypeVar("F", bound=Callable[..., Any])


class Mock:
    """A context manager and decorator; `omisim.mock` makes one. Each use has a new cloud, unless one was given."""

    def __init__(self, cloud: Cloud | None, account: str, options: CloudOptions) -> None:
        self._cloud = cloud
        self._account = account
        self._options = options
        self._environments: list[ExitStack] = []  # those that are entered, the innermost last

    def __enter__(self) -> Cloud:
        """Enter the environment of the account, and return the cloud."""
        options: CloudOptions = {"auth": "off", **self._options}
        cloud = self._cloud or Cloud(**options)
        environment = ExitStack()
        environment.enter_context(enter_environment(cloud, cloud.account(self._account)))
        self._environments.append(environment)
        return cloud

    def __exit__(self, *_exception: object) -> None:
        """Leave the environment."""
        self.stop()

    start = __enter__

    def stop(self) -> None:
        """Leave the environment that `start` has entered. Raises RuntimeError if there is none."""
        if not self._environments:
            raise RuntimeError("stop() was called without start()")
        self._environments.pop().close()

    def __call__(self, decorated: F) -> F:
        """Decorate a function, or the test methods of a class. A class with a setup shares its cloud with each test.

        The cloud of a generator, such as a fixture that yields a client, lasts until the generator ends.
        """
        if inspect.isclass(decorated):
            return cast("F", self._decorate_class(decorated))
        if inspect.iscoroutinefunction(decorated):

            @wraps(decorated)
            async def async_wrapper(*args: Any, **kwargs: Any) -> Any:
                with self:
                    return await decorated(*args, **kwargs)

            return cast("F", async_wrapper)
        if inspect.isgeneratorfunction(decorated) or inspect.isasyncgenfunction(decorated):
            return cast("F", self._decorate_generator(decorated))

        @wraps(decorated)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            with self:
                return decorated(*args, **kwargs)

        return cast("F", wrapper)

    def _decorate_generator(self, decorated: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(decorated)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            with self:
                return (yield from decorated(*args, **kwargs))

        @wraps(decorated)
        async def async_wrapper(*args: Any, **kwargs: Any) -> Any:
            with self:
                async with aclosing(decorated(*args, **kwargs)) as generator:
                    step = generator.asend(None)
                    while True:  # `yield from`, which an asynchronous generator does not have
                        try:
                            value = await step
                        except StopAsyncIteration:
                            return
                        try:
                            step = generator.asend((yield value))
                        except GeneratorExit:
                            raise
                        except BaseException as error:  # noqa: BLE001 - raised in the generator
                            step = generator.athrow(error)

        return async_wrapper if inspect.isasyncgenfunction(decorated) else wrapper

    def _decorate_class(self, cls: Any) -> Any:
        if issubclass(cls, TestCase) or "setUp" in vars(cls):  # or a mixin for one
            cls.setUp = self._decorate_set_up(cls.setUp)
        elif "setup_method" in vars(cls):
            self._decorate_setup_method(cls)
        else:
            for name, method in list(vars(cls).items()):
                if name.startswith("test") and inspect.isfunction(method):
                    setattr(cls, name, self(method))
                elif name.startswith("test") and isinstance(method, staticmethod | classmethod):
                    setattr(cls, name, type(method)(self(method.__func__)))
        return cls

    def _decorate_set_up(self, set_up: Callable[..., None]) -> Callable[[TestCase], None]:
        @wraps(set_up)
        def enter(test: TestCase) -> None:
            self.start()
            test.addCleanup(self.stop)  # after the teardown and the clean-ups of the test, which may use the cloud
            set_up(test)

        return enter

    def _decorate_setup_method(self, cls: Any) -> None:
        setup, teardown = cls.setup_method, getattr(cls, "teardown_method", None)

        @wraps(setup)
        def enter(test: Any, method: Any = None) -> None:
            self.start()
            try:
                _call_hook(setup, test, method)
            except BaseException:
                self.stop()  # the test ends without its teardown
                raise

        def leave(test: Any, method: Any = None) -> None:
            try:
                if teardown is not None:
                    _call_hook(teardown, test, method)
            finally:
                self.stop()

        cls.setup_method, cls.teardown_method = enter, leave


def _call_hook(hook: Callable[..., None], test: Any, method: Any) -> None:
    """Call `setup_method` or `teardown_method` of a test class, which may take the test's method, as pytest does."""
    hook(test, *[method][: len(inspect.signature(hook).parameters) - 1])


@overload
def mock(cloud: F, /) -> F: ...
@overload
def mock(cloud: Cloud | None = None, /, *, account: str = "alice", **options: Unpack[CloudOptions]) -> Mock: ...
def mock(cloud: Any = None, /, *, account: str = "alice", **options: Unpack[CloudOptions]) -> Any:
    """Replace moto's `mock_aws`: `with omisim.mock() as cloud:`, `@omisim.mock`, or `@omisim.mock()`.

    Args:
        cloud: The cloud to use; by default a new one each time, with `auth="off"`.
        account: The name of the account that the clients use.
        options: Arguments of a new `Cloud`, for example `timing="clock"`.

    Raises:
        TypeError: There are options for a given cloud, which are those of a new one, or `cloud` is neither a cloud nor
            a function or class to decorate.
    """
    if isinstance(cloud, Cloud) and options:
        raise TypeError(f"{next(iter(options))} is an option of a new cloud: give it to the Cloud that you pass")
    if cloud is None or isinstance(cloud, Cloud):
        return Mock(cloud, account, options)
    if not callable(cloud):
        raise TypeError(f"cloud must be a Cloud, not {cloud!r}; name the account by account=")
    return Mock(None, account, options)(cloud)
