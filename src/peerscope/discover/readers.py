"""What readers let the site keep: works opened after a search, and works saved. Opt-in, in a file of its own.

A reader is a random secret in a cookie; the file knows only its hash. Nothing is here before a reader
switches it on, and the file itself does not exist before the first one does. What is erased is overwritten
(``secure_delete``) and the write-ahead log cut, so that it stands in no file of the site any more.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import bindparam, text
from sqlalchemy.orm import Session

from peerscope.discover.readers_file import cut_log, make_file, open_file
from peerscope.record import Database
from peerscope.record.read.shapes import PER_PAGE

LONGEST_KEPT = 200
"""Characters of a query that are kept: enough for a title, and they travel in every result's address."""

MOST_KEPT = 10_000
"""Openings and saves of one reader, each; the oldest openings make room, a save beyond is refused."""

PRUNED_EVERY = 100
"""Entries after which it is looked whether a reader has too many openings."""

DAY = 86_400.0

DAYS_KEPT = 400
"""Days after which a reader who did not come back is erased; browsers keep a cookie no longer either."""

ENOUGH_HISTORY = 100
"""Works of a history that order results: what was met before the last hundred says little of today."""

Kind = Literal["opened", "saved"]


@dataclass(frozen=True, slots=True)
class Reader:
    """Somebody who switched the history on at some time.

    Attributes:
        id: Number in the file; never given twice.
        keeping: Whether it is on now.
        since: When it was first switched on, in seconds since 1970.
        seen: The last visit known, to a day.
        saved: Number of the entry by which the work asked about is saved, if it is.
    """

    id: int
    keeping: bool
    since: float
    seen: float
    saved: int | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """A work that a reader opened after a search, or saved (``query`` is empty where none led to it)."""

    id: int
    kind: Kind
    work_id: int
    query: str
    at: float


@dataclass(frozen=True, slots=True)
class LogState:
    """Up to where the log goes: what training has seen can be compared with what is there now.

    Attributes:
        readers: Readers who keep a history now.
        entries: Their entries.
        last: Highest entry number ever given.
        erasures: How many times something was erased.
        file: Random name of the file; another one was begun after the first was deleted.
    """

    readers: int = 0
    entries: int = 0
    last: int = 0
    erasures: int = 0
    file: str = ""


class Readers:
    """The readers' file; safe to use from several threads and processes.

    Reading a file that does not exist finds nothing and makes none. Deleting the file (with its ``-wal``
    and ``-shm``) erases everybody, also while the site runs.

    Args:
        path: Where the file lies, or will lie.

    Raises:
        ValueError: (by any method) The file was written by a later version, or is no such file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._opened: tuple[Database, int] | None = None

    def enrol(self, keeping: bool = True) -> str:
        """A new reader, with the history on if not said otherwise; the secret, which is kept nowhere here."""
        secret, kept = new_secret()
        now = time.time()
        with self.writing(create=True) as session:
            session.execute(
                text("INSERT INTO reader (secret, keeping, since, seen) VALUES (:s, :k, :n, :n)"),
                {"s": kept, "k": int(keeping), "n": now},
            )
        return secret

    def find(self, secret: str, work_id: int = 0) -> Reader | None:
        """The reader with this secret, and whether they saved a work. One statement."""
        statement = """
            SELECT reader.id, keeping, since, seen, entry.id FROM reader LEFT JOIN entry
            ON reader_id = reader.id AND kind = 'saved' AND work_id = :w WHERE secret = :s
        """
        for number, keeping, *others in self.rows(statement, s=_hashed(secret), w=work_id):
            return Reader(number, bool(keeping), *others)
        return None

    def visited(self, reader: Reader) -> None:
        """Remember that a reader was here; written once a day."""
        now = time.time()
        if now - reader.seen > DAY:
            with self.writing() as session:
                statement = "UPDATE reader SET seen = :n WHERE id = :r"
                session.execute(text(statement), {"n": now, "r": reader.id})

    def switch(self, reader_id: int, keeping: bool) -> None:
        """Switch a reader's history on or off; what is kept stays until it is erased."""
        with self.writing() as session:
            session.execute(
                text("UPDATE reader SET keeping = :k, seen = :n WHERE id = :r"),
                {"k": int(keeping), "n": time.time(), "r": reader_id},
            )

    def opened(self, reader_id: int, work_id: int, query: str) -> None:
        """Keep that a work was opened after a query; again means the later time. Off: nothing is kept."""
        statement = """
            INSERT INTO entry (reader_id, kind, work_id, query, at)
            SELECT id, 'opened', :w, :q, :n FROM reader WHERE id = :r AND keeping = 1
            ON CONFLICT (reader_id, work_id, query) WHERE kind = 'opened' DO UPDATE SET at = excluded.at
        """
        surplus = """
            DELETE FROM entry WHERE id IN (
                SELECT id FROM entry WHERE reader_id = :r AND kind = 'opened'
                ORDER BY at DESC, id DESC LIMIT -1 OFFSET :most)
        """
        values = {"r": reader_id, "w": work_id, "q": kept_query(query), "n": time.time()}
        with self.writing() as session:
            done: Any = session.execute(text(statement), values)
            if done.lastrowid % PRUNED_EVERY == 0:
                session.execute(text(surplus), {"r": reader_id, "most": MOST_KEPT})

    def save(self, reader_id: int, work_id: int, query: str = "") -> bool:
        """Save a work, with the query that led to it. False where off, or where `MOST_KEPT` are saved."""
        statement = """
            INSERT INTO entry (reader_id, kind, work_id, query, at)
            SELECT id, 'saved', :w, :q, :n FROM reader
            WHERE id = :r AND keeping = 1
              AND (SELECT count(*) FROM entry WHERE reader_id = :r AND kind = 'saved') < :most
            ON CONFLICT (reader_id, work_id) WHERE kind = 'saved' DO UPDATE SET at = at
        """
        values = {
            "r": reader_id, "w": work_id, "q": kept_query(query), "n": time.time(), "most": MOST_KEPT,
        }  # fmt: skip
        with self.writing() as session:
            done: Any = session.execute(text(statement), values)
            return bool(done.rowcount)

    def erase(self, reader_id: int, entry_id: int) -> bool:
        """Erase one entry of a reader for good; whether it was there."""
        with self.writing() as session:
            statement = "DELETE FROM entry WHERE id = :e AND reader_id = :r"
            done: Any = session.execute(text(statement), {"e": entry_id, "r": reader_id})
            count_erasures(session, done.rowcount)
        self.cut_log()
        return bool(done.rowcount)

    def erase_reader(self, reader_id: int) -> None:
        """Erase a reader and everything kept of them for good."""
        with self.writing() as session:
            done: Any = session.execute(text("DELETE FROM reader WHERE id = :r"), {"r": reader_id})
            count_erasures(session, done.rowcount)
        self.cut_log()

    def expire(self, now: float | None = None) -> int:
        """Erase the readers who did not come back for `DAYS_KEPT` days; how many there were."""
        before = (time.time() if now is None else now) - DAYS_KEPT * DAY
        if not self.rows("SELECT 1 FROM reader WHERE seen < :b LIMIT 1", b=before):
            return 0
        with self.writing() as session:
            done: Any = session.execute(text("DELETE FROM reader WHERE seen < :b"), {"b": before})
            count_erasures(session, done.rowcount)
        self.cut_log()
        return int(done.rowcount)

    def counts(self, reader_id: int) -> dict[Kind, int]:
        """How many openings and saves of a reader are kept. One statement."""
        found: dict[Kind, int] = {"opened": 0, "saved": 0}
        statement = "SELECT kind, count(*) FROM entry WHERE reader_id = :r GROUP BY kind"
        found.update(self.rows(statement, r=reader_id))
        return found

    def entries(self, reader_id: int, kind: Kind, page: int = 1) -> list[Entry]:
        """A page of a reader's entries of one kind, newest first. One statement."""
        return self._entries(
            "WHERE reader_id = :r AND kind = :k ORDER BY at DESC, id DESC LIMIT :n OFFSET :o",
            r=reader_id, k=kind, n=PER_PAGE, o=(page - 1) * PER_PAGE,
        )  # fmt: skip

    def every_entry(self, reader_id: int) -> list[Entry]:
        """Everything kept of a reader, oldest first. One statement."""
        return self._entries("WHERE reader_id = :r ORDER BY at, id", r=reader_id)

    def history(self, reader_id: int) -> dict[int, Kind]:
        """Works that a reader met, newest first, at most `ENOUGH_HISTORY`. One statement."""
        latest = self._entries(
            "WHERE reader_id = :r ORDER BY at DESC, id DESC LIMIT :n",
            r=reader_id, n=4 * ENOUGH_HISTORY,
        )  # fmt: skip
        found: dict[int, Kind] = {}
        for entry in latest:
            found.setdefault(entry.work_id, entry.kind)
        newest = dict(list(found.items())[:ENOUGH_HISTORY])
        saved = {entry.work_id for entry in latest if entry.kind == "saved"}
        return {work: "saved" if work in saved else kind for work, kind in newest.items()}

    def saved_among(self, reader_id: int, work_ids: Sequence[int]) -> dict[int, int]:
        """Which of these works a reader saved: work to number of the entry. One statement at most."""
        if not work_ids:
            return {}
        entries = self._entries(
            "WHERE reader_id = :r AND kind = 'saved' AND work_id IN :works",
            r=reader_id, works=list(work_ids),
        )  # fmt: skip
        return {entry.work_id: entry.id for entry in entries}

    def of_everyone(self) -> Iterator[tuple[int, Entry]]:
        """Reader and entry of everyone whose history is on, by reader and time. One statement."""
        statement = """
            SELECT entry.reader_id, entry.id, kind, work_id, query, at FROM entry
            JOIN reader ON reader.id = entry.reader_id AND keeping = 1 ORDER BY entry.reader_id, at, entry.id
        """
        for reader_id, *row in self.rows(statement):
            yield reader_id, Entry(*row)

    def state(self) -> LogState:
        """What the log holds and up to where it goes. One statement."""
        statement = """
            SELECT (SELECT count(*) FROM reader WHERE keeping = 1),
                   (SELECT count(*) FROM entry JOIN reader ON reader.id = reader_id AND keeping = 1),
                   (SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'entry'),
                   (SELECT erasures FROM file), (SELECT name FROM file)
        """
        return LogState(*next(iter(self.rows(statement)), ()))

    def close(self) -> None:
        """Give the connections back; the next call opens the file again."""
        with self._lock:
            if self._opened is not None:
                self._opened[0].close()
                self._opened = None

    def _entries(self, tail: str, **values: Any) -> list[Entry]:
        rows = self.rows(f"SELECT id, kind, work_id, query, at FROM entry {tail}", **values)  # noqa: S608
        return [Entry(*row) for row in rows]

    def rows(self, statement: str, **values: Any) -> list[Any]:
        """Rows of a statement; none where there is no file. ``works`` may be a list of numbers."""
        database = self._database(create=False)
        if database is None:
            return []
        asked = text(statement)
        if "works" in values:
            asked = asked.bindparams(bindparam("works", expanding=True))
        with database.session() as session:
            return list(session.execute(asked, values))

    @contextmanager
    def writing(self, *, create: bool = False) -> Iterator[Session]:
        """A session for writing: committed as a whole, or not at all.

        Raises:
            FileNotFoundError: There is no file, and none is to be made.
        """
        database = self._database(create=create)
        if database is None:
            raise FileNotFoundError(f"There is no readers' file {self.path} any more.")
        with database.begin() as session:
            yield session

    def _database(self, *, create: bool) -> Database | None:
        """The file's connections; ``None`` where there is no file and none is to be made."""
        with self._lock:
            try:
                inode = self.path.stat().st_ino
            except FileNotFoundError:
                inode = -1
            if self._opened is not None and self._opened[1] != inode:
                self._opened[0].close()
                self._opened = None
            if inode == -1:
                if not create:
                    return None
                make_file(self.path)
                inode = self.path.stat().st_ino
            if self._opened is None:
                self._opened = (open_file(self.path), inode)
            return self._opened[0]

    def cut_log(self) -> None:
        """Cut the write-ahead log, which still holds what was erased."""
        database = self._database(create=False)
        if database is not None:
            cut_log(database, self.path)


def kept_query(query: str) -> str:
    """The part of a query that is kept: one line of at most `LONGEST_KEPT` characters."""
    return " ".join(query.replace("\x00", " ").split())[:LONGEST_KEPT].strip()


def new_secret() -> tuple[str, str]:
    """A secret for a cookie, and what the file keeps of it."""
    secret = secrets.token_urlsafe(32)
    return secret, _hashed(secret)


def _hashed(secret: str) -> str:
    return sha256(secret.encode("utf-8", "replace")).hexdigest()


def count_erasures(session: Session, number: int) -> None:
    """Note that something was erased, if something was: the next training must be without it."""
    if number:
        session.execute(text("UPDATE file SET erasures = erasures + 1"))
