"""An environment for code that creates its own clients: variables, configuration files and interception.

The code finds the credentials of an account in the usual places, and its requests reach the cloud. The configuration of
the machine is hidden.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import field
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import enumerate as living_threads
from typing import TYPE_CHECKING, Any

from omisim.base.frozen import frozen
from omisim.base.hosts import make_endpoint
from omisim.base.private_file import write_private
from omisim.base.process import close_at_exit
from omisim.base.suggest import describe_unknown
from omisim.clients.gateway import speed_up_gateways
from omisim.clients.intercept import intercept_requests
from omisim.clients.intercept.children import OTHER_SERVICES, REFUSING, child_variables
from omisim.clients.replaced_values import isolated_environ_of_code, replaced_attribute, replaced_value
from omisim.clients.threads import disown_threads

if TYPE_CHECKING:
    from omisim.cloud.account import Account
    from omisim.cloud.cloud import Cloud

__all__ = ["Environment", "enter_environment", "make_credentials"]

PROFILE_ADVICE = (
    "Each account of the cloud has one: create the account by cloud.account(), or name it in "
    "@pytest.mark.omisim(accounts=[...])"
)
HIDDEN_PREFIXES = ("OSC_", "AWS_", "BOTO_")


@frozen()
class Environment:
    """The environment of the code under test.

    `variables` are the variables that were set. `home` is a directory with `.osc/config.json` and `.aws/credentials`.
    `strays` lists the requests to OUTSCALE services that omisim does not serve. `threads` names, once the environment
    has ended, the threads that have outlived it.
    """

    variables: Mapping[str, str]
    home: Path
    strays: list[str]
    threads: list[str] = field(default_factory=list)


@contextmanager
def enter_environment(
    cloud: Cloud, account: Account, *, limiter: bool = False, server: bool = False
) -> Iterator[Environment]:
    """Set the environment of this process to an account, and redirect its requests to the cloud.

    `OSC_*` and `AWS_*` hold the account's credentials. `~` is a directory with `.osc/config.json` and
    `.aws/credentials`, in which the profile "default" is the account, and each account of the cloud has a profile with
    its name, also one that `cloud.account` creates later. Other variables with these prefixes are hidden, and restored
    at the end. Environments may end in any order.

    Child processes are not intercepted. With `server`, their clients reach the cloud by a server; without it, they get
    an address that refuses by name.
    """
    with ExitStack() as stack:
        close_at_exit(stack)
        home = Path(stack.enter_context(TemporaryDirectory(prefix="omisim-")))
        variables = make_credentials(account) | {
            "AWS_REGION": account.region,
            "AWS_ENDPOINT_URL_EC2": make_endpoint("fcu", account.region),
            "AWS_ENDPOINT_URL_S3": make_endpoint("oos", account.region),
            "AWS_EC2_METADATA_DISABLED": "true",  # do not look up credentials elsewhere
            "HOME": str(home),
            "USERPROFILE": str(home),
        }
        profiles = stack.enter_context(_keep_profiles(home, cloud, account))
        running = stack.enter_context(cloud.serve()) if server else None
        if find_spec("osc_sdk_python"):  # imported here for the first time, it takes the home of the machine
            stack.enter_context(_patch_sdk_profiles(home, profiles))
            stack.enter_context(speed_up_gateways(limiter=limiter))
        if osc_cli := sys.modules.get("osc_sdk.sdk"):
            stack.enter_context(replaced_attribute(osc_cli, "CONF_PATHS", [home / ".osc" / "config.json"]))
        stack.enter_context(isolated_environ_of_code(*HIDDEN_PREFIXES, **variables))
        endpoints = [name for name in variables if name.startswith("AWS_ENDPOINT_URL")]
        refusing = dict.fromkeys((*endpoints, "OSC_ENDPOINT_API"), REFUSING) | {"AWS_ENDPOINT_URL": OTHER_SERVICES}
        stack.enter_context(child_variables(refusing | (running.env(account) if running else {})))
        stack.enter_context(replaced_value("boto3.DEFAULT_SESSION", _get_session, _set_session, lambda _: None))
        strays = stack.enter_context(intercept_requests(cloud.engine, running.url if running else None))
        environment, before = Environment(variables, home, strays), list(living_threads())
        stack.callback(lambda: environment.threads.extend(disown_threads(before, account.name)))
        yield environment


def make_credentials(account: Account) -> dict[str, str]:
    """Return the environment variables with which OUTSCALE's clients and boto3 sign in as an account."""
    return {
        "OSC_ACCESS_KEY": account.access_key,
        "OSC_SECRET_KEY": account.secret_key,
        "OSC_REGION": account.region,
        "AWS_ACCESS_KEY_ID": account.access_key,
        "AWS_SECRET_ACCESS_KEY": account.secret_key,
        "AWS_DEFAULT_REGION": account.region,
    }


@contextmanager
def _keep_profiles(home: Path, cloud: Cloud, account: Account) -> Iterator[list[str]]:
    """Yield the names of the profiles, and write their files now and with each account until the context exits."""
    profiles: list[str] = []

    def update() -> None:
        profiles[:] = _write_profiles(home, cloud, account)

    with cloud.engine.lock:
        update()
        cloud.account_watchers.append(update)
    try:
        yield profiles
    finally:
        with cloud.engine.lock:  # no other thread writes into a directory that is removed
            cloud.account_watchers.remove(update)


def _write_profiles(home: Path, cloud: Cloud, account: Account) -> list[str]:
    """Write the configuration files, and return the names of their profiles."""
    accounts = {name: cloud.account(name) for name in cloud.accounts}
    profiles = {
        name: {"access_key": owner.access_key, "secret_key": owner.secret_key, "region": owner.region}
        for name, owner in {**accounts, "default": account}.items()
    }
    for folder in (".osc", ".aws"):
        (home / folder).mkdir(parents=True, exist_ok=True)  # the code under test may have removed ~
    write_private(home / ".osc" / "config.json", json.dumps(profiles, indent=2))
    write_private(home / ".osc" / "variables.json", json.dumps(profiles | {"default": {}}))
    sections = [_format_section(name, profile) for name, profile in profiles.items() if _is_section(name)]
    write_private(home / ".aws" / "credentials", "\n".join(sections))
    return list(profiles)


def _is_section(name: str) -> bool:
    """Whether boto3 can read a profile of this name, in any locale. With another, it could read none of the file."""
    return name.isascii() and name.isprintable()


def _format_section(name: str, profile: Mapping[str, str]) -> str:
    key, secret, region = profile["access_key"], profile["secret_key"], profile["region"]
    return f"[{name}]\naws_access_key_id = {key}\naws_secret_access_key = {secret}\nregion = {region}\n"


@contextmanager
def _patch_sdk_profiles(home: Path, profiles: list[str]) -> Iterator[None]:
    """Make the SDK, which fixes the path of its file at import, read the files in this home.

    The SDK's file normally overrides the variables. Here the variables override our file, so that a test can set
    OSC_ACCESS_KEY; a profile requested by name, and a file of the test's own, still override them. The SDK's error
    about a profile that our file lacks does not name it, so a note does.
    """
    from osc_sdk_python import credentials  # noqa: PLC0415 - an optional dependency

    with ExitStack() as stack:
        stack.enter_context(replaced_attribute(credentials, "STD_PATH", str(home / ".osc" / "config.json")))
        if hasattr(credentials, "ORIGINAL_PATH"):  # SDKs before 0.42 read this file of the machine too
            stack.enter_context(replaced_attribute(credentials, "ORIGINAL_PATH", str(home / ".oapi_credentials")))
        if hasattr(credentials, "Profile"):  # in SDKs before 0.39, the variables override the file
            read = _read_sdk_profiles(credentials.Profile.from_standard_configuration, home, profiles)
            stack.enter_context(
                replaced_attribute(credentials.Profile, "from_standard_configuration", staticmethod(read))
            )
        yield


def _read_sdk_profiles(original: Callable[..., Any], home: Path, profiles: list[str]) -> Callable[..., Any]:
    def from_standard_configuration(path: str | None = None, profile: str | None = None) -> Any:
        is_ours = not path and "OSC_CONFIG_FILE" not in os.environ
        if is_ours and "OSC_ACCESS_KEY" in os.environ:
            path = str(home / ".osc" / "variables.json")
        try:
            return original(path, profile)
        except Exception as error:
            name = profile or os.environ.get("OSC_PROFILE") or "default"
            if is_ours and name not in profiles:
                error.add_note(f"omisim: {describe_unknown('profile', name, profiles)}. {PROFILE_ADVICE}")
            raise

    return from_standard_configuration


def _get_session() -> Any:
    """Return the default session of `boto3.client`, which has read the variables of its time."""
    return getattr(sys.modules.get("boto3"), "DEFAULT_SESSION", None)


def _set_session(session: Any) -> None:
    boto3: Any = sys.modules.get("boto3")
    if boto3 is not None:
        boto3.DEFAULT_SESSION = session
