"""Lists of objects by boto3: their pages, names and limits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.boto import refusal_of
from support.storing import BUCKET, create_bucket

from omisim import Account, Cloud

texts = st.text("a/+% é\r\x01&", max_size=4)
keys = st.sets(texts.filter(bool), max_size=8)


@pytest.fixture(name="oos")
def _oos(alice: Account) -> Any:
    return create_bucket(alice)


def list_names(client: Any, operation: str, size: int, **parameters: str) -> Iterator[str]:
    """Yield the keys and the common prefixes of all pages."""
    for page in client.get_paginator(operation).paginate(
        Bucket=BUCKET, PaginationConfig={"PageSize": size}, **parameters
    ):
        names = [item["Key"] for item in page.get("Contents", [])]
        names += [group["Prefix"] for group in page.get("CommonPrefixes", [])]
        assert len(names) <= size
        yield from names


def expect_names(all_keys: set[str], prefix: str, delimiter: str) -> list[str]:
    """Return the keys and the common prefixes that a list has."""
    names = set()
    for key in (key for key in all_keys if key.startswith(prefix)):
        end = key.find(delimiter, len(prefix)) if delimiter else -1
        names.add(key if end < 0 else key[: end + len(delimiter)])
    return sorted(names)


@given(keys, texts, st.sampled_from(["", "/", "a", "//", "+", "%"]), st.integers(1, 3))
def test_all_pages_together_have_each_name_once(all_keys: set[str], prefix: str, delimiter: str, size: int) -> None:
    """Both versions of a list page keys and common prefixes together, whatever characters they have. [OOS-007]"""
    oos = create_bucket(Cloud().account("alice"))
    for key in all_keys:
        oos.put_object(Bucket=BUCKET, Key=key)
    expected = expect_names(all_keys, prefix, delimiter)
    for operation in ("list_objects", "list_objects_v2"):
        names = list_names(oos, operation, size, Prefix=prefix, Delimiter=delimiter)
        assert sorted(names) == expected


def test_a_list_of_buckets_has_one_page(oos: Any) -> None:
    """A client that asks for pages gets each bucket, sorted by name. [OOS-007]"""
    oos.create_bucket(Bucket="another")
    pages = oos.get_paginator("list_buckets").paginate(PaginationConfig={"PageSize": 1})
    assert [bucket["Name"] for page in pages for bucket in page["Buckets"]] == ["another", BUCKET]


def test_a_page_has_a_thousand_names_at_most(oos: Any) -> None:
    """A larger limit is that of S3. [OOS-006]"""
    assert oos.list_objects_v2(Bucket=BUCKET, MaxKeys=5000)["MaxKeys"] == 1000


@pytest.mark.parametrize("operation", ["list_objects", "list_objects_v2"])
def test_a_negative_limit_is_refused(oos: Any, operation: str) -> None:
    """The limit of a page is a number from 0. [OOS-006]"""
    assert refusal_of(getattr(oos, operation), Bucket=BUCKET, MaxKeys=-1) == (400, "InvalidArgument")


def test_a_request_deletes_a_thousand_keys_at_most(oos: Any) -> None:
    """A deletion of more keys is refused, and deletes none. [OOS-006]"""
    oos.put_object(Bucket=BUCKET, Key="0")
    objects = [{"Key": str(number)} for number in range(1001)]
    assert refusal_of(oos.delete_objects, Bucket=BUCKET, Delete={"Objects": objects}) == (400, "MalformedXML")
    assert oos.list_objects_v2(Bucket=BUCKET)["KeyCount"] == 1


def test_parts_in_another_order_are_refused(oos: Any) -> None:
    """Parts out of order are refused with InvalidPartOrder, and the upload can still be completed. [OOS-006]"""
    named = {"Bucket": BUCKET, "Key": "big"}
    named["UploadId"] = oos.create_multipart_upload(**named)["UploadId"]
    parts = [
        {"PartNumber": number, "ETag": oos.upload_part(**named, PartNumber=number, Body=b"a" * 5 * 2**20)["ETag"]}
        for number in (2, 1)
    ]
    refused = refusal_of(oos.complete_multipart_upload, **named, MultipartUpload={"Parts": parts})
    assert refused == (400, "InvalidPartOrder")
    assert len(oos.list_parts(**named)["Parts"]) == 2


@pytest.mark.parametrize(("more", "length"), [({}, 10), ({"Range": "bytes=2-4"}, 3)])
def test_an_object_says_its_length(oos: Any, more: dict[str, str], length: int) -> None:
    """The answer of a client in this process has the length of the body, as one of a server has. [OOS-007]"""
    oos.put_object(Bucket=BUCKET, Key="k", Body=b"0123456789")
    assert oos.get_object(Bucket=BUCKET, Key="k", **more)["ContentLength"] == length
