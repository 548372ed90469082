"""Drawing of small directed graphs as mermaid source and as SVG, without anything from another host."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from itertools import pairwise

from omisim.base.frozen import frozen

__all__ = ["Edge", "Graph", "Node"]

CHAR, LINE, PAD = 7.2, 17, 10  # width of a character, height of a line and margin inside a box, in pixels
_START = (
    '<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 {width} {height}" width="{width}"'
    ' height="{height}" font-family="ui-monospace, Menlo, Consolas, monospace" font-size="12">'
)
_TIP = (
    '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7"'
    ' orient="auto-start-reverse"><path d="M0 0 8 4 0 8z" fill="#475569"/></marker></defs>'
)
BETWEEN_ROWS, MIN_GAP, MARGIN = 26, 50, 20
COLOURS: Mapping[str, tuple[str, str]] = {  # style of a node → fill and border
    "image": ("#dbeafe", "#1d4ed8"),
    "snapshot": ("#dcfce7", "#15803d"),
    "volume": ("#fef3c7", "#b45309"),
    "vm": ("#fce7f3", "#be185d"),
    "transient": ("#fef3c7", "#b45309"),
    "final": ("#f1f5f9", "#475569"),
    "deleted": ("#f8fafc", "#94a3b8"),
    "": ("#ffffff", "#334155"),
}


@frozen()
class Node:
    """A box with lines of text. `style` is a key of `COLOURS`; nodes with the same `group` belong together."""

    id: str
    lines: tuple[str, ...]
    style: str = ""
    group: str = ""


@frozen()
class Edge:
    """An arrow from one node to another, with lines of text."""

    source: str
    target: str
    lines: tuple[str, ...] = ()


@frozen()
class Graph:
    """Nodes and the edges between them, and the title of the picture."""

    nodes: Sequence[Node]
    edges: Sequence[Edge]
    title: str = ""

    def to_mermaid(self) -> str:
        """Return the graph as a mermaid flowchart, with a subgraph for each group."""
        lines = ["flowchart LR"]
        names = {node.id: f"n{number}" for number, node in enumerate(self.nodes)}
        groups: dict[str, list[Node]] = {}
        for node in self.nodes:
            groups.setdefault(node.group, []).append(node)
        for number, (group, nodes) in enumerate(groups.items()):
            inner = [f'{names[node.id]}["{"<br/>".join(map(_quote, node.lines))}"]' for node in nodes]
            if group:
                inner = [f'subgraph g{number}["{_quote(group)}"]', *(f"  {line}" for line in inner), "end"]
            lines += [f"  {line}" for line in inner]
        for edge in self.edges:
            label = f'|"{"<br/>".join(map(_quote, edge.lines))}"|' if edge.lines else ""
            lines.append(f"  {names[edge.source]} -->{label} {names[edge.target]}")
        return "\n".join(lines)

    def to_svg(self) -> str:
        """Return the graph as an SVG picture, laid out from left to right."""
        return _Layout(self).draw()


def _quote(text: str) -> str:
    """Return text for a quoted label of mermaid, which knows entities in place of escapes."""
    return text.replace("&", "#amp;").replace('"', "#quot;").replace("<", "#lt;").replace(">", "#gt;")


@dataclass(slots=True)
class _Box:
    """A node at its place, or a point that a long edge passes (without a node)."""

    node: Node | None
    rank: int
    x: float = 0.0
    y: float = 0.0
    width: float = 0.0
    height: float = 8.0
    before: list[_Box] = field(default_factory=list)


class _Layout:
    """The layers of a graph: each edge leads to the right, except those that close a cycle."""

    def __init__(self, graph: Graph) -> None:
        self.title = graph.title
        self.groups = list(dict.fromkeys(node.group for node in graph.nodes if node.group))
        backward = _find_cycle_edges(graph)
        ranks = _rank_nodes(graph, backward)
        self.boxes = {node.id: _make_box(node, ranks[node.id]) for node in graph.nodes}
        self.layers: list[list[_Box]] = [[] for _ in range(max(ranks.values(), default=0) + 1)]
        for box in self.boxes.values():
            self.layers[box.rank].append(box)
        self.backward = [edge for edge in graph.edges if edge in backward]
        self.paths = [(edge, self._add_path(edge)) for edge in graph.edges if edge not in backward]
        self._place()

    def _add_path(self, edge: Edge) -> list[_Box]:
        """Return the boxes of an edge: its ends, and a point in each layer between them."""
        source, target = self.boxes[edge.source], self.boxes[edge.target]
        points = [_Box(None, rank) for rank in range(source.rank + 1, target.rank)]
        for point in points:
            self.layers[point.rank].append(point)
        path = [source, *points, target]
        for left, right in pairwise(path):
            right.before.append(left)
        return path

    def _place(self) -> None:
        x = float(MARGIN)
        for rank, layer in enumerate(self.layers):
            for place, box in enumerate(layer):
                box.y = float(place)
            layer.sort(key=lambda box: sum(b.y for b in box.before) / len(box.before) if box.before else box.y)
            y = float(MARGIN + (24 if self.title else 0))
            for box in layer:
                box.x, box.y = x, y
                y += box.height + BETWEEN_ROWS
            labels = [line for edge, path in self.paths if path[0].rank == rank for line in edge.lines]
            gap = max([MIN_GAP, *(len(line) * CHAR + 24 for line in labels)])
            widest = max(box.width for box in layer)
            for box in layer:
                box.width = box.width if box.node else widest
            x += widest + gap
        tallest = max(box.y + box.height for layer in self.layers for box in layer)
        for layer in self.layers:  # centre each layer
            shift = (tallest - (layer[-1].y + layer[-1].height)) / 2
            for box in layer:
                box.y += shift

    def draw(self) -> str:
        right = max((box.x + box.width for box in self.boxes.values()), default=0)
        bottom = max((box.y + box.height for layer in self.layers for box in layer), default=0)
        depth = 30 + 26 * len(self.backward) if self.backward else 0
        width, height = round(right + MARGIN), round(bottom + MARGIN + depth)
        parts = [
            _START.format(width=width, height=height),
            f"<title>{escape(self.title)}</title>" if self.title else "",
            _TIP,
            f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
            _write(MARGIN, MARGIN + 4, self.title, weight="bold") if self.title else "",
            *(_draw_path(edge, path) for edge, path in self.paths),
            *(self._draw_backward(edge, bottom + 26 * (n + 1)) for n, edge in enumerate(self.backward)),
            *(_draw_box(box) for box in self.boxes.values()),
            "</svg>",
        ]
        return "\n".join(part for part in parts if part) + "\n"

    def _draw_backward(self, edge: Edge, level: float) -> str:
        source, target = self.boxes[edge.source], self.boxes[edge.target]
        x1, x2 = source.x + source.width / 2, target.x + target.width / 2 + 12
        line = (
            f"M{x1:.0f} {source.y + source.height:.0f} C{x1:.0f} {level:.0f} {x1:.0f} {level:.0f} {x1 - 20:.0f}"
            f" {level:.0f} L{x2 + 20:.0f} {level:.0f} C{x2:.0f} {level:.0f} {x2:.0f} {level:.0f} {x2:.0f}"
            f" {target.y + target.height:.0f}"
        )
        return _draw_line(line) + _write_label((x1 + x2) / 2, level, edge.lines)


def _make_box(node: Node, rank: int) -> _Box:
    width = max((len(line) for line in node.lines), default=1) * CHAR + 2 * PAD
    return _Box(node, rank, width=width, height=len(node.lines) * LINE + 2 * PAD - 4)


def _draw_path(edge: Edge, path: Sequence[_Box]) -> str:
    first, last = path[0], path[-1]
    x, y = first.x + first.width, first.y + first.height / 2
    line = f"M{x:.0f} {y:.0f}"
    label = ""
    for box in path[1:]:
        to_x, to_y = box.x - (2 if box is last else 0), box.y + box.height / 2
        middle = (x + to_x) / 2
        line += f" C{middle:.0f} {y:.0f} {middle:.0f} {to_y:.0f} {to_x:.0f} {to_y:.0f}"
        label = label or _write_label(middle, (y + to_y) / 2, edge.lines)
        if box is not last:
            line += f" H{box.x + box.width:.0f}"
        x, y = box.x + box.width, to_y
    return _draw_line(line) + label


def _draw_line(path: str) -> str:
    return f'<path d="{path}" fill="none" stroke="#475569" marker-end="url(#tip)"/>'


def _write_label(x: float, y: float, lines: Sequence[str]) -> str:
    """Return the text of an edge, centred on it, with a white outline where it crosses lines."""
    top = y - (len(lines) - 1) * (LINE - 3) / 2 - 4
    return "".join(
        f'<text x="{x:.0f}" y="{top + number * (LINE - 3):.0f}" text-anchor="middle" font-size="11" fill="#334155"'
        f' stroke="#ffffff" stroke-width="4" paint-order="stroke">{escape(line)}</text>'
        for number, line in enumerate(lines)
    )


def _draw_box(box: _Box) -> str:
    assert box.node is not None
    fill, border = COLOURS.get(box.node.style, COLOURS[""])
    dash = ' stroke-dasharray="4 3"' if box.node.style == "deleted" else ""
    rect = (
        f'<rect x="{box.x:.0f}" y="{box.y:.0f}" width="{box.width:.0f}" height="{box.height:.0f}" rx="6"'
        f' fill="{fill}" stroke="{border}"{dash}/>'
    )
    rows = enumerate(box.node.lines)
    return rect + "".join(
        _write(box.x + PAD, box.y + PAD + 8 + LINE * row, line, weight="" if row else "bold") for row, line in rows
    )


def _write(x: float, y: float, text: str, weight: str = "") -> str:
    bold = f' font-weight="{weight}"' if weight else ""
    return f'<text x="{x:.0f}" y="{y:.0f}" fill="#0f172a"{bold}>{escape(text)}</text>'


def _find_cycle_edges(graph: Graph) -> set[Edge]:
    """Return the edges that close a cycle, found depth first in the order of the nodes."""
    leaving = _group(graph.edges)
    backward: set[Edge] = set()
    finished: set[str] = set()
    for node in graph.nodes:
        path, stack = {node.id}, [(node.id, iter(leaving.get(node.id, ())))]
        if node.id in finished:
            continue
        while stack:
            current, edges = stack[-1]
            edge = next(edges, None)
            if edge is None:
                finished.add(current)
                path.discard(current)
                stack.pop()
            elif edge.target in path:
                backward.add(edge)
            elif edge.target not in finished:
                path.add(edge.target)
                stack.append((edge.target, iter(leaving.get(edge.target, ()))))
    return backward


def _rank_nodes(graph: Graph, backward: set[Edge]) -> dict[str, int]:
    """Return the layer of each node: one more than the highest before it."""
    leaving = _group(edge for edge in graph.edges if edge not in backward)
    waiting = dict.fromkeys((node.id for node in graph.nodes), 0)
    for edges in leaving.values():
        for edge in edges:
            waiting[edge.target] += 1
    ranks = dict.fromkeys(waiting, 0)
    ready = [node for node, count in waiting.items() if not count]
    for node in ready:
        for edge in leaving.get(node, ()):
            ranks[edge.target] = max(ranks[edge.target], ranks[node] + 1)
            waiting[edge.target] -= 1
            if not waiting[edge.target]:
                ready.append(edge.target)
    return ranks


def _group(edges: Iterable[Edge]) -> dict[str, list[Edge]]:
    leaving: dict[str, list[Edge]] = {}
    for edge in edges:
        leaving.setdefault(edge.source, []).append(edge)
    return leaving
