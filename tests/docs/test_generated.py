"""The generated reference: every rule, error and public name has an entry."""

from __future__ import annotations

import pytest
from generated import expand
from generated.docstrings import to_rest
from generated.markdown import prose
from support.pages import ROOT, list_anchors, read_page

from omisim.actions.framework.registry import ACTIONS, not_served
from omisim.pytest_plugin.marker_options import KNOWN
from omisim.spec.cell_rules import load_every_rule
from omisim.spec.errors import ERRORS
from omisim.spec.lifecycle import LIFECYCLES
from omisim.state.settings import SWITCHES
from omisim.tools.cli import parsers
from omisim.tools.scenario import list_shipped

REFERENCE = ROOT / "docs" / "reference"


class TestGeneratedPages:
    def test_have_an_anchor_for_every_rule(self) -> None:
        """The entry that `omisim explain` names exists for each rule and each illegal cell."""
        pages = {rule.page for rule in load_every_rule().values()}
        assert {path.stem for path in (REFERENCE / "rules").glob("*.md")} == {*pages, "index"}
        for rule in load_every_rule().values():
            assert rule.anchor in list_anchors(REFERENCE / "rules" / f"{rule.page}.md"), rule.id

    def test_give_each_rule_an_anchor_of_its_own(self) -> None:
        """Anchors are unique across all pages, as Sphinx requires of targets."""
        anchors = [rule.anchor for rule in load_every_rule().values()]
        assert len(set(anchors)) == len(anchors)

    def test_have_an_entry_for_every_error_switch_lifecycle_command_and_scenario(self) -> None:
        """The other generated pages leave nothing out."""
        assert set(ERRORS) <= list_anchors(REFERENCE / "errors.md")
        assert set(SWITCHES) <= list_anchors(REFERENCE / "switches.md")
        assert {f"lifecycle-{kind.replace('_', '-')}" for kind in LIFECYCLES} <= list_anchors(
            REFERENCE / "lifecycles.md"
        )
        assert {f"omisim-{name}" for name in parsers() if name != "omisim"} <= list_anchors(REFERENCE / "cli.md")
        assert {f"scenario-{name}" for name in list_shipped()} <= list_anchors(REFERENCE / "scenarios.md")

    def test_list_every_action(self) -> None:
        """Each action of the API is listed, as served or not."""
        page = read_page(REFERENCE / "actions.md")
        assert [name for name in [*ACTIONS, *not_served()] if f"`{name}`" not in page] == []

    def test_list_the_rules_that_name_an_action(self) -> None:
        """The rules of an action are those of its page in the API's documentation and those that name it."""
        row = next(line for line in read_page(REFERENCE / "actions.md").splitlines() if "`ReadAccessKeys`" in line)
        assert "[AK-009](" in row

    def test_keep_code_spans(self) -> None:
        """A code span in a text of a table is one; everything else is escaped."""
        assert prose("Use `a_b`, not *b*.") == r"Use `a_b`, not \*b\*."

    def test_state_the_same_facts_as_explain(self) -> None:
        """An entry has the statement, the error, the fix, the evidence, the difference from EC2 and the source."""
        entry = expand("<!-- generated: rules image -->").partition("(omi-022)=")[2].partition("(omi-023)=")[0]
        rule = load_every_rule()["OMI-022"]
        for part in (
            rule.says,
            "HTTP 409, code 9015",
            rule.show(rule.details),
            rule.show(rule.fix),
            rule.ec2,
            "documented",
            rule.source,
        ):
            assert part in entry

    def test_list_the_fixtures_and_arguments_that_users_write(self) -> None:
        """The page of the plugin leaves out private fixtures, and names as arguments only those of the marker."""
        rows = read_page(REFERENCE / "pytest.md").splitlines()
        assert [row for row in rows if row.startswith("| [`_")] == []
        arguments = [row.split("|")[1].strip(" `") for row in rows if "`omisim_" in row and row.startswith("| ")]
        assert [name for name in arguments if name and name not in KNOWN] == []

    def test_show_the_properties_of_values(self) -> None:
        """The entry of a class of values has its properties, such as `image.snapshot_ids`, beside its fields."""
        assert ".. autoclass:: omisim.model.Image\n   :members:\n.." in expand("<!-- generated: entities -->")

    def test_refuse_an_unknown_name(self) -> None:
        """A mistyped comment fails the build."""
        with pytest.raises(KeyError, match="rulez"):
            expand("<!-- generated: rulez image -->")


class TestDocstrings:
    def test_become_lists_code_and_links(self) -> None:
        """A section becomes a list, an indented block after a blank line code, and the id of a rule a link."""
        docstring = ["Do it.", "", "Args:", "    name: Of the thing,", "        in full.", "    **more: Anything."]
        arguments = [":param name: Of the thing,", "    in full.", r":param \*\*more: Anything."]
        assert to_rest(docstring) == ["Do it.", "", "", *arguments]
        assert to_rest(["Named once (OMI-022)."]) == ["Named once (:ref:`OMI-022 <omi-022>`)."]
        assert to_rest(['Write `{"OMI-022": "no-op"}`.']) == ['Write `{"OMI-022": "no-op"}`.']
        assert to_rest(["Do it:", "", "    code()", "", "End."]) == ["Do it:", "", "::", "", "    code()", "", "End."]

    def test_keep_each_item_of_a_section_together(self) -> None:
        """The second line of an item is aligned with its text: further in, it would turn the first into a heading."""
        docstring = ["Raises:", "    ValueError: The text", "        lists the values."]
        assert to_rest(docstring) == ["Raises:", "", "- `ValueError`: The text", "  lists the values."]
