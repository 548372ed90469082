"""Frozen dataclasses with slots, made and copied fast: every write of a State makes some.

The `__init__` of a frozen dataclass sets each field by a call of `object.__setattr__`, and `dataclasses.replace` looks
at each field too. Here, an object begins as one of a twin class that has the same slots and is not frozen.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import fields, is_dataclass, make_dataclass
from functools import cache
from operator import attrgetter
from typing import Any, TypeVar

__all__ = ["make_constructor", "replace"]

T = TypeVar("T")


@cache
def make_constructor(cls: Hashable) -> Callable[..., Any]:
    """Return a function that makes an instance from the values of all fields, in their order.

    Raises TypeError for a class that is not a dataclass with slots, or that does more than to set its fields.
    """
    if (
        not isinstance(cls, type)
        or not is_dataclass(cls)
        or "__slots__" not in vars(cls)
        or hasattr(cls, "__post_init__")
    ):
        raise TypeError(f"{cls!r} must be a dataclass with slots and without __post_init__")
    names = [field.name for field in fields(cls)]
    twin: Any = make_dataclass(cls.__name__, names, bases=cls.__bases__, slots=True)

    def construct(*values: Any) -> Any:
        instance = twin(*values)
        instance.__class__ = cls
        return instance

    return construct


def replace(instance: T, /, **changes: Any) -> T:
    """Return a copy of a frozen dataclass with slots, with other values of some fields.

    Raises TypeError for another class, and AttributeError for an unknown field.
    """
    get, construct = _get_parts(instance.__class__)  # type: ignore[arg-type]  # for mypy, type[T] may not be hashable
    copy: T = construct(*get(instance))
    for name, value in changes.items():
        object.__setattr__(copy, name, value)
    return copy


@cache
def _get_parts(cls: Hashable) -> tuple[Callable[[Any], tuple[Any, ...]], Callable[..., Any]]:
    """Return the functions that list the values of an instance and that make one."""
    construct = make_constructor(cls)
    names = [field.name for field in fields(cls)]  # type: ignore[arg-type]  # it is a class, by make_constructor
    return (attrgetter(*names) if len(names) > 1 else lambda instance: (getattr(instance, names[0]),)), construct
