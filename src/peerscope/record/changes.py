"""What has changed since: the thread that a search index, a feed or a cache holds on to."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from sqlalchemy import exists, select, update
from sqlalchemy.orm import Session

from peerscope.record.bulk import Ids, chunks
from peerscope.record.models import Counter, SourceRecord, Work


def change_seq(session: Session) -> int:
    """The number of the last change; it only grows."""
    return session.scalar(select(Counter.value).where(Counter.name == "change")) or 0


def works_changed_since(session: Session, seq: int) -> list[int]:
    """Ids of works added, updated or deleted after ``seq``, in the order of their last change."""
    query = select(Work.id).where(Work.change_seq > seq).order_by(Work.change_seq, Work.id)
    return list(session.scalars(query))


def delete_works(session: Session, work_ids: Iterable[int]) -> int:
    """Take works out of sight and leave tombstones; how many were still there.

    A deleted work keeps its records and identifiers: importing its source again does not bring it
    back. Use it inside `Database.begin`.
    """
    return _set_deleted(session, work_ids, deleted=True)


def restore_works(session: Session, work_ids: Iterable[int]) -> int:
    """Bring deleted works back; how many were deleted.

    Those that no source states any more stay away: there is nothing to show of them.
    """
    return _set_deleted(session, work_ids, deleted=False)


def _set_deleted(session: Session, work_ids: Iterable[int], *, deleted: bool) -> int:
    ids = Ids(session.connection())
    stated = exists().where(SourceRecord.work_id == Work.id)
    wrong_state = Work.deleted_at.is_(None) if deleted else Work.deleted_at.is_not(None) & stated
    count = 0
    # Whoever harvests by date learns of a work that came back by the date of its change.
    moment = (
        {"deleted_at": datetime.now(UTC)}
        if deleted
        else {"deleted_at": None, "updated_at": datetime.now(UTC)}
    )
    for part in chunks(work_ids):
        found = session.scalars(select(Work.id).where(Work.id.in_(part), wrong_state)).all()
        for work_id in found:
            session.execute(
                update(Work)
                .where(Work.id == work_id)
                .values(change_seq=ids.take("change"), **moment)
            )
        count += len(found)
    ids.save()
    return count
