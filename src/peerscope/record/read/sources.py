"""Who says what: every source of the record, with licence, date and number of records."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from peerscope.record.models import ImportRun, Source, SourceRecord


@dataclass(frozen=True, slots=True)
class RecordSource:
    """A source of the record."""

    name: str
    importer: str
    licence: str | None
    covers: tuple[str, ...]
    records: int
    imported_at: datetime | None


def sources_of_record(session: Session, limit: int = 100) -> list[RecordSource]:
    """All sources, the first ones first. One statement."""
    records = (
        select(SourceRecord.source_id, func.count().label("records"))
        .group_by(SourceRecord.source_id)
        .subquery()
    )
    runs = (
        select(ImportRun.source_id, func.max(ImportRun.finished_at).label("at"))
        .group_by(ImportRun.source_id)
        .subquery()
    )
    statement = (
        select(Source.name, Source.importer, Source.licence, Source.covers,
               func.coalesce(records.c.records, 0), runs.c.at)
        .outerjoin(records, records.c.source_id == Source.id)
        .outerjoin(runs, runs.c.source_id == Source.id)
        .order_by(Source.id)
        .limit(limit)
    )  # fmt: skip
    return [
        RecordSource(name, importer, licence, tuple(covers.split()), count, at)
        for name, importer, licence, covers, count, at in session.execute(statement)
    ]
