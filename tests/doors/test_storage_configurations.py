"""What a bucket of object storage answers to requests for configurations and versions, of which it has none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from support.boto import refusal_of
from support.storing import BUCKET, create_bucket

from omisim import Account, Cloud
from omisim.doors.oos.operations import find_operation
from omisim.state.buckets import Place, StorageError

NAMESPACE = "{http://s3.amazonaws.com/doc/2006-03-01/}"
texts = st.text("a/+% é&", max_size=4)


@pytest.fixture(name="oos")
def _oos(alice: Account) -> Any:
    return create_bucket(alice)


@pytest.fixture(name="bobs_oos")
def _bobs_oos(oos: Any, bob: Account) -> Any:
    """Return a client of another account, which may do what access control lists can allow in the bucket."""
    everybody = "uri=http://acs.amazonaws.com/groups/global/AllUsers"
    oos.put_bucket_acl(Bucket=BUCKET, GrantRead=everybody, GrantWrite=everybody, GrantReadACP=everybody)
    return bob.client("oos")


@pytest.mark.parametrize(
    ("operation", "code"),
    [
        ("get_bucket_cors", "NoSuchCORSConfiguration"),
        ("get_bucket_encryption", "ServerSideEncryptionConfigurationNotFoundError"),
        ("get_bucket_lifecycle_configuration", "NoSuchLifecycleConfiguration"),
        ("get_bucket_policy", "NoSuchBucketPolicy"),
        ("get_bucket_replication", "ReplicationConfigurationNotFoundError"),
        ("get_bucket_tagging", "NoSuchTagSet"),
        ("get_bucket_website", "NoSuchWebsiteConfiguration"),
        ("get_object_lock_configuration", "ObjectLockConfigurationNotFoundError"),
    ],
)
class TestConfiguration:
    def test_does_not_exist(self, oos: Any, operation: str, code: str) -> None:
        """A bucket without a configuration says so with the code that S3 has for it. [OOS-007]"""
        assert refusal_of(getattr(oos, operation), Bucket=BUCKET) == (404, code)

    def test_is_private(self, bobs_oos: Any, operation: str, code: str) -> None:
        """Only the owner of a bucket reads its configurations. [OOS-004]"""
        assert code != "AccessDenied"
        assert refusal_of(getattr(bobs_oos, operation), Bucket=BUCKET) == (403, "AccessDenied")

    def test_of_a_missing_bucket_is_refused(self, oos: Any, operation: str, code: str) -> None:
        """A bucket that does not exist is another error. [OOS-006]"""
        assert code != "NoSuchBucket"
        assert refusal_of(getattr(oos, operation), Bucket="nowhere") == (404, "NoSuchBucket")


class TestVersioning:
    def test_was_never_enabled(self, oos: Any) -> None:
        """A bucket without versioning has no Status. [OOS-007]"""
        assert "Status" not in oos.get_bucket_versioning(Bucket=BUCKET)

    def test_is_private(self, bobs_oos: Any) -> None:
        """Only the owner of a bucket reads whether it has versioning. [OOS-004]"""
        assert refusal_of(bobs_oos.get_bucket_versioning, Bucket=BUCKET) == (403, "AccessDenied")

    @pytest.mark.parametrize(
        ("operation", "parameters", "root"),
        [
            ("get_bucket_versioning", {}, "VersioningConfiguration"),
            ("get_object_tagging", {"Key": "a"}, "Tagging"),
            ("list_object_versions", {}, "ListVersionsResult"),
        ],
    )
    def test_is_answered_in_the_elements_of_s3(
        self, cloud: Cloud, oos: Any, operation: str, parameters: dict[str, str], root: str
    ) -> None:
        """Clients in Go refuse an answer whose root has another name. [OOS-006]"""
        oos.put_object(Bucket=BUCKET, Key="a")
        url = oos.generate_presigned_url(operation, Params={"Bucket": BUCKET, **parameters})
        with cloud.intercept():
            answer = requests.get(url, timeout=5)
        assert ET.fromstring(answer.content).tag == NAMESPACE + root

    def test_has_one_version_of_each_object(self, oos: Any) -> None:
        """Each object is the latest version of its key, with the id null. [OOS-007]"""
        oos.put_object(Bucket=BUCKET, Key="a", Body=b"before")
        oos.put_object(Bucket=BUCKET, Key="a", Body=b"1234")
        answer = oos.list_object_versions(Bucket=BUCKET)
        listed = [(each["Key"], each["VersionId"], each["IsLatest"], each["Size"]) for each in answer["Versions"]]
        assert (listed, "DeleteMarkers" in answer) == ([("a", "null", True, 4)], False)

    def test_names_the_owner_of_each_object(self, bob: Account, bobs_oos: Any) -> None:
        """A version belongs to the account that wrote it. [OOS-004]"""
        bobs_oos.put_object(Bucket=BUCKET, Key="a")
        (version,) = bobs_oos.list_object_versions(Bucket=BUCKET)["Versions"]
        assert version["Owner"]["ID"] == bob.account_id

    @pytest.mark.parametrize("more", [{}, {"VersionId": "null"}])
    def test_lets_the_only_version_be_read_and_deleted(self, oos: Any, more: dict[str, str]) -> None:
        """The version null of an object is the object. [OOS-007]"""
        oos.put_object(Bucket=BUCKET, Key="a", Body=b"x")
        assert oos.head_object(Bucket=BUCKET, Key="a", **more)["ContentLength"] == 1
        assert oos.get_object(Bucket=BUCKET, Key="a", **more)["Body"].read() == b"x"
        oos.copy_object(Bucket=BUCKET, Key="b", CopySource={"Bucket": BUCKET, "Key": "a", **more})
        oos.delete_object(Bucket=BUCKET, Key="a", **more)
        oos.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": "b", **more}]})
        assert oos.list_objects_v2(Bucket=BUCKET)["KeyCount"] == 0

    @pytest.mark.parametrize("method", ["PUT", "POST"])
    def test_is_not_written_by_a_version(self, cloud: Cloud, oos: Any, method: str) -> None:
        """S3 writes no object as a version that the client names. [OOS-007]"""
        oos.put_bucket_acl(Bucket=BUCKET, ACL="public-read-write")
        url = f"https://oos.eu-west-2.outscale.com/{BUCKET}/a?versionId=null"
        with cloud.intercept():
            assert requests.request(method, url, timeout=5).status_code == 501

    @pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE"])
    def test_does_not_concern_a_bucket(self, method: str) -> None:
        """A bucket has no version, and is not deleted in place of that of an object without a key. [OOS-007]"""
        with pytest.raises(StorageError, match="versionId is not served"):
            find_operation(method, Place("eu-west-2", BUCKET, ""), {"versionId": "null"})

    def test_lets_a_bucket_be_emptied_by_its_versions(self, oos: Any) -> None:
        """Ansible, Terraform and `bucket.object_versions.delete()` remove a bucket like this. [OOS-007]"""
        for number in range(3):
            oos.put_object(Bucket=BUCKET, Key=str(number))
        for page in oos.get_paginator("list_object_versions").paginate(Bucket=BUCKET, PaginationConfig={"PageSize": 2}):
            objects = [{"Key": each["Key"], "VersionId": each["VersionId"]} for each in page["Versions"]]
            deleted = oos.delete_objects(Bucket=BUCKET, Delete={"Objects": objects})["Deleted"]
            assert deleted == objects
        oos.delete_bucket(Bucket=BUCKET)

    def test_has_pages_that_a_fault_cuts(self, cloud: Cloud, oos: Any) -> None:
        """A fault ends a page of versions early, as one of objects. [THR-002]"""
        for key in ("a", "b", "c"):
            oos.put_object(Bucket=BUCKET, Key=key)
        cloud.faults.add("ListObjectVersions", page_size=2)
        page = oos.list_object_versions(Bucket=BUCKET)
        assert (len(page["Versions"]), page["IsTruncated"], page["MaxKeys"]) == (2, True, 1000)


def list_versions(client: Any, **parameters: str) -> Iterator[str]:
    """Yield the keys and the common prefixes of all pages of two versions."""
    pages = client.get_paginator("list_object_versions")
    for page in pages.paginate(Bucket=BUCKET, PaginationConfig={"PageSize": 2}, **parameters):
        yield from (item["Key"] for item in page.get("Versions", []))
        yield from (group["Prefix"] for group in page.get("CommonPrefixes", []))


@given(st.sets(texts.filter(bool), max_size=8), texts, st.sampled_from(["", "/", "a", "+", "%"]), texts)
def test_versions_are_those_of_the_objects(keys: set[str], prefix: str, delimiter: str, marker: str) -> None:
    """The pages of versions together have the names that the list of objects has, whatever it is asked. [OOS-007]"""
    oos = create_bucket(Cloud().account("alice"))
    for key in keys:
        oos.put_object(Bucket=BUCKET, Key=key)
    named = {"Prefix": prefix, "Delimiter": delimiter}
    expected = oos.list_objects(Bucket=BUCKET, **named, Marker=marker)
    names = [item["Key"] for item in expected.get("Contents", [])]
    names += [group["Prefix"] for group in expected.get("CommonPrefixes", [])]
    assert sorted(list_versions(oos, **named, KeyMarker=marker)) == sorted(names)


class TestTagsOfAnObject:
    def test_do_not_exist(self, oos: Any) -> None:
        """`aws s3 cp` between buckets reads the tags of a large object. [OOS-007]"""
        oos.put_object(Bucket=BUCKET, Key="a")
        assert oos.get_object_tagging(Bucket=BUCKET, Key="a")["TagSet"] == []

    def test_of_a_missing_object_are_refused(self, oos: Any) -> None:
        """An object that does not exist is another answer. [OOS-006]"""
        assert refusal_of(oos.get_object_tagging, Bucket=BUCKET, Key="a") == (404, "NoSuchKey")

    def test_are_private(self, bobs_oos: Any, oos: Any) -> None:
        """Only the owner of the bucket reads the tags of its objects. [OOS-004]"""
        oos.put_object(Bucket=BUCKET, Key="a")
        assert refusal_of(bobs_oos.get_object_tagging, Bucket=BUCKET, Key="a") == (403, "AccessDenied")
