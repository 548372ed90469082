"""A real boto3 S3 client whose requests reach a cloud in this process, signed with the cloud's time."""

from __future__ import annotations

import os
from functools import cache
from io import BytesIO
from threading import RLock
from typing import TYPE_CHECKING, Any

import boto3
import urllib3
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.config import Config

import omisim.doors.oos  # noqa: F401 - raises ImportError early if moto is missing
from omisim.base.hosts import endpoint
from omisim.clients.intercept.signing import signing_at
from omisim.clients.intercept.stack import normalize_headers, send_to_cloud
from omisim.clients.replaced_values import isolated_environ
from omisim.doors.front import FrontDoor
from omisim.engine.engine import Engine

if TYPE_CHECKING:
    from omisim.cloud.account import Account

__all__ = ["make_client"]

_LOCK = RLock()
if hasattr(os, "register_at_fork"):  # a fork waits until no other thread is within the lock
    os.register_at_fork(before=_LOCK.acquire, after_in_parent=_LOCK.release, after_in_child=_LOCK.release)


def make_client(engine: Engine, account: Account) -> Any:
    """Return an S3 client that signs in as the account, for the object storage of its Region."""
    with _LOCK, isolated_environ("AWS_", AWS_CONFIG_FILE=os.devnull, AWS_SHARED_CREDENTIALS_FILE=os.devnull):
        client = _session().client(
            "s3",
            region_name=account.region,
            endpoint_url=endpoint("oos", account.region),
            aws_access_key_id=account.access_key,
            aws_secret_access_key=account.secret_key,
            config=Config(signature_version="s3v4"),
        )

    door = FrontDoor(engine)

    def send(request: AWSPreparedRequest, **_event: Any) -> AWSResponse:
        host, _, target = request.url.partition("//")[2].partition("/")
        headers = normalize_headers(request.headers)
        response = send_to_cloud(door, "oos", request.method, host, f"/{target}", headers, request.body)
        body = BytesIO(response.body)
        raw = urllib3.HTTPResponse(body, response.headers, preload_content=False, request_method=request.method)
        return AWSResponse(request.url, response.status, dict(response.headers), raw)

    client.meta.events.register_first("before-send.s3", send)
    signer = client._request_signer  # noqa: SLF001 - pre-signing emits no event that could set the date
    original = signer.get_auth_instance

    def get_auth_instance(*args: Any, **kwargs: Any) -> Any:
        return _CloudTimeSigner(original(*args, **kwargs), engine)

    signer.get_auth_instance = get_auth_instance
    return client


@cache
def _session() -> boto3.Session:
    """Return a session for omisim's clients only, which caches botocore's service models."""
    return boto3.Session()


class _CloudTimeSigner:
    """A botocore signer that signs at the cloud's time, by which pre-signed URLs expire."""

    def __init__(self, signer: Any, engine: Engine) -> None:
        self._signer = signer
        self._now = engine.clock.now

    def add_auth(self, request: Any) -> None:
        """Sign a request at the cloud's time."""
        with signing_at(self._now):
            self._signer.add_auth(request)
