"""The environment variables of child processes: they reach a server of the cloud, or an address that refuses by name.

Child processes are not intercepted. They get variables that this process does not have: its own clients keep the
addresses of OUTSCALE.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from omisim.clients.intercept.patches import LOCK, wrap_attributes

__all__ = ["OTHER_SERVICES", "REFUSING", "child_variables", "patch_multiprocessing", "patch_os", "patch_subprocess"]

# no client knows this scheme, so each refuses at once and shows the text; a host name would be tried again for seconds
REFUSING: Final = "omisim-does-not-reach-child-processes://set-omisim_children-to-true"
OTHER_SERVICES: Final = "omisim-serves-only-ec2-and-s3-of-aws://"
_STACK: dict[object, Mapping[str, str]] = {}  # the variables of each open context, the innermost last


@contextmanager
def child_variables(variables: Mapping[str, str]) -> Iterator[None]:
    """Give child processes these variables until the context exits; contexts may end in any order."""
    context = object()
    _stop_forkserver()
    with LOCK:
        _STACK[context] = variables
        _export()
    try:
        yield
    finally:
        with LOCK:
            del _STACK[context]
            for name in variables:
                _put(name, os.environ.get(name))
            _export()
        _stop_forkserver()


def _stop_forkserver() -> None:
    """End the process from which multiprocessing forks others: it keeps the variables of its start."""
    module: Any = sys.modules.get("multiprocessing.forkserver")
    if module is not None and not sys.modules["multiprocessing.process"].active_children():
        module._forkserver._stop()  # noqa: SLF001 - multiprocessing has no public way


def _get_innermost() -> Mapping[str, str]:
    return next(reversed(_STACK.values()), {})


def _export() -> None:
    """Set the variables that programs inherit, and leave `os.environ` alone."""
    for name, value in _get_innermost().items():
        _put(name, value)


def _put(name: str, value: str | None) -> None:
    if value is None:
        os.unsetenv(name)
    else:
        os.putenv(name, value)


def patch_subprocess() -> Callable[[], None]:
    """Make subprocess give its programs the variables of children; return a function that removes the patch."""
    from subprocess import Popen  # noqa: PLC0415 - loaded, or being loaded

    return wrap_attributes((Popen, "__init__", _wrap_init))


def patch_os() -> Callable[[], None]:
    """Make the functions of os that take an environment do the same; return a function that removes the patches."""
    names = (name for name in ("execve", "posix_spawn", "posix_spawnp") if hasattr(os, name))  # os.spawnve calls execve
    return wrap_attributes(*((os, name, _wrap_start_program) for name in names))


def patch_multiprocessing() -> Callable[[], None]:
    """Make a spawned process inherit the variables of children; return a function that removes the patch."""
    from multiprocessing.process import BaseProcess  # noqa: PLC0415 - loaded, or being loaded

    return wrap_attributes((BaseProcess, "start", _wrap_start))


def _wrap_init(real: Callable[..., None]) -> Callable[..., None]:
    def init(popen: Any, *args: Any, **kwargs: Any) -> None:
        if variables := _get_innermost():
            kwargs["env"] = _merge(kwargs.get("env"), variables)
        real(popen, *args, **kwargs)

    return init


def _wrap_start_program(real: Callable[..., Any]) -> Callable[..., Any]:
    def start_program(path: Any, argv: Any, env: Any, **kwargs: Any) -> Any:
        variables = _get_innermost()
        return real(path, argv, _merge(env, variables) if variables else env, **kwargs)

    return start_program


def _wrap_start(real: Callable[..., None]) -> Callable[..., None]:
    def start(process: Any) -> None:
        with LOCK:
            _export()  # what writes os.environ, such as mock.patch.dict, sets the inherited variables, too
        real(process)

    return start


def _merge(env: Mapping[Any, Any] | None, variables: Mapping[str, str]) -> Mapping[Any, Any]:
    """Return a program's environment with the variables of children, but for those that its caller has set."""
    if env is None:
        env = os.environ
    elif env.get("OSC_ACCESS_KEY") != os.environ.get("OSC_ACCESS_KEY"):
        return env  # it has no credentials of this environment, or others
    return {**env, **{name: value for name, value in variables.items() if env.get(name) == os.environ.get(name)}}
