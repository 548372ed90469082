"""Suggestions, the default Region and the home folder have one address each, in omisim/base."""

from __future__ import annotations

import ast

from support.syntax import syntax_nodes

from omisim.base.hosts import DEFAULT_REGION
from omisim.base.suggest import suggest


class TestSuggestions:
    def test_name_the_most_similar_known_name(self) -> None:
        """A suggestion names the known name most similar to the unknown one, or several where the caller wants more."""
        known_names = ("image_id", "image_name", "vm_id")
        assert suggest("image_nme", known_names) == "; did you mean image_name?"
        assert suggest("image_nme", known_names, " Known: {}", count=2) == " Known: image_name, image_id"

    def test_are_empty_where_no_known_name_is_similar(self) -> None:
        """An unknown name that resembles no known one, or is not a string, gets no suggestion."""
        assert suggest("zzz", ("image_id",)) == suggest(7, ("image_id",)) == suggest("zzz", ()) == ""

    def test_are_computed_in_one_module(self) -> None:
        """Only omisim/base/suggest.py uses difflib, so all suggestions follow the same rule."""
        users = {
            path
            for path, node in syntax_nodes("difflib")
            if (isinstance(node, ast.ImportFrom) and node.module == "difflib")
            or (isinstance(node, ast.Import) and any(alias.name == "difflib" for alias in node.names))
        }
        assert users == {"base/suggest.py"}


class TestDefaultRegion:
    def test_is_spelled_out_in_one_module(self) -> None:
        """The default Region is a literal only in omisim/base/hosts.py; every other module imports its name."""
        literals = {
            path
            for path, node in syntax_nodes(DEFAULT_REGION)
            if isinstance(node, ast.Constant) and node.value == DEFAULT_REGION
        }
        assert literals == {"base/hosts.py"}


class TestHomeFolder:
    def test_is_found_in_one_module(self) -> None:
        """Only omisim/base/home.py uses Path.home and expanduser, which fail for a user without a home folder."""
        users = {
            path
            for path, node in syntax_nodes("home|expanduser")
            if isinstance(node, ast.Attribute) and ast.unparse(node).endswith(("Path.home", ".expanduser"))
        }
        assert users == {"base/home.py"}
