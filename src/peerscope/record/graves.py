"""Works that went with the source that alone stated them: laid down by numbers, and found again.

Nothing that the source said is kept. What stays is where its records were and whose the authorships were, so
that the same source, read again, brings works and people back at their addresses.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy import Connection, select

from peerscope.record.bulk import Ids, chunks, fetch_in, insert_rows, table_of
from peerscope.record.citations import release_citations
from peerscope.record.join import Joined
from peerscope.record.models import (
    Artifact,
    Authorship,
    AuthorshipInstitution,
    Citation,
    Identifier,
    Notice,
    Person,
    SourceRecord,
    Version,
    Withdrawn,
    Work,
    WorkTopic,
)
from peerscope.record.rows import AUTHOR_COLUMNS, WORK_FIELDS, author_values

_EMPTIED = (
    *(name for name in WORK_FIELDS if name not in ("title", "type")), "publication_year",
    "publication_date", "venue_id", "doi", "arxiv_id", "fingerprint", "field_sources",
)  # fmt: skip
"""Columns that may be empty, and are once nobody states the work."""

_CHILDREN: tuple[type[Any], ...] = (Version, Artifact, Notice, WorkTopic)


def bury(
    connection: Connection,
    ids: Ids,
    works: Sequence[int],
    records: Sequence[tuple[int, str, int]],
) -> None:
    """Lay works down that no source states any more, inside the caller's transaction.

    Args:
        connection: Of the transaction.
        ids: Its counters; the caller saves them.
        works: Their numbers; their source records are gone already.
        records: Source, key and work of every record that is withdrawn, of works that stay too.
    """
    work = table_of(Work)
    before = dict(
        map(tuple, fetch_in(connection, select(work.c.id, work.c.deleted_at), work.c.id, works))
    )
    deleted = {number for number, moment in before.items() if moment is not None}
    _note(connection, set(works), deleted, records)
    for part in chunks(works):
        _take_apart(connection, part, deleted)
    for number in works:
        moment = {} if number in deleted else {"deleted_at": datetime.now(UTC)}
        connection.execute(
            work.update()
            .where(work.c.id == number)
            .values(
                title="", covered="", authors_count=0, references_count=0, cited_by_count=0,
                change_seq=ids.take("change"), **dict.fromkeys(_EMPTIED), **moment,
            )
        )  # fmt: skip


def _note(
    connection: Connection,
    works: set[int],
    deleted: set[int],
    records: Sequence[tuple[int, str, int]],
) -> None:
    author, table = table_of(Authorship), table_of(Withdrawn)
    people: dict[int, list[Any]] = defaultdict(list)
    query = select(
        author.c.work_id, author.c.id, author.c.position, author.c.person_id, author.c.name_key
    )
    for number, authorship, position, person, key in fetch_in(
        connection, query, author.c.work_id, works
    ):
        people[number].append((authorship, position, person, _hashed(key)))
    for part in chunks(works):
        connection.execute(table.update().where(table.c.work_id.in_(part)).values(people=None))
    for source, key, _ in records:
        connection.execute(table.delete().where(table.c.source_id == source, table.c.key == key))
    rows = [
        (
            source, key, number, number in deleted,
            orjson.dumps(people[number]).decode() if number in works else None,
        )
        for source, key, number in records
    ]  # fmt: skip
    columns = ("source_id", "key", "work_id", "was_deleted", "people")
    insert_rows(connection, Withdrawn, columns, rows)


def _take_apart(connection: Connection, works: list[int], deleted: set[int]) -> None:
    author, link = table_of(Authorship), table_of(AuthorshipInstitution)
    cite, ident = table_of(Citation), table_of(Identifier)
    theirs = select(author.c.id).where(author.c.work_id.in_(works))
    connection.execute(link.delete().where(link.c.authorship_id.in_(theirs)))
    connection.execute(author.delete().where(author.c.work_id.in_(works)))
    connection.execute(cite.delete().where(cite.c.citing_id.in_(works)))
    for model in _CHILDREN:
        table = table_of(model)
        connection.execute(table.delete().where(table.c.work_id.in_(works)))
    # Who deleted a work by hand does not want it back: its identifiers keep leading to where it was.
    gone = [number for number in works if number not in deleted]
    held = select(ident.c.scheme, ident.c.value, ident.c.entity_id).where(ident.c.entity == "W")
    lost = [tuple(row) for row in fetch_in(connection, held, ident.c.entity_id, gone)]
    release_citations(connection, lost)
    connection.execute(ident.delete().where(ident.c.entity == "W", ident.c.entity_id.in_(gone)))


class Graves:
    """Where records of one source lay that are read again, for one batch.

    Args:
        connection: Of the batch's transaction.
        source_id: The source.
        keys: Keys of records that are read.
    """

    def __init__(self, connection: Connection, source_id: int, keys: Iterable[str]) -> None:
        self._connection = connection
        self._source_id = source_id
        self._met = list(keys)
        table = table_of(Withdrawn)
        query = select(table.c.key, table.c.work_id, table.c.was_deleted).where(
            table.c.source_id == source_id
        )
        rows = list(fetch_in(connection, query, table.c.key, self._met))
        record = table_of(SourceRecord)
        stated = select(record.c.work_id)
        taken = {
            row[0]
            for row in fetch_in(connection, stated, record.c.work_id, {r.work_id for r in rows})
        }
        self._free: dict[str, int] = {
            row.key: row.work_id for row in rows if row.work_id not in taken
        }
        self._stay = {row.work_id for row in rows if row.was_deleted}
        self._opened: set[int] = set()
        self._there = bool(rows)

    def take(self, key: str) -> int | None:
        """The work where the record of this key was, if nothing else states that by now."""
        number = self._free.get(key)
        if number is None or number in self._opened:
            return None
        self._opened.add(number)
        return number

    def open(self, works: Mapping[int, Joined]) -> None:
        """Bring the works that were taken back into sight, with the authorships that are still theirs.

        Call it before the works are updated to what is stated of them now.
        """
        if not self._there:
            return
        table, work = table_of(Withdrawn), table_of(Work)
        risen = sorted(self._opened)
        query = select(table.c.work_id, table.c.people).where(table.c.people.is_not(None))
        kept = {
            n: orjson.loads(p) for n, p in fetch_in(self._connection, query, table.c.work_id, risen)
        }
        self._authors({number: works[number] for number in risen}, kept)
        for part in chunks(number for number in risen if number not in self._stay):
            self._connection.execute(
                work.update().where(work.c.id.in_(part)).values(deleted_at=None)
            )
        for part in chunks(self._met):
            self._connection.execute(
                table.delete().where(table.c.source_id == self._source_id, table.c.key.in_(part))
            )

    def _authors(self, works: Mapping[int, Joined], kept: Mapping[int, list[Any]]) -> None:
        people = self._people({row[2] for rows in kept.values() for row in rows} - {None})
        rows = []
        for number, joined in works.items():
            for authorship, position, person, digest in kept.get(number, ()):
                if position >= len(joined.authors):
                    continue
                values = author_values(*joined.authors[position])
                if _hashed(values[1]) == digest:
                    rows.append((authorship, number, position, *values, people.get(person)))
        insert_rows(self._connection, Authorship, (*AUTHOR_COLUMNS, "person_id"), rows)

    def _people(self, numbers: set[int]) -> dict[int, int]:
        """Persons that are still there, each with whom their address leads to by now."""
        person = table_of(Person)
        query = select(person.c.id, person.c.merged_into_id)
        into: dict[int, int | None] = {}
        waiting = numbers
        while waiting:
            found = dict(map(tuple, fetch_in(self._connection, query, person.c.id, waiting)))
            into |= found
            waiting = {n for n in found.values() if n is not None} - into.keys()
        ends: dict[int, int] = {}
        for number in numbers & into.keys():
            end = number
            while (further := into.get(end)) is not None:
                end = further
            ends[number] = end
        return ends


def _hashed(key: str) -> str:
    return hashlib.blake2b(key.encode(), digest_size=8).hexdigest()
