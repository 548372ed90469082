"""Every number, date and text that a request may hold: extreme values are answered or refused, never a failure."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from support.sign import sign_request
from support.storing import BUCKET, create_bucket

from omisim import Account, Cloud
from omisim.actions.framework.registry import ACTIONS
from omisim.actions.framework.schema import Shape
from omisim.doors.front import FrontDoor
from omisim.doors.http import HttpRequest
from omisim.model.serialize import api_name, is_date

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
NUMBERS = ("Infinity", "1e999", "-1e999", "9" * 4000, "9" * 5000, "²", "1e308", "-0.0", str(2**63), "-1")
TEXTS = tuple(
    json.dumps(text)
    for text in (
        *("²", "9" * 5000, "Infinity", "\ud800", "\0", "\r\n", "http://[", "http://a:²/", "9999-12-31T23:59:59-14:00"),
        *("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59Z", "10.0.0.0/²", "*" * 3000, "%00%ff"),
    )
)


def list_leaves(shape: Shape) -> Iterator[tuple[str, str]]:
    """Yield a template of a request for each leaf of a shape: the JSON around it, and the leaf's kind."""
    for field in shape.all_fields.values():
        name = json.dumps(api_name(field.name))
        opening, closing = ("[", "]") if field.many else ("", "")
        inner = [("%s", "text" if field.type is str or is_date(field.type) else "number")]
        if field.shape is not None:
            inner = list(list_leaves(field.shape))
        for text, kind in inner:
            yield f"{{{name}: {opening}{text}{closing}}}", kind


@pytest.mark.parametrize("action", sorted(ACTIONS))
def test_oapi_answers_any_value_of_any_parameter(action: str) -> None:
    """A hostile literal in any leaf of any request is answered below 500, and the call log stays readable."""
    cloud = Cloud(auth="off")
    cloud.account("alice")
    door = FrontDoor(cloud.engine)
    for template, kind in list_leaves(ACTIONS[action].shape):
        for literal in NUMBERS if kind == "number" else TEXTS:
            body = (template % literal).encode()
            request = HttpRequest("POST", "api.eu-west-2.outscale.com", f"/api/v1/{action}", {}, body)
            assert door.handle("api", request, NOW).status < 500, body[:200]
    json.dumps([call.parameters for call in cloud.calls()], ensure_ascii=False).encode()


@pytest.fixture(name="storage")
def _storage(cloud: Cloud, alice: Account) -> FrontDoor:
    create_bucket(alice).put_object(Bucket=BUCKET, Key="k", Body=b"0123456789")
    create_bucket(alice, "public").put_bucket_acl(Bucket="public", ACL="public-read-write")
    alice.client("oos").put_object(Bucket="public", Key="k", Body=b"0123456789", ACL="public-read")
    return FrontDoor(cloud.engine)


def ask_storage(door: FrontDoor, query: str = "", key: str = "/k", **headers: str) -> int:
    """Send a GET request to the public bucket and return the status."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    request = HttpRequest("GET", "oos.eu-west-2.outscale.com", f"/public{key}", given, b"", query)
    return door.handle("oos", request, NOW).status


@pytest.mark.parametrize("value", ["²", "9" * 5000, "Infinity", "-1"], ids=["digit", "long", "infinite", "negative"])
class TestObjectStorage:
    def test_answers_any_number_in_a_query(self, storage: FrontDoor, value: str) -> None:
        """Paging and part numbers of any value are answered or refused, before and after authentication. [OOS-006]"""
        text = quote(value, errors="replace")
        for name in ("max-keys", "max-uploads", "list-type", "marker", "continuation-token", "encoding-type"):
            assert ask_storage(storage, f"{name}={text}", "") < 500
        for name in ("partNumber", "response-expires", "uploadId", "part-number-marker"):
            assert ask_storage(storage, f"{name}={text}") < 500

    def test_answers_any_number_in_a_header(self, storage: FrontDoor, value: str) -> None:
        """Ranges, dates and lengths of any value are answered or refused. [OOS-006]"""
        for name in ("range", "if_modified_since", "if_unmodified_since", "x_amz_date", "content_length", "if_match"):
            given = f"bytes={value}-{value}" if name == "range" else value
            assert ask_storage(storage, **{name: given}) < 500

    def test_answers_any_validity_of_a_url(self, storage: FrontDoor, alice: Account, value: str) -> None:
        """Dates and validities of unsigned URLs are refused by name. [OOS-003]"""
        scope = f"{alice.access_key}/20260101/eu-west-2/s3/aws4_request"
        text = quote(value, errors="replace")
        for date, seconds in (("20260101T000000Z", text), (text, "60"), ("99991231T235959Z", "60")):
            query = (
                f"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={scope}&X-Amz-Date={date}&X-Amz-Expires={seconds}"
            )
            assert ask_storage(storage, query + "&X-Amz-SignedHeaders=host&X-Amz-Signature=0") in (400, 403)

    def test_answers_any_virtual_size_of_a_file(self, alice: Account, storage: FrontDoor, value: str) -> None:
        """Any client writes the metadata of an object; an import ignores a size that is not a number. [IMP-006]"""
        headers = {"x-amz-meta-virtual-size": value, "content-length": "1"}
        put = HttpRequest("PUT", "oos.eu-west-2.outscale.com", "/public/file", headers, b"x")
        put.headers = {**headers, "x-amz-acl": "public-read"}
        assert storage.handle("oos", put, NOW).status == 200
        body = {"FileLocation": "http://oos.eu-west-2.outscale.com/public/file", "SnapshotSize": 2**30}
        request = sign_request(alice, "/api/v1/CreateSnapshot", json.dumps(body).encode(), at=NOW)
        assert storage.handle("api", request, NOW).status == 200


@pytest.mark.parametrize("value", ["a\r\nb", "a\nb", "\0"])
def test_object_storage_refuses_control_characters_in_a_header(storage: FrontDoor, value: str) -> None:
    """No server lets such a header in, but a client in this process could send one. [OOS-003]"""
    request = HttpRequest("PUT", "oos.eu-west-2.outscale.com", f"/{BUCKET}/k", {"x-amz-meta-a": value}, b"x")
    response = storage.handle("oos", request, NOW)
    assert response.status == 400
    assert b"x-amz-meta-a must not contain control characters" in response.body


def test_fcu_answers_any_value_of_any_parameter() -> None:
    """A hostile text in the parameters of EC2 is answered below 500."""
    unsigned = Cloud(auth="off")
    unsigned.account("alice")
    door = FrontDoor(unsigned.engine)
    names: tuple[str, ...] = (
        "Size",
        "Iops",
        "MaxResults",
        "MinCount",
        "MaxCount",
        "VolumeId",
        "ImageId",
        "Name",
        "Description",
    )
    names += ("BlockDeviceMapping.1.Ebs.VolumeSize", "Filter.1.Value.1", "NextToken", "X." + "1." * 500, "Tag.1.Value")
    for action in ("CreateVolume", "RunInstances", "DescribeVolumes", "DescribeSnapshots", "CreateTags", "CreateImage"):
        for name in names:
            for value in ("²", "9" * 5000, "Infinity", "1e999", "\0", "\r\n", "9999-12-31T23:59:59-14:00", "http://["):
                body = f"Action={action}&Version=2016-11-15&{name}={quote(value)}".encode()
                request = HttpRequest("POST", "fcu.eu-west-2.outscale.com", "/", {}, body)
                response = door.handle("fcu", request, NOW)
                assert response.status < 500, body[:200]


def test_durations_and_delays_are_bounded(cloud: Cloud) -> None:
    """Durations and delays of 31 years at most keep every due time within the calendar."""
    given: Any
    for given in (1e300, float("inf"), float("nan"), 10**9 + 1, 10**400):
        with pytest.raises(ValueError, match="number of seconds up to 1000000000"):
            cloud.durations["snapshot.pending"] = given
        with pytest.raises(ValueError, match="delay must be"):
            cloud.faults.add("ReadVms", delay=given)
