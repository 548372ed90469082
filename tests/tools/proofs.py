"""List the tests and cases that prove each rule: `python tests/tools/proofs.py` writes the table."""

from __future__ import annotations

import ast
import json
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from omisim.probe.loading import load_cases

TESTS = Path(__file__).parents[1]
TABLE = TESTS / "proofs.toml"
REFUSALS = TESTS.parent / "omisim" / "probe" / "refusals"
_BRACKETS = re.compile(r"\[([^\]]+)\]")
_ID = re.compile(r"(?:ST-[A-Z]{2,3}-\d+|[A-Z]{2,4}-\d{2,3}(?:/[a-z-]+)?)")
HEAD = "# The tests and cases that prove each rule. Generated: python tests/tools/proofs.py\n\n"


def proofs() -> dict[str, list[str]]:
    """Return the tests and cases that prove each rule, in the order of rule ids."""
    proofs_by_rule: dict[str, dict[str, None]] = {}
    for case in load_cases():
        proofs_by_rule.setdefault(case.rule, {})[f"omisim/probe/refusals/{case.family}.toml, case {case.rule}"] = None
    for path in sorted(REFUSALS.iterdir()):
        for rule_id in tomllib.loads(path.read_text("utf-8")).get("also_proves", ()):
            proofs_by_rule.setdefault(rule_id, {})[f"omisim/probe/refusals/{path.name}"] = None
    for name, docstring in _docstrings():
        for rule_id in ids_of(docstring):
            proofs_by_rule.setdefault(rule_id, {})[name] = None
    return {rule_id: list(proofs_by_rule[rule_id]) for rule_id in sorted(proofs_by_rule)}


def _docstrings() -> Iterator[tuple[str, str]]:
    """Yield the name and the docstring of each test function."""
    for path in sorted(TESTS.rglob("test_*.py")):
        name = f"tests/{path.relative_to(TESTS).as_posix()}"
        for parent in ast.walk(ast.parse(path.read_text())):
            for node in getattr(parent, "body", ()) if isinstance(parent, ast.Module | ast.ClassDef) else ():
                if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                    inside = f"{parent.name}::" if isinstance(parent, ast.ClassDef) else ""
                    yield f"{name}::{inside}{node.name}", ast.get_docstring(node) or ""


def ids_of(text: str) -> list[str]:
    """Return the rule ids that stand in brackets in a text; "OMI-020 to OMI-022" counts as its three."""
    ids: dict[str, None] = {}
    for inside in _BRACKETS.findall(text):
        for part in re.split(r",\s*|\s+and\s+", inside):
            ends = _ID.findall(part)
            ids |= dict.fromkeys(_find_section(*ends) if " to " in part and len(ends) == 2 else ends)
    return list(ids)


def _find_section(first: str, last: str) -> list[str]:
    family, start = first.rsplit("-", 1)
    return [f"{family}-{number:0{len(start)}d}" for number in range(int(start), int(last.rsplit("-", 1)[1]) + 1)]


def table() -> str:
    """Return the table as TOML."""
    rows = (f"{json.dumps(rule_id)} = {json.dumps(tests, indent=2)}\n" for rule_id, tests in proofs().items())
    return HEAD + "".join(rows)


if __name__ == "__main__":
    TABLE.write_text(table())
