"""The words that `omisim explain` knows, by table."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from omisim.base.data_files import load_toml
from omisim.spec.cell_rules import load_every_rule
from omisim.spec.errors import ERRORS
from omisim.spec.lifecycle import LIFECYCLES
from omisim.spec.rules import load_rules
from omisim.spec.storage_operations import STORAGE_OPERATIONS, load_storage_errors

__all__ = [
    "list_fcu_actions", "list_fcu_errors", "list_not_served", "list_products", "list_term_names",
    "list_words", "load_glossary", "load_switches",
]  # fmt: skip

_FCU = files("omisim").joinpath("doors", "fcu")


@cache
def list_words() -> tuple[str, ...]:
    """Return every word that has an explanation, without the rules of single states."""
    from omisim.tools.api_names import list_actions, list_api_names

    glossary = [name for term, row in load_glossary().items() for name in list_term_names(term, row)]
    errors = [name for kind in ERRORS.values() for name in (kind.name, kind.code, kind.type, kind.fcu or "")]
    states = [state for lifecycle in LIFECYCLES.values() for state in lifecycle.moves]
    words = [*load_rules(), *glossary, *errors, *list_actions(), *list_not_served(), *list_fcu_actions(), *LIFECYCLES]
    words += [*states, *list_products(), *list_fcu_errors(), *load_storage_errors(), *sorted(STORAGE_OPERATIONS)]
    statuses = [*(kind.status for kind in ERRORS.values()), *(row["status"] for row in load_storage_errors().values())]
    words += [*map(str, statuses), *load_switches(), *list_api_names()]
    return tuple(dict.fromkeys(filter(None, words)))


@cache
def load_glossary() -> Mapping[str, Mapping[str, Any]]:
    """Return the glossary: a row for each word."""
    return load_toml("omisim.spec", "glossary.toml")


def list_term_names(term: str, row: Mapping[str, Any]) -> list[str]:
    """Return the names of a term of the glossary: its own, its synonyms and that of EC2."""
    return [term, *row.get("also", ()), *([row["ec2"]] if "ec2" in row else [])]


@cache
def list_products() -> Mapping[str, tuple[str, str]]:
    """Return the description and the vendor of each product code."""
    return {code: tuple(row) for code, row in load_toml("omisim.spec", "catalog.toml")["product_types"].items()}


@cache
def load_switches() -> Mapping[str, Mapping[str, Any]]:
    """Return the row of each behaviour switch."""
    return load_toml("omisim.spec", "switches.toml")


@cache
def list_fcu_errors() -> Mapping[str, Mapping[str, str]]:
    """Return the codes of FCU that depend on more than the error, each with what has it: a rule id or text → text."""
    tables = load_toml("omisim", "doors/fcu/errors.toml")
    causes: dict[str, dict[str, str]] = {}
    for rule_id, code in tables["rules"].items():
        causes.setdefault(code, {})[rule_id] = load_every_rule()[rule_id].says
    for prefix, code in tables["malformed"].items():
        text = f"one with the prefix {prefix} is malformed" if prefix else "that of an account is malformed"
        causes.setdefault(code, {})["Id"] = text
    for kind, code in tables["missing"].items():
        causes.setdefault(code, {})["Id"] = f"that of a {kind} does not exist"
    for name, codes in tables["kinds"].items():
        for kind, code in codes.items():
            causes.setdefault(code, {})[name] = f"the error of OAPI for a {kind}"
    return causes


@cache
def list_fcu_actions() -> Mapping[str, str]:
    """Return the action of omisim that does each action of FCU with another name, without parsing the tables."""
    texts = [file.read_text("utf-8") for file in _FCU.iterdir() if file.name.endswith(".toml")]
    rows = dict(re.findall(r'^\[actions\.(\w+)\]\n(?:[^\[\n].*\n)*?calls\s*= "(\w+)"', "\n".join(texts), re.MULTILINE))
    return {name: own_name for name, own_name in sorted(rows.items()) if name.lower() != own_name.lower()}


@cache
def list_not_served() -> Mapping[str, str]:
    """Return the reason for each action that omisim does not serve, and whether it answers an empty list."""
    return {
        name: group["reason"] + (" (answers an empty list)" if name in group.get("empty_lists", ()) else "")
        for group in load_toml("omisim", "actions/not_served.toml").values()
        for name in group["actions"]
    }
