"""The CI configuration that the documentation shows."""

from __future__ import annotations

import subprocess
import sys

import pytest
import yaml
from support.commands import find_problem
from support.pages import ROOT

SNIPPETS = ROOT / "docs" / "snippets"


@pytest.mark.parametrize(
    ("name", "schema"), [("github.yml", "vendor.github-workflows"), ("gitlab.yml", "vendor.gitlab-ci")]
)
def test_is_valid(name: str, schema: str) -> None:
    """Each snippet is valid by the official schema of its service."""
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, str(SNIPPETS / name)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


def test_runs_commands_that_exist() -> None:
    """Every command of the snippets exists, with its options and extras."""
    github = yaml.safe_load((SNIPPETS / "github.yml").read_text())["jobs"]["tests"]["steps"]
    gitlab = yaml.safe_load((SNIPPETS / "gitlab.yml").read_text())["tests"]["script"]
    commands = [*(step["run"] for step in github if "run" in step), *gitlab]
    assert commands
    assert [problem for command in commands if (problem := find_problem(command))] == []
