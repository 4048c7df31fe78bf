"""The JSON twin of each page, typed, in this site's terms; OpenAlex's shape stands in `openalex`."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi import Path as PathParameter
from pydantic import BaseModel, Field

from peerscope.discover import SearchFilters
from peerscope.discover.shapes import Neighbour, Reason
from peerscope.record.read import WorkCard, cards, entity_page, person_page, totals, work_page
from peerscope.record.read.shapes import Link, PageOf
from peerscope.web.asked import DEEPEST, LATEST_YEAR, LONGEST
from peerscope.web.site import site_of

router = APIRouter()

Number = r"^[WATIS][0-9]{1,15}$"
Page = Annotated[int, Query(ge=1, le=DEEPEST, description="Page, from 1.")]
Year = Annotated[int | None, Query(ge=0, le=LATEST_YEAR)]


class Health(BaseModel):
    """Whether the site answers, and what it holds."""

    ok: bool
    works: int
    bundle: str | None


class Ref(BaseModel):
    """An entity; ``id`` is null where it is not decided which it is."""

    id: str | None
    label: str
    count: int | None = None
    note: str | None = None


class WorkSummary(BaseModel):
    """A work in a list."""

    id: str
    title: str
    publication_year: int | None
    type: str
    venue: Ref | None
    authors: list[Ref]
    authors_count: int
    cited_by_count: int = Field(description="Citations within this record.")
    is_oa: bool | None = Field(description="Null where no source says.")


class Result(WorkSummary):
    """A work found, with what put it there."""

    score: float
    reasons: list[str]


class Facet(BaseModel):
    """A value of a facet."""

    value: str
    label: str
    count: int


class SearchAnswer(BaseModel):
    """A page of results."""

    query: str
    corrected: str | None
    mode: str
    note: str | None
    total: int
    capped: bool
    page: int
    per_page: int
    results: list[Result]
    facets: dict[str, list[Facet]]


class Near(BaseModel):
    """Something near, with the reasons."""

    id: str
    label: str
    detail: str
    reasons: list[str]


class Author(BaseModel):
    """An author position; ``person`` is null while it is undecided."""

    position: int
    name: str
    person: str | None
    institutions: list[Ref]
    raw_affiliation: str | None


class WorkAnswer(WorkSummary):
    """The page of a work."""

    doi: str | None
    arxiv_id: str | None
    abstract: str | None
    summary: str | None
    authorships: list[Author]
    topics: list[Ref]
    references: list[WorkSummary]
    references_count: int
    cited_by: list[WorkSummary]
    sources: list[str]
    missing: dict[str, str] = Field(description="Kind to 'not imported' or 'none stated'.")
    near: list[Near]


class PersonAnswer(BaseModel):
    """The page of a person."""

    id: str
    display_name: str
    works_count: int
    cited_by_count: int
    affiliations: list[Ref]
    affiliations_state: str | None
    topics: list[Ref]
    collaborators: list[Ref]
    collaborators_count: int
    name_variants: list[str]
    decisions: dict[str, int]
    works: list[WorkSummary]
    near: list[Near]


class EntityAnswer(BaseModel):
    """The page of a topic, institution or venue."""

    id: str
    display_name: str
    works_count: int
    people: list[Ref]
    topics: list[Ref]
    works_by_year: dict[int, int]
    works: list[WorkSummary]


def _ref(link: Link) -> Ref:
    own = f"{link.entity}{link.id}" if link.id is not None else None
    return Ref(id=own, label=link.label, count=link.count, note=link.note)


def _summary(card: WorkCard) -> dict[str, object]:
    return {
        "id": f"W{card.id}",
        "title": card.title,
        "publication_year": card.year,
        "type": card.type,
        "venue": _ref(card.venue) if card.venue else None,
        "authors": [_ref(one) for one in card.authors],
        "authors_count": card.authors_count,
        "cited_by_count": card.cited_by_count,
        "is_oa": card.is_oa,
    }


def _summaries(page: PageOf[WorkCard]) -> list[WorkSummary]:
    return [WorkSummary.model_validate(_summary(card)) for card in page.rows]


def _texts(reasons: tuple[Reason, ...]) -> list[str]:
    return [reason.text for reason in reasons]


def _near(found: tuple[Neighbour, ...]) -> list[Near]:
    return [
        Near(id=f"{n.entity}{n.id}", label=n.label, detail=n.detail, reasons=_texts(n.reasons))
        for n in found
    ]


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


@router.get("/api/search")
def search(
    request: Request,
    q: Annotated[str, Query(max_length=LONGEST)] = "",
    year_from: Year = None,
    year_to: Year = None,
    type: Annotated[list[str] | None, Query()] = None,
    topic: Annotated[list[str] | None, Query()] = None,
    person: Annotated[list[str] | None, Query()] = None,
    institution: Annotated[list[str] | None, Query()] = None,
    venue: Annotated[list[str] | None, Query()] = None,
    oa: bool | None = None,
    sort: Literal["relevance", "newest", "oldest", "cited"] = "relevance",
    page: Page = 1,
    per_page: Annotated[int, Query(ge=1, le=100)] = 20,
) -> SearchAnswer:
    """Search by words and meaning; entity filters take ids such as T12, A3, I4, S9."""
    site = site_of(request)
    filters = SearchFilters(
        year_from, year_to, tuple(type or ()), _ids(topic, "T"), _ids(person, "A"),
        _ids(institution, "I"), _ids(venue, "S"), oa,
    )  # fmt: skip
    found = site.discovery.search(
        q.replace("\x00", " "), filters, sort=sort, page=page, per_page=per_page
    )
    with site.database.session() as session:
        shown = {card.id: card for card in cards(session, [hit.work_id for hit in found.hits])}
    results = [
        Result.model_validate(
            {**_summary(shown[hit.work_id]), "score": hit.score, "reasons": _texts(hit.reasons)}
        )
        for hit in found.hits
        if hit.work_id in shown
    ]
    facets = {
        name: [Facet(value=v.value, label=v.label, count=v.count) for v in values]
        for name, values in found.facets.items()
    }
    return SearchAnswer(
        query=found.query, corrected=found.corrected, mode=found.mode, note=found.note,
        total=found.total, capped=found.capped, page=found.page, per_page=found.per_page,
        results=results, facets=facets,
    )  # fmt: skip


def _ids(given: list[str] | None, letter: str) -> tuple[int, ...]:
    found = []
    for one in given or ():
        if not re.fullmatch(rf"{letter}\d{{1,15}}", one, re.ASCII):
            raise HTTPException(
                422, f"“{one[:50]}” is no id of this kind; it looks like {letter}12."
            )
        found.append(int(one[1:]))
    return tuple(found)


@router.get("/api/works/{id}")
def work(
    request: Request, id: Annotated[str, PathParameter(pattern=r"^W[0-9]{1,15}$")]
) -> WorkAnswer:
    """A work as its page shows it."""
    site = site_of(request)
    with site.database.session() as session:
        page = work_page(session, _number(id))
        if page is None:
            raise HTTPException(404, f"There is no work {id}.")
        if page.work.deleted_at is not None:
            raise HTTPException(410)
        found = page.work
        card = cards(session, [found.id])[0]
        kinds = (
            "abstract",
            "affiliations",
            "topics",
            "references",
            "open_access",
            "artifacts",
            "notices",
        )
        return WorkAnswer.model_validate(
            {
                **_summary(card),
                "doi": found.doi,
                "arxiv_id": found.arxiv_id,
                "abstract": found.abstract,
                "summary": found.summary,
                "authorships": [
                    Author(
                        position=a.position,
                        name=a.name,
                        person=None if a.person_id is None else f"A{a.person_id}",
                        institutions=[_ref(place) for place in a.institutions],
                        raw_affiliation=a.raw_affiliation,
                    )
                    for a in page.authors.rows
                ],
                "topics": [_ref(topic) for topic in page.topics],
                "references": _summaries(page.references),
                "references_count": page.references.total + page.unresolved_count,
                "cited_by": _summaries(page.cited_by),
                "sources": [source.name for source in page.sources],
                "missing": {kind: page.known(kind).value for kind in kinds},
                "near": _near(site.discovery.neighbours("W", found.id, 10)),
            }
        )


@router.get("/api/people/{id}")
def person(
    request: Request,
    id: Annotated[str, PathParameter(pattern=r"^A[0-9]{1,15}$")],
    page: Page = 1,
) -> PersonAnswer:
    """A person as their page shows them."""
    site = site_of(request)
    with site.database.session() as session:
        found = person_page(session, _number(id), page=page)
        if found is None:
            raise HTTPException(404, f"There is no person {id}.")
        if found.withdrawn and found.person.merged_into_id is None:
            raise HTTPException(410, "No source states a work of this person any more.")
        return PersonAnswer(
            id=id,
            display_name=found.person.display_name,
            works_count=found.person.works_count,
            cited_by_count=found.person.cited_by_count,
            affiliations=[_ref(one) for one in found.affiliations],
            affiliations_state=None if found.affiliations else found.affiliations_known.value,
            topics=[_ref(one) for one in found.topics],
            collaborators=[_ref(one) for one in found.collaborators],
            collaborators_count=found.collaborators_count,
            name_variants=[name for name, _ in found.names],
            decisions={one.rule: one.count for one in found.decisions},
            works=_summaries(found.works),
            near=_near(site.discovery.neighbours("A", found.person.id, 10)),
        )


@router.get("/api/{place}/{id}")
def entity(
    request: Request,
    place: Literal["topics", "institutions", "venues"],
    id: Annotated[str, PathParameter(pattern=r"^[TIS][0-9]{1,15}$")],
    page: Page = 1,
) -> EntityAnswer:
    """A topic, institution or venue as its page shows it."""
    site = site_of(request)
    letter = {"topics": "T", "institutions": "I", "venues": "S"}[place]
    with site.database.session() as session:
        found = entity_page(session, letter, _number(id), page=page) if id[0] == letter else None
        if found is None:
            raise HTTPException(404, f"There is no {id} among the {place}.")
        return EntityAnswer(
            id=id,
            display_name=found.row.display_name,
            works_count=found.works.total,
            people=[_ref(one) for one in found.people],
            topics=[_ref(one) for one in found.topics],
            works_by_year=dict(found.years),
            works=_summaries(found.works),
        )
