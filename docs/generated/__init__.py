"""Markdown that is generated from the code while Sphinx reads a page.

A page asks for it with a comment on a line of its own: `<!-- generated: rules image -->` stands for `rules("image")`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from generated.model import (
    actions_not_served,
    actions_served,
    errors,
    evidence,
    fcu_actions,
    glossary,
    lifecycles,
    rule_kinds,
    rules,
    switches,
)
from generated.usage import commands, entities, fixtures, pytest_arguments, pytest_options, request_filters, scenarios

__all__ = ["expand"]

GENERATORS: Mapping[str, Callable[..., str]] = {
    function.__name__: function
    for function in (
        actions_not_served,
        actions_served,
        commands,
        entities,
        errors,
        evidence,
        fcu_actions,
        fixtures,
        glossary,
        lifecycles,
        pytest_arguments,
        pytest_options,
        request_filters,
        rule_kinds,
        rules,
        scenarios,
        switches,
    )
}
_COMMENT = re.compile(r"^<!-- generated: (?P<name>\w+)(?: (?P<argument>.+?))? -->$", re.MULTILINE)


def expand(text: str) -> str:
    """Return the text of a page with its generated parts in place of the comments."""
    return _COMMENT.sub(_generate, text)


def _generate(comment: re.Match[str]) -> str:
    arguments = [comment["argument"]] if comment["argument"] else []
    return GENERATORS[comment["name"]](*arguments)
