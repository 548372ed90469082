"""The JSON text of answers, against `json` and the dicts of `to_api`."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

import omisim.model
from omisim.model.json_text import encode_json
from omisim.model.serialize import to_api

ZONES = st.sampled_from([dt.UTC, dt.timezone(dt.timedelta(hours=2))])
SAMPLES: dict[Any, Any] = {
    bool: True, dt.datetime: dt.datetime(2026, 1, 1, tzinfo=dt.UTC), float: 0.5, int: 12, str: 'a "b" é',
}  # fmt: skip
CLASSES = [
    cls
    for name, cls in sorted(vars(omisim.model).items())
    if is_dataclass(cls) and name not in ("StoredObject", "Upload", "UploadPart")  # never answered
]


def make_sample(hint: Any) -> Any:
    """Return a value of a type of the model in which each field has a value, and each list one item."""
    if get_origin(hint) in (Union, UnionType):
        return make_sample(next(part for part in get_args(hint) if part is not NoneType))
    if get_origin(hint) is tuple:
        return (make_sample(get_args(hint)[0]),)
    if is_dataclass(hint):
        return make_whole(hint)
    return SAMPLES[hint] if hint in SAMPLES else next(iter(hint))


def make_whole(cls: Any) -> Any:
    """Return an instance of a dataclass whose fields all have values."""
    return cls(**{name: make_sample(hint) for name, hint in get_type_hints(cls).items() if name in list_names(cls)})


def make_bare(cls: Any) -> Any:
    """Return an instance of a dataclass with its defaults."""
    hints, required = get_type_hints(cls), [f.name for f in fields(cls) if f.default is f.default_factory]
    return cls(**{name: make_sample(hints[name]) for name in required})


def list_names(cls: Any) -> list[str]:
    """Return the names of the fields of a dataclass."""
    return [field.name for field in fields(cls)]


def make_values(hint: Any) -> st.SearchStrategy[Any]:
    """Return a strategy for the values of a type of the model."""
    if get_origin(hint) in (Union, UnionType):
        return st.one_of([st.none() if part is NoneType else make_values(part) for part in get_args(hint)])
    if get_origin(hint) is tuple:
        return st.lists(make_values(get_args(hint)[0]), max_size=2).map(tuple)
    if hint is dt.datetime:
        return st.datetimes(timezones=ZONES)
    return make_instances(hint) if is_dataclass(hint) else st.from_type(hint)


def make_instances(cls: Any) -> st.SearchStrategy[Any]:
    """Return a strategy for the instances of a dataclass, which has some of its defaults."""
    hints = get_type_hints(cls)
    required = {field.name for field in fields(cls) if field.default is field.default_factory}
    strategies = {field.name: make_values(hints[field.name]) for field in fields(cls)}
    return st.fixed_dictionaries(
        {name: strategies[name] for name in strategies if name in required},
        optional={name: strategies[name] for name in strategies if name not in required},
    ).map(lambda values: cls(**values))


def dump(value: Any) -> str:
    """Return the text that `json` writes."""
    return json.dumps(to_api(value), separators=(",", ":"))


class TestText:
    @pytest.mark.parametrize("make", [make_whole, make_bare])
    def test_of_each_class_is_that_of_json(self, make: Callable[[Any], Any]) -> None:
        """The compiled encoders of all classes of the model write what `json` writes of their instances."""
        values = [make(cls) for cls in CLASSES]
        assert list(map(encode_json, values)) == list(map(dump, values))

    @given(value=st.sampled_from(CLASSES).flatmap(make_instances))
    def test_of_any_value_is_that_of_json(self, value: Any) -> None:
        """It does so for any values of the fields."""
        assert encode_json(value) == dump(value)

    @given(value=st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.text(), max_size=3).map(tuple))
    def test_of_another_value_is_that_of_json(self, value: Any) -> None:
        """Answers that are not instances of a class are written by `json` itself."""
        assert encode_json(value) == dump(value)
