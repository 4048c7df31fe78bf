"""The record read back as parsed works: what an export writes and an import would read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace

from sqlalchemy import select
from sqlalchemy.orm import Session

from peerscope.record.join import Statement, join
from peerscope.record.models import SourceRecord, Work
from peerscope.record.parsed import ParsedReference, ParsedWork
from peerscope.record.payload import load_payload
from peerscope.record.runs import SourceInfo, read_sources

CHUNK = 500


def parsed_works(session: Session) -> Iterator[ParsedWork]:
    """Every work in sight as shown, in order of id, in bounded memory."""
    sources = read_sources(session.connection())
    last = 0
    while True:
        in_sight = select(Work.id).where(Work.id > last, Work.deleted_at.is_(None))
        works = list(session.scalars(in_sight.order_by(Work.id).limit(CHUNK)))
        if not works:
            return
        last = works[-1]
        yield from (work for _, work in _parsed(session, works, sources))


def parsed_among(session: Session, numbers: Sequence[int]) -> dict[int, ParsedWork]:
    """Some works in sight as shown, by number; those that are not there are left out. Three statements."""
    in_sight = select(Work.id).where(Work.id.in_(numbers), Work.deleted_at.is_(None))
    works = list(session.scalars(in_sight.order_by(Work.id)))
    return dict(_parsed(session, works, read_sources(session.connection())))


def parsed_of(session: Session, numbers: Sequence[int]) -> Iterator[ParsedWork]:
    """The given works as shown, in their order; those out of sight are left out. In bounded memory."""
    for start in range(0, len(numbers), CHUNK):
        part = numbers[start : start + CHUNK]
        found = parsed_among(session, part)
        yield from (found[number] for number in part if number in found)


def parsed_work(session: Session, number: int) -> ParsedWork | None:
    """One work in sight as shown; ``None`` where there is none. Three statements."""
    return parsed_among(session, [number]).get(number)


def _parsed(
    session: Session, works: list[int], sources: dict[int, SourceInfo]
) -> Iterator[tuple[int, ParsedWork]]:
    stated: dict[int, list[Statement]] = defaultdict(list)
    query = select(SourceRecord.work_id, SourceRecord.source_id, SourceRecord.payload)
    for work_id, source_id, payload in session.execute(
        query.where(SourceRecord.work_id.in_(works)).order_by(SourceRecord.id)
    ):
        source = sources[source_id]
        origin = (source.importer, source.location)
        work = load_payload(payload)
        stated[work_id].append(Statement(source_id, source.rank, origin, source.covers, work))
    for work_id in works:
        if work_id in stated:
            yield work_id, _as_shown(stated[work_id])


def _as_shown(statements: list[Statement]) -> ParsedWork:
    joined = join(statements)
    first = next(s.work for s in statements if s.source_id == joined.source_id)
    return replace(
        first,
        **joined.fields,
        venue_ids=joined.venue_ids,
        ids=joined.displayed_ids,
        authors=[author for author, _ in joined.authors],
        editors=first.editors or next((s.work.editors for s in statements if s.work.editors), []),
        topics=[topic for topic, _ in joined.topics],
        references=[ParsedReference(s, v, raw) for s, v, raw, _ in joined.references.values()],
        versions=[version for version, _ in joined.versions],
        artifacts=[artifact for artifact, _ in joined.artifacts],
        notices=[notice for notice, _ in joined.notices],
    )
