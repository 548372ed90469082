"""The texts in JSON data, and the words of sentences."""

from __future__ import annotations

from omisim.base.texts import encode_text, get_article, iter_texts, join_alternatives, pluralize


def test_texts_are_found_at_any_depth() -> None:
    """Lists, tuples and objects are searched; names of members and other values are left out."""
    assert list(iter_texts({"a": ["b", {"c": ("d",)}], "e": 1, "f": None})) == ["b", "d"]


def test_a_noun_is_plural_unless_the_number_is_one() -> None:
    """No report says `1 calls`."""
    assert [pluralize(number, "call") for number in (0, 1, 2000)] == ["0 calls", "1 call", "2,000 calls"]


def test_alternatives_are_joined_by_commas_and_a_last_or() -> None:
    """One word stands alone, and the last of several follows `or`."""
    assert [join_alternatives(words) for words in ("a", "ab", "abc")] == ["a", "a or b", "a, b or c"]


def test_an_article_fits_the_first_letter() -> None:
    """A vowel, in either case, takes `an`."""
    assert [get_article(word) for word in ("volume", "image", "OMI")] == ["a", "an", "an"]


def test_a_lone_surrogate_is_encoded_as_a_question_mark() -> None:
    """Other text is encoded in UTF-8."""
    assert encode_text("é\ud800") == "é?".encode()
