"""A real osc-sdk-python Gateway whose requests reach a cloud of this process, by an adapter of its own.

Nothing of the SDK is replaced: it checks parameters, signs and decodes as ever. What it costs to make one, two seconds
for parsing its description of the API, is paid once a process; its limiter (five calls a second) is lifted.
`fast_lane` does the same for every Gateway that somebody else makes meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from threading import Lock
from typing import TYPE_CHECKING, Any
from unittest import mock

from omisim.base.hosts import endpoint
from omisim.clients.isolated_environ import isolated_environ

if TYPE_CHECKING:
    from osc_sdk_python import Gateway

    from omisim.cloud.account import Account
    from omisim.engine.engine import Engine

__all__ = ["make_gateway", "speed_up_gateways"]

_LOCK = Lock()
_PARSED: dict[str, dict[str, Any]] = {}  # what the SDK's two parsers left on the first Gateway


def make_gateway(engine: Engine, account: Account, *, limiter: bool = False) -> Gateway:
    """Return a Gateway signed in as the account. Raises ImportError that names the extra when the SDK is missing."""
    try:
        from osc_sdk_python import Gateway  # noqa: PLC0415
        from osc_sdk_python.credentials import Endpoint, Profile  # noqa: PLC0415

        from omisim.clients.intercept.adapter import CloudAdapter  # noqa: PLC0415 - needs requests, as the SDK does
    except ImportError as error:
        raise ImportError("account.gateway() needs osc-sdk-python: pip install 'omisim[osc]'") from error
    with _LOCK, _parsed_once(Gateway), isolated_environ("OSC_"):
        made = Gateway()
    url = f"{endpoint('api', account.region)}/api/v1"
    made.call.profile = Profile(
        access_key=account.access_key,
        secret_key=account.secret_key,
        protocol="https",
        region=account.region,
        endpoints=Endpoint(api=url),
    )
    if not limiter:
        made.call.limiter = None
    made.call.session.trust_env = False  # no proxies, no .netrc: the request does not leave the process
    made.call.session.mount("https://", CloudAdapter(engine))
    return made


@contextmanager
def speed_up_gateways(*, limiter: bool = False) -> Iterator[None]:
    """Let every Gateway cost its parsing once a process, and wait for no limiter unless told."""
    from osc_sdk_python import Gateway  # noqa: PLC0415 - who opens the lane has it
    from osc_sdk_python.limiter import RateLimiter  # noqa: PLC0415

    lifted = nullcontext() if limiter else mock.patch.object(RateLimiter, "acquire", _at_once)
    with _parsed_once(Gateway), lifted:
        yield


def _at_once(_limiter: object) -> None:
    """Stand in for `RateLimiter.acquire`."""


@contextmanager
def _parsed_once(cls: type) -> Iterator[None]:
    """Let the SDK's parsers answer from their first run while one Gateway is made."""
    patches = [mock.patch.object(cls, name, _memo(name, getattr(cls, name))) for name in ("_convert", "_load_errors")]
    with patches[0], patches[1]:
        yield


def _memo(name: str, parse: Callable[..., Any]) -> Callable[..., Any]:
    def parsed(self: Any, *args: Any) -> Any:
        if name not in _PARSED:
            before = set(vars(self))
            result = parse(self, *args)
            _PARSED[name] = {key: value for key, value in vars(self).items() if key not in before} | {"": result}
        vars(self).update({key: value for key, value in _PARSED[name].items() if key})
        return _PARSED[name][""]

    return parsed
