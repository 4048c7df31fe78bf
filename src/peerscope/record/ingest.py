"""From an importer's records to the tables: in batches, each of them whole or absent.

A batch is one transaction that also moves the run's position: a process killed at any moment leaves
whole batches, and the same command goes on behind them. A file that was finished and has not changed
is not read again; a changed one updates the records whose content differs. Only one process at a time
imports into a record.
"""

from __future__ import annotations

import gc
import time
from collections import defaultdict
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, bindparam, select

from peerscope.record.bulk import Ids, chunks, fetch_in, paused_collector, table_of, timestamp
from peerscope.record.database import Database
from peerscope.record.entities import Entities
from peerscope.record.graves import Graves
from peerscope.record.join import Joined, Statement, join
from peerscope.record.match import Matcher
from peerscope.record.models import SourceRecord
from peerscope.record.parsed import Good, Importer, ParsedWork, Quarantined, Record
from peerscope.record.payload import content_hash, load_payload
from peerscope.record.quarantine import end_quarantine, write_quarantine
from peerscope.record.runs import (
    ImportReport,
    Progress,
    SourceInfo,
    file_digest,
    open_run,
    open_source,
    read_sources,
    save_run,
)
from peerscope.record.store import Store
from peerscope.record.validate import clean_work, validate_work

BATCH = 2_000


def ingest(
    database: Database,
    importer: Importer,
    path: str,
    *,
    batch_size: int = BATCH,
    progress: Progress | None = None,
    force: bool = False,
    location: str | None = None,
    name: str | None = None,
    licence: str | None = None,
    rank: int | None = None,
    made_by: str | None = None,
    digest: str | None = None,
) -> ImportReport:
    """Read a file into the record.

    Args:
        database: A migrated record.
        importer: Reads the format.
        path: A local file (or folder, where the importer takes one).
        batch_size: Records of one transaction.
        progress: Called after each batch with "import", the records read so far, and ``None``.
        force: Read the file again although it was finished and has not changed.
        location: What identifies the source beside the importer; the absolute path by default.
        name: What to call the source; the file's name by default.
        licence: Licence of the source's metadata, where known; by default what the importer says.
        rank: Sources of higher rank are shown before others; by default what the importer says, or 0.
        made_by: Who has it read, as ``account:3``; ``None`` for the operator.
        digest: What tells this reading from others, where the bytes of the file do not say it all; at most
            64 characters.

    Raises:
        WriterBusyError: Another process is importing.
        FileNotFoundError: There is no such file.
    """
    start = time.perf_counter()
    with database.writer(f"importing {Path(path).name}"):
        digest = digest or file_digest(path)
        with database.begin() as session:
            connection = session.connection()
            ids = Ids(connection)
            source_id = open_source(
                connection,
                ids,
                importer=importer.name,
                covers=importer.covers,
                location=location or str(Path(path).resolve()),
                name=name or Path(path).name,
                licence=licence if licence is not None else getattr(importer, "licence", None),
                rank=rank if rank is not None else getattr(importer, "rank", 0),
            )
            run = open_run(connection, ids, source_id, digest, force, made_by)
            sources = read_sources(connection)
            ids.save()
        report = ImportReport(run.added, run.updated, run.unchanged, run.quarantined, run.position)
        report.source_id = source_id
        if run.state == "done":
            total = run.position - run.quarantined
            report.added, report.updated, report.unchanged = 0, 0, total
            report.skipped = True
        else:
            reading = _Reading(database, sources, source_id, run.id, report)
            with paused_collector():
                reading.run(importer.read(path), batch_size, progress)
    report.seconds = time.perf_counter() - start
    return report


class _Reading:
    """One run over one source."""

    def __init__(
        self,
        database: Database,
        sources: dict[int, SourceInfo],
        source_id: int,
        run_id: int,
        report: ImportReport,
    ) -> None:
        self._database = database
        self._sources = sources
        self._source = sources[source_id]
        self._run_id = run_id
        self._report = report
        self._entities = Entities()

    def run(self, records: Iterator[Record], size: int, progress: Progress | None) -> None:
        records = islice(records, self._report.positions, None)
        while True:
            batch: list[Record] = []
            try:
                batch.extend(islice(records, size))
            except Exception:
                # What was read before the importer failed is good: it stays, then the error is told.
                self._write(batch, done=False)
                raise
            read = len(batch)
            self._write(batch, done=read < size)
            batch.clear()
            # An importer may make cycles; what the batch held is gone already, so little is walked.
            gc.collect(1)
            if progress is not None and read:
                progress("import", self._report.positions, None)
            if read < size:
                return

    def _write(self, batch: list[Record], *, done: bool) -> None:
        with self._database.begin() as session:
            connection = session.connection()
            ids = Ids(connection)
            begin = self._report.positions
            bad = Batch(connection, ids, self._source, self._run_id, self._report).write(
                batch, self._sources, self._entities
            )
            report = self._report
            report.positions = begin + len(batch)
            report.quarantined += len(bad)
            span = (begin, report.positions)
            write_quarantine(connection, ids, self._source.id, span, bad)
            if done:
                end_quarantine(connection, self._source.id, report.positions)
            save_run(connection, self._run_id, report, done=done)
            ids.save()


class Batch:
    """One transaction's worth of records of one source."""

    def __init__(
        self,
        connection: Connection,
        ids: Ids,
        source: SourceInfo,
        run_id: int,
        report: ImportReport,
    ) -> None:
        self._connection = connection
        self._ids = ids
        self._source = source
        self._run_id = run_id
        self._report = report
        self._bad: list[Quarantined] = []

    def write(
        self, batch: list[Record], sources: dict[int, SourceInfo], entities: Entities
    ) -> list[Quarantined]:
        """Write the records; those that could not go in."""
        fresh = self._sort_out(batch)
        if not fresh:
            return self._bad
        works = [work for work, _, _, _ in fresh]
        in_part = "authors_in_part" in self._source.covers
        matcher = Matcher(self._connection, self._source.id, works, in_part=in_part)
        self._graves = Graves(self._connection, self._source.id, [work.key for work in works])
        new: dict[int, ParsedWork] = {}
        changed: dict[int, dict[tuple[int, str], ParsedWork]] = defaultdict(dict)
        records: list[tuple[Any, ...]] = []
        now = timestamp(self._connection)
        for index, (work, payload, digest, known) in enumerate(fresh):
            mine = (self._source.id, work.key)
            if known is not None:
                changed[known.work_id][mine] = work
                matcher.took(known.work_id, index)
                continue
            work_id, note = matcher.match(index, work)
            if work_id is None:
                work_id = self._graves.take(work.key)
                if work_id is not None:
                    changed[work_id][mine] = work
            else:
                changed[work_id][mine] = work
            if work_id is None:
                work_id = self._ids.take("work")
                new[work_id] = work
            matcher.took(work_id, index)
            number = self._ids.take("source_record")
            text = payload.decode()
            records.append((number, *mine, work_id, digest, text, self._run_id, note, now))
        self._update_records(fresh)
        joined = {w: join([self._statement(self._source, work)]) for w, work in new.items()}
        rejoined = self._rejoin(changed, sources)
        self._graves.open(rejoined)
        entities.prepare(self._connection, [*joined.values(), *rejoined.values()])
        store = Store(self._connection, self._ids, entities, matcher.owner, now)
        for record in records:
            store.add_record(record)
        for work_id, one in joined.items():
            store.add_work(work_id, one)
        store.update_works(rejoined)
        store.flush()
        return self._bad

    def _sort_out(self, batch: list[Record]) -> list[tuple[ParsedWork, bytes, str, Any]]:
        """Records that are new or changed: work, payload, hash and the row that is there."""
        good: dict[str, tuple[int, ParsedWork, bytes]] = {}
        twice: list[tuple[int, ParsedWork]] = []
        for record in batch:
            if isinstance(record, Quarantined):
                self._bad.append(record)
                continue
            work, payload = clean_work(record.work)
            problem = validate_work(work)
            if problem is not None:
                self._refuse(record, *problem)
            elif work.key in good:
                twice.append((record.position, work))
            else:
                good[work.key] = (record.position, work, payload)
        table = table_of(SourceRecord)
        query = select(
            table.c.id, table.c.key, table.c.work_id, table.c.content_hash, table.c.run_id
        ).where(table.c.source_id == self._source.id)
        there = {row.key: row for row in fetch_in(self._connection, query, table.c.key, good)}
        fresh: list[tuple[ParsedWork, bytes, str, Any]] = []
        met: list[int] = []
        for key, (position, work, payload) in good.items():
            row = there.get(key)
            digest = content_hash(payload)
            if row is None:
                self._report.added += 1
                fresh.append((work, payload, digest, None))
            elif row.run_id == self._run_id:
                twice.append((position, work))
            elif row.content_hash == digest:
                self._report.unchanged += 1
                met.append(row.id)
            else:
                self._report.updated += 1
                fresh.append((work, payload, digest, row))
        for part in chunks(met):
            self._connection.execute(
                table.update().where(table.c.id.in_(part)).values(run_id=self._run_id)
            )
        for position, work in twice:
            self._refuse(
                Good(position, work),
                f"An earlier record of this file has the key {work.key!r}.",
                "Give each record a key of its own, or remove the repetition.",
            )
        return fresh

    def _refuse(self, record: Good, reason: str, mend: str) -> None:
        work = record.work
        self._bad.append(
            Quarantined(
                position=record.position,
                locator=f"record {record.position + 1}",
                reason=reason,
                mend=mend,
                key=work.key[:500] or None,
                excerpt=work.title[:500],
            )
        )

    def _update_records(self, fresh: list[tuple[ParsedWork, bytes, str, Any]]) -> None:
        rows = [
            {
                "row_id": row.id,
                "content_hash": digest,
                "payload": payload.decode(),
                "run_id": self._run_id,
            }
            for _, payload, digest, row in fresh
            if row is not None
        ]
        if not rows:
            return
        table = table_of(SourceRecord)
        columns = ("content_hash", "payload", "run_id")
        self._connection.execute(
            table.update()
            .where(table.c.id == bindparam("row_id"))
            .values({c: bindparam(c) for c in columns}),
            rows,
        )

    def _rejoin(
        self,
        changed: dict[int, dict[tuple[int, str], ParsedWork]],
        sources: dict[int, SourceInfo],
    ) -> dict[int, Joined]:
        """Join again the known works of which this batch states something new."""
        table = table_of(SourceRecord)
        query = select(table.c.work_id, table.c.source_id, table.c.key, table.c.payload)
        stated = changed
        for row in fetch_in(self._connection, query, table.c.work_id, list(changed)):
            key = (row.source_id, row.key)
            if key not in stated[row.work_id]:
                stated[row.work_id][key] = load_payload(row.payload)
        return {
            work_id: join([self._statement(sources[s], work) for (s, _), work in records.items()])
            for work_id, records in stated.items()
        }

    @staticmethod
    def _statement(source: SourceInfo, work: ParsedWork) -> Statement:
        origin = (source.importer, source.location)
        return Statement(source.id, source.rank, origin, source.covers, work)
