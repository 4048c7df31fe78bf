"""Vectors and categorical fields of a set of items, as one immutable state.

A reader takes one state and keeps it for a whole query; a writer makes the next one and puts it in its place.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Self

import numpy as np

from peerscope.retrieval.index.arrays import no_hits, top_rows
from peerscope.retrieval.index.cells import Cells
from peerscope.retrieval.index.fields import Fields, Mask
from peerscope.retrieval.schema import Filter, FloatArray, Hits, IntArray, Item


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


class Rows:
    """One state: ids ascending, shape ``[n]``; vectors, shape ``[n, dim]``; fields by row.

    Args:
        items: The items themselves by id; without them (a snapshot) the fields are given, and the state
            cannot be changed.
        cells: Groups of near vectors; without them every vector is compared.
    """

    __slots__ = ("_cells", "_fields", "_items", "dim", "ids", "vectors")

    def __init__(
        self,
        ids: IntArray,
        vectors: FloatArray,
        *,
        fields: Fields | None = None,
        items: Mapping[int, Item] | None = None,
        cells: Cells | None = None,
    ) -> None:
        self.ids = ids
        self.vectors = vectors
        self.dim = int(vectors.shape[1])
        self._fields = fields
        self._items = items or {}
        self._cells = cells

    @classmethod
    def empty(cls, dim: int) -> Self:
        """No items yet."""
        return cls(np.empty(0, np.int64), np.empty((0, dim), np.float32))

    @property
    def fields(self) -> Fields:
        """The categorical fields; made when they are first asked for."""
        found = self._fields
        if found is None:
            found = self._fields = Fields.of(self.items())
        return found

    def items(self) -> list[Item]:
        """The items in order of id, where the state has them."""
        return [self._items[number] for number in self.ids.tolist()]

    def with_items(self, items: Sequence[Item], vectors: FloatArray) -> Self:
        """The state with these items added or replaced by id.

        Raises:
            ValueError: See `checked`.
        """
        new = checked(items, vectors, self.dim)
        numbers = np.asarray([item.id for item in items], dtype=np.int64)
        kept = ~np.isin(self.ids, numbers)
        ids = np.concatenate([self.ids[kept], numbers])
        rows = np.concatenate([self.vectors[kept], new])
        order = np.argsort(ids, kind="stable")
        if np.any(order[1:] < order[:-1]):
            ids, rows = ids[order], rows[order]
        return type(self)(ids, rows, items={**self._items, **{item.id: item for item in items}})

    def without(self, ids: Iterable[int]) -> Self:
        """The state without these items; unknown ids are passed over."""
        gone = set(ids)
        kept = ~np.isin(self.ids, np.asarray(sorted(gone), dtype=np.int64))
        items = {number: item for number, item in self._items.items() if number not in gone}
        return type(self)(self.ids[kept], self.vectors[kept], items=items)

    def places(self, ids: Sequence[int] | IntArray) -> tuple[IntArray, Mask]:
        """Row of each id, and whether the id is known at all."""
        wanted = np.asarray(ids, dtype=np.int64)
        if not len(self.ids):
            return np.zeros(len(wanted), np.int64), np.zeros(len(wanted), dtype=bool)
        rows = np.minimum(np.searchsorted(self.ids, wanted), len(self.ids) - 1)
        return rows, self.ids[rows] == wanted

    def known(self, ids: Sequence[int] | IntArray) -> Mask:
        """Which of the ids are here, shape ``[len(ids)]``."""
        return self.places(ids)[1]

    def look_up(self, ids: Sequence[int] | IntArray) -> tuple[FloatArray, Mask]:
        """Vectors, shape ``[len(ids), dim]``, and which ids are here; rows of zeros for the others."""
        places, known = self.places(ids)
        if known.all():
            return self.vectors[places], known
        found = np.zeros((len(known), self.dim), np.float32)
        found[known] = self.vectors[places[known]]
        return found, known

    def search(self, queries: FloatArray, k: int, passing: Mask | None = None) -> list[Hits]:
        """For each query the ``k`` items of largest inner product of those that pass; ties in order of id.

        Args:
            queries: Shape ``[m, dim]``.
            k: How many items at most.
            passing: Rows that may be found, shape ``[n]``; all if ``None``.
        """
        asked = np.asarray(queries, dtype=np.float32)
        if k <= 0 or not len(self.ids):
            return [no_hits() for _ in asked]
        if self._cells is None:
            return self._compared(asked, k, passing)
        found = [self._cells.nearest(query, k, self.vectors, passing) for query in asked]
        return [Hits(self.ids[rows], scores) for rows, scores in found]

    def _compared(self, queries: FloatArray, k: int, passing: Mask | None) -> list[Hits]:
        """Every vector that passes is compared."""
        rows = None if passing is None else np.flatnonzero(passing)
        if rows is not None and len(rows) * 4 <= len(self.ids):
            scores = queries @ self.vectors[rows].T
        else:  # gathering so many rows would cost more than multiplying all
            scores = queries @ self.vectors.T
            scores = scores if rows is None else scores[:, rows]
        hits = []
        for found in scores:
            order = top_rows(found, k)
            ids = self.ids[order] if rows is None else self.ids[rows[order]]
            hits.append(Hits(ids, found[order]))
        return hits

    def passing(self, where: Filter | None) -> Mask | None:
        """Rows that pass the filter, shape ``[n]``; ``None`` when all do."""
        return None if where is None else self.fields.passing(where)

    def passing_ids(self, where: Filter | None) -> IntArray:
        """Ids of the items that pass, ascending."""
        mask = self.passing(where)
        return self.ids if mask is None else self.ids[mask]

    def facets(
        self, ids: Sequence[int] | IntArray, names: Sequence[str]
    ) -> dict[str, dict[str, int]]:
        """For each field name, how many of the given items carry each value; unknown ids count nowhere."""
        places, known = self.places(ids)
        return self.fields.facets(places[known], names)
