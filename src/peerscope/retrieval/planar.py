"""Places in a plane for item vectors: a start, a steady look, a grid, and how much a plane keeps.

NumPy and SciPy only. The slower way to places, t-SNE, is in `peerscope.retrieval.tsne`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from peerscope.retrieval.schema import FloatArray, IntArray

Places = NDArray[np.float64]
"""Places in a plane, shape ``[n, 2]``."""

GRID = 1 << 16
"""Steps of the grid along each side: a place is two unsigned 16-bit numbers."""

FAR_OUT = 0.01
"""Share of the places on each side of each axis that may lie too far out to be drawn to scale."""

BORDER = 0.08
"""Share of the unit square on each side that these are drawn into."""

CHUNK = 1024


def principal_plane(vectors: FloatArray) -> Places:
    """The two directions along which the vectors differ most (PCA).

    Args:
        vectors: Shape ``[n, d]``, ``d`` of 1 or more.

    Returns:
        Shape ``[n, 2]``. The largest weight of a direction is positive, so that equal vectors give equal
        places everywhere; a direction without any difference gives zeros.
    """
    found = np.zeros((len(vectors), 2))
    if not len(vectors):
        return found
    centred = np.asarray(vectors, np.float64) - np.mean(vectors, axis=0, dtype=np.float64)
    _, directions = np.linalg.eigh(centred.T @ centred)
    for axis, direction in enumerate(directions.T[::-1][:2]):
        sign = 1.0 if direction[np.argmax(np.abs(direction))] >= 0 else -1.0
        found[:, axis] = centred @ (sign * direction)
    return found


def turned_onto(places: Places, known: IntArray, onto: Places) -> Places:
    """Places turned, mirrored, scaled and moved so that some come nearest to where they were.

    The similarity of least squares (orthogonal Procrustes, Schönemann 1966, with scale and shift).

    Args:
        places: Shape ``[n, 2]``.
        known: Rows with an earlier place, shape ``[m]``.
        onto: Their earlier places, shape ``[m, 2]``.
    """
    if len(known) < 2:
        return places
    here, there = places[known], onto
    centre, goal = here.mean(axis=0), there.mean(axis=0)
    spread = float(((here - centre) ** 2).sum())
    if spread <= 0:
        shifted: Places = places - centre + goal
        return shifted
    left, strength, right = np.linalg.svd((here - centre).T @ (there - goal))
    moved: Places = (places - centre) @ (left @ right) * (strength.sum() / spread) + goal
    return moved


@dataclass(frozen=True, slots=True)
class Frame:
    """How places come into the unit square: most of them to scale, what lies far out drawn in.

    A few far islands would otherwise leave everything else a small heap in the middle. Order along each
    axis stays as it is, and whatever is added later has room.

    Attributes:
        x: Middle of what is drawn to scale.
        y: Likewise.
        side: Its width and height.
    """

    x: float
    y: float
    side: float

    @classmethod
    def of(cls, places: Places) -> Self:
        """The frame that draws all but the outermost `FAR_OUT` on each side to scale."""
        if not len(places):
            return cls(0.0, 0.0, 0.0)
        low, high = np.quantile(places, (FAR_OUT, 1 - FAR_OUT), axis=0)
        x, y = ((low + high) / 2).tolist()
        return cls(x, y, float((high - low).max()))

    def placed(self, places: Places) -> Places:
        """Places in the unit square, its border left out."""
        if self.side <= 0:
            return np.full(places.shape, 0.5)
        from_middle = (places - (self.x, self.y)) / self.side * (1 - 2 * BORDER)
        beyond = np.maximum(np.abs(from_middle) - (0.5 - BORDER), 0)
        drawn = np.minimum(np.abs(from_middle), 0.5 - BORDER) + BORDER * -np.expm1(-beyond / BORDER)
        found: Places = 0.5 + np.sign(from_middle) * drawn
        return found


def on_grid(places: Places) -> NDArray[np.uint16]:
    """Places of the unit square on the grid, no two on the same step.

    Items at one place (equal vectors) are laid out side by side, in the order of their rows.

    Args:
        places: Shape ``[n, 2]``, values outside 0 to 1 are clipped; fewer than ``GRID ** 2``.
    """
    steps = np.clip(np.floor(places * GRID), 0, GRID - 1).astype(np.int64)
    keys = steps[:, 1] * GRID + steps[:, 0]
    _, first = np.unique(keys, return_index=True)
    doubled = np.setdiff1d(np.arange(len(keys)), first)
    if len(doubled):
        taken = set(keys[first].tolist())
        reach: dict[int, int] = {}
        for row in doubled.tolist():
            key, reach[keys[row]] = _free(int(keys[row]), taken, reach.get(keys[row], 1))
            taken.add(key)
            steps[row] = key % GRID, key // GRID
    return steps.astype(np.uint16)


def _free(key: int, taken: set[int], reach: int) -> tuple[int, int]:
    """The first free step around one, ring by ring, and the ring it was found on."""
    x, y = key % GRID, key // GRID
    while True:
        for across in range(-reach, reach + 1):
            rows = range(-reach, reach + 1) if abs(across) == reach else (-reach, reach)
            for down in rows:
                column, row = x + across, y + down
                if 0 <= column < GRID and 0 <= row < GRID and row * GRID + column not in taken:
                    return row * GRID + column, reach
        reach += 1


def near_on_plane(places: Places, rows: IntArray, k: int) -> IntArray:
    """The ``k`` nearest others of some rows on the plane, nearest first, shape ``[len(rows), k]``."""
    _, found = cKDTree(places).query(places[rows], k=k + 1)
    own = found == rows[:, None]
    own[~own.any(axis=1), -1] = True  # several at one place: the row itself may not be among them
    return np.asarray(found[~own].reshape(len(rows), k), np.int64)


def kept_near(near: IntArray, places: Places, rows: IntArray) -> float:
    """Share of the nearest by vector that are among the equally many nearest on the plane.

    Args:
        near: Nearest others of each of the rows by vector, shape ``[len(rows), k]``.
        places: Shape ``[n, 2]``.
        rows: Shape ``[m]``.
    """
    found = near_on_plane(places, rows, near.shape[1])
    met = sum(len(np.intersect1d(a, b)) for a, b in zip(near, found, strict=True))
    return met / max(near.size, 1)


def trustworthiness(vectors: FloatArray, places: Places, rows: IntArray, k: int) -> float:
    """How far the near ones on the plane are near by vector as well (Venna and Kaski 2001), 0 to 1.

    Args:
        vectors: Unit vectors, shape ``[n, d]``.
        places: Shape ``[n, 2]``.
        rows: Rows over which it is averaged; with all of them it is the measure as published.
        k: Neighbours looked at, fewer than ``n / 2``.
    """
    number = len(vectors)
    found = near_on_plane(places, rows, k)
    penalty = 0
    for start in range(0, len(rows), CHUNK):
        part = rows[start : start + CHUNK]
        likeness = vectors[part] @ vectors.T
        likeness[np.arange(len(part)), part] = np.inf
        for scores, near in zip(likeness, found[start : start + CHUNK], strict=True):
            ranks = (scores[None, :] > scores[near][:, None]).sum(axis=1)
            penalty += int(np.maximum(ranks - k, 0).sum())
    return 1 - 2 * penalty / (len(rows) * k * (2 * number - 3 * k - 1))
