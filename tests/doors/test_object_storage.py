"""Object storage by boto3 and by URL: what it serves, whom it lets in, and that it is part of its cloud."""

from __future__ import annotations

import datetime as dt
import hashlib
import subprocess
import sys
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
import requests
from botocore.config import Config
from botocore.exceptions import ClientError
from moto import mock_aws
from moto.core.model_instances import model_data
from moto.s3 import models, responses
from support.boto import refusal_of
from support.storing import BUCKET, create_bucket

from omisim import Account, ApiError, Cloud
from omisim.doors.http import HttpRequest
from omisim.doors.oos import handle
from omisim.formats.sigv4 import sign
from omisim.state.buckets import Place
from omisim.state.settings import Auth
from omisim.state.storage_signatures import presign

REGION = "eu-west-2"
ALGORITHM = "AWS4-HMAC-SHA256"
SIGNED = f"{ALGORITHM} Credential=KEY/20260101/{REGION}/s3/aws4_request, SignedHeaders=host, Signature=0"
GARBLED = "AuthorizationQueryParametersError"
LONGEST = "é" * 512
TOO_LONG = f"{LONGEST}x"
GROUP = "http://acs.amazonaws.com/groups/global/"


def make_client(access_key: str, secret_key: str, **more: Any) -> Any:
    """Make an S3 client that omisim does not know."""
    url = f"https://oos.{REGION}.outscale.com"
    keys = {"aws_access_key_id": access_key, "aws_secret_access_key": secret_key}
    return boto3.client("s3", region_name=REGION, endpoint_url=url, **keys, **more)


def body_of(client: Any, key: str, name: str = BUCKET) -> bytes:
    """Return the bytes of an object."""
    body: bytes = client.get_object(Bucket=name, Key=key)["Body"].read()
    return body


class TestObjects:
    @pytest.mark.parametrize("key", ["a", "a/b/c.txt", "with space", "ünïcode/ключ", "a+b&c=d", "a//b", "%2F", "~.-_"])
    def test_are_stored_with_any_key_bytes_and_metadata(self, oos: Any, key: str) -> None:
        """An object has any key and any bytes, with metadata. [OOS-007]"""
        body = bytes(range(256)) * 10
        oos.put_object(Bucket=BUCKET, Key=key, Body=body, ContentType="text/x", Metadata={"made-by": "me"})
        answer = oos.get_object(Bucket=BUCKET, Key=key)
        assert (answer["Body"].read(), answer["ContentType"], answer["Metadata"]) == (body, "text/x", {"made-by": "me"})
        head = oos.head_object(Bucket=BUCKET, Key=key)
        assert (head["ContentLength"], head["ETag"]) == (len(body), answer["ETag"])
        assert [item["Key"] for item in oos.list_objects_v2(Bucket=BUCKET)["Contents"]] == [key]

    def test_are_listed_by_prefix_and_page(self, oos: Any) -> None:
        """Lists are sorted, grouped by prefix and delimiter, and paged. [OOS-007]"""
        for key in ("b/2", "a", "b/1", "c"):
            oos.put_object(Bucket=BUCKET, Key=key, Body=key.encode())
        answer = oos.list_objects_v2(Bucket=BUCKET, Delimiter="/")
        assert [item["Key"] for item in answer["Contents"]] == ["a", "c"]
        assert [group["Prefix"] for group in answer["CommonPrefixes"]] == ["b/"]
        pages = oos.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, PaginationConfig={"PageSize": 3})
        assert [[item["Key"] for item in page["Contents"]] for page in pages] == [["a", "b/1", "b/2"], ["c"]]
        assert [item["Size"] for item in oos.list_objects(Bucket=BUCKET, Prefix="b/")["Contents"]] == [3, 3]

    def test_are_read_by_range(self, oos: Any) -> None:
        """A range of bytes is answered alone. [OOS-007]"""
        oos.put_object(Bucket=BUCKET, Key="a", Body=b"0123456789")
        assert oos.get_object(Bucket=BUCKET, Key="a", Range="bytes=2-4")["Body"].read() == b"234"

    def test_are_copied_and_deleted(self, oos: Any) -> None:
        """A copy is independent; a deletion takes one key or many. [OOS-007]"""
        oos.put_object(Bucket=BUCKET, Key="a", Body=b"x")
        oos.copy_object(Bucket=BUCKET, Key="b", CopySource={"Bucket": BUCKET, "Key": "a"})
        oos.delete_object(Bucket=BUCKET, Key="a")
        assert body_of(oos, "b") == b"x"
        oos.put_object(Bucket=BUCKET, Key="c", Body=b"y")
        oos.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": "b"}, {"Key": "c"}]})
        assert oos.list_objects_v2(Bucket=BUCKET)["KeyCount"] == 0

    def test_are_uploaded_in_parts(self, oos: Any) -> None:
        """A multipart upload exists once it is completed, and not before. [OOS-007]"""
        upload = oos.create_multipart_upload(Bucket=BUCKET, Key="big")["UploadId"]
        parts = []
        for number, body in ((1, b"a" * 5 * 2**20), (2, b"b")):
            part = oos.upload_part(Bucket=BUCKET, Key="big", UploadId=upload, PartNumber=number, Body=body)
            parts.append({"PartNumber": number, "ETag": part["ETag"]})
        answer_parts = oos.list_parts(Bucket=BUCKET, Key="big", UploadId=upload)["Parts"]
        assert [part["Size"] for part in answer_parts] == [5 * 2**20, 1]
        assert oos.list_multipart_uploads(Bucket=BUCKET)["Uploads"][0]["UploadId"] == upload
        assert oos.list_objects_v2(Bucket=BUCKET)["KeyCount"] == 0
        answer = oos.complete_multipart_upload(
            Bucket=BUCKET, Key="big", UploadId=upload, MultipartUpload={"Parts": parts}
        )
        assert answer["Location"] == f"https://oos.{REGION}.outscale.com/{BUCKET}/big"
        assert body_of(oos, "big") == b"a" * 5 * 2**20 + b"b"
        assert "Uploads" not in oos.list_multipart_uploads(Bucket=BUCKET)

    def test_have_no_version(self, oos: Any) -> None:
        """No answer names a version, which rclone would ask for: buckets have no versioning. [OOS-007]"""
        upload = oos.create_multipart_upload(Bucket=BUCKET, Key="big")["UploadId"]
        part = oos.upload_part(Bucket=BUCKET, Key="big", UploadId=upload, PartNumber=1, Body=b"a")
        parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
        for answer in (
            oos.complete_multipart_upload(Bucket=BUCKET, Key="big", UploadId=upload, MultipartUpload=parts),
            oos.put_object(Bucket=BUCKET, Key="small", Body=b"a"),
            oos.copy_object(Bucket=BUCKET, Key="copy", CopySource=f"{BUCKET}/small"),
            oos.get_object(Bucket=BUCKET, Key="big"),
            oos.head_object(Bucket=BUCKET, Key="big"),
            oos.delete_object(Bucket=BUCKET, Key="big"),
        ):
            assert "VersionId" not in answer

    def test_cost_nothing_for_other_uploads(self, oos: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        """A request handles the upload that it names, however many have begun; a list handles all. [OOS-007]"""
        uploads = [oos.create_multipart_upload(Bucket=BUCKET, Key="k")["UploadId"] for _ in range(3)]
        loaded: list[str] = []
        multipart = models.FakeMultipart

        def load(key: str, *args: Any, **more: Any) -> Any:
            loaded.append(key)
            return multipart(key, *args, **more)

        monkeypatch.setattr(models, "FakeMultipart", load)
        oos.put_object(Bucket=BUCKET, Key="k", Body=b"")
        oos.get_object(Bucket=BUCKET, Key="k")
        oos.list_objects_v2(Bucket=BUCKET)
        assert len(loaded) == 0
        oos.abort_multipart_upload(Bucket=BUCKET, Key="k", UploadId=uploads[0])
        assert len(loaded) == 1
        assert len(oos.list_multipart_uploads(Bucket=BUCKET)["Uploads"]) == 2
        assert len(loaded) == 3

    def test_leave_no_object_of_moto(self, oos: Any) -> None:
        """Moto keeps a list of all its objects; a request takes its own ones out, so that a server does not grow."""
        before = {name: len(model.instances_tracked) for name, model in model_data["s3"].items()}
        oos.put_object(Bucket=BUCKET, Key="k", Body=b"x")
        assert refusal_of(oos.get_object, Bucket=BUCKET, Key="z") == (404, "NoSuchKey")
        assert {name: len(model.instances_tracked) for name, model in model_data["s3"].items()} == before

    def test_of_an_aborted_upload_do_not_exist(self, oos: Any) -> None:
        """An aborted upload leaves nothing. [OOS-007]"""
        upload = oos.create_multipart_upload(Bucket=BUCKET, Key="big")["UploadId"]
        oos.abort_multipart_upload(Bucket=BUCKET, Key="big", UploadId=upload)
        assert "Uploads" not in oos.list_multipart_uploads(Bucket=BUCKET)
        assert refusal_of(oos.list_parts, Bucket=BUCKET, Key="big", UploadId=upload) == (404, "NoSuchUpload")

    def test_are_dated_by_the_clock_of_the_cloud(self, cloud: Cloud, oos: Any) -> None:
        """The date of an object is the cloud's time. [OOS-005]"""
        cloud.advance(3600)
        oos.put_object(Bucket=BUCKET, Key="a", Body=b"")
        assert oos.head_object(Bucket=BUCKET, Key="a")["LastModified"] == cloud.now.replace(microsecond=0)

    @pytest.mark.parametrize("key", ["\x03", "a\x00b", "\x1f\x0b", "\ufffe"])
    def test_of_any_key_are_answered_in_xml(self, oos: Any, key: str) -> None:
        """A key that XML cannot represent makes no answer unreadable. [OOS-007]"""
        oos.put_object(Bucket=BUCKET, Key=key, Body=key.encode())
        oos.create_multipart_upload(Bucket=BUCKET, Key=key)
        assert "\ufffd" in oos.list_multipart_uploads(Bucket=BUCKET)["Uploads"][0]["Key"]
        assert oos.list_objects(Bucket=BUCKET, Prefix=key)["Contents"][0]["Key"] == key
        assert body_of(oos, key) == key.encode()
        assert refusal_of(oos.get_object, Bucket=BUCKET, Key=f"{key}?") == (404, "NoSuchKey")


class TestStorageRefuses:
    @pytest.mark.parametrize("name", ["Exports", "a_b", "a..b", "192.168.0.1"])
    def test_an_invalid_bucket_name(self, alice: Account, name: str) -> None:
        """A bucket name is checked for its form. [OOS-002, OOS-006]"""
        assert refusal_of(alice.client("oos").create_bucket, Bucket=name) == (400, "InvalidBucketName")

    def test_a_key_that_is_too_long(self, oos: Any) -> None:
        """A key has 1,024 bytes at most, as in S3. [OOS-008]"""
        oos.put_object(Bucket=BUCKET, Key=LONGEST, Body=b"x")
        assert body_of(oos, LONGEST) == b"x"
        assert refusal_of(oos.put_object, Bucket=BUCKET, Key=TOO_LONG, Body=b"") == (400, "KeyTooLongError")

    def test_a_source_whose_key_is_too_long(self, oos: Any) -> None:
        """The source of a copy is named by a key too. [OOS-008]"""
        source = {"Bucket": BUCKET, "Key": TOO_LONG}
        assert refusal_of(oos.copy_object, Bucket=BUCKET, Key="a", CopySource=source) == (400, "KeyTooLongError")

    def test_the_deletion_of_a_key_that_is_too_long(self, oos: Any) -> None:
        """A request that deletes several objects is refused as a whole, with the rule. [OOS-008]"""
        oos.put_object(Bucket=BUCKET, Key=LONGEST, Body=b"x")
        named = {"Objects": [{"Key": LONGEST}, {"Key": TOO_LONG}]}
        with pytest.raises(ClientError) as error:
            oos.delete_objects(Bucket=BUCKET, Delete=named)
        assert error.value.response["Error"]["Code"] == "KeyTooLongError"
        assert error.value.response["ResponseMetadata"]["HTTPHeaders"]["x-omisim-rule"] == "OOS-008"
        assert body_of(oos, LONGEST) == b"x"

    def test_a_bucket_name_that_is_taken(self, cloud: Cloud, oos: Any, bob: Account) -> None:
        """A name is unique in its Region, and free in another. [OOS-002, OOS-006]"""
        assert refusal_of(oos.create_bucket, Bucket=BUCKET) == (409, "BucketAlreadyOwnedByYou")
        assert refusal_of(bob.client("oos").create_bucket, Bucket=BUCKET) == (409, "BucketAlreadyExists")
        carol = cloud.account("carol", region="us-east-2")
        create_bucket(carol)
        assert [bucket["Name"] for bucket in carol.client("oos").list_buckets()["Buckets"]] == [BUCKET]

    def test_unknown_buckets_keys_and_uploads(self, oos: Any) -> None:
        """Unknown buckets, keys and uploads are not found. [OOS-006]"""
        assert refusal_of(oos.list_objects_v2, Bucket="nowhere") == (404, "NoSuchBucket")
        assert refusal_of(oos.get_object, Bucket=BUCKET, Key="none") == (404, "NoSuchKey")
        assert refusal_of(oos.head_object, Bucket=BUCKET, Key="none")[0] == 404
        assert refusal_of(oos.upload_part, Bucket=BUCKET, Key="a", UploadId="none", PartNumber=1, Body=b"")[0] == 404

    def test_the_deletion_of_a_bucket_with_objects(self, oos: Any) -> None:
        """Only an empty bucket is deleted. [OOS-006]"""
        oos.put_object(Bucket=BUCKET, Key="a", Body=b"")
        assert refusal_of(oos.delete_bucket, Bucket=BUCKET) == (409, "BucketNotEmpty")
        oos.delete_object(Bucket=BUCKET, Key="a")
        oos.delete_bucket(Bucket=BUCKET)
        assert oos.list_buckets()["Buckets"] == []

    def test_private_objects_to_other_accounts(self, oos: Any, bob: Account) -> None:
        """Only the owner lists, reads, writes or deletes private objects. [OOS-004, OOS-006]"""
        oos.put_object(Bucket=BUCKET, Key="a", Body=b"x")
        other = bob.client("oos")
        denied = (403, "AccessDenied")
        assert other.list_buckets()["Buckets"] == []
        assert refusal_of(other.list_objects_v2, Bucket=BUCKET) == denied
        assert refusal_of(other.get_object, Bucket=BUCKET, Key="a") == denied
        assert refusal_of(other.get_object, Bucket=BUCKET, Key="none") == denied
        assert refusal_of(other.put_object, Bucket=BUCKET, Key="b", Body=b"") == denied
        assert refusal_of(other.delete_object, Bucket=BUCKET, Key="a") == denied
        assert refusal_of(other.delete_bucket, Bucket=BUCKET) == denied
        assert refusal_of(other.get_bucket_acl, Bucket=BUCKET) == denied
        assert refusal_of(other.copy_object, Bucket=BUCKET, Key="b", CopySource=f"{BUCKET}/a") == denied

    @pytest.mark.parametrize("key", ["a", "none"])
    def test_private_sources_of_copies(self, oos: Any, bob: Account, key: str) -> None:
        """A copy from a private bucket does not tell which keys exist. [OOS-004]"""
        oos.put_object(Bucket=BUCKET, Key="a", Body=b"x")
        other = bob.client("oos")
        other.create_bucket(Bucket="bobs")
        source = f"{BUCKET}/{key}"
        assert refusal_of(other.copy_object, Bucket="bobs", Key="b", CopySource=source) == (403, "AccessDenied")

    @pytest.mark.parametrize(
        ("call", "parameters"),
        [
            ("get_bucket_accelerate_configuration", {}),
            ("put_bucket_policy", {"Policy": "{}"}),
            ("put_bucket_versioning", {"VersioningConfiguration": {"Status": "Enabled"}}),
            ("delete_bucket_cors", {}),
            ("get_object", {"Key": "a", "VersionId": "other"}),
            ("put_object_tagging", {"Key": "a", "Tagging": {"TagSet": []}}),
        ],
    )
    def test_operations_that_are_not_served(self, oos: Any, call: str, parameters: dict[str, Any]) -> None:
        """An operation that the cloud does not serve is 501. [OOS-007]"""
        assert refusal_of(getattr(oos, call), Bucket=BUCKET, **parameters) == (501, "NotImplemented")

    @pytest.mark.parametrize(
        "header",
        [
            {"ObjectLockLegalHoldStatus": "ON"},
            {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": "k" * 32},
            {"ServerSideEncryption": "aws:kms"},
            {"StorageClass": "GLACIER"},
            {"Tagging": "a=b"},
            {"WebsiteRedirectLocation": "/b"},
            {"WriteOffsetBytes": 1},
        ],
    )
    def test_headers_that_are_not_served(self, oos: Any, header: dict[str, Any]) -> None:
        """A header of which nothing would be seen is 501, as the operation for the same is. [OOS-007]"""
        assert refusal_of(oos.put_object, Bucket=BUCKET, Key="a", **header) == (501, "NotImplemented")

    def test_headers_that_ask_for_the_usual(self, oos: Any) -> None:
        """Terraform and the AWS CLI can ask for the usual encryption and storage class, which change nothing."""
        oos.put_object(Bucket=BUCKET, Key="a", Body=b"1", ServerSideEncryption="AES256", StorageClass="STANDARD")
        assert oos.get_object(Bucket=BUCKET, Key="a")["Body"].read() == b"1"

    @pytest.mark.parametrize("more", [{"VersionId": "other"}, {"ETag": '"other"'}])
    def test_a_condition_of_a_delete_of_many(self, oos: Any, more: dict[str, str]) -> None:
        """An object is not deleted in place of its version, or of one with another content. [OOS-007]"""
        oos.put_object(Bucket=BUCKET, Key="a")
        request = {"Objects": [{"Key": "a", **more}]}
        assert refusal_of(oos.delete_objects, Bucket=BUCKET, Delete=request) == (501, "NotImplemented")
        assert oos.list_objects_v2(Bucket=BUCKET)["KeyCount"] == 1

    @pytest.mark.parametrize("body", [b"<", b"<Delete/>", b"\xff", b""])
    def test_a_garbled_body(self, cloud: Cloud, oos: Any, body: bytes) -> None:
        """A body that is not XML is a client error, and changes nothing. [OOS-006]"""
        oos.put_object(Bucket=BUCKET, Key="a", Body=b"")
        oos.put_bucket_acl(Bucket=BUCKET, ACL="public-read-write")
        before = cloud.fork()
        with cloud.intercept():
            answer = requests.post(f"https://oos.{REGION}.outscale.com/{BUCKET}?delete", data=body, timeout=5)
        assert 400 <= answer.status_code < 500
        assert cloud == before

    def test_with_the_rule_in_a_header(self, cloud: Cloud, oos: Any) -> None:
        """A refusal by omisim names its rule in a header. [OOS-003]"""
        url = oos.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": "a"}, ExpiresIn=1)
        cloud.advance(3)
        with cloud.intercept():
            assert requests.get(url, timeout=5).headers["X-Omisim-Rule"] == "OOS-003"

    def test_a_request_that_moto_cannot_read(self, oos: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        """An exception of moto is an error of S3 that says where it comes from. [OOS-007]"""
        monkeypatch.setattr(responses.S3Response, "bucket_response", lambda *_: "".index("x"))
        with pytest.raises(ClientError, match="moto's S3 cannot read the request: ValueError") as error:
            oos.list_objects_v2(Bucket=BUCKET)
        assert error.value.response["Error"]["Code"] == "InvalidRequest"


class TestStoragePermissions:
    def test_for_the_public_allow_reading_only(self, cloud: Cloud, oos: Any, bob: Account) -> None:
        """public-read lets everyone read an object, signed or not. [OOS-004]"""
        oos.put_object(Bucket=BUCKET, Key="a", Body=b"x", ACL="public-read")
        assert body_of(bob.client("oos"), "a") == b"x"
        with cloud.intercept():
            assert requests.get(f"https://oos.{REGION}.outscale.com/{BUCKET}/a", timeout=5).content == b"x"
            assert requests.put(f"https://oos.{REGION}.outscale.com/{BUCKET}/a", timeout=5).status_code == 403

    def test_for_authenticated_users_need_a_signature(self, cloud: Cloud, oos: Any, bob: Account) -> None:
        """authenticated-read lets every account read an object. [OOS-004]"""
        oos.put_object(Bucket=BUCKET, Key="a", Body=b"x")
        oos.put_object_acl(Bucket=BUCKET, Key="a", ACL="authenticated-read")
        assert body_of(bob.client("oos"), "a") == b"x"
        with cloud.intercept():
            assert requests.get(f"https://oos.{REGION}.outscale.com/{BUCKET}/a", timeout=5).status_code == 403

    def test_for_one_account_do_not_extend_to_others(self, cloud: Cloud, oos: Any, bob: Account) -> None:
        """A grant names one account. [OOS-004]"""
        oos.put_object(Bucket=BUCKET, Key="a", Body=b"x", GrantRead=f"id={bob.account_id}")
        assert body_of(bob.client("oos"), "a") == b"x"
        assert refusal_of(cloud.account("dave").client("oos").get_object, Bucket=BUCKET, Key="a")[1] == "AccessDenied"
        grants = oos.get_object_acl(Bucket=BUCKET, Key="a")["Grants"]
        assert bob.account_id in [grant["Grantee"].get("ID") for grant in grants]

    def test_of_everyone_let_an_unsigned_upload_begin(self, cloud: Cloud, oos: Any) -> None:
        """An unsigned upload belongs to the owner of the bucket, as an object does. [OOS-004]"""
        oos.put_bucket_acl(Bucket=BUCKET, ACL="public-read-write")
        with cloud.intercept():
            url = f"https://oos.{REGION}.outscale.com/{BUCKET}/a?uploads"
            assert requests.post(url, timeout=5).status_code == 200
        assert Cloud.load(cloud.dump()) == cloud

    def test_of_a_bucket_do_not_apply_to_its_objects(self, oos: Any, bob: Account) -> None:
        """A bucket that everyone may list and write contains objects that are private. [OOS-004]"""
        oos.put_bucket_acl(Bucket=BUCKET, ACL="public-read-write")
        oos.put_object(Bucket=BUCKET, Key="a", Body=b"x")
        other = bob.client("oos")
        assert [item["Key"] for item in other.list_objects_v2(Bucket=BUCKET)["Contents"]] == ["a"]
        assert refusal_of(other.get_object, Bucket=BUCKET, Key="a") == (403, "AccessDenied")
        other.put_object(Bucket=BUCKET, Key="b", Body=b"y")
        assert body_of(oos, "b") == b"y"
        assert {grant["Grantee"].get("URI") for grant in oos.get_bucket_acl(Bucket=BUCKET)["Grants"]} >= {
            f"{GROUP}AllUsers"
        }


class TestPresignedUrls:
    def test_read_and_write_one_object(self, cloud: Cloud, oos: Any) -> None:
        """GET and PUT work by a pre-signed URL, with any HTTP client. [OOS-003]"""
        params = {"Bucket": BUCKET, "Key": "a b/ç"}
        with cloud.intercept():
            put = requests.put(oos.generate_presigned_url("put_object", Params=params), data=b"hello", timeout=5)
            response = requests.get(oos.generate_presigned_url("get_object", Params=params), timeout=5)
        assert (put.status_code, response.content) == (200, b"hello")

    def test_expire_by_the_clock_of_the_cloud(self, cloud: Cloud, oos: Any) -> None:
        """A URL is valid up to its last second, and no longer. [OOS-003]"""
        oos.put_object(Bucket=BUCKET, Key="a", Body=b"")
        url = oos.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": "a"}, ExpiresIn=600)
        with cloud.intercept():
            cloud.advance(599)
            assert requests.get(url, timeout=5).status_code == 200
            cloud.advance(2)
            late = requests.get(url, timeout=5)
        assert (late.status_code, "<Code>AccessDenied</Code><Message>Request has expired" in late.text) == (403, True)

    @pytest.mark.parametrize(
        "url", [f"https://oos.{REGION}.outscale.com/{BUCKET}", f"https://{BUCKET}.oos.{REGION}.outscale.com/"]
    )
    @pytest.mark.parametrize("auth", ["strict", "off"])
    def test_are_not_forms(self, url: str, auth: Auth) -> None:
        """A pre-signed form is refused, as by the real service, and nothing is stored. [OOS-003]"""
        cloud = Cloud(auth=auth)
        form = create_bucket(cloud.account("alice")).generate_presigned_post(BUCKET, "a")
        before = cloud.fork()
        with cloud.intercept():
            answer = requests.post(url, data=form["fields"], files={"file": b"hello"}, timeout=5)
        assert (answer.status_code, answer.headers["X-Omisim-Rule"]) == (501, "OOS-003")
        assert "<Code>NotImplemented</Code>" in answer.text
        assert cloud == before

    @pytest.mark.parametrize("seconds", [604_801, 0, "x", -1])
    def test_last_a_week_at_most(self, cloud: Cloud, oos: Any, seconds: Any) -> None:
        """No URL is valid for more than a week, or for zero seconds. [OOS-003]"""
        url = oos.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": "a"}, ExpiresIn=60)
        with cloud.intercept():
            answer = requests.get(url.replace("Expires=60", f"Expires={seconds}"), timeout=5)
        assert (answer.status_code, "AuthorizationQueryParametersError" in answer.text) == (400, True)

    @pytest.mark.parametrize(("code", "text"), [("%28", "("), ("%2B", "+")])
    def test_with_another_encoding_of_the_same_key(self, cloud: Cloud, oos: Any, code: str, text: str) -> None:
        """An HTTP client may encode a path in its own way, as aiohttp does. [OOS-003]"""
        params = {"Bucket": BUCKET, "Key": "(a+b)ç"}
        oos.put_object(**params, Body=b"hello")
        url = oos.generate_presigned_url("get_object", Params=params)
        with cloud.intercept():
            assert requests.get(url.replace(code, text), timeout=5).content == b"hello"

    @pytest.mark.parametrize(
        ("headers", "status", "code"),
        [
            ({"x-amz-acl": "public-read"}, 403, "AccessDenied"),
            ({"x-amz-meta-a": "b"}, 403, "AccessDenied"),
            ({"Authorization": "Bearer a"}, 400, "InvalidArgument"),
        ],
    )
    def test_give_no_more_than_was_signed(
        self, cloud: Cloud, oos: Any, headers: dict[str, str], status: int, code: str
    ) -> None:
        """The holder of a URL adds neither headers of S3, such as an access control list, nor a signature. [OOS-003]"""
        url = oos.generate_presigned_url("put_object", Params={"Bucket": BUCKET, "Key": "a"})
        with cloud.intercept():
            answer = requests.put(url, data=b"hello", headers=headers, timeout=5)
        assert (answer.status_code, f"<Code>{code}</Code>" in answer.text) == (status, True)

    def test_that_are_altered_are_refused(self, cloud: Cloud, oos: Any) -> None:
        """Another key, method or signature than was signed is refused. [OOS-003]"""
        oos.put_object(Bucket=BUCKET, Key="a", Body=b"")
        url = oos.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": "a"})
        with cloud.intercept():
            answers = [
                requests.get(url.replace(f"{BUCKET}/a", f"{BUCKET}/b"), timeout=5),
                requests.put(url, timeout=5),
                requests.get(url[:-1] + ("0" if url[-1] != "0" else "1"), timeout=5),
            ]
        assert [answer.status_code for answer in answers] == [403, 403, 403]
        assert all("SignatureDoesNotMatch" in answer.text for answer in answers)

    def test_of_the_future_are_refused(self, cloud: Cloud, alice: Account, oos: Any) -> None:
        """A URL is valid from its date on, with 15 minutes for the difference of two clocks. [OOS-003]"""
        oos.put_object(Bucket=BUCKET, Key="a", Body=b"")
        place, key = Place(REGION, BUCKET, "a"), cloud.engine.state.get("access_key", alice.access_key)
        for years, status in ((0, 200), (1, 403), (73, 403)):
            url = presign(place, key, cloud.now.replace(year=2026 + years), 600)
            parts = urlsplit(url)
            request = HttpRequest("GET", parts.netloc, parts.path, {"host": parts.netloc}, b"", parts.query)
            assert handle(cloud.engine, request, cloud.now).status == status
        with pytest.raises(ApiError, match="not valid yet"):
            alice.create_snapshot(file_location=url, snapshot_size=2**30)

    @pytest.mark.parametrize("end", ["deleted", "inactive"])
    def test_of_a_deleted_key_are_refused(self, cloud: Cloud, alice: Account, oos: Any, end: str) -> None:
        """A URL is valid no longer than its key. [OOS-005]"""
        oos.put_object(Bucket=BUCKET, Key="a", Body=b"")
        url = oos.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": "a"})
        if end == "deleted":
            alice.delete_access_key(access_key_id=alice.access_key)
        else:
            alice.update_access_key(access_key_id=alice.access_key, state="INACTIVE")
        with cloud.intercept():
            answer = requests.get(url, timeout=5)
        assert (answer.status_code, "InvalidAccessKeyId" in answer.text) == (403, True)


class TestStorageSignature:
    def test_of_another_region_is_refused(self, cloud: Cloud, oos: Any) -> None:
        """A key is valid in its own Region, and signs for it. [OOS-001, OOS-005]"""
        carol = cloud.account("carol", region="us-east-2")
        with cloud.intercept():
            client = make_client(carol.access_key, carol.secret_key)
            assert refusal_of(client.list_buckets) == (403, "InvalidAccessKeyId")

    @pytest.mark.parametrize("style", ["path", "virtual"])
    def test_of_a_client_of_the_user_is_verified(self, cloud: Cloud, alice: Account, style: str) -> None:
        """Any boto3 client inside `intercept` reaches the bucket, by path and by virtual host. [OOS-001]"""
        with cloud.intercept():
            mine = make_client(
                alice.access_key,
                alice.secret_key,
                config=Config(signature_version="s3v4", s3={"addressing_style": style}),
            )
            mine.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
            mine.put_object(Bucket=BUCKET, Key="a", Body=b"x")
            assert body_of(mine, "a") == b"x"
            assert mine.get_bucket_location(Bucket=BUCKET)["LocationConstraint"] == REGION
            url = mine.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": "a"}, ExpiresIn=60)
            assert f"X-Amz-Date={cloud.now:%Y%m%d}" in url
            assert requests.get(url, timeout=5).content == b"x"

    def test_at_another_path_of_a_server_is_answered_with_the_right_path(self, cloud: Cloud, alice: Account) -> None:
        """A client with the address of the server and `/oos` alone learns that the Region is missing. [OOS-001]"""
        with cloud.serve() as server, pytest.raises(ClientError, match="or at /oos/<region> of a server"):
            boto3.client(
                "s3",
                endpoint_url=f"{server.url}/oos",
                region_name=REGION,
                aws_access_key_id=alice.access_key,
                aws_secret_access_key=alice.secret_key,
            ).list_buckets()

    def test_of_a_path_that_is_not_encoded_is_accepted(self, cloud: Cloud, alice: Account, oos: Any) -> None:
        """Old versions of curl sign a path as they send it. [OOS-001]"""
        oos.put_object(Bucket=BUCKET, Key="a(1)", Body=b"hello")
        host, path = f"oos.{REGION}.outscale.com", f"/{BUCKET}/a(1)"
        date, scope = "20260101T000000Z", ("20260101", REGION, "s3")
        canonical = f"GET\n{path}\n\nhost:{host}\n\nhost\n{hashlib.sha256().hexdigest()}".encode()
        signature = sign(alice.secret_key, ALGORITHM, date, scope, canonical)
        credential = "/".join((alice.access_key, *scope, "aws4_request"))
        headers = {"x-amz-date": date, "authorization": f"{ALGORITHM} Credential={credential}, SignedHeaders=host, "}
        headers["authorization"] += f"Signature={signature}"
        assert handle(cloud.engine, HttpRequest("GET", host, path, headers), cloud.now).body == b"hello"

    def test_with_a_wrong_secret_is_refused(self, cloud: Cloud, alice: Account) -> None:
        """The signature is verified. [OOS-001]"""
        with cloud.intercept():
            wrong = make_client(alice.access_key, "x" * 40)
            assert refusal_of(wrong.list_buckets) == (403, "SignatureDoesNotMatch")

    def test_of_another_version_is_refused(self, cloud: Cloud, oos: Any) -> None:
        """Only version 4 is accepted, and listing buckets needs a signature. [OOS-001, OOS-004]"""
        host = f"https://oos.{REGION}.outscale.com/"
        with cloud.intercept():
            answers = [
                requests.get(host, headers={"Authorization": "AWS key:signature"}, timeout=5),
                requests.get(f"{host}?AWSAccessKeyId=a&Signature=b&Expires=1", timeout=5),
                requests.get(host, timeout=5),
            ]
        assert [answer.status_code for answer in answers] == [403, 403, 403]

    @pytest.mark.parametrize(
        ("change", "code"),
        [
            ({}, "SignatureDoesNotMatch"),
            ({"authorization": "AWS4-HMAC-SHA256 garbled"}, "AccessDenied"),
            ({"authorization": f"{ALGORITHM} Credential=a/b, SignedHeaders=host, Signature=c"}, GARBLED),
            ({"authorization": SIGNED.replace(REGION, "us-east-2")}, GARBLED),
            ({"x-amz-date": "20250101T000000Z"}, "RequestTimeTooSkewed"),
            ({"x-amz-date": "yesterday"}, "RequestTimeTooSkewed"),
            ({"x-amz-content-sha256": "0" * 64}, "XAmzContentSHA256Mismatch"),
        ],
    )
    def test_in_garbled_headers_is_refused(
        self, cloud: Cloud, alice: Account, change: dict[str, str], code: str
    ) -> None:
        """Garbled headers, another time, another Region and another body are refused. [OOS-001, OOS-006]"""
        headers = {"authorization": SIGNED, "x-amz-date": "20260101T000000Z", **change}
        headers["authorization"] = headers["authorization"].replace("KEY", alice.access_key)
        request = HttpRequest("GET", f"oos.{REGION}.outscale.com", "/", headers)
        answer = handle(cloud.engine, request, dt.datetime(2026, 6, 1, tzinfo=dt.UTC))
        assert f"<Code>{code}</Code>" in answer.body.decode()
        assert 400 <= answer.status < 500

    def test_for_an_unknown_region_is_refused_with_the_known_ones(self, cloud: Cloud) -> None:
        """A mistyped Region is named, with the one that was probably meant. [OOS-001]"""
        answer = handle(cloud.engine, HttpRequest("GET", "127.0.0.1:8333", "/oos/us-est-2/a", {}), cloud.now)
        assert b"unknown Region 'us-est-2'; did you mean us-east-2?; known: eu-west-2, " in answer.body

    @pytest.mark.parametrize("host", ["oos.mars-1.outscale.com", "example.com"])
    def test_for_an_unknown_host_is_refused(self, cloud: Cloud, host: str) -> None:
        """Only the Regions of the catalogue have object storage. [OOS-001]"""
        assert handle(cloud.engine, HttpRequest("GET", host, "/a/b", {}), cloud.now).status == 404

    def test_is_not_verified_in_other_auth_modes(self) -> None:
        """Mode lenient needs a known key, mode off needs nothing. [AUTH-013]"""
        modes: tuple[tuple[Auth, bool, bool], ...] = (
            ("lenient", True, True), ("lenient", False, False), ("off", False, True),
        )  # fmt: skip
        for mode, key, allowed in modes:
            cloud = Cloud(auth=mode)
            alice = cloud.account("alice")
            with cloud.intercept():
                client = make_client(alice.access_key if key else "SOMEBODY", "wrong")
                if allowed:
                    client.create_bucket(Bucket=BUCKET)
                    assert alice.client("oos").list_buckets()["Buckets"]
                else:
                    assert refusal_of(client.list_buckets) == (403, "InvalidAccessKeyId")

    def test_names_the_caller_with_auth_off(self) -> None:
        """With auth off, a URL that has expired still acts as the account whose key it names. [AUTH-013]"""
        cloud = Cloud(auth="off")
        cloud.account("alice")
        bob = cloud.account("bob")
        client = bob.client("oos")
        client.create_bucket(Bucket="of-bob")
        url = client.generate_presigned_url("list_buckets", ExpiresIn=1)
        cloud.advance(3600)
        with cloud.intercept():
            assert "<Name>of-bob</Name>" in requests.get(url, timeout=5).text

    def test_of_another_region_is_refused_with_auth_off(self) -> None:
        """With auth off too, a key acts in its own Region only, and the refusal says why and what to do. [AUTH-006]"""
        cloud = Cloud(auth="off")
        cloud.account("alice")
        carol = cloud.account("carol", region="us-east-2")
        with cloud.intercept(), pytest.raises(ClientError, match="make it inside the test"):
            make_client(carol.access_key, carol.secret_key).list_buckets()


class TestResponses:
    @pytest.mark.parametrize("name", ["disposition", "type", "language", "encoding"])
    @pytest.mark.parametrize("text", ["a\r\nX-Evil: 1", "a\nb", "a\rb", "a\0b"])
    def test_cannot_be_split_by_a_query(self, cloud: Cloud, oos: Any, name: str, text: str) -> None:
        """A line feed in response-content-… would begin another header, or a body. [OOS-003]"""
        oos.put_object(Bucket=BUCKET, Key="a", Body=b"x")
        params = {"Bucket": BUCKET, "Key": "a", f"ResponseContent{name.capitalize()}": text}
        with cloud.intercept():
            answer = requests.get(oos.generate_presigned_url("get_object", Params=params), timeout=5)
        assert (answer.status_code, "control characters" in answer.text) == (400, True)

    def test_keep_an_object_that_looks_like_an_answer(self, oos: Any) -> None:
        """Only answers of the service get a request id; the bytes of an object are its own. [OOS-001]"""
        body = b"<Error><RequestId>mine</RequestId><RequestID>too</RequestID></Error>"
        oos.put_object(Bucket=BUCKET, Key="a", Body=body, ContentType="application/xml")
        assert body_of(oos, "a") == body
        assert oos.get_object(Bucket=BUCKET, Key="a", Range="bytes=7-45")["Body"].read() == body[7:46]


class TestStorageState:
    def test_is_undone_by_a_savepoint(self, cloud: Cloud, oos: Any) -> None:
        """A savepoint undoes changes of buckets, objects and uploads. [OOS-007]"""
        oos.put_object(Bucket=BUCKET, Key="a", Body=b"before")
        before = cloud.fork()
        with cloud.savepoint():
            oos.put_object(Bucket=BUCKET, Key="a", Body=b"after")
            oos.create_bucket(Bucket="another")
            oos.create_multipart_upload(Bucket=BUCKET, Key="b")
        assert body_of(oos, "a") == b"before"
        assert cloud == before

    def test_is_copied_by_forks_and_dumps(self, cloud: Cloud, oos: Any) -> None:
        """A fork and a loaded dump have the objects, and are independent. [OOS-007]"""
        oos.put_object(Bucket=BUCKET, Key="a", Body=b"\x00\xff")
        for other in (cloud.fork(), Cloud.load(cloud.dump())):
            client = other.account("alice").client("oos")
            assert body_of(client, "a") == b"\x00\xff"
            client.put_object(Bucket=BUCKET, Key="b", Body=b"")
        assert oos.list_objects_v2(Bucket=BUCKET)["KeyCount"] == 1

    def test_loses_the_uploads_of_a_deleted_bucket(self, cloud: Cloud, oos: Any) -> None:
        """The uploads that have begun in a bucket end with it, so that a dump can be loaded. [OOS-007]"""
        oos.create_multipart_upload(Bucket=BUCKET, Key="a")
        oos.delete_bucket(Bucket=BUCKET)
        assert Cloud.load(cloud.dump()) == cloud
        oos.create_bucket(Bucket=BUCKET)
        assert "Uploads" not in oos.list_multipart_uploads(Bucket=BUCKET)

    def test_is_separate_for_each_cloud(self) -> None:
        """Two clouds of a process share nothing. [OOS-007]"""
        first, second = Cloud().account("alice").client("oos"), Cloud().account("alice").client("oos")
        first.create_bucket(Bucket=BUCKET)
        assert second.list_buckets()["Buckets"] == []

    def test_is_determined_by_the_seed(self) -> None:
        """The same calls have the same answers, to the byte. [OOS-007]"""

        def play() -> list[Any]:
            client = create_bucket(Cloud().account("alice"))
            answers = [client.put_object(Bucket=BUCKET, Key="a", Body=b"x")]
            answers.append(client.create_multipart_upload(Bucket=BUCKET, Key="b"))
            answers.append(client.list_objects_v2(Bucket=BUCKET))
            return answers

        assert play() == play()

    def test_does_not_affect_moto_of_the_user(self, oos: Any) -> None:
        """A test that uses moto for its own AWS code can do so before, between and after. [OOS-007]"""
        with mock_aws():
            own = boto3.client("s3", region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b")
            own.create_bucket(Bucket="mine")
            oos.put_object(Bucket=BUCKET, Key="a", Body=b"x")
            own.put_object(Bucket="mine", Key="a", Body=b"y")
            assert [bucket["Name"] for bucket in own.list_buckets()["Buckets"]] == ["mine"]
            assert [bucket["Name"] for bucket in oos.list_buckets()["Buckets"]] == [BUCKET]
            assert body_of(own, "a", "mine") == b"y"
        assert body_of(oos, "a") == b"x"

    def test_loads_no_moto_or_boto3_until_used(self) -> None:
        """A cloud, an account and a failed export load neither moto nor boto3. [OOS-007]"""
        script = (
            "import sys; from omisim import Cloud; alice = Cloud().account('alice'); "
            "source = alice.read_images()[0]; "
            "copy = alice.create_image(source_image_id=source.image_id, source_region_name=alice.region); "
            "alice.create_image_export_task(image_id=copy.image_id, "
            "osu_export={'disk_image_format': 'raw', 'osu_bucket': 'abc'}); "
            "sys.exit('moto' in sys.modules or 'boto3' in sys.modules)"
        )
        assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
