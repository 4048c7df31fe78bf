"""Near vectors without comparing all: an inverted file (Jégou, Douze and Schmid 2011) over int8 codes.

Vectors are grouped around some hundred or thousand directions. A query looks into the nearest groups, at one
byte for each number (a scale for each dimension), and what comes out is scored again from the full vectors.
How many groups it looks into is not fixed: it goes on until it has met enough items *that pass the filter*,
and goes on longer where the filter goes with the meaning ("physics only", asked about linguistics), so that
what passes is far from the query and spread over many groups. Where few pass, all are compared, exactly.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from peerscope.retrieval.index.arrays import NOTHING, joined, mapped, top_rows
from peerscope.retrieval.index.fields import Mask
from peerscope.retrieval.kmeans import mean_directions, nearest_direction
from peerscope.retrieval.schema import FloatArray, IntArray

MOST_COMPARED = 16_384
"""Up to this many items that pass a filter, all are compared exactly."""

EFFORT = 64
"""Items met before a query stops are this number times the square root of those that pass, at least; doubled
while the index is built until `AIM` is reached on its own items."""

MOST_EFFORT = 1024
MOST_LONGER = 8.0
"""How much longer a query may go on under a filter that leaves out what is near to it."""

AIM = 0.99
"""Share of the ten nearest of an item that must be found."""

PROBES = 200
"""Items whose neighbours are looked up to measure it."""

TRAINED_ON = 64
"""Vectors for each group that its direction is learned from."""

ITERATIONS = 10
ARRAYS = ("directions", "bounds", "rows", "places", "cell_of", "codes", "scale")


class Cells:
    """Groups of near vectors; immutable, in memory or mapped from files.

    Attributes:
        directions: Mean direction of each group, shape ``[groups, dim]``.
        bounds: Where each group begins and ends in ``rows`` and ``codes``, shape ``[groups + 1]``.
        rows: Rows of all groups one after the other, shape ``[n]``.
        places: Place of each row in ``rows``, shape ``[n]``.
        cell_of: Group of each row, shape ``[n]``.
        codes: The vectors as int8, in the order of ``rows``, shape ``[n, dim]``.
        scale: What one step of a code is worth, shape ``[dim]``.
        effort: See `EFFORT`.
    """

    def __init__(
        self,
        directions: FloatArray,
        bounds: IntArray,
        rows: NDArray[np.int32],
        places: NDArray[np.int32],
        cell_of: NDArray[np.uint16],
        codes: NDArray[np.int8],
        scale: FloatArray,
        *,
        effort: float = EFFORT,
    ) -> None:
        self.directions = directions
        self.bounds = bounds
        self.rows = rows
        self.places = places
        self.cell_of = cell_of
        self.codes = codes
        self.scale = scale
        self.effort = effort

    @classmethod
    def of(cls, vectors: FloatArray, seed: int = 0) -> Self:
        """Group unit vectors, shape ``[n, dim]``, into about twice the square root of ``n`` groups."""
        groups = min(max(1, round(2 * math.sqrt(len(vectors)))), 2**16)
        generator = np.random.default_rng(seed)
        most = min(len(vectors), TRAINED_ON * groups)
        sample = np.sort(generator.choice(len(vectors), most, replace=False))
        directions = mean_directions(vectors[sample], groups, seed, ITERATIONS)
        cell_of = nearest_direction(vectors, directions).astype(np.uint16)
        rows = np.argsort(cell_of, kind="stable").astype(np.int32)
        places = np.empty_like(rows)
        places[rows] = np.arange(len(rows), dtype=np.int32)
        counted = np.bincount(cell_of, minlength=groups)
        bounds = np.concatenate(([0], np.cumsum(counted))).astype(np.int64)
        scale = np.maximum(np.abs(vectors).max(axis=0) / 127, 1e-12).astype(np.float32)
        codes = np.empty(vectors.shape, np.int8)
        for start in range(0, len(rows), 65_536):
            part = slice(start, start + 65_536)
            codes[part] = np.rint(vectors[rows[part]] / scale)
        made = cls(directions, bounds, rows, places, cell_of, codes, scale)
        made._fit_effort(vectors, generator)
        return made

    def _fit_effort(self, vectors: FloatArray, generator: np.random.Generator) -> None:
        """Double the effort until the neighbours of the index's own items are found."""
        asked = vectors[np.sort(generator.choice(len(vectors), min(PROBES, len(vectors))))]
        exact = [set(top_rows(vectors @ query, 10).tolist()) for query in asked]
        while self.effort < MOST_EFFORT:
            found = [set(self.nearest(query, 10, vectors)[0].tolist()) for query in asked]
            met = sum(len(a & b) for a, b in zip(found, exact, strict=True))
            if met >= AIM * sum(len(a) for a in exact):
                return
            self.effort *= 2

    def save(self, folder: Path) -> None:
        """Write one array file for each part into a new folder."""
        folder.mkdir()
        for name in ARRAYS:
            np.save(folder / f"{name}.npy", getattr(self, name))

    @classmethod
    def load(cls, folder: Path, effort: float) -> Self:
        """What `save` wrote; codes stay on disk until they are touched."""
        return cls(*(mapped(folder / f"{name}.npy") for name in ARRAYS), effort=effort)

    def nearest(
        self, query: FloatArray, k: int, vectors: FloatArray, passing: Mask | None = None
    ) -> tuple[IntArray, FloatArray]:
        """Rows of the ``k`` vectors of largest inner product, best first, and these products.

        Args:
            query: Shape ``[dim]``.
            k: How many at most.
            vectors: The full vectors by row, shape ``[n, dim]``.
            passing: Rows that may be found, shape ``[n]``; all if ``None``.
        """
        allowed = None if passing is None else np.flatnonzero(passing)
        number = len(self.rows) if allowed is None else len(allowed)
        wanted = max(self.effort * math.sqrt(number), 8 * k)
        if number <= max(MOST_COMPARED, wanted):
            rows = np.arange(number) if allowed is None else allowed
        else:
            rows = self._near(query, k + k // 2 + 32, wanted, allowed)
        scores = vectors[rows] @ query
        order = top_rows(scores, k)
        return rows[order], scores[order]

    def _near(
        self, query: FloatArray, most: int, wanted: float, allowed: IntArray | None
    ) -> IntArray:
        """About the ``most`` nearest of the allowed rows (all if ``None``), by their codes, ascending."""
        groups = np.argsort(-(self.directions @ query), kind="stable")
        if allowed is None:
            held = np.diff(self.bounds)
        else:
            own = self.cell_of[allowed]
            held = np.bincount(own, minlength=len(groups))
        met = np.cumsum(held[groups])
        if allowed is not None:
            wanted *= self._longer(groups, met, wanted)
        groups = groups[: int(np.searchsorted(met, wanted)) + 1]
        scaled = (query * self.scale).astype(np.float32)
        if allowed is None:
            begins, ends = self.bounds[groups], self.bounds[groups + 1]
            rows = joined(self.rows, begins, ends)
            spans = zip(begins.tolist(), ends.tolist(), strict=True)
            parts = [self.codes[a:b].astype(np.float32) @ scaled for a, b in spans]
            scores = np.concatenate(parts)
        else:
            opened = np.zeros(len(held), dtype=bool)
            opened[groups] = True
            rows = allowed[opened[own]]
            scores = self.codes[self.places[rows]].astype(np.float32) @ scaled
        return np.sort(rows[top_rows(scores, most, NOTHING)]).astype(np.int64)

    def _longer(self, groups: IntArray, met: IntArray, wanted: float) -> float:
        """How much longer to go on: the square of how rare passing items are near the query, 1 or more.

        Args:
            groups: All groups, nearest first.
            met: Passing items in the first groups, cumulative.
            wanted: Passing items after which the query would stop.
        """
        last = min(int(np.searchsorted(met, wanted)), len(met) - 1)
        share = met[-1] / len(self.rows)
        expected = share * np.diff(self.bounds)[groups[: last + 1]].sum()
        return float(min(MOST_LONGER, max(1.0, expected / max(met[last], 1)) ** 2))
