"""Pre-signed POST: forms that upload an object, and the policies that allow them."""

from __future__ import annotations

import base64
import json
from typing import Any

import boto3
import pytest
import requests
from support.storing import BUCKET, create_bucket

from omisim import Cloud
from omisim.doors.front import FrontDoor
from omisim.doors.http import HttpRequest, HttpResponse


def post(cloud: Cloud, form: dict[str, Any], body: bytes = b"hello", **changes: Any) -> HttpResponse:
    """Post a form with changed fields (None: without it), as a browser does."""
    fields = {name: value for name, value in {**form["fields"], **changes}.items() if value is not None}
    prepared = requests.Request("POST", form["url"], data=fields, files={"file": ("a.txt", body)}).prepare()
    host, _, path = form["url"].partition("//")[2].partition("/")
    headers = {name.lower(): value for name, value in prepared.headers.items()}
    assert isinstance(prepared.body, bytes)
    request = HttpRequest("POST", host, f"/{path}", headers, prepared.body)
    return FrontDoor(cloud.engine).handle("oos", request, cloud.now)


def code_of(response: HttpResponse) -> str:
    """Return the S3 code of a refusal."""
    return response.body.decode().partition("<Code>")[2].partition("</Code>")[0]


class TestForm:
    def test_uploads_an_object(self, cloud: Cloud, oos: Any) -> None:
        """The file is stored under the key, with the fields as headers. [OOS-003]"""
        fields = {"Content-Type": "text/plain", "x-amz-meta-by": "me", "acl": "public-read"}
        conditions: list[Any] = [{name: value} for name, value in fields.items()]
        form = oos.generate_presigned_post(BUCKET, "in/${filename}", Fields=fields, Conditions=conditions)
        response = post(cloud, form)
        assert (response.status, response.body) == (204, b"")
        answer = oos.get_object(Bucket=BUCKET, Key="in/a.txt")
        assert (answer["Body"].read(), answer["ContentType"], answer["Metadata"]) == (
            b"hello",
            "text/plain",
            {"by": "me"},
        )
        grants = oos.get_object_acl(Bucket=BUCKET, Key="in/a.txt")["Grants"]
        assert "READ" in [grant["Permission"] for grant in grants]

    @pytest.mark.parametrize(
        "field", ["Content-Type", "content-disposition", "x-amz-meta-a", "acl", "redirect", "success_action_redirect"]
    )
    def test_with_a_line_feed_in_a_header_is_refused(self, cloud: Cloud, oos: Any, field: str) -> None:
        """A field that becomes a header of an answer cannot begin another one. [OOS-003]"""
        text = "a\r\nX-Evil: 1"
        form = oos.generate_presigned_post(BUCKET, "k", Fields={field: text}, Conditions=[{field: text}])
        response = post(cloud, form)
        assert (response.status, code_of(response)) == (400, "InvalidArgument")

    def test_is_sent_by_an_unmodified_client(self, cloud: Cloud, oos: Any) -> None:
        """`requests` posts it in this process, and to the virtual host of the bucket."""
        form = oos.generate_presigned_post(BUCKET, "a")
        with cloud.intercept():
            for url in (form["url"], f"https://{BUCKET}.oos.eu-west-2.outscale.com/"):
                answer = requests.post(url, data=form["fields"], files={"file": b"hello"}, timeout=5)
                assert answer.status_code == 204
        assert oos.get_object(Bucket=BUCKET, Key="a")["Body"].read() == b"hello"

    def test_of_a_client_of_the_code_under_test_is_dated_by_the_cloud(self, cloud: Cloud, oos: Any) -> None:
        """Inside a context, any client makes forms that expire by the cloud's clock."""
        with cloud.account("alice").environment():
            form = boto3.client("s3").generate_presigned_post(BUCKET, "a", ExpiresIn=60)
        policy = json.loads(base64.b64decode(form["fields"]["policy"]))
        assert policy["expiration"] == "2026-01-01T00:01:00Z"
        assert oos.generate_presigned_post(BUCKET, "a", ExpiresIn=60)["fields"]["policy"]
        assert post(cloud, form).status == 204

    @pytest.mark.parametrize("status", ["200", "201", "204", "500"])
    def test_is_answered_with_the_status_that_it_asks_for(self, cloud: Cloud, oos: Any, status: str) -> None:
        """201 describes the object in XML, and an unknown status is 204."""
        form = oos.generate_presigned_post(BUCKET, "a b", Conditions=[["starts-with", "$success_action_status", ""]])
        response = post(cloud, form, success_action_status=status)
        assert response.status == (204 if status == "500" else int(status))
        assert (b"<Key>a b</Key>" in response.body) is (status == "201")

    def test_is_redirected(self, cloud: Cloud, oos: Any) -> None:
        """A browser is sent on, with the bucket, the key and the ETag."""
        target = "https://example.com/done?x=1"
        form = oos.generate_presigned_post(BUCKET, "a", Conditions=[{"success_action_redirect": target}])
        response = post(cloud, form, success_action_redirect=target)
        assert response.status == 303
        assert response.headers["Location"].startswith(f"{target}&bucket={BUCKET}&key=a&etag=")

    def test_with_a_key_that_is_too_long_is_refused(self, cloud: Cloud, oos: Any) -> None:
        """The name of the file counts where the key of a form includes it. [OOS-008]"""
        form = oos.generate_presigned_post(BUCKET, f"{'a' * 1_020}${{filename}}")
        assert code_of(post(cloud, form)) == "KeyTooLongError"

    def test_is_undone_with_its_cloud(self, cloud: Cloud, oos: Any) -> None:
        """The upload is part of the state, and a refused one changes nothing."""
        before = cloud.fork()
        with cloud.savepoint():
            assert post(cloud, oos.generate_presigned_post(BUCKET, "a")).status == 204
            assert cloud != before
        assert post(cloud, oos.generate_presigned_post(BUCKET, "a"), key="b").status == 403
        assert cloud == before


class TestPolicy:
    def test_expires_by_the_clock_of_the_cloud(self, cloud: Cloud, oos: Any) -> None:
        """A form is valid for the time that it was made for. [OOS-003]"""
        form = oos.generate_presigned_post(BUCKET, "a", ExpiresIn=60)
        cloud.advance(59)
        assert post(cloud, form).status == 204
        cloud.advance(2)
        response = post(cloud, form)
        assert (response.status, code_of(response)) == (403, "AccessDenied")
        assert b"Policy expired" in response.body

    @pytest.mark.parametrize(("size", "code"), [(0, "EntityTooSmall"), (1, ""), (5, ""), (6, "EntityTooLarge")])
    def test_limits_the_size(self, cloud: Cloud, oos: Any, size: int, code: str) -> None:
        """The range of bytes includes its ends."""
        form = oos.generate_presigned_post(BUCKET, "a", Conditions=[["content-length-range", 1, 5]])
        assert code_of(post(cloud, form, b"x" * size)) == code

    @pytest.mark.parametrize(
        ("changes", "code"),
        [
            ({"key": "other"}, "AccessDenied"),
            ({"acl": "public-read"}, "AccessDenied"),
            ({"x-ignore-me": "1"}, ""),
            ({"x-amz-signature": "0" * 64}, "SignatureDoesNotMatch"),
            ({"x-amz-signature": "é"}, "SignatureDoesNotMatch"),
            ({"x-amz-signature": None}, "SignatureDoesNotMatch"),
            ({"x-amz-algorithm": None}, "AccessDenied"),
            ({"x-amz-credential": "nonsense"}, "AuthorizationQueryParametersError"),
            ({"x-amz-date": "yesterday"}, "AccessDenied"),
            ({"policy": None}, "AccessDenied"),
            ({"policy": "%%%"}, "SignatureDoesNotMatch"),
            ({"key": None}, "InvalidArgument"),
        ],
    )  # fmt: skip
    def test_allows_nothing_else(self, cloud: Cloud, oos: Any, changes: dict[str, Any], code: str) -> None:
        """A changed, an additional or a missing field is refused. [OOS-003]"""
        assert code_of(post(cloud, oos.generate_presigned_post(BUCKET, "a"), **changes)) == code

    @pytest.mark.parametrize(
        "policy",
        [
            "not base64", b"not JSON", {}, {"expiration": "2026-01-02T00:00:00Z"},
            {"expiration": "soon", "conditions": []},
            {"expiration": "2026-01-02T00:00:00", "conditions": []}, {"expiration": 5, "conditions": []}, [],
            {"expiration": "2026-01-02T00:00:00Z", "conditions": {}},
            {"expiration": "2026-01-02T00:00:00Z", "conditions": [["eq"]]},
            {"expiration": "2026-01-02T00:00:00Z", "conditions": [5]},
            {"expiration": "2026-01-02T00:00:00Z", "conditions": [["content-length-range", "x", 5]]},
        ],
    )  # fmt: skip
    def test_that_is_malformed_is_refused(self, oos: Any, policy: Any) -> None:
        """Whatever the policy is, the answer is a refusal. The signature is not verified with the mode lenient."""
        cloud = Cloud(auth="lenient")
        client = create_bucket(cloud.account("alice"))
        form = client.generate_presigned_post(BUCKET, "a")
        if not isinstance(policy, str):
            text = policy if isinstance(policy, bytes) else json.dumps(policy).encode()
            policy = base64.b64encode(text).decode()
        assert code_of(post(cloud, form, policy=policy)) == "InvalidPolicyDocument"

    def test_may_be_of_another_account_only_with_its_permission(self, cloud: Cloud, oos: Any) -> None:
        """A form signed by bob writes where bob may write. [OOS-004]"""
        form = cloud.account("bob").client("oos").generate_presigned_post(BUCKET, "a")
        assert code_of(post(cloud, form)) == "AccessDenied"
        oos.put_bucket_acl(Bucket=BUCKET, ACL="public-read-write")
        assert post(cloud, form).status == 204

    @pytest.mark.parametrize(
        "part",
        [b"Content-Disposition: form-data", b'Content-Disposition: form-data; name="x"'],
        ids=["no name", "many"],
    )
    def test_is_not_reached_by_fields_without_a_name_or_too_many(self, cloud: Cloud, oos: Any, part: bytes) -> None:
        """Every field has a name, and a form has at most 1,000 of them. [OOS-003]"""
        body = b"--x\r\n%s\r\n\r\nv\r\n" % part * (1001 if b"name" in part else 1) + b"--x--\r\n"
        headers = {"content-type": "multipart/form-data; boundary=x"}
        request = HttpRequest("POST", "oos.eu-west-2.outscale.com", f"/{BUCKET}", headers, body)
        assert code_of(FrontDoor(cloud.engine).handle("oos", request, cloud.now)) == "MalformedPOSTRequest"

    @pytest.mark.parametrize("content_type", ["multipart/form-data", "multipart/form-data; boundary=x"])
    def test_is_not_reached_by_a_malformed_form(self, cloud: Cloud, oos: Any, content_type: str) -> None:
        """A body that is not a form is refused."""
        headers = {"content-type": content_type}
        request = HttpRequest("POST", "oos.eu-west-2.outscale.com", f"/{BUCKET}", headers, b"nonsense")
        response = FrontDoor(cloud.engine).handle("oos", request, cloud.now)
        assert response.status == 400
