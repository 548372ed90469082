"""`omisim explain`: every word has an answer, without raw templates, and unknown words have near matches."""

from __future__ import annotations

import ast
import inspect
import json
import re

import pytest
from support.interpreter import run_python
from support.snapshots import WIDTHS, check_snapshot, check_width
from support.syntax import syntax_nodes

from omisim import teach
from omisim.actions.framework.registry import ACTIONS, empty_lists, not_served
from omisim.doors.fcu.table import load_rows
from omisim.model.serialize import api_name
from omisim.spec.cell_rules import load_every_rule
from omisim.spec.lifecycle import LIFECYCLES
from omisim.spec.rules import load_rules
from omisim.spec.storage_operations import STORAGE_ERRORS, load_storage_errors
from omisim.tools.cli import main
from omisim.tools.explain import explain
from omisim.tools.word_tables import list_words, load_glossary

WORDS = (
    "9029",
    "CreateImage",
    "product code",
    "OOS",
    "in-use",
    "OMI-022",
    "vm/StartVms/running",
    "0006",
    "OMI",
    "TpmMandatory",
)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("word", WORDS)
def test_reads_well_at_two_widths(word: str, width: int) -> None:
    """The answers of a rule, a cell, an error, an action, a state and concepts."""
    text = "\n".join(explanation.format(width) for explanation in explain(word))
    check_width(text, width)
    check_snapshot(f"explain-{re.sub('[^A-Za-z0-9]', '-', word)}-{width}.txt", text)


def test_knows_every_word() -> None:
    """Each rule, switch, error code, name and type, action, state, kind and word of the glossary has an answer."""
    assert [word for word in list_words() if not explain(word)] == []
    assert {*load_rules(), *ACTIONS, *not_served(), "9029", "duplicate-name", "ResourceConflict"} <= {*list_words()}


def test_knows_every_name_that_a_lesson_shows() -> None:
    """A student may look up each parameter, field and action that the tour has shown."""
    texts = [f"{lesson.goal} {played}" for lesson in teach.lessons() for played in lesson.play()]
    names = {name for text in texts for name in re.findall(r"\b[A-Z][a-z]+(?:[A-Z][a-z]+)+\b", text)}
    assert {"DeleteOnVmDeletion", "StateComment", "VmId"} <= names
    assert sorted(name for name in names if not explain(name)) == []


def test_knows_every_state_that_a_lifecycle_shows() -> None:
    """Also `restarting`, a column of its own that no state of the API has."""
    columns = {
        state for lifecycle in LIFECYCLES.values() for refusals in lifecycle.refused.values() for state in refusals
    }
    assert [state for state in columns if "state" not in [each.kind for each in explain(state)]] == []
    assert "pending again after its first boot" in explain("restarting")[0].text


def test_names_what_an_action_requires() -> None:
    """A required parameter is marked by a word, and kinds have the names that refusals give them."""
    facts = explain("DeleteVolume")[0].facts
    assert ("Parameters", "VolumeId (required)") in facts
    assert "is refused while the VM is pending" in dict(explain("StopVms")[0].facts)["State"]
    assert explain("pending")[0].text.startswith("a state of a VM; ")


def test_finds_a_product_by_a_word_of_its_description() -> None:
    """Linux has several product codes."""
    assert {"0001", "0006"} <= {each.title for each in explain("Linux")}
    assert [each.title for each in explain("sql server")] == ["0007", "0008", "0009"]


def test_says_which_actions_that_are_not_served_answer_an_empty_list() -> None:
    """The reason of an action that is not served says whether it answers an empty list, as in `omisim actions`."""
    texts = {name: explain(name)[0].text for name in not_served()}
    assert {name for name, text in texts.items() if text.endswith("(answers an empty list)")} == {*empty_lists()}


def test_knows_the_errors_and_operations_of_object_storage() -> None:
    """A code of S3 shows its status, what it means and its rules; an operation may be spelled as boto3 does."""
    (error,) = explain("nosuchkey")
    assert (error.kind, error.title) == ("error", "NoSuchKey")
    assert error.text.startswith("HTTP 404, a code of object storage (S3). The bucket has no object")
    assert ("OOS-002", load_rules()["OOS-002"].says) in explain("BucketAlreadyExists")[0].facts
    assert [each.title for each in explain("put_object")] == ["PutObject"]
    assert {"NoSuchKey", "PutObject"} <= {*list_words()}


def test_has_the_codes_and_rules_of_each_refusal_of_object_storage() -> None:
    """Each code that the code raises is in the table, with the rule that it is raised for."""
    rows = load_storage_errors()
    raised = [
        [str(argument.value) if isinstance(argument, ast.Constant) else "" for argument in node.args]
        for _, node in syntax_nodes("StorageError")
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "StorageError"
    ]
    refusals = [(arguments[0], arguments[2]) for arguments in raised if len(arguments) == 3 and all(arguments[::2])]
    assert {code for code, *_ in raised if code} <= {*rows}
    assert len(refusals) > 15
    assert [refusal for refusal in refusals if refusal[1] not in [*rows[refusal[0]].get("rules", ()), "OOS-006"]] == []
    assert {*STORAGE_ERRORS.values()} <= {*rows}


def test_shows_no_raw_template() -> None:
    """A fact of a template is shown as <name>."""
    for rule in load_every_rule().values():
        (explanation,) = explain(rule.id)
        texts = dict(explanation.facts)
        assert "{" not in texts.get("Fix", "") + texts.get("Details", ""), rule.id
    assert dict(explain("OMI-022")[0].facts)["Fix"] == "Choose another name, or delete <taken_by> first."


def test_finds_the_actions_that_are_registered() -> None:
    """The files of actions are read, not imported, and give the same actions with all their parameters."""
    for name, action in ACTIONS.items():
        (explanation,) = (each for each in explain(name) if each.kind == "action")
        parameters = [parameter.rstrip("*") for parameter in explanation.data["parameters"]]
        assert parameters == [api_name(each) for each in inspect.signature(action.function).parameters][1:], name


def test_refers_only_to_what_exists() -> None:
    """Each `see` of the glossary is a word, each rule exists and has a statement, and no spelling has two meanings."""
    spellings: dict[str, str] = {}
    for term, row in load_glossary().items():
        assert all(explain(word) for word in row.get("see", ())), term
        assert all(load_rules()[rule].says for rule in row.get("rules", ())), term
        for name in (term, *row.get("also", ())):
            assert spellings.setdefault(name.lower(), term) == term


@pytest.mark.parametrize(
    ("word", "kinds"),
    [
        ("product codes", ["word"]), ("AMI", ["word"]), ("createimage", ["action"]), ("omi-022", ["rule"]),
        ("InvalidAMIName.Duplicate", ["error"]), ("Resourceconflict", ["error"] * 24), ("volume_link", ["word"]),
        ("vm/startvms/RUNNING", ["rule"]), ("image_export", ["word"]), ("group_hold", ["resource"]),
        ("windows", ["word"]), ("fork", ["word"]), ("read_images", ["action"]), ("Strict_Licences", ["switch"]),
    ],
)  # fmt: skip
def test_ignores_case_and_number(word: str, kinds: list[str]) -> None:
    """A word is found as people write it."""
    found = [explanation.kind for explanation in explain(word)]
    assert found[: len(kinds)] == kinds[: len(found)]
    assert found


def test_knows_every_action_of_fcu() -> None:
    """A word of an EC2 client leads to the action that omisim does."""
    named_otherwise = {name: row.calls for name, row in load_rows().items() if name.lower() != row.calls.lower()}
    for name, own_name in named_otherwise.items():
        (explanation,) = (each for each in explain(name) if each.kind == "action")
        assert explanation.text == f"an action of FCU, the EC2-compatible API. It does what {own_name} does."


def test_knows_the_types_of_volumes() -> None:
    """A learner meets them in block device mappings."""
    assert {explain(word)[0].title for word in ("standard", "gp2", "io1")} == {"volume type"}


def test_knows_every_status() -> None:
    """An HTTP status leads to the types and codes of its errors."""
    (explanation,) = explain("409")
    assert explanation.kind == "status"
    assert "6003 (invalid-state)" in dict(explanation.facts)["InvalidState"]


def test_knows_the_statuses_of_object_storage() -> None:
    """A status leads to the codes of S3 as well, also one that no other API has."""
    (not_found,) = explain("404")
    assert dict(not_found.facts).keys() == {"InvalidAction", "Object storage (S3)"}
    assert "NoSuchKey" in dict(not_found.facts)["Object storage (S3)"]
    (failed,) = explain("412")
    assert dict(failed.facts) == {"Object storage (S3)": "PreconditionFailed"}
    assert "412" in list_words()


def test_knows_every_vm_type() -> None:
    """A type of OUTSCALE, of any size, and a name of AWS have a shape."""
    assert explain("tinav5.c2r4p1")[0].text.startswith("a VM type of generation 5 with 2 vCores, 4 GiB of memory and ")
    assert explain("T2.small")[0].text.endswith("with 1 vCore, 2 GiB of memory and medium performance")
    assert explain("tinav5.c0r4p1") == explain("t2.smal") == ()


@pytest.mark.parametrize(
    ("code", "cause"),
    [
        ("InvalidSnapshot.InUse", ("SNP-016", load_rules()["SNP-016"].says)),
        ("NatGatewayNotFound", ("Id", "that of a NAT gateway does not exist")),
        ("InvalidVpcID.Malformed", ("Id", "one with the prefix vpc- is malformed")),
        ("IncorrectInstanceState", ("invalid-state", "the error of OAPI for a vm")),
    ],
)
def test_knows_every_code_of_fcu(code: str, cause: tuple[str, str]) -> None:
    """A code that depends on the rule, the kind or the id leads to these."""
    assert cause in [fact for explanation in explain(code) for fact in explanation.facts]


def test_knows_the_timings_and_the_client_token() -> None:
    """A reader of the documentation meets them on the first pages."""
    assert {explain(word)[0].title for word in ("eager", "manual", "reads")} == {"timing"}
    assert explain("client token")[0].title == "ClientToken"


def test_knows_the_parameters_that_most_actions_have() -> None:
    """DryRun and the parameters of pages, which no single action explains, are words of the glossary."""
    titles = {word: [explanation.title for explanation in explain(word)] for word in ("DryRun", "NextPageToken")}
    assert titles == {"DryRun": ["dry run"], "NextPageToken": ["paging"]}
    assert explain("ResultsPerPage") == explain("paging")


def test_suggests_near_matches(capsys: pytest.CaptureFixture[str]) -> None:
    """An unknown word ends with status 2 and similar words."""
    assert main(["explain", "CreatImage"]) == 2
    assert "unknown word 'CreatImage'; similar: CreateImage" in capsys.readouterr().err
    assert main(["explain", "vm/CreateImage/pendin"]) == 2
    assert "similar: vm/CreateImage/pending, " in capsys.readouterr().err


@pytest.mark.parametrize("resource_id", ["ami-12345678", "image-export-0123abcd"])
def test_names_the_commands_that_show_a_resource(capsys: pytest.CaptureFixture[str], resource_id: str) -> None:
    """For the id of a resource, `omisim explain` names the commands that show a resource."""
    assert main(["explain", resource_id]) == 2
    expected = f"; `omisim lineage {resource_id}` and `omisim timeline {resource_id}` show a resource of a cloud\n"
    assert capsys.readouterr().err.endswith(expected)
    assert main(["explain", "prodct", "code"]) == 2
    assert "product code" in capsys.readouterr().err
    assert main(["explain", ""]) == main(["explain", " ", "_"]) == main(["explain", "x" * 10_000]) == 2
    capsys.readouterr()
    assert main(["explain", "☃"]) == 2
    assert "list what is known" in capsys.readouterr().err


def test_prints_json(capsys: pytest.CaptureFixture[str]) -> None:
    """One explanation is an object, several are a list."""
    assert main(["explain", "OOS", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["kind"] == "word"
    assert main(["explain", "in-use", "--json"]) == 0
    assert [row["kind"] for row in json.loads(capsys.readouterr().out)] == ["error", "state"]


def test_loads_neither_the_model_nor_the_actions_for_a_rule() -> None:
    """What omisim explain prints for a rule is quick, because it reads tables only."""
    code = (
        "import sys; from omisim.tools.cli import main; main(['explain', 'OMI-022'])\n"
        "slow = ('omisim.model', 'omisim.actions.', 'omisim.cloud', 'rich')\n"
        "print(*sorted(name for name in sys.modules if name.startswith(slow)))"
    )
    assert run_python(code).splitlines()[-1] == ""
