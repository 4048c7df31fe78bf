"""Lists of works without a query: filtered by SQL, newest or most cited first."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.orm import Session

from peerscope.discover.results import facet_page
from peerscope.discover.shapes import SearchFilters, SearchPage, WorkHit
from peerscope.record.models import Authorship, AuthorshipInstitution, Work, WorkTopic
from peerscope.retrieval import SearchEngine

DEEPEST = 100_000
"""Results beyond this many are not paged through; filters lead there."""


def conditions(filters: SearchFilters) -> list[ColumnElement[bool]]:
    """The filters as SQL conditions on `Work`."""
    found: list[ColumnElement[bool]] = [Work.deleted_at.is_(None)]
    if filters.year_from is not None:
        found.append(Work.publication_year >= filters.year_from)
    if filters.year_to is not None:
        found.append(Work.publication_year <= filters.year_to)
    if filters.types:
        found.append(Work.type.in_(filters.types))
    if filters.venues:
        found.append(Work.venue_id.in_(filters.venues))
    if filters.open_access is not None:
        found.append(Work.is_oa.is_(filters.open_access))
    if filters.topics:
        carried = select(WorkTopic.work_id).where(WorkTopic.topic_id.in_(filters.topics))
        found.append(Work.id.in_(carried))
    if filters.people:
        written = select(Authorship.work_id).where(Authorship.person_id.in_(filters.people))
        found.append(Work.id.in_(written))
    if filters.institutions:
        stated = (
            select(Authorship.work_id)
            .join(AuthorshipInstitution, AuthorshipInstitution.authorship_id == Authorship.id)
            .where(AuthorshipInstitution.institution_id.in_(filters.institutions))
        )
        found.append(Work.id.in_(stated))
    return found


def in_order(statement: Select[int], sort: str) -> Select[int]:
    """The statement ordered by ``newest`` (also for ``relevance``), ``oldest`` or ``cited``."""
    if sort == "cited":
        return statement.order_by(Work.cited_by_count.desc(), Work.id)
    if sort == "oldest":
        return statement.order_by(Work.publication_year.is_(None), Work.publication_year, Work.id)
    return statement.order_by(
        Work.publication_year.is_(None), Work.publication_year.desc(), Work.id.desc()
    )


def browse(
    session: Session,
    engine: SearchEngine | None,
    filters: SearchFilters,
    sort: str,
    page: int,
    per_page: int,
    query: str = "",
    note: str | None = None,
) -> SearchPage:
    """A page of all works that pass the filters."""
    where = conditions(filters)
    offset = min((page - 1) * per_page, DEEPEST)
    statement = in_order(select(Work.id).where(*where), sort).offset(offset).limit(per_page)
    hits: Sequence[int] = session.scalars(statement).all()
    total = int(session.scalar(select(func.count()).select_from(Work).where(*where)) or 0)
    facets = facet_page(session, engine, _all_passing(session, where, total)) if engine else {}
    return SearchPage(
        query=query,
        hits=tuple(WorkHit(number, 0.0) for number in hits),
        total=total,
        page=page,
        per_page=per_page,
        mode="browse",
        facets=facets,
        note=note,
    )


def _all_passing(session: Session, where: list[ColumnElement[bool]], total: int) -> list[int]:
    if total > DEEPEST:
        return []
    return list(session.scalars(select(Work.id).where(*where)))
