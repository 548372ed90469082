"""Frozen dataclasses, made and copied as `dataclasses` does it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, fields
from typing import Any

import pytest

from omisim import model
from omisim.base.frozen import make_constructor, replace
from omisim.state.state import Change

CLASSES = [
    cls for cls in vars(model).values() if isinstance(cls, type) and dataclasses.is_dataclass(cls) and fields(cls)
]


@pytest.mark.parametrize("cls", [*CLASSES, Change], ids=lambda cls: cls.__name__)
def test_every_class_of_the_model_is_copied(cls: Any) -> None:
    """An instance and its copy are as those of `dataclasses`, and as frozen."""
    names = [field.name for field in fields(cls)]
    expected = cls(**{name: index for index, name in enumerate(names)})
    instance = make_constructor(cls)(*range(len(names)))
    assert (instance, type(instance), repr(instance)) == (expected, cls, repr(expected))
    last = {names[-1]: "new"}
    assert replace(instance, **last) == dataclasses.replace(expected, **last)
    assert replace(instance) is not instance
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(instance, names[0], 1)


def test_unknown_fields_are_refused() -> None:
    """A field that the class does not have is an AttributeError."""
    with pytest.raises(AttributeError):
        replace(model.ResourceTag(key="a", value="b"), colour="red")


def test_other_classes_are_refused() -> None:
    """A class without slots would need its dict copied, and one with __post_init__ would skip it."""

    @dataclass(frozen=True)
    class WithoutSlots:
        a: int

    @dataclass(frozen=True, slots=True)
    class WithMore:
        a: int

        def __post_init__(self) -> None:
            """Do more than to set the fields."""

    for cls in (WithoutSlots, WithMore, int):
        with pytest.raises(TypeError):
            make_constructor(cls)
