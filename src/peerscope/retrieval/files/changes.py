"""Items that were added, changed and removed in service, kept on disk until a bundle holds them.

Every change has a number; a bundle says up to which it holds them, so that a new bundle, an older one after a
rollback, and a second process that serves the same folder each know what still has to be laid over.
"""

from __future__ import annotations

import secrets
import sqlite3
import time
from collections.abc import Iterable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import orjson

from peerscope.retrieval.schema import Item

_SCHEMA = """
PRAGMA journal_mode = WAL;
CREATE TABLE changes (
    own TEXT PRIMARY KEY, number INTEGER NOT NULL, at REAL NOT NULL, item TEXT
) WITHOUT ROWID;
CREATE UNIQUE INDEX by_number ON changes (number);
CREATE TABLE last (number INTEGER NOT NULL);
INSERT INTO last VALUES (0);
"""
PATIENCE = 30.0
"""Seconds that a writer waits for another."""


@dataclass(frozen=True, slots=True)
class Change:
    """The last change of an item: what it is now, ``None`` for removed. Its id inside is 0."""

    number: int
    own: str
    at: float
    item: Item | None


class ChangeLog:
    """The changes of one home; any number of threads and processes may use it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def _connected(self) -> closing[sqlite3.Connection]:
        return closing(sqlite3.connect(self._path, timeout=PATIENCE, isolation_level=None))

    def _create(self) -> None:
        """Make the file whole and link it into its place, so that nobody meets one without tables."""
        if self._path.exists():
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self._path.with_name(f".{self._path.name}-{secrets.token_hex(4)}")
        try:
            with closing(sqlite3.connect(fresh)) as connection:
                connection.executescript(_SCHEMA)
            with suppress(FileExistsError):
                self._path.hardlink_to(fresh)
        finally:
            fresh.unlink(missing_ok=True)

    def put(self, items: Sequence[tuple[str, Item]]) -> int:
        """Note items that are new or changed, by external id; returns the number of the last change."""
        return self._write([(own, _dumped(item)) for own, item in items])

    def remove(self, owns: Iterable[str]) -> int:
        """Note items that are gone; returns the number of the last change."""
        return self._write([(own, None) for own in owns])

    def _write(self, rows: Sequence[tuple[str, str | None]]) -> int:
        self._create()
        with self._connected() as connection:
            connection.execute("BEGIN IMMEDIATE")
            number = int(connection.execute("SELECT number FROM last").fetchone()[0])
            now = time.time()
            for own, item in rows:
                number += 1
                connection.execute(
                    "INSERT OR REPLACE INTO changes VALUES (?, ?, ?, ?)", (own, number, now, item)
                )
            connection.execute("UPDATE last SET number = ?", (number,))
            connection.execute("COMMIT")
        return number

    def last(self) -> int:
        """Number of the last change, 0 before the first."""
        if not self._path.exists():
            return 0
        with self._connected() as connection:
            return int(connection.execute("SELECT number FROM last").fetchone()[0])

    def since(self, number: int, most: int = -1) -> list[Change]:
        """Changes after the given one in order, each item's last only, at most ``most``."""
        if not self._path.exists():
            return []
        with self._connected() as connection:
            rows = connection.execute(
                "SELECT number, own, at, item FROM changes WHERE number > ? ORDER BY number LIMIT ?",
                (number, most),
            ).fetchall()
        return [Change(n, own, at, _loaded(item)) for n, own, at, item in rows]

    def forget(self, number: int) -> None:
        """Drop changes up to the given one, which every bundle that is kept holds."""
        if self._path.exists():
            with self._connected() as connection:
                connection.execute("DELETE FROM changes WHERE number <= ?", (number,))


def _dumped(item: Item) -> str:
    stated = [item.title, item.text, item.names, {n: list(v) for n, v in item.fields.items()}]
    return orjson.dumps(stated).decode()


def _loaded(stated: str | None) -> Item | None:
    if stated is None:
        return None
    title, text, names, fields = orjson.loads(stated)
    return Item(0, title, text, names, {name: tuple(values) for name, values in fields.items()})
