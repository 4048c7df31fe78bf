"""A slice as a file: graphology's JSON, GraphML, GEXF, N-Triples.

The first is what the explorer and its library read (https://graphology.github.io/serialization).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import networkx as nx

from peerscope.discover.graph_shapes import KINDS, TYPES, GraphEdge, GraphNode, GraphSlice

ADDRESSES = {"W": "works", "A": "people", "T": "topics", "I": "institutions", "S": "venues"}

NOT_XML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
"""Characters that no XML document can hold."""

NAMES = {
    "W": "https://schema.org/ScholarlyArticle",
    "A": "https://schema.org/Person",
    "T": "https://schema.org/DefinedTerm",
    "I": "https://schema.org/Organization",
    "S": "https://schema.org/Periodical",
}
PREDICATES = {
    "authored": "https://schema.org/author",
    "cites": "http://purl.org/spar/cito/cites",
    "topic": "https://schema.org/about",
    "affiliated": "https://schema.org/affiliation",
    "published": "https://schema.org/isPartOf",
}
"""What other vocabularies call a kind; the rest are named by this site, at ``/graph/kinds``.

In schema.org a work has authors, so that this one is told from target to source.
"""

LABEL = "http://www.w3.org/2000/01/rdf-schema#label"
TYPE = "http://www.w3.org/1999/02/22-rdf-syntax-ns#type"


def graphology(found: GraphSlice, attributes: dict[str, Any], site: str = "") -> dict[str, Any]:
    """A slice in graphology's serialisation.

    Args:
        found: The slice.
        attributes: Of the graph.
        site: What addresses begin with; they stay relative without.
    """
    return {
        "attributes": attributes,
        "options": {"type": "mixed", "multi": True, "allowSelfLoops": False},
        "nodes": [
            {"key": node.key, "attributes": node_attributes(node, site)} for node in found.nodes
        ],
        "edges": [
            {
                "key": edge.key,
                "source": edge.source,
                "target": edge.target,
                "undirected": not KINDS[edge.kind].directed,
                "attributes": edge_attributes(edge),
            }
            for edge in found.edges
        ],
    }


def node_attributes(node: GraphNode, site: str = "") -> dict[str, Any]:
    """What is told of a node; ``year`` and ``reproduced`` only where there are some."""
    told: dict[str, Any] = {
        "label": node.label,
        "type": TYPES[node.entity],
        "x": node.x,
        "y": node.y,
        "size": node.weight,
        "url": f"{site}/{ADDRESSES[node.entity]}/{node.key}",
    }
    if node.year is not None:
        told["year"] = node.year
    if node.reproduced:
        told["reproduced"] = node.reproduced
    return told


def edge_attributes(edge: GraphEdge) -> dict[str, Any]:
    """What is told of an edge."""
    return {"kind": edge.kind, "weight": edge.weight, "reason": edge.reason}


def _networkx(found: GraphSlice, site: str) -> nx.MultiDiGraph[str]:
    """As networkx reads it back: every edge directed, ``undirected`` as an attribute."""
    graph: nx.MultiDiGraph[str] = nx.MultiDiGraph()
    for node in found.nodes:
        graph.add_node(node.key, **_clean(node_attributes(node, site)))
    for edge in found.edges:
        told = edge_attributes(edge) | {"undirected": not KINDS[edge.kind].directed}
        graph.add_edge(edge.source, edge.target, key=edge.key, **_clean(told))
    return graph


def _clean(told: dict[str, Any]) -> dict[str, Any]:
    return {
        name: NOT_XML.sub("�", value) if isinstance(value, str) else value
        for name, value in told.items()
    }


def _graphml(found: GraphSlice, site: str) -> bytes:
    stream = BytesIO()
    nx.write_graphml_xml(_networkx(found, site), stream, named_key_ids=True)
    return stream.getvalue()


def _gexf(found: GraphSlice, site: str) -> bytes:
    """With places and sizes as GEXF's own elements, where its readers look for them."""
    graph = _networkx(found, site)
    for _, told in graph.nodes(data=True):
        place = {"x": told.pop("x") * 1000, "y": -told.pop("y") * 1000, "z": 0.0}
        told["viz"] = {"position": place, "size": 4 + 20 * told.pop("size")}
    stream = BytesIO()
    nx.write_gexf(graph, stream, version="1.2draft")
    return stream.getvalue()


def _json(found: GraphSlice, site: str) -> bytes:
    told = graphology(found, {"fingerprint": found.fingerprint, "truncated": found.truncated}, site)
    return json.dumps(told, ensure_ascii=False, allow_nan=False).encode("utf-8", "replace")


def _triples(found: GraphSlice, site: str) -> bytes:
    """Names, types and edges; an edge without direction is told both ways."""
    lines = []
    about = {node.key: f"<{site}/{ADDRESSES[node.entity]}/{node.key}>" for node in found.nodes}
    for node in found.nodes:
        lines.append(f"{about[node.key]} <{TYPE}> <{NAMES[node.entity]}> .")
        lines.append(f"{about[node.key]} <{LABEL}> {_literal(node.label)} .")
    for edge in found.edges:
        if edge.source not in about or edge.target not in about:
            continue
        name = PREDICATES.get(edge.kind, f"{site}/graph/kinds#{edge.kind}")
        ends = [] if edge.kind == "authored" else [(edge.source, edge.target)]
        if edge.kind == "authored" or not KINDS[edge.kind].directed:
            ends.append((edge.target, edge.source))
        lines += [f"{about[one]} <{name}> {about[other]} ." for one, other in ends]
    return ("\n".join(lines) + "\n").encode("utf-8", "replace")


def _literal(text: str) -> str:
    """A string of N-Triples (https://www.w3.org/TR/n-triples, STRING_LITERAL_QUOTE)."""
    text = text.replace("\\", "\\\\").replace('"', '\\"')
    text = text.replace("\n", "\\n").replace("\r", "\\r")
    return f'"{text}"'


@dataclass(frozen=True, slots=True)
class Writer:
    """A form that a slice can be had in; ``write`` takes the slice and what addresses begin with."""

    suffix: str
    media_type: str
    label: str
    write: Callable[[GraphSlice, str], bytes]


WRITERS = {
    one.suffix: one
    for one in (
        Writer("json", "application/json", "JSON (graphology)", _json),
        Writer("graphml", "application/graphml+xml", "GraphML", _graphml),
        Writer("gexf", "application/gexf+xml", "GEXF", _gexf),
        Writer("nt", "application/n-triples", "N-Triples", _triples),
    )
}
"""Suffix to form; the picture (SVG) is the web's."""
