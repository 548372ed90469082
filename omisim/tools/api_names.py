"""The names of the API: parameters, filters and fields of answers, each with the places that have it.

They are read from the source of the actions and of the model: to import these takes longer.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import NamedTuple

__all__ = ["Place", "list_actions", "list_api_names", "read_action"]

ROLES = ("parameter", "filter", "field")  # in this order
_PACKAGE = files("omisim")  # not files("omisim.actions"), which imports that package
# compiled when they are used, which takes a moment
_ACTION = (
    r'@action\("\w+"(?:, ("?\w+"?)(?=[,)]))?[^\n]*\)\n'
    r'def \w+\(\s*\w+: Call,?\s*(?:\*,\s*)?(.*?),?\s*\) -> ([^\n]+?):(?:  #[^\n]*)?\n    """(.*?)"""'
)
_ALIAS = r"^(\w+) = ((?:Annotated|tuple)\[.*)$"
_MEMBER = r"^ *(\w+): (?!ClassVar)(.+?)(?: = (.+?))?(?:  #.*)?$"
_INTERNAL = ("internal(", "secret(")  # declare a field that no answer has
_WRAPPERS = {"Annotated", "OrDict", "Sequence", "dt", "tuple"}
_TYPES = {"str": "string", "int": "integer", "bool": "boolean", "float": "number", "datetime": "date"}


class Place(NamedTuple):
    """Where the API has a name.

    `role` is one of `ROLES`. `owner` is the action that takes it or has it at the top of its answer, or the class of
    the resources that show it, and `path` the names of the objects in between, with dots.
    """

    role: str
    owner: str
    path: str
    type: str
    required: bool = False


class _Member(NamedTuple):
    name: str
    annotation: str
    default: str


class _Action(NamedTuple):
    answer: str
    parameters: tuple[_Member, ...]
    returns: str
    summary: str


@cache
def list_actions() -> Mapping[str, str]:
    """Return the source of each action, by name in alphabetical order."""
    parts = [part for text in _read_texts("actions") for part in re.split(r'\n(?=@action\(")', text)[1:]]
    return dict(sorted((part.split('"', 2)[1], part) for part in parts))


def read_action(name: str) -> tuple[str, list[str]]:
    """Return the docstring of an action and the API names of its parameters; a star marks the required ones."""
    action = _parse_action(name)
    return action.summary, [f"{each.name}{'' if each.default else '*'}" for each in action.parameters]


@cache
def list_api_names() -> Mapping[str, tuple[Place, ...]]:
    """Return the places of each name, without DryRun and the parameters of pages, which most actions have."""
    places: dict[str, set[Place]] = {}
    for name, place in (*_list_parameters(), *_list_fields()):
        places.setdefault(name, set()).add(place)
    return {
        name: tuple(sorted(places[name], key=lambda place: (ROLES.index(place.role), place))) for name in sorted(places)
    }


def _list_parameters() -> Iterator[tuple[str, Place]]:
    for action in list_actions():
        for member, path in _walk(_parse_action(action).parameters):
            role = "filter" if path[:1] == ("Filters",) else "parameter"
            yield member.name, Place(role, action, ".".join(path), _describe(member), required=not member.default)


def _list_fields() -> Iterator[tuple[str, Place]]:
    owners: dict[str, tuple[_Member, ...]] = {}
    for name in list_actions():
        action = _parse_action(name)
        cls, _ = _resolve(action.returns)
        members = _load_classes().get(cls, ())
        if action.answer.startswith('"'):  # the key of the result; without quotes, a class whose fields are the keys
            key = _Member(action.answer.strip('"'), action.returns, "")
            yield key.name, Place("field", name, "", _describe(key))
            owners[cls] = members
        elif action.answer:
            owners[name] = members
    for owner, members in owners.items():
        for member, path in _walk(members):
            yield member.name, Place("field", owner, ".".join(path), _describe(member))


def _walk(members: Iterable[_Member], path: tuple[str, ...] = ()) -> Iterator[tuple[_Member, tuple[str, ...]]]:
    """Yield members and those of their objects at any depth, with the path to each."""
    for member in members:
        yield member, path
        yield from _walk(_load_classes().get(_resolve(member.annotation)[0], ()), (*path, member.name))


def _describe(member: _Member) -> str:
    """Return the type of a member in words."""
    cls, is_list = _resolve(member.annotation)
    noun = _TYPES.get(cls) or ("object" if _load_classes().get(cls) else "string")  # an enumeration has no members
    return f"list of {noun}s" if is_list else noun


@cache
def _resolve(annotation: str) -> tuple[str, bool]:
    """Return the class that an annotation names first, such as `str` or `Placement`, and whether it is a list."""
    cls = next(name for name in re.findall(r"\w+", annotation) if name not in _WRAPPERS)
    alias, is_list = _load_aliases().get(cls), re.search(r"\b(?:tuple|Sequence)\[", annotation) is not None
    if alias is None:
        return cls, is_list
    cls, is_alias_of_list = _resolve(alias)
    return cls, is_list or is_alias_of_list


# --- the source


@cache
def _parse_action(name: str) -> _Action:
    found = re.match(_ACTION, list_actions()[name], re.DOTALL)
    assert found is not None, name
    answer, parameters, returns, docstring = found.groups("")
    lines = re.sub(r", (?=\w+: )", "\n", " ".join(parameters.split()))
    return _Action(answer, tuple(_read_members(lines)), returns, " ".join(docstring.split()))


@cache
def _load_classes() -> Mapping[str, tuple[_Member, ...]]:
    """Return the fields of each class of the model that requests and answers contain, the inherited ones first."""
    bases, own = {}, {}
    for part in (part for text in _read_model() for part in text.split("\nclass ")[1:]):
        head, _, rest = part.partition(":\n")
        body = re.split(r"\n(?=\S)", rest, maxsplit=1)[0]
        name, *bases[name] = re.findall(r"\w+", re.sub(r"\[.*", "", head))
        # a class with slots of its own is not a dataclass
        members = () if "__slots__" in body else _read_members(body)
        own[name] = tuple(member for member in members if not member.default.startswith(_INTERNAL))

    def gather(name: str) -> tuple[_Member, ...]:
        return tuple(member for base in bases.get(name, ()) for member in gather(base)) + own.get(name, ())

    return {name: gather(name) for name in own}


@cache
def _load_aliases() -> Mapping[str, str]:
    texts = _read_model() + _read_texts("actions")
    return dict(pair for text in texts for pair in re.findall(_ALIAS, text, re.MULTILINE))


def _read_members(text: str) -> Iterator[_Member]:
    for name, annotation, default in re.findall(_MEMBER, text, re.MULTILINE):
        yield _Member("".join(part.capitalize() for part in name.split("_")), annotation, default)


def _read_model() -> tuple[str, ...]:
    return _read_texts("model") + _read_texts("model/filters")


@cache
def _read_texts(folder: str) -> tuple[str, ...]:
    return tuple(file.read_text("utf-8") for file in _PACKAGE.joinpath(folder).iterdir() if file.name.endswith(".py"))
