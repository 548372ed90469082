"""Headers of requests to object storage, and of the objects that they store, whichever way they come."""

from __future__ import annotations

from collections.abc import Iterator
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from support.boto import refusal_of
from support.storing import BUCKET

from omisim import Account, Cloud
from omisim.base.hosts import make_endpoint
from omisim.server import Running


@pytest.fixture(name="server")
def _server(cloud: Cloud) -> Iterator[Running]:
    with cloud.serve() as running:
        yield running


def make_client(account: Account, url: str) -> Any:
    """Make an S3 client that omisim does not know."""
    keys = {"aws_access_key_id": account.access_key, "aws_secret_access_key": account.secret_key}
    config = Config(s3={"addressing_style": "path"})
    return boto3.client("s3", region_name=account.region, endpoint_url=url, config=config, **keys)


def store(oos: Any, **headers: Any) -> tuple[Any, ...] | str:
    """Store an object with these headers; return those that it has then, or the code of the refusal."""
    try:
        oos.put_object(Bucket=BUCKET, Key="a", Body=b"x", **headers)
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    answer = oos.head_object(Bucket=BUCKET, Key="a")
    return answer["Metadata"], answer.get("ContentDisposition"), answer["ContentType"]


@pytest.mark.parametrize(
    "headers",
    [
        *({"Metadata": {"name": value}} for value in ("a  b", " a\t", "")),
        *({"ContentDisposition": value} for value in ("a  b", " a\t", "", "é", "€")),
        {"ContentType": "é"},
    ],
    ids=ascii,
)
def test_headers_arrive_as_over_http(
    cloud: Cloud, alice: Account, oos: Any, server: Running, headers: dict[str, Any]
) -> None:
    """A value loses the spaces around it, and is signed by its bytes. [OOS-001]"""
    served = store(make_client(alice, f"{server.url}/oos/{alice.region}"), **headers)
    assert store(oos, **headers) == served
    with cloud.intercept():
        assert store(make_client(alice, make_endpoint("oos", alice.region)), **headers) == served


def test_an_empty_header_is_metadata_or_asks_for_nothing(alice: Account, oos: Any, server: Running) -> None:
    """Metadata may be empty; a client that sends another header without a value has not set it. [OOS-007]"""
    headers = {"Metadata": {"name": ""}, "Tagging": "", "ACL": "", "ContentDisposition": ""}
    for client in (oos, make_client(alice, f"{server.url}/oos/{alice.region}")):
        assert store(client, **headers)[:2] == ({"name": ""}, None)


def send(address: str, method: str, url: str, disposition: bytes | None = None) -> bytes:
    """Send a request with a pre-signed URL to a server; return the header Content-Disposition of the answer."""
    parts, connection = urlsplit(url), HTTPConnection(address, timeout=60)
    connection.putrequest(method, f"{parts.path}?{parts.query}", skip_host=True)
    connection.putheader("Host", parts.netloc)
    if disposition is not None:
        connection.putheader("Content-Disposition", disposition)
    connection.putheader("Content-Length", "0")
    connection.endheaders()
    response = connection.getresponse()
    response.read()
    connection.close()
    assert response.status == 200
    return response.getheader("Content-Disposition", "").encode("latin-1")


@pytest.mark.parametrize("value", ["é".encode(), b"\xe9", "€".encode()])
def test_a_stored_header_has_the_bytes_that_were_sent(server: Running, oos: Any, value: bytes) -> None:
    """The name of a file in UTF-8 or Latin-1 comes back as the client has sent it. [OOS-007]"""
    params, address = {"Bucket": BUCKET, "Key": "a"}, server.url.partition("//")[2]
    send(address, "PUT", oos.generate_presigned_url("put_object", Params=params), value)
    assert send(address, "GET", oos.generate_presigned_url("get_object", Params=params)) == value


@pytest.mark.parametrize(("value", "sent"), [("é", b"\xe9"), ("a", b"a")])
def test_a_header_by_a_query_is_in_latin_1(server: Running, oos: Any, value: str, sent: bytes) -> None:
    """An answer has the header that response-content-disposition asks for. [OOS-003]"""
    oos.put_object(Bucket=BUCKET, Key="a", Body=b"x")
    params = {"Bucket": BUCKET, "Key": "a", "ResponseContentDisposition": value}
    url = oos.generate_presigned_url("get_object", Params=params)
    assert send(server.url.partition("//")[2], "GET", url) == sent


def test_a_header_by_a_query_beyond_latin_1_is_refused(oos: Any) -> None:
    """No header can have it, as S3 says. [OOS-003]"""
    oos.put_object(Bucket=BUCKET, Key="a", Body=b"x")
    parameters = {"Bucket": BUCKET, "Key": "a", "ResponseContentDisposition": "€"}
    assert refusal_of(oos.get_object, **parameters) == (400, "InvalidArgument")


@pytest.mark.parametrize("text", ["x", "bytes=", "bytes=a-b", "bytes=5-2", "bytes=0-1,3-4", "bytes=0-1=2", "chars=0-1"])
@pytest.mark.parametrize("body", [b"", b"0123"])
def test_a_range_that_is_malformed_is_ignored(oos: Any, text: str, body: bytes) -> None:
    """The whole object is answered, to GET and HEAD, also where it is empty. [OOS-007]"""
    oos.put_object(Bucket=BUCKET, Key="a", Body=body)
    assert oos.get_object(Bucket=BUCKET, Key="a", Range=text)["Body"].read() == body
    assert oos.head_object(Bucket=BUCKET, Key="a", Range=text)["ContentLength"] == len(body)


@pytest.mark.parametrize(("text", "rest"), [("bytes=0-", b"0123"), ("bytes=-2", b"23"), ("bytes=3-9", b"3")])
def test_a_range_may_be_open_or_end_after_the_object(oos: Any, text: str, rest: bytes) -> None:
    """A range without an end, the last bytes, and a range that ends later are answered. [OOS-007]"""
    oos.put_object(Bucket=BUCKET, Key="a", Body=b"0123")
    assert oos.get_object(Bucket=BUCKET, Key="a", Range=text)["Body"].read() == rest


def test_a_range_of_a_write_is_ignored(oos: Any) -> None:
    """Only reads of objects have a range. [OOS-007]"""

    def add_range(request: Any, **_event: Any) -> None:
        request.headers["Range"] = "bytes=9-"

    oos.meta.events.register("before-sign.s3.PutObject", add_range)
    oos.put_object(Bucket=BUCKET, Key="a", Body=b"x")
    assert oos.get_object(Bucket=BUCKET, Key="a")["Body"].read() == b"x"
