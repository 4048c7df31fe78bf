"""The pages of a topic, an institution and a venue: one shape, since they show the same blocks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from peerscope.record.models import (
    Authorship,
    AuthorshipInstitution,
    Institution,
    Person,
    Source,
    Topic,
    Venue,
    Work,
    WorkTopic,
)
from peerscope.record.read.lists import works_page
from peerscope.record.read.shapes import Link, PageOf, WorkCard

SHOWN = 12
ENTITIES: dict[str, type[Topic | Institution | Venue]] = {
    "T": Topic,
    "I": Institution,
    "S": Venue,
}


@dataclass(frozen=True, slots=True)
class EntityPage:
    """Everything the page of a topic, institution or venue shows from the record."""

    entity: str
    row: Topic | Institution | Venue
    works: PageOf[WorkCard]
    people: tuple[Link, ...]
    topics: tuple[Link, ...]
    years: tuple[tuple[int, int], ...]
    source: str


def condition(entity: str, number: int) -> ColumnElement[bool]:
    """The works of a topic, institution, venue or person, as a condition on `Work`."""
    if entity == "S":
        return Work.venue_id == number
    if entity == "T":
        return Work.id.in_(select(WorkTopic.work_id).where(WorkTopic.topic_id == number))
    if entity == "A":
        return Work.id.in_(select(Authorship.work_id).where(Authorship.person_id == number))
    return Work.id.in_(
        select(Authorship.work_id)
        .join(AuthorshipInstitution, AuthorshipInstitution.authorship_id == Authorship.id)
        .where(AuthorshipInstitution.institution_id == number)
    )


def entity_page(
    session: Session, entity: str, number: int, *, page: int = 1, sort: str = "newest"
) -> EntityPage | None:
    """The page of a topic (T), institution (I) or venue (S); ``None`` where there is none."""
    row: Any = session.get(ENTITIES[entity], number)
    if row is None:
        return None
    works = condition(entity, number)
    return EntityPage(
        entity=entity,
        row=row,
        works=works_page(session, works, page, sort),
        people=most_frequent_people(session, entity, number),
        topics=() if entity == "T" else topics_of(session, works),
        years=years_of(session, works),
        source=session.scalar(select(Source.name).where(Source.id == row.source_id)) or "",
    )


def most_frequent_people(session: Session, entity: str, number: int) -> tuple[Link, ...]:
    """The people with most works here."""
    often = func.count(Authorship.work_id.distinct())
    statement = select(Person.id, Person.display_name, often).join(
        Authorship, Authorship.person_id == Person.id
    )
    if entity == "I":
        statement = statement.join(
            AuthorshipInstitution, AuthorshipInstitution.authorship_id == Authorship.id
        ).where(AuthorshipInstitution.institution_id == number)
    elif entity == "T":
        statement = statement.join(WorkTopic, WorkTopic.work_id == Authorship.work_id).where(
            WorkTopic.topic_id == number
        )
    else:
        statement = statement.join(Work, Work.id == Authorship.work_id).where(
            Work.venue_id == number
        )
    grouped = statement.group_by(Person.id, Person.display_name)
    rows = session.execute(grouped.order_by(often.desc(), Person.display_name).limit(SHOWN))
    return tuple(Link("A", person_id, name, count) for person_id, name, count in rows)


def topics_of(session: Session, works: ColumnElement[bool], limit: int = SHOWN) -> tuple[Link, ...]:
    """The most frequent topics of the works that fulfil a condition."""
    often = func.count()
    statement = (
        select(Topic.id, Topic.display_name, often, Topic.origin)
        .join(WorkTopic, WorkTopic.topic_id == Topic.id)
        .join(Work, Work.id == WorkTopic.work_id)
        .where(works, Work.deleted_at.is_(None))
        .group_by(Topic.id, Topic.display_name, Topic.origin)
        .order_by(often.desc(), Topic.display_name)
        .limit(limit)
    )
    return tuple(
        Link("T", number, name, count, "suggested by this site" if origin == "suggested" else None)
        for number, name, count, origin in session.execute(statement)
    )


def years_of(session: Session, works: ColumnElement[bool]) -> tuple[tuple[int, int], ...]:
    """Works by year, ascending; years without works between the first and the last stand with 0."""
    statement = (
        select(Work.publication_year, func.count())
        .where(works, Work.deleted_at.is_(None), Work.publication_year.is_not(None))
        .group_by(Work.publication_year)
    )
    found = {year: count for year, count in session.execute(statement) if year is not None}
    if not found:
        return ()
    first = max(min(found), max(found) - 59)
    return tuple((year, found.get(year, 0)) for year in range(first, max(found) + 1))
