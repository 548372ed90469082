"""The tables that are generated into README: `python tests/tools/tables.py` writes them."""

from __future__ import annotations

import re
from pathlib import Path

from omisim import actions as families
from omisim.actions.framework.registry import ACTIONS, not_served
from omisim.state.settings import SWITCHES

__all__ = ["README", "actions", "switches", "written"]

README = Path(__file__).parents[2] / "README.md"


def switches() -> str:
    """Return the table of the open questions of behaviour."""
    lines = ["| switch | what it decides | here | or | what is known |", "|---|---|---|---|---|"]
    for name, switch in sorted(SWITCHES.items()):
        others = ", ".join(f"`{other!r}`" for other in switch.others)
        lines.append(f"| `{name}` | {switch.says} | `{switch.default!r}` | {others} | {switch.evidence} |")
    return "\n".join(lines) + "\n"


def actions() -> str:
    """Return the list of the actions that are served, a line a family, and how many they are."""
    lines = [f"{len(ACTIONS)} of the {len(ACTIONS) + len(not_served())} actions of the API:", ""]
    for family in families.__all__:
        names = [name for name, action in ACTIONS.items() if action.function.__module__ == f"omisim.actions.{family}"]
        lines.append(f"- {', '.join(names)}")
    return "\n".join(lines) + "\n"


def written(text: str) -> str:
    """Return README's text with its tables as they should be."""
    for name, table in {"switches": switches, "actions": actions}.items():
        between = re.compile(f"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        text = between.sub(lambda found, table=table: found[1] + table() + found[2], text)  # type: ignore[misc]
    return text


if __name__ == "__main__":
    README.write_text(written(README.read_text()))
