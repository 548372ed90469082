"""The tables that are generated into README: `python tests/tables.py` writes them."""

from __future__ import annotations

import re
from pathlib import Path

from omisim.settings import SWITCHES

__all__ = ["README", "switches", "written"]

README = Path(__file__).parent.parent / "README.md"
_BETWEEN = re.compile(r"(<!-- switches -->\n).*?(<!-- /switches -->)", re.DOTALL)


def switches() -> str:
    """Return the table of the open questions of behaviour."""
    lines = ["| switch | what it decides | here | or | what is known |", "|---|---|---|---|---|"]
    for name, switch in sorted(SWITCHES.items()):
        others = ", ".join(f"`{other!r}`" for other in switch.others)
        lines.append(f"| `{name}` | {switch.says} | `{switch.default!r}` | {others} | {switch.evidence} |")
    return "\n".join(lines) + "\n"


def written(text: str) -> str:
    """Return README's text with its tables as they should be."""
    return _BETWEEN.sub(lambda found: found[1] + switches() + found[2], text)


if __name__ == "__main__":
    README.write_text(written(README.read_text()))
