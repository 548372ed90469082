"""Parse EC2 query requests: parameters in a form body or a query string, `X.1.Y.2` for lists and structures."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote_plus

from omisim.base.frozen import frozen
from omisim.doors.http import MAX_PARSED, HttpRequest
from omisim.spec.rules import refuse

__all__ = [
    "INDEX", "Query", "Tree", "is_query", "make_reader", "parse_pairs", "parse_query", "query_name", "read_boolean",
    "read_text", "sort_indexes",
]  # fmt: skip

Tree = dict[str, Any]  # parameter → its text, or a Tree of the parameters below it
Read = Callable[[Any, str], Any]  # text or Tree, path → value
MAX_PARAMETERS = 100_000  # of a request: what is beyond them, or beyond MAX_PARSED, is not read
MAX_DEPTH = 12  # parts of a name; the deepest name of EC2 has eight
INDEX = re.compile(r"[0-9]{1,9}")
_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
_FORM = "application/x-www-form-urlencoded"
# the first credential only, in linear time
_SCOPE = re.compile(r"(?>.*?Credential=)[^/,\s]+/\d{8}/[^/,\s]*/(?:ec2|fcu)/", re.DOTALL)
# parameters that belong to the protocol, not to an action
_PROTOCOL = frozenset({"Action", "Version", "AuthParams", "AWSAccessKeyId", "Signature", "SignatureMethod",
                       "SignatureVersion", "Timestamp", "Expires", "SecurityToken"})  # fmt: skip


@frozen(eq=False)  # parsed results are cached, so comparing by identity is enough, and fast
class Query:
    """The parameters of a request, without those of the protocol. `pairs` are names and texts.

    `is_cut` is whether the request has more parameters than are read.
    """

    action: str
    version: str
    pairs: tuple[tuple[str, str], ...]
    signature_version: str
    is_cut: bool

    def make_tree(self) -> Tree:
        """Return the parameters by the parts of their names. Refuses contradictory and too many names (FCU-006)."""
        if self.is_cut:
            raise refuse("FCU-006", parameter=f"beyond the first {MAX_PARAMETERS:,}, or beyond 4 MiB")
        tree: Tree = {}
        for name, text in self.pairs:
            parts = name.split(".", MAX_DEPTH)
            node = tree
            for part in parts[:-1]:
                node = node.setdefault(part, {})
                if node.__class__ is not dict:
                    raise refuse("FCU-006", parameter=name)
            if node.get(parts[-1]).__class__ is dict:
                raise refuse("FCU-006", parameter=name)
            node[parts[-1]] = text
        return tree


def parse_query(query: str, body: bytes) -> Query:
    """Parse the parameters of a query string and of a form body. No input is refused here."""
    text = f"{query}&{body.decode(errors='replace')}" if body else query
    pairs = parse_pairs(text[:MAX_PARSED])
    texts = dict(pairs)
    parameters = tuple(
        [(name, text) for name, text in pairs if name not in _PROTOCOL and not name.startswith("X-Amz-")]
    )
    is_cut = len(text) > MAX_PARSED or text.count("&") >= MAX_PARAMETERS
    return Query(
        texts.get("Action", ""), texts.get("Version", ""), parameters, texts.get("SignatureVersion", ""), is_cut
    )


def parse_pairs(text: str) -> list[tuple[str, str]]:
    """Return the names and values of a form, blank ones too, as `urllib.parse.parse_qsl` does, which takes longer."""
    parts = [part.partition("=") for part in text.split("&", MAX_PARAMETERS)[:MAX_PARAMETERS] if part]
    if "%" not in text and "+" not in text:
        return [(name, value) for name, _, value in parts]
    return [(unquote_plus(name), unquote_plus(value)) for name, _, value in parts]


def is_query(request: HttpRequest) -> bool:
    """Whether a request is an EC2 query: its form or query string has an action and a version, or its scope says so."""
    headers = request.headers
    if _SCOPE.match(headers.get("authorization", "")):
        return True
    is_form = headers.get("content-type", "").partition(";")[0].strip().lower() == _FORM
    query = parse_query(request.query, request.body if is_form else b"")
    return bool(query.action and query.version)


def query_name(shape: Any, member: str) -> str:
    """Return the name of a member in a query string. For most members it is the capitalized name in XML."""
    serialization = shape.serialization
    if "queryName" in serialization:
        return str(serialization["queryName"])
    name: str = serialization.get("name") or member
    return name[0].upper() + name[1:]


def make_reader(shape: Any) -> Read:
    """Return the function that reads a parameter of a shape: lists as lists, structures by their names in a query."""
    kind = shape.type_name
    if kind == "list":
        return _make_list_reader(shape.member)
    if kind == "structure":
        return _make_structure_reader(shape)
    return _SCALARS.get(kind, read_text)


def _make_list_reader(member: Any) -> Read:
    read_item = make_reader(member)
    is_plain = member.type_name not in ("structure", "list")

    def read(node: Any, path: str) -> Any:
        if node.__class__ is not dict:
            if node == "":
                return []
            if is_plain:  # the only value of a list may come without an index
                return [read_item(node, path)]
            raise refuse("FCU-006", parameter=path)
        return [read_item(node[index], f"{path}.{index}") for index in sort_indexes(node, path)]

    return read


def sort_indexes(node: Tree, path: str) -> list[str]:
    """Return the indexes of a list in their order. Gaps are allowed (FCU-006)."""
    for index in node:
        if not INDEX.fullmatch(index):
            raise refuse("FCU-006", parameter=f"{path}.{index}")
    return sorted(node, key=int)


def _make_structure_reader(shape: Any) -> Read:
    members: dict[str, Any] = {query_name(member, key): member for key, member in shape.members.items()}
    readers: dict[str, Read] = {}

    def read(node: Any, path: str) -> Any:
        if node.__class__ is not dict:
            raise refuse("FCU-006", parameter=path)
        values = {}
        for name, inner in node.items():
            below = f"{path}.{name}"
            if name not in members:
                raise refuse("FCU-006", parameter=below)
            if name not in readers:
                readers[name] = make_reader(members[name])
            values[name] = readers[name](inner, below)
        return values

    return read


def read_text(node: Any, path: str) -> str:
    """Return a text. Refuses a list or a structure (FCU-006/text)."""
    if node.__class__ is dict:
        raise refuse("FCU-006/text", parameter=path)
    text: str = node
    return text


def _read_integer(node: Any, path: str) -> int:
    text = read_text(node, path)
    if not _INTEGER.fullmatch(text):
        raise refuse("FCU-006/type", parameter=path, value=text, expected="an integer")
    return int(text)


def read_boolean(node: Any, path: str) -> bool:
    """Return a boolean, written in any capitals. Refuses any other text (FCU-006/type)."""
    text = read_text(node, path).lower()
    if text not in ("true", "false"):
        raise refuse("FCU-006/type", parameter=path, value=text, expected="true or false")
    return text == "true"


_SCALARS: Mapping[str, Read] = {"boolean": read_boolean, "integer": _read_integer, "long": _read_integer}
