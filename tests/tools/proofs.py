"""Which tests prove which rule, by the ids in their docstrings: `python tests/tools/proofs.py` writes the table."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
TABLE = TESTS / "proofs.toml"
_BRACKETS = re.compile(r"\[([^\]]+)\]")
_ID = re.compile(r"(?:ST-[A-Z]{2,3}-\d+|[A-Z]{2,4}-\d{2,3}(?:/[a-z-]+)?)")
HEAD = "# The tests that prove each rule, from the ids in their docstrings. Generated: python tests/tools/proofs.py\n\n"


def proofs() -> dict[str, list[str]]:
    """Return the names of the tests by the ids of the rules they prove, both in order."""
    found: dict[str, list[str]] = {}
    for path in sorted(TESTS.rglob("test_*.py")):
        name = f"tests/{path.relative_to(TESTS).as_posix()}"
        for parent in ast.walk(ast.parse(path.read_text())):
            if isinstance(parent, ast.Call) and getattr(parent.func, "id", "") == "Case":
                rule_id = ast.literal_eval(parent.args[0])
                tests = found.setdefault(rule_id, [])
                tests += [case for case in [f"{name}, case {rule_id}"] if case not in tests]
            for node in getattr(parent, "body", ()) if isinstance(parent, ast.Module | ast.ClassDef) else ():
                if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                    inside = f"{parent.name}::" if isinstance(parent, ast.ClassDef) else ""
                    for rule_id in ids_of(ast.get_docstring(node) or ""):
                        found.setdefault(rule_id, []).append(f"{name}::{inside}{node.name}")
    return {rule_id: found[rule_id] for rule_id in sorted(found)}


def ids_of(text: str) -> list[str]:
    """Return the rule ids that stand in brackets in a text; "OMI-020 to OMI-022" counts as its three."""
    ids: dict[str, None] = {}
    for inside in _BRACKETS.findall(text):
        for part in re.split(r",\s*|\s+and\s+", inside):
            ends = _ID.findall(part)
            ids |= dict.fromkeys(_between(*ends) if " to " in part and len(ends) == 2 else ends)
    return list(ids)


def _between(first: str, last: str) -> list[str]:
    family, start = first.rsplit("-", 1)
    return [f"{family}-{number:0{len(start)}d}" for number in range(int(start), int(last.rsplit("-", 1)[1]) + 1)]


def table() -> str:
    """Return the table as TOML."""
    rows = (f"{json.dumps(rule_id)} = {json.dumps(tests, indent=2)}\n" for rule_id, tests in proofs().items())
    return HEAD + "".join(rows)


if __name__ == "__main__":
    TABLE.write_text(table())
