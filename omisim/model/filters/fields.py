"""Find the field that a filter is named for: the filter `image_ids` matches the field `image_id`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, is_dataclass
from functools import cache
from operator import attrgetter
from typing import Any, get_args, get_origin, get_type_hints

__all__ = ["find_path", "is_list", "make_getter"]


def find_path(cls: Any, name: str) -> str | None:
    """Return the path to the field that a filter is named for, or None.

    The filter's name is the field's name or its plural, after the names of the parts that contain it:
    `nic_link_nic_states` is named for `nics.link_nic.state`. Internal fields are excluded.
    """
    field_names = [field.name for field in fields(cls) if field.metadata.get("wire", True)]
    parts = {field: _find_part(_hints(cls)[field]) for field in field_names}
    for field, part in parts.items():
        if part is None and name in (field, _pluralize(field)):
            return field
    for field, part in parts.items():
        for prefix in (f"{field}_", f"{field.removesuffix('s')}_"):
            below = find_path(part, name.removeprefix(prefix)) if part and name.startswith(prefix) else None
            if below:
                return f"{field}.{below}"
    return None


_hints = cache(get_type_hints)


def _find_part(hint: Any) -> Any:
    """Return the dataclass in a field's type, also inside an optional or a tuple. None for plain values."""
    return hint if is_dataclass(hint) else next(filter(None, map(_find_part, get_args(hint))), None)


def _pluralize(name: str) -> str:
    if name.endswith("y") and name[-2] not in "aeiou":
        return f"{name[:-1]}ies"
    return f"{name}es" if name.endswith("s") else f"{name}s"


def make_getter(cls: Any, path: str) -> Callable[[Any], Any]:
    """Return a function that gets the value at a path, or a tuple of values if a field on the path is a tuple.

    A read visits every visible row, so a path without tuples uses the fast `attrgetter`.
    """
    name, _, below = path.partition(".")
    get, hint = attrgetter(name), _hints(cls)[name]
    if not below:
        return get
    part_class = _find_part(hint)
    get_below = make_getter(part_class, below)
    if _is_list(hint) and "." not in below and not is_list(part_class, below):
        return lambda entity: tuple(map(get_below, get(entity) or ()))
    if is_dataclass(hint) and isinstance(get_below, attrgetter):
        return attrgetter(path)

    def value(entity: Any) -> Any:
        part = get(entity)
        return None if part is None else get_below(part)

    def values(entity: Any) -> Any:
        gathered: list[Any] = []
        for part in get(entity) or ():
            several = get_below(part)
            if type(several) is tuple:
                gathered += several
            else:
                gathered.append(several)
        return tuple(gathered)

    return values if _is_list(hint) else value


def is_list(cls: Any, name: str) -> bool:
    """Whether a field holds a tuple of values."""
    return _is_list(_hints(cls)[name])


def _is_list(hint: Any) -> bool:
    return get_origin(hint) is tuple or any(map(_is_list, get_args(hint)))
