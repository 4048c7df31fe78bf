"""The always-there index: exact inner products in NumPy, words in SQLite FTS5, fields as columns.

A snapshot is an engine-neutral folder (``ids.npy``, ``vectors.npy``, fields, ``words.sqlite``); opened, its
vectors are memory-mapped and its words read without locks, so any number of processes may share it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import orjson

from peerscope.retrieval.index.fields import Fields, Mask
from peerscope.retrieval.index.lexical import LexicalIndex, Statistics
from peerscope.retrieval.schema import Filter, FloatArray, Hits, IntArray, Item
from peerscope.retrieval.text import Tokenizer


def checked(items: Sequence[Item], vectors: FloatArray, dim: int) -> FloatArray:
    """The vectors as float32, if they fit the items.

    Raises:
        ValueError: Wrong shape, NaN or infinite values, or an id twice.
    """
    found = np.asarray(vectors, dtype=np.float32)
    if found.shape != (len(items), dim):
        raise ValueError(
            f"{len(items)} items need vectors of shape ({len(items)}, {dim}), not {found.shape}."
        )
    if not np.isfinite(found).all():
        row = int(np.flatnonzero(~np.isfinite(found).all(axis=1))[0])
        raise ValueError(f"The vector of item {items[row].id} holds NaN or infinity.")
    if len({item.id for item in items}) != len(items):
        raise ValueError("An id stands twice among the items.")
    return found


def best(ids: IntArray, scores: FloatArray, k: int) -> Hits:
    """The ``k`` largest scores, ties in order of id."""
    if k <= 0 or not len(ids):
        return Hits(np.empty(0, np.int64), np.empty(0, np.float32))
    if k < len(ids):
        floor = np.partition(scores, len(ids) - k)[len(ids) - k]
        near = np.flatnonzero(scores >= floor)
    else:
        near = np.arange(len(ids))
    order = near[np.lexsort((ids[near], -scores[near]))][:k]
    return Hits(ids[order], scores[order].astype(np.float32))


@dataclass(frozen=True, slots=True)
class _Rows:
    """One consistent state: readers take it once, writers replace it as a whole."""

    ids: IntArray
    vectors: FloatArray
    fields: Fields

    def places(self, ids: Sequence[int] | IntArray) -> tuple[IntArray, Mask]:
        """Row of each id, and whether the id is known at all."""
        wanted = np.asarray(ids, dtype=np.int64)
        if not len(self.ids):
            return np.zeros(len(wanted), np.int64), np.zeros(len(wanted), dtype=bool)
        rows = np.minimum(np.searchsorted(self.ids, wanted), len(self.ids) - 1)
        return rows, self.ids[rows] == wanted


class ExactIndex:
    """Exact search over vectors of unit length (see `peerscope.retrieval.schema.SearchIndex`)."""

    def __init__(self, dim: int, tokenizer: Tokenizer) -> None:
        self.dim = dim
        self.tokenizer = tokenizer
        self.lexical = LexicalIndex(None, tokenizer)
        self._items: dict[int, Item] = {}
        self._rows = _Rows(np.empty(0, np.int64), np.empty((0, dim), np.float32), Fields.of([]))
        self._mutable = True

    @classmethod
    def open(cls, folder: str, tokenizer: Tokenizer) -> Self:
        """A snapshot, for reading only; its vectors stay on disk until they are touched."""
        place = Path(folder)
        stated = orjson.loads((place / "index.json").read_bytes())
        index = cls.__new__(cls)
        vectors = np.load(place / "vectors.npy", mmap_mode="r")
        index._rows = _Rows(np.load(place / "ids.npy"), vectors, Fields.load(place))
        index.dim = int(stated["dim"])
        index.tokenizer = tokenizer
        index.lexical = LexicalIndex(
            place / "words.sqlite",
            tokenizer,
            statistics=Statistics(stated["items"], stated["mean_length"]),
        )
        index._items = {}
        index._mutable = False
        return index

    def upsert(self, items: Sequence[Item], vectors: FloatArray) -> None:
        """Add items or replace them by id; ``vectors`` has shape ``[len(items), dim]``.

        Raises:
            ValueError: Wrong shape, NaN or infinite values, or a repeated id; nothing is written.
        """
        self._writable()
        new = checked(items, vectors, self.dim)
        if not items:
            return
        self.lexical.upsert(items)
        self._items.update({item.id: item for item in items})
        numbers = np.asarray([item.id for item in items], dtype=np.int64)
        kept = ~np.isin(self._rows.ids, numbers)
        ids = np.concatenate([self._rows.ids[kept], numbers])
        order = np.argsort(ids, kind="stable")
        self._replace(ids[order], np.concatenate([self._rows.vectors[kept], new])[order])

    def delete(self, ids: Iterable[int]) -> int:
        """Remove items; unknown ids are passed over. Returns how many were there."""
        self._writable()
        gone = [number for number in set(ids) if number in self._items]
        if gone:
            kept = ~np.isin(self._rows.ids, np.asarray(gone))
            for number in gone:
                del self._items[number]
            self._replace(self._rows.ids[kept], self._rows.vectors[kept])
            self.lexical.delete(gone)
        return len(gone)

    def _writable(self) -> None:
        if not self._mutable:
            raise TypeError("A snapshot is immutable; changes go into the engine's overlay.")

    def _replace(self, ids: IntArray, vectors: FloatArray) -> None:
        fields = Fields.of([self._items[number] for number in ids.tolist()])
        self._rows = _Rows(ids, vectors, fields)

    def search_dense(self, vector: FloatArray, k: int, where: Filter | None = None) -> Hits:
        """The ``k`` items of largest inner product with ``vector`` (shape ``[dim]``) of those that pass."""
        rows = self._rows
        mask = rows.fields.passing(where)
        query = np.asarray(vector, dtype=np.float32)
        if mask is None:
            return best(rows.ids, rows.vectors @ query, k)
        passing = np.flatnonzero(mask)
        return best(rows.ids[passing], rows.vectors[passing] @ query, k)

    def search_lexical(self, query: str, k: int, where: Filter | None = None) -> Hits:
        """The ``k`` items of largest BM25 score for any of the query's words among those that pass."""
        allowed = None if where is None or where.empty else self.passing_ids(where)
        return self.lexical.search(self.tokenizer.query_terms(query), k, allowed)

    def vectors(self, ids: Sequence[int]) -> FloatArray:
        """Vectors of known items, shape ``[len(ids), dim]``; raises KeyError for an unknown id."""
        rows = self._rows
        places, known = rows.places(ids)
        if not known.all():
            raise KeyError(int(np.asarray(ids)[~known][0]))
        return np.asarray(rows.vectors[places], dtype=np.float32)

    def known(self, ids: Sequence[int] | IntArray) -> Mask:
        """Which of the ids are here, shape ``[len(ids)]``."""
        return self._rows.places(ids)[1]

    def facets(self, ids: Sequence[int], names: Sequence[str]) -> dict[str, dict[str, int]]:
        """For each field name, how many of the given items carry each value; unknown ids count nowhere."""
        rows = self._rows
        places, known = rows.places(ids)
        return rows.fields.facets(places[known], names)

    def count(self, where: Filter | None = None) -> int:
        """How many items pass."""
        return len(self.passing_ids(where))

    def ids(self) -> IntArray:
        """All ids, ascending, shape ``[count]``."""
        return self._rows.ids

    def passing_ids(self, where: Filter | None) -> IntArray:
        """Ids of the items that pass, ascending."""
        rows = self._rows
        mask = rows.fields.passing(where)
        return rows.ids if mask is None else rows.ids[mask]

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
        self._items = {}
        self._rows = _Rows(
            np.empty(0, np.int64), np.empty((0, self.dim), np.float32), Fields.of([])
        )
