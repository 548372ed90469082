"""Real boto3 clients whose requests reach a cloud in this process, signed with the cloud's time."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from io import BytesIO
from threading import RLock
from typing import TYPE_CHECKING, Any

import boto3
import botocore.session
import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.config import Config
from botocore.exceptions import ConnectionClosedError
from botocore.handlers import BUILTIN_HANDLERS, add_recursion_detection_header
from botocore.hooks import HierarchicalEmitter

from omisim.base.hosts import make_endpoint
from omisim.base.process import hold_at_fork
from omisim.clients.botocore_parts import AnswerParsers, CloudTimeSigner, FormSigner, encode_headers
from omisim.clients.intercept.stack import normalize_headers, send_to_cloud
from omisim.clients.replaced_values import isolated_environ
from omisim.doors.fcu.shapes import LOADER
from omisim.doors.front import FrontDoor
from omisim.doors.http import HttpResponse
from omisim.engine.engine import Engine
from omisim.engine.faults import Dropped

if TYPE_CHECKING:
    from omisim.cloud.account import Account

__all__ = ["make_client"]

_LOCK = RLock()
hold_at_fork(_LOCK)
# service of OUTSCALE → boto3's name of its protocol, and its configuration
_CONFIGS: Mapping[str, tuple[str, Config]] = {
    "fcu": ("ec2", Config()),
    "oos": ("s3", Config(signature_version="s3v4")),
}


def make_client(engine: Engine, account: Account, service: str) -> Any:
    """Return a client that signs in as the account, for a service of its Region: "fcu" or "oos"."""
    if service == "oos":
        import omisim.doors.oos  # noqa: F401, PLC0415 - raises ImportError early if moto is missing
    protocol, config = _CONFIGS[service]
    with _LOCK, isolated_environ("AWS_", AWS_CONFIG_FILE=os.devnull, AWS_SHARED_CREDENTIALS_FILE=os.devnull):
        client = _get_session().client(
            protocol,
            region_name=account.region,
            endpoint_url=make_endpoint(service, account.region),
            aws_access_key_id=account.access_key,
            aws_secret_access_key=account.secret_key,
            config=config,
        )
    send = _make_sender(FrontDoor(engine), service)
    client.meta.events.register_last(f"before-send.{protocol}", send)  # after handlers that may change the request
    signer = client._request_signer  # noqa: SLF001 - pre-signing emits no event that could set the date
    _sign_at_cloud_time(signer, engine)
    if service == "fcu":
        client.meta.events.register_last(f"request-created.{protocol}", encode_headers)
        agent = client._user_agent_creator  # noqa: SLF001 - whose handler sets the same User-Agent in each call again
        client.meta.events.unregister(f"request-created.{protocol}", agent.rebuild_and_replace_user_agent_handler)
    return client


def _make_sender(door: FrontDoor, service: str) -> Callable[..., AWSResponse]:
    """Return the function that sends the requests of a client, in place of botocore's connection."""

    def send(request: AWSPreparedRequest, **_event: Any) -> AWSResponse:
        host, _, target = request.url.partition("//")[2].partition("/")
        try:
            headers = normalize_headers(getattr(request.headers, "_dict", request.headers))  # botocore's items are slow
            response = send_to_cloud(door, service, request.method, host, f"/{target}", headers, request.body)
        except Dropped as error:
            raise ConnectionClosedError(endpoint_url=request.url, error=error) from error
        raw = _Body(response.body) if service == "fcu" else _make_stream(request.method, response)
        return AWSResponse(request.url, response.status, dict(response.headers), raw)

    return send


def _sign_at_cloud_time(signer: Any, engine: Engine) -> None:
    """Let a signer of botocore use the cloud's time, by which pre-signed URLs expire."""
    original = signer.get_auth_instance

    def get_auth_instance(signing_name: str, region_name: str, **kwargs: Any) -> Any:
        auth = original(signing_name, region_name, **kwargs)
        if auth.__class__ is SigV4Auth:
            return FormSigner(auth.credentials, signing_name, region_name, engine.clock.now)
        return CloudTimeSigner(auth, engine.clock.now)

    signer.get_auth_instance = get_auth_instance


class _Body(BytesIO):
    """The body of an answer that botocore reads at once. urllib3's response takes 30 microseconds more."""

    def stream(self) -> Iterator[bytes]:
        """Yield the whole body."""
        yield self.read()


def _make_stream(method: str, response: HttpResponse) -> urllib3.HTTPResponse:
    """Return the answer as a stream, which the client of object storage hands to its caller as it was stored."""
    return urllib3.HTTPResponse(
        BytesIO(response.body), response.headers, preload_content=False, decode_content=False, request_method=method
    )


@cache
def _get_session() -> boto3.Session:
    """Return a session for omisim's clients only, which caches botocore's service models, and shares them with FCU.

    Its settings spare a quarter of a call: events without aliases, parsers of answers, and a User-Agent that stays the
    same.
    """
    events = HierarchicalEmitter()
    session = botocore.session.Session(event_hooks=events)
    session.unregister("before-call", add_recursion_detection_header)  # for code that runs in AWS Lambda
    for event, handler, *_ in BUILTIN_HANDLERS:
        if getattr(handler, "__module__", "").startswith("moto."):  # it would compare each URL with those of AWS
            session.unregister(event, handler)
    session.register_component("event_emitter", events)  # without aliases of events: EC2 and S3 have none
    session.register_component("data_loader", LOADER)
    session.register_component("response_parser_factory", AnswerParsers())
    boto3_session = boto3.Session(botocore_session=session)
    session.set_default_client_config(Config(user_agent=session.user_agent()))
    return boto3_session
