"""Arguments of any Python type: each call is answered, or refused by an ApiError that can be printed."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Iterator
from decimal import Decimal
from types import MappingProxyType
from typing import Any, NoReturn
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omisim import Account, ApiError, Cloud
from omisim.actions.framework.registry import ACTIONS
from omisim.actions.framework.schema import MAX_PROBLEMS, Field
from omisim.cloud.account import Typed
from omisim.model import Vm
from omisim.model.parts import BsuToCreate
from omisim.model.serialize import api_name


class Hostile:
    """An object like an array: its repr and its truth value raise an error, and a comparison returns no bool."""

    def __repr__(self) -> NoReturn:
        """Raise."""
        raise RuntimeError("no repr")

    def __bool__(self) -> NoReturn:
        """Raise."""
        raise RuntimeError("ambiguous")

    def __eq__(self, other: object) -> NoReturn:
        """Raise."""
        raise RuntimeError("no comparison")

    __hash__ = None  # type: ignore[assignment]


class HostileList(list[Any]):
    """A list that has no truth value."""

    def __bool__(self) -> NoReturn:
        """Raise."""
        raise RuntimeError("ambiguous")


class HostileInt(int):
    """An int that has no repr."""

    def __repr__(self) -> NoReturn:
        """Raise."""
        raise RuntimeError("no repr")


class HostileText(str):
    """A text that has no repr."""

    __slots__ = ()

    def __repr__(self) -> NoReturn:
        """Raise."""
        raise RuntimeError("no repr")


HUGE = 10**5000
_WRONG = BsuToCreate(snapshot_id=Hostile())  # type: ignore[arg-type]  # the mistake
OBJECTS = (
    *(HUGE, -HUGE, 10**39, 2**64, -1, 0, 1.5, float("nan"), float("-inf"), 1e308, HostileInt(3), Decimal("NaN"), 1j),
    *(b"x", bytearray(b"x"), memoryview(b"x"), {1}, frozenset({"x"}), range(3), Ellipsis, object(), object, print),
    *("\ud800", "i-\ud800", "\x00", "²", "x" * 10_000, HostileText("x"), UUID(int=1), dt.timedelta(1)),
    *(dt.date(2026, 1, 1), dt.datetime.max.replace(tzinfo=dt.timezone(dt.timedelta(hours=-14)))),
    *(Hostile(), HostileList([1]), HostileList(), {1: 2}, {None: 1}, {HUGE: 1}, {(1, b"x"): 1}, {"\ud800": HUGE}),
    *(MappingProxyType({"size": HUGE}), BsuToCreate(volume_size=HUGE), _WRONG, None, True),
)  # fmt: skip
ANYTHING: st.SearchStrategy[Any] = (
    st.sampled_from(OBJECTS) | st.integers() | st.floats() | st.text(max_size=20) | st.binary(max_size=5)
)
METHODS = {name: method for name, method in vars(Account).items() if isinstance(method, Typed)}


def draw_value(draw: st.DrawFn, field: Field) -> Any:
    """Draw a value for a parameter: any, or one of the right form with any value at its end."""
    if field.shape is not None and draw(st.booleans()):
        inner = draw(st.sampled_from(sorted(field.shape.fields)))
        value = {inner: draw_value(draw, field.shape.fields[inner])}
        return [value] if field.many else value
    value = draw(ANYTHING)
    return [value, value] if field.many and draw(st.booleans()) else value


@st.composite
def typed_calls(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """Draw the name of a typed method, and a value for some of its parameters."""
    name = draw(st.sampled_from(sorted(METHODS)))
    parameters = ACTIONS[METHODS[name].action].shape.fields
    chosen = draw(st.lists(st.sampled_from(sorted(parameters)), max_size=3, unique=True)) if parameters else []
    return name, {each: draw_value(draw, parameters[each]) for each in chosen}


@pytest.fixture(name="owner", scope="module")
def _owner() -> Account:
    """An account, which all examples share."""
    return Cloud(history=50).account("alice")


def list_texts(owner: Account, error: ApiError | None) -> Iterator[str]:
    """Yield every text about the latest call."""
    (record,) = owner.cloud.calls()[-1:]
    yield from (str(record), json.dumps(record.parameters))
    if error is not None:
        yield from (str(error), repr(error), error.explain())


@given(typed_calls())
def test_any_value_is_answered_or_refused(owner: Account, call: tuple[str, dict[str, Any]]) -> None:
    """A typed method, the same call by API names and its `why_not` take any value; texts are short UTF-8. [REQ-009]"""
    name, arguments = call
    parameters = {api_name(key): value for key, value in arguments.items()}
    for make_call in (
        lambda: getattr(owner, name)(**arguments),
        lambda: owner.call(METHODS[name].action, **parameters),
    ):
        refusal = None
        mark = owner.cloud.mark()
        try:
            make_call()
        except ApiError as error:
            refusal = error
        assert max(len(text.encode()) for text in list_texts(owner, refusal)) < 50_000
        owner.cloud.rollback(mark)
    assert isinstance(owner.why_not(METHODS[name].action, **parameters), list)


@pytest.mark.parametrize(
    ("action", "arguments"),
    [
        ("ReadVms", {"\ud800": 1}),
        ("\ud800", {}),
    ],
)
def test_a_lone_surrogate_is_escaped_in_texts(owner: Account, action: str, arguments: dict[str, Any]) -> None:
    """UTF-8 cannot encode it: pytest-xdist ended with an internal error, and `print` with a traceback."""
    with pytest.raises(ApiError) as refusal:
        owner.call(action, **arguments)
    assert all(
        r"\ud800" in text for text in (str(refusal.value), refusal.value.explain(), str(owner.cloud.calls()[-1]))
    )
    assert all(text.encode() for text in list_texts(owner, refusal.value))


@pytest.mark.parametrize(
    ("action", "arguments", "path"),
    [
        ("CreateVolume", {"SubregionName": "\ud800", "Size": 1}, "SubregionName"),
        ("CreateTags", {"ResourceIds": ["vol-00000000"], "Tags": [{"Key": "a", "Value": "b\ud800"}]}, "Tags[0].Value"),
        ("ReadImages", {"Filters": {"ImageNames": ["\udfff*"]}}, "Filters.ImageNames[0]"),
    ],
)
def test_a_text_with_a_lone_surrogate_is_refused(alice: Account, action: str, arguments: Any, path: str) -> None:
    """No JSON document can have it, so no client sends it, and no report could show it. [REQ-009]"""
    message = f"{re.escape(path)} must be a string that UTF-8 can encode, not one with a lone surrogate"
    with pytest.raises(ApiError, match=message):
        alice.call(action, **arguments)


def test_the_rest_of_a_wrong_list_is_not_read(alice: Account) -> None:
    """After a hundred problems, no further ones are collected: a request of 6 MB took 20 seconds."""
    requests: list[dict[str, Any]] = [
        {"Filters": {"VolumeIds": [{}] * 1000}},
        {f"Unknown{number}": 1 for number in range(1000)},
    ]
    for arguments in requests:
        assert len(alice.why_not("ReadVolumes", **arguments)) == MAX_PROBLEMS


@pytest.mark.parametrize(
    ("action", "arguments"),
    [
        ("DeleteVolume", {**{f"Unknown{number}": 1 for number in range(1000)}, "VolumeId": "vol-00000000"}),
        ("CreateTags", {"ResourceIds": [1] * 1000, "Tags": [{"Key": 1, "Value": "b"}]}),
    ],
)
def test_a_parameter_that_is_not_read_is_not_missing(alice: Account, action: str, arguments: dict[str, Any]) -> None:
    """A parameter behind a hundred problems is there, though it is not read. [REQ-010]"""
    assert "REQ-010" not in {refusal.rule for refusal in alice.why_not(action, **arguments)}


def test_an_integer_that_python_cannot_print_is_refused(alice: Account) -> None:
    """An integer of 5,000 digits is refused like a value of another type. [REQ-009]"""
    with pytest.raises(ApiError, match="size must be an integer, not an integer of more than 40 digits"):
        alice.create_volume(size=HUGE, subregion_name="eu-west-2a")


def test_an_entity_in_the_place_of_its_id_is_refused(alice: Account, vm: Vm) -> None:
    """The refusal names the attribute that is the id. [REQ-009]"""
    with pytest.raises(ApiError, match=r"vm_id must be a string, not Vm \(pass its vm_id\)"):
        alice.create_image(vm_id=vm, image_name="golden")  # type: ignore[arg-type]  # the mistake


def test_an_object_without_a_repr_is_refused(cloud: Cloud, alice: Account) -> None:
    """The refusal names the type, and the call log shows the object without calling its repr. [REQ-009]"""
    with pytest.raises(ApiError, match="volume_id must be a string, not Hostile"):
        alice.create_snapshot(volume_id=Hostile())  # type: ignore[arg-type]  # the mistake
    assert str(cloud.calls()[-1].parameters["VolumeId"]).startswith("<Hostile instance at ")


@pytest.mark.parametrize("kind", [list, dict])
def test_a_value_inside_itself_is_a_mistake_of_the_caller(alice: Account, kind: type) -> None:
    """A list or a dict that contains itself raises TypeError, as one that is too deep for JSON."""
    value: Any = kind()
    value.append(value) if kind is list else value.update(filters=value)
    with pytest.raises(TypeError, match="arguments of a call must not be nested more than 64 levels deep"):
        alice.read_vms(filters=value)
