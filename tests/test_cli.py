"""The command line, as a new user types it."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from omisim.cli import main
from omisim.demo import Story, play


@pytest.fixture(name="story", scope="module")
def _story() -> Story:
    return play()


class TestDemo:
    def test_prints_its_transcript_and_the_tree(self) -> None:
        """`python -m omisim demo` tells the story, and ends with the lineage; exit status 0."""
        run = subprocess.run([sys.executable, "-m", "omisim", "demo"], capture_output=True, text=True, check=True)
        assert "SNP-016" in run.stdout
        assert "copied from: image ami-" in run.stdout
        assert run.stderr == ""

    def test_is_data_on_demand(self, capsys: pytest.CaptureFixture[str]) -> None:
        """`--json` gives the same as data."""
        assert main(["demo", "--json"]) == 0
        data = json.loads(capsys.readouterr().out)
        assert {step["who"] for step in data["steps"]} == {"alice", "bob"}
        assert data["lineage"]["kind"] == "image"

    def test_makes_every_call_through_the_sdk(self, story: Story) -> None:
        """Each step that is a call stands in the cloud's journal, signed by its account."""
        told = [(step.who, step.action) for step in story.steps if step.action and "polls" not in step.means]
        journal = [(record.account, record.action) for record in story.cloud.calls()]
        for call in told:
            assert call in journal
            journal.remove(call)

    def test_shows_two_refusals_with_their_rules(self, story: Story) -> None:
        """Bob's late launch and alice's early deletion are refused."""
        refusals: list[Any] = [step for step in story.steps if step.refusal]
        assert [(step.who, step.status, step.refusal["rule"]) for step in refusals] == [
            ("bob", 400, "VM-002"),
            ("alice", 409, "SNP-016"),
        ]

    def test_ends_with_bobs_things_alive(self, story: Story) -> None:
        """What bob made of the OMI lives on after it is gone."""
        text = str(story.lineage)
        assert "golden (alice, deleted)" in text
        assert "golden-copy1 (bob, available)" in text
        assert "t2.small (bob, running)" in text


class TestExplain:
    @pytest.mark.parametrize("rule", ["OMI-022", "vm/StartVms/running"])
    def test_prints_a_rule(self, capsys: pytest.CaptureFixture[str], rule: str) -> None:
        """`explain` knows the rows of rules.toml and the cells of the lifecycles."""
        assert main(["explain", rule]) == 0
        assert capsys.readouterr().out.startswith(f"{rule}: ")

    def test_refuses_an_unknown_rule(self, capsys: pytest.CaptureFixture[str]) -> None:
        """An id that is no rule's is refused on a line."""
        assert main(["explain", "OMI-999"]) == 1
        assert "there is no rule 'OMI-999'" in capsys.readouterr().err


def test_help_lists_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    """`--help` names what there is."""
    with pytest.raises(SystemExit):
        main(["--help"])
    assert "golden-image pipeline" in capsys.readouterr().out
