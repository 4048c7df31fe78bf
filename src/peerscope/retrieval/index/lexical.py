"""Words in SQLite FTS5: BM25 over terms that the one tokenizer made.

Texts are stored as terms, so that SQLite's own tokenizer has nothing left to decide (``ascii`` splits at
blanks and takes every other script as letters; ``unicode61`` would cut letters that it does not know). A
query is a list of quoted terms joined by OR, so that nothing a reader types is an operator. BM25 is FTS5's
(k1 1.2, b 0.75; Robertson and Zaragoza 2009) with a weight for each column.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

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

FEW = 5000
"""Up to this many allowed ids go into the statement itself; larger sets are checked afterwards."""

MOST_LOOKED_UP = 256
"""Terms of a query that are looked at at all."""

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
        self._local = threading.local()
        self._lock = threading.Lock()
        self._opened: list[sqlite3.Connection] = []
        self._shared: sqlite3.Connection | None = None
        if path is None:
            self._shared = self._connect()
            self._shared.executescript(_SCHEMA)
            self._shared.execute("INSERT INTO words(words, rank) VALUES ('rank', ?)", (_RANK,))
            self._shared.commit()
        self._statistics = statistics

    def _connect(self) -> sqlite3.Connection:
        if self._path is not None:
            address = f"{self._path.resolve().as_uri()}?mode=ro&immutable=1"
            opened = sqlite3.connect(address, uri=True, check_same_thread=False)
        else:
            opened = sqlite3.connect(":memory:", check_same_thread=False)
        with self._lock:
            self._opened.append(opened)
        return opened

    def _reader(self) -> sqlite3.Connection:
        if self._shared is not None:
            return self._shared
        mine: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if mine is None:
            mine = self._local.connection = self._connect()
        return mine

    def upsert(self, items: Sequence[Item]) -> None:
        """Add items or replace them by id, in one transaction."""
        writer = self._writer()
        rows = (
            (item.id, *(" ".join(part) for part in item_terms(self._tokenizer, item)))
            for item in items
        )
        with self._lock, writer:
            writer.executemany("DELETE FROM words WHERE rowid = ?", [(item.id,) for item in items])
            writer.executemany(
                "INSERT INTO words(rowid, title, text, names) VALUES (?, ?, ?, ?)", rows
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
        """The ``k`` best items for the telling terms, of the allowed ids (ascending; all if ``None``).

        Two statements; more only where a large allowed set leaves fewer than ``k`` of the first found.
        """
        telling = self.telling(terms) if k > 0 else []
        if not telling or (allowed is not None and not len(allowed)):
            return _hits([])
        match = " OR ".join(f'"{term}"' for term in telling)
        if allowed is None:
            return _hits(self._best(match, k))
        if len(allowed) <= FEW:
            return _hits(self._best(match, k, allowed))
        wanted = 4 * k
        while True:
            found = self._best(match, wanted)
            ids = np.asarray([number for number, _ in found], dtype=np.int64)
            inside = np.isin(ids, allowed)
            if int(inside.sum()) >= k or len(found) < wanted:
                kept = [row for row, keep in zip(found, inside, strict=True) if keep]
                return _hits(kept[:k])
            wanted *= 8

    def telling(self, terms: Sequence[str]) -> list[str]:
        """Those of the terms that occur here and bring candidates in, the rarest first. One statement."""
        found = self.document_frequencies(terms)
        ordered = sorted(found, key=lambda term: (found[term], term))
        most = max(COMMON_FROM, COMMON_SHARE * self.statistics().items)
        rare = [term for term in ordered if found[term] <= most]
        return (rare or ordered[:2])[:MOST_TERMS]

    def _best(self, match: str, k: int, allowed: IntArray | None = None) -> list[tuple[int, float]]:
        among, values = "", [match]
        if allowed is not None:
            among = "AND rowid IN (SELECT value FROM json_each(?))"
            values.append(orjson.dumps(allowed.tolist()).decode())
        statement = (
            f"SELECT rowid, -rank FROM words "  # noqa: S608 - constants only
            f"WHERE words MATCH ? {among} ORDER BY rank LIMIT {int(k)}"
        )
        found = self._reader().execute(statement, values).fetchall()
        return sorted(found, key=lambda row: (-row[1], row[0]))

    def document_frequencies(self, terms: Sequence[str]) -> dict[str, int]:
        """In how many items each term occurs; unknown terms are left out. One statement."""
        marks = ", ".join("?" * min(len(terms), MOST_LOOKED_UP))
        statement = f"SELECT term, doc FROM vocabulary WHERE term IN ({marks})"  # noqa: S608
        looked_up = list(terms)[:MOST_LOOKED_UP]
        return dict(self._reader().execute(statement, looked_up).fetchall())

    def stored_terms(self, ids: Sequence[int]) -> dict[int, tuple[str, str, str]]:
        """Terms of the named items' title, text and names, joined by blanks. One statement."""
        statement = (
            "SELECT rowid, title, text, names FROM words "
            "WHERE rowid IN (SELECT value FROM json_each(?))"
        )
        wanted = orjson.dumps([int(number) for number in ids]).decode()
        rows = self._reader().execute(statement, (wanted,))
        return {number: (title, text, names) for number, title, text, names in rows}

    def statistics(self) -> Statistics:
        """Size and mean length, as FTS5 keeps them for BM25."""
        if self._statistics is None:
            items = int(self._reader().execute("SELECT count(*) FROM words_docsize").fetchone()[0])
            total = self._reader().execute("SELECT sum(cnt) FROM vocabulary").fetchone()[0]
            self._statistics = Statistics(items, float(total or 0) / items if items else 0.0)
        return self._statistics

    def save(self, path: Path) -> None:
        """Write a compact copy into a new file, ready to be opened as immutable."""
        with sqlite3.connect(path) as target:
            self._reader().backup(target)
            target.execute("INSERT INTO words(words) VALUES ('optimize')")
        target.execute("PRAGMA journal_mode = DELETE")
        target.execute("VACUUM")
        target.close()

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            for opened in self._opened:
                opened.close()
            self._opened.clear()


def _hits(rows: Sequence[tuple[int, float]]) -> Hits:
    return Hits(
        np.asarray([number for number, _ in rows], dtype=np.int64),
        np.asarray([score for _, score in rows], dtype=np.float32),
    )
