"""The read API in OpenAlex's shape: its clients work against this site.

``/api/v1/works``, ``authors``, ``sources``, ``institutions`` and ``topics``: lists with filter, search,
sort, group_by, select, sample, pages and cursors; single entities by id of here or elsewhere; autocomplete.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, HTTPException, Query, Request, Response
from fastapi import Path as PathParameter
from pydantic import BaseModel
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from peerscope.discover import SearchFilters
from peerscope.record.openalex import (
    ENTITIES,
    MOST_PAGED,
    Asked,
    Kind,
    Listed,
    QueryError,
    grouped,
    listed,
    objects,
    parse_filter,
    parse_sort,
    sampled,
)
from peerscope.record.openalex.conditions import outside_id, own_number
from peerscope.record.openalex.objects import API, FIELDS
from peerscope.record.read import entity_of_identifier
from peerscope.web.api_route import ApiRoute, changed_at, following
from peerscope.web.asked import LONGEST
from peerscope.web.caching import conditional
from peerscope.web.site import Site, base_of, site_of

router = APIRouter(prefix=API, tags=["OpenAlex-shaped"], route_class=ApiRoute)

Name = Literal["works", "authors", "sources", "institutions", "topics"]
LONGEST_FILTER = 16_000
SEARCHED = 400
"""Works that a search considers; filters then choose among them."""

JSON = "application/json"
COMPLETED = 10
RELATED = 10


class Meta(BaseModel):
    """How many there are, and where this page stands; ``next_cursor`` only where a cursor was given."""

    count: int
    db_response_time_ms: int
    page: int | None
    per_page: int
    groups_count: int | None
    next_cursor: str | None = None


class Group(BaseModel):
    """How many there are of one value."""

    key: str
    key_display_name: str
    count: int


class ListAnswer(BaseModel):
    """A list in OpenAlex's shape; the fields of its objects are those of OpenAlex's documentation."""

    meta: Meta
    results: list[dict[str, Any]]
    group_by: list[Group]


class Completed(BaseModel):
    """An entity whose name holds the words."""

    id: str
    display_name: str
    hint: str | None
    cited_by_count: int | None
    works_count: int
    entity_type: str
    external_id: str | None
    filter_key: str


class CompletedAnswer(BaseModel):
    """Entities whose names hold the words, the most connected first."""

    meta: Meta
    results: list[Completed]


Text = Annotated[str, Query(max_length=LONGEST_FILTER)]


def _answer(request: Request, content: Any) -> Response:
    """Content as an answer; the time that a list took is no part of what its entity tag stands for."""
    if "meta" not in content:
        return Response(orjson.dumps(content), media_type=JSON)
    took, content["meta"]["db_response_time_ms"] = content["meta"]["db_response_time_ms"], 0
    timeless = orjson.dumps(content)
    body = timeless.replace(b'"db_response_time_ms":0', b'"db_response_time_ms":%d' % took, 1)
    return conditional(request, Response(body, media_type=JSON), timeless)


def _hidden(request: Request) -> frozenset[int]:
    return site_of(request).community.kept.now().hidden


@router.get("/autocomplete/{name}", response_model=CompletedAnswer)
def autocomplete(
    request: Request,
    name: Name,
    q: Annotated[str, Query(max_length=LONGEST)] = "",
    filter: Text = "",
) -> Response:
    """Entities of one kind whose name holds the words, the most connected first."""
    start = time.perf_counter()
    with site_of(request).database.session() as session:
        found = _completed(session, ENTITIES[name], q, filter, base_of(request), _hidden(request))
    return _answer(request, {"meta": _meta(start, len(found), 1, COMPLETED), "results": found})


@router.get("/autocomplete", response_model=CompletedAnswer)
def autocomplete_all(
    request: Request, q: Annotated[str, Query(max_length=LONGEST)] = ""
) -> Response:
    """Entities of every kind whose name holds the words."""
    start = time.perf_counter()
    found: list[dict[str, Any]] = []
    with site_of(request).database.session() as session:
        for kind in ENTITIES.values():
            found += _completed(session, kind, q, "", base_of(request), _hidden(request))
    found.sort(key=lambda one: (-one["works_count"], one["id"]))
    return _answer(
        request,
        {"meta": _meta(start, len(found), 1, COMPLETED), "results": found[:COMPLETED]},
    )


def _completed(
    session: Session, kind: Kind, query: str, filter: str, site: str, hidden: frozenset[int]
) -> list[dict[str, Any]]:
    words = re.sub(r"[|,:!\"<>\x00]", " ", query).strip()
    if not words:
        return []
    text = f'display_name.search:"{words}"'
    order = [("cited_by_count" if kind.name == "works" else "works_count", True)]
    terms = parse_filter(f"{filter},{text}" if filter else text)
    asked = Asked(terms, order, per_page=COMPLETED, hidden=hidden)
    numbers = listed(session, kind, asked).numbers
    fields = {"id", "display_name", "works_count", "cited_by_count", "ids", "publication_year"}
    return [
        {
            "id": one["id"],
            "display_name": one["display_name"],
            "hint": str(one.get("publication_year") or "") or None,
            "cited_by_count": one.get("cited_by_count"),
            "works_count": one.get("works_count", 1),
            "entity_type": kind.name.removesuffix("s"),
            "external_id": next(iter(one["ids"].values()), None),
            "filter_key": "id",
        }
        for one in objects(session, kind, numbers, site, fields)
    ]


@router.get("/{name}", response_model=ListAnswer)
def entities(
    request: Request,
    name: Name,
    filter: Text = "",
    search: Annotated[str, Query(max_length=LONGEST)] = "",
    semantic: Annotated[str, Query(alias="search.semantic", max_length=LONGEST)] = "",
    sort: Annotated[str, Query(max_length=200)] = "",
    select: Annotated[str, Query(max_length=1000)] = "",
    group_by: Annotated[str, Query(max_length=200)] = "",
    group_dash: Annotated[str, Query(alias="group-by", max_length=200)] = "",
    page: Annotated[int, Query(ge=1, le=10_000)] = 1,
    per_page: Annotated[int, Query(ge=1, le=200)] = 25,
    per_dash: Annotated[int | None, Query(alias="per-page", ge=1, le=200)] = None,
    cursor: Annotated[str, Query(max_length=2_000)] = "",
    sample: Annotated[int | None, Query()] = None,
    seed: Annotated[str, Query(max_length=100)] = "",
) -> Response:
    """A list of entities, or how many there are of each kind."""
    start, site, kind = time.perf_counter(), site_of(request), ENTITIES[name]
    words = (search or semantic).replace("\x00", " ").strip()
    size, group = per_dash or per_page, group_dash or group_by
    with site.database.session() as session:
        terms, order = parse_filter(filter), parse_sort(sort)
        fields = _fields(kind, select)
        among = _searched(site, kind, words) if words else None
        if words and kind.name != "works":
            terms += parse_filter(f'display_name.search:"{words.replace(chr(34), " ")}"')
        order = [one for one in order if one[0] != "relevance_score"]
        asked = Asked(terms, order, among, page, size, cursor, _hidden(request))
        if group:
            groups = grouped(session, kind, asked, group)
            meta = _meta(start, sum(one["count"] for one in groups), 1, len(groups))
            meta["groups_count"] = len(groups)
            return _answer(request, {"meta": meta, "results": [], "group_by": groups})
        found = (
            sampled(session, kind, asked, sample, seed)
            if sample is not None
            else listed(session, kind, asked)
        )
        results = objects(
            session, kind, found.numbers, base_of(request), fields, hidden=asked.hidden
        )
    meta = _meta(start, found.count, page, size)
    if cursor:
        meta |= {"page": None, "next_cursor": found.next_cursor}
    return _linked(request, {"meta": meta, "results": results, "group_by": []}, asked, found)


def _linked(request: Request, content: Any, asked: Asked, found: Listed) -> Response:
    response = _answer(request, content)
    reached = asked.page * asked.per_page
    if asked.cursor and found.next_cursor:
        following(request, response, cursor=found.next_cursor)
    elif not asked.cursor and reached < found.count and reached + asked.per_page <= MOST_PAGED:
        following(request, response, page=asked.page + 1)
    return response


def _searched(site: Site, kind: Kind, words: str) -> Sequence[int] | None:
    if kind.name != "works":
        return None
    found = site.discovery.search(words, SearchFilters(), per_page=SEARCHED)
    return [hit.work_id for hit in found.hits]


def _fields(kind: Kind, given: str) -> set[str] | None:
    if not given:
        return None
    fields = {one.strip() for one in given.split(",") if one.strip()}
    unknown = sorted(fields - set(FIELDS[kind.name]))
    if unknown:
        raise QueryError(
            f"{unknown[0][:80]} is not a valid select field. Valid fields are: "
            f"{', '.join(FIELDS[kind.name])}."
        )
    return fields


@router.get("/works/{id:path}/ngrams", include_in_schema=False)
def ngrams(request: Request, id: str) -> Response:
    """OpenAlex's n-grams, which this site does not count."""
    raise HTTPException(410, "N-grams are not offered.")


@router.get("/{name}/{id:path}", response_model=dict[str, Any])
def entity(
    request: Request,
    name: Name,
    id: Annotated[str, PathParameter(max_length=500)],
    select: Annotated[str, Query(max_length=1000)] = "",
) -> Response:
    """One entity, by its id here (W12), an identifier of elsewhere, or ``random``."""
    site, kind = site_of(request), ENTITIES[name]
    with site.database.session() as session:
        number = _named(session, kind, id)
        hidden = _hidden(request)
        if kind.letter == "A" and number in hidden:
            number = None

        def near(work: int) -> list[int]:
            return [one.id for one in site.discovery.neighbours("W", work, RELATED)]

        found = (
            objects(session, kind, [number], base_of(request), _fields(kind, select), near, hidden)
            if number is not None
            else []
        )
    if not found:
        raise HTTPException(404, f"There is no {name.removesuffix('s')} {id[:100]} here.")
    response = _answer(request, found[0])
    if "updated_date" in found[0]:
        changed_at(response, datetime.fromisoformat(found[0]["updated_date"]))
    return response


def _named(session: Session, kind: Kind, given: str) -> int | None:
    """The number of what an id names; of an entity that is there still."""
    if "\x00" in given:
        return None
    if given == "random":
        return session.scalar(
            select(kind.table.id).where(kind.there).order_by(func.random()).limit(1)
        )
    number = own_number(kind.letter, given)
    if number is None:
        found = outside_id(given)
        number = entity_of_identifier(session, kind.letter, *found) if found else None
    if number is None:
        return None
    return session.scalar(select(kind.table.id).where(kind.table.id == number, kind.there))


def _meta(start: float, count: int, page: int, per_page: int) -> dict[str, Any]:
    return {
        "count": count,
        "db_response_time_ms": round(1000 * (time.perf_counter() - start)),
        "page": page,
        "per_page": per_page,
        "groups_count": None,
    }
