"""The body of a request: decoded from the chunks in which SDKs send it, and compared with its digests."""

from __future__ import annotations

import base64
import hashlib
import re
import zlib
from collections.abc import Callable, Mapping
from xml.parsers.expat import ExpatError, ParserCreate

from omisim.base.foreign import MAX_DEPTH
from omisim.doors.http import MAX_PARSED, HttpRequest
from omisim.state.buckets import StorageError

__all__ = ["read_body"]

MAX_OVERHEAD, MAX_TRAILERS = 2**20, 2**12  # bytes around the content in chunks, and after it: SDKs send far fewer
_CHUNK = re.compile(rb"([0-9a-fA-F]{1,12})(?:;[^\r\n]*)?\r\n")  # its size and, in one of many forms, a signature
# header → the digest of a body. Python has no CRC32C and no CRC64NVME, which are not compared
_DIGESTS: Mapping[str, Callable[[bytes], bytes]] = {
    "content-md5": lambda body: hashlib.md5(body, usedforsecurity=False).digest(),
    "x-amz-checksum-crc32": lambda body: zlib.crc32(body).to_bytes(4, "big"),
    "x-amz-checksum-sha1": lambda body: hashlib.sha1(body, usedforsecurity=False).digest(),
    "x-amz-checksum-sha256": lambda body: hashlib.sha256(body).digest(),
}
_OF_OBJECT = "CompleteMultipartUpload"  # its checksum is that of the whole object
_IN_XML = (_OF_OBJECT, "DeleteObjects", "PutBucketAcl", "PutObjectAcl")


def read_body(request: HttpRequest, operation: str) -> tuple[bytes, dict[str, str]]:
    """Return the body of a request as it is without chunks, and the headers to go with it.

    Raises StorageError for a body that is not as long as announced, or does not have the digest that the client sends.
    """
    body, headers = request.body, dict(request.headers)
    if headers.pop("x-amz-content-sha256", "").startswith("STREAMING-"):
        body, trailers = _decode(body)
        if headers.pop("x-amz-decoded-content-length", str(len(body))) != str(len(body)):
            raise StorageError("IncompleteBody", "x-amz-decoded-content-length is not the length of the body")
        headers |= trailers
    for name, digest in _DIGESTS.items() if operation != _OF_OBJECT else ():
        if name in headers and headers[name] != base64.b64encode(digest(body)).decode():
            raise StorageError("BadDigest", f"{name} is not the digest of the body")
    if operation in _IN_XML and (body or not operation.endswith("Acl")):  # a list may be in the headers
        _check_xml(body)
    return body, headers


def _check_xml(body: bytes) -> None:
    """Refuse a body that is not XML, takes long to read, or has entities of its own, which could expand endlessly."""
    if len(body) > MAX_PARSED:
        raise StorageError("MaxMessageLengthExceeded", f"the XML of a body must have {MAX_PARSED} bytes or less")
    depth = 0

    def enter(*_element: object) -> None:
        nonlocal depth
        depth += 1
        if depth > MAX_DEPTH:
            raise StorageError("MalformedXML", f"the body is nested more than {MAX_DEPTH} levels deep")

    def leave(*_element: object) -> None:
        nonlocal depth
        depth -= 1

    parser = ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler = enter, leave
    parser.StartDoctypeDeclHandler = _refuse_doctype
    try:
        parser.Parse(body, True)
    except ExpatError as error:
        raise StorageError("MalformedXML", f"the body is not XML: {error}") from None


def _refuse_doctype(*_declaration: object) -> None:
    raise StorageError("MalformedXML", "the body must not have a document type")


def _decode(body: bytes) -> tuple[bytes, dict[str, str]]:
    """Return the content of a body in chunks, and the headers after them."""
    content, at = bytearray(), 0
    while (chunk := _CHUNK.match(body, at)) is not None:
        size, start = int(chunk[1], 16), chunk.end()
        if size == 0:
            if len(body) - start > MAX_TRAILERS:
                break
            pairs = (line.partition(":") for line in body[start:].decode("latin-1").splitlines())
            return bytes(content), {name.lower(): value.strip() for name, _, value in pairs if name}
        at = start + size + 2
        if body[at - 2 : at] != b"\r\n" or start - len(content) > MAX_OVERHEAD:
            break
        content += body[start : at - 2]
    raise StorageError(
        "IncompleteBody", "the body ends in a chunk, has one of another length than it says, or too many"
    )
