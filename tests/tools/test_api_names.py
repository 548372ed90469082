"""`omisim explain` knows the names of the API: those of parameters, of filters and of fields in answers."""

from __future__ import annotations

import pytest

from omisim.actions.framework.registry import ACTIONS
from omisim.model.serialize import api_name, snake_name
from omisim.spec.errors import ERRORS
from omisim.spec.rules import load_rules
from omisim.tools.api_names import list_api_names
from omisim.tools.explain import explain, suggest_words


def test_of_the_api_have_the_places_that_take_or_show_them() -> None:
    """A place is a parameter, a filter or a field, with its owner, its path, its type and whether it is required."""
    names = list_api_names()
    assert ("parameter", "CreateTags", "Tags", "string", True) in names["Key"]
    assert ("filter", "ReadImages", "Filters", "list of strings", False) in names["ImageIds"]
    assert ("field", "Vm", "Placement", "string", False) in names["SubregionName"]
    assert ("field", "ReadImages", "", "list of objects", False) in names["Images"]
    assert ("field", "Image", "", "date", False) in names["CreationDate"]


def test_knows_every_name_in_snake_case() -> None:
    """Each name of a request or an answer has an answer in the spelling of typed methods."""
    found = {name: explain(snake_name(name)) for name in list_api_names()}
    assert [name for name, (*_, last) in found.items() if last.title != name and "_" in snake_name(name)] == []
    assert [name for name, explanations in found.items() if not explanations] == []


def test_knows_every_name_that_is_of_no_action() -> None:
    """Those that most requests take, and those of every answer and refusal, are words of the glossary."""
    controls = {name for action in ACTIONS.values() for name in action.shape.all_fields.keys() - action.shape.fields}
    names = {*controls, *map(api_name, controls), "ResponseContext", "RequestId", "Errors", "Type", "Code", "Details"}
    assert {"DryRun", "next_page_token"} <= names
    assert [name for name in names if not explain(name)] == []


def test_names_who_takes_and_who_shows_a_name() -> None:
    """An answer has the type, the actions, the resources with the path, and the rules that name it."""
    word, name = explain("NoReboot")
    assert word.kind == "word"
    assert (name.kind, name.text) == ("name", "a parameter of the API, no_reboot in Python")
    rules = [(rule, load_rules()[rule].says) for rule in ("OMI-017", "OMI-018")]
    assert name.facts == (("Parameter", "boolean in CreateImage"), *rules)
    facts = dict(explain("Value")[0].facts)
    assert facts["Parameter"] == "string in CreateTags.Tags (required), DeleteTags.Tags (required)"
    assert "Image.Tags, " in facts["Field"]
    assert explain("image_ids")[-1].facts[0] == (
        "Filter",
        "list of strings in ReadImageExportTasks, ReadImages, ReadVms",
    )


def test_leaves_words_alone_that_are_names_too() -> None:
    """A word of the glossary is explained as a name of the API only in the API's or Python's spelling."""
    assert [each.kind for each in explain("snapshot")] == ["word"]
    assert [each.kind for each in explain("Snapshot")] == ["word", "name"]
    assert [each.kind for each in explain("security group")] == ["word"]
    assert [each.kind for each in explain("LinkNic")] == ["action", "name"]


@pytest.mark.parametrize(("word", "similar"), [("UserDat", "UserData"), ("subregon_name", "SubregionName")])
def test_suggests_names(word: str, similar: str) -> None:
    """A mistyped parameter leads to its name."""
    assert suggest_words(word).startswith(f"; similar: {similar}")


def test_suggests_rules_actions_and_errors_beside_names() -> None:
    """A rule, an action or an error with a letter left out leads to it, although names of the API are similar."""
    words = [word for word in [*load_rules(), *ACTIONS, *ERRORS][::20] if "/" not in word]
    mistyped = {word: word[: len(word) // 2] + word[len(word) // 2 + 1 :] for word in words}
    others = [word for word, typo in mistyped.items() if word not in suggest_words(typo).split(": ")[-1].split(", ")]
    assert others == []
