"""The faster index: vectors in qdrant-edge (HNSW that knows the filters), the rest as in `exact`.

A qdrant-edge folder belongs to one process, a bundle to any number of them. So the bundle keeps the
engine-neutral snapshot, and each process that asks for this engine builds its shard from it into a private
folder, removed when it closes. That costs building time at every start and pays where one process serves
several hundred thousand items; answers are scored again exactly.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from typing import Self

import numpy as np
import qdrant_edge as edge

from peerscope.retrieval.index.exact import ExactIndex, best
from peerscope.retrieval.index.fields import Fields
from peerscope.retrieval.schema import Filter, FloatArray, Hits, Item
from peerscope.retrieval.text import Tokenizer

BATCH = 2000
NUMBER = "number of "
"""Prefix of the payload key that holds a field's values as integers, for ranges."""

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
            part = range(start, min(start + BATCH, len(rows.ids)))
            index._put(
                [
                    edge.Point(
                        int(rows.ids[row]), rows.vectors[row].tolist(), payload(rows.fields, row)
                    )
                    for row in part
                ]
            )
        index.optimize()
        return index

    def _start(self) -> None:
        self._folder = tempfile.mkdtemp(prefix="peerscope-edge-")
        parameters = edge.EdgeVectorParams(self.dim, edge.Distance.Dot)
        self._shard = edge.EdgeShard.create(self._folder, edge.EdgeConfig(parameters))
        self._indexed: set[str] = set()

    def _put(self, points: list[edge.Point]) -> None:
        for point in points:
            for name in (point.payload or {}).keys() - self._indexed:
                kind = (
                    edge.PayloadSchemaType.Integer
                    if name.startswith(NUMBER)
                    else edge.PayloadSchemaType.Keyword
                )
                self._shard.update(edge.UpdateOperation.create_field_index(_key(name), kind))
                self._indexed.add(name)
        self._shard.update(edge.UpdateOperation.upsert_points(points))

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
        points = [
            edge.Point(item.id, rows[row].tolist(), payload(fields, row))
            for row, item in enumerate(items)
        ]
        for start in range(0, len(points), BATCH):
            self._put(points[start : start + BATCH])

    def delete(self, ids: Iterable[int]) -> int:
        """Remove items; unknown ids are passed over. Returns how many were there."""
        wanted = list(ids)
        removed = super().delete(wanted)
        if removed:
            self._shard.update(edge.UpdateOperation.delete_points(list(wanted)))
        return removed

    def search_dense(self, vector: FloatArray, k: int, where: Filter | None = None) -> Hits:
        """The ``k`` items of largest inner product with ``vector`` (shape ``[dim]``) of those that pass."""
        if k <= 0 or not len(self._rows.ids):
            return Hits(np.empty(0, np.int64), np.empty(0, np.float32))
        query = np.asarray(vector, dtype=np.float32)
        found = self._shard.query(
            edge.QueryRequest(
                limit=k,
                query=edge.Query.Nearest(query.tolist()),
                filter=conditions(where),
                params=edge.SearchParams(hnsw_ef=max(SEARCHED, 2 * k)),
            )
        )
        ids = np.asarray([int(str(point.id)) for point in found], dtype=np.int64)
        known = ids[self.known(ids)] if len(ids) else ids
        if not len(known):
            return Hits(np.empty(0, np.int64), np.empty(0, np.float32))
        return best(known, self.vectors(known.tolist()) @ query, k)

    def close(self) -> None:
        """Release the shard and remove its folder."""
        super().close()
        self._shard.close()
        shutil.rmtree(self._folder, ignore_errors=True)


def payload(fields: Fields, row: int) -> dict[str, list[str] | list[int]]:
    """A row's fields as the shard keeps them: as keywords and, where they are numbers, as integers."""
    found: dict[str, list[str] | list[int]] = {}
    for name, values in fields.row(row):
        found[name] = values
        numbers = [int(value) for value in values if value.lstrip("-").isdecimal()]
        if numbers:
            found[NUMBER + name] = numbers
    return found


def _key(name: str) -> str:
    return f'"{name}"'


def conditions(where: Filter | None) -> edge.Filter | None:
    """A filter in the shard's terms."""
    if where is None or where.empty:
        return None
    return edge.Filter(must=list(_conditions(where)))


def _conditions(where: Filter) -> Iterator[edge.FieldCondition]:
    for name, accepted in where.any_of.items():
        yield edge.FieldCondition(_key(name), match=edge.MatchAny(list(accepted)))
    for name, (low, high) in where.ranges.items():
        bounds = edge.RangeFloat(gte=low, lte=high)
        yield edge.FieldCondition(_key(NUMBER + name), range=bounds)
