"""Exports read back by networkx, and by rules of their own, with hostile labels."""

from __future__ import annotations

import json
import re
from io import BytesIO

import networkx as nx
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from peerscope.discover.graph.formats import NOT_XML, WRITERS
from peerscope.discover.graph_shapes import KINDS, GraphEdge, GraphNode, GraphSlice
from peerscope.web.graph import svg_file

SITE = "https://site.example"
labels = st.text(max_size=40) | st.sampled_from(
    ["<script>alert(1)</script>", "]]>&\"'", "\x00\x1f\ufffe", "a\nb\r\tc", "\ud800", "\\", "‮rtl"]
)
TRIPLE = re.compile(
    r'<[^<>"{}|^`\\\x00-\x20]*> <[^<>"{}|^`\\\x00-\x20]*> '
    r'(<[^<>"{}|^`\\\x00-\x20]*>|"([^"\\\n\r]|\\["\\nrt])*") \.'
)


@st.composite
def slices(draw: st.DrawFn) -> GraphSlice:
    names = draw(st.lists(labels, min_size=1, max_size=6))
    nodes = tuple(
        GraphNode("WA"[n % 2], n, name, 0.5, 0.25, 0.5, 2000 + n if n % 2 == 0 else None,
                  "1 reproduced" if n == 0 else "")
        for n, name in enumerate(names)
    )  # fmt: skip
    reason = draw(labels)
    edges = tuple(
        GraphEdge(one.key, other.key, kind, 0.5, reason)
        for one in nodes
        for other in nodes
        for kind in ("authored", "cites", "coauthor", "near")
        if one != other and (one.entity, other.entity) in KINDS[kind].ends and one.id < other.id
    )
    return GraphSlice(nodes, edges, False, "f")


def clean(text: str) -> str:
    return NOT_XML.sub("�", text)


@settings(max_examples=60, deadline=None)
@given(slices())
def test_networkx_reads_graphml_and_gexf_back(found: GraphSlice) -> None:
    written = {name: BytesIO(WRITERS[name].write(found, SITE)) for name in ("graphml", "gexf")}
    for graph in (
        nx.read_graphml(written["graphml"], force_multigraph=True),
        nx.read_gexf(written["gexf"]),
    ):
        assert set(graph) == {node.key for node in found.nodes}
        assert graph.number_of_edges() == len(found.edges)
        for node in found.nodes:
            told = graph.nodes[node.key]
            assert told["type"] == {"W": "work", "A": "person"}[node.entity]
            assert told["url"] == f"{SITE}/{'works' if node.entity == 'W' else 'people'}/{node.key}"
            # XML reads every line ending as one line feed (XML 1.0, 2.11 and 3.3.3).
            given = re.sub(r"\s+", " ", clean(node.label))
            assert re.sub(r"\s+", " ", told["label"] or "") == given
        kinds = sorted(data["kind"] for _, _, data in graph.edges(data=True))
        assert kinds == sorted(edge.kind for edge in found.edges)


@settings(max_examples=60, deadline=None)
@given(slices())
def test_json_and_triples_say_every_node_and_edge(found: GraphSlice) -> None:
    told = json.loads(WRITERS["json"].write(found, SITE))
    assert [node["key"] for node in told["nodes"]] == [node.key for node in found.nodes]
    assert {edge["key"] for edge in told["edges"]} == {edge.key for edge in found.edges}
    lines = WRITERS["nt"].write(found, SITE).decode().split("\n")
    assert lines.pop() == ""
    assert all(TRIPLE.fullmatch(line) for line in lines), lines
    both = sum(1 if KINDS[edge.kind].directed else 2 for edge in found.edges)
    assert len(lines) == 2 * len(found.nodes) + both


@settings(max_examples=40, deadline=None)
@given(slices())
def test_the_picture_is_xml_without_anything_that_runs(found: GraphSlice) -> None:
    root = etree.fromstring(svg_file(found, SITE).encode("utf-8", "replace"))
    names = {etree.QName(element).localname for element in root.iter()}
    assert names <= {"svg", "title", "rect", "path", "a", "text"}
    attributes = {str(name) for element in root.iter() for name in element.attrib}
    assert not any(name.lower().startswith("on") or name == "style" for name in attributes)
    links = [element.get("href") for element in root.iter() if element.get("href")]
    assert len(links) == len(found.nodes)
    assert all(link.startswith(f"{SITE}/") for link in links)
