"""A graph slice as a picture: places, sizes and labels for the SVG template."""

from __future__ import annotations

from dataclasses import dataclass

from peerscope.discover import GraphSlice

WIDTH, HEIGHT, MARGIN = 720, 460, 56
LABELLED = 22
LONGEST_LABEL = 30
CHARACTER, LINE = 6.1, 14


@dataclass(frozen=True, slots=True)
class DrawnNode:
    """A node with its place in the picture; ``label`` is empty where it would cover another."""

    key: str
    entity: str
    id: int
    title: str
    label: str
    x: float
    y: float
    size: float
    anchor: str
    label_x: float
    label_y: float


@dataclass(frozen=True, slots=True)
class DrawnEdge:
    """An edge between two places."""

    kind: str
    x1: float
    y1: float
    x2: float
    y2: float


@dataclass(frozen=True, slots=True)
class Picture:
    """A slice ready to be drawn."""

    nodes: tuple[DrawnNode, ...]
    edges: tuple[DrawnEdge, ...]
    entities: tuple[str, ...]


def drawn(found: GraphSlice) -> Picture:
    """Scale a slice to the picture and label its largest nodes where there is room."""
    places = {
        node.key: (
            round(MARGIN + node.x * (WIDTH - 2 * MARGIN), 1),
            round(MARGIN / 2 + node.y * (HEIGHT - MARGIN), 1),
        )
        for node in found.nodes
    }
    taken = [(x - 9, y - 9, x + 9, y + 9) for x, y in places.values()]
    labelled = {}
    order = sorted(found.nodes, key=lambda node: (-node.weight, node.key))
    for node in order[:LABELLED]:
        if box := _room(node.label, places[node.key], 4 + 7 * node.weight, taken):
            labelled[node.key] = box
            taken.append(box[3])
    nodes = []
    for node in found.nodes:
        x, y = places[node.key]
        anchor, label_x, label_y, _ = labelled.get(node.key) or ("start", 0.0, 0.0, None)
        label = _short(node.label) if node.key in labelled else ""
        size = round(4 + 7 * node.weight, 1)
        nodes.append(
            DrawnNode(
                node.key,
                node.entity,
                node.id,
                node.label,
                label,
                x,
                y,
                size,
                anchor,
                label_x,
                label_y,
            )
        )
    edges = tuple(
        DrawnEdge(edge.kind, *places[edge.source], *places[edge.target]) for edge in found.edges
    )
    present = {node.entity for node in found.nodes}
    return Picture(tuple(nodes), edges, tuple(kind for kind in "WATIS" if kind in present))


Box = tuple[float, float, float, float]


def _short(label: str) -> str:
    return label if len(label) <= LONGEST_LABEL else label[: LONGEST_LABEL - 1].rstrip() + "…"


def _room(
    label: str, place: tuple[float, float], size: float, taken: list[Box]
) -> tuple[str, float, float, Box] | None:
    """Right, left, below or above the node, the first that covers nothing and stays in the picture."""
    x, y = place
    wide = CHARACTER * len(_short(label))
    for anchor, label_x, label_y, left in (
        ("start", x + size + 4, y + 4, x + size + 4),
        ("end", x - size - 4, y + 4, x - size - 4 - wide),
        ("middle", x, y + size + 13, x - wide / 2),
        ("middle", x, y - size - 5, x - wide / 2),
    ):
        box = (left, label_y - LINE + 3, left + wide, label_y + 3)
        inside = box[0] >= 2 and box[2] <= WIDTH - 2 and box[1] >= 0 and box[3] <= HEIGHT
        own = (x - 9, y - 9, x + 9, y + 9)
        if inside and not any(_covers(box, other) for other in taken if other != own):
            return anchor, round(label_x, 1), round(label_y, 1), box
    return None


def _covers(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
