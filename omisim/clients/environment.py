"""The environment of a program that knows nothing of omisim: variables, configuration files, and interception.

Code that makes its own clients finds the credentials of an account where it looks for them outside, and its requests
reach the cloud. What the machine itself is configured with is out of sight.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from unittest import mock

from omisim.base.hosts import endpoint
from omisim.clients.gateway import speed_up_gateways
from omisim.clients.intercept import intercept_requests
from omisim.clients.isolated_environ import isolated_environ

if TYPE_CHECKING:
    from omisim.cloud.account import Account
    from omisim.cloud.cloud import Cloud

__all__ = ["Environment", "credentials", "enter_environment"]

SHIELDED = ("OSC_", "AWS_", "BOTO_")


@dataclass(frozen=True, slots=True)
class Environment:
    """What code in it finds: the `variables` that were set, and a `home` with `.osc/config.json`.

    `strays` are the requests to OUTSCALE hosts that nothing here serves.
    """

    variables: Mapping[str, str]
    home: Path
    strays: list[str]


@contextmanager
def enter_environment(cloud: Cloud, account: Account, *, limiter: bool = False) -> Iterator[Environment]:
    """Let this process be one of the account's, and let its requests reach the cloud.

    `OSC_*` and `AWS_*` name the account, and `~` is a directory with its `.osc/config.json`: the account is the profile
    "default", and each account that the cloud has by now the profile of its name. Everything else of the machine's
    that is named so is hidden, and put back at the end. Programs that are started as other processes are not
    intercepted: give them a server (`cloud.serve()`).
    """
    with ExitStack() as stack:
        home = Path(stack.enter_context(TemporaryDirectory(prefix="omisim-")))
        variables = credentials(account) | {
            "AWS_REGION": account.region,
            "AWS_ENDPOINT_URL_S3": endpoint("oos", account.region),
            "AWS_EC2_METADATA_DISABLED": "true",  # nothing looks for credentials elsewhere
            "HOME": str(home),
            "USERPROFILE": str(home),
        }
        _write_profiles(home, cloud, account)
        stack.enter_context(isolated_environ(*SHIELDED, **variables))
        if find_spec("osc_sdk_python"):
            stack.enter_context(_sdk(home))
            stack.enter_context(speed_up_gateways(limiter=limiter))
        stack.enter_context(_boto3())
        yield Environment(variables, home, stack.enter_context(intercept_requests(cloud.engine)))


def credentials(account: Account) -> dict[str, str]:
    """Return the variables by which OUTSCALE's clients and boto3 sign in as an account."""
    return {
        "OSC_ACCESS_KEY": account.access_key,
        "OSC_SECRET_KEY": account.secret_key,
        "OSC_REGION": account.region,
        "AWS_ACCESS_KEY_ID": account.access_key,
        "AWS_SECRET_ACCESS_KEY": account.secret_key,
        "AWS_DEFAULT_REGION": account.region,
    }


def _write_profiles(home: Path, cloud: Cloud, account: Account) -> None:
    accounts = {name: cloud.account(name) for name in cloud.accounts}
    profiles = {
        name: {"access_key": who.access_key, "secret_key": who.secret_key, "region": who.region}
        for name, who in {**accounts, "default": account}.items()
    }
    (home / ".osc").mkdir()
    (home / ".osc" / "config.json").write_text(json.dumps(profiles, indent=2))
    (home / ".osc" / "variables.json").write_text(json.dumps(profiles | {"default": {}}))


@contextmanager
def _sdk(home: Path) -> Iterator[None]:
    """Let the SDK, which knows its file from the moment it was imported, look into this home.

    Outside, its file rules over the variables. A test that sets OSC_ACCESS_KEY means it, so that here the variables
    rule over our file (but for a profile asked for by name), and only a file of the test's own rules over them.
    """
    from osc_sdk_python import credentials  # noqa: PLC0415 - it is installed

    plain: Callable[..., Any] = credentials.Profile.from_standard_configuration

    def found(path: str | None = None, profile: str | None = None) -> Any:
        if not path and "OSC_CONFIG_FILE" not in os.environ and "OSC_ACCESS_KEY" in os.environ:
            path = str(home / ".osc" / "variables.json")
        return plain(path, profile)

    with (
        mock.patch.object(credentials, "STD_PATH", str(home / ".osc" / "config.json")),
        mock.patch.object(credentials.Profile, "from_standard_configuration", found),
    ):
        yield


@contextmanager
def _boto3() -> Iterator[None]:
    """Let `boto3.client` read the variables anew: it keeps a session of its own."""
    before = getattr(sys.modules.get("boto3"), "DEFAULT_SESSION", None)
    _set_session(None)
    try:
        yield
    finally:
        _set_session(before)


def _set_session(session: Any) -> None:
    boto3: Any = sys.modules.get("boto3")
    if boto3 is not None:
        boto3.DEFAULT_SESSION = session
