"""What the API says in this site's own terms: what stands near, trust, who is who, public collections.

Search and pages are in `api`, claims in `claims_api`, OpenAlex's shape in `openalex`. All stand below `API`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, HTTPException, Query, Request, Response
from fastapi import Path as PathParameter
from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from peerscope.community import collection_works, collections
from peerscope.community.curation import names_in_history
from peerscope.community.times import utc
from peerscope.discover.results import work_titles
from peerscope.record.identity_events import PastEvent, history, history_count
from peerscope.record.openalex.objects import API
from peerscope.record.read import PageOf, labels_of
from peerscope.web.api import Page, shown_to
from peerscope.web.api_route import ApiRoute, changed_at, next_page
from peerscope.web.api_shapes import Near, Shown, near
from peerscope.web.asked import DEEPEST
from peerscope.web.caching import conditional
from peerscope.web.claiming import asking_robots, person_at
from peerscope.web.meeting import number_in
from peerscope.web.site import site_of
from peerscope.web.trust import Examined, look, told

router = APIRouter(prefix=API, route_class=ApiRoute)

EVENTS = 25
MOST_NEAR = 50
LETTERS = {"works": "W", "people": "A", "topics": "T"}
PersonId = Annotated[str, PathParameter(pattern=r"^A[0-9]{1,15}$")]


class NearAnswer(BaseModel):
    """What stands near something, the nearest first."""

    id: str
    neighbours: list[Near]


class TrustAnswer(BaseModel):
    """A trust snapshot with everything that was counted; no number stands for all of it."""

    subject: str
    formula: str = Field(description="Name and version; its text stands at /trust/formula.")
    computed_at: datetime
    person: str
    name: str
    verification: dict[str, Any]
    dimensions: list[dict[str, Any]]
    coverage: dict[str, int]
    composite: None = Field(description="There is none.")
    history: str
    evidence: dict[str, Any] = Field(description="What the figures can be computed from anew.")


class Event(BaseModel):
    """A decision about who is who."""

    id: int
    kind: str = Field(description="split, merge, detach or assign.")
    people: list[str] = Field(description="Whom it is about; without those that are hidden.")
    authorships: int
    made_at: datetime
    by: str
    reason: str
    undone_at: datetime | None
    undone_by: str | None
    undone_reason: str | None


class EventsAnswer(BaseModel):
    """Decisions about who is who, the newest first."""

    total: int
    page: int
    per_page: int
    events: list[Event]


class CollectionSummary(BaseModel):
    """A public collection."""

    id: str
    title: str
    description: str
    owner: str
    works_count: int
    forked_from: str | None
    created_at: datetime
    changed_at: datetime


class CollectionsAnswer(BaseModel):
    """Public collections that hold something, the latest changed first."""

    total: int
    page: int
    per_page: int
    collections: list[CollectionSummary]


class CollectedWork(BaseModel):
    """A work in a collection; ``title`` is null where the record no longer shows it."""

    id: str
    title: str | None
    tags: list[str]
    notes: list[dict[str, str]]


class CollectionAnswer(CollectionSummary):
    """A public collection with its works in their order."""

    works: list[CollectedWork]


@router.get("/{place}/{id}/neighbours", tags=["Search"])
def neighbours(
    request: Request,
    place: Literal["works", "people", "topics"],
    id: Annotated[str, PathParameter(pattern=r"^[WAT][0-9]{1,15}$")],
    limit: Annotated[int, Query(ge=1, le=MOST_NEAR)] = 10,
) -> NearAnswer:
    """What stands near a work, a person or a topic, with the reasons."""
    site, letter, number = site_of(request), LETTERS[place], int(id[1:])
    if id[0] != letter:
        raise HTTPException(404, f"There is no {id} among the {place}.")
    with site.database.session() as session:
        if letter == "A":
            number = person_at(site, session, number).id
        elif not labels_of(session, [id]):
            raise HTTPException(404, f"There is no {id} among the {place}.")
    found = site.discovery.neighbours(letter, number, limit)
    return NearAnswer(id=f"{letter}{number}", neighbours=near(found))


@router.get("/people/{id}/trust", tags=["Trust"], response_model=TrustAnswer)
def trust(request: Request, id: PersonId) -> Response:
    """A person's trust snapshot, with all that is needed to compute it anew."""
    found = look(request, id, API + "/people/{}/trust")
    if not isinstance(found, Examined):
        return found
    answer = told(found)
    response = Response(orjson.dumps(answer), media_type="application/json")
    # The time of computing is new with every answer, and changes nothing that was computed.
    timeless = orjson.dumps({**answer, "computed_at": ""})
    return asking_robots(conditional(request, response, timeless), noindex=True)


@router.get("/people/{id}/identity", tags=["Identity"])
def identity_of(request: Request, response: Response, id: PersonId, page: Page = 1) -> EventsAnswer:
    """What was decided about one person: what took works from them or gave them some."""
    site = site_of(request)
    with site.database.session() as session:
        # Also of somebody who was made one with another: the decision that did it is what is asked for.
        person_at(site, session, int(id[1:]))
        found = _events(session, int(id[1:]), page)
    return _told(request, response, found)


@router.get("/identity", tags=["Identity"])
def identity(request: Request, response: Response, page: Page = 1) -> EventsAnswer:
    """Everything that was decided about who is who."""
    with site_of(request).database.session() as session:
        found = _events(session, None, page)
    return _told(request, response, found)


def _events(session: Session, person: int | None, page: int) -> PageOf[PastEvent]:
    rows = history(session, person, EVENTS, (page - 1) * EVENTS)
    return PageOf(tuple(rows), history_count(session, person), page, EVENTS)


def _told(request: Request, response: Response, found: PageOf[PastEvent]) -> EventsAnswer:
    site, shape = site_of(request), shown_to(request)
    makers = {one for event in found.rows for one in (event.made_by, event.undone_by) if one}
    with site.community.reading() as session:
        names = names_in_history(session, makers)
    next_page(request, response, found.page, EVENTS, found.total, DEEPEST)
    if found.rows and found.page == 1:
        changed_at(response, max(one.undone_at or one.made_at for one in found.rows))
    return EventsAnswer(
        total=found.total, page=found.page, per_page=EVENTS,
        events=[_event(one, names, shape) for one in found.rows],
    )  # fmt: skip


def _event(one: PastEvent, names: dict[str, str], shape: Shown) -> Event:
    people = [shape.person(number) for number in one.people]
    return Event(
        id=one.id,
        kind=one.kind,
        people=[person for person in people if person is not None],
        authorships=one.authorships,
        made_at=utc(one.made_at),
        by=names.get(one.made_by, one.made_by),
        reason=one.reason,
        undone_at=utc(one.undone_at) if one.undone_at else None,
        undone_by=names.get(one.undone_by, one.undone_by) if one.undone_by else None,
        undone_reason=one.undone_reason,
    )


@router.get("/collections", tags=["Collections"])
def public_collections(request: Request, response: Response, page: Page = 1) -> CollectionsAnswer:
    """Public collections."""
    with site_of(request).community.reading() as session:
        found = collections.public(session, page)
    next_page(request, response, page, found.per_page, found.total, DEEPEST)
    return CollectionsAnswer(
        total=found.total, page=page, per_page=found.per_page,
        collections=[CollectionSummary(**_collection(one)) for one in found.rows],
    )  # fmt: skip


@router.get("/collections/{id}", tags=["Collections"])
def public_collection(
    request: Request,
    response: Response,
    id: Annotated[str, PathParameter(pattern=r"^C[0-9]{1,15}$")],
) -> CollectionAnswer:
    """A public collection with its works; others are not there for the API."""
    site = site_of(request)
    with site.community.reading() as session:
        seen = collections.look(session, number_in(id, "C"))
        held = collection_works.works_of(session, seen.id)
    changed_at(response, seen.changed_at)
    return CollectionAnswer(**_collection(seen), works=_collected(request, held))


def _collected(request: Request, held: Sequence[collection_works.Held]) -> list[CollectedWork]:
    with site_of(request).database.session() as record:
        titles = work_titles(record, [one.work_id for one in held])
    return [
        CollectedWork(
            id=f"W{one.work_id}",
            title=titles.get(one.work_id),
            tags=list(one.tags),
            notes=[{"by": note.name, "note": note.text} for note in one.notes],
        )
        for one in held
    ]


def _collection(seen: collections.Seen) -> dict[str, Any]:
    return {
        "id": f"C{seen.id}",
        "title": seen.title,
        "description": seen.description,
        "owner": seen.owner,
        "works_count": seen.works,
        "forked_from": f"C{seen.forked_from_id}" if seen.forked_from_id else None,
        "created_at": seen.created_at,
        "changed_at": seen.changed_at,
    }
