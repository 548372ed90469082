"""The reference of what users write: the command line, the pytest plugin and the values of typed methods."""

from __future__ import annotations

import ast
import inspect
import os
from collections.abc import Iterable
from enum import Enum
from typing import Any
from unittest.mock import patch

from generated.markdown import code, escape, heading, table
from omisim import model, plugin
from omisim.model import filters
from omisim.pytest_plugin import fixtures as fixtures_module
from omisim.pytest_plugin.marker_options import KNOWN
from omisim.tools.cli import parsers
from omisim.tools.scenario import list_shipped

__all__ = ["commands", "entities", "fixtures", "pytest_arguments", "pytest_options", "request_filters", "scenarios"]

TERMINAL = {"COLUMNS": "100", "NO_COLOR": "1"}  # argparse formats its help for this terminal


# --- the command line


def commands() -> str:
    """Return the help text of each command."""
    with patch.dict(os.environ, TERMINAL):
        return "\n".join(_command(name, parser.format_help()) for name, parser in parsers().items())


def _command(name: str, help_text: str) -> str:
    title = "" if name == "omisim" else f"{heading(2, f'omisim {name}', f'omisim-{name}')}\n"
    return f"{title}```text\n{help_text}```\n"


# --- the pytest plugin


def fixtures() -> str:
    """Return the table of the fixtures."""
    tree = ast.parse(inspect.getsource(fixtures_module))
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")]
    rows = [_fixture(node) for node in functions if _fixture_scope(node)]
    return table(["Fixture", "Scope", "Value"], rows)


def _fixture(node: ast.FunctionDef) -> tuple[str, str, str]:
    summary = (ast.get_docstring(node) or "").replace("\n", " ")
    return f"[{code(node.name)}]{{#{node.name.replace('_', '-')}}}", _fixture_scope(node), summary


def _fixture_scope(node: ast.FunctionDef) -> str:
    """Return the scope of a fixture, or "" for another function."""
    for decorator in map(ast.unparse, node.decorator_list):
        if decorator.startswith("pytest.fixture"):
            return "session" if "session" in decorator else "function"
    return ""


class _Recorder:
    """Records the options that the plugin declares, in place of pytest's parser."""

    def __init__(self) -> None:
        self.options: list[tuple[str, str, str]] = []
        self.ini: dict[str, str] = {}

    def getgroup(self, _name: str) -> _Recorder:
        return self

    def addoption(self, name: str, *, metavar: str = "", help: str, **_more: Any) -> None:  # noqa: A002 - pytest's name
        self.options.append((name, metavar, help))

    def addini(self, name: str, help: str, **_more: Any) -> None:  # noqa: A002 - pytest's name
        self.ini[name] = help.removeprefix("omisim: ")


def _declared() -> _Recorder:
    recorder = _Recorder()
    plugin.pytest_addoption(recorder)  # type: ignore[arg-type]
    return recorder


def pytest_options() -> str:
    """Return the table of the command-line options."""
    rows = ([code(f"{name} {metavar}".strip()), escape(says)] for name, metavar, says in _declared().options)
    return table(["Option", "Effect"], rows)


def pytest_arguments() -> str:
    """Return the table of the marker's arguments and the ini options."""
    ini = _declared().ini
    names = dict.fromkeys([*KNOWN, *(name.removeprefix("omisim_") for name in ini)])
    rows = []
    for name in names:
        marker = code(name) if name in KNOWN else ""
        option = code(f"omisim_{name}") if f"omisim_{name}" in ini else ""
        says = ini.get(f"omisim_{name}")
        rows.append([marker, option, escape(says) if says else "see {py:class}`omisim.Cloud`"])
    return table(["Marker argument", "ini option", "Meaning"], rows)


# --- scenarios


def scenarios() -> str:
    """Return an entry for each scenario that comes with omisim: the comment at its top, and the file."""
    return "\n".join(_scenario(name, path.read_text("utf-8")) for name, path in list_shipped().items())


def _scenario(name: str, text: str) -> str:
    comment, _, tables = text.partition("\n\n")
    story = " ".join(line.removeprefix("#").strip() for line in comment.splitlines())
    return f"{heading(2, name, f'scenario-{name}')}\n{story}\n\n```toml\n{tables.strip()}\n```\n"


# --- values


def entities() -> str:
    """Return an entry for each class of values that typed methods take and return."""
    return _classes("omisim.model", (getattr(model, name) for name in model.__all__))


def request_filters() -> str:
    """Return an entry for each class of filters."""
    return _classes("omisim.model.filters", (getattr(filters, name) for name in filters.__all__))


def _classes(module: str, values: Iterable[Any]) -> str:
    lines = []
    for value in values:
        if isinstance(value, type):
            lines.append(f".. autoclass:: {module}.{value.__name__}\n")
            lines += ["   :members:\n", "   :undoc-members:\n"][: 1 + issubclass(value, Enum)]
    return f"```{{eval-rst}}\n{''.join(lines)}```\n"
