"""A graph slice as a picture and as a table: places, sizes and labels, and the same edges in words.

The picture stands in pages, styled by the style sheet, and can be had as a file of its own (`svg_file`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from markupsafe import escape
from numpy.typing import NDArray

from peerscope.discover import GraphEdge, GraphNode, GraphSlice
from peerscope.discover.graph.formats import ADDRESSES, NOT_XML
from peerscope.discover.graph_shapes import KINDS, TYPES

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
    x: int
    y: int
    size: float
    wide: Label | None
    narrow: Label | None

    @property
    def outline(self) -> str:
        """Its shape, as the path of an SVG."""
        return outline(self.entity, self.x, self.y, self.size)


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
    groups: tuple[tuple[str, tuple[DrawnNode, ...]], ...]
    """The nodes by entity, which takes fewer bytes than to name it at each."""
    rows: tuple[Row, ...]
    labels: Mapping[str, str]


def drawn(found: GraphSlice) -> Picture:
    """Scale a slice to the picture, label its largest nodes where there is room, and list its edges."""
    places = {
        node.key: (
            round(MARGIN + node.x * (WIDTH - 2 * MARGIN)),
            round(MARGIN / 2 + node.y * (HEIGHT - MARGIN)),
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
    entities = tuple(kind for kind in "WATIS" if kind in present)
    return Picture(
        nodes,
        _paths(found, places),
        entities,
        tuple((one, tuple(node for node in nodes if node.entity == one)) for one in entities),
        _rows(found),
        {node.key: node.label for node in found.nodes},
    )


def _paths(found: GraphSlice, places: dict[str, tuple[int, int]]) -> dict[str, str]:
    paths = dict.fromkeys(KINDS, "")
    for edge in found.edges:
        (x1, y1), (x2, y2) = places[edge.source], places[edge.target]
        path = f"M{x1} {y1}l{x2 - x1} {y2 - y1}"
        paths[edge.kind] += path
    return {kind: path for kind, path in paths.items() if path}


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


Boxes = NDArray[np.float64]
"""Left, top, right and bottom, shape ``[n, 4]``."""


def _labelled(
    nodes: tuple[GraphNode, ...], places: dict[str, tuple[int, int]], letters: Lettering
) -> dict[str, Label]:
    """Labels of the largest nodes, as far as they cover neither each other nor another node."""
    spots = np.array([places[node.key] for node in nodes], dtype=float)
    reach = np.array([_size(node) + 2 for node in nodes])[:, None]
    free = np.full((letters.most, 4), np.nan)
    taken = np.vstack([np.hstack([spots - reach, spots + reach]), free])
    labels: dict[str, Label] = {}
    for place, node in sorted(enumerate(nodes), key=lambda pair: (-pair[1].weight, pair[1].key)):
        if len(labels) == letters.most:
            break
        own = taken[place].copy()
        taken[place] = np.nan
        room = _room(node, places[node.key], letters, taken)
        taken[place] = own
        if room is not None:
            taken[len(nodes) + len(labels)] = room[1]
            labels[node.key] = room[0]
    return labels


def _room(
    node: GraphNode, place: tuple[int, int], letters: Lettering, taken: Boxes
) -> tuple[Label, Boxes] | None:
    """Right, left, below or above the node, the first that covers nothing and stays in the picture."""
    x, y = place
    size, line = _size(node), letters.line
    text = _short(node.label, letters.longest)
    wide = letters.character * len(text)
    ways = (
        ("start", x + size + 4, y + 0.3 * line, x + size + 4),
        ("end", x - size - 4, y + 0.3 * line, x - size - 4 - wide),
        ("middle", x, y + size + 0.9 * line, x - wide / 2),
        ("middle", x, y - size - 5, x - wide / 2),
    )
    boxes = np.array(
        [(left, down - 0.8 * line, left + wide, down + 0.2 * line) for _, _, down, left in ways]
    )
    inside = (boxes[:, 0] >= 2) & (boxes[:, 2] <= WIDTH - 2)
    inside &= (boxes[:, 1] >= 0) & (boxes[:, 3] <= HEIGHT)
    one = boxes[:, None, :]
    # What is not a number covers nothing: places for labels that are not set yet, and the node itself.
    covers = (one[..., 0] < taken[:, 2]) & (taken[:, 0] < one[..., 2])
    covers &= (one[..., 1] < taken[:, 3]) & (taken[:, 1] < one[..., 3])
    free = np.flatnonzero(inside & ~covers.any(axis=1))
    if not len(free):
        return None
    anchor, across, down, _ = ways[free[0]]
    return Label(text, round(across, 1), round(down, 1), anchor), boxes[free[0]]


def _short(label: str, longest: int) -> str:
    return label if len(label) <= longest else label[: longest - 1].rstrip() + "…"


SORTS = ("from", "kind", "to", "strength")
"""Columns by which the table of a slice can be sorted."""

ROWS = 30
"""Rows of a page of the table: with the picture of 150 nodes they stay below 60 kB."""


@dataclass(frozen=True, slots=True)
class Order:
    """How a table is sorted."""

    column: str = "kind"
    descending: bool = False

    def heading(self, column: str) -> str:
        """``ascending``, ``descending`` or ``none``, as ``aria-sort`` says it."""
        if column != self.column:
            return "none"
        return "descending" if self.descending else "ascending"

    def next(self, column: str) -> Order:
        """The order that a heading leads to: the other way round where it is sorted by it already."""
        first = column == "strength"
        return Order(column, not self.descending if column == self.column else first)


def in_order(found: GraphSlice, order: Order) -> list[GraphEdge]:
    """The edges sorted; equal ones in the order of the nodes."""
    rank = {node.key: place for place, node in enumerate(found.nodes)}
    labels = {node.key: node.label.casefold() for node in found.nodes}
    names = list(KINDS)
    keys: dict[str, Callable[[GraphEdge], object]] = {
        "from": lambda edge: labels[edge.source],
        "kind": lambda edge: names.index(edge.kind),
        "to": lambda edge: labels[edge.target],
        "strength": lambda edge: edge.weight,
    }
    edges = sorted(found.edges, key=lambda edge: (rank[edge.source], rank[edge.target], edge.kind))
    return sorted(edges, key=keys[order.column], reverse=order.descending)  # type: ignore[arg-type]


INK, PAPER, EDGE = "#1f1d1a", "#ffffff", "#8f897b"
FILLS = {"W": "#0b5c66", "A": "#9a4a12", "T": "#5b3f8c", "I": "#3d6b1f", "S": "#5d594f"}
LINES = {
    "cites": (EDGE, "1.1", ""), "coauthor": ("#9a4a12", "1.3", ""), "near": ("#0b5c66", "0.8", "3 3"),
    "topic": (EDGE, "0.8", "1 3"), "published": (EDGE, "0.8", "1 3"), "cocited": ("#5b3f8c", "0.8", "6 3"),
    "same_topic": (EDGE, "0.8", "1 5"), "reviewed": ("#3d6b1f", "1.6", "8 2"),
    "reproduced": ("#3d6b1f", "1.6", "8 2"),
}  # fmt: skip
"""Colour, width and dashes of a kind, as the style sheet has them in the light."""


def svg_file(found: GraphSlice, site: str) -> str:
    """The picture as a file: nothing in it refers elsewhere but the links, which begin with ``site``."""
    picture = drawn(found)
    title = _text(f"Graph around {found.nodes[0].label}")
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'font-family="sans-serif" font-size="11"><title>{title}</title>',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="{PAPER}"/>',
    ]
    for kind, path in picture.paths.items():
        colour, width, dashes = LINES.get(kind, (EDGE, "0.8", ""))
        dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
        parts.append(
            f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="{width}"{dashed}>'
            f"<title>{_text(KINDS[kind].label)}</title></path>"
        )
    for place, node in enumerate(picture.nodes):
        stroke, rim = (INK, 2.0) if place == 0 else (PAPER, 1.2)
        told = _text(f"{TYPES[node.entity]}: {node.title}")
        parts.append(
            f'<a href="{_text(site)}/{ADDRESSES[node.entity]}/{node.key}"><title>{told}</title>'
            f'<path d="{node.outline}" '
            f'fill="{FILLS[node.entity]}" stroke="{stroke}" stroke-width="{rim}"/>'
        )
        if label := node.wide:
            parts.append(
                f'<text x="{label.x}" y="{label.y}" text-anchor="{label.anchor}" fill="{INK}" '
                f'stroke="{PAPER}" stroke-width="3" paint-order="stroke">{_text(label.text)}</text>'
            )
        parts.append("</a>")
    return "".join([*parts, "</svg>\n"])


def outline(entity: str, x: float, y: float, size: float) -> str:
    """The path of a node: a square for works, a circle for people, a diamond for topics, and so on."""
    s = size
    if entity == "A":
        return f"M{x - s:g} {y:g}a{s:g} {s:g} 0 1 0 {2 * s:g} 0a{s:g} {s:g} 0 1 0 {-2 * s:g} 0z"
    if entity == "W":
        return f"M{x - s:g} {y - s:g}h{2 * s:g}v{2 * s:g}h{-2 * s:g}z"
    if entity == "T":
        d = 1.3 * s
        return f"M{x:g} {y - d:g}l{d:g} {d:g} {-d:g} {d:g} {-d:g} {-d:g}z"
    if entity == "I":
        h = s / 2
        return f"M{x - s:g} {y:g}l{h:g} {-s:g}h{s:g}l{h:g} {s:g} {-h:g} {s:g}h{-s:g}z"
    d = 1.2 * s
    return f"M{x:g} {y - d:g}l{d:g} {2.2 * s:g}h{-2 * d:g}z"


def _text(text: str) -> str:
    return str(escape(NOT_XML.sub("\ufffd", text)))
