"""Taking back what one source said: what only it stated goes, all else is as if it had never been read.

In batches, each of them whole or absent. A process killed at any moment leaves a record that states what it
states; calling it again goes on from there. Works keep their numbers; those that go leave a tombstone, and
come back under the same number when the source is read again (`graves`).
"""

from __future__ import annotations

import gc
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, distinct, func, select
from sqlalchemy.orm import Session

from peerscope.record.bulk import Ids, chunks, fetch_in, paused_collector, table_of, timestamp
from peerscope.record.citations import release_citations
from peerscope.record.counts import refresh_counts
from peerscope.record.database import Database
from peerscope.record.entities import Entities
from peerscope.record.graves import bury
from peerscope.record.identity import person_ids, resolve_people
from peerscope.record.match import find_owners
from peerscope.record.models import (
    Authorship,
    Identifier,
    IdentityEvent,
    IdentityMark,
    ImportRun,
    Person,
    Quarantine,
    Source,
    SourceRecord,
    Work,
)
from peerscope.record.regroup import (
    Group,
    Hidden,
    Pair,
    Stated,
    deleted_among,
    gathered,
    grouped,
    joined_from,
)
from peerscope.record.runs import Progress, SourceInfo, begin_run, last_run, read_sources
from peerscope.record.settle import settle_entities
from peerscope.record.store import Store

BATCH = 500
"""Works of one transaction; works that hang together with them come on top."""

_WORK_IN_NOTE = re.compile(r"(?<= belongs to W)\d+")


class NoSuchSourceError(ValueError):
    """There is no source of this number, or it states nothing."""


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """What withdrawing a source does to the record.

    Attributes:
        source_id: The source.
        name: What it is called.
        records: Records that it states.
        gone: Works that only it states.
        kept: Works that other sources state too.
        quarantined: Records of it in quarantine, which go as well.
        events: Numbers of the decisions in force about who is who that name an author of a work that goes.
            They stay, and say nothing more while these works are not there.
    """

    source_id: int
    name: str
    records: int
    gone: int
    kept: int
    quarantined: int = 0
    events: tuple[int, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        return asdict(self)

    def sentence(self) -> str:
        """What goes and what stays, in words."""
        goes = "1 work goes" if self.gone == 1 else f"{self.gone:,} works go"
        stays = "1 work stays" if self.kept == 1 else f"{self.kept:,} works stay"
        return (
            f"{self.records:,} records of “{self.name}”: {goes}, {stays} "
            f"because other sources state them too."
        )


def withdrawal_of(session: Session, source_id: int) -> Withdrawal:
    """What withdrawing a source would do; nothing is changed. Four statements.

    Raises:
        NoSuchSourceError: There is no such source.
    """
    name = session.scalar(select(Source.name).where(Source.id == source_id))
    if name is None:
        raise NoSuchSourceError(f"There is no source {source_id}.")
    own = SourceRecord
    theirs = select(own.work_id).where(own.source_id == source_id)
    shared = (
        select(own.work_id)
        .where(own.work_id.in_(theirs), own.source_id != source_id)
        .distinct()
        .subquery()
    )
    records, works = session.execute(
        select(func.count(), func.count(distinct(own.work_id))).where(own.source_id == source_id)
    ).one()
    kept = session.scalar(select(func.count()).select_from(shared)) or 0
    bad = session.scalar(
        select(func.count()).select_from(Quarantine).where(Quarantine.source_id == source_id)
    )
    events = session.scalars(
        select(IdentityMark.event_id)
        .join(IdentityEvent, IdentityEvent.id == IdentityMark.event_id)
        .join(Authorship, Authorship.id == IdentityMark.authorship_id)
        .where(
            IdentityEvent.undone_at.is_(None),
            IdentityMark.label != "",
            Authorship.work_id.in_(theirs),
            Authorship.work_id.not_in(select(shared.c.work_id)),
        )
        .distinct()
        .order_by(IdentityMark.event_id)
    )
    return Withdrawal(source_id, name, records, works - kept, kept, bad or 0, tuple(events))


def withdraw(
    database: Database,
    source_id: int,
    *,
    made_by: str | None = None,
    batch_size: int = BATCH,
    progress: Progress | None = None,
) -> Withdrawal:
    """Take back what a source said, decide anew who is who where that hung on it, and count anew.

    What is in the record then is what would be there had the source never been read; only numbers differ.
    Works that somebody deleted by hand stay deleted.

    Args:
        database: The record.
        source_id: Number of the source.
        made_by: Who has it done, as ``account:3``; ``None`` for the operator.
        batch_size: Works of one transaction.
        progress: Called after each batch with "withdraw", the records that went, and all of them.

    Raises:
        NoSuchSourceError: There is no such source, or it states nothing.
        WriterBusyError: Another process is writing to the record.
    """
    with database.session() as session:
        found = withdrawal_of(session, source_id)
    with database.writer(f"withdrawing source {source_id}"), paused_collector():
        run = _begin(database, source_id, made_by, found)
        total = run.position + found.records
        done = run.position
        with database.session() as session:
            hidden = Hidden(session.connection())
        while True:
            went = _one_batch(database, source_id, run.id, hidden, batch_size)
            gc.collect(1)
            if not went:
                break
            done += went
            if progress is not None:
                progress("withdraw", done, total)
        with database.begin() as session:
            connection = session.connection()
            ids = Ids(connection)
            settle_entities(connection, ids, source_id)
            ids.save()
    resolve_people(database)
    refresh_counts(database)
    _end(database, run.id)
    return found


def _begin(database: Database, source_id: int, made_by: str | None, found: Withdrawal) -> Any:
    """The run of a withdrawal: the one that was stopped, or a new one."""
    with database.begin() as session:
        connection = session.connection()
        last = last_run(connection, source_id)
        if last is not None and last.state == "withdrawing":
            return last
        if not found.records and (last is None or last.state == "withdrawn"):
            raise NoSuchSourceError(
                f"“{found.name}” states nothing, so there is nothing to withdraw."
            )
        ids = Ids(connection)
        run = begin_run(connection, ids, source_id, "", "withdrawing", made_by)
        table = table_of(Quarantine)
        connection.execute(table.delete().where(table.c.source_id == source_id))
        ids.save()
        return run


def _end(database: Database, run_id: int) -> None:
    table = table_of(ImportRun)
    with database.begin() as session:
        session.execute(
            table.update()
            .where(table.c.id == run_id)
            .values(state="withdrawn", finished_at=datetime.now(UTC))
        )


def _one_batch(
    database: Database, source_id: int, run_id: int, hidden: Hidden, batch_size: int
) -> int:
    """Take back what the source says of some works; how many records went."""
    record, run = table_of(SourceRecord), table_of(ImportRun)
    with database.begin() as session:
        connection = session.connection()
        query = select(record.c.work_id).where(record.c.source_id == source_id).limit(batch_size)
        seeds = set(connection.scalars(query))
        if not seeds:
            return 0
        ids = Ids(connection)
        records = gathered(connection, hidden, seeds)
        went = _Taking(connection, ids, source_id).take(records)
        connection.execute(
            run.update().where(run.c.id == run_id).values(position=run.c.position + went)
        )
        ids.save()
        return went


class _Taking:
    """One transaction: some works as they are without the source."""

    def __init__(self, connection: Connection, ids: Ids, source_id: int) -> None:
        self._connection = connection
        self._ids = ids
        self._source_id = source_id
        self._sources: dict[int, SourceInfo] = read_sources(connection)

    def take(self, records: Sequence[Stated]) -> int:
        """Take the source's records away; how many there were."""
        works = {one.work_id for one in records}
        away = [one for one in records if one.source_id == self._source_id]
        deleted = deleted_among(self._connection, works)
        groups = self._placed(records, deleted)
        self._touch(works, groups)
        self._delete(away)
        self._write(records, groups, deleted)
        gone = sorted(works - groups.keys())
        bury(
            self._connection, self._ids, gone,
            [(one.source_id, one.key, one.work_id) for one in away],
        )  # fmt: skip
        self._forget_people()
        return len(away)

    def _placed(self, records: Sequence[Stated], deleted: set[int]) -> dict[int, Group]:
        """The works as they are to be, by number."""
        stay = [one for one in records if one.source_id != self._source_id]
        placed: dict[int, Group] = {}
        for one in stay:
            if one.work_id in deleted:
                placed.setdefault(one.work_id, Group()).records.append(one.id)
        alive = [one for one in stay if one.work_id not in deleted]
        home = {one.id: one.work_id for one in alive}
        groups = sorted(grouped(alive, self._sources), key=lambda group: group.records[0])
        numbers: dict[int, int] = {}
        for group in groups:
            where = Counter(home[number] for number in group.records)
            free = [number for number in where if number not in placed]
            best = max(free, key=lambda n: (where[n], -n), default=None)
            number = self._ids.take("work") if best is None else best
            placed[number] = group
            numbers[group.number] = number
        for group in groups:
            group.notes = {
                number: note
                and _WORK_IN_NOTE.sub(lambda m: str(numbers.get(int(m[0]), m[0])), note)
                for number, note in group.notes.items()
            }
        return placed

    def _touch(self, works: set[int], groups: Mapping[int, Group]) -> None:
        """Let the next resolution look at every name block that these works are in."""
        author, person, work = table_of(Authorship), table_of(Person), table_of(Work)
        query = select(author.c.block_key, author.c.person_id)
        rows = list(fetch_in(self._connection, query, author.c.work_id, sorted(works)))
        self._people = {row.person_id for row in rows if row.person_id is not None}
        blocks = {row.block_key for row in rows}
        around = select(author.c.block_key, author.c.person_id, author.c.work_id)
        first: dict[str, int] = {}
        people: set[int] = set()
        held: set[str] = set()
        for block, owner, number in fetch_in(
            self._connection, around, author.c.block_key, sorted(blocks)
        ):
            if owner is not None:
                people.add(owner)
                held.add(block)
            elif number not in works or number in groups:
                first[block] = min(number, first.get(block, number))
        for part in chunks(sorted(people)):
            self._connection.execute(
                person.update()
                .where(person.c.id.in_(part))
                .values(change_seq=self._ids.take("change"))
            )
        # A block in which nothing is decided is found through one of its works.
        bare = sorted({number for block, number in first.items() if block not in held})
        for part in chunks(bare):
            self._connection.execute(
                work.update().where(work.c.id.in_(part)).values(change_seq=self._ids.take("change"))
            )

    def _delete(self, away: Sequence[Stated]) -> None:
        record = table_of(SourceRecord)
        for part in chunks(one.id for one in away):
            self._connection.execute(record.delete().where(record.c.id.in_(part)))

    def _write(
        self, records: Sequence[Stated], groups: Mapping[int, Group], deleted: set[int]
    ) -> None:
        by_id = {one.id: one for one in records}
        before: dict[int, set[int]] = defaultdict(set)
        for one in records:
            before[one.work_id].add(one.id)
        owners, moved = self._release(groups, deleted)
        changed = {
            number: group for number, group in groups.items()
            if before.get(number) != set(group.records) or number in moved
        }  # fmt: skip
        joined = joined_from(
            (
                replace(by_id[one], work_id=number)
                for number, group in changed.items() for one in group.records
            ),
            self._sources,
        )  # fmt: skip
        entities = Entities()
        entities.prepare(self._connection, joined.values())
        wanted = {
            (scheme, value)
            for one in joined.values()
            for scheme, value, _, _ in one.references.values()
            if scheme is not None and value is not None and (scheme, value) not in owners
        }
        owners |= find_owners(self._connection, wanted)
        store = Store(self._connection, self._ids, entities, owners, timestamp(self._connection))
        for number, made in joined.items():
            if number not in before:
                store.add_work(number, made)
        store.update_works({n: made for n, made in joined.items() if n in before})
        store.flush()
        self._move(by_id, groups)

    def _release(
        self, groups: Mapping[int, Group], deleted: set[int]
    ) -> tuple[dict[Pair, int], set[int]]:
        """Take identifiers from works that do not hold them without the source.

        Returns who holds which identifier then, and the works whose identifiers change.
        """
        ident = table_of(Identifier)
        wanted = {
            pair: number
            for number, group in groups.items() if number not in deleted
            for pair in group.ids
        }  # fmt: skip
        there = find_owners(self._connection, wanted)
        elsewhere = deleted_among(self._connection, set(there.values()))
        wanted = {p: n for p, n in wanted.items() if there.get(p) not in elsewhere}
        query = select(ident.c.entity_id, ident.c.scheme, ident.c.value).where(
            ident.c.entity == "W"
        )
        works = [number for number in groups if number not in deleted]
        held = {
            (scheme, value): number
            for number, scheme, value in fetch_in(self._connection, query, ident.c.entity_id, works)
        }
        lost = [(s, v, n) for (s, v), n in held.items() if wanted.get((s, v)) != n]
        moved = {n for _, _, n in lost}
        moved |= {number for pair, number in wanted.items() if there.get(pair) != number}
        for scheme, value, _ in lost:
            self._connection.execute(
                ident.delete().where(
                    ident.c.entity == "W", ident.c.scheme == scheme, ident.c.value == value
                )
            )
        release_citations(self._connection, lost)
        # What works that go still hold is taken from them before others can have it.
        freed = [
            (s, v, owner) for (s, v), owner in there.items()
            if owner not in elsewhere and owner not in groups and (s, v) in wanted
        ]  # fmt: skip
        for scheme, value, _ in freed:
            self._connection.execute(
                ident.delete().where(
                    ident.c.entity == "W", ident.c.scheme == scheme, ident.c.value == value
                )
            )
        release_citations(self._connection, freed)
        owners = dict(wanted)
        owners |= {pair: n for pair, n in there.items() if n in elsewhere}
        return owners, moved

    def _move(self, by_id: Mapping[int, Stated], groups: Mapping[int, Group]) -> None:
        record = table_of(SourceRecord)
        for number, group in groups.items():
            for one in group.records:
                note = group.notes.get(one, by_id[one].note)
                if by_id[one].work_id != number or by_id[one].note != note:
                    self._connection.execute(
                        record.update().where(record.c.id == one).values(work_id=number, note=note)
                    )

    def _forget_people(self) -> None:
        """Take identifiers from persons with whose name no source states them any more."""
        author, ident = table_of(Authorship), table_of(Identifier)
        stated: dict[int, set[Pair]] = defaultdict(set)
        query = select(author.c.person_id, author.c.author_ids).where(
            author.c.author_ids.is_not(None)
        )
        people = sorted(self._people)
        for person, text in fetch_in(self._connection, query, author.c.person_id, people):
            stated[person].update(person_ids(text))
        held = select(ident.c.entity_id, ident.c.scheme, ident.c.value).where(ident.c.entity == "A")
        for person, scheme, value in list(
            fetch_in(self._connection, held, ident.c.entity_id, people)
        ):
            if (scheme, value) not in stated[person]:
                self._connection.execute(
                    ident.delete().where(
                        ident.c.entity == "A", ident.c.scheme == scheme, ident.c.value == value
                    )
                )
