"""Sources and their readings: what a run has done, where it stopped, and whether it may go on."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select

from peerscope.record.bulk import Ids, table_of
from peerscope.record.models import ImportRun, Source

Progress = Callable[[str, int, int | None], None]
"""Called with the stage, how much is done, and how much there is (``None``: unknown)."""


@dataclass(slots=True)
class ImportReport:
    """What one reading of a file did.

    Attributes:
        added: Records that were new in this source.
        updated: Records whose content had changed.
        unchanged: Records that were in already, with the same content.
        quarantined: Records that could not go in.
        positions: Records read, good and bad.
        seconds: Wall-clock time of this call; a run that went on counts its last part only.
        source_id: The source in the record.
        skipped: The file was finished before and is the same to the byte: it was not read again.
    """

    added: int = 0
    updated: int = 0
    unchanged: int = 0
    quarantined: int = 0
    positions: int = 0
    seconds: float = 0.0
    source_id: int = 0
    skipped: bool = False

    def as_dict(self) -> dict[str, Any]:
        """The report as plain values, for JSON."""
        return asdict(self)

    def sentence(self) -> str:
        """The report in words."""
        if self.skipped:
            return f"not changed since it was imported, {self.unchanged:,} records"
        parts = [f"{self.added:,} added", f"{self.updated:,} updated"]
        parts += [f"{self.unchanged:,} unchanged", f"{self.quarantined:,} in quarantine"]
        return ", ".join(parts) + f" ({self.seconds:.1f} s)"


@dataclass(slots=True)
class SourceInfo:
    """What a join must know of a source."""

    id: int
    importer: str
    location: str
    rank: int
    covers: frozenset[str]


def file_digest(path: str) -> str:
    """SHA-256 of a file, or of the names and contents of a folder's files in order.

    Raises:
        FileNotFoundError: Nothing is there.
    """
    root = Path(path)
    if not root.is_dir():
        with root.open("rb") as handle:
            return hashlib.file_digest(handle, "sha256").hexdigest()
    whole = hashlib.sha256()
    for member in sorted(p for p in root.rglob("*") if p.is_file()):
        whole.update(member.relative_to(root).as_posix().encode() + b"\0")
        with member.open("rb") as handle:
            whole.update(hashlib.file_digest(handle, "sha256").digest())
    return whole.hexdigest()


def open_source(
    connection: Connection,
    ids: Ids,
    *,
    importer: str,
    covers: frozenset[str],
    location: str,
    name: str,
    licence: str | None,
    rank: int,
) -> int:
    """The id of the source (importer, location), made where it is new, brought up to date otherwise."""
    table = table_of(Source)
    values = {
        "name": name,
        "licence": licence,
        "covers": " ".join(sorted(covers)),
        "rank": rank,
    }
    found = connection.scalar(
        select(table.c.id).where(table.c.importer == importer, table.c.location == location)
    )
    if found is not None:
        connection.execute(table.update().where(table.c.id == found).values(**values))
        return int(found)
    number = ids.take("source")
    connection.execute(
        table.insert().values(
            id=number,
            importer=importer,
            location=location,
            created_at=datetime.now(UTC),
            **values,
        )
    )
    return number


def read_sources(connection: Connection) -> dict[int, SourceInfo]:
    """All sources by id."""
    table = table_of(Source)
    query = select(table.c.id, table.c.importer, table.c.location, table.c.rank, table.c.covers)
    return {
        row.id: SourceInfo(
            row.id, row.importer, row.location, row.rank, frozenset(row.covers.split())
        )
        for row in connection.execute(query)
    }


def last_run(connection: Connection, source_id: int) -> Any:
    """What was done last with a source: the row of `ImportRun`, or ``None``."""
    table = table_of(ImportRun)
    return connection.execute(
        select(table).where(table.c.source_id == source_id).order_by(table.c.id.desc()).limit(1)
    ).first()


def open_run(
    connection: Connection,
    ids: Ids,
    source_id: int,
    sha256: str,
    force: bool,
    made_by: str | None = None,
) -> Any:
    """The run to work on: the finished one of the same bytes, an unfinished one, or a new one."""
    last = last_run(connection, source_id)
    if last is not None and last.sha256 == sha256 and (last.state == "running" or not force):
        return last
    return begin_run(connection, ids, source_id, sha256, "running", made_by)


def begin_run(
    connection: Connection,
    ids: Ids,
    source_id: int,
    sha256: str,
    state: str,
    made_by: str | None = None,
) -> Any:
    """A new run of a source; one that was not finished is given up for it."""
    table = table_of(ImportRun)
    connection.execute(
        table.update()
        .where(table.c.source_id == source_id, table.c.state.in_(("running", "withdrawing")))
        .values(state="abandoned")
    )
    number = ids.take("import_run")
    connection.execute(
        table.insert().values(
            id=number,
            source_id=source_id,
            sha256=sha256,
            state=state,
            made_by=made_by,
            position=0,
            added=0,
            updated=0,
            unchanged=0,
            quarantined=0,
            started_at=datetime.now(UTC),
        )
    )
    return connection.execute(select(table).where(table.c.id == number)).one()


def save_run(connection: Connection, run_id: int, report: ImportReport, *, done: bool) -> None:
    """Write the counts of a run, and its end."""
    table = table_of(ImportRun)
    values: dict[str, Any] = {
        "position": report.positions,
        "added": report.added,
        "updated": report.updated,
        "unchanged": report.unchanged,
        "quarantined": report.quarantined,
    }
    if done:
        values |= {"state": "done", "finished_at": datetime.now(UTC)}
    connection.execute(table.update().where(table.c.id == run_id).values(**values))
