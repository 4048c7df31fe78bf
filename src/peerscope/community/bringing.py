"""Works that members add from the page: looked at, decided on, imported as a source of their own.

Who may is a setting. A large import is worked on by a process of its own, which says in the folder of the
import how far it is, and stops when it is asked to; what came in by then is whole, and can be withdrawn.
"""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from hashlib import sha256

from sqlalchemy import select

from peerscope.community.audit import actor_of
from peerscope.community.sessions import SignedIn
from peerscope.community.waiting import (
    DONE,
    FAILED,
    IMPORTING,
    MOST_RECORDS,
    READING,
    READY,
    STOPPED,
    Job,
    Part,
    Waiting,
)
from peerscope.record import (
    Database,
    WriterBusyError,
    change_seq,
    ingest,
    refresh_counts,
    resolve_people,
)
from peerscope.record.fetching import Access, fetch, ids_in
from peerscope.record.importers import importer_for
from peerscope.record.models import Source
from peerscope.record.parsed import Good, Importer, Record
from peerscope.record.preview import ADDS, KNOWN, NEW, REFUSED, SAME, Foreseen, preview_file
from peerscope.settings import Settings

log = logging.getLogger(__name__)

BATCH = 200
"""Records of one transaction; after each an import may stop."""

CHANGED = "The record has changed since this was looked at: this is what the import would do now."
PACKED = (
    "This file is packed (gzip, zstd, ZIP or the like). Unpack it and upload what is in it; "
    "the operator can import packed files with `peerscope import`."
)
BROKEN = "Something went wrong on this site; it has been written to its log."
_PACKED = (
    b"\x1f\x8b",
    b"\x28\xb5\x2f\xfd",
    b"PK\x03\x04",
    b"PK\x05\x06",
    b"BZh",
    b"\xfd7zXZ",
    b"7z\xbc\xaf",
    b"Rar!",
)


class _Stopped(Exception):
    """Somebody asked for it."""


def may_add(settings: Settings, who: SignedIn) -> bool:
    """Whether an account may add works: moderators always, others where the operator lets them."""
    return who.is_moderator or (settings.adding == "members" and who.level >= 1)


def is_packed(beginning: bytes) -> bool:
    """Whether a file that begins so is compressed: these are not taken from the page."""
    return beginning.startswith(_PACKED)


def work_on(settings: Settings, database: Database, key: str) -> Job:
    """Do what is next of an import: look at what was brought, or import what was decided.

    Whatever goes wrong is written down as a sentence for its owner.

    Raises:
        NotThereError: There is no such import.
        WriterBusyError: Somebody else works on it.
    """
    waiting = Waiting(settings.home)
    with waiting.held(key):
        job = waiting.save(replace(waiting.read(key), process=os.getpid()))
        before = READY if job.state == IMPORTING else FAILED
        try:
            if job.state == IMPORTING:
                job = _import(settings, database, waiting, job)
            else:
                job = _look(settings, database, waiting, job)
        except _Stopped:
            if waiting.folder(key).exists():
                waiting.clear_stop(key)
                now = waiting.read(key)
                stopped = STOPPED if now.state == IMPORTING else FAILED
                job = replace(now, state=stopped, note="It was stopped.")
        except WriterBusyError as error:
            job = replace(waiting.read(key), state=before, note=str(error))
        except (ValueError, OSError) as error:
            job = replace(waiting.read(key), state=before, note=_sentence(error))
        except Exception:
            log.exception("Import %s failed", key)
            job = replace(waiting.read(key), state=before, note=BROKEN)
        job = replace(job, process=0, stage="", done=0, total=None)
        return waiting.save(job) if waiting.folder(key).exists() else job


def _sentence(error: Exception) -> str:
    if isinstance(error, OSError):
        return f"The file cannot be read: {error.strerror or type(error).__name__}."
    return str(error) or BROKEN


def _look(settings: Settings, database: Database, waiting: Waiting, job: Job) -> Job:
    """Fetch what is asked for, and foresee what an import would do."""
    folder = waiting.folder(job.key)
    if job.asked and not job.parts:
        asked, refused = ids_in(job.asked)
        fetching = fetch(asked, Access.of(settings), folder, progress=_telling(waiting, job.key))
        parts = tuple(Part(str(one.path.relative_to(folder)), one.name) for one in fetching.files)
        told = [*refused, *fetching.missing]
        missing = tuple((one.written, one.reason) for one in told)
        job = waiting.save(replace(job, parts=parts, missing=missing))
        if not parts:
            note = "Nothing was fetched. What you pasted is kept, so that it can be tried again."
            return replace(job, state=FAILED, note=note)
    with database.session() as session:
        seen = change_seq(session)
    rows, more = foresee(database, waiting, job)
    waiting.write_rows(job, rows)
    counts = Counter(row.state for _, row in rows)
    left = tuple(number for number, (_, row) in enumerate(rows) if row.state in (SAME, KNOWN))
    note = "" if rows else "There is no record in it."
    return replace(
        job,
        state=READY if rows else FAILED,
        counts=dict(counts),
        more=more,
        seen=seen,
        left=left,
        note=note,
    )


def foresee(
    database: Database, waiting: Waiting, job: Job
) -> tuple[list[tuple[int, Foreseen]], bool]:
    """What would become of each record, with its part, and whether there are more than are looked at.

    Raises:
        UnknownFormatError: A part is in no known format.
        BrokenFileError: A part is damaged.
    """
    rows: list[tuple[int, Foreseen]] = []
    more = False
    for number, part in enumerate(job.parts):
        path = waiting.folder(job.key) / part.file
        left = MOST_RECORDS - len(rows)
        found = preview_file(database, str(path), location_of(job, path.read_bytes()), left)
        rows += [(number, row) for row in found.rows]
        more = more or found.more
    return rows, more


def location_of(job: Job, content: bytes) -> str:
    """What identifies a file as a source: who brought it, and what is in it."""
    return f"page:{actor_of(job.owner)}/{sha256(content).hexdigest()[:24]}"


@dataclass(slots=True)
class _Chosen:
    """An importer that gives the chosen records of a file."""

    importer: Importer
    positions: frozenset[int]
    name: str
    covers: frozenset[str]
    licence: str | None
    rank: int

    def read(self, path: str) -> Iterator[Record]:
        """The chosen records, their positions counted anew."""
        place = 0
        last = max(self.positions, default=-1)
        for record in self.importer.read(path):
            if record.position > last:
                return
            if record.position in self.positions and isinstance(record, Good):
                yield Good(place, record.work)
                place += 1


def _import(settings: Settings, database: Database, waiting: Waiting, job: Job) -> Job:
    """Import what was chosen; looked at again first where the record has changed."""
    with database.session() as session:
        seen = change_seq(session)
    if seen != job.seen and not job.sources:
        before = [(part, row) for _, part, row in waiting.rows(job)]
        rows, more = foresee(database, waiting, job)
        if _of_chosen(rows, job) != _of_chosen(before, job):
            waiting.write_rows(job, rows)
            counts = dict(Counter(row.state for _, row in rows))
            return replace(job, state=READY, counts=counts, more=more, seen=seen, note=CHANGED)
    left, sources, added = frozenset(job.left), list(job.sources), 0
    chosen: dict[int, set[int]] = {}
    for number, place, row in waiting.rows(job):
        if number not in left and row.state != REFUSED:
            chosen.setdefault(place, set()).add(row.position)
    for number, part in enumerate(job.parts):
        if number not in chosen:
            continue
        path = waiting.folder(job.key) / part.file
        content = path.read_bytes()
        importer = importer_for(str(path))
        taken = _Chosen(
            importer, frozenset(chosen[number]), importer.name, importer.covers,
            job.licence or getattr(importer, "licence", None), getattr(importer, "rank", 0),
        )  # fmt: skip
        location = location_of(job, content)
        told = ",".join(map(str, sorted(chosen[number])))
        name = job.name if len(job.parts) == 1 or not job.name else f"{job.name} ({part.label})"
        try:
            report = ingest(
                database, taken, str(path), location=location, name=name or part.label,
                licence=taken.licence, made_by=actor_of(job.owner), batch_size=BATCH,
                digest=sha256(content + told.encode()).hexdigest(),
                progress=_telling(waiting, job.key, sum(map(len, chosen.values()))),
            )  # fmt: skip
        finally:
            made = _source(database, importer.name, location)
            if made is not None and made not in sources:
                sources.append(made)
                if waiting.folder(job.key).exists():
                    job = waiting.save(replace(job, sources=tuple(sources)))
        added += report.added + report.updated
    resolve_people(database)
    refresh_counts(database)
    waiting.empty(job)
    return replace(job, state=DONE, sources=tuple(sources), added=added, note="", parts=())


def _of_chosen(rows: list[tuple[int, Foreseen]], job: Job) -> list[object]:
    left = frozenset(job.left)
    return [
        (part, row.position, row.state, row.work, row.why, row.changes)
        for number, (part, row) in enumerate(rows) if number not in left
    ]  # fmt: skip


def _source(database: Database, importer: str, location: str) -> int | None:
    with database.session() as session:
        return session.scalar(
            select(Source.id).where(Source.importer == importer, Source.location == location)
        )


def _telling(
    waiting: Waiting, key: str, whole: int | None = None
) -> Callable[[str, int, int | None], None]:
    def tell(stage: str, done: int, total: int | None) -> None:
        if waiting.stop_asked(key):
            raise _Stopped
        waiting.save(replace(waiting.read(key), stage=stage, done=done, total=total or whole))

    return tell


def choose(waiting: Waiting, job: Job, shown: range, taken: set[int], how: str = "") -> Job:
    """Keep which records are to go in.

    Args:
        waiting: The site's.
        job: An import that is ready.
        shown: Numbers of the records that the form had.
        taken: Those of them that were ticked.
        how: ``all``, ``none`` or ``new`` decide for all records instead.
    """
    left = set(job.left)
    if how in ("all", "none", "new"):
        keep = {"all": (NEW, ADDS, SAME, KNOWN), "none": (), "new": (NEW,)}[how]
        left = {
            number for number, _, row in waiting.rows(job)
            if row.state not in keep and row.state != REFUSED
        }  # fmt: skip
    else:
        refused = {
            n for n, _, row in waiting.rows(job, shown.start, len(shown)) if row.state == REFUSED
        }
        numbers = {n for n in shown if n < job.records} - refused
        left = (left - numbers) | (numbers - taken)
    return waiting.save(replace(job, left=tuple(sorted(left))))


__all__ = [
    "DONE", "FAILED", "IMPORTING", "READING", "READY", "STOPPED", "Waiting", "choose", "foresee", "is_packed",
    "may_add", "work_on",
]  # fmt: skip
