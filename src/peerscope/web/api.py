"""Search, and what each page says, typed, in this site's terms; OpenAlex's shape stands in `openalex`."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import quote

from fastapi import APIRouter, HTTPException, Query, Request, Response
from fastapi import Path as PathParameter
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, Field

from peerscope.discover import SearchFilters
from peerscope.record.openalex.objects import API
from peerscope.record.parsed import WORK_TYPES
from peerscope.record.read import cards, entity_page, person_page, totals, work_page
from peerscope.web.api_route import ApiRoute, changed_at, next_page
from peerscope.web.api_shapes import (
    Author,
    EntityAnswer,
    Facet,
    PersonAnswer,
    Result,
    SearchAnswer,
    Shown,
    WorkAnswer,
    near,
    texts,
)
from peerscope.web.asked import DEEPEST, LATEST_YEAR, LONGEST, MOST_VALUES, NEAR
from peerscope.web.site import site_of

router = APIRouter(route_class=ApiRoute)
old = APIRouter(include_in_schema=False)

TopicId = Annotated[str, Field(pattern=r"^T[0-9]{1,15}$")]
PersonId = Annotated[str, Field(pattern=r"^A[0-9]{1,15}$")]
InstitutionId = Annotated[str, Field(pattern=r"^I[0-9]{1,15}$")]
VenueId = Annotated[str, Field(pattern=r"^S[0-9]{1,15}$")]
MANY = Query(max_length=MOST_VALUES)
Page = Annotated[int, Query(ge=1, le=DEEPEST, description="Page, from 1.")]
Year = Annotated[int | None, Query(ge=0, le=LATEST_YEAR)]


STATED_KINDS = (
    "abstract", "affiliations", "topics", "references", "open_access", "artifacts", "notices",
)  # fmt: skip
"""Kinds of statement of which a work's page says whether they are missing or were not looked for."""

LISTS = ("search", "claims")
MOVED = {
    "claims": "", "attempts": "", "works": "/page", "people": "/page", "topics": "/page",
    "institutions": "/page", "venues": "/page",
}  # fmt: skip
"""First part of an address that moved, to the end of where it went."""


class Health(BaseModel):
    """Whether the site answers, and what it holds."""

    ok: bool
    works: int
    bundle: str | None


def _number(own: str) -> int:
    return int(own[1:])


@router.get("/healthz")
def health(request: Request) -> Health:
    """Whether the site answers, what it holds and which bundle is in service."""
    site = site_of(request)
    with site.database.session() as session:
        works = totals(session)["works"]
    status = getattr(site.discovery, "status", lambda: {"bundle": None})()
    return Health(ok=True, works=works, bundle=status["bundle"])


def shown_to(request: Request) -> Shown:
    """Rows as shapes, as whoever asks may see them."""
    return Shown(site_of(request).community.kept.now().hidden)


@router.get(API + "/search", tags=["Search"])
def search(
    request: Request,
    response: Response,
    q: Annotated[str, Query(max_length=LONGEST)] = "",
    year_from: Year = None,
    year_to: Year = None,
    type: Annotated[list[Literal[WORK_TYPES]] | None, MANY] = None,  # type: ignore[valid-type]
    topic: Annotated[list[TopicId] | None, MANY] = None,
    person: Annotated[list[PersonId] | None, MANY] = None,
    institution: Annotated[list[InstitutionId] | None, MANY] = None,
    venue: Annotated[list[VenueId] | None, MANY] = None,
    oa: bool | None = None,
    sort: Literal["relevance", "newest", "oldest", "cited"] = "relevance",
    page: Page = 1,
    per_page: Annotated[int, Query(ge=1, le=100)] = 20,
) -> SearchAnswer:
    """Search by words and meaning; entity filters take ids such as T12, A3, I4, S9."""
    site = site_of(request)
    filters = SearchFilters(
        year_from, year_to, tuple(type or ()), _ids(topic), _ids(person),
        _ids(institution), _ids(venue), oa,
    )  # fmt: skip
    found = site.discovery.search(
        q.replace("\x00", " "), filters, sort=sort, page=page, per_page=per_page
    )
    with site.database.session() as session:
        rows = cards(session, [hit.work_id for hit in found.hits])
    found_cards, shape = {card.id: card for card in rows}, shown_to(request)
    results = [
        Result.model_validate(
            {
                **shape.fields(found_cards[hit.work_id]),
                "score": hit.score,
                "reasons": texts(hit.reasons),
            }
        )
        for hit in found.hits
        if hit.work_id in found_cards
    ]
    facets = {
        name: [Facet(value=v.value, label=v.label, count=v.count) for v in values]
        for name, values in found.facets.items()
    }
    next_page(request, response, found.page, found.per_page, found.total, DEEPEST)
    return SearchAnswer(
        query=found.query, corrected=found.corrected, mode=found.mode, note=found.note,
        total=found.total, capped=found.capped, page=found.page, per_page=found.per_page,
        results=results, facets=facets,
    )  # fmt: skip


def _ids(given: list[str] | None) -> tuple[int, ...]:
    return tuple(int(one[1:]) for one in given or ())


@router.get(API + "/works/{id}/page", tags=["Pages"])
def work(
    request: Request,
    response: Response,
    id: Annotated[str, PathParameter(pattern=r"^W[0-9]{1,15}$")],
) -> WorkAnswer:
    """A work as its page shows it."""
    site, shape = site_of(request), shown_to(request)
    with site.database.session() as session:
        page = work_page(session, _number(id))
        if page is None:
            raise HTTPException(404, f"There is no work {id}.")
        if page.work.deleted_at is not None:
            raise HTTPException(410)
        card = cards(session, [page.work.id])[0]
    found = page.work
    changed_at(response, found.updated_at)
    return WorkAnswer.model_validate(
        {
            **shape.fields(card),
            "doi": found.doi,
            "arxiv_id": found.arxiv_id,
            "abstract": found.abstract,
            "summary": found.summary,
            "authorships": [
                Author(
                    position=a.position,
                    name=a.name,
                    person=shape.person(a.person_id),
                    institutions=shape.refs(a.institutions),
                    raw_affiliation=a.raw_affiliation,
                )
                for a in page.authors.rows
            ],
            "topics": shape.refs(page.topics),
            "references": shape.works(page.references),
            "references_count": page.references.total + page.unresolved_count,
            "cited_by": shape.works(page.cited_by),
            "sources": [source.name for source in page.sources],
            "missing": {kind: page.known(kind).value for kind in STATED_KINDS},
            "near": near(site.discovery.neighbours("W", found.id, NEAR["W"])),
        }
    )


@router.get(API + "/people/{id}/page", tags=["Pages"])
def person(
    request: Request,
    response: Response,
    id: Annotated[str, PathParameter(pattern=r"^A[0-9]{1,15}$")],
    page: Page = 1,
) -> PersonAnswer:
    """A person as their page shows them."""
    site, shape = site_of(request), shown_to(request)
    with site.database.session() as session:
        found = person_page(session, _number(id), page=page)
    if found is None:
        raise HTTPException(404, f"There is no person {id}.")
    if found.withdrawn and found.person.merged_into_id is None:
        raise HTTPException(410, "No source states a work of this person any more.")
    next_page(request, response, page, found.works.per_page, found.works.total, DEEPEST)
    return PersonAnswer(
        id=id,
        display_name=found.person.display_name,
        works_count=found.person.works_count,
        cited_by_count=found.person.cited_by_count,
        affiliations=shape.refs(found.affiliations),
        affiliations_state=None if found.affiliations else found.affiliations_known.value,
        topics=shape.refs(found.topics),
        collaborators=shape.refs(found.collaborators),
        collaborators_count=found.collaborators_count,
        name_variants=[name for name, _ in found.names],
        decisions={one.rule: one.count for one in found.decisions},
        works=shape.works(found.works),
        near=near(site.discovery.neighbours("A", found.person.id, NEAR["A"])),
    )


@router.get(API + "/{place}/{id}/page", tags=["Pages"])
def entity(
    request: Request,
    response: Response,
    place: Literal["topics", "institutions", "venues"],
    id: Annotated[str, PathParameter(pattern=r"^[TIS][0-9]{1,15}$")],
    page: Page = 1,
) -> EntityAnswer:
    """A topic, institution or venue as its page shows it."""
    site, shape = site_of(request), shown_to(request)
    letter = {"topics": "T", "institutions": "I", "venues": "S"}[place]
    with site.database.session() as session:
        found = entity_page(session, letter, _number(id), page=page) if id[0] == letter else None
    if found is None:
        raise HTTPException(404, f"There is no {id} among the {place}.")
    next_page(request, response, page, found.works.per_page, found.works.total, DEEPEST)
    return EntityAnswer(
        id=id,
        display_name=found.row.display_name,
        works_count=found.works.total,
        people=shape.refs(found.people),
        topics=shape.refs(found.topics),
        works_by_year=dict(found.years),
        works=shape.works(found.works),
        near=near(site.discovery.neighbours(letter, found.row.id, NEAR[letter]))
        if NEAR[letter]
        else [],
    )


@old.get("/api/{place}")
def moved_list(request: Request, place: str) -> Response:
    """What `moved` is for one thing, for a list."""
    return _moved(request, place, "")


@old.get("/api/{place}/{id}")
def moved(request: Request, place: str, id: str) -> Response:
    """Addresses of before there was one style: what they named has one of its own below `API`."""
    return _moved(request, place, id)


def _moved(request: Request, place: str, id: str) -> Response:
    if place not in (MOVED if id else LISTS):
        raise HTTPException(404)
    address = f"{API}/{place}" + (f"/{quote(id, safe='')}{MOVED[place]}" if id else "")
    query = f"?{request.url.query}" if request.url.query else ""
    return RedirectResponse(address + query, 308)
