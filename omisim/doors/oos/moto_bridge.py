"""The rows that one request is about, laid out as moto's S3 knows them, and what moto made of them written back.

Nothing of moto outlives the request: State is the truth, so savepoints, forks and dumps need to know nothing of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from moto.s3 import models
from requests.structures import CaseInsensitiveDict

from omisim.doors.http import HttpResponse
from omisim.doors.oos.backend import call_moto, use_backend
from omisim.model import Bucket, Grant, StoredObject, Upload, UploadPart
from omisim.model.ids import derive_hex
from omisim.state.buckets import Place
from omisim.state.transaction import Transaction

__all__ = ["MotoBridge", "StorageRequest"]

_ALL_KEYS = ("ListObjects", "DeleteBucket", "DeleteObjects")


class StorageRequest(NamedTuple):
    """What of State a request is about."""

    operation: str
    place: Place
    caller: str
    source: Place | None
    upload_id: str


class MotoBridge:
    """One back end of moto for one request."""

    def __init__(self, tx: Transaction, wanted: StorageRequest) -> None:
        self._tx = tx
        self._state = tx.state
        self._wanted = wanted
        self._keys: dict[str, Any] = {}  # object id → moto's key, as laid out
        self._uploads: dict[str, Any] = {}

    def ask(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> HttpResponse:
        """Let moto answer, and keep what it did."""
        with use_backend(self._tx.at) as backend:
            try:
                self._lay_out(backend)
                response = call_moto(method, url, headers, body)
                return self._kept(backend, response, headers)
            finally:
                for bucket in backend.buckets.values():
                    for upload in bucket.multiparts.values():
                        upload.dispose()
                    for key in list(bucket.keys):
                        bucket.keys.pop(key)
                for key in self._keys.values():
                    key.dispose()

    # --- from State to moto

    def _lay_out(self, backend: Any) -> None:
        place = self._wanted.place
        spots = [spot for spot in dict.fromkeys((place, self._wanted.source)) if spot is not None]
        named = {spot.bucket_id for spot in spots}
        for bucket in self._state.rows("bucket").values():
            if bucket.bucket_id in named if place.bucket else self._is_own(bucket):
                self._bucket(backend, bucket)
        if self._wanted.operation in _ALL_KEYS:
            for item in self._state.find_by("object", "bucket", place.bucket_id):
                self._key(backend, item, whole=False)
        for item in (self._state.get("object", spot.object_id) for spot in spots):
            if item is not None:
                self._key(backend, item, whole=True)
        for upload in self._state.find_by("upload", "bucket", place.bucket_id):
            self._upload(backend, upload)

    def _is_own(self, bucket: Bucket) -> bool:
        return bucket.account_id == self._wanted.caller and bucket.region == self._wanted.place.region

    def _bucket(self, backend: Any, row: Bucket) -> None:
        bucket = models.FakeBucket(row.name, row.account_id, row.region)
        bucket.creation_date = row.creation_date
        bucket.acl = _acl(row.grants)
        backend.buckets[row.name] = bucket

    def _key(self, backend: Any, row: StoredObject, *, whole: bool) -> None:
        bucket = backend.buckets[row.bucket_id.partition("/")[2]]
        key = models.FakeKey(
            name=row.name,
            value=row.body if whole else b"",
            account_id=row.account_id,
            region_name=bucket.region_name,
            etag=row.etag,
            bucket_name=bucket.name,
        )
        key.contentsize = len(row.body)
        key.last_modified = row.last_modified.replace(tzinfo=None)
        key.acl = _acl(row.grants)
        key.set_metadata(dict(row.metadata))
        if row.checksum:
            key.checksum_algorithm, key.checksum_value, key.checksum_type, parts = row.checksum
            key.checksum_parts = int(parts) if parts else None
        bucket.keys[row.name] = key
        self._keys[row.object_id] = key

    def _upload(self, backend: Any, row: Upload) -> None:
        bucket = backend.buckets[self._wanted.place.bucket]
        metadata = CaseInsensitiveDict(row.metadata)
        upload = models.FakeMultipart(row.name, metadata, row.account_id, bucket.region_name, acl=_acl(row.grants))
        upload.id = row.upload_id
        if row.upload_id == self._wanted.upload_id:
            for part in row.parts:
                upload.set_part(part.number, part.body)
        bucket.multiparts[row.upload_id] = upload
        self._uploads[row.upload_id] = upload

    # --- from moto to State

    def _kept(self, backend: Any, response: HttpResponse, headers: Mapping[str, str]) -> HttpResponse:
        place = self._wanted.place
        if response.status >= 400:  # noqa: PLR2004 - refused: nothing has changed
            return response
        bucket = backend.buckets.get(place.bucket)
        row: Any = self._state.get("bucket", place.bucket_id)
        if self._wanted.operation in ("CreateBucket", "PutBucketAcl", "DeleteBucket"):
            self._keep_bucket(bucket, row)
        elif bucket is not None:
            self._keep_keys(bucket, headers)
            return self._keep_uploads(bucket, response)
        return response

    def _keep_bucket(self, bucket: Any, row: Any) -> None:
        place: Place = self._wanted.place
        if bucket is None:
            self._tx.write("bucket", place.bucket_id, None)
            return
        made = Bucket(
            account_id=row.account_id if row else self._wanted.caller,
            bucket_id=place.bucket_id,
            creation_date=row.creation_date if row else self._tx.at,
            grants=_grants(bucket.acl),
            name=place.bucket,
            region=place.region,
        )
        if made != row:
            self._tx.write("bucket", place.bucket_id, made)

    def _keep_keys(self, bucket: Any, headers: Mapping[str, str]) -> None:
        place = self._wanted.place
        said = any(name == "x-amz-acl" or name.startswith("x-amz-grant-") for name in headers)
        for name in bucket.keys:
            key: Any = bucket.keys[name]
            object_id = f"{place.bucket_id}/{name}"
            fresh = key is not self._keys.get(object_id)
            if fresh:
                grants = _grants(key.acl) if said or self._wanted.operation == "CompleteMultipartUpload" else ()
                self._tx.write("object", object_id, self._object(key, object_id, grants))
                if self._state.get("origin", object_id) is not None:
                    self._tx.write("origin", object_id, None)  # it is no longer what an export wrote
            elif self._wanted.operation == "PutObjectAcl":
                row: StoredObject = self._state.get("object", object_id)
                self._tx.write("object", object_id, replace(row, grants=_grants(key.acl)))
        prefix = f"{place.bucket_id}/"
        for object_id in self._keys:
            if object_id.startswith(prefix) and object_id.removeprefix(prefix) not in bucket.keys:
                self._tx.write("object", object_id, None)

    def _object(self, key: Any, object_id: str, grants: tuple[Grant, ...]) -> StoredObject:
        checksum = (key.checksum_algorithm, key.checksum_value, key.checksum_type or "", str(key.checksum_parts or ""))
        return StoredObject(
            account_id=self._wanted.caller or self._state.get("bucket", self._wanted.place.bucket_id).account_id,
            body=key.value,
            bucket_id=self._wanted.place.bucket_id,
            checksum=checksum if key.checksum_algorithm and key.checksum_value else (),
            etag=key.etag.strip('"'),
            grants=grants,
            last_modified=self._tx.at,
            metadata=tuple(sorted((str(name), str(value)) for name, value in key.metadata.items())),
            name=key.name,
            object_id=object_id,
        )

    def _keep_uploads(self, bucket: Any, response: HttpResponse) -> HttpResponse:
        for upload_id in self._uploads:
            if upload_id not in bucket.multiparts:
                self._tx.write("upload", upload_id, None)
        for upload_id, upload in list(bucket.multiparts.items()):
            known: Upload | None = self._state.get("upload", upload_id)
            if known is None:
                number = self._tx.next_number("upload")
                new_id = derive_hex(self._tx.settings.seed, number, "upload")[:32]
                self._tx.write("upload", new_id, self._uploaded(upload, new_id))
                body = response.body.replace(upload_id.encode(), new_id.encode())
                return HttpResponse(response.status, body, response.headers)
            if upload_id == self._wanted.upload_id and self._wanted.operation == "UploadPart":
                self._tx.write("upload", upload_id, self._uploaded(upload, upload_id))
        return response

    def _uploaded(self, upload: Any, upload_id: str) -> Upload:
        parts = (UploadPart(number, part.value, part.etag.strip('"')) for number, part in sorted(upload.parts.items()))
        return Upload(
            account_id=self._wanted.caller,
            bucket_id=self._wanted.place.bucket_id,
            grants=_grants(upload.acl),
            metadata=tuple(sorted((str(name), str(value)) for name, value in upload.metadata.items())),
            name=upload.key_name,
            parts=tuple(parts),
            upload_id=upload_id,
        )


def _acl(grants: tuple[Grant, ...]) -> Any:
    """Return grants as moto's list, in which the owner has everything."""
    acl = models.get_canned_acl("private")
    for grant in grants:
        group = grant.grantee.startswith("http")
        grantee = models.FakeGrantee(**({"uri": grant.grantee} if group else {"grantee_id": grant.grantee}))
        acl.grants.append(models.FakeGrant([grantee], [grant.permission]))
    return acl


def _grants(acl: Any) -> tuple[Grant, ...]:
    """Return moto's list as grants, the owner's left out."""
    found = [
        Grant(grantee.uri or grantee.id, permission)
        for grant in (acl.grants if acl else ())
        for grantee in grant.grantees
        for permission in ([grant.permissions] if isinstance(grant.permissions, str) else grant.permissions)
        if grantee.id != models.OWNER
    ]
    return tuple(dict.fromkeys(found))
