"""Pre-signed POST: a form that uploads one object, as browsers send it, allowed by a signed policy."""

from __future__ import annotations

import base64
import datetime as dt
import hmac
import json
from collections.abc import Mapping
from io import BytesIO
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode
from xml.sax.saxutils import escape

from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.formparser import FormDataParser
from werkzeug.http import parse_options_header

from omisim.base.foreign import parse_json
from omisim.doors.http import HttpRequest, HttpResponse, is_header_value
from omisim.formats.sigv4 import derive_signing_key, parse_stamp
from omisim.model import AccessKey, AccountRow
from omisim.state.buckets import Place, StorageError, make_object_url
from omisim.state.state import State
from omisim.state.storage_signatures import ALGORITHM, find_active_key, parse_credential, refuse_key

__all__ = ["Form", "authenticate_form", "is_form", "make_headers", "read_form", "render_uploaded"]

# form fields that become headers of the object
_HEADERS: Final = (
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-type",
    "expires",
)
_REDIRECTS: Final = ("redirect", "success_action_redirect")
# form fields that the policy need not mention
_FREE: Final = frozenset({"awsaccesskeyid", "file", "policy", "signature", "x-amz-signature"})
_RANGE: Final = "content-length-range"
_MAX_PARTS: Final = 1000  # fields and files of a form
_RESPONSES: Final = ("200", "201", "204")


class Form(NamedTuple):
    """A form: its fields by lower-case names, without the file; and the name and the bytes of the file."""

    fields: Mapping[str, str]
    filename: str
    body: bytes

    @property
    def key(self) -> str:
        """The key of the object."""
        return self.fields["key"].replace("${filename}", self.filename)


def is_form(request: HttpRequest, place: Place) -> bool:
    """Whether a request posts a form to a bucket."""
    content_type = request.headers.get("content-type", "").lower()
    return (
        request.method == "POST"
        and bool(place.bucket)
        and not place.key
        and content_type.startswith("multipart/form-data")
    )


def read_form(request: HttpRequest) -> Form:
    """Parse the form of a request. Raises StorageError if it is malformed, or lacks the key or the file."""
    kind, options = parse_options_header(request.headers["content-type"])
    parser = FormDataParser(stream_factory=lambda *_, **__: BytesIO(), silent=False, max_form_parts=_MAX_PARTS)
    try:
        _, fields, files = parser.parse(BytesIO(request.body), kind, len(request.body), options)
    except ValueError as error:
        raise StorageError("MalformedPOSTRequest", f"the form is malformed: {error}", "OOS-003") from None
    except RequestEntityTooLarge:
        raise StorageError("MalformedPOSTRequest", f"the form has more than {_MAX_PARTS} fields", "OOS-003") from None
    if None in fields:
        raise StorageError("MalformedPOSTRequest", "a field of the form has no name", "OOS-003")
    lower_fields = {name.lower(): value for name, value in fields.items()}
    for name, value in lower_fields.items():
        if (name in (*_HEADERS, *_REDIRECTS, "acl") or name.startswith("x-amz-")) and not is_header_value(value):
            raise StorageError("InvalidArgument", f"the field {name} must not contain control characters", "OOS-003")
    if "key" not in lower_fields:
        raise StorageError("InvalidArgument", "the form must contain a field named 'key'", "OOS-003")
    if "file" in files:
        return Form(lower_fields, files["file"].filename or "", files["file"].read())
    if "file" in lower_fields:
        return Form(lower_fields, "", lower_fields.pop("file").encode())
    raise StorageError("InvalidArgument", "the form must contain one file, in a field named 'file'", "OOS-003")


def authenticate_form(state: State, place: Place, form: Form, now: dt.datetime, *, strict: bool) -> AccountRow | None:
    """Return the account that signed the policy of a form, or None without a policy.

    `now` is the cloud's time, by which the policy expires. `strict` is whether the signature is verified (AUTH-013).
    Raises StorageError for a wrong signature and a form that the policy does not allow.
    """
    fields = form.fields
    if "policy" not in fields:
        return None
    if fields.get("x-amz-algorithm") != ALGORITHM:
        raise StorageError("AccessDenied", f"only {ALGORITHM} is supported", "OOS-001")
    access_key, scope = parse_credential(fields.get("x-amz-credential", ""), place)
    if parse_stamp(fields.get("x-amz-date", "")) is None:
        raise StorageError("AccessDenied", "the field x-amz-date is malformed", "OOS-003")
    key: AccessKey | None = find_active_key(state, access_key, place.region, now)
    if key is None:
        raise refuse_key(access_key, place.region)
    signing = derive_signing_key(f"AWS4{key.secret_key}", *scope, "aws4_request").copy()
    signing.update(fields["policy"].encode())
    given = fields.get("x-amz-signature", "").encode()
    if strict and not hmac.compare_digest(signing.hexdigest().encode(), given):
        raise StorageError("SignatureDoesNotMatch", "the signature does not match the policy")
    _check_policy(_decode_policy(fields["policy"]), place, form, now)
    account: AccountRow = state.get("account", key.account_id)
    return account


def _decode_policy(text: str) -> dict[str, Any]:
    try:
        policy = parse_json(base64.b64decode(text, validate=True))
        expiration = dt.datetime.fromisoformat(policy["expiration"])
        conditions = policy["conditions"]
    except (ValueError, TypeError, KeyError) as error:
        raise StorageError("InvalidPolicyDocument", f"the policy is malformed: {error!r}", "OOS-003") from None
    if expiration.tzinfo is None or not isinstance(conditions, list):
        raise StorageError("InvalidPolicyDocument", "the policy needs an expiration in UTC and conditions", "OOS-003")
    return {"expiration": expiration, "conditions": conditions}


def _check_policy(policy: Mapping[str, Any], place: Place, form: Form, now: dt.datetime) -> None:
    """Refuse a form after the expiration of its policy, or with fields that the policy does not allow (OOS-003)."""
    if now > policy["expiration"]:
        raise _deny("Policy expired.")
    values = {**form.fields, "bucket": place.bucket}
    allowed = {"bucket"}
    for condition in policy["conditions"]:
        allowed.add(_check_condition(condition, values, len(form.body)))
    extra = [name for name in form.fields if name not in allowed | _FREE and not name.startswith("x-ignore-")]
    if extra:
        raise _deny(f"Extra input fields: {', '.join(extra)}")


def _check_condition(condition: Any, values: Mapping[str, str], size: int) -> str:
    """Check one condition of a policy, and return the name of the field that it allows."""
    match condition:
        case [str(operator), int(least), int(most)] if operator.lower() == _RANGE:
            if size < least:
                raise StorageError("EntityTooSmall", f"the file must have {least} bytes or more, not {size}", "OOS-003")
            if size > most:
                raise StorageError("EntityTooLarge", f"the file must have {most} bytes or less, not {size}", "OOS-003")
            return ""
        case [str(operator), str(field), str(expected)] if operator.lower() in ("eq", "starts-with"):
            name = field.removeprefix("$").lower()
            value = values.get(name, "")
            is_met = value == expected if operator.lower() == "eq" else value.startswith(expected)
        case dict() if len(condition) == 1:
            ((field, expected),) = condition.items()
            name = field.lower()
            is_met = values.get(name) == expected
        case _:
            raise StorageError("InvalidPolicyDocument", f"unknown condition {json.dumps(condition)}", "OOS-003")
    if not is_met:
        raise _deny(f"Policy Condition failed: {json.dumps(condition)}")
    return name


def _deny(reason: str) -> StorageError:
    return StorageError("AccessDenied", f"Invalid according to Policy: {reason}", "OOS-003")


def make_headers(form: Form) -> dict[str, str]:
    """Return the headers with which the same object would be uploaded by PUT."""
    fields = form.fields
    headers = {name: fields[name] for name in _HEADERS if name in fields}
    headers |= {name: value for name, value in fields.items() if name.startswith("x-amz-meta-")}
    return headers | ({"x-amz-acl": fields["acl"]} if "acl" in fields else {})


def render_uploaded(form: Form, place: Place, etag: str) -> HttpResponse:
    """Return the response that the form asks for: a redirection, or a status, by default 204."""
    location = make_object_url(place)
    headers = {"ETag": etag, "Location": location}
    target = form.fields.get("success_action_redirect") or form.fields.get("redirect")
    if target:
        query = urlencode({"bucket": place.bucket, "key": place.key, "etag": etag})
        return HttpResponse(303, b"", {"ETag": etag, "Location": f"{target}{'&' if '?' in target else '?'}{query}"})
    status = form.fields.get("success_action_status", "204")
    if status != "201":
        return HttpResponse(int(status) if status in _RESPONSES else 204, b"", headers)
    parts = {"Location": location, "Bucket": place.bucket, "Key": place.key, "ETag": etag}
    inner = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in parts.items())
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n<PostResponse>{inner}</PostResponse>'
    return HttpResponse(201, text.encode(), {**headers, "Content-Type": "application/xml"})
