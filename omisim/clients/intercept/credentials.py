"""The patches that say why a client has no credentials: it was made before the environment that has them.

The SDK fails with a TypeError within its signature, botocore with NoCredentialsError.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from omisim.clients.intercept.replaced import replace_attributes
from omisim.clients.intercept.stack import NotServed

__all__ = ["patch_aiobotocore_signer", "patch_botocore_signer", "patch_sdk"]

_CAUSE = (
    "this client has no credentials. It was made before the test's environment (at import, in setUpClass, or cached by "
    "an earlier test), or there is none: make the client inside the test, and use the fixture omi_env"
)


def patch_sdk() -> Callable[[], None]:
    """Make osc-sdk-python refuse a call without credentials; return a function that removes the patch."""
    from osc_sdk_python.authentication import Authentication  # noqa: PLC0415 - loaded, or being loaded

    real_call: Callable[..., Any] = Authentication.__call__

    def call(auth: Any, request: Any) -> Any:
        if not auth.is_basic_auth_configured() and (auth.access_key is None or auth.secret_key is None):
            raise NotServed(f"{request.method} {request.url}: {_CAUSE}")
        return real_call(auth, request)

    return replace_attributes((Authentication, "__call__", call))


def patch_botocore_signer() -> Callable[[], None]:
    """Make botocore say why it has no credentials; return a function that removes the patch."""
    from botocore.exceptions import NoCredentialsError  # noqa: PLC0415
    from botocore.signers import RequestSigner  # noqa: PLC0415 - loaded, or being loaded

    real_sign: Callable[..., Any] = RequestSigner.sign

    def sign(*args: Any, **kwargs: Any) -> Any:
        try:
            return real_sign(*args, **kwargs)
        except NoCredentialsError as error:
            error.add_note(f"omisim: {_CAUSE}")
            raise

    return replace_attributes((RequestSigner, "sign", sign))


def patch_aiobotocore_signer() -> Callable[[], None]:
    """Make aiobotocore say why it has no credentials; return a function that removes the patch."""
    from aiobotocore.signers import AioRequestSigner  # noqa: PLC0415 - loaded, or being loaded
    from botocore.exceptions import NoCredentialsError  # noqa: PLC0415

    real_sign: Callable[..., Any] = AioRequestSigner.sign

    async def sign(*args: Any, **kwargs: Any) -> Any:
        try:
            return await real_sign(*args, **kwargs)
        except NoCredentialsError as error:
            error.add_note(f"omisim: {_CAUSE}")
            raise

    return replace_attributes((AioRequestSigner, "sign", sign))
