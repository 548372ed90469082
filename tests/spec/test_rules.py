"""rules.toml and the code: each id in one stands in the other, and every template finds its facts."""

from __future__ import annotations

import ast
import pickle
import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from string import Formatter

import pytest
from support.api_names import oapi_names
from tools.proofs import TABLE, proofs, table

import omisim
from omisim import Account, ApiError
from omisim.actions.tags import TAGGED
from omisim.model import Image
from omisim.spec.cell_rules import list_cell_rules
from omisim.spec.errors import ERRORS
from omisim.spec.lifecycle import LIFECYCLES
from omisim.spec.rules import GRADES, Rule, load_rules, refuse
from omisim.state.settings import SWITCHES

PACKAGE = Path(omisim.__file__).parent
REFUSALS = [rule for rule in (*load_rules().values(), *list_cell_rules()) if rule.error]
ID = re.compile(r"[A-Z]{2,4}-\d{2,3}(?:/[a-z-]+)?")


def named_in_code() -> dict[str, set[str]]:
    """Return the rule ids that stand as string constants in the code, with the files."""
    facts_by_rule: dict[str, set[str]] = {}
    for source in PACKAGE.rglob("*.py"):
        if "testing" in source.relative_to(PACKAGE).parts:
            continue  # what tests a rule does not enforce it
        for node in ast.walk(ast.parse(source.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and ID.fullmatch(node.value):
                facts_by_rule.setdefault(node.value, set()).add(source.name)
    for kind, resource_type in TAGGED.values():  # tags.py puts these together
        facts_by_rule[f"TAG-005/{'vm' if kind == 'vm' else resource_type}"] = {"tags.py"}
    return facts_by_rule


def call_sites() -> Iterator[tuple[str, str, set[str]]]:
    """Yield file, rule id and the names of the facts of each direct `refuse` and `check`."""
    for source in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(source.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) in (
                "check",
                "refuse",
            ):
                ids = [a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
                if ids and ID.fullmatch(ids[-1]):
                    yield source.name, ids[-1], {keyword.arg or "" for keyword in node.keywords}


def fields_of(rule: Rule) -> set[str]:
    """Return the facts that a rule's templates ask for: the names that are not of the API."""
    names = {name for text in (rule.details, rule.fix) for _, name, _, _ in Formatter().parse(text) if name}
    return {name for name in names if name.islower()}


class TestRuleCatalogue:
    def test_has_every_id_of_the_code(self) -> None:
        """No refusal names an unknown rule."""
        assert set(named_in_code()) - set(load_rules()) == set()

    def test_has_no_refusal_that_the_code_does_not_name(self) -> None:
        """Every row with an error is enforced: one rule, one address."""
        assert {rule.id for rule in load_rules().values() if rule.error} - set(named_in_code()) == set()

    def test_is_proven_by_tests_and_cases(self) -> None:
        """Every modelled rule has a test or case that names it, and none names an unknown rule."""
        modelled = {rule.id for rule in load_rules().values() if not rule.out}
        assert modelled - set(proofs()) == set()
        assert set(proofs()) - set(load_rules()) - {rule.id for rule in list_cell_rules()} == set()

    def test_has_a_current_table_of_proofs(self) -> None:
        """The generated table is current: run `python tests/tools/proofs.py`."""
        assert TABLE.read_text() == table()

    def test_names_every_switch(self) -> None:
        """Each switch answers a question that a row leaves open, and no row names another."""
        assert {rule.switch for rule in load_rules().values()} == {"", *SWITCHES}

    @pytest.mark.parametrize("rule", list(load_rules().values()), ids=lambda rule: rule.id)
    def test_has_complete_rows(self, rule: Rule) -> None:
        """A row has a statement, known grades and a documentation page, and Details with an error; or a reason."""
        if rule.out:
            assert rule.out.endswith(".")
            assert rule.says + rule.error == ""
            return
        assert rule.says.endswith(".")
        assert rule.evidence in GRADES
        assert rule.error_evidence in {"", *GRADES}
        assert rule.source.startswith("https://docs.outscale.com/")
        assert rule.kind
        if rule.error:
            assert rule.error in ERRORS
            assert rule.details

    @pytest.mark.parametrize(("file", "rule_id", "facts"), list(call_sites()))
    def test_has_templates_whose_facts_are_given(self, file: str, rule_id: str, facts: set[str]) -> None:
        """Each place that refuses gives the facts that the templates of the rule use."""
        assert fields_of(load_rules()[rule_id]) <= facts, file

    @pytest.mark.parametrize("rule", REFUSALS, ids=lambda rule: rule.id)
    def test_has_the_names_of_the_api_in_braces(self, rule: Rule) -> None:
        """A text has each name of an action or a parameter as {VmId}, so that it can be spelled as the caller does."""
        names: set[str] = set()
        for literal, name, _, _ in chain(*map(Formatter().parse, (rule.details, rule.fix))):
            if not rule.id.startswith("FCU-"):  # whose texts have the names of EC2
                assert oapi_names() & {*re.findall(r"(?<!-)\b[A-Z]\w+", literal)} == set()
            names |= {name} if name and not name.islower() else set()
        assert names <= oapi_names()

    def test_has_no_plural_behind_a_number_that_may_be_one(self) -> None:
        """A text such as "has 1 characters" is avoided by another order. FLT-012 has more than a thousand values."""
        plural = re.compile(r"\{(?:count|length)\} (?:\w+ )?\w+s\b")
        assert [rule.id for rule in REFUSALS if plural.search(rule.details)] == ["FLT-012"]

    def test_includes_the_illegal_cells(self) -> None:
        """Each illegal cell has its own id, and an error of the table."""
        rules = list_cell_rules()
        assert len({rule.id for rule in rules}) == len(rules)
        assert all(rule.error in ERRORS and rule.evidence in GRADES for rule in rules)

    def test_names_states_of_the_api_in_refusals(self) -> None:
        """A caller sees a VM that restarts as pending."""
        assert not [rule.id for rule in list_cell_rules() if "restarting" in rule.details + rule.says + rule.fix]

    def test_requires_no_state_that_is_refused(self) -> None:
        """No action requires the state that it refuses."""
        for rule in list_cell_rules():
            state, _, required = rule.details.partition("; ")
            assert state.rpartition(" ")[2] not in re.findall(r"[\w-]+", required.partition("requires")[2]), rule.id

    def test_has_cells_of_known_states_only(self) -> None:
        """The state of a cell is one of its kind, or the VM's restarting."""
        for kind, lifecycle in LIFECYCLES.items():
            known_states = {*lifecycle.moves, *(["restarting"] if kind == "vm" else [])}
            assert {state for states in lifecycle.refused.values() for state in states} <= known_states


class TestErrorTable:
    def test_has_one_code_for_each_name(self) -> None:
        """A name stands for one code."""
        codes = [kind.code for kind in ERRORS.values()]
        assert len(set(codes)) == len(codes)

    @pytest.mark.parametrize("kind", list(ERRORS.values()), ids=lambda kind: kind.name)
    def test_keeps_the_ranges_that_clients_rely_on(self, kind: object) -> None:
        """5xxx is 400 InvalidResource, 6xxx and 9xxx are 409, 10xxx are quotas. [QTA-018]"""
        number, status, name = int(kind.code), kind.status, kind.type  # type: ignore[attr-defined]
        if 5000 <= number < 6000:
            assert (status, name) == (400, "InvalidResource")
        if 6000 <= number < 7000 or 9000 <= number < 10000:
            assert (status, name) == (409, "InvalidState" if number < 7000 else "ResourceConflict")
        if 10002 < number < 11000:
            assert (status, name) == (400, "TooManyResources (QuotaExceded)")


class TestApiError:
    def test_has_the_error_of_the_api_and_the_rule(self, alice: Account, golden: Image) -> None:
        """An ApiError has the API's code, status, type and details, and the broken rule with its facts. [OMI-022]"""
        with pytest.raises(ApiError) as refusal:
            alice.create_image(source_image_id=golden.image_id, source_region_name="eu-west-2", image_name="golden")
        error = refusal.value
        assert (error.code, error.status, error.type, error.rule) == ("9015", 409, "ResourceConflict", "OMI-022")
        assert error.facts == {"image_name": "golden", "taken_by": golden.image_id}
        assert str(error) == f"409 9015 ResourceConflict (OMI-022): {error.details}"

    def test_explains_its_rule(self) -> None:
        """`explain` gives the statement, the facts, the fix, the evidence and the documentation."""
        text = refuse("OMI-022", image_name="golden", taken_by="ami-12345678").explain()
        for part in ("OMI-022: ", "Refused: ", "taken_by = ami-12345678", "Fix: ", "duplicate-name", "Evidence: "):
            assert part in text
        assert "https://docs.outscale.com/" in text

    def test_explains_no_empty_facts(self, alice: Account) -> None:
        """`explain` omits a fact without content, such as the suggestion for a name that resembles no other."""
        with pytest.raises(ApiError) as refusal:
            alice.call("Xyzzy")
        assert refusal.value.facts["hint"] == ""
        assert "hint" not in refusal.value.explain()

    def test_explains_a_suggestion_once(self, alice: Account) -> None:
        """`explain` shows a did-you-mean suggestion in the line of the refusal, and not again as a fact."""
        with pytest.raises(ApiError) as refusal:
            alice.call("ReadImagess")
        text = refusal.value.explain()
        assert text.count("Did you mean ReadImages?") == 1
        assert "hint" not in text

    def test_lists_every_known_parameter_once(self, alice: Account) -> None:
        """The list of the filters of a read is long, and it is shown as a whole. [REQ-008]"""
        with pytest.raises(ApiError) as refusal:
            alice.call("ReadVms", Filters={"Unicorns": ["x"]})
        text = refusal.value.explain()
        assert len(refusal.value.facts["known"]) > 50
        assert f"Known parameters: {', '.join(refusal.value.facts['known'])}.\n" in text
        assert text.count("NicLinkNicDeleteOnVmDeletion") == 1

    def test_says_how_many_items_of_a_long_list_are_left_out(self) -> None:
        """A request may contain megabytes, so a list ends with the number of the items that are not shown."""
        services = [f"pl-{number:08}" for number in range(10_000)]
        details = refuse("SG-029", service_ids=services).details
        shown = details.count("pl-")
        assert 100 < shown < 200
        assert f"{services[shown - 1]} and {10_000 - shown} more" in details

    def test_explains_where_its_rule_was_seen(self) -> None:
        """`explain` says where a rule was seen, and what other sources say."""
        assert "  Known: The Kubernetes driver" in refuse("LNK-008", vm_id="i-12345678", most=40).explain()

    def test_has_the_names_of_the_api_as_the_caller_spells_them(self) -> None:
        """The names in the Details and the fix are spelled as a caller does, and the facts are as they were."""
        error = refuse("VM-013/subnet", private_ips=["10.0.0.9"])
        assert "Add SubnetId, or omit PrivateIps." in error.explain()
        error.spell_names(str.upper)
        assert "Add SUBNET_ID, or omit PRIVATE_IPS." in error.explain()
        assert "10.0.0.9 cannot" in error.details

    def test_can_be_pickled(self) -> None:
        """An ApiError survives pickling, as pytest-xdist needs."""
        error = refuse("OMI-022", image_name="golden", taken_by="ami-12345678")
        twin = pickle.loads(pickle.dumps(error))
        assert (str(twin), twin.facts, twin.rule) == (str(error), error.facts, error.rule)

    def test_keeps_its_call_when_it_is_pickled(self, alice: Account, golden: Image) -> None:
        """The request id, the similar ids, the origins of OMIs and notes cross to another process too."""
        with pytest.raises(ApiError) as refusal:
            alice.delete_image(image_id=golden.image_id[:-1] + ("0" if golden.image_id[-1] != "0" else "1"))
        refusal.value.add_note("in the nightly run")
        twin = pickle.loads(pickle.dumps(refusal.value))
        assert twin.request_id == alice.cloud.calls()[-1].request_id
        assert (twin.similar_ids, twin.__notes__) == ((golden.image_id,), ["in the nightly run"])
        assert twin.explain() == refusal.value.explain()
