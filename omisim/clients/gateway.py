"""A real osc-sdk-python Gateway whose requests reach a cloud in this process through a transport adapter.

The SDK itself checks parameters, signs and decodes. Its API description takes it two seconds to parse, so
`sdk_description` keeps it parsed, and its rate limiter (five calls per second) is off by default. `speed_up_gateways`
does the same for Gateways that other code creates.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import RLock
from typing import TYPE_CHECKING, Any

from omisim.base.hosts import make_endpoint
from omisim.base.process import hold_at_fork
from omisim.clients.replaced_values import isolated_environ, replaced_attribute
from omisim.clients.sdk_description import kept_description

if TYPE_CHECKING:
    from osc_sdk_python import Gateway

    from omisim.cloud.account import Account
    from omisim.engine.engine import Engine

__all__ = ["make_gateway", "speed_up_gateways"]

_LOCK = RLock()
hold_at_fork(_LOCK)
_real_acquire: Callable[..., Any] | None = None


def make_gateway(engine: Engine, account: Account, *, limiter: bool = False) -> Gateway:
    """Return a Gateway that signs in as the account. Raises ImportError that names the extra if the SDK is missing."""
    try:
        from osc_sdk_python import Gateway  # noqa: PLC0415
        from osc_sdk_python.credentials import Endpoint, Profile  # noqa: PLC0415

        from omisim.clients.intercept.adapter import CloudAdapter  # noqa: PLC0415 - needs requests, like the SDK
        from omisim.clients.intercept.sdk_session import SdkSession  # noqa: PLC0415 - needs requests, too
    except ImportError as error:
        raise ImportError("account.gateway() needs osc-sdk-python: pip install 'omisim[osc]'") from error
    with _LOCK, kept_description(Gateway), isolated_environ("OSC_"):
        gateway = Gateway()
    url = f"{make_endpoint('api', account.region)}/api/v1"
    gateway.call.profile = Profile(
        access_key=account.access_key,
        secret_key=account.secret_key,
        protocol="https",
        region=account.region,
        endpoints=Endpoint(api=url),
    )
    if not limiter:
        gateway.call.limiter = None
    session = gateway.call.session = SdkSession()
    session.trust_env = False  # the request does not leave the process, so ignore proxies and .netrc
    session.mount("https://", CloudAdapter(engine))
    return gateway


@contextmanager
def speed_up_gateways(*, limiter: bool = False) -> Iterator[None]:
    """Keep the parsed API description for every new Gateway, and turn off its rate limiter unless `limiter`."""
    from osc_sdk_python import Gateway  # noqa: PLC0415 - the caller has checked that it is installed

    with kept_description(Gateway), _replaced_limiter(limiter=limiter):
        yield


@contextmanager
def _replaced_limiter(*, limiter: bool) -> Iterator[None]:
    global _real_acquire  # noqa: PLW0603 - the first context finds the function of the SDK
    try:
        from osc_sdk_python.limiter import RateLimiter  # noqa: PLC0415 - an optional dependency
    except ImportError:  # an SDK before 0.35, which has none
        yield
        return
    if _real_acquire is None:
        _real_acquire = RateLimiter.acquire
    acquire = _real_acquire if limiter else _acquire_immediately
    with replaced_attribute(RateLimiter, "acquire", acquire):
        yield


def _acquire_immediately(_limiter: object) -> None:
    """Replace `RateLimiter.acquire`, which would wait."""
