"""Pages of the research graph, without script: a slice with its sortable table, and why an edge stands."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from peerscope.discover import GraphQuestion, GraphSlice
from peerscope.discover.graph import WRITERS
from peerscope.discover.graph_shapes import KINDS, MOST_ON_PAGE, TYPES
from peerscope.record.models import Person, Work
from peerscope.web.asked import page_in
from peerscope.web.caching import conditional
from peerscope.web.claiming import asking_robots
from peerscope.web.graph import ROWS, SORTS, Order, drawn, in_order, svg_file
from peerscope.web.graph_asked import (
    USUAL_ON_PAGE,
    asked_of_page,
    key_in,
    kinds_in,
    question,
)
from peerscope.web.site import PLACES, base_of, site_of

router = APIRouter(include_in_schema=False)

SIZES = (40, USUAL_ON_PAGE, MOST_ON_PAGE)
SVG = "svg"


@router.get("/graph/kinds", response_class=HTMLResponse)
def kinds(request: Request) -> Response:
    """What each kind of edge means."""
    return site_of(request).page(request, "graph_kinds.html", types=TYPES)


@router.get("/graph/why", response_class=HTMLResponse)
def why(request: Request) -> Response:
    """Why an edge stands: its evidence, piece by piece; without an edge, what the kinds mean."""
    given = request.query_params
    if not given:
        return kinds(request)
    source, target = (key_in(request, given.get(name, "")) for name in ("source", "target"))
    kind = given.get("kind", "")
    kinds_in([kind or "nothing"])
    found = site_of(request).discovery.graph_why(question(request, source, 2), target, kind)
    if found is None:
        raise HTTPException(404, f"No edge “{KINDS[kind].label}” goes from {source} to {target}.")
    page = site_of(request).page(request, "graph_why.html", found=found, kind=KINDS[kind])
    return asking_robots(page, True)


@router.get("/{place}/{name}/graph", response_class=HTMLResponse)
def page(request: Request, place: str, name: str) -> Response:
    """The graph around an entity: picture, filters, and every edge in a table."""
    key = _centre(request, place, name)
    asked = asked_of_page(request, key)
    found = _slice(request, asked)
    if isinstance(found, Response):
        return found
    given = request.query_params
    column = given.get("sort", "kind")
    order = Order(column if column in SORTS else "kind", given.get("order") == "desc")
    rows = in_order(found, order)
    number = min(page_in(given), max(1, -(-len(rows) // ROWS)))
    filters = _filters(asked)
    shown = site_of(request).page(
        request, "graph.html",
        slice=found,
        asked=asked,
        picture=drawn(found),
        labels={node.key: node.label for node in found.nodes},
        rows=rows[(number - 1) * ROWS : number * ROWS],
        total=len(rows),
        number=number,
        pages=max(1, -(-len(rows) // ROWS)),
        order=order,
        headings=[
            (one, order.heading(one), _address(filters, order.next(one))) for one in SORTS
        ],
        address=lambda number: _address(filters, order, number),
        exports=[(one.suffix, one.label) for one in WRITERS.values()] + [(SVG, "SVG")],
        query=urlencode(filters),
        types=TYPES,
        sizes=SIZES,
        reproduced=[node for node in found.nodes if node.reproduced],
    )  # fmt: skip
    return asking_robots(shown, bool(given))


@router.get("/{place}/{name}/graph.{suffix}")
def export(request: Request, place: str, name: str, suffix: str) -> Response:
    """The same slice as a file."""
    key = _centre(request, place, name)
    if suffix != SVG and suffix not in WRITERS:
        known = ", ".join(f".{one}" for one in (*WRITERS, SVG))
        raise HTTPException(404, f"There is no such form of a graph; there are {known}.")
    found = _slice(request, asked_of_page(request, key), f".{suffix}")
    if isinstance(found, Response):
        return found
    base = base_of(request)
    if suffix == SVG:
        response = Response(svg_file(found, base), media_type="image/svg+xml")
    else:
        writer = WRITERS[suffix]
        response = Response(writer.write(found, base), media_type=writer.media_type)
    response.headers["Content-Disposition"] = f'inline; filename="{key}.{suffix}"'
    return conditional(request, response)


def _centre(request: Request, place: str, name: str) -> str:
    if place not in PLACES.values():
        raise HTTPException(404)
    try:
        key = key_in(request, name)
    except HTTPException as error:
        raise HTTPException(404 if error.status_code == 422 else error.status_code) from error
    if PLACES[key[0]] != place:
        raise HTTPException(404)
    return key


def _slice(request: Request, asked: GraphQuestion, suffix: str = "") -> GraphSlice | Response:
    """The slice, or the way to who somebody is now.

    Raises:
        HTTPException: 404 for an unknown centre, 410 for a deleted work.
    """
    site = site_of(request)
    found = site.discovery.graph(asked)
    if found.nodes:
        return found
    with site.database.session() as session:
        if asked.entity == "A":
            person = session.get(Person, asked.id)
            if person is not None and person.merged_into_id is not None:
                # Not for good: the merge can be undone.
                return RedirectResponse(f"/people/A{person.merged_into_id}/graph{suffix}", 302)
        if asked.entity == "W" and session.get(Work, asked.id) is not None:
            raise HTTPException(410)
    raise HTTPException(404)


def _filters(asked: GraphQuestion) -> list[tuple[str, Any]]:
    """What the address has to say so that it asks the same again."""
    pairs: list[tuple[str, Any]] = []
    if asked.kinds != frozenset(KINDS):
        pairs.append(("kinds", ",".join(name for name in KINDS if name in asked.kinds)))
    if asked.types != frozenset(TYPES):
        pairs.append(("types", ",".join(TYPES[one] for one in TYPES if one in asked.types)))
    years = {"year_from": asked.year_from, "year_to": asked.year_to}
    pairs += [(name, year) for name, year in years.items() if year is not None]
    if asked.limit != USUAL_ON_PAGE:
        pairs.append(("limit", asked.limit))
    return pairs


def _address(filters: list[tuple[str, Any]], order: Order, number: int = 1) -> str:
    pairs = [*filters]
    if order != Order():
        pairs += [("sort", order.column), ("order", "desc" if order.descending else "asc")]
    if number > 1:
        pairs.append(("page", number))
    return f"?{urlencode(pairs)}#edges"
