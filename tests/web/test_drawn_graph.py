"""The picture and the table of a graph slice say the same."""

from __future__ import annotations

from peerscope.discover.graph_shapes import GraphEdge, GraphNode, GraphSlice
from peerscope.web.graph import HEIGHT, WIDTH, drawn


def slice_of(count: int) -> GraphSlice:
    nodes = tuple(
        GraphNode(
            "A",
            n,
            f"Person {n} of a long family name",
            n / count,
            (n * 7 % count) / count,
            1 / (n + 1),
        )
        for n in range(count)
    )
    edges = tuple(
        GraphEdge(
            f"A{one}", f"A{other}", "coauthor", 1.0, f"{1 + (one + other) % 3} works together"
        )
        for one in range(count)
        for other in range(one + 1, count)
        if (one * other) % 3 == 1
    )
    return GraphSlice(nodes, edges)


def test_the_table_has_every_edge_once_with_its_reason() -> None:
    found = slice_of(30)
    picture = drawn(found)
    labels = {node.key: node.label for node in found.nodes}
    told = [
        (labels[row.source], target, row.reason)
        for row in picture.rows
        for target, _ in row.targets
    ]
    assert len(found.edges) > 60
    assert sorted(told) == sorted(
        (labels[e.source], labels[e.target], e.reason) for e in found.edges
    )


def test_the_table_links_every_node_of_an_edge_once() -> None:
    found = slice_of(30)
    rows = drawn(found).rows
    linked = [row.source for row in rows if row.first]
    linked += [key for row in rows for _, key in row.targets if key]
    assert sorted(linked) == sorted({end for e in found.edges for end in (e.source, e.target)})


def test_labels_stay_in_the_picture_and_cover_no_other_label() -> None:
    picture = drawn(slice_of(40))
    for width, character, line in (("wide", 6.1, 14), ("narrow", 11.6, 26)):
        boxes = []
        for node in picture.nodes:
            if label := getattr(node, width):
                wide = character * len(label.text)
                left = label.x - {"start": 0, "end": wide, "middle": wide / 2}[label.anchor]
                boxes.append((left, label.y - 0.8 * line, left + wide, label.y + 0.2 * line))
        assert len(boxes) >= 5
        for place, (x0, y0, x1, y1) in enumerate(boxes):
            assert x0 >= 0
            assert x1 <= WIDTH
            assert y0 >= 0
            assert y1 <= HEIGHT
            assert not any(
                x0 < b[2] - 0.2 and b[0] < x1 - 0.2 and y0 < b[3] - 0.2 and b[1] < y1 - 0.2
                for b in boxes[place + 1 :]
            )
