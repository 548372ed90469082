"""Parts of botocore that do the same in less time, for omisim's own clients."""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any
from urllib.parse import quote_plus, urlsplit

from botocore.auth import SIGNED_HEADERS_BLACKLIST, SigV4Auth
from botocore.parsers import EC2QueryParser, ResponseParserFactory
from botocore.utils import parse_timestamp

from omisim.clients.intercept.signing import sign_at
from omisim.formats.sigv4 import DATE, sign

__all__ = ["AnswerParsers", "CloudTimeSigner", "FormSigner", "encode_headers", "read_timestamp"]

_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", re.ASCII)  # in answers
_UTC = parse_timestamp("1970-01-01T00:00:00.000Z").tzinfo  # of the class that botocore uses
_ALGORITHM = "AWS4-HMAC-SHA256"
Now = Callable[[], dt.datetime]
_Member = tuple[str, str, Any, Callable[[Any, Any], Any]]  # XML name, name, shape, its parser
_quote = lru_cache(maxsize=1024)(quote_plus)  # the names of parameters and many values repeat
_format_stamp = lru_cache(maxsize=16)(lambda at: at.strftime(DATE))  # the clock stands still between calls


class CloudTimeSigner:
    """A botocore signer that signs at the cloud's time, by which pre-signed URLs expire."""

    def __init__(self, signer: Any, now: Now) -> None:
        self._signer = signer
        self._now = now

    def add_auth(self, request: Any) -> None:
        """Sign a request at the cloud's time."""
        sign_at(self._now, self._signer.add_auth, request)


class FormSigner(SigV4Auth):  # type: ignore[misc]  # botocore has no types
    """botocore's signer for requests of EC2, at the cloud's time. It encodes the form once, and derives a key once."""

    def __init__(self, credentials: Any, service: str, region: str, now: Now) -> None:
        super().__init__(credentials, service, region)
        self._now = now

    def add_auth(self, request: Any) -> None:
        """Sign a request at the cloud's time."""
        if request.data.__class__ is not dict:
            sign_at(self._now, super().add_auth, request)
            return
        request.data = form = "&".join([f"{_quote(name)}={_quote(str(value))}" for name, value in request.data.items()])
        request.context["timestamp"] = at = _format_stamp(self._now())
        self._modify_request_before_signing(request)  # sets the date
        url = urlsplit(request.url)
        headers = {name.lower(): " ".join(value.split()) for name, value in _list_headers(request)}
        headers["host"] = url.netloc
        names = sorted(headers.keys() - SIGNED_HEADERS_BLACKLIST)
        lines, signed = "".join([f"{name}:{headers[name]}\n" for name in names]), ";".join(names)
        query, payload = self.canonical_query_string(request), hashlib.sha256(form.encode()).hexdigest()
        canonical = f"{request.method}\n{url.path or '/'}\n{query}\n{lines}\n{signed}\n{payload}"
        scope = at[:8], self._region_name, self._service_name
        signature = sign(self.credentials.secret_key, _ALGORITHM, at, scope, canonical.encode())
        request.headers["Authorization"] = (
            f"{_ALGORITHM} Credential={self.scope(request)}, SignedHeaders={signed}, Signature={signature}"
        )


def encode_headers(request: Any, **_event: Any) -> None:
    """Encode the headers of a request, which takes botocore four times as long: it does so in an e-mail message."""
    request.headers = {
        name: value.encode() if value.__class__ is str else value for name, value in _list_headers(request)
    }


def _list_headers(request: Any) -> Iterable[tuple[str, Any]]:
    """Return the headers of a request. The `items` of botocore's e-mail message looks for surrogates in each value."""
    headers = request.headers
    items: Iterable[tuple[str, Any]] = getattr(headers, "raw_items", headers.items)()
    return items


class AnswerParsers(ResponseParserFactory):  # type: ignore[misc]  # botocore has no types
    """A factory of parsers: an own one for EC2, which all clients share."""

    def __init__(self) -> None:
        super().__init__()
        self.set_parser_defaults(timestamp_parser=read_timestamp)
        self._ec2 = _Ec2Parser(timestamp_parser=read_timestamp)

    def create_parser(self, protocol_name: str) -> Any:
        """Return the parser of a protocol."""
        return self._ec2 if protocol_name == "ec2" else super().create_parser(protocol_name)


class _Ec2Parser(EC2QueryParser):  # type: ignore[misc]  # botocore has no types
    """botocore's parser of EC2, which finds the XML names of a shape's members once, not in each structure."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self._members: dict[str, list[_Member]] = {}  # by the name of the shape: all clients have one description

    def _handle_structure(self, shape: Any, node: Any) -> dict[str, Any]:
        children = self._build_name_to_xml_node(node)
        members = self._members.get(shape.name)
        if members is None:
            members = self._members[shape.name] = [
                (self._member_key_name(inner, name), name, inner, getattr(self, f"_handle_{inner.type_name}"))
                for name, inner in shape.members.items()
            ]
        return {name: read(inner, children[tag]) for tag, name, inner, read in members if tag in children}

    def _handle_string(self, _shape: Any, node: Any) -> str:
        return node.text or ""

    def _build_name_to_xml_node(self, parent_node: Any) -> dict[str, Any]:
        if parent_node.__class__ is not list:
            children = {child.tag.rpartition("}")[2]: child for child in parent_node}
            if len(children) == len(parent_node):
                return children
        return dict(super()._build_name_to_xml_node(parent_node))


def read_timestamp(value: Any) -> dt.datetime:
    """Return the time of a timestamp as botocore does, which takes 60 times as long for the form of the answers."""
    if value.__class__ is str and _TIMESTAMP.fullmatch(value):
        return dt.datetime.fromisoformat(value[:-1]).replace(tzinfo=_UTC)
    at: dt.datetime = parse_timestamp(value)
    return at
