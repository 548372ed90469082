"""Load the relevant rows into a moto backend and write the changes back.

A backend serves one request. All data is in State, so savepoints, forks and dumps do not involve moto.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import repeat
from operator import attrgetter
from typing import Any, NamedTuple

from moto.s3 import models
from requests.structures import CaseInsensitiveDict

from omisim.doors.http import HttpResponse
from omisim.doors.oos.backend import call_moto, use_backend
from omisim.doors.oos.entries import describe_rows
from omisim.model import Bucket, Grant, StoredObject, Upload, UploadPart
from omisim.model.ids import derive_hex
from omisim.state.buckets import Place, StorageError
from omisim.state.transaction import Transaction

__all__ = ["MotoBridge", "StorageRequest"]

MAX_GRANTS = 100  # of an access control list


class StorageRequest(NamedTuple):
    """The operation of a request, its caller (an account id, or ""), and the rows that it concerns."""

    operation: str
    place: Place
    caller: str
    source: Place | None
    upload_id: str


class MotoBridge:
    """One moto backend for one request."""

    def __init__(self, tx: Transaction, request: StorageRequest) -> None:
        self._tx = tx
        self._state = tx.state
        self._request = request
        self._keys: dict[str, Any] = {}  # object id → the key loaded into moto
        self._uploads: dict[str, Any] = {}

    def send(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> HttpResponse:
        """Return moto's response to the request, and write moto's changes to the transaction."""
        with use_backend(self._tx.at) as backend:
            try:
                self._load(backend)
                response = call_moto(method, url, headers, body)
                return self._save(backend, response, headers)
            finally:
                for bucket in backend.buckets.values():
                    for upload in bucket.multiparts.values():
                        upload.dispose()
                    for key in list(bucket.keys):
                        bucket.keys.pop(key)
                for key in self._keys.values():
                    key.dispose()

    # --- from State to moto

    def _load(self, backend: Any) -> None:
        place = self._request.place
        places = [named for named in dict.fromkeys((place, self._request.source)) if named is not None]
        for bucket in self._find_buckets(places):
            self._load_bucket(backend, bucket)
        for item in (self._state.get("object", named.object_id) for named in places):
            if item is not None:
                self._load_key(backend, item, with_body=True)
        backend.load_keys = self._load_keys  # which gets the backend, so that none refers to itself
        if self._request.operation in ("ListObjects", "ListObjectVersions", "DeleteBucket"):
            object_ids = self._state.tables["object"].find_ids("bucket_id", place.bucket_id)
            backend.names = list(map(str.removeprefix, object_ids, repeat(f"{place.bucket_id}/")))
            if self._request.operation == "DeleteBucket":
                self._load_keys(backend, backend.names[:1])  # one object refuses it
        for upload in self._find_uploads():
            self._load_upload(backend, upload)

    def _find_uploads(self) -> tuple[Upload, ...]:
        """Return the multipart uploads that the request concerns: the one that it names, or all that it lists."""
        bucket_id, upload_id = self._request.place.bucket_id, self._request.upload_id
        if self._request.operation == "ListMultipartUploads":
            return tuple(self._state.find_by("upload", "bucket_id", bucket_id))
        upload: Upload | None = self._state.get("upload", upload_id) if upload_id else None
        return (upload,) if upload is not None and upload.bucket_id == bucket_id else ()

    def _find_buckets(self, places: Iterable[Place]) -> Iterable[Bucket]:
        """Return the buckets of the places; for ListBuckets, the caller's in the Region, sorted by name."""
        if self._request.place.bucket:
            return self._state.find_by_ids("bucket", [named.bucket_id for named in places])
        own = self._state.find_by("bucket", "account_id", self._request.caller)
        region = self._request.place.region
        return sorted((bucket for bucket in own if bucket.region == region), key=attrgetter("name"))

    def _load_bucket(self, backend: Any, row: Bucket) -> None:
        bucket = models.FakeBucket(row.name, row.account_id, row.region)
        bucket.creation_date = row.creation_date
        bucket.acl = _to_moto_acl(row.grants)
        backend.buckets[row.name] = bucket

    def _load_keys(self, backend: Any, names: Iterable[str]) -> None:
        """Load the objects of the request's bucket that have these names, without their bodies."""
        for name in names:
            item = self._state.get("object", self._request.place._replace(key=name).object_id)
            if item is not None and item.object_id not in self._keys:
                self._load_key(backend, item, with_body=False)

    def _load_key(self, backend: Any, row: StoredObject, *, with_body: bool) -> None:
        bucket = backend.buckets[row.bucket_id.partition("/")[2]]
        key = models.FakeKey(
            name=row.name,
            value=row.body if with_body else b"",
            account_id=row.account_id,
            region_name=bucket.region_name,
            etag=row.etag,
            bucket_name=bucket.name,
        )
        key.contentsize = len(row.body)
        key.last_modified = row.last_modified.replace(tzinfo=None)
        key.acl = _to_moto_acl(row.grants)
        key.set_metadata(dict(row.metadata))
        if row.checksum:
            key.checksum_algorithm, key.checksum_value, key.checksum_type, parts = row.checksum
            key.checksum_parts = int(parts) if parts else None
        bucket.keys[row.name] = key
        self._keys[row.object_id] = key

    def _load_upload(self, backend: Any, row: Upload) -> None:
        bucket = backend.buckets[self._request.place.bucket]
        metadata = CaseInsensitiveDict(row.metadata)
        upload = models.FakeMultipart(
            row.name, metadata, row.account_id, bucket.region_name, acl=_to_moto_acl(row.grants)
        )
        upload.id = row.upload_id
        if row.upload_id == self._request.upload_id:
            for part in row.parts:
                upload.set_part(part.number, part.body)
        bucket.multiparts[row.upload_id] = upload
        self._uploads[row.upload_id] = upload

    # --- from moto to State

    def _save(self, backend: Any, response: HttpResponse, headers: Mapping[str, str]) -> HttpResponse:
        place = self._request.place
        if response.status >= 400:  # noqa: PLR2004 - a refused request changes nothing
            return response
        if self._request.operation.startswith(("GetBucket", "GetObjectAcl", "List")):
            response.body = describe_rows(response.body, self._find_owner(place), self._find_entry)
        bucket = backend.buckets.get(place.bucket)
        row: Any = self._state.get("bucket", place.bucket_id)
        if self._request.operation in ("CreateBucket", "PutBucketAcl", "DeleteBucket"):
            self._save_bucket(bucket, row)
        elif bucket is not None:
            self._save_keys(bucket, headers)
            return self._save_uploads(bucket, response)
        return response

    def _find_owner(self, place: Place) -> str:
        """Return the account that owns the upload, the object or the bucket of a request; or else the caller."""
        ids = (("upload", self._request.upload_id), ("object", place.object_id), ("bucket", place.bucket_id))
        rows: tuple[Any, ...] = tuple(self._state.get(kind, row_id) for kind, row_id in ids)
        return next((str(row.account_id) for row in rows if row is not None), self._request.caller)

    def _find_entry(self, name: str) -> StoredObject | Upload:
        """Return the row of an entry of a list: an upload by its id, or an object by its key."""
        place, is_upload = self._request.place, self._request.operation == "ListMultipartUploads"
        row_id = name if is_upload else place._replace(key=name).object_id
        row: StoredObject | Upload = self._state.get("upload" if is_upload else "object", row_id)
        return row

    def _save_bucket(self, bucket: Any, row: Any) -> None:
        place: Place = self._request.place
        if bucket is None:
            for upload in self._state.find_by("upload", "bucket_id", place.bucket_id):
                self._tx.write("upload", upload.upload_id, None)
            self._tx.write("bucket", place.bucket_id, None)
            return
        new_row = Bucket(
            account_id=row.account_id if row else self._request.caller,
            bucket_id=place.bucket_id,
            creation_date=row.creation_date if row else self._tx.at,
            grants=_from_moto_acl(bucket.acl, row.account_id if row else self._request.caller),
            name=place.bucket,
            region=place.region,
        )
        if new_row != row:
            self._tx.write("bucket", place.bucket_id, new_row)

    def _save_keys(self, bucket: Any, headers: Mapping[str, str]) -> None:
        place = self._request.place
        sets_acl = self._request.operation == "CompleteMultipartUpload" or any(
            name == "x-amz-acl" or name.startswith("x-amz-grant-") for name in headers
        )
        for name in bucket.keys:
            key: Any = bucket.keys[name]
            object_id = f"{place.bucket_id}/{name}"
            is_new = key is not self._keys.get(object_id)
            if is_new:
                grants = _from_moto_acl(key.acl, self._get_owner()) if sets_acl else ()
                self._tx.write("object", object_id, self._make_object_row(key, object_id, grants))
                if self._state.get("origin", object_id) is not None:
                    self._tx.write("origin", object_id, None)  # an overwritten object no longer comes from an export
            elif self._request.operation == "PutObjectAcl":
                row: StoredObject = self._state.get("object", object_id)
                self._tx.write("object", object_id, replace(row, grants=_from_moto_acl(key.acl, row.account_id)))
        prefix = f"{place.bucket_id}/"
        for object_id in self._keys:
            if object_id.startswith(prefix) and object_id.removeprefix(prefix) not in bucket.keys:
                self._tx.write("object", object_id, None)

    def _make_object_row(self, key: Any, object_id: str, grants: tuple[Grant, ...]) -> StoredObject:
        checksum = (key.checksum_algorithm, key.checksum_value, key.checksum_type or "", str(key.checksum_parts or ""))
        return StoredObject(
            account_id=self._get_owner(),
            body=key.value,
            bucket_id=self._request.place.bucket_id,
            checksum=checksum if key.checksum_algorithm and key.checksum_value else (),
            etag=key.etag.strip('"'),
            grants=grants,
            last_modified=self._tx.at,
            metadata=tuple(sorted((str(name), str(value)) for name, value in key.metadata.items())),
            name=key.name,
            object_id=object_id,
        )

    def _save_uploads(self, bucket: Any, response: HttpResponse) -> HttpResponse:
        for upload_id in self._uploads:
            if upload_id not in bucket.multiparts:
                self._tx.write("upload", upload_id, None)
        for upload_id, upload in list(bucket.multiparts.items()):
            known_upload: Upload | None = self._state.get("upload", upload_id)
            if known_upload is None:
                number = self._tx.next_number("upload")
                new_id = derive_hex(f"{self._tx.settings.seed}:{number}:upload")[:32]
                self._tx.write("upload", new_id, self._make_upload_row(upload, new_id))
                body = response.body.replace(upload_id.encode(), new_id.encode())
                return HttpResponse(response.status, body, response.headers)
            if upload_id == self._request.upload_id and self._request.operation == "UploadPart":
                self._tx.write("upload", upload_id, replace(known_upload, parts=_list_parts(upload)))
        return response

    def _make_upload_row(self, upload: Any, upload_id: str) -> Upload:
        return Upload(
            account_id=self._get_owner(),
            bucket_id=self._request.place.bucket_id,
            grants=_from_moto_acl(upload.acl, self._get_owner()),
            initiated=self._tx.at,
            metadata=tuple(sorted((str(name), str(value)) for name, value in upload.metadata.items())),
            name=upload.key_name,
            parts=_list_parts(upload),
            upload_id=upload_id,
        )

    def _get_owner(self) -> str:
        """Return the account of a new object or upload: the caller, or the bucket's owner for an unsigned one."""
        owner: str = self._request.caller or self._state.get("bucket", self._request.place.bucket_id).account_id
        return owner


def _list_parts(upload: Any) -> tuple[UploadPart, ...]:
    return tuple(UploadPart(number, part.value, part.etag.strip('"')) for number, part in sorted(upload.parts.items()))


def _to_moto_acl(grants: tuple[Grant, ...]) -> Any:
    """Return grants as a moto access control list, which also grants the owner full control."""
    acl = models.get_canned_acl("private")
    for grant in grants:
        group = grant.grantee.startswith("http")
        grantee = models.FakeGrantee(**({"uri": grant.grantee} if group else {"grantee_id": grant.grantee}))
        acl.grants.append(models.FakeGrant([grantee], [grant.permission]))
    return acl


def _from_moto_acl(acl: Any, owner: str) -> tuple[Grant, ...]:
    """Return the grants of a moto access control list, without those of the owner, who may do everything.

    Raises StorageError for more grants than S3 takes.
    """
    grants = [
        Grant(grantee.uri or grantee.id, permission)
        for grant in (acl.grants if acl else ())
        for grantee in grant.grantees
        for permission in ([grant.permissions] if isinstance(grant.permissions, str) else grant.permissions)
        if grantee.id not in (models.OWNER, owner)
    ]
    if len(grants) > MAX_GRANTS:
        reason = f"an access control list has at most {MAX_GRANTS} grants besides the owner's, not {len(grants)}"
        raise StorageError("MalformedACLError", reason, "OOS-004")
    return tuple(dict.fromkeys(grants))
