"""The SDK's parsed API description outlives the process in a file of the cache folder."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import sleep
from typing import Any

import pytest

from omisim.clients import sdk_description
from omisim.clients.replaced_values import isolated_environ
from omisim.clients.sdk_description import get_cache_folder, kept_description

SDK = """
class Gateway:
    parsed = []

    def __init__(self, source):
        self.structure = self._convert(source)
        self._load_errors()

    def _convert(self, source):
        self.parsed.append(source)
        self.api_version = "1.2"
        with open(source) as file:
            return {"ReadVms": file.read()}

    def _load_errors(self):
        self.gateway_errors = {4000: {"Name": "access-keys-not-found"}}
"""


@pytest.fixture(name="folder")
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache" / "omisim"
    monkeypatch.setenv("OMISIM_CACHE_DIR", str(folder))
    return folder


@pytest.fixture(name="new_gateway")
def _new_gateway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Any]:
    """Creates a Gateway of a small SDK with one description, as the first one of a process."""
    (tmp_path / "small_sdk.py").write_text(SDK)
    (tmp_path / "resources").mkdir()
    (tmp_path / "resources" / "spec.yaml").write_text("vms")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "small_sdk", raising=False)
    sdk = importlib.import_module("small_sdk")

    def create() -> Any:
        monkeypatch.setattr(sdk_description, "_parsed", {})
        with kept_description(sdk.Gateway):
            return sdk.Gateway(str(tmp_path / "resources" / "spec.yaml"))

    return create


class TestDescription:
    def test_is_the_same_from_a_file(self, new_gateway: Callable[[], Any], folder: Path) -> None:
        """Another process reads the file, parses nothing, and has the same Gateway, whole numbers as keys included."""
        first, second = new_gateway(), new_gateway()
        assert len(second.parsed) == 1
        assert vars(second) == vars(first)
        assert second.gateway_errors == {4000: {"Name": "access-keys-not-found"}}

    def test_of_a_changed_sdk_is_parsed_again(
        self, new_gateway: Callable[[], Any], folder: Path, tmp_path: Path
    ) -> None:
        """A file serves only the SDK and the description from which it was made."""
        new_gateway()
        (tmp_path / "resources" / "spec.yaml").write_text("images")
        assert new_gateway().structure == {"ReadVms": "images"}

    @pytest.mark.parametrize("text", ["", "{'result': ", "[" * 10_000, "{'result': 1}", "\0", "print(1)"])
    def test_is_parsed_again_if_the_file_is_damaged(
        self, new_gateway: Callable[[], Any], folder: Path, text: str
    ) -> None:
        """A file that does not hold what was written is replaced."""
        new_gateway()
        for file in folder.iterdir():
            file.write_text(text)
        assert new_gateway().structure == {"ReadVms": "vms"}
        assert len(new_gateway().parsed) == 2

    def test_does_not_need_a_folder_that_can_be_written(self, new_gateway: Callable[[], Any], folder: Path) -> None:
        """A cache folder that cannot be created costs time, not the Gateway."""
        folder.parent.write_text("a file where the folder should be")
        assert new_gateway().structure == {"ReadVms": "vms"}

    def test_may_be_written_by_many_processes_at_once(
        self, new_gateway: Callable[[], Any], folder: Path, tmp_path: Path
    ) -> None:
        """Each of them has its Gateway, and two whole files are left."""
        code = (
            "import small_sdk\n"
            "from omisim.clients.sdk_description import kept_description\n"
            "with kept_description(small_sdk.Gateway): print(vars(small_sdk.Gateway('resources/spec.yaml')))"
        )
        environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
        processes = [
            subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, env=environment, stdout=subprocess.PIPE)
            for _ in range(4)
        ]
        outputs = {process.communicate()[0] for process in processes}
        assert len(outputs) == 1
        assert b"access-keys-not-found" in outputs.pop()
        assert [file.suffix for file in folder.iterdir()] == [".txt", ".txt"]

    def test_is_parsed_once_by_threads_that_need_it_at_once(
        self, new_gateway: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The first of several threads parses the description; the others wait for its result."""
        sdk = type(new_gateway())
        sdk.parsed.clear()
        monkeypatch.setenv("OMISIM_CACHE_DIR", "")
        monkeypatch.setattr(sdk_description, "_parsed", {})
        parse = vars(sdk)["_convert"]

        def slowly(self: Any, source: str) -> Any:
            sleep(0.05)
            return parse(self, source)

        monkeypatch.setattr(sdk, "_convert", slowly)
        with kept_description(sdk), ThreadPoolExecutor(4) as pool:
            list(pool.map(sdk, [__file__] * 4))
        assert len(sdk.parsed) == 1


class TestCacheFolder:
    def test_is_turned_off_by_an_empty_variable(
        self, new_gateway: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """`OMISIM_CACHE_DIR=` keeps the description in the process alone."""
        monkeypatch.setenv("OMISIM_CACHE_DIR", "")
        assert get_cache_folder() is None
        assert new_gateway().structure == {"ReadVms": "vms"}

    def test_is_none_without_a_home(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Where HOME is not set, nothing is written into the current directory."""
        for name in ("OMISIM_CACHE_DIR", "XDG_CACHE_HOME", "HOME", "LOCALAPPDATA"):
            monkeypatch.delenv(name, raising=False)
        assert get_cache_folder() is None

    def test_is_the_users_also_when_a_test_has_another_home(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The temporary HOME of `omi_env` does not move the folder."""
        monkeypatch.delenv("OMISIM_CACHE_DIR", raising=False)
        folder = get_cache_folder()
        with isolated_environ("XDG_", HOME="/nowhere", LOCALAPPDATA="/nowhere"):
            assert get_cache_folder() == folder
