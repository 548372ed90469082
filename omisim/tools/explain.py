"""`omisim explain WORD`: rules, switches, errors, actions, states, kinds of resources, words of the glossary, names.

It loads the tables it needs and nothing else: an answer takes a fraction of a second.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, field
from textwrap import fill
from typing import TYPE_CHECKING, Any

from omisim.base.frozen import frozen
from omisim.base.suggest import suggest
from omisim.base.texts import get_article
from omisim.spec.cell_rules import get_noun, load_every_rule
from omisim.spec.errors import ERRORS
from omisim.spec.legend import NOTES
from omisim.spec.lifecycle import LIFECYCLES
from omisim.spec.rules import Rule, get_action_page, load_rules
from omisim.spec.storage_operations import STORAGE_OPERATIONS, load_storage_errors
from omisim.tools.word_tables import (
    list_fcu_actions,
    list_fcu_errors,
    list_not_served,
    list_products,
    list_term_names,
    list_words,
    load_glossary,
    load_switches,
)  # fmt: skip

if TYPE_CHECKING:
    from omisim.tools.api_names import Place

__all__ = ["Explanation", "explain", "suggest_words", "to_json"]

_RESOURCE_ID = re.compile(r"[a-z]+(-[a-z]+)*-[0-9a-f]{8}")
_API_NAME = re.compile(r"([A-Z][a-z0-9]+)+|[a-z0-9]+(_[a-z0-9]+)+")
MAX_RULES = 12  # listed with an error or an action


@frozen()
class Explanation:
    """The answer for a word.

    `kind` is "rule", "switch", "error", "status", "action", "state", "resource", "word" or "name" (of a parameter, a
    filter or a field), `title` the word as omisim spells it, `text` the explanation, `facts` further lines as (name,
    text), and `data` the row that it comes from, for programs.
    """

    kind: str
    title: str
    text: str
    facts: tuple[tuple[str, str], ...] = ()
    data: Mapping[str, Any] = field(default_factory=dict)

    def format(self, width: int) -> str:
        """Return the explanation as text, wrapped at `width` columns."""
        lines = [_wrap(f"{self.title}: {self.text}", width, "  ")]
        lines += [_wrap(f"  {name}: {text}", width, "      ") for name, text in self.facts]
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Return the explanation as JSON data: the row, and what it is."""
        return {**self.data, "kind": self.kind, "title": self.title, "text": self.text, "facts": dict(self.facts)}


def _wrap(text: str, width: int, indent: str) -> str:
    return fill(text, max(width, 40), subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def explain(word: str) -> tuple[Explanation, ...]:
    """Return every explanation of a word, the most specific kind first; () for an unknown word."""
    key = _simplify(word)
    if not key:
        return ()
    finders = (
        _explain_rule, _explain_switch, _explain_error, _explain_fcu_error, _explain_storage_error, _explain_status,
        _explain_action, _explain_storage_operation, _explain_term, _explain_vm_type, _explain_resource, _explain_state,
    )  # fmt: skip
    found = [explanation for find in finders for explanation in find(word.strip(), key)]
    return (*found, *_explain_name(word.strip(), key, is_known=bool(found)))


def suggest_words(word: str) -> str:
    """Return a text with the known words that are most similar to an unknown one."""
    if _RESOURCE_ID.fullmatch(word):
        return f"; `omisim lineage {word}` and `omisim timeline {word}` show a resource of a cloud"
    similar = suggest(word, load_every_rule() if "/" in word else list_words(), "; similar: {}", count=4)
    return similar or "; `omisim rules`, `omisim actions` and `omisim explain glossary` list what is known"


def _simplify(word: str) -> str:
    return word.strip().replace("_", " ").replace("-", " ").lower()


def _join(key: str) -> str:
    """Return a key without spaces, by which no_reboot and NoReboot are equal."""
    return key.replace(" ", "")


# --- rules


def _explain_rule(word: str, _key: str) -> Iterator[Explanation]:
    rules = load_every_rule() if "/" in word else load_rules()
    rule = rules.get(word) or rules.get(word.upper())
    if rule is None and "/" in word:
        rule = {rule_id.lower(): rule for rule_id, rule in rules.items()}.get(word.lower())
    if rule is not None:
        title, _, rest = rule.explain().partition(": ")
        text, *lines = rest.splitlines()
        facts = [tuple(line.strip().split(": ", 1)) for line in lines]
        reference = f"docs/reference/rules/{rule.page}.html#{rule.anchor}"  # no public address exists yet
        data = {**asdict(rule), "details": rule.show(rule.details), "fix": rule.show(rule.fix), "reference": reference}
        yield Explanation("rule", title, text, (*facts, ("Reference", reference)), data)  # type: ignore[arg-type]


def _list_rules(rules: list[Rule]) -> tuple[tuple[str, str], ...]:
    rows = [(rule.id, rule.says or f"no rule of its own. {rule.out}") for rule in rules[:MAX_RULES]]
    more = len(rules) - len(rows)
    return (*rows, ("And", f"{more} more rules; `omisim rules` lists all")) if more else tuple(rows)


# --- switches


def _explain_switch(word: str, _key: str) -> Iterator[Explanation]:
    row = load_switches().get(word.lower())
    if row is not None:
        others = ", ".join(repr(value) for value in row["others"])
        facts = (("Default", repr(row["default"])), ("Other values", others), ("Evidence", row["evidence"]))
        yield Explanation("switch", word.lower(), row["says"], (*facts, ("See", "switch")), row)


# --- errors


def _explain_error(word: str, key: str) -> Iterator[Explanation]:
    for kind in ERRORS.values():
        if word == kind.code or key in (_simplify(kind.name), kind.type.lower(), (kind.fcu or "").lower()):
            raised_by = [rule for rule in load_every_rule().values() if rule.error == kind.name]
            text = f"HTTP {kind.status}, code {kind.code}, type {kind.type}"
            facts = [("EC2", f"FCU answers {kind.fcu}")] if kind.fcu else []
            facts += _list_rules(raised_by) or [("Rules", "no rule raises it; faults and switches can")]
            yield Explanation("error", kind.name, text, tuple(facts), asdict(kind))


def _explain_fcu_error(word: str, _key: str) -> Iterator[Explanation]:
    for code, causes in list_fcu_errors().items():
        if code.lower() == word.lower():
            yield Explanation("error", code, "a code of FCU, the EC2-compatible API", tuple(causes.items()))


def _explain_storage_error(word: str, _key: str) -> Iterator[Explanation]:
    for code, row in load_storage_errors().items():
        if code.lower() == word.lower():
            text = f"HTTP {row['status']}, a code of object storage (S3). {row['says']}"
            rules = [load_rules()[rule_id] for rule_id in row.get("rules", ())]
            yield Explanation("error", code, text, _list_rules(rules), row)


def _explain_status(word: str, _key: str) -> Iterator[Explanation]:
    codes_by_type: dict[str, list[str]] = {}
    for kind in ERRORS.values():
        if str(kind.status) == word:
            codes_by_type.setdefault(kind.type, []).append(f"{kind.code} ({kind.name})")
    storage_codes = [code for code, row in load_storage_errors().items() if str(row["status"]) == word]
    if storage_codes:
        codes_by_type["Object storage (S3)"] = storage_codes
    if codes_by_type:
        text = "the HTTP status of the errors of these types, with their codes"
        yield Explanation(
            "status", word, text, tuple((name, ", ".join(codes)) for name, codes in codes_by_type.items())
        )


# --- actions


def _explain_action(word: str, _key: str) -> Iterator[Explanation]:
    action_name = word.replace("_", "").lower()  # a typed method is named read_images
    if not action_name.isalnum() or action_name.isdigit():  # to load the actions takes a moment
        return
    from omisim.tools.api_names import list_actions, list_parameters

    for name, action in list_actions().items():
        if name.lower() == action_name:
            summary, parameters = " ".join((action.function.__doc__ or "").split()), list_parameters(action)
            rules = [rule for rule in load_every_rule().values() if rule.says and rule.is_about(name)]
            shown = [parameter.replace("*", " (required)") for parameter in parameters]
            facts = [("Parameters", ", ".join(shown) or "none")]
            facts += [("State", text) for text in _list_states(name)]
            facts += [("Documentation", get_action_page(name))]
            own = [rule for rule in rules if "/" not in rule.id or rule.id[0].isupper()]
            yield Explanation("action", name, summary, (*facts, *_list_rules(own)), {"parameters": parameters})
    for name, reason in list_not_served().items():
        if name.lower() == action_name:
            yield Explanation("action", name, f"not served: {reason}", (("Documentation", get_action_page(name)),))
    for name, own_name in list_fcu_actions().items():
        if name.lower() == action_name:
            text = f"an action of FCU, the EC2-compatible API. It does what {own_name} does."
            yield Explanation("action", name, text, (("See", f"omisim explain {own_name}"),))


def _explain_storage_operation(word: str, _key: str) -> Iterator[Explanation]:
    for name in STORAGE_OPERATIONS:
        if name.lower() == word.replace("_", "").lower():
            text = "an operation of object storage (S3), which omisim serves"
            yield Explanation("action", name, text, (("See", "OOS, omisim explain OOS-007"),))


def _list_states(action: str) -> Iterator[str]:
    """Yield in which states of a resource an action is refused."""
    for kind, lifecycle in LIFECYCLES.items():
        for name, refusals in lifecycle.refused.items():
            if name.partition(" ")[0] == action and refusals:
                states = ", ".join(f"{state} ({ERRORS[no.error].code})" for state, no in refusals.items())
                yield f"{name} is refused while the {get_noun(kind)} is {states}"


# --- words


def _explain_term(word: str, key: str) -> Iterator[Explanation]:
    if key == "glossary":
        yield Explanation("word", "glossary", ", ".join([*load_glossary(), *list_products()]))
    for term, row in load_glossary().items():
        if _join(key) in _list_spellings(term, row):
            facts = [("Also", ", ".join(row["also"]))] if "also" in row else []
            facts += [("AWS", row["ec2"])] if "ec2" in row else []
            facts += [(rule, load_rules()[rule].says) for rule in row.get("rules", ())]
            facts += [("See", ", ".join(row["see"]))] if "see" in row else []
            yield Explanation("word", term, row["says"], tuple(facts), dict(row))
    for code, (description, vendor) in list_products().items():
        if word == code or f" {key} " in f" {_simplify(description).replace('/', ' ')} ":
            by = f" by {vendor}" if vendor else ""
            text = f"The product code of {description}{by}. An OMI with it, and each VM from the OMI, is billed for it."
            yield Explanation("word", code, text, (("See", "product code, licence"),))


def _list_spellings(term: str, row: Mapping[str, Any]) -> set[str]:
    singular = {_join(_simplify(name)) for name in list_term_names(term, row)}
    return singular | {f"{name}s" for name in singular}


def _explain_vm_type(word: str, _key: str) -> Iterator[Explanation]:
    if not re.fullmatch(r"\w+\.\w+", word):  # the catalogue takes a moment
        return
    from omisim.spec.vm_types import find_vm_shape  # loads the model, which other words do not need

    shape = find_vm_shape(word.lower())
    if shape is not None:
        size = f"{shape.vcores} vCore{'s' * (shape.vcores > 1)}, {shape.memory:g} GiB of memory"
        text = f"a VM type of generation {shape.generation} with {size} and {shape.performance} performance"
        yield Explanation("word", shape.name, text, (("See", "VM type"),), asdict(shape))


# --- kinds of resources and their states


def _explain_resource(_word: str, key: str) -> Iterator[Explanation]:
    for kind, lifecycle in LIFECYCLES.items():
        if key == _simplify(kind) and not any(
            _join(key) in _list_spellings(term, row) for term, row in load_glossary().items()
        ):
            states = ", ".join(lifecycle.moves)
            yield Explanation("resource", kind, f"its states are {states}", (("See", f"omisim lifecycle {kind}"),))


def _explain_state(word: str, _key: str) -> Iterator[Explanation]:
    for kind, lifecycle in LIFECYCLES.items():
        events = lifecycle.moves.get(word.lower(), lifecycle.moves.get(word.upper()))
        title, see = f"{word.lower()} ({kind})", (("See", f"omisim lifecycle {kind}"),)
        if events is not None:
            leads = ", ".join(f"{event} → {to.state or 'gone'}" for event, to in events.items())
            text = f"a state of {get_article(get_noun(kind))} {get_noun(kind)}; "
            yield Explanation("state", title, text + (f"it is left by {leads}" if leads else "the last one"), see)
        elif any(word.lower() in refusals for refusals in lifecycle.refused.values()):  # restarting, a kind of pending
            yield Explanation("state", title, NOTES[kind], see)


# --- names of the API


def _explain_name(word: str, key: str, *, is_known: bool) -> Iterator[Explanation]:
    """Explain a parameter, a filter or a field. A word that means something else must have its spelling."""
    if is_known and not _API_NAME.fullmatch(word):
        return
    from omisim.tools.api_names import list_api_names

    name = {name.lower(): name for name in list_api_names()}.get(_join(key))
    if name is None:
        return
    snake = re.sub(r"(?<=.)(?=[A-Z])", "_", name).lower()
    places: dict[str, dict[str, list[str]]] = {}
    for place in list_api_names()[name]:
        places.setdefault(place.role, {}).setdefault(place.type, []).append(_show_place(place))
    *others, last = (f"{get_article(role)} {role}" for role in places)
    roles = f"{', '.join(others)} and {last}" if others else last
    facts = [
        (role.capitalize(), "; ".join(f"{kind} in {', '.join(owners)}" for kind, owners in kinds.items()))
        for role, kinds in places.items()
    ]
    data = {"places": [place._asdict() for place in list_api_names()[name]]}
    text = f"{roles} of the API, {snake} in Python"
    yield Explanation("name", name, text, (*facts, *_list_rules(_find_rules(name, snake))), data)


def _show_place(place: Place) -> str:
    inside = place.path and place.role != "filter"
    return place.owner + (f".{place.path}" if inside else "") + (" (required)" if place.required else "")


def _find_rules(name: str, snake: str) -> list[Rule]:
    """Return the rules whose statement names a parameter, then those whose refusal does, by name or as a fact."""
    named = re.compile(rf"\b{name}\b" + (rf"|{{{snake}}}" if "_" in snake else ""))
    rules = [
        rule for rule in load_rules().values() if rule.says and named.search(f"{rule.says} {rule.details} {rule.fix}")
    ]
    return sorted(rules, key=lambda rule: not named.search(rule.says))


def to_json(explanations: tuple[Explanation, ...], proofs: Mapping[str, list[str]]) -> str:
    """Return explanations as JSON: an object, or a list where a word has several. `proofs` maps rules to tests."""
    data = [
        explanation.to_dict() | ({"proofs": proofs.get(explanation.title, [])} if explanation.kind == "rule" else {})
        for explanation in explanations
    ]
    return json.dumps(data[0] if len(data) == 1 else data, indent=2)
