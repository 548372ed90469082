"""`frozen`: the decorator of immutable dataclasses with slots, which are quick to declare, to make and to copy.

`dataclass(frozen=True)` compiles six methods of each class, which took more than half of an import of omisim, and its
`__init__` sets each field by a call of `object.__setattr__`. Here, the classes share all methods except `__new__`. A
new object, and the copy by `replace`, belongs to a twin class with the same slots, which is not frozen, until it is
complete.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import MISSING, Field, FrozenInstanceError, dataclass, field, fields
from functools import cache
from operator import attrgetter
from typing import Any, NoReturn, TypeVar, dataclass_transform

__all__ = ["Frozen", "frozen", "is_frozen", "replace"]

T = TypeVar("T")


class Frozen:
    """The methods that all frozen dataclasses have: their fields cannot be set, and they can be printed and pickled."""

    __slots__ = ()

    def __repr__(self) -> str:
        """Return the class with the values of the fields."""
        shown = ", ".join(f"{one.name}={getattr(self, one.name)!r}" for one in _list_fields(self) if one.repr)
        return f"{self.__class__.__qualname__}({shown})"

    def __setattr__(self, name: str, value: object) -> NoReturn:
        """Raise FrozenInstanceError."""
        raise FrozenInstanceError(f"cannot assign to field {name!r}")

    def __delattr__(self, name: str) -> NoReturn:
        """Raise FrozenInstanceError."""
        raise FrozenInstanceError(f"cannot delete field {name!r}")

    def __reduce__(self) -> tuple[Any, ...]:
        """Return how to make an equal instance."""
        return _restore, (self.__class__, {one.name: getattr(self, one.name) for one in _list_fields(self)})


def _list_fields(instance: Any) -> tuple[Field[Any], ...]:
    """Return the fields of a dataclass, as mypy cannot know that `Frozen` is one."""
    return fields(instance)


_SHARED = {name: vars(Frozen)[name] for name in ("__repr__", "__setattr__", "__delattr__", "__reduce__")}


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def frozen(*, kw_only: bool = False, eq: bool = True) -> Callable[[type[T]], type[T]]:
    """Return a decorator that makes a frozen dataclass with slots.

    `kw_only` is whether its fields are given by name only, and `eq` whether instances are equal by their values instead
    of by identity. Methods that the class defines stay. Raises TypeError for a class with __post_init__.
    """

    def decorate(plain: type[T]) -> type[T]:
        if hasattr(plain, "__post_init__"):
            raise TypeError(f"{plain.__name__} must not have __post_init__: it would never be called")
        cls: Any = dataclass(init=False, repr=False, eq=False, slots=True, kw_only=kw_only)(plain)
        # both methods, because a class that inherits one from a frozen class sets its attributes by a slow call
        open_methods = {"__setattr__": object.__setattr__, "__delattr__": object.__delattr__}
        twin = type(cls)(cls.__name__, cls.__bases__, {"__slots__": cls.__slots__, **open_methods})
        _TWINS[cls] = twin
        methods: dict[str, Any] = {"__new__": staticmethod(_make_new(cls, twin, kw_only=kw_only))}
        if eq:
            methods |= _make_comparison(tuple(field.name for field in fields(cls) if field.compare))
        for name, method in (_SHARED | methods).items():
            if name not in vars(plain):
                setattr(cls, name, method)
        return cls  # type: ignore[no-any-return]  # Any, so that attributes can be set

    return decorate


def replace(instance: T, /, **changes: Any) -> T:
    """Return a copy of an instance of a `frozen` class, with other values of some fields.

    Raises TypeError for an instance of another class, and AttributeError for an unknown field.
    """
    cls = instance.__class__
    copy = _get_copier(cls)(instance)  # type: ignore[arg-type]  # for mypy, type[T] may not be hashable
    for name, value in changes.items():
        setattr(copy, name, value)
    copy.__class__ = cls
    return copy  # type: ignore[no-any-return]  # Any, so that its class can be set


def is_frozen(value: Any) -> bool:
    """Whether a value is an instance of a class that `frozen` has made."""
    return value.__class__ in _TWINS


_TWINS: dict[type, type] = {}


def _make_new(cls: Any, twin: type, *, kw_only: bool) -> Any:
    """Return the `__new__` of a class. It has the signature of the `__init__` that `dataclass` would give it."""
    scope: dict[str, Any] = {"_create": object.__new__, "_twin": twin, "_cls": cls, "_missing": MISSING}
    parameters, lines = ["cls", *["*"] * kw_only], ["self = _create(_twin)"]
    for one in fields(cls):
        value = one.name
        if one.default_factory is not MISSING:
            scope[f"_make_{one.name}"] = one.default_factory
            value = f"_make_{one.name}() if {one.name} is _missing else {one.name}"
            parameters.append(f"{one.name}=_missing")
        elif one.default is not MISSING:
            scope[f"_default_{one.name}"] = one.default
            parameters.append(f"{one.name}=_default_{one.name}")
        else:
            parameters.append(one.name)
        lines.append(f"self.{one.name} = {value}")
    lines += [f"self.{name} = None" for name in _list_other_slots(cls)]
    new = _compile(cls, "__new__", parameters, [*lines, "self.__class__ = _cls", "return self"], scope)
    new.__annotations__ = {one.name: one.type for one in fields(cls)}
    new.__qualname__ = cls.__qualname__  # which a TypeError names
    return new


@cache
def _get_copier(cls: Any) -> Callable[[Any], Any]:
    """Return the function that copies the fields of an instance to a new one of the twin class."""
    if cls not in _TWINS:
        raise TypeError(f"{cls.__name__} must be a class that `frozen` has made")
    lines = ["new = _create(_twin)", *(f"new.{one.name} = old.{one.name}" for one in fields(cls))]
    lines += [*(f"new.{name} = None" for name in _list_other_slots(cls)), "return new"]
    copier: Callable[[Any], Any] = _compile(
        cls, "_copy", ["old"], lines, {"_create": object.__new__, "_twin": _TWINS[cls]}
    )
    return copier


def _list_other_slots(cls: Any) -> list[str]:
    """Return the slots of a class beside its fields. They hold None at first, as an empty one is slow to ask for."""
    slots: list[str] = [name for base in cls.__mro__ for name in vars(base).get("__slots__", ())]
    return [name for name in slots if name not in cls.__dataclass_fields__]


def _compile(cls: type, name: str, parameters: list[str], lines: list[str], scope: dict[str, Any]) -> Any:
    """Return a function of these lines, in the module of a class, that has the names of the scope too."""
    body = "".join(f"  {line}\n" for line in lines)
    text = f"def make({', '.join(scope)}):\n def {name}({', '.join(parameters)}):\n{body} return {name}\n"
    namespace: dict[str, Any] = {}
    exec(text, vars(sys.modules[cls.__module__]), namespace)  # noqa: S102 - as dataclasses does it
    function = namespace["make"](**scope)
    function.__qualname__ = f"{cls.__qualname__}.{name}"
    return function


def _make_comparison(names: tuple[str, ...]) -> dict[str, Any]:
    get: Callable[[Any], Any] = attrgetter(*names) if names else lambda _: ()

    def equals(self: Any, other: object) -> Any:
        return get(self) == get(other) if other.__class__ is self.__class__ else NotImplemented

    return {"__eq__": equals, "__hash__": lambda self: hash(get(self))}


def _restore(cls: Any, values: dict[str, Any]) -> Any:
    return cls(**values)
