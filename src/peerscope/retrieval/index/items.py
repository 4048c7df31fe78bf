"""The index of a set of items: vectors, words and categorical fields behind one interface.

A snapshot is a folder of arrays, mapped into memory by every process that opens it and never written again.
From `CELLS_FROM` items on it also holds groups of near vectors (engine ``ivf``); below, every vector is
compared (``exact``). Which it is for is decided when it is written; ``exact`` opens both.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import orjson

from peerscope.retrieval.index.arrays import mapped
from peerscope.retrieval.index.cells import Cells
from peerscope.retrieval.index.fields import Fields, Mask
from peerscope.retrieval.index.postings import Postings, Progress
from peerscope.retrieval.index.rows import Rows
from peerscope.retrieval.index.terms import Keys, QueryTerms, Statistics, rarity
from peerscope.retrieval.schema import Filter, FloatArray, Hits, IntArray, Item
from peerscope.retrieval.text import Tokenizer

ENGINES = ("auto", "exact", "ivf")
CELLS_FROM = 50_000
"""Items from which ``auto`` groups the vectors: comparing all of them then takes over a millisecond."""


class ItemIndex:
    """Search over items with vectors of unit length (see `peerscope.retrieval.schema.SearchIndex`).

    Args:
        dim: Length of the vectors.
        tokenizer: The site's tokenizer.
        engine: Which of `ENGINES` a snapshot is written for.

    Raises:
        ValueError: There is no such engine.
    """

    def __init__(self, dim: int, tokenizer: Tokenizer, engine: str = "auto") -> None:
        self.dim = dim
        self.tokenizer = tokenizer
        self.engine = checked_engine(engine)
        self._rows = Rows.empty(dim)
        self._words: tuple[Rows, Postings] | None = None
        self._passing: tuple[Filter, Rows, Mask | None] | None = None
        self._mutable = True

    @classmethod
    def open(cls, folder: str, tokenizer: Tokenizer, engine: str = "auto") -> Self:
        """A snapshot, for reading only; its arrays stay on disk until they are touched.

        Args:
            folder: The snapshot.
            tokenizer: The tokenizer that it was written with.
            engine: ``exact`` compares every vector even where there are groups of near ones.
        """
        place = Path(folder)
        stated = orjson.loads((place / "index.json").read_bytes())
        index = cls(int(stated["dim"]), tokenizer, engine)
        cells = None
        if engine != "exact" and stated["engine"] == "ivf":
            cells = Cells.load(place / "cells", float(stated["effort"]))
        index._rows = Rows(
            np.load(place / "ids.npy"),
            mapped(place / "vectors.npy"),
            fields=Fields.load(place),
            cells=cells,
        )
        statistics = Statistics(stated["items"], stated["mean_length"])
        index._words = (index._rows, Postings.load(place / "words", statistics))
        index._mutable = False
        return index

    def upsert(self, items: Sequence[Item], vectors: FloatArray) -> None:
        """Add items or replace them by id; ``vectors`` has shape ``[len(items), dim]``.

        Raises:
            ValueError: Wrong shape, NaN or infinite values, or a repeated id; nothing is written.
        """
        self._writable()
        self._rows = self._rows.with_items(items, vectors)

    def delete(self, ids: Iterable[int]) -> int:
        """Remove items; unknown ids are passed over. Returns how many were there."""
        self._writable()
        wanted = np.asarray(sorted(set(ids)), dtype=np.int64)
        gone = wanted[self._rows.known(wanted)].tolist()
        if gone:
            self._rows = self._rows.without(gone)
        return len(gone)

    def _writable(self) -> None:
        if not self._mutable:
            raise TypeError("A snapshot is immutable; changes go into the engine's overlay.")

    def words(self, progress: Progress | None = None) -> Postings:
        """The inverted lists; of an index in memory they are made when they are first asked for."""
        rows, made = self._rows, self._words
        if made is None or made[0] is not rows:
            made = self._words = (rows, Postings.of(rows.items(), self.tokenizer, progress))
        return made[1]

    def _mask(self, where: Filter | None) -> Mask | None:
        """Rows that pass; remembered while a query asks for words and meaning with the same filter."""
        if where is None or where.empty:
            return None
        rows, last = self._rows, self._passing
        if last is None or last[0] is not where or last[1] is not rows:
            last = self._passing = (where, rows, rows.passing(where))
        return last[2]

    def search_dense(self, vector: FloatArray, k: int, where: Filter | None = None) -> Hits:
        """The ``k`` items of largest inner product with ``vector`` (shape ``[dim]``) of those that pass."""
        return self.search_dense_many(np.asarray(vector)[None], k, where)[0]

    def search_dense_many(
        self, vectors: FloatArray, k: int, where: Filter | None = None
    ) -> list[Hits]:
        """For each of several vectors, shape ``[m, dim]``, what `search_dense` finds."""
        return self._rows.search(vectors, k, self._mask(where))

    def search_lexical(self, query: str, k: int, where: Filter | None = None) -> Hits:
        """The ``k`` items of largest BM25 score for any of the query's words among those that pass."""
        return self.search_terms(QueryTerms.of(self.tokenizer.query_counts(query)), k, where)

    def search_terms(self, query: QueryTerms, k: int, where: Filter | None = None) -> Hits:
        """`search_lexical` for the terms of a query."""
        words = self.words()
        weights = query.counts * rarity(words.frequencies(query.keys), words.statistics.items)
        rows, scores = words.search(query.keys, weights, k, self._mask(where))
        return Hits(self._rows.ids[rows], scores)

    def impacts(self, keys: Keys, ids: IntArray) -> FloatArray:
        """The impact of each term on each of the known items, shape ``[len(ids), len(keys)]``."""
        return self.words().impacts_on(keys, self._rows.places(ids)[0])

    def in_title(self, keys: Keys, ids: IntArray) -> Mask:
        """Whether each term stands in the title of each of the known items, likewise."""
        return self.words().in_title(keys, self._rows.places(ids)[0])

    def bag(self, number: int) -> tuple[Keys, FloatArray]:
        """All terms of a known item with their impacts."""
        return self.words().bag(self._row(number))

    def title(self, number: int) -> Keys:
        """The terms of a known item's title, in order."""
        return self.words().title(self._row(number))

    def lengths(self, ids: IntArray) -> FloatArray:
        """Number of terms of title and text of known items, shape ``[len(ids)]``."""
        found: FloatArray = self.words().lengths[self._rows.places(ids)[0]]
        return found

    def _row(self, number: int) -> int:
        return int(self._rows.places([number])[0][0])

    def frequencies(self, keys: Keys) -> IntArray:
        """In how many items each term occurs, shape ``[len(keys)]``."""
        return self.words().frequencies(keys)

    def statistics(self) -> Statistics:
        """Size and mean length in terms."""
        return self.words().statistics

    def vectors(self, ids: Sequence[int]) -> FloatArray:
        """Vectors of known items, shape ``[len(ids), dim]``; raises KeyError for an unknown id."""
        found, known = self.look_up(ids)
        if not known.all():
            raise KeyError(int(np.asarray(ids)[~known][0]))
        return found

    def look_up(self, ids: Sequence[int] | IntArray) -> tuple[FloatArray, Mask]:
        """Vectors, shape ``[len(ids), dim]``, and which ids are here; rows of zeros for the others."""
        return self._rows.look_up(ids)

    def known(self, ids: Sequence[int] | IntArray) -> Mask:
        """Which of the ids are here, shape ``[len(ids)]``."""
        return self._rows.known(ids)

    def facets(self, ids: Sequence[int], names: Sequence[str]) -> dict[str, dict[str, int]]:
        """For each field name, how many of the given items carry each value; unknown ids count nowhere."""
        return self._rows.facets(ids, names)

    def count(self, where: Filter | None = None) -> int:
        """How many items pass."""
        mask = self._mask(where)
        return len(self._rows.ids) if mask is None else int(np.count_nonzero(mask))

    def ids(self) -> IntArray:
        """All ids, ascending, shape ``[count]``."""
        return self._rows.ids

    def snapshot(self, folder: str, progress: Progress | None = None) -> None:
        """Write a complete copy into an empty folder; `open` reads it back.

        Raises:
            FileExistsError: The folder holds something already.
            TypeError: The index is itself an opened snapshot.
        """
        self._writable()
        place = Path(folder)
        place.mkdir(parents=True, exist_ok=True)
        if any(place.iterdir()):
            raise FileExistsError(f"A snapshot needs an empty folder; {folder} is not empty.")
        rows = self._rows
        np.save(place / "ids.npy", rows.ids)
        np.save(place / "vectors.npy", np.ascontiguousarray(rows.vectors, dtype=np.float32))
        rows.fields.save(place)
        words = self.words(progress)
        words.save(place / "words")
        stated: dict[str, Any] = {
            "dim": self.dim,
            "items": len(rows.ids),
            "mean_length": words.statistics.mean_length,
            "engine": "exact",
        }
        if self._grouped():
            if progress is not None:
                progress("grouping vectors", 0, None)
            cells = Cells.of(rows.vectors)
            cells.save(place / "cells")
            stated |= {"engine": "ivf", "effort": cells.effort}
        (place / "index.json").write_bytes(orjson.dumps(stated))

    def _grouped(self) -> bool:
        """Whether a snapshot gets groups of near vectors."""
        if self.engine == "exact" or not np.any(self._rows.vectors):
            return False
        return self.engine == "ivf" or len(self._rows.ids) >= CELLS_FROM

    def close(self) -> None:
        """Nothing is asked after it; files and memory are released when the last query under way ends."""
        self._passing = None


def checked_engine(engine: str) -> str:
    """The name of an engine.

    Raises:
        ValueError: There is none of that name.
    """
    if engine not in ENGINES:
        raise ValueError(f"There is no index engine {engine!r}; there are {', '.join(ENGINES)}.")
    return engine
