"""The texts in JSON data."""

from __future__ import annotations

from omisim.base.texts import iter_texts


def test_texts_are_found_at_any_depth() -> None:
    """Lists, tuples and objects are searched; names of members and other values are left out."""
    assert list(iter_texts({"a": ["b", {"c": ("d",)}], "e": 1, "f": None})) == ["b", "d"]
