"""Faults of requests to object storage: refused, lost, late, killed, and pages cut short."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError
from support.storing import BUCKET, create_bucket

from omisim import Account, ApiError, Cloud
from omisim.engine.faults import Killed
from omisim.model.serialize import api_name
from omisim.spec.storage_operations import STORAGE_NUMBERS, STORAGE_OPERATIONS, STORAGE_PARAMETERS

ATTEMPTS = 5  # of boto3, for one request


@pytest.fixture(name="oos")
def _oos(cloud: Cloud, alice: Account) -> Iterator[Any]:
    oos = create_bucket(alice)
    with cloud.sleeping():  # boto3 waits between its attempts
        yield oos


def put(oos: Any, *keys: str) -> None:
    """Store an object for each key."""
    for key in keys:
        oos.put_object(Bucket=BUCKET, Key=key, Body=b"hello")


def list_keys(oos: Any) -> list[str]:
    """Return the keys of all objects."""
    pages = oos.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
    return [item["Key"] for page in pages for item in page.get("Contents", [])]


class TestErrors:
    @pytest.mark.parametrize(("status", "code"), [(503, "SlowDown"), (500, "InternalError")])
    def test_are_those_of_s3(self, cloud: Cloud, oos: Any, status: Any, code: str) -> None:
        """A refused request changes nothing, and names the rule. [THR-002, OOS-006]"""
        cloud.faults.add("PutObject", status=status, times=ATTEMPTS)
        with pytest.raises(ClientError) as caught:
            put(oos, "a")
        answer = caught.value.response
        assert (answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]) == (code, status)
        assert answer["ResponseMetadata"]["HTTPHeaders"]["x-omisim-rule"] == "THR-002"
        assert list_keys(oos) == []

    def test_come_from_the_account_that_a_fault_has_removed(self, cloud: Cloud, oos: Any) -> None:
        """A request whose caller `meanwhile` has removed counts as unsigned. [OOS-003]"""
        cloud.faults.add("CreateBucket", meanwhile=cloud.reset)
        with pytest.raises(ClientError, match="AccessDenied"):
            oos.create_bucket(Bucket="new")
        assert cloud == Cloud()

    def test_are_repeated_by_boto3(self, cloud: Cloud, oos: Any) -> None:
        """A fault of one request is not seen by the caller of boto3. [THR-003]"""
        cloud.faults.add("PutObject")
        put(oos, "a")
        assert [call.status for call in cloud.engine.session.calls[-2:]] == [503, 200]

    def test_after_the_effect_lose_the_answer(self, cloud: Cloud, oos: Any) -> None:
        """The request has been carried out each time. [THR-002]"""
        cloud.faults.add("CreateMultipartUpload", after_effect=True)
        oos.create_multipart_upload(Bucket=BUCKET, Key="a")
        assert len(oos.list_multipart_uploads(Bucket=BUCKET)["Uploads"]) == 2

    def test_select_requests_by_their_parameters(self, cloud: Cloud, oos: Any) -> None:
        """`when` takes S3's names: of the bucket, the key, the prefix, the upload and the part. [THR-002]"""
        cloud.faults.add("PutObject", when={"Bucket": BUCKET, "Key": "b"}, times=ATTEMPTS)
        put(oos, "a")
        with pytest.raises(ClientError):
            put(oos, "b")
        upload = oos.create_multipart_upload(Bucket=BUCKET, Key="c")["UploadId"]
        part = {"Bucket": BUCKET, "Key": "c", "UploadId": upload, "Body": b"x"}
        cloud.faults.add("UploadPart", when={"PartNumber": 2}, times=ATTEMPTS)
        oos.upload_part(**part, PartNumber=1)
        with pytest.raises(ClientError):
            oos.upload_part(**part, PartNumber=2)

    def test_of_any_action_hit_those_that_object_storage_has(self, cloud: Cloud, alice: Account, oos: Any) -> None:
        """A fault of "*" hits requests to object storage too; an error that only the API has waits for a call of it."""
        cloud.faults.add("*", status=429, times=ATTEMPTS)
        with pytest.raises(ClientError, match="SlowDown"):
            put(oos, "a")
        cloud.faults.add("*", error="insufficient-capacity")
        put(oos, "a")
        with pytest.raises(ApiError):
            alice.read_vms()


class TestConnection:
    def test_is_dropped(self, cloud: Cloud, oos: Any) -> None:
        """The client gets no answer. [THR-002]"""
        cloud.faults.add("PutObject", drop=True, times=ATTEMPTS)
        with pytest.raises(ConnectionClosedError):
            put(oos, "a")
        assert list_keys(oos) == []

    def test_is_late(self, cloud: Cloud, oos: Any) -> None:
        """A delay moves the clock before the request takes effect. [THR-002]"""
        before = cloud.now
        cloud.faults.add("PutObject", delay=60)
        put(oos, "a")
        assert (oos.head_object(Bucket=BUCKET, Key="a")["LastModified"] - before).total_seconds() > 59

    @pytest.mark.parametrize("killed", ["PutObject", "CreateVolume"])
    def test_ends_with_the_process(self, cloud: Cloud, alice: Account, oos: Any, killed: str) -> None:
        """A killed process makes no request, neither to object storage nor to the API. [THR-002]"""
        cloud.faults.add(killed, kill=True)
        with pytest.raises(Killed):
            put(oos, "a") if killed == "PutObject" else alice.create_volume(subregion_name="eu-west-2a", size=1)
        with pytest.raises(Killed):
            put(oos, "b")
        with pytest.raises(Killed):
            alice.read_volumes()
        cloud.faults.clear()
        assert list_keys(oos) == []


class TestPages:
    def test_of_objects_are_cut(self, cloud: Cloud, oos: Any) -> None:
        """Fewer keys than requested, and a token for the rest; MaxKeys is that of the request. [THR-002]"""
        put(oos, "a", "b", "c")
        cloud.faults.add("ListObjectsV2", page_size=2)
        page = oos.list_objects_v2(Bucket=BUCKET)
        assert (page["KeyCount"], page["IsTruncated"], page["MaxKeys"]) == (2, True, 1000)
        rest = oos.list_objects_v2(Bucket=BUCKET, ContinuationToken=page["NextContinuationToken"])
        assert [item["Key"] for item in rest["Contents"]] == ["c"]
        cloud.faults.add("ListObjects", page_size=2)
        assert oos.list_objects(Bucket=BUCKET)["IsTruncated"]

    def test_of_parts_are_cut(self, cloud: Cloud, oos: Any) -> None:
        """A page of parts ends early too. [THR-002]"""
        upload = oos.create_multipart_upload(Bucket=BUCKET, Key="a")["UploadId"]
        of_upload = {"Bucket": BUCKET, "Key": "a", "UploadId": upload}
        for number in (1, 2, 3):
            oos.upload_part(**of_upload, PartNumber=number, Body=b"x")
        cloud.faults.add("ListParts", page_size=2)
        page = oos.list_parts(**of_upload)
        assert ([part["PartNumber"] for part in page["Parts"]], page["IsTruncated"]) == ([1, 2], True)
        rest = oos.list_parts(**of_upload, PartNumberMarker=page["NextPartNumberMarker"])
        assert [part["PartNumber"] for part in rest["Parts"]] == [3]


@pytest.mark.parametrize(
    ("order", "text"),
    [
        ({"action": "PutObject", "status": 429}, "status must be 500 or 503 for PutObject, not 429"),
        ({"action": "PutObject", "error": "insufficient-capacity"}, "error must be left out for PutObject"),
        ({"action": "PutObjekt"}, "did you mean PutObject"),
        ({"action": "PutObject", "page_size": 1}, "page_size needs an action with pages, and PutObject has none"),
        ({"action": "PutObject", "when": {"key": "a"}}, "unknown 'key'; did you mean Key"),
        ({"action": "CreateBucket", "when": {"Key": "a"}}, "could never match a CreateBucket request: unknown 'Key'"),
        ({"action": "PutObject", "when": {"Key": 5}}, "Key must be a non-empty string, not 5"),
        ({"action": "ListObjects", "when": {"Prefix": ""}}, "Prefix must be a non-empty string, not ''"),
        ({"action": "UploadPart", "when": {"PartNumber": "1"}}, "PartNumber must be a non-negative integer, not '1'"),
        ({"action": "ListParts", "when": {"MaxParts": True}}, "MaxParts must be a non-negative integer, not True"),
    ],
)
def test_faults_that_cannot_happen_are_refused(cloud: Cloud, order: dict[str, Any], text: str) -> None:
    """An error that object storage does not have, and a parameter or a value that no request has, is a ValueError."""
    with pytest.raises(ValueError, match=text):
        cloud.faults.add(**order)


@pytest.mark.parametrize("operation", sorted(STORAGE_OPERATIONS))
def test_each_operation_has_the_parameters_of_its_method_of_boto3(oos: Any, operation: str) -> None:
    """The operations, and those of their parameters that the call log keeps, have the names and types of S3's API."""
    shape = oos.meta.service_model.operation_model(operation).input_shape
    types = {name: member.type_name for name, member in (shape.members if shape else {}).items()}
    logged = {name for name in STORAGE_PARAMETERS.values() if api_name(name) in types}
    assert set(STORAGE_OPERATIONS[operation]) == logged
    assert {name for name in logged if types[api_name(name)] == "integer"} == logged.intersection(STORAGE_NUMBERS)
