"""Whom answers of object storage name as the owner, that grants take what they name, and the dates of uploads."""

from __future__ import annotations

from typing import Any

import pytest
from support.boto import refusal_of
from support.storing import BUCKET, create_bucket

from omisim import Account, Cloud


@pytest.fixture(name="oos")
def _oos(alice: Account) -> Any:
    client = create_bucket(alice)
    client.put_bucket_acl(Bucket=BUCKET, ACL="public-read-write")
    return client


def test_a_list_of_buckets_names_the_caller_as_a_grant_takes_it(oos: Any, bob: Account) -> None:
    """A bucket is shared with the Owner of another account's list of buckets. [OOS-004]"""
    other = bob.client("oos")
    oos.put_object(Bucket=BUCKET, Key="a", Body=b"x", GrantRead=f"id={other.list_buckets()['Owner']['ID']}")
    assert other.get_object(Bucket=BUCKET, Key="a")["Body"].read() == b"x"


@pytest.mark.parametrize("name", ["ExpectedBucketOwner", "ExpectedSourceBucketOwner"])
def test_a_bucket_of_an_unexpected_owner_is_refused(oos: Any, alice: Account, bob: Account, name: str) -> None:
    """A client can say to whom the buckets of a request must belong. [OOS-004]"""
    oos.put_object(Bucket=BUCKET, Key="a")
    copy = {"Bucket": BUCKET, "Key": "b", "CopySource": f"{BUCKET}/a"}
    assert refusal_of(oos.copy_object, **copy, **{name: bob.account_id}) == (403, "AccessDenied")
    oos.copy_object(**copy, **{name: alice.account_id})


def test_each_entry_of_a_list_has_its_owner(oos: Any, alice: Account, bob: Account) -> None:
    """The owner of an object or an upload is the account that created it, not that of the bucket. [OOS-004]"""
    other = bob.client("oos")
    for client, key in ((oos, "<alice's>"), (other, "\x01 bob's")):
        client.put_object(Bucket=BUCKET, Key=key)
        client.create_multipart_upload(Bucket=BUCKET, Key=key)
    expected = {"<alice's>": alice.account_id, "\x01 bob's": bob.account_id}
    for listed in (oos.list_objects(Bucket=BUCKET), oos.list_objects_v2(Bucket=BUCKET, FetchOwner=True)):
        assert {item["Key"]: item["Owner"]["ID"] for item in listed["Contents"]} == expected
    uploads = oos.list_multipart_uploads(Bucket=BUCKET)["Uploads"]
    assert [item["Owner"]["ID"] for item in uploads] == [item["Initiator"]["ID"] for item in uploads]
    assert [item["Owner"]["DisplayName"] for item in uploads] == [*expected.values()]


def test_an_upload_and_an_access_control_list_name_their_owner(oos: Any, alice: Account, bob: Account) -> None:
    """The owner of an object need not be that of its bucket. [OOS-004]"""
    other = bob.client("oos")
    other.put_object(Bucket=BUCKET, Key="a")
    upload = other.create_multipart_upload(Bucket=BUCKET, Key="a")["UploadId"]
    assert oos.get_bucket_acl(Bucket=BUCKET)["Owner"]["ID"] == alice.account_id
    assert oos.get_object_acl(Bucket=BUCKET, Key="a")["Owner"]["ID"] == bob.account_id
    assert oos.list_parts(Bucket=BUCKET, Key="a", UploadId=upload)["Owner"]["ID"] == bob.account_id


def test_an_upload_has_the_date_at_which_it_began(cloud: Cloud, oos: Any) -> None:
    """A client that aborts old uploads leaves a new one alone. [OOS-007]"""
    cloud.advance(86_400)
    oos.create_multipart_upload(Bucket=BUCKET, Key="a")
    began = cloud.now.replace(microsecond=0)
    cloud.advance(60)
    (upload,) = oos.list_multipart_uploads(Bucket=BUCKET)["Uploads"]
    assert upload["Initiated"].replace(microsecond=0) == began


@pytest.mark.parametrize("kind", ["bucket", "object"])
def test_an_access_control_list_is_put_back_with_another_grant(oos: Any, bob: Account, kind: str) -> None:
    """What an answer says of the owner is taken as such, and not kept as a grant of its own. [OOS-004]"""
    oos.put_object(Bucket=BUCKET, Key="a")
    named = {"Bucket": BUCKET} | ({"Key": "a"} if kind == "object" else {})
    read, write = getattr(oos, f"get_{kind}_acl"), getattr(oos, f"put_{kind}_acl")
    before = read(**named)
    added = {"Grantee": {"Type": "CanonicalUser", "ID": bob.account_id}, "Permission": "READ_ACP"}
    policy = {"Owner": before["Owner"], "Grants": [*before["Grants"], added]}
    write(**named, AccessControlPolicy=policy)
    assert read(**named)["Grants"] == policy["Grants"]


def test_a_bucket_is_created_with_grants(oos: Any, alice: Account, bob: Account) -> None:
    """Another account may write into a bucket that is created for it. [OOS-004]"""
    bob.client("oos").create_bucket(Bucket="inbox", GrantWrite=f"id={alice.account_id}")
    oos.put_object(Bucket="inbox", Key="a")


@pytest.mark.parametrize(
    "header",
    [{"ACL": "public"}, {"GrantRead": "bob"}, {"GrantRead": "emailAddress=bob@example.com"}, {"GrantRead": ""}],
)
def test_an_unknown_form_of_an_access_control_list_is_refused(oos: Any, header: dict[str, str]) -> None:
    """A mistyped grant is not one that has no effect. [OOS-004]"""
    assert refusal_of(oos.put_object, Bucket=BUCKET, Key="a", **header) == (400, "InvalidArgument")


@pytest.mark.parametrize(
    "form", ["id={0}", 'id="{0}"', ' ID={0} , uri="http://acs.amazonaws.com/groups/global/AllUsers"']
)
def test_a_grant_names_its_grantees(oos: Any, bob: Account, form: str) -> None:
    """Each form of a grantee of S3 is accepted. [OOS-004]"""
    oos.put_object(Bucket=BUCKET, Key="a", GrantRead=form.format(bob.account_id))
    bob.client("oos").head_object(Bucket=BUCKET, Key="a")


@pytest.mark.parametrize("form", ["bucket", "object", "header", "upload"])
def test_an_access_control_list_has_at_most_100_grants(oos: Any, alice: Account, form: str) -> None:
    """The owner's does not count, and a full list hinders no later request. [OOS-004]"""

    def put(count: int) -> None:
        ids = [f"{number:012}" for number in range(count)]
        owner = {"ID": alice.account_id}
        grants = [{"Grantee": {"Type": "CanonicalUser", "ID": each}, "Permission": "READ"} for each in ids]
        grants.append({"Grantee": {"Type": "CanonicalUser", **owner}, "Permission": "FULL_CONTROL"})
        policy = {"Owner": owner, "Grants": grants}
        header = ", ".join(f"id={each}" for each in [*ids, alice.account_id])
        match form:
            case "bucket":
                oos.put_bucket_acl(Bucket=BUCKET, AccessControlPolicy=policy)
            case "object":
                oos.put_object(Bucket=BUCKET, Key="a")
                oos.put_object_acl(Bucket=BUCKET, Key="a", AccessControlPolicy=policy)
            case "header":
                oos.put_object(Bucket=BUCKET, Key="a", GrantRead=header)
            case "upload":
                oos.create_multipart_upload(Bucket=BUCKET, Key="a", GrantRead=header)

    put(100)
    oos.put_object(Bucket=BUCKET, Key="b")
    assert refusal_of(put, count=101) == (400, "MalformedACLError")


def test_an_unknown_permission_is_refused(oos: Any, bob: Account) -> None:
    """A list with a permission that S3 does not have is not taken. [OOS-006]"""
    oos.put_object(Bucket=BUCKET, Key="a")
    grants = [{"Grantee": {"Type": "CanonicalUser", "ID": bob.account_id}, "Permission": "DELETE"}]
    policy = {"Owner": {"ID": bob.account_id}, "Grants": grants}
    refused = refusal_of(oos.put_object_acl, Bucket=BUCKET, Key="a", AccessControlPolicy=policy)
    assert refused == (400, "MalformedACLError")
