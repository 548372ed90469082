"""Running the cells of a notebook in this process, as Jupyter's kernel would: the value of the last line shows itself.

Jupyter itself would add forty packages to the development environment; its formats are stable and simple.
"""

from __future__ import annotations

import ast
import json
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any


def load_notebook(path: Path) -> dict[str, Any]:
    """Return a notebook as JSON data."""
    notebook: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return notebook


def run_notebook(notebook: dict[str, Any]) -> list[list[dict[str, Any]]]:
    """Run the code cells in order, and return the outputs of each in the format of notebooks."""
    names: dict[str, Any] = {"__name__": "__main__"}
    return [_run_cell(cell["source"], names) for cell in notebook["cells"] if cell["cell_type"] == "code"]


def _run_cell(source: str, names: dict[str, Any]) -> list[dict[str, Any]]:
    tree = ast.parse(source)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    printed = StringIO()
    outputs: list[dict[str, Any]] = []
    with redirect_stdout(printed):
        exec(compile(tree, "<cell>", "exec"), names)
        value = eval(ast.unparse(last.value), names) if isinstance(last, ast.Expr) else None
    if printed.getvalue():
        outputs.append({"output_type": "stream", "name": "stdout", "text": printed.getvalue()})
    if value is not None:
        data = {"text/plain": repr(value)}
        if hasattr(value, "_repr_html_"):
            data["text/html"] = value._repr_html_()
        outputs.append({"output_type": "execute_result", "data": data, "metadata": {}, "execution_count": None})
    return outputs
