"""Errors and did-you-mean suggestions for unknown names."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from difflib import get_close_matches

__all__ = ["ACTION_CUTOFF", "check_known", "describe_unknown", "suggest", "suggest_action"]

ACTION_CUTOFF = 0.85  # how similar a name of an action must be: EC2's DescribeImages is not a typo of DeleteImage
_API_NAMES = "; actions have the names of the OUTSCALE API here: CreateVms, not RunInstances"

_LEADING_ZEROS = re.compile(r"\b0+(?=\d)")


def suggest(
    name: object, known_names: Iterable[str], text: str = "; did you mean {}?", count: int = 1, cutoff: float = 0.6
) -> str:
    """Return `text` with the known names most similar to an unknown one, `count` at most; "" if none is similar.

    `cutoff` is how similar they must be, up to 1.0. A name that differs in case, underscores and leading zeros alone is
    the most similar one, as `ImageName` is of `image_name`, and `OMI-022` of `omi-22`.
    """
    unknown_name, names = str(name)[:100], list(known_names)
    plain = {_simplify(each): each for each in names}
    simple_name = _simplify(unknown_name)
    if simple_name in plain:
        similar = [plain[simple_name]]
    else:
        similar = get_close_matches(unknown_name, names, count, cutoff)
        similar = similar or [plain[each] for each in get_close_matches(simple_name, plain, count, cutoff)]
    return text.format(", ".join(similar)) if similar else ""


def suggest_action(name: object, known_names: Iterable[str]) -> str:
    """Return the end of a text about an unknown action: one with a very similar name, or whose names actions have."""
    return suggest(name, known_names, cutoff=ACTION_CUTOFF) or _API_NAMES


def describe_unknown(noun: str, name: object, known_names: Iterable[str]) -> str:
    """Return the text of an error about an unknown name, or a value that is not a name, with the known names."""
    names = list(known_names)
    known = f"known: {', '.join(names) or 'none'}"
    if not isinstance(name, str):
        return f"{noun} must be a name, not {name!r}; {known}"
    return f"unknown {noun} {name!r}{suggest(name, names)}; {known}"


def check_known(parameter: str, name: str, known_names: Collection[str]) -> None:
    """Raise ValueError, which lists the known names, if the value of a parameter is not one of them."""
    if name not in list(known_names):  # a wrong value may not be hashable
        raise ValueError(
            f"{parameter} must be one of {', '.join(known_names)}, not {name!r}{suggest(name, known_names)}"
        )


def _simplify(name: str) -> str:
    return _LEADING_ZEROS.sub("", name.replace("_", "").lower())
