"""Who says what: every source of the record, with licence, date and number of records, and what was done."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from peerscope.record.models import ImportRun, Source, SourceRecord
from peerscope.record.read.shapes import PageOf


@dataclass(frozen=True, slots=True)
class RecordSource:
    """A source of the record.

    Attributes:
        records: That it states now; 0 where it was withdrawn.
        imported_at: When it was read last, ``None`` where that never came to its end.
        withdrawn: Whether what was done last is its withdrawal.
    """

    name: str
    importer: str
    licence: str | None
    covers: tuple[str, ...]
    records: int
    imported_at: datetime | None
    id: int = 0
    withdrawn: bool = False


@dataclass(frozen=True, slots=True)
class PastRun:
    """One reading or withdrawal of a source, with the words of `ImportRun`."""

    state: str
    started_at: datetime
    finished_at: datetime | None
    position: int
    added: int
    updated: int
    quarantined: int
    made_by: str | None


def sources_of_record(session: Session, limit: int = 100) -> list[RecordSource]:
    """Sources that state something, the first ones first. One statement."""
    found = _sources(session, _statement().order_by(Source.id).limit(limit))
    return [one for one in found if not one.withdrawn]


def page_of_sources(session: Session, page: int, per_page: int) -> PageOf[RecordSource]:
    """A page of all sources, the latest first, withdrawn ones as well. Two statements."""
    total = session.scalar(select(func.count()).select_from(Source)) or 0
    statement = _statement().order_by(Source.id.desc()).limit(per_page)
    rows = _sources(session, statement.offset((page - 1) * per_page))
    return PageOf(tuple(rows), total, page, per_page)


def one_source(session: Session, number: int) -> RecordSource | None:
    """A source; ``None`` where there is none. One statement."""
    return next(_sources(session, _statement().where(Source.id == number)), None)


def runs_of(session: Session, number: int, limit: int = 50) -> list[PastRun]:
    """What was done with a source, the latest first. One statement."""
    columns = (ImportRun.state, ImportRun.started_at, ImportRun.finished_at, ImportRun.position)
    counts = (ImportRun.added, ImportRun.updated, ImportRun.quarantined, ImportRun.made_by)
    statement = (
        select(*columns, *counts)
        .where(ImportRun.source_id == number)
        .order_by(ImportRun.id.desc())
        .limit(limit)
    )
    return [PastRun(*row) for row in session.execute(statement)]


def brought_by(session: Session, made_by: str) -> list[tuple[int, str, str, datetime]]:
    """Sources that somebody had read or withdrawn: number, name, state of the run, when. One statement."""
    statement = (
        select(Source.id, Source.name, ImportRun.state, ImportRun.started_at)
        .join(ImportRun, ImportRun.source_id == Source.id)
        .where(ImportRun.made_by == made_by)
        .order_by(ImportRun.id)
    )
    return [(row[0], row[1], row[2], row[3]) for row in session.execute(statement)]


def _statement() -> Select[Any]:
    records = (
        select(func.count())
        .where(SourceRecord.source_id == Source.id)
        .correlate(Source)
        .scalar_subquery()
    )
    done = (
        select(func.max(ImportRun.finished_at))
        .where(ImportRun.source_id == Source.id, ImportRun.state == "done")
        .correlate(Source)
        .scalar_subquery()
    )
    last = (
        select(ImportRun.state)
        .where(ImportRun.source_id == Source.id)
        .order_by(ImportRun.id.desc())
        .limit(1)
        .correlate(Source)
        .scalar_subquery()
    )
    return select(
        Source.name, Source.importer, Source.licence, Source.covers, records, done, Source.id, last
    )


def _sources(session: Session, statement: Select[Any]) -> Iterator[RecordSource]:
    for name, importer, licence, covers, count, at, number, last in session.execute(statement):
        yield RecordSource(
            name, importer, licence, tuple(covers.split()), count, at, number, last == "withdrawn"
        )
