"""The patches that say why a client has no credentials: it was made before the environment that has them.

The SDK fails with a TypeError within its signature, botocore with NoCredentialsError.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from omisim.clients.intercept.patches import wrap_attributes
from omisim.clients.intercept.stack import NotServed

__all__ = ["patch_aiobotocore_signer", "patch_botocore_signer", "patch_sdk"]

_CAUSE = (
    "this client has no credentials. It was made before the test's environment (at import, in setUpClass, or cached by "
    "an earlier test), or there is none: make the client inside the test, and use the fixture omi_env"
)


def patch_sdk() -> Callable[[], None]:
    """Make osc-sdk-python refuse a call without credentials; return a function that removes the patch."""
    from osc_sdk_python.authentication import Authentication  # noqa: PLC0415 - loaded, or being loaded

    return wrap_attributes((Authentication, "__call__", _wrap_authentication))


def patch_botocore_signer() -> Callable[[], None]:
    """Make botocore say why it has no credentials; return a function that removes the patch."""
    from botocore.signers import RequestSigner  # noqa: PLC0415 - loaded, or being loaded

    return wrap_attributes((RequestSigner, "sign", _wrap_sign))


def patch_aiobotocore_signer() -> Callable[[], None]:
    """Make aiobotocore say why it has no credentials; return a function that removes the patch."""
    from aiobotocore.signers import AioRequestSigner  # noqa: PLC0415 - loaded, or being loaded

    return wrap_attributes((AioRequestSigner, "sign", _wrap_async_sign))


def _wrap_authentication(real: Callable[..., Any]) -> Callable[..., Any]:
    def authenticate(auth: Any, request: Any) -> Any:
        if not auth.is_basic_auth_configured() and (auth.access_key is None or auth.secret_key is None):
            raise NotServed(f"{request.method} {request.url}: {_CAUSE}")
        return real(auth, request)

    return authenticate


def _wrap_sign(real: Callable[..., Any]) -> Callable[..., Any]:
    def sign(*args: Any, **kwargs: Any) -> Any:
        with _explaining():
            return real(*args, **kwargs)

    return sign


def _wrap_async_sign(real: Callable[..., Any]) -> Callable[..., Any]:
    async def sign(*args: Any, **kwargs: Any) -> Any:
        with _explaining():
            return await real(*args, **kwargs)

    return sign


@contextmanager
def _explaining() -> Iterator[None]:
    """Add the cause to botocore's exception for missing credentials."""
    from botocore.exceptions import NoCredentialsError  # noqa: PLC0415 - the SDK does not need botocore

    try:
        yield
    except NoCredentialsError as error:
        error.add_note(f"omisim: {_CAUSE}")
        raise
