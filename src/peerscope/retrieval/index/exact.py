"""The always-there index: exact inner products in NumPy, words in SQLite FTS5, fields as columns.

A snapshot is an engine-neutral folder (``ids.npy``, ``vectors.npy``, fields, ``words.sqlite``); opened, its
vectors are memory-mapped and its words read without locks, so any number of processes may share it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Self

import numpy as np
import orjson

from peerscope.retrieval.index.fields import Fields, Mask
from peerscope.retrieval.index.lexical import LexicalIndex, Statistics
from peerscope.retrieval.index.rows import Rows
from peerscope.retrieval.schema import Filter, FloatArray, Hits, IntArray, Item
from peerscope.retrieval.text import Tokenizer


class ExactIndex:
    """Exact search over vectors of unit length (see `peerscope.retrieval.schema.SearchIndex`)."""

    def __init__(self, dim: int, tokenizer: Tokenizer) -> None:
        self.dim = dim
        self.tokenizer = tokenizer
        self.lexical = LexicalIndex(None, tokenizer)
        self._rows = Rows.empty(dim)
        self._mutable = True

    @classmethod
    def open(cls, folder: str, tokenizer: Tokenizer) -> Self:
        """A snapshot, for reading only; its vectors stay on disk until they are touched."""
        place = Path(folder)
        stated = orjson.loads((place / "index.json").read_bytes())
        index = cls.__new__(cls)
        vectors = np.load(place / "vectors.npy", mmap_mode="r")
        index._rows = Rows(np.load(place / "ids.npy"), vectors, fields=Fields.load(place))
        index.dim = int(stated["dim"])
        index.tokenizer = tokenizer
        index.lexical = LexicalIndex(
            place / "words.sqlite",
            tokenizer,
            statistics=Statistics(stated["items"], stated["mean_length"]),
        )
        index._mutable = False
        return index

    def upsert(self, items: Sequence[Item], vectors: FloatArray) -> None:
        """Add items or replace them by id; ``vectors`` has shape ``[len(items), dim]``.

        Raises:
            ValueError: Wrong shape, NaN or infinite values, or a repeated id; nothing is written.
        """
        self._writable()
        rows = self._rows.with_items(items, vectors)
        if items:
            self.lexical.upsert(items)
            self._rows = rows

    def delete(self, ids: Iterable[int]) -> int:
        """Remove items; unknown ids are passed over. Returns how many were there."""
        self._writable()
        wanted = np.asarray(sorted(set(ids)), dtype=np.int64)
        gone = wanted[self._rows.known(wanted)].tolist()
        if gone:
            self._rows = self._rows.without(gone)
            self.lexical.delete(gone)
        return len(gone)

    def _writable(self) -> None:
        if not self._mutable:
            raise TypeError("A snapshot is immutable; changes go into the engine's overlay.")

    def search_dense(self, vector: FloatArray, k: int, where: Filter | None = None) -> Hits:
        """The ``k`` items of largest inner product with ``vector`` (shape ``[dim]``) of those that pass."""
        return self._rows.search(vector, k, where)

    def search_lexical(self, query: str, k: int, where: Filter | None = None) -> Hits:
        """The ``k`` items of largest BM25 score for any of the query's words among those that pass."""
        allowed = None if where is None or where.empty else self.passing_ids(where)
        return self.lexical.search(self.tokenizer.query_terms(query), k, allowed)

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
        return len(self.passing_ids(where))

    def ids(self) -> IntArray:
        """All ids, ascending, shape ``[count]``."""
        return self._rows.ids

    def passing_ids(self, where: Filter | None) -> IntArray:
        """Ids of the items that pass, ascending."""
        return self._rows.passing_ids(where)

    def snapshot(self, folder: str) -> None:
        """Write a complete copy into an empty folder; `open` reads it back.

        Raises:
            FileExistsError: The folder holds something already.
        """
        place = Path(folder)
        place.mkdir(parents=True, exist_ok=True)
        if any(place.iterdir()):
            raise FileExistsError(f"A snapshot needs an empty folder; {folder} is not empty.")
        rows = self._rows
        np.save(place / "ids.npy", rows.ids)
        np.save(place / "vectors.npy", np.ascontiguousarray(rows.vectors, dtype=np.float32))
        rows.fields.save(place)
        self.lexical.save(place / "words.sqlite")
        stated = {
            "dim": self.dim,
            "items": len(rows.ids),
            "mean_length": self.lexical.statistics().mean_length,
        }
        (place / "index.json").write_bytes(orjson.dumps(stated))

    def close(self) -> None:
        """Release files and memory; later calls raise or find nothing."""
        self.lexical.close()
        self._rows = Rows.empty(self.dim)
