"""The texts in JSON data."""

from __future__ import annotations

from omisim.base.texts import iter_texts, pluralize


def test_texts_are_found_at_any_depth() -> None:
    """Lists, tuples and objects are searched; names of members and other values are left out."""
    assert list(iter_texts({"a": ["b", {"c": ("d",)}], "e": 1, "f": None})) == ["b", "d"]


def test_a_noun_is_plural_unless_the_number_is_one() -> None:
    """No report says `1 calls`."""
    assert [pluralize(number, "call") for number in (0, 1, 2000)] == ["0 calls", "1 call", "2,000 calls"]
