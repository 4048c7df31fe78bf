"""Works as entries of a feed: what came into the record last."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from peerscope.record.models import Authorship, IdentityEvent, Source, Venue, Work

ENTRIES = 50
AUTHORS = 10
SUMMARY = 1_200


@dataclass(frozen=True, slots=True)
class FeedWork:
    """A work as an entry of a feed.

    ``created_at`` is when it came into this record, ``updated_at`` when it changed there last; both UTC.
    """

    id: int
    title: str
    authors: tuple[str, ...]
    authors_count: int
    year: int | None
    venue: str | None
    summary: str
    created_at: datetime
    updated_at: datetime


def feed_works(session: Session, condition: ColumnElement[bool]) -> list[FeedWork]:
    """The works that fulfil a condition, those that came into the record last first. Two statements."""
    newest = (Work.created_at.desc(), Work.publication_year.desc().nulls_last(), Work.id.desc())
    statement = (
        select(
            Work.id, Work.title, Work.authors_count, Work.publication_year,
            Venue.display_name.label("venue"),
            func.substr(func.coalesce(Work.abstract, Work.summary, ""), 1, SUMMARY + 1).label("text"),
            Work.created_at, Work.updated_at,
        )
        .outerjoin(Venue, Venue.id == Work.venue_id)
        .where(condition, Work.deleted_at.is_(None))
        .order_by(*newest)
        .limit(ENTRIES)
    )  # fmt: skip
    rows = session.execute(statement).all()
    written = _authors(session, [row.id for row in rows])
    return [
        FeedWork(
            row.id, row.title, tuple(written[row.id]), row.authors_count, row.publication_year,
            row.venue, _cut(row.text), _utc(row.created_at), _utc(row.updated_at),
        )
        for row in rows
    ]  # fmt: skip


def began_at(session: Session) -> datetime:
    """When this record got its first source; the beginning of 1970 where it has none. One statement."""
    first = session.scalar(select(func.min(Source.created_at)))
    return _utc(first) if first is not None else datetime.fromtimestamp(0, UTC)


def identity_changed_at(session: Session) -> datetime | None:
    """When it was last decided, or undone, who is who. One statement."""
    made, undone = session.execute(
        select(func.max(IdentityEvent.made_at), func.max(IdentityEvent.undone_at))
    ).one()
    moments = [_utc(one) for one in (made, undone) if one is not None]
    return max(moments, default=None)


def _authors(session: Session, work_ids: Sequence[int]) -> defaultdict[int, list[str]]:
    found: defaultdict[int, list[str]] = defaultdict(list)
    if work_ids:
        rows = session.execute(
            select(Authorship.work_id, Authorship.raw_name)
            .where(Authorship.work_id.in_(work_ids), Authorship.position < AUTHORS)
            .order_by(Authorship.work_id, Authorship.position)
        )
        for work_id, name in rows:
            found[work_id].append(name)
    return found


def _cut(text: str) -> str:
    return text if len(text) <= SUMMARY else text[:SUMMARY].rsplit(" ", 1)[0] + " …"


def _utc(moment: datetime) -> datetime:
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
