"""Compare two answers: their fields and types, their values, and the items of their lists."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from omisim.base.texts import iter_texts

__all__ = [
    "ID", "ID_INSIDE", "REDACTED", "compare_trees", "compare_values", "find_ids", "is_identity", "make_tree",
    "pair_items", "sort_key",
]  # fmt: skip

# of bounded words, so that a long text takes linear time
ID = re.compile(r"[a-z]{1,16}(?:-[a-z]{1,16}){0,2}-(?:[0-9a-f]{32}|[0-9a-f]{8})|[0-9]{12}|[0-9A-Z]{20}")
ID_INSIDE = re.compile(rf"(?<![\w-])(?:{ID.pattern})(?![\w-])")  # as in a file location: 123456789012/golden
REDACTED = re.compile(r"<?(?:redacted|REDACTED)[-_ ]?(?P<number>\d*)>?|\*{3,}")
_TYPES = {dict: "object", list: "list", str: "string", bool: "boolean", int: "integer", float: "number"}
# texts that differ between clouds: those with an id, a date or an address inside, URLs and fingerprints
_VARYING = re.compile(rf".*(?:{ID.pattern}|\d{{4}}-\d\d-\d\d|\d\.\d+\.\d+\.\d|://|([0-9a-f]{{2}}:){{5}}).*", re.DOTALL)
_OWN_FIELDS = (
    "AdminPassword",
    "CustomerId",
    "ConsoleOutput",
    "Details",
    "NextPageToken",
    "PrivateKey",
    "RequestId",
    "SecretKey",
)


def compare_values(then: Any, now: Any, path: str = "") -> Iterator[str]:
    """Yield a line for each value that differs, apart from ids, dates, addresses, redactions and secrets."""
    if isinstance(then, dict) and isinstance(now, dict):
        for name in filter(now.__contains__, then):
            if name not in _OWN_FIELDS:
                yield from compare_values(then[name], now[name], f"{path}.{name}".lstrip("."))
    elif isinstance(then, list) and isinstance(now, list):
        pairs = zip(then, now, strict=True) if len(then) == len(now) else ()  # another length is a divergence by itself
        for number, (one, other) in enumerate(pairs):
            yield from compare_values(one, other, f"{path}[{number}]")
    elif type(then) is type(now) and then != now and not (isinstance(then, str) and _is_varying(then, now)):
        yield f"{path}: {json.dumps(then)} was recorded, here it is {json.dumps(now)}"


def _is_varying(then: str, now: str) -> bool:
    return any(REDACTED.fullmatch(text) or _VARYING.fullmatch(text) for text in (then, now))


def pair_items(then: list[Any], now: list[Any], known: Mapping[str, str]) -> list[tuple[Any, Any]]:
    """Return the items of two lists in pairs: those that share a known id, at any depth, and the others in order.

    Lists of the same length are paired by position.
    """
    if len(then) == len(now):
        return list(zip(then, now, strict=True))
    left = list(now)
    pairs = []
    for one in then:
        ids = {known[row_id] for row_id in find_ids(one) if row_id in known}
        other = next((item for item in left if ids.intersection(find_ids(item))), None)
        if other is not None:
            left.remove(other)
            pairs.append((one, other))
    return pairs


def find_ids(value: Any) -> Iterator[str]:
    """Yield the ids and the numbered redactions in a value, at any depth."""
    return filter(is_identity, iter_texts(value))


def is_identity(text: str) -> bool:
    """Whether a text is an id, or a redaction with a number, which stands for one value throughout a recording."""
    redacted = REDACTED.fullmatch(text)
    return bool(ID.fullmatch(text) or (redacted and redacted["number"]))


def sort_key(items: list[Any]) -> list[str]:
    """Return the items of a list as sorted texts, to compare lists without their order."""
    return sorted(json.dumps(item, sort_keys=True) for item in items)


def make_tree(value: Any, path: str = "") -> dict[str, set[str]]:
    """Return the JSON types by path; `[]` in a path stands for all items of a list."""
    tree = {path: {_TYPES.get(type(value), "null")}}
    inner: Iterable[tuple[str, Any]] = ()
    if isinstance(value, dict):
        inner = ((f"{path}.{name}".lstrip("."), item) for name, item in value.items())
    elif isinstance(value, list):
        inner = ((f"{path}[]", item) for item in value)
    for below, item in inner:
        for at, types in make_tree(item, below).items():
            tree.setdefault(at, set()).update(types)
    return tree


def compare_trees(then: Mapping[str, set[str]], now: Mapping[str, set[str]]) -> Iterator[str]:
    """Yield the differences between two trees in fields and types; the items of an empty list are unknown."""
    for path in sorted(then.keys() | now.keys()):
        if path in then and path in now:
            if then[path] != now[path]:
                yield f"{path}: {_join_types(then[path])} was recorded, here it is {_join_types(now[path])}"
        elif _get_parent(path) in then and _get_parent(path) in now:
            types, where = (
                (then[path], "was recorded and is not here")
                if path in then
                else (now[path], "is here and was not recorded")
            )
            if not path.endswith("[]"):
                yield f"{path}: ({_join_types(types)}) {where}"


def _get_parent(path: str) -> str:
    return path.removesuffix("[]") if path.endswith("[]") else path.rpartition(".")[0]


def _join_types(types: set[str]) -> str:
    return " or ".join(sorted(types))
