"""Sphinx: `python -m sphinx -W -n docs <folder>`."""

from __future__ import annotations

import sys
from pathlib import Path
from types import FunctionType
from typing import Any

from sphinx.application import Sphinx

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from generated import expand  # noqa: E402 - found beside this file
from generated.docstrings import to_rest  # noqa: E402
from generated.signatures import resolve_annotations, typed_methods  # noqa: E402

import omisim  # noqa: E402

project = "omisim"
author = "the omisim authors"
copyright = "the omisim authors"  # noqa: A001 - Sphinx's name
version = release = omisim.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.intersphinx"]
exclude_patterns = ["inventories", "generated"]
html_theme = "furo"
html_title = f"omisim {release}"
html_show_sourcelink = False
html_copy_source = False
smartquotes = False  # texts of the API are quoted verbatim

myst_enable_extensions = ["attrs_inline"]  # anchors in tables
myst_heading_anchors = 3

default_role = "code"  # docstrings write code in single backticks
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
toc_object_entries_show_parents = "hide"
python_maximum_signature_line_length = 100

# Python's inventory is kept here, so that a build needs no network. The packages below have no inventory here.
intersphinx_mapping = {"python": ("https://docs.python.org/3", str(HERE / "inventories" / "python.inv"))}
# The TypedDicts of filters have the members of the filter classes, which are documented.
nitpick_ignore_regex = [
    ("py:.*", r"(hypothesis|osc_sdk_python)\..*"),
    ("py:.*", r"omisim\.model\.filters\.dicts\..*"),
    ("py:.*", r"(omisim\.cloud\.options\.)?(CaseOptions|CloudOptions)"),  # the arguments of Cloud, which are documented
    ("py:.*", r"omisim\.[a-z.]+\.[A-Z]"),  # a type variable
]

# Classes that only omisim instantiates, and the protocol of clocks: they have no public constructor.
INSTANTIATED_BY_OMISIM = frozenset(
    {
        "omisim.Account",
        "omisim.ApiError",
        "omisim.Change",
        "omisim.Clock",
        "omisim.Mark",
        "omisim.clients.environment.Environment",
        "omisim.clients.mock.Mock",
        "omisim.cloud.calls.Calls",
        "omisim.cloud.images.Images",
        "omisim.cloud.licences.Licences",
        "omisim.cloud.marketplace.Marketplace",
        "omisim.cloud.timeline.Timeline",
        "omisim.engine.engine.Engine",
        "omisim.engine.faults.Fault",
        "omisim.engine.faults.Faults",
        "omisim.engine.session.CallRecord",
        "omisim.server.Running",
        "omisim.server.clouds.Clouds",
        "omisim.server.clouds.HostedCloud",
        "omisim.cloud.durations.Durations",
        "omisim.testing.laws.Broken",
        "omisim.testing.laws.Law",
        "omisim.testing.machine.CloudMachine",
    }
)


def setup(app: Sphinx) -> None:
    """Connect the steps that generate the reference from the code."""
    for name, method in dict(typed_methods()).items():
        setattr(omisim.Account, name, method)
    app.connect("source-read", _expand)
    app.connect("autodoc-before-process-signature", _resolve)
    app.connect("autodoc-process-signature", _hide_constructor)
    app.connect("autodoc-process-docstring", _convert)


def _expand(_app: Sphinx, _docname: str, source: list[str]) -> None:
    source[0] = expand(source[0])


def _resolve(_app: Sphinx, function: object, _bound: object) -> None:
    function = getattr(function, "__func__", function)  # of a class method
    if isinstance(function, FunctionType) and function.__module__ in sys.modules:  # not of a NamedTuple's own module
        resolve_annotations(function)


def _hide_constructor(_app: Sphinx, what: str, name: str, *_more: Any) -> tuple[str, None] | None:
    return ("", None) if what in ("class", "exception") and name in INSTANTIATED_BY_OMISIM else None


def _convert(_app: Sphinx, _what: str, _name: str, _object: Any, _options: Any, lines: list[str]) -> None:
    lines[:] = to_rest(lines)
