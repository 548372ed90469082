"""The tree: which names are public, and what each import loads."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from support.interpreter import run_python

import omisim

SOURCES = sorted(Path(omisim.__file__).parent.rglob("*.py"))


class TestPublicNames:
    def test_are_sorted_and_can_be_loaded(self) -> None:
        """`__all__` is sorted, and each of its names loads."""
        assert omisim.__all__ == sorted(omisim.__all__)
        assert all(getattr(omisim, name).__name__ == name for name in omisim.__all__)

    def test_do_not_include_a_mistyped_one(self) -> None:
        """An unknown name of the package is an AttributeError."""
        with pytest.raises(AttributeError, match="no attribute 'Clowd'"):
            omisim.Clowd  # noqa: B018 - the access is the point


class TestImports:
    def test_of_omisim_load_no_third_party_module(self) -> None:
        """`import omisim`, and a cloud in use, load the standard library alone."""
        code = (
            "import sys; before = set(sys.modules)\n"
            "import omisim; c = omisim.Cloud(); c.account('a').call('ReadImages')\n"
            "print(*sorted({m.partition('.')[0] for m in set(sys.modules) - before} - set(sys.stdlib_module_names)))"
        )
        assert run_python(code).split() == ["omisim"]

    def test_of_the_pytest_plugin_load_nothing_but_pytest(self) -> None:
        """The entry point of the plugin loads nothing but the fixtures and the guard until a fixture is used."""
        code = (
            "import pytest, sys; before = set(sys.modules)\n"
            "import omisim.plugin\n"
            "print(*sorted(set(sys.modules) - before))"
        )
        parts = ["omisim.pytest_plugin", "omisim.pytest_plugin.fixtures", "omisim.pytest_plugin.guard"]
        assert run_python(code).split() == ["omisim", "omisim.plugin", *parts]

    def test_of_the_control_client_need_no_cheroot(self) -> None:
        """`omisim env` and the client of the control plane work where cheroot is not installed."""
        script = "import sys; sys.modules['cheroot'] = None; import omisim.server.client"
        assert run_python(script) == ""

    def test_of_the_core_know_no_time_chance_or_environment(self) -> None:
        """No module of the core imports time, random, uuid, os or secrets, the clock, processes and files excepted."""
        edges = (
            "base/clock.py",
            "base/private_file.py",
            "base/process.py",
            "clients/",
            "doors/oos/",
            "pytest_plugin/guard.py",
            "server/",
            "tools/",
        )
        for source in SOURCES:
            if source.relative_to(SOURCES[0].parent).as_posix().startswith(edges):
                continue
            names = {
                alias.name.partition(".")[0]
                for node in ast.walk(ast.parse(source.read_text()))
                if isinstance(node, ast.Import | ast.ImportFrom)
                for alias in (node.names if isinstance(node, ast.Import) else [ast.alias(node.module or "")])
            }
            assert not names & {"time", "random", "uuid", "os", "secrets"}, source
            assert not re.search(r"datetime\.now\(|utcnow\(", source.read_text()), source
