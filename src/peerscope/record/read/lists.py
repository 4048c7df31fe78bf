"""Lists: works as cards, entities with their counts, the totals of the record."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from peerscope.record.models import Authorship, Institution, Person, Topic, Venue, Work
from peerscope.record.read.shapes import PER_PAGE, Link, PageOf, WorkCard

CARD_AUTHORS = 6
SNIPPET = 320
TABLES: dict[str, type[Person | Topic | Institution | Venue]] = {
    "A": Person,
    "T": Topic,
    "I": Institution,
    "S": Venue,
}
DEEPEST_PAGE = 4000


@dataclass(frozen=True, slots=True)
class Listed:
    """An entity in a list, with its number of works and a detail."""

    id: int
    label: str
    works_count: int
    detail: str | None


@dataclass(frozen=True, slots=True)
class Listing:
    """A page of entities."""

    entity: str
    page: PageOf[Listed]
    query: str
    sort: str


def cards(session: Session, work_ids: Sequence[int]) -> list[WorkCard]:
    """Works as cards, in the given order; unknown and deleted ones are left out. Two statements."""
    if not work_ids:
        return []
    columns = (
        Work.id, Work.title, Work.title_markup, Work.publication_year, Work.type, Venue.id,
        Venue.display_name, Work.authors_count, Work.cited_by_count, Work.is_oa,
        func.substr(Work.abstract, 1, SNIPPET + 1), Work.summary,
    )  # fmt: skip
    statement = (
        select(*columns)
        .outerjoin(Venue, Venue.id == Work.venue_id)
        .where(Work.id.in_(list(work_ids)), Work.deleted_at.is_(None))
    )
    rows = {row[0]: row for row in session.execute(statement)}
    written: defaultdict[int, list[Link]] = defaultdict(list)
    authors = (
        select(Authorship.work_id, Authorship.person_id, Authorship.raw_name)
        .where(Authorship.work_id.in_(list(rows)), Authorship.position < CARD_AUTHORS)
        .order_by(Authorship.work_id, Authorship.position)
    )
    for work_id, person_id, name in session.execute(authors):
        written[work_id].append(Link("A", person_id, name))
    return [_card(rows[number], written[number]) for number in work_ids if number in rows]


def _card(row: Sequence[object], authors: list[Link]) -> WorkCard:
    (number, title, markup, year, kind, venue_id, venue, authors_count, cited, is_oa, abstract,
     summary) = row  # fmt: skip
    snippet, snippet_kind = (abstract, "abstract") if abstract else (summary, "summary")
    if isinstance(snippet, str) and len(snippet) > SNIPPET:
        snippet = snippet[:SNIPPET].rsplit(" ", 1)[0] + " …"
    return WorkCard(
        number, title, markup, year, kind,  # type: ignore[arg-type]
        Link("S", venue_id, str(venue)) if venue_id is not None else None,  # type: ignore[arg-type]
        tuple(authors), authors_count or len(authors), cited, is_oa,  # type: ignore[arg-type]
        snippet, snippet_kind if snippet else None,  # type: ignore[arg-type]
    )  # fmt: skip


def works_page(
    session: Session, condition: ColumnElement[bool], page: int, sort: str = "newest"
) -> PageOf[WorkCard]:
    """A page of the works that fulfil a condition, newest (or most cited) first. Three statements."""
    page = min(page, DEEPEST_PAGE)
    found, total = numbers_page(session, condition, page, PER_PAGE, sort)
    return PageOf(tuple(cards(session, found)), total, page)


def numbers_page(
    session: Session, condition: ColumnElement[bool], page: int, size: int, sort: str = "newest"
) -> tuple[list[int], int]:
    """Numbers of a page of the works that fulfil a condition, and how many there are. One statement.

    A page beyond the last one is empty, and its total 0.
    """
    statement = (
        select(Work.id, func.count().over())
        .where(condition, Work.deleted_at.is_(None))
        .order_by(*order_of(sort))
        .offset((page - 1) * size)
        .limit(size)
    )
    rows = session.execute(statement).all()
    return [row[0] for row in rows], rows[0][1] if rows else 0


def recent_works(session: Session, number: int) -> list[WorkCard]:
    """The most recent works as cards. Three statements."""
    newest = select(Work.id).where(Work.deleted_at.is_(None)).order_by(*order_of("newest"))
    return cards(session, session.scalars(newest.limit(number)).all())


def order_of(sort: str) -> tuple[ColumnElement[Any], ...]:
    """Columns to order works by: ``newest``, ``oldest`` or ``cited``."""
    undated = Work.publication_year.is_(None)
    if sort == "cited":
        return Work.cited_by_count.desc(), Work.id.asc()
    if sort == "oldest":
        return undated.asc(), Work.publication_year.asc(), Work.id.asc()
    return undated.asc(), Work.publication_year.desc(), Work.id.desc()


def listing(
    session: Session,
    entity: str,
    page: int,
    query: str = "",
    sort: str = "works",
    without: Collection[int] = (),
) -> Listing:
    """A page of people, topics, institutions or venues.

    Args:
        session: Of the record.
        entity: A, T, I or S.
        page: From 1.
        query: Looked for in their names.
        sort: ``works`` or ``name``.
        without: Numbers that are left out.
    """
    table = TABLES[entity]
    where: list[ColumnElement[bool]] = [table.works_count > 0]
    if table is Person:
        where.append(Person.merged_into_id.is_(None))
    if without:
        where.append(table.id.not_in(sorted(without)))
    words = query.strip()[:100]
    for word in words.split()[:6]:
        escaped = word.replace("\\", "\\\\").replace("%", r"\%").replace("_", r"\_")
        where.append(table.display_name.ilike(f"%{escaped}%", escape="\\"))
    total = int(session.scalar(select(func.count()).select_from(table).where(*where)) or 0)
    order = (
        (table.display_name, table.id)
        if sort == "name"
        else (table.works_count.desc(), table.display_name, table.id)
    )
    page = min(page, DEEPEST_PAGE)
    statement = select(table).where(*where).order_by(*order).limit(PER_PAGE)
    rows: Sequence[Any] = session.scalars(statement.offset((page - 1) * PER_PAGE)).all()
    found = tuple(Listed(row.id, row.display_name, row.works_count, _detail(row)) for row in rows)
    return Listing(entity, PageOf(found, total, page), words, sort)


def _detail(row: object) -> str | None:
    if isinstance(row, Topic) and row.origin == "suggested":
        return "suggested by this site"
    if isinstance(row, Institution):
        return row.country_code
    return None


def totals(session: Session) -> dict[str, int]:
    """How many works, people, topics, institutions and venues there are. One statement."""
    counted = [
        select(func.count()).select_from(Work).where(Work.deleted_at.is_(None)).scalar_subquery()
    ]
    for table in TABLES.values():
        found = select(func.count()).select_from(table).where(table.works_count > 0)
        counted.append(found.scalar_subquery())
    row = session.execute(select(*counted)).one()
    return dict(zip(("works", "people", "topics", "institutions", "venues"), row, strict=True))
