"""FCU at an endpoint: EC2 query requests, signed by the standard library, and their XML answers as JSON data."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlencode

from omisim.base.foreign import parse_xml
from omisim.formats.sigv4 import DATE, canonical_query, sign
from omisim.probe.connection import THROTTLED, Answer, Connection, Unreachable, repeat_throttled
from omisim.probe.endpoint import AWS4, Endpoint, parse_endpoint
from omisim.probe.matching import read_path

__all__ = ["CREATIONS", "Fcu", "is_creation", "is_unrecorded", "list_created"]

VERSION = "2016-11-15"
_NAMESPACE = re.compile(rb"<[^?!<>][^<>]*?\bxmlns=\"([^\"]*)\"")
_CREATES = re.compile("(?:Allocate|Copy|Create(?!Tags|Route$)|Import|Purchase|Register|Request|Run)")
FORM = "application/x-www-form-urlencoded"
# action that creates → the path of the id in its answer. Not those that create parts besides, whose ids no answer names
CREATIONS = {
    "AllocateAddress": "allocationId", "CreateKeyPair": "keyPairId", "CreateSecurityGroup": "groupId",
    "CreateSnapshot": "snapshotId", "CreateVolume": "volumeId", "CreateVpc": "vpc.vpcId",
    "RegisterImage": "imageId",
    "CreateSubnet": "subnet.subnetId", "CreateNetworkInterface": "networkInterface.networkInterfaceId",
    "CreateRouteTable": "routeTable.routeTableId", "CreateInternetGateway": "internetGateway.internetGatewayId",
}  # fmt: skip


class Fcu:
    """FCU under a base URL, as the account of an endpoint."""

    def __init__(self, api: Endpoint, url: str) -> None:
        self._api = api
        parts = parse_endpoint("--fcu", url)
        self._path = parts.path or "/"
        self.connection: Connection = Connection(parts, now=api.now, timeout=api.timeout)

    def call(self, action: str, parameters: Mapping[str, Any], options: Mapping[str, str]) -> Answer:
        """Make a call. Lists and tables in `parameters` become `Name.1` and `Name.Member`.

        `options` change the request: `method`, `version`, `scope` (the service that the signature names), `hours` (by
        which the date is off), `secret` and `expires` (seconds: the request is pre-signed). Raises Unreachable if no
        XML comes back.
        """
        pairs = [("Action", action), ("Version", options.get("version", VERSION)), *_flatten("", parameters)]
        return repeat_throttled(lambda: self._send_once(action, pairs, options), self._api.sleep)

    def _send_once(self, action: str, pairs: list[tuple[str, str]], options: Mapping[str, str]) -> Answer:
        target, body, headers = self._sign(pairs, options)
        method = options.get("method", "POST")
        repeat = action.startswith("Describe")
        response = self.connection.send(action, method, target, body, headers, repeat=repeat)
        try:
            answer = parse_xml(response.content)
        except ValueError as error:
            if response.status in THROTTLED:  # the answer of a proxy
                return Answer(response.status, {}, response.headers)
            raise Unreachable(f"{action}: the answer ({response.status}) is not XML: {error}") from None
        name, value = next(iter(answer.items()))
        namespace = _NAMESPACE.search(response.content)
        body_data = {"_name": name, "_namespace": namespace[1].decode() if namespace else "", **_read_body(value)}
        return Answer(response.status, body_data, response.headers)

    def _sign(self, pairs: list[tuple[str, str]], options: Mapping[str, str]) -> tuple[str, bytes, dict[str, str]]:
        """Return the target, the body and the headers of a signed request."""
        at = self._api.shift_now(options).strftime(DATE)
        scope = (at[:8], self._api.region, options.get("scope", "ec2"))
        secret = options.get("secret", self._api.keys.secret_key)
        credential = "/".join((self._api.keys.access_key, *scope, "aws4_request"))
        host, method = self.connection.host, options.get("method", "POST")
        if "expires" in options:
            signed = {"X-Amz-Algorithm": AWS4, "X-Amz-Credential": credential, "X-Amz-Date": at}
            signed |= {"X-Amz-Expires": options["expires"], "X-Amz-SignedHeaders": "host"}
            query = canonical_query([*pairs, *signed.items()])
            digest = hashlib.sha256(b"").hexdigest()
            canonical = f"{method}\n{self._path}\n{query}\nhost:{host}\n\nhost\n{digest}".encode()
            signature = sign(secret, AWS4, at, scope, canonical)
            return f"{quote(self._path)}?{query}&X-Amz-Signature={signature}", b"", {"Host": host}
        body = urlencode(pairs).encode()
        names = "content-type;host;x-amz-date"
        lines = f"content-type:{FORM}\nhost:{host}\nx-amz-date:{at}\n"
        canonical = f"{method}\n{self._path}\n\n{lines}\n{names}\n{hashlib.sha256(body).hexdigest()}".encode()
        signature = sign(secret, AWS4, at, scope, canonical)
        text = f"{AWS4} Credential={credential}, SignedHeaders={names}, Signature={signature}"
        headers = {"Host": host, "Content-Type": FORM, "X-Amz-Date": at, "Authorization": text}
        return self._path, body, headers


def is_unrecorded(action: str) -> bool:
    """Whether an action may create what could not be deleted again."""
    return is_creation(action) and action not in CREATIONS


def is_creation(action: str) -> bool:
    """Whether an action of FCU or OAPI creates something, by its name."""
    return _CREATES.match(action) is not None


def list_created(action: str, answer: Any) -> list[str]:
    """Return the ids of what a call of FCU has created."""
    if action not in CREATIONS:
        return []
    try:
        return [str(read_path(answer, CREATIONS[action]))]
    except KeyError:
        return []


def _flatten(name: str, value: Any) -> Iterator[tuple[str, str]]:
    """Yield the parameters of a nested value, as EC2 writes them."""
    if isinstance(value, Mapping):
        for part, inner in value.items():
            yield from _flatten(f"{name}.{part}" if name else part, inner)
    elif isinstance(value, list):
        for number, inner in enumerate(value, 1):
            yield from _flatten(f"{name}.{number}", inner)
    else:
        yield name, str(value).lower() if isinstance(value, bool) else str(value)


def _read_body(value: Any) -> Mapping[str, Any]:
    """Return an answer with its errors in the form of the OUTSCALE API."""
    errors = value.get("Errors") if isinstance(value, dict) else None
    if errors is not None:
        error = errors.get("Error", {}) if isinstance(errors, dict) else {}
        return {"Errors": [{"Code": error.get("Code", "none"), "Details": error.get("Message", "")}]}
    return value if isinstance(value, dict) else {}
