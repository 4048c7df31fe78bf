"""Words in SQLite FTS5: BM25 over terms that the one tokenizer made.

Texts are stored as terms, so that SQLite's own tokenizer has nothing left to decide (``ascii`` splits at
blanks and takes every other script as letters; ``unicode61`` would cut letters that it does not know). A
query is a list of quoted terms joined by OR, so that nothing a reader types is an operator. BM25 is FTS5's
(k1 1.2, b 0.75; Robertson and Zaragoza 2009) with a weight for each column.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from peerscope.retrieval.schema import Hits, IntArray, Item
from peerscope.retrieval.text import Tokenizer

TITLE_WEIGHT, TEXT_WEIGHT, NAMES_WEIGHT = 2.0, 1.0, 1.0
K1, B = 1.2, 0.75
MOST_TERMS = 16
"""Terms that bring candidates in, the rarest of a query; all of them count in the score."""

COMMON_SHARE, COMMON_FROM = 0.1, 2000
"""A term in more than a tenth of the items (and in 2,000) brings no candidates in beside rarer ones: it says
little, and its list is long."""

MOST_LOOKED_UP = 256
"""Terms of a query that are looked at at all."""

MOST_REMEMBERED = 200_000
"""Terms of a saved file whose frequency is kept in memory."""

_SCHEMA = """
CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5(
    title, text, names, tokenize = "ascii"
);
CREATE VIRTUAL TABLE IF NOT EXISTS vocabulary USING fts5vocab(words, 'row');
"""
_RANK = f"bm25({TITLE_WEIGHT}, {TEXT_WEIGHT}, {NAMES_WEIGHT})"


@dataclass(frozen=True, slots=True)
class Statistics:
    """What BM25 needs to know of a collection: its size and its mean length in terms."""

    items: int
    mean_length: float


def item_terms(tokenizer: Tokenizer, item: Item) -> tuple[list[str], list[str], list[str]]:
    """The terms of an item's title, text and names, as they are stored."""
    return tokenizer.terms(item.title), tokenizer.terms(item.text), tokenizer.terms(item.names)


class LexicalIndex:
    """Terms of items in one SQLite file, or in memory (``path`` is ``None``).

    Args:
        path: A saved file, opened for reading only and without locks, so that any number of processes
            may do so at once; ``None`` for an empty index in memory.
        tokenizer: The site's tokenizer.
        statistics: What `statistics` said when the file was saved.
    """

    def __init__(
        self, path: Path | None, tokenizer: Tokenizer, *, statistics: Statistics | None = None
    ) -> None:
        self._path = path
        self._tokenizer = tokenizer
        self._lock = threading.Lock()
        self._opened: list[sqlite3.Connection] = []
        self._idle: list[sqlite3.Connection] = []
        self._remembered: dict[str, int] = {}
        self._closed = False
        self._shared: sqlite3.Connection | None = None
        if path is None:
            self._shared = self._connect()
            self._shared.executescript(_SCHEMA)
            self._shared.execute("INSERT INTO words(words, rank) VALUES ('rank', ?)", (_RANK,))
            self._shared.commit()
        self._statistics = statistics

    def _connect(self) -> sqlite3.Connection:
        if self._closed:
            raise sqlite3.ProgrammingError("This lexical index was closed.")
        if self._path is not None:
            address = f"{self._path.resolve().as_uri()}?mode=ro&immutable=1"
            opened = sqlite3.connect(address, uri=True, check_same_thread=False)
        else:
            opened = sqlite3.connect(":memory:", check_same_thread=False)
        with self._lock:
            self._opened.append(opened)
        return opened

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        """A connection for this block alone.

        There are as many as there were readers at once, not one for every thread that ever read.
        """
        if self._shared is not None:
            with self._lock:
                yield self._shared
            return
        try:
            taken = self._idle.pop()
        except IndexError:
            taken = self._connect()
        try:
            yield taken
        finally:
            self._idle.append(taken)

    def _rows(self, statement: str, values: Sequence[object] = ()) -> list[Any]:
        with self._reading() as connection:
            return connection.execute(statement, values).fetchall()

    def upsert(self, items: Sequence[Item]) -> None:
        """Add items or replace them by id, in one transaction."""
        writer = self._writer()
        rows = (
            (item.id, *(" ".join(part) for part in item_terms(self._tokenizer, item)))
            for item in items
        )
        with self._lock, writer:
            writer.executemany(
                "INSERT OR REPLACE INTO words(rowid, title, text, names) VALUES (?, ?, ?, ?)", rows
            )
        self._statistics = None

    def delete(self, ids: Iterable[int]) -> None:
        """Remove items; unknown ids are passed over."""
        writer = self._writer()
        with self._lock, writer:
            writer.executemany("DELETE FROM words WHERE rowid = ?", [(number,) for number in ids])
        self._statistics = None

    def _writer(self) -> sqlite3.Connection:
        if self._shared is None:
            raise sqlite3.OperationalError("This lexical index was opened for reading only.")
        return self._shared

    def search(self, terms: Sequence[str], k: int, allowed: IntArray | None = None) -> Hits:
        """The ``k`` best items for the telling terms, of the allowed ids (all if ``None``); ties by id.

        Two statements.
        """
        telling = self.telling(terms) if k > 0 else []
        if not telling or (allowed is not None and not len(allowed)):
            return _hits([])
        among, values = "", [" OR ".join(f'"{term}"' for term in telling)]
        if allowed is not None:
            # The plus keeps SQLite from looking up the words once for every allowed id.
            among = "AND +rowid IN (SELECT value FROM json_each(?))"
            values.append(orjson.dumps(allowed.tolist()).decode())
        # Sorting by rank alone would let FTS5 rank and sort every match before the ids are looked at.
        statement = (
            f"SELECT rowid, -rank FROM words "  # noqa: S608 - constants only
            f"WHERE words MATCH ? {among} ORDER BY rank, rowid LIMIT {int(k)}"
        )
        return _hits(self._rows(statement, values))

    def telling(self, terms: Sequence[str]) -> list[str]:
        """Those of the terms that occur here and bring candidates in, the rarest first. One statement."""
        found = self.document_frequencies(terms)
        ordered = sorted(found, key=lambda term: (found[term], term))
        most = max(COMMON_FROM, COMMON_SHARE * self.statistics().items)
        rare = [term for term in ordered if found[term] <= most]
        return (rare or ordered[:2])[:MOST_TERMS]

    def document_frequencies(self, terms: Sequence[str]) -> dict[str, int]:
        """In how many items each term occurs; unknown terms are left out. At most one statement.

        A saved file never changes, so what was looked up in it is remembered.
        """
        wanted = list(dict.fromkeys(terms))[:MOST_LOOKED_UP]
        found = {term: self._remembered[term] for term in wanted if term in self._remembered}
        new = [term for term in wanted if term not in found]
        if new:
            marks = ", ".join("?" * len(new))
            statement = f"SELECT term, doc FROM vocabulary WHERE term IN ({marks})"  # noqa: S608
            looked_up = dict.fromkeys(new, 0) | dict(self._rows(statement, new))
            if self._shared is None and len(self._remembered) < MOST_REMEMBERED:
                self._remembered.update(looked_up)
            found |= looked_up
        return {term: number for term, number in found.items() if number}

    def stored_terms(self, ids: Sequence[int]) -> dict[int, tuple[str, str, str]]:
        """Terms of the named items' title, text and names, joined by blanks. One statement."""
        statement = (
            "SELECT rowid, title, text, names FROM words "
            "WHERE rowid IN (SELECT value FROM json_each(?))"
        )
        wanted = orjson.dumps([int(number) for number in ids]).decode()
        rows = self._rows(statement, (wanted,))
        return {number: (title, text, names) for number, title, text, names in rows}

    def statistics(self) -> Statistics:
        """Size and mean length, as FTS5 keeps them for BM25."""
        if self._statistics is None:
            items = int(self._rows("SELECT count(*) FROM words_docsize")[0][0])
            total = self._rows("SELECT sum(cnt) FROM vocabulary")[0][0]
            self._statistics = Statistics(items, float(total or 0) / items if items else 0.0)
        return self._statistics

    def save(self, path: Path) -> None:
        """Write a compact copy into a new file, ready to be opened as immutable."""
        with sqlite3.connect(path) as target:
            with self._reading() as source:
                source.backup(target)
            target.execute("INSERT INTO words(words) VALUES ('optimize')")
        target.execute("PRAGMA journal_mode = DELETE")
        target.execute("VACUUM")
        target.close()

    def close(self) -> None:
        """Close all connections; later calls raise."""
        with self._lock:
            self._closed = True
            for opened in self._opened:
                opened.close()
            self._opened.clear()
            self._idle.clear()


def _hits(rows: Sequence[tuple[int, float]]) -> Hits:
    return Hits(
        np.asarray([number for number, _ in rows], dtype=np.int64),
        np.asarray([score for _, score in rows], dtype=np.float32),
    )
