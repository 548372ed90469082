"""Every file that omisim writes is for its owner alone: it may hold keys, or the contents of calls."""

from __future__ import annotations

import ast
import os
from pathlib import Path

import pytest
from support.syntax import syntax_nodes

from omisim.base.private_file import PRIVATE, check_target, open_private, write_private

# functions that create or open files for writing
WRITERS = frozenset(
    {"write_text", "write_bytes", "write_to_path", "touch", "mkstemp", "NamedTemporaryFile", "FileIO", "copyfile"}
)
# modules that use one of them, with the reason why its files are private without base/private_file.py
OWN_WAYS = {
    "clients/sdk_description.py": "NamedTemporaryFile creates files with the mode 0600",
    "server/host.py": "certificates in a temporary directory, which has the mode 0700",
    "server/state_file.py": "mkstemp creates the database with the mode 0600, which SQLite's log takes over",
    "tools/serve.py": "a descriptor of open_private, for a log without a buffer",
}


def writes_file(node: ast.AST) -> bool:
    """Whether a node is a call that may create a file."""
    if not isinstance(node, ast.Call):
        return False
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    if name in WRITERS or ast.unparse(node.func) == "os.open":
        return True
    modes = [*node.args[:2], *(keyword.value for keyword in node.keywords if keyword.arg == "mode")]
    texts = [mode.value for mode in modes if isinstance(mode, ast.Constant) and isinstance(mode.value, str)]
    return name == "open" and any(set(text) & set("wax+") and set(text) <= set("rwaxbt+") for text in texts)


def test_modules_write_files_by_one_function() -> None:
    """Only base/private_file.py opens files for writing; the other ways have a reason, and are still used."""
    users = {path for path, node in syntax_nodes("|".join([*WRITERS, "open"])) if writes_file(node)}
    assert users - {"base/private_file.py"} == set(OWN_WAYS)


@pytest.mark.parametrize(
    "text", ["open(a, 'w')", "a.open('xb')", "open(a, mode='r+')", "a.write_text(b)", "os.open(a)"]
)
def test_each_way_to_write_is_noticed(text: str) -> None:
    """The test above finds writers in whatever form they are written, and leaves readers alone."""
    assert writes_file(ast.parse(text, mode="eval").body)
    assert not writes_file(ast.parse("a.open('rb')", mode="eval").body)


class TestTargets:
    @pytest.mark.parametrize(
        ("name", "problem"),
        [
            ("a" * 300, "--out .*a: File name too long$"),
            ("file/report", "--out .*report: Not a directory$"),
            ("nowhere/report", "--out must be the path of a file in a folder that exists, not .*report$"),
            (".", "--out must be the path of a file in a folder that exists, not "),
        ],
    )
    def test_that_cannot_be_written_later_are_refused(self, tmp_path: Path, name: str, problem: str) -> None:
        """The file of an option is refused before a run, in one line."""
        (tmp_path / "file").touch()
        with pytest.raises(ValueError, match=problem):
            check_target("--out", tmp_path / name)

    @pytest.mark.parametrize("name", ["file", "new"])
    def test_without_permission_are_refused(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        """A file that may not be written is refused, and a new one in a folder that may not be."""
        (tmp_path / "file").touch()
        check_target("--out", tmp_path / name)
        monkeypatch.setattr(os, "access", lambda *_: False)  # root may write everywhere
        with pytest.raises(ValueError, match="--out must be the path of a file that may be written, not "):
            check_target("--out", tmp_path / name)


class TestFiles:
    @pytest.mark.parametrize("mode", [None, 0o644])
    def test_are_private_whatever_they_were(self, tmp_path: Path, mode: int | None) -> None:
        """A new file, and one that existed with another mode and a longer content, has the mode 0600."""
        file, before = tmp_path / "a", os.umask(0)
        try:
            if mode is not None:
                file.write_text("x" * 100)
                file.chmod(mode)
            write_private(file, "ä\n")
        finally:
            os.umask(before)
        assert file.read_bytes() == "ä\n".encode()
        assert file.stat().st_mode & 0o777 == PRIVATE

    def test_behind_a_symbolic_link_are_written(self, tmp_path: Path) -> None:
        """The link stays, and its target has the content."""
        (tmp_path / "link").symlink_to(tmp_path / "target")
        write_private(tmp_path / "link", b"a")
        assert (tmp_path / "link").is_symlink()
        assert (tmp_path / "target").read_bytes() == b"a"

    def test_that_are_devices_keep_their_mode(self) -> None:
        """A report can be thrown away by writing it to the null device."""
        mode = Path(os.devnull).stat().st_mode
        write_private(os.devnull, "a")
        assert Path(os.devnull).stat().st_mode == mode

    def test_in_a_missing_directory_are_an_error(self, tmp_path: Path) -> None:
        """The error of the operating system is raised."""
        with pytest.raises(FileNotFoundError):
            open_private(tmp_path / "no" / "a")

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has /dev/full")
    def test_on_a_full_disk_are_named_in_the_error(self) -> None:
        """The error has the path, which the operating system names only when it opens a file."""
        with pytest.raises(OSError, match="No space left on device: '/dev/full'"):
            write_private("/dev/full", "a")
