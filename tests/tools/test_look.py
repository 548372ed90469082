"""`omisim lineage`, `timeline` and `who-can`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from omisim import Cloud
from omisim.server.state_file import open_state_file
from omisim.tools.cli import main

SHARED = ("golden", "--scenario", "shared-image")


@pytest.mark.parametrize(
    ("command", "text"),
    [
        (("lineage", *SHARED), "image ami-"),
        (("lineage", *SHARED, "--format", "mermaid"), "flowchart LR\n"),
        (("lineage", *SHARED, "--format", "svg"), "<svg xmlns="),
        (("timeline", *SHARED), "2026-01-01T00:00:00"),
        (("who-can", *SHARED), "account  read "),
    ],
    ids=" ".join,
)
def test_shows_a_scenario(capsys: pytest.CaptureFixture[str], command: tuple[str, ...], text: str) -> None:
    """A resource is found by its name in the scenario."""
    assert main(command) == 0
    assert capsys.readouterr().out.startswith(text)


def test_shows_a_dump_as_json(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Each command reads a dump, and has a form for programs."""
    cloud = Cloud.from_scenario("shared-image")
    dump = tmp_path / "cloud.json"
    dump.write_text(json.dumps(cloud.dump()), "utf-8")
    assert main(["lineage", cloud.named("golden"), "--state", str(dump), "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["id"] == cloud.named("golden")
    assert main(["who-can", "golden", "--state", str(dump), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["bob"]["launch"] == {"allowed": True, "rule": "SHR-005"}
    assert main(["timeline", "golden", "--state", str(dump), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["what"] == "created, pending"


def test_finds_a_deleted_omi_by_its_name(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """An OMI that was deleted is named by its ImageName, unless another one has the name now."""
    cloud = Cloud()
    alice, debian = cloud.account("alice"), cloud.images.official("debian").image_id
    dump = tmp_path / "cloud.json"
    for text in ("deleted", "available"):
        image = alice.create_image(source_image_id=debian, source_region_name="eu-west-2", image_name="golden")
        if text == "deleted":
            alice.delete_image(image_id=image.image_id)
        dump.write_text(json.dumps(cloud.dump()), "utf-8")
        assert main(["lineage", "golden", "--state", str(dump)]) == 0
        first_line = capsys.readouterr().out.splitlines()[0]
        assert image.image_id in first_line
        assert text in first_line


def test_shows_the_state_file_of_a_server(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Each command reads the database of `serve --state`, and leaves it alone; while a server has it, it says so."""
    state = tmp_path / "cloud.db"
    commands = [["lineage", "golden"], ["who-can", "golden"], ["timeline", "golden"]]
    with open_state_file(str(state), lambda: Cloud.from_scenario("shared-image"), lambda _: None):
        for command in commands:
            assert main([*command, "--state", str(state)]) == 2
            assert capsys.readouterr().err.endswith("another server uses this file\n")
    before = state.read_bytes()
    for command in commands:
        assert main([*command, *SHARED[1:]]) == 0
        expected = capsys.readouterr().out
        assert main([*command, "--state", str(state)]) == 0
        assert capsys.readouterr().out == expected
    assert state.read_bytes() == before


@pytest.mark.parametrize("name", ["cloud.db", "./cloud.db", "link.db"])
def test_finds_a_state_file_by_any_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """A state file is found by a relative path, and through a symbolic link, as `serve` finds it."""
    monkeypatch.chdir(tmp_path)
    with open_state_file("cloud.db", lambda: Cloud.from_scenario("shared-image"), lambda _: None):
        pass
    Path("link.db").symlink_to("cloud.db")
    for command in (["lineage", "golden"], ["who-can", "golden"], ["timeline"]):
        assert main([*command, "--state", name]) == 0


def test_shows_a_running_server(capsys: pytest.CaptureFixture[str]) -> None:
    """A server gives its state through the control plane."""
    with Cloud.from_scenario("shared-image").serve() as server:
        assert main(["lineage", "golden", "--url", server.url, "--token", server.token]) == 0
    assert "golden (alice in eu-west-2" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("command", "problem"),
    [
        (("lineage", "ami-00000000", *SHARED[1:]), "no resource ami-00000000 exists"),
        (("lineage", "golden"), "choose a cloud with --scenario NAME, --state FILE or --url URL"),
        (("lineage", "golden", "--state", "README.md"), "README.md: neither a state file nor a JSON dump: "),
        (("lineage", "golden", "--state", "missing.json"), "missing.json"),
        (("lineage", *SHARED, "--most", "0"), "most must be a positive int"),
        (("who-can", "golden/dev/sda1", *SHARED[1:]), "is not an OMI of this cloud"),
        (("timeline", "--account", "zoe", *SHARED[1:]), "unknown account 'zoe'; known: alice, bob"),
        (("timeline", "--url", "http://127.0.0.1:9"), "omisim timeline: "),
        (("timeline", "--url", "localhost:9"), "url must be a URL such as http://127.0.0.1:8333, not 'localhost:9'"),
        (("timeline", "--url", "file:///etc/passwd"), "url must be a URL such as"),
        (("timeline", "--url", "ftp://127.0.0.1:9"), "url must be a URL such as"),
        (("timeline", "--url", "http://[::1"), "url must be a URL such as"),
    ],
    ids=" ".join,
)
def test_reports_a_problem_on_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...], problem: str
) -> None:
    """A mistake ends with status 2 and a line on standard error."""
    monkeypatch.delenv("OMISIM_URL", raising=False)
    monkeypatch.chdir(Path(__file__).parents[2])
    assert main(command) == 2
    error = capsys.readouterr().err
    assert problem in error
    assert len(error.splitlines()) == 1


@pytest.mark.parametrize("command", ["lineage", "timeline", "who-can"])
def test_escapes_what_could_steer_the_terminal(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, command: str
) -> None:
    """The control characters of a name are printed as escapes, on standard error, too."""
    cloud = Cloud()
    alice = cloud.account("alice\x1b[2J\x9b1m")
    volume = alice.create_volume(subregion_name="eu-west-2a", size=10)
    snapshot_id = alice.create_snapshot(volume_id=volume.volume_id).snapshot_id
    mapping = {"device_name": "/dev/sda1", "bsu": {"snapshot_id": snapshot_id}}
    image = alice.create_image(image_name="golden", block_device_mappings=[mapping], root_device_name="/dev/sda1")
    dump = tmp_path / "cloud.json"
    dump.write_text(json.dumps(cloud.dump()), "utf-8")
    assert main([command, image.image_id, "--state", str(dump)]) == 0
    assert main([command, "x\x1b[2J\x9b1m", "--state", str(dump)]) == 2
    printed = capsys.readouterr()
    assert not {"\x1b", "\x9b"}.intersection(printed.out + printed.err)
    assert r"x\x1b[2J\x9b1m" in printed.err


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="its encoder nests ten times as deep")
def test_refuses_a_lineage_that_is_too_deep_for_json(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """JSON nests each generation in the one before, which no reader of JSON follows for a thousand generations."""
    cloud = Cloud()
    alice = cloud.account("alice")
    volume = alice.create_volume(size=1, subregion_name="eu-west-2a")
    root = volume.volume_id
    for _ in range(600):
        snapshot = alice.create_snapshot(volume_id=volume.volume_id)
        volume = alice.create_volume(snapshot_id=snapshot.snapshot_id, subregion_name="eu-west-2a")
    dump = tmp_path / "cloud.json"
    dump.write_text(json.dumps(cloud.dump()), "utf-8")
    source = (root, "--state", str(dump), "--format", "json", "--most")
    assert main(["lineage", *source, "2000"]) == 2
    assert "choose fewer with --most" in capsys.readouterr().err
    assert main(["lineage", *source, "100"]) == 0


class TestNamesOfOmis:
    """A cloud without a scenario, such as that of a server, knows the names that its users gave."""

    @pytest.fixture(name="state")
    def _state(self, tmp_path: Path) -> str:
        """A dump of a cloud in which alice has `golden`, and both alice and bob have `base`."""
        cloud = Cloud()
        source = cloud.images.official("debian").image_id
        for account, name in (("alice", "golden"), ("alice", "base"), ("bob", "base")):
            cloud.account(account).create_image(source_image_id=source, source_region_name="eu-west-2", image_name=name)
        (tmp_path / "cloud.json").write_text(json.dumps(cloud.dump()), "utf-8")
        return str(tmp_path / "cloud.json")

    @pytest.mark.parametrize("command", ["lineage", "timeline", "who-can"])
    def test_find_them(self, state: str, command: str) -> None:
        """The name of an OMI stands for its id."""
        assert main([command, "golden", "--state", state]) == 0

    @pytest.mark.parametrize("command", ["lineage", "timeline", "who-can"])
    def test_get_a_suggestion_when_they_are_mistyped(
        self, state: str, capsys: pytest.CaptureFixture[str], command: str
    ) -> None:
        """The name that was probably meant is shown."""
        assert main([command, "goldn", "--state", state]) == 2
        error = "no resource has the id or name 'goldn'; did you mean golden?"
        assert capsys.readouterr().err == f"omisim {command}: {error}\n"

    def test_of_several_accounts_are_refused_with_the_ids(self, state: str, capsys: pytest.CaptureFixture[str]) -> None:
        """Only within an account is the name of an OMI unique."""
        assert main(["who-can", "base", "--state", state]) == 2
        error = capsys.readouterr().err
        assert error.startswith("omisim who-can: several OMIs have the name 'base': ami-")
        assert (error.count("ami-"), error.endswith("; choose one by its id\n")) == (2, True)
