"""Which records are of one work, decided anew: by the same import, in the order in which they came.

What a source said decides what later records joined: a title that it changed, an identifier that it took. So
when it goes, the records that remain are read again into an empty record in memory, and the works that come
out are those that would be there if the source had never been read.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import groupby

from sqlalchemy import Connection, func, select

from peerscope.record.bulk import Ids, fetch_in, table_of
from peerscope.record.database import Database
from peerscope.record.entities import Entities
from peerscope.record.ingest import Batch
from peerscope.record.join import Joined, Statement, join, own_ids
from peerscope.record.match import find_owners
from peerscope.record.models import Base, Identifier, Source, SourceRecord, Work
from peerscope.record.parsed import Good, ParsedWork
from peerscope.record.payload import load_payload
from peerscope.record.runs import ImportReport, SourceInfo
from peerscope.record.text import fingerprint

Pair = tuple[str, str]


@dataclass(slots=True)
class Stated:
    """A source record as it is kept, with the work that it is of."""

    id: int
    source_id: int
    key: str
    work_id: int
    note: str | None
    work: ParsedWork

    def marks(self) -> set[Pair]:
        """As `marks_of` its work."""
        return marks_of(self.work)


@dataclass(slots=True)
class Group:
    """Records of one work.

    Attributes:
        records: Their numbers.
        ids: Identifiers that the work holds.
        notes: What the matching says of each record, with the numbers of works as they are in a record of
            these alone.
        number: Of the work there.
    """

    records: list[int] = field(default_factory=list)
    ids: set[Pair] = field(default_factory=set)
    notes: dict[int, str | None] = field(default_factory=dict)
    number: int = 0


def marks_of(work: ParsedWork) -> set[Pair]:
    """What the matching goes by: identifiers, and the title's fingerprint under an empty scheme."""
    found = set(own_ids(work))
    mark = fingerprint(work.title) if work.authors else None
    return found | {("", mark)} if mark else found


def records_of(connection: Connection, works: Iterable[int]) -> list[Stated]:
    """The source records of some works, in the order in which they came."""
    table = table_of(SourceRecord)
    columns = (table.c.id, table.c.source_id, table.c.key, table.c.work_id, table.c.note)
    query = select(*columns, table.c.payload)
    rows = fetch_in(connection, query, table.c.work_id, sorted(set(works)))
    found = [
        Stated(row.id, row.source_id, row.key, row.work_id, row.note, load_payload(row.payload))
        for row in rows
    ]
    return sorted(found, key=lambda one: one.id)


def joined_from(records: Iterable[Stated], sources: Mapping[int, SourceInfo]) -> dict[int, Joined]:
    """Works as some records state them together."""
    stated: dict[int, list[Statement]] = defaultdict(list)
    for one in records:
        source = sources[one.source_id]
        origin = (source.importer, source.location)
        stated[one.work_id].append(
            Statement(source.id, source.rank, origin, source.covers, one.work)
        )
    return {number: join(statements) for number, statements in stated.items()}


class Hidden:
    """What records state that their work does not show or hold, so that no index of works finds it.

    Read once from records with a note and from works of several records; those of others show all.
    """

    def __init__(self, connection: Connection) -> None:
        table = table_of(SourceRecord)
        several = select(table.c.work_id).group_by(table.c.work_id).having(func.count() > 1)
        rows = connection.execute(
            select(table.c.id, table.c.payload).where(
                table.c.note.is_not(None) | table.c.work_id.in_(several)
            )
        )
        self._records: dict[Pair, list[int]] = defaultdict(list)
        for number, payload in rows:
            for mark in marks_of(load_payload(payload)):
                self._records[mark].append(number)

    def works(self, connection: Connection, marks: Iterable[Pair]) -> set[int]:
        """Works with a record that states one of these."""
        table = table_of(SourceRecord)
        numbers = {number for mark in marks for number in self._records.get(mark, ())}
        query = select(table.c.work_id)
        return {row[0] for row in fetch_in(connection, query, table.c.id, sorted(numbers))}


def gathered(connection: Connection, hidden: Hidden, works: Iterable[int]) -> list[Stated]:
    """The records of some works and of all whose matching could hang on theirs, in their order.

    Works that somebody deleted are not matched anew: of these only the given ones are there.
    """
    found: list[Stated] = []
    seen: set[int] = set()
    marks: set[Pair] = set()
    waiting = set(works)
    while waiting:
        fresh = records_of(connection, waiting)
        seen |= waiting
        found += fresh
        new = {mark for one in fresh for mark in one.marks()} - marks
        marks |= new
        waiting = (_bearers(connection, new) | hidden.works(connection, new)) - seen
        waiting -= deleted_among(connection, waiting)
    return sorted(found, key=lambda one: one.id)


def _bearers(connection: Connection, marks: set[Pair]) -> set[int]:
    """Works that hold an identifier or show a title."""
    work = table_of(Work)
    titles = [value for scheme, value in marks if not scheme]
    query = select(work.c.id).where(work.c.deleted_at.is_(None))
    found = {row[0] for row in fetch_in(connection, query, work.c.fingerprint, titles)}
    return found | set(find_owners(connection, [m for m in marks if m[0]]).values())


def deleted_among(connection: Connection, works: Iterable[int]) -> set[int]:
    """Those works that were deleted."""
    work = table_of(Work)
    query = select(work.c.id).where(work.c.deleted_at.is_not(None))
    return {row[0] for row in fetch_in(connection, query, work.c.id, sorted(works))}


def grouped(records: Sequence[Stated], sources: Mapping[int, SourceInfo]) -> list[Group]:
    """Records as the works that an import in their order makes of them.

    Args:
        records: In the order in which they came; whole as `gathered` gives them, without those that go.
        sources: All sources by id.
    """
    alone, together = _parted(records)
    found = [Group([one.id], set(own_ids(one.work)), {one.id: None}) for one in alone]
    return found + (_read_again(together, sources) if together else [])


def _parted(records: Sequence[Stated]) -> tuple[list[Stated], list[Stated]]:
    """Records that share nothing with another, and all others."""
    shared = Counter(mark for one in records for mark in one.marks())
    alone: list[Stated] = []
    together: list[Stated] = []
    for one in records:
        lonely = all(shared[mark] == 1 for mark in one.marks())
        (alone if lonely else together).append(one)
    return alone, together


def _read_again(records: Sequence[Stated], sources: Mapping[int, SourceInfo]) -> list[Group]:
    scratch = Database("sqlite://")
    try:
        with scratch.begin() as session:
            connection = session.connection()
            Base.metadata.create_all(connection)
            used = {one.source_id for one in records}
            session.add_all(
                Source(
                    id=one.id, importer=one.importer, name="", location=one.location,
                    covers=" ".join(sorted(one.covers)), rank=one.rank, created_at=datetime.now(UTC),
                )
                for one in sources.values() if one.id in used
            )  # fmt: skip
            session.flush()
            ids, entities = Ids(connection), Entities()
            for source_id, run in groupby(records, key=lambda one: one.source_id):
                batch = Batch(connection, ids, sources[source_id], 1, ImportReport())
                batch.write(
                    [Good(place, one.work) for place, one in enumerate(run)],
                    dict(sources), entities,
                )  # fmt: skip
            return _groups(connection, records)
    finally:
        scratch.close()


def _groups(connection: Connection, records: Sequence[Stated]) -> list[Group]:
    table, ident = table_of(SourceRecord), table_of(Identifier)
    numbers = {(one.source_id, one.key): one for one in records}
    found: dict[int, Group] = defaultdict(Group)
    columns = (table.c.work_id, table.c.source_id, table.c.key, table.c.note)
    for work, source, key, note in connection.execute(select(*columns)):
        one = numbers[(source, key)]
        group = found[work]
        group.records.append(one.id)
        group.number = work
        group.notes[one.id] = note
    held = select(ident.c.entity_id, ident.c.scheme, ident.c.value).where(ident.c.entity == "W")
    for work, scheme, value in connection.execute(held):
        found[work].ids.add((scheme, value))
    for group in found.values():
        group.records.sort()
    return list(found.values())
