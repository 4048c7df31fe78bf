"""The research graph as JSON, in graphology's serialisation: slices, expansion, paths, evidence, finding."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, HTTPException, Query, Request, Response
from fastapi import Path as PathParameter
from pydantic import BaseModel, Field

from peerscope.discover import SearchFilters
from peerscope.discover.graph import graphology
from peerscope.discover.graph_shapes import (
    KINDS,
    MOST_KNOWN,
    MOST_NODES,
    MOST_STEPS,
    MOST_TOUCHED,
    ON_PATHS,
    TYPES,
    USUAL_PATH,
    GraphSlice,
)
from peerscope.record.openalex.objects import API
from peerscope.record.read import cards, listing
from peerscope.web.api import Year
from peerscope.web.api_route import ApiRoute
from peerscope.web.asked import LONGEST
from peerscope.web.graph_asked import key_in, kinds_in, names_in, question, types_in
from peerscope.web.site import PLACES, count, site_of

router = APIRouter(prefix=f"{API}/graph", tags=["Research graph"], route_class=ApiRoute)

FOUND_OF_ONE = 5

Key = Annotated[str, PathParameter(pattern=r"^[WATIS][0-9]{1,15}$", description="As W12 or A3.")]
End = Annotated[str, Query(max_length=50, description="Key of a node, as W12 or A3.")]
Kinds = Annotated[
    list[str] | None,
    Query(max_length=40, description="Kinds of edges, with commas or one by one; all without."),
]
Types = Annotated[
    list[str] | None,
    Query(max_length=40, description="Types of nodes: work, person, topic, institution, venue."),
]
KindName = Literal[
    "authored", "coauthor", "cites", "cocited", "topic", "same_topic", "affiliated", "published",
    "near", "reviewed", "reproduced",
]  # fmt: skip
TypeName = Literal["work", "person", "topic", "institution", "venue"]


class NodeAttributes(BaseModel):
    """A node; ``x`` and ``y`` in the unit square, ``size`` in (0, 1]."""

    label: str
    type: TypeName
    x: float
    y: float
    size: float
    url: str
    year: int | None = None
    reproduced: str | None = Field(None, description="What attempts found of the work's claims.")


class GraphNodeAnswer(BaseModel):
    """A node with its key."""

    key: str
    attributes: NodeAttributes


class EdgeAttributes(BaseModel):
    """An edge; ``weight`` in (0, 1]."""

    kind: KindName
    weight: float
    reason: str


class GraphEdgeAnswer(BaseModel):
    """An edge with its ends."""

    key: str
    source: str
    target: str
    undirected: bool
    attributes: EdgeAttributes


class GraphAttributes(BaseModel):
    """What holds of the whole answer; the last four for paths alone."""

    centre: str
    limit: int | None = None
    truncated: bool = Field(description="Whether there is more than was answered.")
    fingerprint: str = Field(description="Equal for equal nodes and edges, which lie equally.")
    target: str | None = None
    steps: int | None = Field(None, description="Edges of the path; null without one.")
    gave_up: bool | None = Field(None, description="Whether the search ended at a bound.")
    touched: int | None = Field(None, description="Rows of the record that were read.")
    note: str | None = None


class GraphOptions(BaseModel):
    """Graphology's options."""

    type: Literal["mixed"]
    multi: Literal[True]
    allowSelfLoops: Literal[False]


class GraphAnswer(BaseModel):
    """A graph in graphology's serialisation."""

    attributes: GraphAttributes
    options: GraphOptions
    nodes: list[GraphNodeAnswer]
    edges: list[GraphEdgeAnswer]


class ProofAnswer(BaseModel):
    """One piece of evidence; ``url`` is empty where there is nothing to look at."""

    text: str
    url: str
    source: str


class EdgeAnswer(BaseModel):
    """An edge with its evidence; ``total`` counts all of it, at most 50 pieces are listed."""

    source: str
    target: str
    kind: KindName
    undirected: bool
    weight: float
    reason: str
    total: int
    evidence: list[ProofAnswer]


class FoundNode(BaseModel):
    """A node to begin with."""

    key: str
    label: str
    type: TypeName
    detail: str
    url: str


class FoundNodes(BaseModel):
    """Nodes whose name holds the words; works by this site's search."""

    results: list[FoundNode]


def _answer(content: dict[str, Any]) -> Response:
    return Response(orjson.dumps(content), media_type="application/json")


def _graph(found: GraphSlice, **attributes: Any) -> Response:
    about = {"truncated": found.truncated, "fingerprint": found.fingerprint} | attributes
    return _answer(graphology(found, about))


def _missing(key: str) -> HTTPException:
    return HTTPException(404, f"There is no {TYPES[key[0]]} {key} in this record.")


@router.get("/find", response_model=FoundNodes)
def find(request: Request, q: Annotated[str, Query(max_length=LONGEST)] = "") -> Response:
    """A few works, people, topics, institutions and venues by words, to begin with or to look for."""
    site, words = site_of(request), q.replace("\x00", " ").strip()
    found: list[dict[str, Any]] = []
    if words:
        hidden = site.community.kept.now().hidden
        hits = site.discovery.search(words, SearchFilters(), per_page=FOUND_OF_ONE).hits
        with site.database.session() as session:
            found += [
                _found("W", card.id, card.title, str(card.year or ""))
                for card in cards(session, [hit.work_id for hit in hits])
            ]
            for letter in "ATIS":
                without = hidden if letter == "A" else ()
                rows = listing(session, letter, 1, words[:100], "works", without).page.rows
                found += [
                    _found(letter, row.id, row.label, count(row.works_count, "work", "works"))
                    for row in rows[:FOUND_OF_ONE]
                ]
    return _answer({"results": found})


def _found(letter: str, number: int, label: str, detail: str) -> dict[str, Any]:
    key = f"{letter}{number}"
    return {
        "key": key, "label": label, "type": TYPES[letter], "detail": detail,
        "url": f"/{PLACES[letter]}/{key}",
    }  # fmt: skip


@router.get("/path", response_model=GraphAnswer)
def path(
    request: Request,
    source: Annotated[str, Query(alias="from", max_length=50, description="Key of a node.")],
    to: End,
    kinds: Kinds = None,
    types: Types = None,
    year_from: Year = None,
    year_to: Year = None,
) -> Response:
    """A shortest path along stated edges (by default ``authored`` and ``cites``), nodes in its order.

    At most 8 steps and 30,000 rows of the record; ``gave_up`` says when one of these ended the search.
    """
    begin, end = key_in(request, source), key_in(request, to)
    site = site_of(request)
    along = kinds_in(kinds or (), (name for name in KINDS if name in ON_PATHS)) or USUAL_PATH
    asked = question(request, begin, 2, along, types_in(types or ()), year_from, year_to)
    found = site.discovery.graph_path(asked, end)
    note = None
    if found.gave_up:
        note = (
            f"The search ended after {MOST_STEPS} steps or {MOST_TOUCHED:,} rows of the record, "
            "so there may be a path all the same."
        )
    elif found.steps is None:
        note = "No path of these kinds joins the two, or one of them is not in the record."
    return _graph(
        found.found, centre=begin, target=end, steps=found.steps, gave_up=found.gave_up,
        touched=found.touched, note=note,
    )  # fmt: skip


@router.get("/edge", response_model=EdgeAnswer)
def edge(request: Request, source: End, target: End, kind: KindName) -> Response:
    """Why an edge stands, with its evidence."""
    begin, end = key_in(request, source), key_in(request, target)
    found = site_of(request).discovery.graph_why(question(request, begin, 2), end, kind)
    if found is None:
        raise HTTPException(404, f"No edge “{kind}” goes from {begin} to {end}.")
    return _answer(
        {
            "source": begin, "target": end, "kind": kind, "undirected": not KINDS[kind].directed,
            "weight": found.edge.weight, "reason": found.edge.reason, "total": found.total,
            "evidence": [
                {"text": one.text, "url": one.url, "source": one.source} for one in found.proofs
            ],
        },
    )  # fmt: skip


@router.get("/{key}", response_model=GraphAnswer)
def graph(
    request: Request,
    key: Key,
    limit: Annotated[int, Query(ge=2, le=MOST_NODES)] = 60,
    kinds: Kinds = None,
    types: Types = None,
    year_from: Year = None,
    year_to: Year = None,
) -> Response:
    """The graph around a node: nodes with places, edges with reasons."""
    centre = key_in(request, key)
    asked = question(
        request, centre, limit, kinds_in(kinds or ()), types_in(types or ()), year_from, year_to
    )
    found = site_of(request).discovery.graph(asked)
    if not found.nodes:
        raise _missing(centre)
    return _graph(found, centre=centre, limit=limit)


@router.get("/{key}/expand", response_model=GraphAnswer)
def expand(
    request: Request,
    key: Key,
    known: Annotated[
        list[str] | None,
        Query(max_length=MOST_KNOWN, description="Keys of nodes that are there already."),
    ] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 40,
    kinds: Kinds = None,
    types: Types = None,
    year_from: Year = None,
    year_to: Year = None,
) -> Response:
    """New neighbours of a node, and the edges that join them to it, to each other and to known nodes.

    Places are around the node that is opened, which lies at (0.5, 0.5); edges may end at known nodes, which
    are not repeated.
    """
    centre = key_in(request, key)
    given = names_in(known or ())
    if len(given) > MOST_KNOWN:
        raise HTTPException(422, f"At most {MOST_KNOWN:,} known nodes; these are {len(given):,}.")
    there = [one for one in dict.fromkeys(given) if _is_shown(request, one)]
    asked = question(
        request, centre, limit, kinds_in(kinds or ()), types_in(types or ()), year_from, year_to
    )
    found = site_of(request).discovery.graph_expansion(asked, there)
    if not found.nodes:
        raise _missing(centre)
    return _graph(found, centre=centre, limit=limit)


def _is_shown(request: Request, key: str) -> bool:
    """Whether a known node may be joined; somebody hidden since is passed over.

    Raises:
        HTTPException: 422 for what is no key.
    """
    try:
        key_in(request, key)
    except HTTPException as error:
        if error.status_code == 410:
            return False
        raise
    return True
