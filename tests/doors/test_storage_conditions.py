"""Conditions of reads, and of copies on their source, against the table of RFC 9110 (13.2.2)."""

from __future__ import annotations

import datetime as dt
from itertools import product
from typing import Any

import pytest
from botocore.exceptions import ClientError
from support.storing import BUCKET

from omisim.doors.oos.conditions import resolve_conditions
from omisim.model import StoredObject

TAGS = {"": None, "same": True, '"x"': False, "*": True, '"x", same': True, "W/same": True}
DATES = {None: None, -1: False, 0: True, 1: True}  # days from the object's date → whether the object is not newer
CASES = [*product(TAGS, DATES, TAGS, DATES)]
NAMES = ("IfMatch", "IfUnmodifiedSince", "IfNoneMatch", "IfModifiedSince")


def make_parameters(case: tuple[Any, ...], etag: str, at: dt.datetime) -> dict[str, Any]:
    """Return the conditions of a request."""
    parameters = {}
    for name, value in zip(NAMES, case, strict=True):
        if isinstance(value, int):
            parameters[name] = at + dt.timedelta(days=value)
        elif value:
            parameters[name] = value.replace("same", etag)
    return parameters


def judge(case: tuple[Any, ...]) -> int:
    """Return the status of a read with these conditions: an ETag overrules the date beside it."""
    match, unmodified_since, none_match, modified_since = case
    if (TAGS[match] if match else DATES[unmodified_since]) is False:
        return 412
    return 304 if (TAGS[none_match] if none_match else DATES[modified_since]) else 200


def ask(call: Any, **parameters: Any) -> int:
    """Return the status of a request."""
    try:
        answer = call(Bucket=BUCKET, **parameters)
    except ClientError as error:
        answer = error.response
    status: int = answer["ResponseMetadata"]["HTTPStatusCode"]
    return status


@pytest.fixture(name="source")
def _source(oos: Any) -> dict[str, Any]:
    oos.put_object(Bucket=BUCKET, Key="a", Body=b"x")
    return dict(oos.head_object(Bucket=BUCKET, Key="a"))


@pytest.mark.parametrize("case", CASES[::23] + CASES[5::29])
def test_conditions_are_decided_in_the_order_of_http(oos: Any, source: dict[str, Any], case: tuple[Any, ...]) -> None:
    """If-Match and If-None-Match overrule the date beside them, for GET, HEAD and copies. [OOS-007]"""
    conditions, status = make_parameters(case, source["ETag"], source["LastModified"]), judge(case)
    assert ask(oos.get_object, Key="a", **conditions) == status
    assert ask(oos.head_object, Key="a", **conditions) == status
    of_source = {f"CopySource{name}": value for name, value in conditions.items()}
    part = {"UploadId": oos.create_multipart_upload(Bucket=BUCKET, Key="c")["UploadId"], "PartNumber": 1}
    of_copy = 412 if status == 304 else status
    assert ask(oos.copy_object, Key="b", CopySource=f"{BUCKET}/a", **of_source) == of_copy
    assert ask(oos.upload_part_copy, Key="c", CopySource=f"{BUCKET}/a", **part, **of_source) == of_copy
    assert ("b" in [item["Key"] for item in oos.list_objects_v2(Bucket=BUCKET)["Contents"]]) is (status == 200)


@pytest.mark.parametrize("date", ["", " ", "x", "0", "9" * 5000, "Mon, 99 Foo 2026 00:00:00 GMT", "1 Jan 2026", "-,-"])
def test_a_malformed_date_is_no_condition(date: str) -> None:
    """A read whose date cannot be read is answered. [OOS-006]"""
    at = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    item = StoredObject(
        account_id="1", body=b"", bucket_id="r/b", etag="e", last_modified=at, name="k", object_id="r/b/k"
    )
    headers = {"if-unmodified-since": date, "if-modified-since": date}
    resolve_conditions("GetObject", headers, item)
    assert headers == {}
