"""Every HTTP client that interception reaches, with retries of its own: one call of ReadRegions at a door.

A client is a function of a door. It returns the status of the answer, or raises what its library raises.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from typing import Any

import aiohttp
import boto3
import httpx
import requests
import urllib3
from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession
from botocore.config import Config
from osc_sdk_python import Gateway
from requests.adapters import HTTPAdapter

from omisim import Account

__all__ = ["CLIENTS", "Door", "Outcome", "find_outcome"]

RETRIES = 2  # of every client that can retry
ACTION = "ReadRegions"


@dataclass(frozen=True)
class Door:
    """A way to the API: the URL of the API, and the account that signs in."""

    url: str
    account: Account

    @property
    def action_url(self) -> str:
        """The URL of ReadRegions."""
        return f"{self.url}/{ACTION}"


@dataclass(frozen=True)
class Outcome:
    """What a client gave its caller: a status or the names of an exception and its causes; and the calls it took."""

    status: int | None
    raised: tuple[str, ...]
    calls: int


def find_outcome(client: Callable[[Door], int], door: Door) -> Outcome:
    """Return the outcome of one call by a client."""
    cloud = door.account.cloud
    before = len(cloud.calls(ACTION))
    try:
        status: int | None = client(door)
        raised: tuple[str, ...] = ()
    except Exception as error:  # noqa: BLE001 - any exception is an outcome
        status, raised = None, _name(error)
    return Outcome(status, raised, len(cloud.calls(ACTION)) - before)


def _name(error: BaseException) -> tuple[str, ...]:
    """Return the class of an exception, and the classes that its arguments hold: what `except` can tell apart."""
    inner = [part for part in error.args if isinstance(part, BaseException)]
    inner += [reason] if isinstance(reason := getattr(error, "reason", None), BaseException) else []
    return type(error).__qualname__, *(name for part in dict.fromkeys(inner) for name in _name(part))


def _retry(**options: Any) -> urllib3.Retry:
    return urllib3.Retry(RETRIES, status_forcelist=[429, 503], allowed_methods=None, **options)


def call_requests(door: Door) -> int:
    """Call without a retry."""
    return requests.post(door.action_url, json={}, timeout=60).status_code


def call_requests_with_retries(door: Door) -> int:
    """Call with urllib3's retries, mounted as its documentation shows."""
    with requests.Session() as session:
        session.mount(door.url.partition("//")[0] + "//", HTTPAdapter(max_retries=_retry()))
        return session.post(door.action_url, json={}, timeout=60).status_code


def call_urllib3(door: Door) -> int:
    """Call with a pool of one connection, which a lost connection would exhaust."""
    with urllib3.PoolManager(retries=_retry(), maxsize=1, block=True) as pool:
        answer = pool.request("POST", door.action_url, json={}, timeout=60, preload_content=False)
        assert answer.read()
        answer.release_conn()
        return answer.status


def call_urllib3_that_returns_the_last_answer(door: Door) -> int:
    """Call with retries that end in an answer instead of MaxRetryError."""
    with urllib3.PoolManager(retries=_retry(raise_on_status=False)) as pool:
        return pool.request("POST", door.action_url, json={}, timeout=60).status


def call_httpx(door: Door) -> int:
    """Call with the synchronous client."""
    with httpx.Client(transport=httpx.HTTPTransport(retries=RETRIES)) as client:
        return client.post(door.action_url, json={}).status_code


def call_httpx_async(door: Door) -> int:
    """Call with the asynchronous client, and stream the answer."""

    async def call() -> int:
        async with httpx.AsyncClient() as client, client.stream("POST", door.action_url, json={}) as response:
            assert b"".join([part async for part in response.aiter_raw()])
            return response.status_code

    return asyncio.run(call())


def call_aiohttp(door: Door) -> int:
    """Call with aiohttp."""

    async def call() -> int:
        async with aiohttp.ClientSession() as session, session.post(door.action_url, json={}) as response:
            assert await response.json()
            return response.status

    return asyncio.run(call())


def _boto_options(door: Door) -> dict[str, Any]:
    """Return the options of a client of DynamoDB, the service of AWS whose protocol is nearest to the API's."""
    return {
        "region_name": door.account.region,
        "endpoint_url": door.action_url,
        "aws_access_key_id": door.account.access_key,
        "aws_secret_access_key": door.account.secret_key,
    }


@cache
def _boto_session(kind: type) -> Any:
    """Return a session of one kind, which caches the description of the service."""
    return kind()


def _call_botocore(door: Door, mode: str) -> int:
    config = Config(retries={"total_max_attempts": RETRIES + 1, "mode": mode})
    with closing(_boto_session(boto3.Session).client("dynamodb", config=config, **_boto_options(door))) as client:
        return int(client.list_tables()["ResponseMetadata"]["HTTPStatusCode"])


def call_botocore(door: Door) -> int:
    """Call with botocore's first kind of retries, its default."""
    return _call_botocore(door, "legacy")


def call_botocore_standard(door: Door) -> int:
    """Call with botocore's standard retries."""
    return _call_botocore(door, "standard")


def call_aiobotocore(door: Door) -> int:
    """Call with aiobotocore."""
    config = AioConfig(retries={"total_max_attempts": RETRIES + 1})

    async def call() -> int:
        async with _boto_session(AioSession).create_client("dynamodb", config=config, **_boto_options(door)) as client:
            answer = await client.list_tables()
            return int(answer["ResponseMetadata"]["HTTPStatusCode"])

    return asyncio.run(call())


def call_sdk(door: Door) -> int:
    """Call with the SDK, which retries every failure but a refusal."""
    with Gateway(max_retries=RETRIES, retry_backoff_factor=0, retry_backoff_jitter=0) as gateway:
        assert gateway.ReadRegions()["Regions"]
    return 200


CLIENTS = (
    call_requests,
    call_requests_with_retries,
    call_urllib3,
    call_urllib3_that_returns_the_last_answer,
    call_httpx,
    call_httpx_async,
    call_aiohttp,
    call_botocore,
    call_botocore_standard,
    call_aiobotocore,
    call_sdk,
)
