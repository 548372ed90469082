"""Frozen dataclasses, which behave as those of `dataclasses`."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
from dataclasses import fields
from typing import Any

import pytest

from omisim import model
from omisim.base.frozen import frozen, replace

CLASSES = [
    cls for cls in vars(model).values() if isinstance(cls, type) and dataclasses.is_dataclass(cls) and fields(cls)
]


def make_instance(cls: Any) -> Any:
    """Return an instance with a different value in each field."""
    return cls(**{field.name: index for index, field in enumerate(fields(cls))})


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_every_class_of_the_model_is_a_frozen_dataclass(cls: Any) -> None:
    """Its instances have the repr, the signature and the errors of a class that `dataclass` has made."""
    members = [(field.name, field.type, copy.copy(field)) for field in fields(cls)]
    is_keyword = bool(fields(cls)[0].kw_only)
    twin: Any = dataclasses.make_dataclass(cls.__name__, members, frozen=True, slots=True, kw_only=is_keyword)
    instance, expected = make_instance(cls), make_instance(twin)
    assert repr(instance) == repr(expected)
    assert list(inspect.signature(cls).parameters) == list(inspect.signature(twin).parameters)
    name = fields(cls)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError, match=name):
        setattr(instance, name, 1)
    with pytest.raises(dataclasses.FrozenInstanceError, match=name):
        delattr(instance, name)


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_every_class_of_the_model_is_copied(cls: Any) -> None:
    """`replace`, `copy` and `pickle` give an equal instance, and `replace` one with other values."""
    instance, name = make_instance(cls), fields(cls)[-1].name
    changed = replace(instance, **{name: "new"})
    assert (type(changed), getattr(changed, name)) == (cls, "new")
    for twin in (
        replace(changed, **{name: len(fields(cls)) - 1}),
        copy.copy(instance),
        pickle.loads(pickle.dumps(instance)),
    ):
        assert twin is not instance
        assert [getattr(twin, field.name) for field in fields(cls)] == list(range(len(fields(cls))))


def test_values_compare_by_their_fields() -> None:
    """Instances are equal, and have the same hash, if the fields that count are equal, and are never a tuple."""

    @frozen()
    class Point:
        x: int
        y: list[int] = dataclasses.field(default_factory=list, compare=False)

    @frozen()
    class Other:
        x: int

    assert Point(1) == Point(1, [2])
    assert hash(Point(1)) == hash(Point(1, [2]))
    assert Point(1) != Point(2)
    values: list[object] = [Point(1), Other(1)]
    assert values[0] != values[1]
    assert Point(1).y is not Point(1).y


def test_values_without_eq_compare_by_identity() -> None:
    """A class that asks for it has instances that equal themselves only."""

    @frozen(eq=False)
    class Point:
        x: int

    assert Point(1) != Point(1)


def test_unknown_fields_are_refused() -> None:
    """A field that the class does not have is an AttributeError."""
    with pytest.raises(AttributeError):
        replace(model.ResourceTag(key="a", value="b"), colour="red")


def test_other_classes_are_refused() -> None:
    """`replace` copies instances of frozen classes only, and these have no `__post_init__`."""
    with pytest.raises(TypeError):
        replace(1)
    with pytest.raises(TypeError, match="__post_init__"):

        @frozen()
        class WithMore:
            a: int

            def __post_init__(self) -> None:
                """Do more than to set the fields."""
