"""Object storage at an endpoint: S3 requests, signed by the standard library, and their XML answers as JSON data."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import quote, urlsplit

from omisim.base.foreign import parse_json, parse_xml
from omisim.formats.disk_image import BadImage, decode, encode
from omisim.formats.sigv4 import DATE, canonical_query, sign
from omisim.model import Content
from omisim.probe.connection import Answer, Connection, Unreachable, repeat_throttled
from omisim.probe.endpoint import AWS4, Endpoint, parse_endpoint

__all__ = ["Storage"]

PRESIGN = "URL"  # the action that makes a pre-signed URL, without a request
FILE = ("/probe", "written by omisim probe")  # on the disk of an image
UNSIGNED = "UNSIGNED-PAYLOAD"
GZIP = b"\x1f\x8b"
MAX_BODY = 2**22  # bytes of an answer that are kept


class Storage:
    """Object storage under a base URL, as the account of an endpoint."""

    def __init__(self, api: Endpoint, url: str) -> None:
        self._api = api
        parts = parse_endpoint("--oos", url)
        self._scheme, self._base = parts.scheme, parts.path.rstrip("/")
        self.connection: Connection = Connection(parts, now=api.now, timeout=api.timeout)

    def call(self, action: str, parameters: Mapping[str, Any], options: Mapping[str, str]) -> Answer:
        """Make a request. `action` is its method, or "URL", which returns a pre-signed one and sends nothing.

        `parameters` are `Path` (`/bucket/key`), `Query`, `Headers`, and the body: `Body` (text), `Json` (data) or
        `Disk` (the format of a disk image of 1 GiB, with a file). `Url`, a pre-signed one of this storage, replaces
        the signature and, for all but the record of what is stored, `Path`. For "URL" they are `Path`, `Method` and
        `Seconds`.
        `options` change the signature: `hours`, `key`, `secret`, `scope` (the Region) and `sign` = "no".
        Raises Unreachable.
        """
        if action == PRESIGN:
            return Answer(200, {"Url": self._presign(parameters, options)})
        return repeat_throttled(lambda: self._send_once(action, parameters, options), self._api.sleep)

    def _send_once(self, method: str, parameters: Mapping[str, Any], options: Mapping[str, str]) -> Answer:
        body = _make_body(parameters)
        headers = {"Host": self.connection.host, **parameters.get("Headers", {})}
        if "Url" in parameters:
            parts = urlsplit(parameters["Url"])
            if parts.netloc != self.connection.host:
                raise Unreachable(f"{parts.netloc} is not the host of this object storage")
            target = f"{parts.path}?{parts.query}"
        else:
            path, query = self._quote(parameters["Path"]), canonical_query(parameters.get("Query", {}).items())
            target = f"{path}?{query}" if query else path
            if options.get("sign") != "no":
                headers |= self._sign(method, path, query, headers, body, options)
        response = self.connection.send(method, method, target, body, headers, repeat=method in ("GET", "HEAD"))
        return Answer(response.status, _read_body(response.content, parameters), response.headers)

    def _quote(self, path: str) -> str:
        return quote(f"{self._base}{path}", safe="/-_.~")

    def _sign(
        self, method: str, path: str, query: str, sent: Mapping[str, str], body: bytes, options: Mapping[str, str]
    ) -> dict[str, str]:
        at, scope, credential = self._start_signature(options)
        digest = hashlib.sha256(body).hexdigest()
        signed = {name.lower(): value for name, value in sent.items()}
        signed |= {"x-amz-content-sha256": digest, "x-amz-date": at}
        names = ";".join(sorted(signed))
        lines = "".join(f"{name}:{signed[name]}\n" for name in sorted(signed))
        canonical = f"{method}\n{path}\n{query}\n{lines}\n{names}\n{digest}".encode()
        signature = sign(options.get("secret", self._api.keys.secret_key), AWS4, at, scope, canonical)
        text = f"{AWS4} Credential={credential}, SignedHeaders={names}, Signature={signature}"
        return {"x-amz-content-sha256": digest, "x-amz-date": at, "Authorization": text}

    def _presign(self, parameters: Mapping[str, Any], options: Mapping[str, str]) -> str:
        at, scope, credential = self._start_signature(options)
        path, method = self._quote(parameters["Path"]), parameters.get("Method", "GET")
        values = {"X-Amz-Algorithm": AWS4, "X-Amz-Credential": credential, "X-Amz-Date": at}
        values |= {"X-Amz-Expires": str(parameters.get("Seconds", 3600)), "X-Amz-SignedHeaders": "host"}
        query, host = canonical_query(values.items()), self.connection.host
        canonical = f"{method}\n{path}\n{query}\nhost:{host}\n\nhost\n{UNSIGNED}".encode()
        signature = sign(options.get("secret", self._api.keys.secret_key), AWS4, at, scope, canonical)
        return f"{self._scheme}://{host}{path}?{query}&X-Amz-Signature={signature}"

    def _start_signature(self, options: Mapping[str, str]) -> tuple[str, tuple[str, str, str], str]:
        """Return the date, the scope and the credential of a signature."""
        at = self._api.shift_now(options).strftime(DATE)
        scope = (at[:8], options.get("scope", self._api.region), "s3")
        return at, scope, "/".join((options.get("key", self._api.keys.access_key), *scope, "aws4_request"))


def _make_body(parameters: Mapping[str, Any]) -> bytes:
    if "Disk" in parameters:
        return encode(Content(1, (FILE,)), 1, parameters["Disk"])
    if "Json" in parameters:
        return json.dumps(parameters["Json"]).encode()
    return str(parameters.get("Body", "")).encode()


def _read_body(content: bytes, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return a body as JSON data: XML by its elements, JSON below `Json`, any other text below `Text`.

    A compressed disk image is `Disk`: the text of the file that the probe writes on disks, or "".
    """
    bucket, _, key = str(parameters.get("Path", "")).removeprefix("/").partition("/")
    body: dict[str, Any] = {"Bucket": bucket, "Key": key, "Length": len(content)}
    text = content[:MAX_BODY]
    if content.startswith(GZIP):
        with suppress(BadImage):
            return body | {"Disk": dict(decode(content)[1].files).get(FILE[0], "")}
    if text.lstrip().startswith(b"<"):
        try:
            name, value = next(iter(parse_xml(text).items()))
        except ValueError:
            return body | {"Text": text.decode(errors="replace")}
        if name == "Error" and isinstance(value, dict):
            return {"Errors": [{"Code": value.get("Code", "none"), "Details": value.get("Message", "")}]}
        return body | {name: value}
    try:
        return body | {"Json": parse_json(text)}
    except ValueError:
        return body | {"Text": text.decode(errors="replace")}
