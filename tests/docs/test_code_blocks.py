"""Every code block of README and of the documentation works as it stands, and prints what its page shows.

A block whose first line is a comment with a file name (`# conftest.py`) is a file that the other blocks of its page
find in their folder.
"""

from __future__ import annotations

import configparser
import os
import re
import shlex
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from shutil import which

import pytest
import yaml
from hypothesis import settings
from support.commands import find_problem, iter_commands
from support.forking import run_forked
from support.pages import ROOT, Block, list_blocks, read_page
from support.planted_bugs import PLANTED
from support.plugged import run_plugin

from omisim import ApiError, Cloud
from omisim.tools.cli import main

pytest_plugins = ["pytester"]

PYTHON = list_blocks("python")
SHELL = ("console", "bash", "sh", "shell")
IMPORTED = (
    "boto3", "omisim.clients.boto", "omisim.clients.environment", "omisim.clients.gateway", "omisim.cloud",
    "omisim.doors.fcu", "omisim.doors.oos", "omisim.server", "omisim.testing", "osc_sdk_python", "pytest",
)  # fmt: skip
KNOWN = {"diff", "ini", "json", "mermaid", "python", "text", "toml", "yaml", *SHELL}


LOCAL = re.compile(r"\$ omisim (?:explain|lifecycle|check --scenario) .*\n(?!\$)")
SHOWN = re.compile(r"^\s*print\(.*\)  # (.+)$", re.MULTILINE)


def is_test_file(block: Block) -> bool:
    """Whether pytest runs the block: it defines a test, or a test case made by a state machine."""
    return re.search(r"\bdef test_|\.TestCase\b", block.text) is not None


def find_output(block: Block) -> list[str]:
    """Return the lines of the output that follow a script in its section, or [] if commands or a failure follow."""
    following = next((each for each in list_blocks() if each.page == block.page and each.line > block.line), None)
    if following is None or following.language != "console" or any(iter_commands(following.text)):
        return []
    end = block.line + block.text.count("\n")
    between = read_page(block.page).splitlines()[end : following.line]
    output = following.text.splitlines()
    return [] if any(line.startswith("#") for line in between) or output[0].startswith("E ") else output


def shows_line(comment: str, line: str) -> bool:
    """Whether the comment behind a print shows this line of the output, and perhaps a remark after it."""
    return bool(line) and (comment.startswith(line) or re.match(as_pattern(comment), line) is not None)


def ends_with(output: str, shown: list[str]) -> bool:
    """Whether an output ends with the lines that a page shows: a line of `…` alone stands for any lines."""
    pattern = "".join(r"(?:.*\n)*?" if line.strip() == "…" else as_pattern(line) + r"\n" for line in shown)
    return re.search(rf"^{pattern}\Z", output, re.MULTILINE) is not None


def as_pattern(shown: str) -> str:
    """Return the pattern of a line that a page shows: `…` stands for any text."""
    return re.escape(shown).replace("…", ".*")


@pytest.fixture(name="folder")
def _folder(pytester: pytest.Pytester, request: pytest.FixtureRequest) -> Path:
    """A folder with the files of the block's page."""
    block: Block = request.getfixturevalue("block")
    for other in list_blocks("python", "toml", "ini", "yaml"):
        if other.page == block.page and other.file_name and other != block:
            path = pytester.path / other.file_name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(other.text, "utf-8")
    return pytester.path


@pytest.fixture(autouse=True)
def _same_profile() -> Iterator[None]:
    """Keep a block from changing the profile of Hypothesis that later tests use."""
    profile = settings.get_current_profile_name()
    yield
    settings.load_profile(profile)


class TestPython:
    @pytest.mark.parametrize("block", [block for block in PYTHON if is_test_file(block)], ids=str)
    def test_files_of_tests_pass(self, folder: Path, pytester: pytest.Pytester, block: Block) -> None:
        """A test file can be copied: all its tests pass, with warnings as errors."""
        assert folder
        assert run_plugin(pytester, block.text).parseoutcomes().keys() == {"passed"}

    @pytest.mark.parametrize("block", [block for block in PYTHON if not is_test_file(block)], ids=str)
    def test_scripts_run(self, folder: Path, block: Block) -> None:
        """A script can be copied: it runs in a process of its own, with warnings as errors."""
        run = run_forked(block.text, folder, *IMPORTED)
        assert (run.status, run.stderr) == (0, "")
        for comment in SHOWN.findall(block.text):
            assert any(shows_line(comment, line) for line in run.stdout.splitlines()), comment
        assert ends_with(run.stdout, find_output(block)), run.stdout


class TestConfiguration:
    @pytest.mark.parametrize("block", list_blocks("toml"), ids=str)
    def test_of_toml_is_valid(self, block: Block, tmp_path: Path) -> None:
        """A TOML block parses, and a scenario makes a cloud."""
        if "steps" in tomllib.loads(block.text):
            scenario = tmp_path / "scenario.toml"
            scenario.write_text(block.text, "utf-8")
            assert Cloud.from_scenario(scenario).accounts

    @pytest.mark.parametrize("block", list_blocks("ini"), ids=str)
    def test_of_pytest_is_accepted(self, pytester: pytest.Pytester, block: Block) -> None:
        """An ini block parses, and pytest accepts its options."""
        parser = configparser.ConfigParser()
        parser.read_string(block.text)
        if parser.has_section("pytest"):
            pytester.makeini(block.text)
            run_plugin(pytester, "def test_it(omi_cloud, omi_account): pass").assert_outcomes(passed=1)

    @pytest.mark.parametrize("block", list_blocks("yaml", "json"), ids=str)
    def test_of_yaml_is_valid(self, block: Block) -> None:
        """A YAML or JSON block parses."""
        assert yaml.safe_load(block.text) is not None


def test_every_block_names_its_language() -> None:
    """A block without a language, or with a mistyped one, would escape these tests."""
    unnamed = [block for block in list_blocks() if block.language not in KNOWN and not block.language.startswith("{")]
    assert list(map(str, unnamed)) == []


@pytest.mark.parametrize("block", [block for block in list_blocks("console") if LOCAL.match(block.text)], ids=str)
def test_commands_print_what_the_page_shows(
    block: Block, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command that needs neither a server nor a file of the reader prints the output below it."""
    monkeypatch.setenv("COLUMNS", "100")
    command, *shown = block.text.splitlines()
    main(shlex.split(command)[2:])
    output = re.sub(r"(?m)^  Proof: .*\n", "", capsys.readouterr().out)  # only a checkout has the tests that are proofs
    assert ends_with(output, shown), output


def find_console_block(word: str) -> Block:
    """Return the only console block with this text."""
    (block,) = (block for block in list_blocks("console") if word in block.text)
    return block


def test_the_script_of_a_broken_law_is_the_one_that_the_check_prints(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page on model checking shows the script of an omisim whose DeleteImage deletes the snapshots too."""
    PLANTED["snapshots go with their OMI"][1](monkeypatch)
    main(["check", "--depth", "2"])
    shown = find_console_block("breaks the law an_action_writes_only_its_kinds").text.splitlines()
    assert ends_with(capsys.readouterr().out, shown)


def test_the_script_of_a_history_ends_with_its_failure() -> None:
    """The script on the page on random histories is refused by the rule that its first lines name."""
    comment, script = find_console_block("# --- reproduction script").text.split("\n", 1)
    refusal = re.search(r"Discarding: ApiError: (.+): The snapshot", script)
    assert comment
    assert refusal
    with pytest.raises(ApiError, match=re.escape(refusal[1])):
        exec(script, {})


def test_a_replay_prints_what_the_page_shows(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """The divergence is that of a recording of the repository whose line 19 has another code."""
    recording = (ROOT / "fixtures" / "recordings" / "golden-image.jsonl").read_text("utf-8")
    (tmp_path / "changed.jsonl").write_text(recording.replace('"9029"', '"9999"'), "utf-8")
    main(["replay", str(tmp_path / "changed.jsonl")])
    output = "".join(capfd.readouterr()).replace(f"{tmp_path}/", "")
    assert ends_with(output, find_console_block("omisim replay changed.jsonl").text.splitlines()[1:]), output


@pytest.mark.skipif(which("curl") is None, reason="curl is not installed")
def test_commands_of_the_control_plane_print_what_the_page_shows() -> None:
    """The curl commands of the control plane work one after the other, as a reader pastes them into a shell."""
    blocks = [block.text for block in list_blocks("console") if "$CONTROL" in block.text]
    lines = "".join(blocks).splitlines()
    script = "\necho\n".join(line.removeprefix("$ ") for line in lines if line.startswith("$ "))
    with Cloud().serve() as server:
        server.cloud.account("alice").read_vms()
        variables = {"OMISIM_URL": server.url, "OMISIM_TOKEN": server.token}
        run = subprocess.run(
            ["bash", "-e"], input=script, env=os.environ | variables, capture_output=True, text=True, check=False
        )
    shown = [line for line in lines if not line.startswith("$ ")]
    assert ends_with(re.sub(r"\n+", "\n", run.stdout) + "\n", shown), run.stdout + run.stderr


@pytest.mark.parametrize("block", list_blocks(*SHELL), ids=str)
def test_commands_exist(block: Block) -> None:
    """Every command of a console block exists, with its subcommand, its options, its files and its extras."""
    assert [problem for command in iter_commands(block.text) if (problem := find_problem(command))] == []


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("omisim explian OMI-022", "invalid choice: 'explian'"),
        ("omisim serve --prot 1", "unrecognized arguments"),
        ("pip install 'omisim[al]'", "unknown extra: al"),
        ("pip install 'omisim[all] @ git+file:///omisim'", "needs a host"),
        ("pytest --omisim-cover", "unknown option: --omisim-cover"),
        ("python tests/nothing.py", "no such file"),
        ("omisin demo", "unknown command"),
    ],
)
def test_a_wrong_command_is_found(command: str, message: str) -> None:
    """A mistyped command, option, extra or file is reported."""
    assert message in str(find_problem(command))
