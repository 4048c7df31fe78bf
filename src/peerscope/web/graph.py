"""A graph slice as a picture and as a table: places, sizes and labels, and the same edges in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby

from peerscope.discover import GraphNode, GraphSlice

WIDTH, HEIGHT, MARGIN = 720, 460, 56


@dataclass(frozen=True, slots=True)
class Lettering:
    """How labels are set: how many at most, how long, and how large in units of the picture."""

    most: int
    longest: int
    character: float
    line: float


WIDE = Lettering(most=22, longest=30, character=6.1, line=14)
NARROW = Lettering(most=9, longest=20, character=11.6, line=26)
"""On a phone the picture is half as wide, so letters are twice as large and fewer have room."""


@dataclass(frozen=True, slots=True)
class Label:
    """A label beside its node."""

    text: str
    x: float
    y: float
    anchor: str


@dataclass(frozen=True, slots=True)
class DrawnNode:
    """A node with its place in the picture; a label is ``None`` where it would cover another."""

    key: str
    entity: str
    title: str
    x: float
    y: float
    size: float
    wide: Label | None
    narrow: Label | None


@dataclass(frozen=True, slots=True)
class Row:
    """Edges of one node that have one reason; ``first`` if the table names the node here first.

    A target is its label, and its key where the table has not linked it yet.
    """

    source: str
    first: bool
    reason: str
    targets: tuple[tuple[str, str | None], ...]


@dataclass(frozen=True, slots=True)
class Picture:
    """A slice ready to be drawn and told."""

    nodes: tuple[DrawnNode, ...]
    paths: dict[str, str]
    """Kind of edge to the path through all its edges: one element for many keeps the page small."""
    entities: tuple[str, ...]
    rows: tuple[Row, ...]
    labels: Mapping[str, str]


def drawn(found: GraphSlice) -> Picture:
    """Scale a slice to the picture, label its largest nodes where there is room, and list its edges."""
    places = {
        node.key: (
            round(MARGIN + node.x * (WIDTH - 2 * MARGIN), 1),
            round(MARGIN / 2 + node.y * (HEIGHT - MARGIN), 1),
        )
        for node in found.nodes
    }
    wide, narrow = (_labelled(found.nodes, places, letters) for letters in (WIDE, NARROW))
    nodes = tuple(
        DrawnNode(
            node.key,
            node.entity,
            node.label,
            *places[node.key],
            _size(node),
            wide.get(node.key),
            narrow.get(node.key),
        )
        for node in found.nodes
    )
    present = {node.entity for node in found.nodes}
    return Picture(
        nodes,
        _paths(found, places),
        tuple(kind for kind in "WATIS" if kind in present),
        _rows(found),
        {node.key: node.label for node in found.nodes},
    )


def _paths(found: GraphSlice, places: dict[str, tuple[float, float]]) -> dict[str, str]:
    paths: dict[str, str] = {}
    for edge in found.edges:
        (x1, y1), (x2, y2) = places[edge.source], places[edge.target]
        path = f"M{x1:.0f} {y1:.0f}L{x2:.0f} {y2:.0f}"
        paths[edge.kind] = paths.get(edge.kind, "") + path
    return paths


def _size(node: GraphNode) -> float:
    return round(4 + 7 * node.weight, 1)


def _rows(found: GraphSlice) -> tuple[Row, ...]:
    """Every edge once, under its source and reason; every node linked at its first mention."""
    labels = {node.key: node.label for node in found.nodes}
    order = {node.key: place for place, node in enumerate(found.nodes)}
    edges = sorted(found.edges, key=lambda e: (order[e.source], e.reason, order[e.target]))
    linked = {edge.source for edge in edges}
    rows = []
    before = None
    for (source, reason), group in groupby(edges, key=lambda e: (e.source, e.reason)):
        targets = []
        for edge in group:
            targets.append((labels[edge.target], None if edge.target in linked else edge.target))
            linked.add(edge.target)
        rows.append(Row(source, source != before, reason, tuple(targets)))
        before = source
    return tuple(rows)


Box = tuple[float, float, float, float]


def _labelled(
    nodes: tuple[GraphNode, ...], places: dict[str, tuple[float, float]], letters: Lettering
) -> dict[str, Label]:
    """Labels of the largest nodes, as far as they cover neither each other nor another node."""
    own = {}
    for node in nodes:
        (x, y), size = places[node.key], _size(node) + 2
        own[node.key] = (x - size, y - size, x + size, y + size)
    taken: list[Box] = []
    labels: dict[str, Label] = {}
    for node in sorted(nodes, key=lambda node: (-node.weight, node.key)):
        if len(labels) == letters.most:
            break
        others = [box for key, box in own.items() if key != node.key]
        if room := _room(node, places[node.key], letters, taken + others):
            labels[node.key], box = room
            taken.append(box)
    return labels


def _room(
    node: GraphNode, place: tuple[float, float], letters: Lettering, taken: list[Box]
) -> tuple[Label, Box] | None:
    """Right, left, below or above the node, the first that covers nothing and stays in the picture."""
    x, y = place
    size, line = _size(node), letters.line
    text = _short(node.label, letters.longest)
    wide = letters.character * len(text)
    for anchor, label_x, label_y, left in (
        ("start", x + size + 4, y + 0.3 * line, x + size + 4),
        ("end", x - size - 4, y + 0.3 * line, x - size - 4 - wide),
        ("middle", x, y + size + 0.9 * line, x - wide / 2),
        ("middle", x, y - size - 5, x - wide / 2),
    ):
        box = (left, label_y - 0.8 * line, left + wide, label_y + 0.2 * line)
        inside = box[0] >= 2 and box[2] <= WIDTH - 2 and box[1] >= 0 and box[3] <= HEIGHT
        if inside and not any(_covers(box, other) for other in taken):
            return Label(text, round(label_x, 1), round(label_y, 1), anchor), box
    return None


def _short(label: str, longest: int) -> str:
    return label if len(label) <= longest else label[: longest - 1].rstrip() + "…"


def _covers(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
