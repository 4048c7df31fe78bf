"""What changed among the works of an entity, or among given works, after a change of the record."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from peerscope.record.models import Authorship, AuthorshipInstitution, Work, WorkTopic

MOST_CHANGED = 2_000
"""Rows that one question answers with, the latest changes first."""


@dataclass(frozen=True, slots=True)
class ChangedWork:
    """A work that was added, changed or taken away, with the number of that change."""

    id: int
    seq: int
    created_at: datetime
    is_deleted: bool


_COLUMNS = (Work.id, Work.change_seq, Work.created_at, Work.deleted_at)


def changed_of(
    session: Session, entity: str, numbers: Collection[int], after: int
) -> dict[int, list[ChangedWork]]:
    """Works of people (A), topics (T), institutions (I) or venues (S) that changed after a change.

    The latest change first, `MOST_CHANGED` in all. One statement.

    Args:
        session: Of the record.
        entity: One of the letters.
        numbers: Of the entities.
        after: A change number of the record.
    """
    ways: dict[str, Any] = {
        "A": select(Authorship.person_id, *_COLUMNS)
        .join(Work, Work.id == Authorship.work_id)
        .where(Authorship.person_id.in_(numbers)),
        "T": select(WorkTopic.topic_id, *_COLUMNS)
        .join(Work, Work.id == WorkTopic.work_id)
        .where(WorkTopic.topic_id.in_(numbers)),
        "I": select(AuthorshipInstitution.institution_id, *_COLUMNS)
        .join(Authorship, Authorship.id == AuthorshipInstitution.authorship_id)
        .join(Work, Work.id == Authorship.work_id)
        .where(AuthorshipInstitution.institution_id.in_(numbers))
        .distinct(),
        "S": select(Work.venue_id, *_COLUMNS).where(Work.venue_id.in_(numbers)),
    }
    found: defaultdict[int, list[ChangedWork]] = defaultdict(list)
    if numbers:
        for number, *row in session.execute(_latest(ways[entity], after)):
            found[number].append(_changed(*row))
    return dict(found)


def changed_among(session: Session, work_ids: Collection[int], after: int) -> list[ChangedWork]:
    """Which of some works changed after a change, the latest first. One statement."""
    if not work_ids:
        return []
    rows = session.execute(_latest(select(*_COLUMNS).where(Work.id.in_(work_ids)), after))
    return [_changed(*row) for row in rows]


def moment_of(session: Session, seq: int) -> datetime | None:
    """About when a change of the record was made; ``None`` before the first. One statement."""
    found = session.scalar(
        select(Work.updated_at)
        .where(Work.change_seq <= seq)
        .order_by(Work.change_seq.desc())
        .limit(1)
    )
    return None if found is None else _utc(found)


def _latest(statement: Any, after: int) -> Any:
    return (
        statement.where(Work.change_seq > after)
        .order_by(Work.change_seq.desc(), Work.id)
        .limit(MOST_CHANGED)
    )


def _changed(number: int, seq: int, made: datetime, gone: datetime | None) -> ChangedWork:
    return ChangedWork(number, seq, _utc(made), gone is not None)


def _utc(moment: datetime) -> datetime:
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
