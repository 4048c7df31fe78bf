"""The faster index: vectors in qdrant-edge (HNSW that knows the filters), the rest as in `exact`.

A qdrant-edge folder belongs to one process, a bundle to any number of them. So the bundle keeps the
engine-neutral snapshot, and each process that asks for this engine builds its shard from it into a private
folder, removed when the index closes or its process ends; what a killed process left is removed by the next
one. That costs building time at every start and pays where one process serves
several hundred thousand items; answers are scored again exactly.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import weakref
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Self

import numpy as np
import qdrant_edge as edge

from peerscope.retrieval.index.exact import ExactIndex
from peerscope.retrieval.index.fields import Fields, as_number
from peerscope.retrieval.index.rows import best
from peerscope.retrieval.schema import Filter, FloatArray, Hits, Item
from peerscope.retrieval.text import Tokenizer

BATCH = 2000
PREFIX = "peerscope-edge-"
OWNER = "owner.lock"
FARTHEST = 10**15
"""Bounds of a range are cut to what the numbers of `as_number` can reach."""

SEARCHED = 128
"""HNSW candidates of a query at least (``ef``); twice the asked number where that is more."""


class EdgeIndex(ExactIndex):
    """`ExactIndex` whose dense search runs in a private qdrant-edge shard."""

    def __init__(self, dim: int, tokenizer: Tokenizer) -> None:
        super().__init__(dim, tokenizer)
        self._start()

    @classmethod
    def open(cls, folder: str, tokenizer: Tokenizer) -> Self:
        """A snapshot of any engine; its vectors are copied into a private shard."""
        index = super().open(folder, tokenizer)
        index._start()
        rows = index._rows
        for start in range(0, len(rows.ids), BATCH):
            end = start + BATCH
            index._put(rows.ids[start:end].tolist(), rows.vectors[start:end], rows.fields, start)
        index.optimize()
        return index

    def _start(self) -> None:
        self._folder, owner = private_folder()
        self._released = weakref.finalize(self, release, self._folder, owner)
        parameters = edge.EdgeVectorParams(self.dim, edge.Distance.Dot)
        shard = self._folder / "shard"
        shard.mkdir()
        self._shard = edge.EdgeShard.create(str(shard), edge.EdgeConfig(parameters))
        self._places: dict[str, int] = {}
        self._indexed: set[str] = set()

    def _put(self, ids: Sequence[int], vectors: FloatArray, fields: Fields, first: int = 0) -> None:
        """Write points; ``fields`` holds the first of them in row ``first``."""
        points = [
            edge.Point(int(number), vectors[place].tolist(), self._payload(fields, first + place))
            for place, number in enumerate(ids)
        ]
        self._shard.update(edge.UpdateOperation.upsert_points(points))

    def _payload(self, fields: Fields, row: int) -> dict[str, list[str] | list[int]]:
        """A row's fields as the shard keeps them: as keywords and, where they are numbers, as integers.

        Keys are numbered, since a field's name may hold what the shard takes for a path.
        """
        found: dict[str, list[str] | list[int]] = {}
        for name, values in fields.row(row):
            place = self._places.setdefault(name, len(self._places))
            self._index_payload(f"k{place}", edge.PayloadSchemaType.Keyword)
            found[f"k{place}"] = values
            numbers = [number for value in values if (number := as_number(value)) is not None]
            if numbers:
                self._index_payload(f"n{place}", edge.PayloadSchemaType.Integer)
                found[f"n{place}"] = numbers
        return found

    def _index_payload(self, key: str, kind: edge.PayloadSchemaType) -> None:
        if key not in self._indexed:
            self._shard.update(edge.UpdateOperation.create_field_index(key, kind))
            self._indexed.add(key)

    def optimize(self) -> None:
        """Build the graph; until then a search scans."""
        self._shard.optimize()

    def upsert(self, items: Sequence[Item], vectors: FloatArray) -> None:
        """Add items or replace them by id; ``vectors`` has shape ``[len(items), dim]``.

        Raises:
            ValueError: Wrong shape, NaN or infinite values, or a repeated id; nothing is written.
        """
        super().upsert(items, vectors)
        rows = np.asarray(vectors, dtype=np.float32)
        fields = Fields.of(items)
        for start in range(0, len(items), BATCH):
            part = [item.id for item in items[start : start + BATCH]]
            self._put(part, rows[start : start + BATCH], fields, start)

    def delete(self, ids: Iterable[int]) -> int:
        """Remove items; unknown ids are passed over. Returns how many were there."""
        wanted = np.asarray(sorted(set(ids)), dtype=np.int64)
        gone = wanted[self.known(wanted)].tolist()
        removed = super().delete(gone)
        if removed:
            self._shard.update(edge.UpdateOperation.delete_points(gone))
        return removed

    def search_dense(self, vector: FloatArray, k: int, where: Filter | None = None) -> Hits:
        """The ``k`` items of largest inner product with ``vector`` (shape ``[dim]``) of those that pass."""
        if k <= 0 or not len(self._rows.ids):
            return Hits(np.empty(0, np.int64), np.empty(0, np.float32))
        query = np.asarray(vector, dtype=np.float32)
        named = () if where is None else (*where.any_of, *where.ranges)
        if any(name not in self._places for name in named):
            return Hits(np.empty(0, np.int64), np.empty(0, np.float32))
        found = self._shard.query(
            edge.QueryRequest(
                limit=k,
                query=edge.Query.Nearest(query.tolist()),
                filter=self._filter(where),
                params=edge.SearchParams(hnsw_ef=max(SEARCHED, 2 * k)),
            )
        )
        ids = np.asarray([int(str(point.id)) for point in found], dtype=np.int64)
        vectors, known = self.look_up(ids)
        return best(ids[known], vectors[known] @ query, k)

    def _filter(self, where: Filter | None) -> edge.Filter | None:
        if where is None or where.empty:
            return None
        return edge.Filter(must=list(self._conditions(where)))

    def _conditions(self, where: Filter) -> Iterator[edge.FieldCondition]:
        for name, accepted in where.any_of.items():
            match = edge.MatchAny(list(accepted))
            yield edge.FieldCondition(f"k{self._places[name]}", match=match)
        for name, (low, high) in where.ranges.items():
            bounds = edge.RangeFloat(
                gte=-FARTHEST if low is None else max(low, -FARTHEST),
                lte=FARTHEST if high is None else min(high, FARTHEST),
            )
            yield edge.FieldCondition(f"n{self._places[name]}", range=bounds)

    def close(self) -> None:
        """Release the shard and remove its folder."""
        super().close()
        self._shard.close()
        self._released()


def private_folder() -> tuple[Path, int]:
    """A new folder that this process holds a lock in, and the lock's file number.

    Folders whose owner was killed, which nobody locks any more, are removed first.
    """
    for left in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        owner = _locked(left / OWNER, os.O_RDWR)
        if owner is not None:
            release(left, owner)
    while True:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX))
        owner = _locked(folder / OWNER, os.O_RDWR | os.O_CREAT)
        if owner is not None and folder.exists():
            return folder, owner


def _locked(path: Path, flags: int) -> int | None:
    """A file number that holds the file's lock; ``None`` if another has it or there is no file."""
    try:
        number = os.open(path, flags | os.O_NOFOLLOW, 0o600)
    except OSError:
        return None
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(number)
        return None
    return number


def release(folder: Path, owner: int) -> None:
    """Remove a private folder and give up its lock."""
    shutil.rmtree(folder, ignore_errors=True)
    os.close(owner)
