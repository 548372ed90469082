"""The pytest plugin, as a downstream team meets it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]
README = Path(__file__).parent.parent / "README.md"


class TestFixtures:
    def test_are_found_without_configuration(self, pytester: pytest.Pytester) -> None:
        """Installing the package is enough to have the fixtures."""
        listed = pytester.runpytest_subprocess("--fixtures", "-p", "no:xdist").stdout.str()
        assert re.findall(r"^(omi_\w+)", listed, re.MULTILINE) == [
            "omi_cloud",
            "omi_account",
            "omi_gateway",
            "omi_oos",
            "omi_server",
        ]

    def test_give_each_test_a_cloud_of_its_own(self, pytester: pytest.Pytester) -> None:
        """What one test does, the next does not see."""
        pytester.makepyfile(
            """
            import pytest

            @pytest.mark.parametrize("turn", [1, 2])
            def test_fresh(omi_account, turn):
                assert omi_account.read_volumes() == ()
                omi_account.create_volume(subregion_name="eu-west-2a", size=1)
            """
        )
        pytester.runpytest_subprocess("-W", "error", "-p", "no:xdist").assert_outcomes(passed=2)

    def test_of_object_storage_and_the_server_are_of_the_same_cloud(self, pytester: pytest.Pytester) -> None:
        """Client and server are the test's own cloud's."""
        pytester.makepyfile(
            """
            import urllib.request

            def test_both(omi_oos, omi_server, omi_account, omi_cloud):
                omi_oos.create_bucket(Bucket="golden")
                assert omi_server.cloud is omi_cloud
                assert omi_server.env(omi_account)["OSC_REGION"] == "eu-west-2"
                with urllib.request.urlopen(f"{omi_server.url}/_omisim/health") as answer:
                    assert answer.status == 200
            """
        )
        pytester.runpytest_subprocess("-W", "error", "-p", "no:xdist").assert_outcomes(passed=1)

    def test_work_in_parallel(self, pytester: pytest.Pytester) -> None:
        """Under pytest-xdist each worker has its own clouds, and failures come back whole."""
        pytester.makepyfile(
            """
            import pytest

            @pytest.mark.parametrize("turn", range(8))
            def test_fresh(omi_account, turn):
                omi_account.create_volume(subregion_name="eu-west-2a", size=1)
                assert len(omi_account.read_volumes()) == 1

            def test_refused(omi_account):
                omi_account.delete_volume(volume_id="vol-00000000")
            """
        )
        result = pytester.runpytest_subprocess("-n", "2")
        result.assert_outcomes(passed=8, failed=1)
        result.stdout.fnmatch_lines(["*400 5064 InvalidResource*"])


class TestReadme:
    def test_the_test_file_passes_as_it_stands(self, pytester: pytest.Pytester) -> None:
        """The test in the README can be copied."""
        examples = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
        pytester.makepyfile(next(example for example in examples if "def test_" in example))
        pytester.runpytest_subprocess("-W", "error", "-p", "no:xdist").assert_outcomes(passed=1)

    def test_the_script_runs_as_it_stands(self, capsys: pytest.CaptureFixture[str]) -> None:
        """The script in the README can be copied, and prints what its comments say."""
        examples = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
        script = next(example for example in examples if "def test_" not in example)
        exec(compile(script, str(README), "exec"), {})
        printed = capsys.readouterr().out.splitlines()
        assert printed[:2] == ["pending", "available"]
        assert printed[2].startswith("409 9015 ResourceConflict (OMI-022): ")
        assert re.fullmatch(r"2026-01-01T00:\S+Z image ami-\w+ pending → available \(due\)", printed[-1])


BLOCKS = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
EXAMPLES = [block for block in BLOCKS if "def test_" not in block]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda block: str(block.splitlines()[-1][:30]))
def test_an_example_of_the_readme_runs(example: str) -> None:
    """What the README shows works when it is pasted, with warnings as errors."""
    run = subprocess.run([sys.executable, "-W", "error", "-c", example], capture_output=True, text=True, check=False)
    assert run.stderr == ""
