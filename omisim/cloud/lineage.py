"""Lineage: the ancestors and descendants of a resource across accounts and Regions, including deleted ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from textwrap import wrap
from typing import Any

from omisim.base.frozen import frozen, replace
from omisim.base.graph import Edge, Graph, Node
from omisim.cloud.deletion import Deletion
from omisim.model.dump_form import serialize

__all__ = ["Lineage", "join_tree"]

MAX_FILES = 3  # shown of a disk
# relation of an origin → the label of an arrow in the direction in which content moves, and whether content does move
_ARROWS: Mapping[str, tuple[str, bool]] = {
    "copied from": ("copy", True),
    "cut from": ("snapshot", True),
    "exported by": ("export", True),
    "imported from": ("import", True),
    "launched from": ("launch", False),
    "made from": ("CreateImage", False),
    "made with": ("volume", False),
    "part of": ("mapped by", True),
    "published from": ("publish", False),
    "registered from": ("register", True),
    "renewal of": ("renewal", True),
    "restored from": ("volume", True),
    "written by": ("write", True),
}


@frozen()
class Lineage:
    """One resource in a lineage tree.

    Attributes:
        kind: kind of the resource.
        id: id of the resource.
        label: description of the resource.
        account: name of its owner.
        state: the API's state, "deleted" for a deleted resource, "" for a kind without states.
        how: relation to its parent in the tree.
        dropped: licence codes of an OMI's main parent that the OMI does not carry (LIC-012).
        parents: its origins, the main one first, each with its own parents. Empty except for the requested resource
            and its ancestors. An ancestor that is reached twice is listed once.
        children: its descendants, each below its main parent.
        region: the Region of its owner.
        licences: its product codes, or for a disk those that it inherited.
        files: the paths of the files on a disk, as `Cloud.write` wrote them.
        values: the values of a VM's new volume, as (name, value, source): the source is "request", "OMI", "snapshot"
            or "default".
        omitted: the number of its direct descendants that are left out because the tree is large.
        omitted_parents: the number of its direct ancestors that are left out for the same reason.
        edges: every relation between the resources of the tree, as (source id, target id, relation), in the direction
            in which content moves. Empty except for the requested resource.
        deletion: what deleting the requested resource would free, and what uses it. None for the other resources.
    """

    kind: str
    id: str
    label: str
    account: str
    state: str
    how: str = ""
    dropped: tuple[str, ...] = ()
    parents: tuple[Lineage, ...] = ()
    children: tuple[Lineage, ...] = ()
    region: str = ""
    licences: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    values: tuple[tuple[str, str, str], ...] = ()
    omitted: int = 0
    omitted_parents: int = 0
    edges: tuple[tuple[str, str, str], ...] = ()
    deletion: Deletion | None = None

    def __str__(self) -> str:
        """Format the resource, its ancestors (marked with ↑) and its descendants as an indented tree."""
        return self.text()

    def __repr__(self) -> str:
        """Show the resource without its tree."""
        return f"<lineage of {self.line()}>"

    def __eq__(self, other: object) -> bool:
        """Whether both trees have the same resources in the same places."""
        return _flatten(self) == _flatten(other) if isinstance(other, Lineage) else NotImplemented

    def __hash__(self) -> int:
        """Return the hash of the whole tree."""
        return hash(_flatten(self))

    def __reduce__(self) -> tuple[Any, ...]:
        """Support pickling and copying."""
        return _restore, (_flatten(self),)

    def text(self, width: int | None = None) -> str:
        """Format the tree like `str`; lines longer than `width` columns are wrapped."""
        rows = [*_list_rows(self)]
        if self.deletion is not None:
            rows += [(1, line) for line in self.deletion.lines()]
        return "\n".join(line for indent, row in rows for line in _wrap(row, "  " * indent, width))

    def line(self) -> str:
        """Format the resource as one line."""
        label = f" {self.label}" if self.label else ""
        how = f"{self.how}: " if self.how else ""
        facts = [f"{self.account} in {self.region}" if self.region else self.account, self.state]
        facts.append(f"licences {' '.join(self.licences)}" if self.licences else "")
        more = f" and {len(self.files) - MAX_FILES} more" if len(self.files) > MAX_FILES else ""
        facts.append(f"files {' '.join(self.files[:MAX_FILES])}{more}" if self.files else "")
        facts.append(f"licence {', '.join(self.dropped)} dropped here" if self.dropped else "")
        return f"{how}{self.kind} {self.id}{label} ({', '.join(filter(None, facts))})"

    def to_dict(self) -> dict[str, Any]:
        """Return the tree as plain JSON data."""
        done: dict[int, dict[str, Any]] = {}
        for node in reversed([*_walk_all(self)]):
            data = {f.name: serialize(getattr(node, f.name)) for f in fields(node) if f.name not in _TREE}
            done[id(node)] = data | {name: [done[id(other)] for other in getattr(node, name)] for name in _TREE}
        return done[id(self)]

    def mermaid(self) -> str:
        """Return the graph of the resources as a mermaid flowchart, with a subgraph for each account and Region."""
        return self._make_graph().to_mermaid()

    def svg(self) -> str:
        """Return the graph of the resources as an SVG picture."""
        return self._make_graph().to_svg()

    def _repr_html_(self) -> str:
        """Show the picture in a notebook."""
        return self.svg()

    def _make_graph(self) -> Graph:
        nodes = {node.id: node for node in (*_walk_up(self), *_walk_down(self))}
        edges = []
        for source, target, how in self.edges:
            label, carries = _ARROWS.get(how, (how, True))
            codes = [code for code in nodes[target].licences if code in nodes[source].licences]
            lines = [label, " ".join(codes), *_describe_loss(nodes[target], how)]
            lines += _name_files(nodes[source], nodes[target]) if carries else []
            edges.append(Edge(source, target, tuple(filter(None, lines))))
        return Graph([_draw_node(node) for node in nodes.values()], edges, f"Lineage of {self.kind} {self.id}")


_TREE = ("parents", "children")


def _draw_node(node: Lineage) -> Node:
    group = f"{node.account} in {node.region}" if node.region else node.account
    lines = [f"{node.kind} {node.label}".strip(), node.id, group, node.state, " ".join(node.licences)]
    lines += [f"{name} {value} ({source})" for name, value, source in node.values]
    style = "deleted" if node.state == "deleted" else node.kind
    return Node(node.id, tuple(filter(None, lines)), style, group)


def _describe_loss(node: Lineage, how: str) -> list[str]:
    """Return which licences a relation loses: only that to the main parent of an OMI does."""
    return [f"without {' '.join(node.dropped)}"] if node.dropped and how in ("registered from", node.how) else []


def _name_files(source: Lineage, target: Lineage) -> list[str]:
    """Return the files that moved from one disk to another, as far as both still exist."""
    return [file for file in target.files if source.state == "deleted" or file in source.files][:MAX_FILES]


def _list_rows(root: Lineage) -> Iterator[tuple[int, str]]:
    """Yield the lines of the tree with their indents: the resource, its ancestors, its descendants."""
    yield 0, root.line()
    for depth, node in _walk(root, "parents"):
        if depth:
            yield depth, f"↑ {node.line()}"
        if node.omitted_parents:
            yield depth + 1, f"↑ … and {node.omitted_parents} more"
    for depth, node in _walk(root, "children"):
        if depth:
            yield depth, node.line()
        if node.values:
            yield depth + 1, "· " + ", ".join(f"{name} {value} ({source})" for name, value, source in node.values)
        if node.omitted:
            yield depth + 1, f"… and {node.omitted} more"


def _walk(root: Lineage, side: str) -> Iterator[tuple[int, Lineage]]:
    stack = [(0, root)]
    while stack:
        depth, node = stack.pop()
        yield depth, node
        stack += [(depth + 1, other) for other in reversed(getattr(node, side))]


def _walk_up(root: Lineage) -> Iterator[Lineage]:
    return reversed([node for _, node in _walk(root, "parents")])


def _walk_down(root: Lineage) -> Iterator[Lineage]:
    return (node for _, node in _walk(root, "children"))


def _walk_all(root: Lineage) -> Iterator[Lineage]:
    yield root
    for side in _TREE:
        yield from (node for depth, node in _walk(root, side) if depth)


def _flatten(root: Lineage) -> tuple[tuple[Any, ...], ...]:
    """Return a tree of any depth as rows, each resource before those of its side of the tree."""
    names = [f.name for f in fields(root) if f.name not in _TREE]
    rows, stack = [], [root]
    while stack:
        node = stack.pop()
        values = {name: getattr(node, name) for name in names}
        rows.append((tuple(values.items()), len(node.parents), len(node.children)))
        stack += reversed(node.parents + node.children)
    return tuple(rows)


def _restore(rows: tuple[tuple[Any, ...], ...]) -> Lineage:
    """Return the tree that `_flatten` returned as rows."""
    done: list[Lineage] = []  # of which the first one is at the end
    for values, parents, children in reversed(rows):
        above = tuple([done.pop() for _ in range(parents)])
        below = tuple([done.pop() for _ in range(children)])
        done.append(Lineage(**dict(values), parents=above, children=below))
    return done[0]


def _wrap(row: str, indent: str, width: int | None) -> list[str]:
    if width is None:
        return [indent + row]
    room = max(width, len(indent) + 24)
    return wrap(
        row, room, initial_indent=indent, subsequent_indent=f"{indent}    ", break_on_hyphens=False,
        break_long_words=False,
    )  # fmt: skip


def join_tree(
    nodes: Mapping[str, Lineage], below: Mapping[str, list[tuple[str, str]]], root: str, side: str
) -> Lineage:
    """Return the root of a tree with its `parents` or `children` filled in."""
    order, stack = [], [(root, "")]
    while stack:
        current = stack.pop()
        order.append(current)
        stack += [(other, how) for how, other in below.get(current[0], ())]
    done: dict[str, Lineage] = {}
    for node_id, how in reversed(order):
        others = tuple(done[other] for _, other in below.get(node_id, ()))
        node = replace(nodes[node_id], how=how)
        done[node_id] = replace(node, parents=others) if side == "parents" else replace(node, children=others)
    return done[root]
