"""The command line, as a new user types it."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from omisim import Cloud, __version__
from omisim.spec.cell_rules import list_cell_rules
from omisim.spec.lifecycle import LIFECYCLES
from omisim.spec.rules import load_rules
from omisim.state.settings import AUTH_MODES, TIMINGS
from omisim.tools import output
from omisim.tools.cli import main, parsers
from omisim.tools.demo import Story, play, show


@pytest.fixture(name="story", scope="module")
def _story() -> Story:
    return play()


class TestDemo:
    def test_prints_a_transcript_and_the_lineage(self) -> None:
        """`python -m omisim demo` prints its calls and ends with the lineage; exit status 0."""
        run = subprocess.run([sys.executable, "-m", "omisim", "demo"], capture_output=True, text=True, check=True)
        assert "SNP-016" in run.stdout
        assert "copied from: image ami-" in run.stdout
        assert run.stderr == ""

    def test_prints_json_on_request(self, capsys: pytest.CaptureFixture[str]) -> None:
        """`--json` prints the same as data."""
        assert main(["demo", "--json"]) == 0
        data = json.loads(capsys.readouterr().out)
        assert {step["who"] for step in data["steps"]} == {"alice", "bob", "carol", "omisim"}
        assert data["lineage"]["kind"] == "image"

    def test_makes_every_call_through_the_sdk(self, story: Story) -> None:
        """Each step that is a call is in the call log of the cloud, signed by its account."""
        calls = [(step.who, step.action) for step in story.steps if step.action and "polls" not in step.means]
        journal = [(record.account, record.action) for record in story.cloud.calls()]
        for call in calls:
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

    def test_waits_before_each_step_on_request(self, story: Story) -> None:
        """`--step` waits as often as there are steps."""
        pauses: list[None] = []
        show(story, Console(file=io.StringIO(), width=80), lambda: pauses.append(None))
        assert len(pauses) == len(story.steps)

    def test_shows_the_whole_lineage_on_a_narrow_terminal(self, story: Story) -> None:
        """The end of a line of the lineage, which names the licences, is wrapped and not truncated."""
        text = io.StringIO()
        show(story, Console(file=text, width=80, soft_wrap=True))
        lineage = text.getvalue().partition("Lineage of the official OMI")[2]
        assert max(map(len, lineage.splitlines())) <= 80
        assert story.lineage
        nodes = [story.lineage]
        for node in nodes:
            nodes += node.children
            assert "".join(node.line().split()) in re.sub(r"[\s│├└─]", "", lineage)

    def test_writes_the_picture_of_readme(
        self, story: Story, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """`--svg FILE` writes a picture and prints nothing; a file that cannot be written is reported in one line."""
        monkeypatch.setattr("omisim.tools.demo.play", lambda: story)
        assert main(["demo", "--svg", str(tmp_path / "demo.svg")]) == 0
        assert (tmp_path / "demo.svg").read_text("utf-8").startswith("<svg ")
        assert main(["demo", "--svg", str(tmp_path / "missing" / "demo.svg")]) == 2
        out, error = capsys.readouterr()
        assert (out, len(error.splitlines())) == ("", 1)

    def test_says_how_to_go_on_where_it_waits(
        self, story: Story, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """On a terminal, `--step` says that Enter shows the next step, and waits once for each."""
        waits: list[None] = []
        monkeypatch.setattr("omisim.tools.demo.play", lambda: story)
        monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: True))
        monkeypatch.setattr("builtins.input", lambda: waits.append(None))
        assert main(["demo", "--step"]) == 0
        assert capsys.readouterr().out.startswith("Enter shows the next step, Ctrl-C ends the demo.\n")
        assert len(waits) == len(story.steps)

    def test_ends_with_the_resources_of_bob_intact(self, story: Story) -> None:
        """Resources that bob made from the OMI remain after its deletion."""
        text = str(story.lineage)
        assert "golden (alice in eu-west-2, deleted" in text
        assert "golden-copy1 (bob in eu-west-2, available" in text
        assert "t2.small (bob in eu-west-2, running" in text

    def test_keeps_the_licence_across_regions_for_the_omi_only(self, story: Story) -> None:
        """Carol's import keeps the licence; her OMI from a snapshot has lost it, and lineage says where."""
        text = str(story.lineage)
        assert "golden-import (carol in us-east-2, available, licences 0001 0006)" in text
        assert "from-a-snapshot (carol in us-east-2, available, licences 0001, licence 0006 dropped here)" in text


class TestExplain:
    @pytest.mark.parametrize("rule", ["OMI-022", "vm/StartVms/running"])
    def test_prints_a_rule_or_a_cell_of_a_lifecycle(self, capsys: pytest.CaptureFixture[str], rule: str) -> None:
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
        assert f" Reference: docs/reference/rules/{reference} " in f" {' '.join(capsys.readouterr().out.split())} "
        assert main(["explain", rule, "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["reference"] == f"docs/reference/rules/{reference}"

    def test_refuses_an_unknown_rule(self, capsys: pytest.CaptureFixture[str]) -> None:
        """An unknown rule id is refused in one line."""
        assert main(["explain", "OMI-999"]) == 2
        assert "unknown word 'OMI-999'; similar: " in capsys.readouterr().err


class TestRulesCommand:
    def test_lists_every_rule_and_illegal_cell(self, capsys: pytest.CaptureFixture[str]) -> None:
        """`rules` prints a line for each row and each illegal cell, with its error and its evidence."""
        assert main(["rules"]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert len(lines) == len(load_rules()) + len(list_cell_rules())
        assert any(line.startswith("OMI-022 ") and "409 9015" in line and "documented" in line for line in lines)

    @pytest.mark.parametrize(
        ("options", "inside", "outside"),
        [
            (["--kind", "OMIs"], {"OMI-022", "image/CreateVms/pending"}, {"SNP-016"}),
            (["--kind", "object-storage"], {"OOS-001"}, {"OMI-022"}),
            (["--kind", "snapshot"], {"SNP-016", "snapshot/DeleteSnapshot/pending"}, {"OMI-022", "VM-002"}),
            (["--action", "LinkVolume"], {"LNK-005", "vm/LinkVolume/pending"}, {"OMI-022"}),
            (["--action", "readaccesskeys"], {"AK-009"}, {"AK-002"}),
            (["--evidence", "measured"], {"VM-002", "SNP-002"}, {"OMI-022"}),
        ],
    )
    def test_filters_by_kind_action_and_evidence(
        self, capsys: pytest.CaptureFixture[str], options: list[str], inside: set[str], outside: set[str]
    ) -> None:
        """Rules are filtered by kind, action and evidence, and printed as data."""
        assert main(["rules", "--json", *options]) == 0
        ids = {rule["id"] for rule in json.loads(capsys.readouterr().out)}
        assert inside <= ids
        assert not outside & ids

    @pytest.mark.parametrize("command", ["rules", "probe --list"])
    def test_refuses_an_unknown_kind_with_a_suggestion(self, capsys: pytest.CaptureFixture[str], command: str) -> None:
        """A mistyped kind is answered with all kinds, and the one that was probably meant."""
        assert main([*command.split(), "--kind", "snapshto"]) == 2
        error = capsys.readouterr().err
        assert error.startswith(f"omisim {command.split(maxsplit=1)[0]}: --kind must be one of access_key, account, ")
        assert error.endswith("not 'snapshto'; did you mean snapshot?\n")

    def test_ends_with_status_1_when_nothing_matches(self, capsys: pytest.CaptureFixture[str]) -> None:
        """When no rule matches, the command says so and ends with status 1."""
        assert main(["rules", "--action", "create"]) == 1  # a word of many statements
        assert "0 rules" in capsys.readouterr().err

    def test_suggests_no_action_in_place_of_a_known_one(self, capsys: pytest.CaptureFixture[str]) -> None:
        """An action without rules of the kind is not called mistyped."""
        assert main(["rules", "--action", "createimage", "--kind", "tag"]) == 1
        assert capsys.readouterr().err == "0 rules\n"

    def test_suggests_a_similar_action_for_a_mistyped_one(self, capsys: pytest.CaptureFixture[str]) -> None:
        """A mistyped action is answered with a suggestion."""
        assert main(["rules", "--action", "CreateImag"]) == 1
        assert "0 rules; did you mean CreateImage?" in capsys.readouterr().err

    def test_explains_a_rule_as_json(self, capsys: pytest.CaptureFixture[str]) -> None:
        """`explain --json` prints the rule and the tests that prove it."""
        assert main(["explain", "OMI-022", "--json"]) == 0
        data = json.loads(capsys.readouterr().out)
        assert (data["id"], data["error"]) == ("OMI-022", "duplicate-name")
        assert all(test.startswith(("tests/", "omisim/probe/")) for test in data["proofs"])
        assert data["proofs"]

    def test_gives_the_reason_for_a_rule_not_modelled(self, capsys: pytest.CaptureFixture[str]) -> None:
        """A rule that is not modelled is listed with the reason."""
        assert main(["explain", "SHR-024"]) == 0
        assert "SHR-024: no rule of its own. EIM" in capsys.readouterr().out

    def test_names_the_proofs_and_the_switch_of_a_rule(self, capsys: pytest.CaptureFixture[str]) -> None:
        """`explain` names the tests that prove a rule, and the switch that decides it."""
        assert main(["explain", "OMI-038"]) == 0
        out = capsys.readouterr().out
        assert "Proof: tests/actions/test_images.py::TestCopyOfOmi::test_of_a_public_omi_is_private" in out
        assert "copy_keeps_public" in out


class TestHelp:
    @pytest.mark.parametrize(
        ("arguments", "usage"),
        [
            ("help", "usage: omisim [-h]"),
            ("help tour", "usage: omisim tour [-h]"),
            ("tour --help", "usage: omisim tour"),
        ],
    )
    def test_is_a_command_too(self, capsys: pytest.CaptureFixture[str], arguments: str, usage: str) -> None:
        """`omisim help` and `omisim help COMMAND` show the same as --help; exit status 0."""
        with pytest.raises(SystemExit) as exit_status:
            main(arguments.split())
        assert exit_status.value.code == 0
        assert capsys.readouterr().out.startswith(usage)

    @pytest.mark.parametrize("name", sorted(set(parsers()) - {"omisim"}))
    def test_says_what_a_command_and_each_of_its_arguments_do(self, name: str) -> None:
        """No command, positional argument or option is without a text."""
        parser = parsers()[name]
        assert parser.description
        assert [action.dest for action in vars(parser)["_actions"] if not action.help] == []


class TestUnreadableFiles:
    @pytest.mark.parametrize(
        "arguments",
        [
            ["lineage", "golden", "--state", "nowhere"],
            ["tour", "--lesson", "1", "--check", "nowhere"],
            ["replay", "nowhere"],
            ["rules", "--measured", "nowhere"],
            ["probe", "http://127.0.0.1:1", "--experiments", "nowhere"],
        ],
    )
    def test_are_named_once_with_the_reason(self, capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
        """A file that does not exist is one line with its name and the reason, without an error number."""
        assert main(arguments) != 0
        assert capsys.readouterr().err == f"omisim {arguments[0]}: nowhere: No such file or directory\n"


class TestTables:
    @pytest.mark.parametrize("command", [["rules"], ["actions"]])
    def test_fit_into_a_terminal(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, command: list[str]
    ) -> None:
        """On a terminal, a row that is too long goes on below its last column; in a pipe, each row is a line."""
        assert main(command) == 0
        rows = capsys.readouterr().out.splitlines()
        monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
        monkeypatch.setenv("COLUMNS", "80")
        assert main(command) == 0
        lines = capsys.readouterr().out.splitlines()
        assert max(map(len, rows)) > 80
        assert [line.split()[0] for line in lines if line[0] != " "] == [row.split()[0] for row in rows]
        assert max(len(line) for line in lines if "switches=" not in line) <= 80  # a long word is never split
        assert " ".join(" ".join(lines).split()) == " ".join(" ".join(rows).split())


class TestMistypedArguments:
    @pytest.mark.parametrize(
        ("arguments", "suggestion"),
        [
            (["tuor"], "did you mean tour?"),
            (["who_can", "ami-12345678"], "did you mean who-can?"),
            (["serve", "--timming", "eager"], "did you mean --timing?"),
            (["replay", "file", "--vlaues"], "did you mean --values?"),
            (["--versoin"], "did you mean --version?"),
            (["rules", "--evidence", "infered"], "; did you mean inferred?"),
            (["serve", "--timing", "clok"], "; did you mean clock?"),
            (["tour", "--lesson", "four"], "argument --lesson: must be an integer, not 'four'"),
            (["tour", "3"], "unrecognized arguments: 3; omisim tour --help shows its options"),
            (["rules", "OMI-022"], "unrecognized arguments: OMI-022; omisim rules --help shows its options"),
        ],
    )
    def test_are_answered_with_a_suggestion(
        self, capsys: pytest.CaptureFixture[str], arguments: list[str], suggestion: str
    ) -> None:
        """A mistyped command or option is refused with the one probably meant; exit status 2."""
        with pytest.raises(SystemExit) as exit_status:
            main(arguments)
        assert exit_status.value.code == 2
        assert suggestion in capsys.readouterr().err


class TestOptionsWithoutEffect:
    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ("check --dask tcp://127.0.0.1:1 --workers 2", "--workers has no effect beside --dask, whose cluster"),
            ("check --scenario shared-image --regions 1", "--regions has no effect beside --scenario, which"),
            ("demo --json --step", "--step has no effect beside --json"),
            ("demo --svg demo.svg --json", "--json has no effect beside --svg"),
            ("lifecycle vm --json --format mermaid", "--format has no effect beside --json"),
            ("lineage golden --scenario shared-image --cloud a", "--cloud has no effect beside --scenario"),
            ("timeline --state cloud.db --token a", "--token has no effect beside --state"),
            ("who-can golden --scenario shared-image --token a", "--token has no effect beside --scenario"),
            ("probe http://127.0.0.1:1 --explore 1 --json", "--json has no effect beside --explore, which"),
            ("probe http://127.0.0.1:1 --explore 1 --rule OMI-022", "--rule has no effect beside --explore, which"),
            ("probe --list --cheap", "--cheap has no effect beside --list"),
            ("probe --dry --seed 7", "--seed has no effect without --explore"),
            ("serve --tls --tls-cert a --tls-key b", "--tls has no effect beside --tls-cert"),
            ("tour --lesson 1 --state x.json", "--state has no effect without --check"),
            ("tour --lesson 1 --check x.py --url http://127.0.0.1:1", "--url has no effect beside a SCRIPT"),
            ("tour --check --scenario shared-image --list", "--list has no effect beside --check"),
            ("tour --restart --lesson 1 --check x.py", "--restart has no effect beside --check"),
            ("tour --list --lesson 2", "--lesson has no effect beside --list"),
        ],
    )
    def test_are_refused(self, capsys: pytest.CaptureFixture[str], arguments: str, message: str) -> None:
        """An option that another one leaves without effect is refused in one line, instead of ignored."""
        command, *options = arguments.split()
        assert main([command, *options]) == 2
        output, error = capsys.readouterr()
        assert (output, error.startswith(f"omisim {command}: {message}"), error.count("\n")) == ("", True, 1)

    def test_may_have_defaults_in_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A variable of a server that is in use does not keep a command from reading a scenario."""
        for name in ("OMISIM_URL", "OMISIM_TOKEN", "OMISIM_CLOUD"):
            monkeypatch.setenv(name, "x")
        assert main(["lineage", "golden", "--scenario", "shared-image"]) == 0

    def test_of_the_tour_may_have_defaults_in_the_environment(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The tour starts where OMISIM_URL is set, which it uses with --check only."""
        monkeypatch.setenv("OMISIM_URL", "http://127.0.0.1:1")
        assert main(["tour", "--list"]) == 0
        assert capsys.readouterr().out


class TestLifecycleCommand:
    def test_prints_the_table_of_every_kind(self, capsys: pytest.CaptureFixture[str]) -> None:
        """`lifecycle` prints each kind, its transitions and which action is refused with which code."""
        assert main(["lifecycle"]) == 0
        out = capsys.readouterr().out
        for kind in LIFECYCLES:
            assert f"\n{kind}\n" in f"\n{out}"
        assert "UnlinkVolume    6003      9063       yes     6003      6003" in out
        assert "{" not in out

    def test_draws_a_mermaid_diagram(self, capsys: pytest.CaptureFixture[str]) -> None:
        """`--format mermaid` prints the diagram of one kind."""
        assert main(["lifecycle", "image", "--format", "mermaid"]) == 0
        assert capsys.readouterr().out.startswith("stateDiagram-v2\n  [*] --> pending\n")

    def test_prints_json_on_request(self, capsys: pytest.CaptureFixture[str]) -> None:
        """`--json` prints where each event leads, after how long, and the code of each refusal."""
        assert main(["lifecycle", "snapshot", "--json"]) == 0
        tables = json.loads(capsys.readouterr().out)
        assert list(tables) == ["snapshot"]
        moves, refusals = tables["snapshot"]["moves"], tables["snapshot"]["refused"]
        cause = "its turn has come"
        assert moves["in-queue"]["start"] == {
            "to": "pending", "after": 5, "per_gib": None, "cause": cause, "timer": False,
        }  # fmt: skip
        assert moves["pending"]["finish"]["per_gib"] == 2
        assert moves["pending"]["finish"]["after"] == "by size"
        assert moves["deleting"]["vanish"]["to"] is None
        assert refusals["DeleteSnapshot"]["pending"] == "6003"

    def test_refuses_an_unknown_kind_with_the_known(self, capsys: pytest.CaptureFixture[str]) -> None:
        """An unknown kind is refused with the known ones."""
        assert main(["lifecycle", "snapshoot"]) == 2
        error = capsys.readouterr().err
        assert "vm, volume, volume_link" in error
        assert "did you mean snapshot?" in error

    @pytest.mark.parametrize("name", ["omi", "OMIs", "image", "Images"])
    def test_knows_other_names_of_a_kind(self, capsys: pytest.CaptureFixture[str], name: str) -> None:
        """An OMI is an image to the tables; case and number do not matter."""
        assert main(["lifecycle", name]) == 0
        assert capsys.readouterr().out.startswith("image\n")

    def test_draws_a_picture_of_one_kind(self, capsys: pytest.CaptureFixture[str]) -> None:
        """`--format svg` needs a kind."""
        assert main(["lifecycle", "vm", "--format", "svg"]) == 0
        assert capsys.readouterr().out.startswith("<svg ")
        assert main(["lifecycle", "--format", "svg"]) == 2
        assert "draws one KIND" in capsys.readouterr().err


class TestActionsCommand:
    def test_lists_every_official_action(self, capsys: pytest.CaptureFixture[str]) -> None:
        """`omisim actions` lists the 236 of the official description: served, or why not."""
        assert main(["actions", "--json"]) == 0
        rows = json.loads(capsys.readouterr().out)
        assert len(rows) == 236
        assert {row["action"] for row in rows if row["served"]} >= {"CreateImage", "DeleteExportTask"}
        assert all(row["served"] or row["reason"] for row in rows)
        assert main(["actions"]) == 0
        assert "CreateImage " in capsys.readouterr().out


class TestImagesCommand:
    def test_lists_the_catalogue_of_a_region(self, capsys: pytest.CaptureFixture[str]) -> None:
        """`images` prints the id and the name of each official OMI; `--json` all of it."""
        official = Cloud().images.all("us-east-2")
        assert main(["images", "--region", "us-east-2"]) == 0
        assert capsys.readouterr().out.split("\n")[0] == f"{official[0].image_id}  {official[0].image_name}"
        assert main(["images", "--region", "us-east-2", "--json"]) == 0
        assert [row["ImageId"] for row in json.loads(capsys.readouterr().out)] == [row.image_id for row in official]

    def test_refuses_an_unknown_region_with_the_known(self, capsys: pytest.CaptureFixture[str]) -> None:
        """An unknown Region is refused with the known ones."""
        assert main(["images", "--region", "mars"]) == 2
        assert capsys.readouterr().err.startswith("omisim images: region must be one of eu-west-2, ")


def test_the_choices_are_those_of_a_cloud() -> None:
    """The command line has lists of its own, so that it starts without a cloud."""
    assert (output.TIMINGS, output.AUTH_MODES) == (TIMINGS, AUTH_MODES)


def test_help_option_lists_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    """`--help` lists the commands."""
    with pytest.raises(SystemExit):
        main(["--help"])
    assert "golden-image pipeline" in capsys.readouterr().out


def test_version_option_prints_the_version_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    """`--version` prints the version of omisim."""
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out == f"omisim {__version__}\n"


def run_shell(command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a shell; `omisim` stands for this package."""
    command = f'omisim() {{ "{sys.executable}" -m omisim "$@"; }}\n{command}'
    return subprocess.run(
        ["sh", "-c", command], env=os.environ | environment, capture_output=True, text=True, check=False
    )


class TestWithoutHome:
    """A container may run with a user id that has no entry in the password database, and without HOME."""

    @pytest.fixture(autouse=True)
    def _no_home(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(_cls: type[Path]) -> Path:
            raise RuntimeError("Could not determine home directory.")

        monkeypatch.setattr(Path, "home", classmethod(fail))
        for name in [name for name in os.environ if name.startswith(("OSC_", "XDG_"))]:
            monkeypatch.delenv(name)

    @pytest.mark.parametrize("command", ["doctor", "tour --list", "tour --restart --list", "tour --lesson 1 --yes"])
    def test_a_command_works(self, command: str) -> None:
        """The configuration of real clients is not searched, and the progress of the tour is not kept."""
        assert main(command.split()) == 0

    @pytest.mark.parametrize(
        ("options", "text"),
        [
            ("", "no keys: set OSC_ACCESS_KEY and OSC_SECRET_KEY, or name a profile with --profile"),
            ("--profile work", "profile 'work' needs a home folder with .osc/config.json: set HOME"),
        ],
    )
    def test_a_probe_says_what_it_needs(self, capsys: pytest.CaptureFixture[str], options: str, text: str) -> None:
        """Keys come from the environment, or from a profile, whose file is in the home folder."""
        assert main(["probe", "http://127.0.0.1:1", *options.split()]) == 2
        assert capsys.readouterr().err == f"omisim probe: {text}\n"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no sh")
class TestOutput:
    @pytest.mark.parametrize("command", ["rules", "probe --list"])
    def test_ends_quietly_when_its_reader_has_closed_the_pipe(self, command: str) -> None:
        """`| head -1` ends a command without an error."""
        run = run_shell(f"omisim {command} | head -n 1")
        assert len(run.stdout.splitlines()) == 1
        assert run.stderr == ""

    @pytest.mark.parametrize("command", ["lineage golden --scenario shared-image", "lifecycle image"])
    def test_escapes_characters_that_its_encoding_lacks(self, command: str) -> None:
        r"""A terminal that is not of UTF-8 shows an arrow as `\u2192`, and the command does not fail."""
        run = run_shell(f"omisim {command}", PYTHONIOENCODING="ascii")
        assert "\\u2" in run.stdout
        assert (run.returncode, run.stderr) == (0, "")

    @pytest.mark.parametrize("redirection", [">&-", "<&-", "2>&-"])
    @pytest.mark.parametrize("command", ["explain OMI-022", "timeline --scenario shared-image", "tour --list"])
    def test_may_be_closed(self, command: str, redirection: str, tmp_path: Path) -> None:
        """A command runs without one of the standard streams, as a service manager may start it."""
        run = run_shell(f"omisim {command} {redirection}", HOME=str(tmp_path))
        assert (run.returncode, run.stderr) == (0, "")

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has /dev/full")
    @pytest.mark.parametrize("command", ["explain OMI-022", "rules"])
    def test_on_a_full_disk_is_an_error_of_one_line(self, command: str) -> None:
        """What cannot be written is reported in one line, also if it is shorter than a buffer."""
        run = run_shell(f"omisim {command} > /dev/full")
        assert run.stderr == f"omisim {command.split(maxsplit=1)[0]}: No space left on device\n"
        assert run.returncode == 2
