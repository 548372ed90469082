"""Bodies of uploads: in chunks, as SDKs send them, and with digests."""

from __future__ import annotations

import base64
import gzip
import hashlib
import zlib
from typing import Any

import pytest
from support.boto import refusal_of
from support.storing import BUCKET, create_bucket

from omisim import Account, Cloud
from omisim.doors.front import FrontDoor
from omisim.doors.http import MAX_PARSED, HttpRequest, HttpResponse

SIGNED, UNSIGNED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
CRC32 = base64.b64encode(zlib.crc32(b"0123456789").to_bytes(4, "big")).decode()
CHUNKS = {
    SIGNED: b"6;chunk-signature=aa\r\n012345\r\n4;chunk-signature=bb\r\n6789\r\n0;chunk-signature=cc\r\n\r\n",
    UNSIGNED: b"a\r\n0123456789\r\n0\r\nx-amz-checksum-crc32:%b\r\n\r\n" % CRC32.encode(),
}


@pytest.fixture(name="oos")
def _oos(alice: Account) -> Any:
    return create_bucket(alice)


def put(cloud: Cloud, form: str, body: bytes, length: int = 10, **more: str) -> HttpResponse:
    """Upload chunks without a signature; `length` is the announced length of the content."""
    cloud.engine.change_settings(auth="off")
    headers = {"x-amz-content-sha256": form, "x-amz-decoded-content-length": str(length)}
    headers |= {"content-encoding": "identity,aws-chunked"} | {name.replace("_", "-"): more[name] for name in more}
    request = HttpRequest("PUT", "oos.eu-west-2.outscale.com", f"/{BUCKET}/k", headers, body)
    return FrontDoor(cloud.engine).handle("oos", request, cloud.now)


@pytest.mark.parametrize("form", CHUNKS)
def test_chunks_are_decoded(cloud: Cloud, oos: Any, form: str) -> None:
    """An object is the content of the chunks, and keeps no header that describes them. [OOS-007]"""
    assert put(cloud, form, CHUNKS[form]).status == 200
    answer = oos.get_object(Bucket=BUCKET, Key="k")
    assert (answer["Body"].read(), answer["ContentEncoding"]) == (b"0123456789", "identity")
    assert "x-amz-content-sha256" not in answer["ResponseMetadata"]["HTTPHeaders"]


@pytest.mark.parametrize("form", CHUNKS)
@pytest.mark.parametrize("length", [9, 11, 10**15])
def test_content_of_another_length_is_refused(cloud: Cloud, oos: Any, form: str, length: int) -> None:
    """The announced length is compared, and no memory taken for it. [OOS-006]"""
    assert b"IncompleteBody" in put(cloud, form, CHUNKS[form], length).body
    assert oos.list_objects_v2(Bucket=BUCKET)["KeyCount"] == 0


@pytest.mark.parametrize(
    "body",
    [
        b"", b"a\r\n01234", b"a\r\n01234567890\r\n0\r\n\r\n", b"a\r\n0123456789\r\n", b"x\r\n",
        b"1\r\na\r\n" * 300_000 + b"0\r\n\r\n", b"0\r\n" + b"x:1\r\n" * 1000 + b"\r\n",
        b"0\r\n\r\na\r\n0123456789\r\n0\r\n\r\n" + b" " * 5000,
    ],
    ids=["empty", "cut", "longer", "no end", "no size", "many", "many trailers", "more chunks"],
)  # fmt: skip
def test_broken_chunks_are_refused(cloud: Cloud, oos: Any, body: bytes) -> None:
    """A body that ends within a chunk, and a chunk of another length than it states, create no object. [OOS-006]"""
    assert b"IncompleteBody" in put(cloud, UNSIGNED, body).body
    assert oos.list_objects_v2(Bucket=BUCKET)["KeyCount"] == 0


def test_the_digest_after_the_chunks_is_compared(cloud: Cloud, oos: Any) -> None:
    """A trailer is a header of the content. [OOS-006]"""
    body = CHUNKS[UNSIGNED].replace(CRC32.encode(), b"AAAAAA==")
    assert b"BadDigest" in put(cloud, UNSIGNED, body).body
    assert oos.list_objects_v2(Bucket=BUCKET)["KeyCount"] == 0


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize(("query", "method"), [("uploadId={}", "POST"), ("acl", "PUT")])
def test_a_document_type_is_refused(cloud: Cloud, oos: Any, query: str, method: str, encoding: str) -> None:
    """Entities of the client's own are never expanded: a short text could stand for a very long one. [OOS-006]"""
    oos.put_object(Bucket=BUCKET, Key="k")
    cloud.engine.change_settings(auth="off")
    upload = oos.create_multipart_upload(Bucket=BUCKET, Key="k")["UploadId"]
    body = '<!DOCTYPE a [<!ENTITY x "y">]><a><Part>&x;</Part></a>'.encode(encoding)
    host, target = "oos.eu-west-2.outscale.com", f"/{BUCKET}/k"
    request = HttpRequest(method, host, target, {}, body, query.format(upload))
    response = FrontDoor(cloud.engine).handle("oos", request, cloud.now)
    assert b"must not have a document type" in response.body


@pytest.mark.parametrize(("query", "method"), [("uploadId={}", "POST"), ("acl", "PUT")])
@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"<a>" + b" " * MAX_PARSED + b"</a>", "MaxMessageLengthExceeded"),
        (b"<a>" * 65 + b"</a>" * 65, "MalformedXML"),
    ],
    ids=["long", "deep"],
)
def test_xml_that_takes_long_to_read_is_refused(
    cloud: Cloud, oos: Any, query: str, method: str, body: bytes, code: str
) -> None:
    """XML of 4 MiB and 64 levels at most is given to moto, which reads it while others wait. [OOS-006]"""
    oos.put_object(Bucket=BUCKET, Key="k")
    cloud.engine.change_settings(auth="off")
    upload = oos.create_multipart_upload(Bucket=BUCKET, Key="k")["UploadId"]
    host, target = "oos.eu-west-2.outscale.com", f"/{BUCKET}/k"
    request = HttpRequest(method, host, target, {}, body, query.format(upload))
    response = FrontDoor(cloud.engine).handle("oos", request, cloud.now)
    assert f"<Code>{code}</Code>" in response.body.decode()
    assert ("64 levels" in response.body.decode()) == (code == "MalformedXML")


@pytest.mark.parametrize("name", ["ContentMD5", "ChecksumCRC32", "ChecksumSHA1", "ChecksumSHA256"])
def test_a_digest_of_another_body_is_refused(oos: Any, cloud: Cloud, name: str) -> None:
    """An upload that was altered on its way is not stored. [OOS-006]"""
    with cloud.sleeping():  # boto3 waits between its attempts
        assert refusal_of(oos.put_object, Bucket=BUCKET, Key="k", Body=b"x", **{name: "AAAA"}) == (400, "BadDigest")


def test_the_digest_of_a_body_is_accepted(oos: Any) -> None:
    """A right Content-MD5 is taken. [OOS-006]"""
    digest = base64.b64encode(hashlib.md5(b"x").digest()).decode()
    oos.put_object(Bucket=BUCKET, Key="k", Body=b"x", ContentMD5=digest)
    assert oos.list_objects_v2(Bucket=BUCKET)["KeyCount"] == 1


def test_a_compressed_object_is_read_as_it_was_stored(oos: Any) -> None:
    """boto3 does not decode the content encoding of an object. [OOS-006]"""
    body = gzip.compress(b"hello" * 100)
    oos.put_object(Bucket=BUCKET, Key="k", Body=body, ContentEncoding="gzip")
    assert oos.get_object(Bucket=BUCKET, Key="k")["Body"].read() == body


def test_a_copy_has_its_checksum_in_the_body(oos: Any) -> None:
    """No header of a copy shows a Python value. [OOS-006]"""
    oos.put_object(Bucket=BUCKET, Key="k", Body=b"x")
    copy = oos.copy_object(Bucket=BUCKET, Key="c", CopySource=f"{BUCKET}/k", ChecksumAlgorithm="SHA256")
    assert copy["CopyObjectResult"]["ChecksumSHA256"] == base64.b64encode(hashlib.sha256(b"x").digest()).decode()
    assert "checksum" not in copy["ResponseMetadata"]["HTTPHeaders"]


def test_a_missing_source_of_a_copy_is_named(oos: Any) -> None:
    """A copy of a missing object is refused as S3 refuses it, and so is a part. [OOS-006]"""
    upload = oos.create_multipart_upload(Bucket=BUCKET, Key="k")["UploadId"]
    copy = {"Bucket": BUCKET, "Key": "k", "CopySource": f"{BUCKET}/missing"}
    assert refusal_of(oos.copy_object, **copy) == (404, "NoSuchKey")
    assert refusal_of(oos.upload_part_copy, **copy, UploadId=upload, PartNumber=1) == (404, "NoSuchKey")


def test_a_missing_part_of_an_object_is_named(oos: Any) -> None:
    """An object that was stored whole is its own first part. [OOS-006]"""
    oos.put_object(Bucket=BUCKET, Key="k", Body=b"x")
    assert oos.get_object(Bucket=BUCKET, Key="k", PartNumber=1)["ContentLength"] == 1
    assert refusal_of(oos.get_object, Bucket=BUCKET, Key="k", PartNumber=2) == (416, "InvalidPartNumber")


@pytest.mark.parametrize("source", [BUCKET, f"{BUCKET}/", "/"])
def test_the_source_of_a_copy_is_an_object(oos: Any, source: str) -> None:
    """A bucket is not copied. [OOS-006]"""
    assert refusal_of(oos.copy_object, Bucket=BUCKET, Key="k", CopySource=source) == (400, "InvalidArgument")


def test_an_upload_is_not_completed_without_a_list_of_parts(oos: Any) -> None:
    """An empty body is not the XML that the operation needs. [OOS-006]"""
    upload = oos.create_multipart_upload(Bucket=BUCKET, Key="k")["UploadId"]
    refused = refusal_of(oos.complete_multipart_upload, Bucket=BUCKET, Key="k", UploadId=upload)
    assert refused == (400, "MalformedXML")


@pytest.mark.parametrize("text", ["bytes=2-10", "bytes=10-11", "bytes=5-2", "bytes=2-", "2-4"])
def test_a_copied_range_lies_within_its_source(oos: Any, text: str) -> None:
    """A part that would be shorter than its client believes is not copied. [OOS-006]"""
    oos.put_object(Bucket=BUCKET, Key="k", Body=b"0123456789")
    part = {"Bucket": BUCKET, "Key": "big", "PartNumber": 1, "CopySource": f"{BUCKET}/k"}
    part["UploadId"] = oos.create_multipart_upload(Bucket=BUCKET, Key="big")["UploadId"]
    assert refusal_of(oos.upload_part_copy, **part, CopySourceRange=text) == (400, "InvalidArgument")
    oos.upload_part_copy(**part, CopySourceRange="bytes=2-9")
    assert oos.list_parts(Bucket=BUCKET, Key="big", UploadId=part["UploadId"])["Parts"][0]["Size"] == 8
