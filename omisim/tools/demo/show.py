"""Print the transcript of the demo on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.text import Text
from rich.tree import Tree

from omisim.cloud.lineage import Lineage
from omisim.tools.demo.story import Story

__all__ = ["show"]

WIDE = 200  # columns without a terminal


def show(story: Story, console: Console | None = None, pause: Callable[[], object] = lambda: None) -> None:
    """Print the story to the terminal, or to another console. `pause` is called before each step."""
    console = console or Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else WIDE)
    console.print("[bold]A golden image, from alice to bob and carol[/bold]  (osc-sdk-python on an in-memory cloud)\n")
    colors = {"alice": "cyan", "bob": "magenta", "carol": "yellow", "omisim": "dim"}
    for step in story.steps:
        pause()
        who = f"[{colors[step.who]}]{step.who:>6}[/]"
        if not step.action:
            console.print(f"{who}  {escape(step.answer)}\n        [dim]{escape(step.means)}[/dim]")
            continue
        console.print(f"{who}  [bold]{step.action}[/bold] {escape(_format_parameters(step.parameters))}")
        if step.refusal:
            refusal = step.refusal
            console.print(
                f"        [red]{step.status} {refusal['code']} {refusal['type']}[/red]: {escape(refusal['details'])}"
            )
            console.print(f"        [red]{refusal['rule']}[/red]: {escape(refusal['says'])}")
        elif step.answer:
            console.print(f"        [green]{step.status}[/green] {escape(step.answer)}")
        console.print(f"        [dim]{escape(step.means)}[/dim]")
    console.print("\n[bold]Lineage of the official OMI[/bold]")
    if story.lineage:
        console.print(_build_tree(story.lineage), soft_wrap=False)  # soft wrapping would cut it off at the edge


def _format_parameters(parameters: dict[str, Any]) -> str:
    """Return parameters as one line; a signed URL loses its signature."""
    return " ".join(f"{name}={str(value).partition('?X-Amz-')[0]}" for name, value in parameters.items())


def _build_tree(node: Lineage, tree: Tree | None = None) -> Tree:
    line = Text(node.line(), overflow="fold")
    branch = Tree(line) if tree is None else tree.add(line)
    for child in node.children:
        _build_tree(child, branch)
    return branch
