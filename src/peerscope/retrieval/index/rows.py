"""Vectors and categorical fields of a set of items, as one immutable state.

A reader takes one state and keeps it for a whole query; a writer makes the next one and puts it in its place.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Self

import numpy as np

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


class Rows:
    """One state: ids ascending, shape ``[n]``; vectors, shape ``[n, dim]``; fields by row.

    Args:
        items: The items themselves by id; without them (a snapshot) the fields are given, and the state
            cannot be changed.
    """

    __slots__ = ("_fields", "_items", "dim", "ids", "vectors")

    def __init__(
        self,
        ids: IntArray,
        vectors: FloatArray,
        *,
        fields: Fields | None = None,
        items: Mapping[int, Item] | None = None,
    ) -> None:
        self.ids = ids
        self.vectors = vectors
        self.dim = int(vectors.shape[1])
        self._fields = fields
        self._items = items or {}

    @classmethod
    def empty(cls, dim: int) -> Self:
        """No items yet."""
        return cls(np.empty(0, np.int64), np.empty((0, dim), np.float32))

    @property
    def fields(self) -> Fields:
        """The categorical fields; made when they are first asked for."""
        found = self._fields
        if found is None:
            found = self._fields = Fields.of([self._items[number] for number in self.ids.tolist()])
        return found

    def with_items(self, items: Sequence[Item], vectors: FloatArray) -> Self:
        """The state with these items added or replaced by id.

        Raises:
            ValueError: See `checked`.
        """
        new = checked(items, vectors, self.dim)
        numbers = np.asarray([item.id for item in items], dtype=np.int64)
        kept = ~np.isin(self.ids, numbers)
        ids = np.concatenate([self.ids[kept], numbers])
        order = np.argsort(ids, kind="stable")
        return type(self)(
            ids[order],
            np.concatenate([self.vectors[kept], new])[order],
            items={**self._items, **{item.id: item for item in items}},
        )

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
        found = np.zeros((len(known), self.dim), np.float32)
        found[known] = self.vectors[places[known]]
        return found, known

    def search(self, vector: FloatArray, k: int, where: Filter | None = None) -> Hits:
        """The ``k`` items of largest inner product with ``vector`` (shape ``[dim]``) of those that pass."""
        mask = self.fields.passing(where) if where is not None else None
        query = np.asarray(vector, dtype=np.float32)
        if mask is None:
            return best(self.ids, self.vectors @ query, k)
        passing = np.flatnonzero(mask)
        if len(passing) * 4 > len(mask):  # gathering the rows would cost more than multiplying all
            return best(self.ids[passing], (self.vectors @ query)[passing], k)
        return best(self.ids[passing], self.vectors[passing] @ query, k)

    def passing_ids(self, where: Filter | None) -> IntArray:
        """Ids of the items that pass, ascending."""
        mask = self.fields.passing(where) if where is not None else None
        return self.ids if mask is None else self.ids[mask]

    def facets(
        self, ids: Sequence[int] | IntArray, names: Sequence[str]
    ) -> dict[str, dict[str, int]]:
        """For each field name, how many of the given items carry each value; unknown ids count nowhere."""
        places, known = self.places(ids)
        return self.fields.facets(places[known], names)
