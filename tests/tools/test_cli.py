"""The command line, as a new user types it."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from omisim import Cloud, __version__
from omisim.spec.lifecycle import LIFECYCLES, cells
from omisim.spec.rules import catalogue
from omisim.tools.cli import main
from omisim.tools.demo import Story, play


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
        assert {step["who"] for step in data["steps"]} == {"alice", "bob", "carol", "omisim"}
        assert data["lineage"]["kind"] == "image"

    def test_makes_every_call_through_the_sdk(self, story: Story) -> None:
        """Each step that is a call stands in the cloud's journal, signed by its account."""
        told = [(step.who, step.action) for step in story.steps if step.action and "polls" not in step.means]
        journal = [(record.account, record.action) for record in story.cloud.calls()]
        for call in told:
            assert call in journal
            journal.remove(call)

    def test_shows_three_refusals_with_their_rules(self, story: Story) -> None:
        """Bob's late launch, alice's early deletion and carol's late import are refused."""
        refusals: list[Any] = [step for step in story.steps if step.refusal]
        assert [(step.who, step.status, step.refusal["rule"]) for step in refusals] == [
            ("bob", 400, "VM-002"),
            ("alice", 409, "SNP-016"),
            ("carol", 400, "IMP-002"),
        ]

    def test_ends_with_bobs_things_alive(self, story: Story) -> None:
        """What bob made of the OMI lives on after it is gone."""
        text = str(story.lineage)
        assert "golden (alice, deleted)" in text
        assert "golden-copy1 (bob, available)" in text
        assert "t2.small (bob, running)" in text

    def test_takes_the_licence_across_regions_with_the_omi_alone(self, story: Story) -> None:
        """Carol's import keeps the licence; her OMI from a snapshot has dropped it, and lineage says where."""
        text = str(story.lineage)
        assert "golden-import (carol, available)" in text
        assert "from-a-snapshot (carol, available, licence 0006 dropped here)" in text


class TestExplain:
    @pytest.mark.parametrize("rule", ["OMI-022", "vm/StartVms/running"])
    def test_prints_a_rule(self, capsys: pytest.CaptureFixture[str], rule: str) -> None:
        """`explain` knows the rows of rules.toml and the cells of the lifecycles."""
        assert main(["explain", rule]) == 0
        assert capsys.readouterr().out.startswith(f"{rule}: ")

    @pytest.mark.parametrize(
        ("rule", "reference"),
        [
            ("OMI-022", "image.html#omi-022"),
            ("volume_link/UnlinkVolume/detaching", "volume-link.html#volume-link-unlinkvolume-detaching"),
        ],
    )
    def test_names_the_entry_in_the_reference(
        self, capsys: pytest.CaptureFixture[str], rule: str, reference: str
    ) -> None:
        """`explain` prints the page and the anchor of a rule in the documentation, and gives it as data."""
        assert main(["explain", rule]) == 0
        assert f"  Reference: docs/reference/rules/{reference}\n" in capsys.readouterr().out
        assert main(["explain", rule, "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["reference"] == f"docs/reference/rules/{reference}"

    def test_refuses_an_unknown_rule(self, capsys: pytest.CaptureFixture[str]) -> None:
        """An id that is no rule's is refused on a line."""
        assert main(["explain", "OMI-999"]) == 1
        assert "there is no rule 'OMI-999'" in capsys.readouterr().err


class TestRules:
    def test_lists_every_rule(self, capsys: pytest.CaptureFixture[str]) -> None:
        """`rules` prints a line for each row and each illegal cell, with its error and its evidence."""
        assert main(["rules"]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert len(lines) == len(catalogue()) + len(cells())
        assert any(line.startswith("OMI-022 ") and "409 9015" in line and "documented" in line for line in lines)

    @pytest.mark.parametrize(
        ("options", "inside", "outside"),
        [
            (["--kind", "snapshot"], {"SNP-016", "snapshot/DeleteSnapshot/pending"}, {"OMI-022", "VM-002"}),
            (["--action", "LinkVolume"], {"LNK-005", "vm/LinkVolume/pending"}, {"OMI-022"}),
            (["--evidence", "measured"], {"VM-002", "SNP-002"}, {"OMI-022"}),
        ],
    )
    def test_filters(
        self, capsys: pytest.CaptureFixture[str], options: list[str], inside: set[str], outside: set[str]
    ) -> None:
        """Rules are filtered by kind, action and evidence, and given as data."""
        assert main(["rules", "--json", *options]) == 0
        ids = {rule["id"] for rule in json.loads(capsys.readouterr().out)}
        assert inside <= ids
        assert not outside & ids

    def test_of_an_unknown_action_are_none(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Nothing found is said, and is exit status 1."""
        assert main(["rules", "--action", "Nothing"]) == 1
        assert "0 rules" in capsys.readouterr().err

    def test_of_a_mistyped_action_name_the_nearest(self, capsys: pytest.CaptureFixture[str]) -> None:
        """An action that is nearly right is named."""
        assert main(["rules", "--action", "CreateImag"]) == 1
        assert "0 rules; did you mean CreateImage?" in capsys.readouterr().err

    def test_are_explained_as_data(self, capsys: pytest.CaptureFixture[str]) -> None:
        """`explain --json` gives the rule and the tests that prove it."""
        assert main(["explain", "OMI-022", "--json"]) == 0
        data = json.loads(capsys.readouterr().out)
        assert (data["id"], data["error"]) == ("OMI-022", "duplicate-name")
        assert all(test.startswith("tests/") for test in data["proofs"])
        assert data["proofs"]

    def test_not_modelled_say_why(self, capsys: pytest.CaptureFixture[str]) -> None:
        """A rule that is not modelled is listed with the reason."""
        assert main(["explain", "SHR-024"]) == 0
        assert "Not modelled: EIM" in capsys.readouterr().out

    def test_name_their_proof_and_their_switch(self, capsys: pytest.CaptureFixture[str]) -> None:
        """`explain` names the tests that prove a rule, and the switch that decides it."""
        assert main(["explain", "OMI-038"]) == 0
        out = capsys.readouterr().out
        assert "Proof: tests/actions/test_images.py::TestCopy::test_of_a_public_omi_is_private" in out
        assert "copy_keeps_public" in out


class TestLifecycle:
    def test_prints_all_tables(self, capsys: pytest.CaptureFixture[str]) -> None:
        """`lifecycle` shows each kind, its transitions and what is refused with which code."""
        assert main(["lifecycle"]) == 0
        out = capsys.readouterr().out
        for kind in LIFECYCLES:
            assert f"\n{kind}\n" in f"\n{out}"
        assert "UnlinkVolume    6003      9063       yes     6003      6003" in out

    def test_draws_mermaid(self, capsys: pytest.CaptureFixture[str]) -> None:
        """`--format mermaid` gives a diagram of one kind."""
        assert main(["lifecycle", "image", "--format", "mermaid"]) == 0
        assert capsys.readouterr().out.startswith("stateDiagram-v2\n  [*] --> pending\n")

    def test_is_data_too(self, capsys: pytest.CaptureFixture[str]) -> None:
        """`--json` gives where each event leads, after how long, and the code of each refusal."""
        assert main(["lifecycle", "snapshot", "--json"]) == 0
        tables = json.loads(capsys.readouterr().out)
        assert list(tables) == ["snapshot"]
        moves, refused = tables["snapshot"]["moves"], tables["snapshot"]["refused"]
        assert moves["in-queue"]["start"] == {"to": "pending", "after": 5, "timer": False}
        assert moves["pending"]["finish"]["after"] == "by size"
        assert moves["deleting"]["vanish"]["to"] is None
        assert refused["DeleteSnapshot"]["pending"] == "6003"

    def test_of_an_unknown_kind_names_the_known(self, capsys: pytest.CaptureFixture[str]) -> None:
        """A kind that is not there is refused with those that are."""
        assert main(["lifecycle", "omi"]) == 1
        assert "vm, volume, volume_link" in capsys.readouterr().err


class TestImages:
    def test_lists_the_catalogue_of_a_region(self, capsys: pytest.CaptureFixture[str]) -> None:
        """`images` prints the id and the name of each official OMI; `--json` all of it."""
        official = Cloud().images.all("us-east-2")
        assert main(["images", "--region", "us-east-2"]) == 0
        assert capsys.readouterr().out.split("\n")[0] == f"{official[0].image_id}  {official[0].image_name}"
        assert main(["images", "--region", "us-east-2", "--json"]) == 0
        assert [row["ImageId"] for row in json.loads(capsys.readouterr().out)] == [row.image_id for row in official]

    def test_of_an_unknown_region_names_the_known(self, capsys: pytest.CaptureFixture[str]) -> None:
        """A Region that there is not is refused with those there are."""
        assert main(["images", "--region", "mars"]) == 1
        assert capsys.readouterr().err.startswith("omisim images: region is one of eu-west-2, ")


def test_help_lists_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    """`--help` names what there is."""
    with pytest.raises(SystemExit):
        main(["--help"])
    assert "golden-image pipeline" in capsys.readouterr().out


def test_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    """`--version` says which omisim this is."""
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out == f"omisim {__version__}\n"
