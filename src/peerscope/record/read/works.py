"""The page of one work."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Select, String, cast, func, literal, null, select, union_all
from sqlalchemy.orm import InstrumentedAttribute, Session

from peerscope.record.models import (
    Artifact,
    Authorship,
    AuthorshipInstitution,
    Citation,
    Identifier,
    Institution,
    Notice,
    Person,
    Source,
    SourceRecord,
    Topic,
    Venue,
    Version,
    Work,
    WorkTopic,
)
from peerscope.record.read.lists import cards
from peerscope.record.read.shapes import LISTED_AUTHORS, PER_PAGE, Known, Link, PageOf, WorkCard


@dataclass(frozen=True, slots=True)
class AuthorRow:
    """One author position: whose it is, as far as decided, and where they worked."""

    position: int
    name: str
    person_id: int | None
    name_key: str
    institutions: tuple[Link, ...]
    raw_affiliation: str | None
    orcid: str | None = None


@dataclass(frozen=True, slots=True)
class SourceRow:
    """A source that states the work."""

    name: str
    importer: str
    licence: str | None
    retrieved_at: datetime
    key: str
    covers: tuple[str, ...]
    id: int = 0


@dataclass(frozen=True, slots=True)
class Attached:
    """A version, an identifier, an artifact (code, data) or a notice (retraction, ...) of the work."""

    table: str
    kind: str
    label: str | None
    date: str | None
    url: str | None
    source: str


@dataclass(frozen=True, slots=True)
class ReferenceRow:
    """A reference that leads to no work of this record."""

    scheme: str | None
    value: str | None
    raw: str | None


@dataclass(slots=True)
class WorkPage:
    """Everything the page of a work shows from the record."""

    work: Work
    venue: Link | None
    authors: PageOf[AuthorRow]
    identifiers: tuple[tuple[str, str], ...]
    topics: tuple[Link, ...]
    references: PageOf[WorkCard]
    unresolved: tuple[ReferenceRow, ...]
    unresolved_count: int
    cited_by: PageOf[WorkCard]
    attached: tuple[Attached, ...]
    sources: tuple[SourceRow, ...]
    field_sources: dict[str, int] = field(default_factory=dict)

    def of(self, table: str) -> tuple[Attached, ...]:
        """What is attached of one sort: ``version``, ``artifact`` or ``notice``."""
        return tuple(one for one in self.attached if one.table == table)

    def known(self, kind: str) -> Known:
        """What a missing value of this kind means here."""
        return Known.of(kind, self.work.covered)


def work_page(
    session: Session, number: int, *, references: int = 1, cited_by: int = 1, authors: int = 1
) -> WorkPage | None:
    """The page of a work; ``None`` where there is none. A deleted work has its tombstone only.

    Args:
        session: The record.
        number: The work.
        references: Page of its references.
        cited_by: Page of the works that cite it.
        authors: Page of its authors.
    """
    joined = select(Work, Venue).outerjoin(Venue, Venue.id == Work.venue_id)
    row = session.execute(joined.where(Work.id == number)).one_or_none()
    if row is None:
        return None
    work, venue = row
    cited_rows, citing_rows = _linked(session, work, references, cited_by)
    shown = {card.id: card for card in cards(session, [*cited_rows.rows, *citing_rows.rows])}
    open_references = (
        select(Citation.scheme, Citation.value, Citation.raw, func.count().over())
        .where(Citation.citing_id == number, Citation.cited_id.is_(None))
        .order_by(Citation.id)
        .limit(PER_PAGE)
    )
    unresolved = session.execute(open_references).all()
    attached = _attached(session, number)
    rows = session.execute(
        select(Source.name, Source.importer, Source.licence, SourceRecord.retrieved_at,
               SourceRecord.key, Source.covers, Source.id)
        .join(SourceRecord, SourceRecord.source_id == Source.id)
        .where(SourceRecord.work_id == number)
        .order_by(Source.id)
    )  # fmt: skip
    return WorkPage(
        work=work,
        venue=Link("S", venue.id, venue.display_name) if venue else None,
        authors=_authors(session, work, authors),
        identifiers=tuple(
            sorted((one.kind, one.label or "") for one in attached if one.table == "identifier")
        ),
        topics=_topics(session, number),
        references=_carded(cited_rows, shown),
        unresolved=tuple(ReferenceRow(*row[:3]) for row in unresolved),
        unresolved_count=unresolved[0][3] if unresolved else 0,
        cited_by=_carded(citing_rows, shown),
        attached=attached,
        sources=tuple(SourceRow(*row[:5], tuple(row[5].split()), row[6]) for row in rows),
        field_sources=orjson.loads(work.field_sources) if work.field_sources else {},
    )


def _authors(session: Session, work: Work, page: int) -> PageOf[AuthorRow]:
    first = (page - 1) * LISTED_AUTHORS
    statement = (
        select(Authorship.position, Authorship.raw_name, Authorship.person_id, Authorship.name_key,
               Authorship.raw_affiliation, Institution.id, Institution.display_name, Person.orcid)
        .outerjoin(Person, Person.id == Authorship.person_id)
        .outerjoin(AuthorshipInstitution, AuthorshipInstitution.authorship_id == Authorship.id)
        .outerjoin(Institution, Institution.id == AuthorshipInstitution.institution_id)
        .where(Authorship.work_id == work.id, Authorship.position >= first,
               Authorship.position < first + LISTED_AUTHORS)
        .order_by(Authorship.position, Institution.display_name)
    )  # fmt: skip
    rows: dict[int, Any] = {}
    places: defaultdict[int, list[Link]] = defaultdict(list)
    for row in session.execute(statement):
        rows[row[0]] = row
        if row[5] is not None:
            places[row[0]].append(Link("I", row[5], row[6]))
    found = tuple(
        AuthorRow(position, row[1], row[2], row[3], tuple(places[position]), row[4], row[7])
        for position, row in rows.items()
    )
    return PageOf(found, max(work.authors_count, len(found)), page, LISTED_AUTHORS)


def _topics(session: Session, number: int) -> tuple[Link, ...]:
    statement = (
        select(Topic.id, Topic.display_name, Topic.works_count, Topic.origin)
        .join(WorkTopic, WorkTopic.topic_id == Topic.id)
        .where(WorkTopic.work_id == number)
        # A score that no source gives comes last in both databases.
        .order_by(Topic.origin, func.coalesce(WorkTopic.score, -1.0).desc(), Topic.display_name)
        .limit(PER_PAGE)
    )
    return tuple(
        Link(
            "T", topic_id, name, count, "suggested by this site" if origin == "suggested" else None
        )
        for topic_id, name, count, origin in session.execute(statement)
    )


Column = InstrumentedAttribute[int] | InstrumentedAttribute[int | None]


def _linked(
    session: Session, work: Work, references: int, cited_by: int
) -> tuple[PageOf[int], PageOf[int]]:
    """Pages of ids of the cited and of the citing works, the most cited first. One statement."""
    order = (Work.cited_by_count.desc(), Work.publication_year.desc(), Work.id)

    def part(name: str, here: Column, there: Column, page: int) -> Select[Any]:
        place = func.row_number().over(order_by=order).label("place")
        found = (
            select(literal(name).label("way"), Work.id, func.count().over().label("total"), place)
            .join(Citation, there == Work.id)
            .where(here == work.id, Work.deleted_at.is_(None))
            .order_by(*order)
            .offset((page - 1) * PER_PAGE)
            .limit(PER_PAGE)
        )
        return select(*found.subquery().c)

    both = union_all(
        part("cited", Citation.citing_id, Citation.cited_id, references),
        part("citing", Citation.cited_id, Citation.citing_id, cited_by),
    )
    ways: dict[str, list[Any]] = {"cited": [], "citing": []}
    for row in session.execute(both):
        ways[row[0]].append(row)
    pages = []
    for name, page in (("cited", references), ("citing", cited_by)):
        rows = sorted(ways[name], key=lambda row: row[3])
        pages.append(PageOf(tuple(row[1] for row in rows), rows[0][2] if rows else 0, page))
    return pages[0], pages[1]


def _carded(page: PageOf[int], shown: dict[int, WorkCard]) -> PageOf[WorkCard]:
    return PageOf(tuple(shown[n] for n in page.rows if n in shown), page.total, page.page)


def _attached(session: Session, number: int) -> tuple[Attached, ...]:
    """Versions, identifiers, artifacts and notices in one statement."""
    parts = [
        select(literal("version"), Version.kind, Version.venue,
               cast(Version.year, String), Version.url, Source.name)
        .join(Source, Source.id == Version.source_id).where(Version.work_id == number),
        select(literal("identifier"), Identifier.scheme, Identifier.value, null(), null(),
               Source.name)
        .join(Source, Source.id == Identifier.source_id)
        .where(Identifier.entity == "W", Identifier.entity_id == number),
        select(literal("artifact"), Artifact.kind, null(), null(), Artifact.url, Source.name)
        .join(Source, Source.id == Artifact.source_id).where(Artifact.work_id == number),
        select(literal("notice"), Notice.kind, null(), Notice.date, Notice.url, Source.name)
        .join(Source, Source.id == Notice.source_id).where(Notice.work_id == number),
    ]  # fmt: skip
    return tuple(Attached(*row) for row in session.execute(union_all(*parts)))
