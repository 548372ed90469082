"""Select entities by the filters of a request. Each given filter is compiled to a test once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cache, lru_cache, partial
from inspect import Parameter, Signature
from itertools import repeat
from typing import Any, ClassVar, Generic, Self, TypeVar, dataclass_transform, get_args, get_type_hints

from omisim.base.frozen import Frozen
from omisim.model.base import Entity
from omisim.model.filters.fields import find_path, make_getter

__all__ = [
    "E", "Filters", "compile_filters", "compile_patterns", "find_ids_alone", "is_pattern", "match_all", "matches_glob",
    "select_matching",
]  # fmt: skip

E = TypeVar("E")
F = TypeVar("F")
Test = Callable[[Any], bool]
MakeTest = Callable[[Any], Test]
Exact = tuple[str, tuple[object, ...]]
Compiled = tuple[Sequence[Test], Sequence[Exact]]


class _Signature:
    """The signature of a class of filters, for `help` and editors: made when one asks, which few programs do."""

    def __get__(self, _instance: object, cls: Any) -> Signature:
        types = get_type_hints(cls)
        names = sorted(cls.filter_names)
        return Signature(
            [Parameter(name, Parameter.KEYWORD_ONLY, default=None, annotation=types[name]) for name in names]
        )


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(field,))
class Filters(Frozen, Generic[E]):
    """The filters of a read for one entity class: a frozen dataclass with a field per filter (`declaration.py`).

    A field that is not given is None. An instance keeps the given ones alone, of the many of its class: so it is quick
    to make and to compile. `compiled` is kept by `compile_filters`.
    """

    __slots__ = ("__dict__", "compiled")
    filter_names: ClassVar[frozenset[str]] = frozenset()
    __signature__: ClassVar[Any] = _Signature()
    compiled: Compiled | None

    def __init_subclass__(cls) -> None:
        """Make the subclass a dataclass."""
        super().__init_subclass__()
        made: Any = dataclass(init=False, repr=False, eq=False, kw_only=True)(cls)
        cls.filter_names = frozenset(one.name for one in fields(made))

    def __init__(self, **given: Any) -> None:
        """Keep the given filters. Raises TypeError for a name that the class does not have."""
        if not self.filter_names.issuperset(given):
            unknown = sorted(given.keys() - self.filter_names)
            raise TypeError(f"{self.__class__.__name__} has no filter {', '.join(unknown)}")
        vars(self).update(given)
        object.__setattr__(self, "compiled", None)

    def __repr__(self) -> str:
        """Return the class with the given filters."""
        given = ", ".join(f"{name}={value!r}" for name, value in vars(self).items() if value is not None)
        return f"{self.__class__.__qualname__}({given})"

    def replace(self, **changes: Any) -> Self:
        """Return a copy with other values of some filters."""
        return self.__class__(**{**vars(self), **changes})


@cache
def match_all(cls: type[F]) -> F:
    """Return the filters of a class that match every entity, the same each time, so that they are compiled once."""
    return cls()


def compile_filters(filters: Filters[E] | None) -> Compiled:
    """Return one test for each given filter; and for an index, the path and values of each that compares a field.

    Cached in the filters, because polling clients repeat their requests.
    """
    if filters is None:
        return (), ()
    return filters.compiled or _compile(filters)


def _compile(filters: Filters[E]) -> Compiled:
    makers = _list_makers(filters.__class__)  # type: ignore[arg-type]  # for mypy, a type may not be hashable
    tests, exact = [], []
    for name, value in vars(filters).items():
        if value is None:
            continue
        make, path, has_wildcards = makers[name]
        tests.append(make(value))
        if path is not None:
            choices = value if isinstance(value, tuple) else (value,)
            if not has_wildcards or not any(map(is_pattern, choices)):
                exact.append((path, choices))
    object.__setattr__(filters, "compiled", (tests, exact))  # which are frozen
    return tests, exact


def find_ids_alone(cls: type[Entity], filters: Filters[Any] | None) -> Iterable[str] | None:
    """Return the ids that the filters list if they select by ids alone, as most reads of clients do; or None."""
    if filters is None:
        return None
    given = vars(filters)
    ids: Iterable[str] | None = given.get(cls.ids_filter) if len(given) == 1 else None
    return ids


def select_matching(entities: Iterable[E], filters: Filters[E] | None) -> Iterable[E]:
    """Return the entities that match every given filter, in their order, each when it is needed."""
    tests, _ = compile_filters(filters)
    for test in tests:
        entities = filter(test, entities)
    return entities


@cache
def _list_makers(cls: Any) -> Mapping[str, tuple[MakeTest, str | None, bool]]:
    """Return for each filter of a class: its test maker, the path that it compares, and whether it has wildcards."""
    entity = get_args(cls.__orig_bases__[0])[0]
    return {one.name: _get_maker(entity, one.name, one.metadata) for one in fields(cls)}


def _get_maker(entity: Any, name: str, declared: Mapping[str, Any]) -> tuple[MakeTest, str | None, bool]:
    """Return the entry of one filter in `_list_makers`. Raises TypeError for a filter without a matching field."""
    if "holds" in declared:
        return partial(_make_bound_test, declared["holds"]), None, False
    look = declared.get("look") or find_path(entity, name)
    if look is None:
        raise TypeError(f"{entity.__name__} has no field for the filter {name}; declare it with field_equals")
    has_wildcards = "glob" in declared
    make = _make_glob_test if has_wildcards else _make_equality_test
    if isinstance(look, str):
        return partial(make, make_getter(entity, look)), look, has_wildcards
    return partial(make, look), declared.get("path"), has_wildcards


def _make_bound_test(holds: Callable[[Any, Any], bool], bound: Any) -> Test:
    return lambda entity: bool(holds(entity, bound))


def _make_glob_test(look: Callable[[Any], Any], texts: Any) -> Test:
    matches = compile_patterns(tuple(texts))
    return lambda entity: matches(look(entity))


@lru_cache(maxsize=64)
def compile_patterns(texts: tuple[str, ...]) -> Test:
    """Return the test whether a text equals one of these or matches one with wildcards. Only the latter take time."""
    exact = frozenset(value for value in texts if not is_pattern(value))
    patterns = [value for value in dict.fromkeys(texts) if value not in exact]
    return lambda text: text in exact or any(map(matches_glob, patterns, repeat(text)))


def is_pattern(text: str) -> bool:
    """Whether a value of a filter has wildcards."""
    return "*" in text or "?" in text


def _make_equality_test(look: Callable[[Any], Any], expected: Any) -> Test:
    values = frozenset(expected if isinstance(expected, tuple) else (expected,))

    def test(entity: Any) -> bool:
        actual = look(entity)
        return not values.isdisjoint(actual) if type(actual) is tuple else actual in values

    return test


def matches_glob(pattern: str, text: str) -> bool:
    """Whether a text matches a glob pattern with `*` and `?`, in at most len(pattern) * len(text) steps."""
    at = star = -1
    here = there = 0
    while there < len(text):
        if here < len(pattern) and pattern[here] == "*":
            star, at = here, there
            here += 1
        elif here < len(pattern) and pattern[here] in ("?", text[there]):
            here += 1
            there += 1
        elif star >= 0:  # let the last star take one more character
            at += 1
            here, there = star + 1, at
        else:
            return False
    return not pattern[here:].strip("*")
