"""A map opened for reading: what lies in a window of it, its tiles, its regions, the place of a work.

Everything is answered from the arrays of the map. What was deleted since it was made is left out of each
answer; what came since is counted and has no place of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from peerscope.discover.maps.levels import BITS
from peerscope.discover.maps.shapes import WORK, MapAbout, Region
from peerscope.retrieval.planar import GRID
from peerscope.retrieval.schema import IntArray

DEEPEST = 10
"""Level of the closest look; the map is a thousand times as wide there."""

COLOURS = ("region", "topic", "year", "type")
OTHER = 0
"""Category of works that the legend does not tell apart."""

YEAR_STEPS = 6
MOST_TYPES = 7
SPAN = 1 << 24
"""More than there are columns of hexagons on the closest level."""

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Window:
    """A square part of the map.

    Attributes:
        x: Its middle, in the unit square.
        y: Likewise, downwards.
        z: Level: the side is 2 to the power of ``-z``; whole on pages, any in a viewer.
    """

    x: float = 0.5
    y: float = 0.5
    z: float = 0

    @classmethod
    def of(cls, x: float, y: float, z: float) -> Window:
        """The window nearest to the one asked for that lies within the map."""
        level = min(max(z, 0), DEEPEST)
        half = 0.5**level / 2
        return cls(min(max(x, half), 1 - half), min(max(y, half), 1 - half), level)

    @classmethod
    def around(cls, region: Region) -> Window:
        """The closest window that shows nine tenths of a region."""
        left, top, right, bottom = region.box
        side = max(right - left, bottom - top, 0.5**DEEPEST)
        level = int(np.floor(-np.log2(min(side, 1.0))))
        return cls.of((left + right) / 2, (top + bottom) / 2, level)

    @property
    def side(self) -> float:
        """Its width and height."""
        return float(0.5**self.z)

    @property
    def left(self) -> float:
        """Its left side."""
        return self.x - self.side / 2

    @property
    def top(self) -> float:
        """Its upper side."""
        return self.y - self.side / 2

    def shows(self, x: float, y: float) -> bool:
        """Whether a place lies in it."""
        return 0 <= x - self.left <= self.side and 0 <= y - self.top <= self.side


@dataclass(frozen=True, slots=True)
class Spot:
    """A place of the map with how many works there are and the most frequent category among them."""

    x: float
    y: float
    works: int
    category: int


class OpenMap:
    """A map in memory.

    Args:
        about: What it says of itself.
        works: Rows of `shapes.WORK`, in the order of the tiles.
        tiles: Rows of `shapes.TILE`.
        regions: In order of their number.
    """

    def __init__(
        self,
        about: MapAbout,
        works: NDArray[np.void],
        tiles: NDArray[np.void],
        regions: Sequence[Region],
    ) -> None:
        self.about = about
        self.regions = tuple(regions)
        self._works = works
        self._tiles = {
            (int(z), int(x), int(y)): (int(begin), int(count)) for z, x, y, begin, count in tiles
        }
        self._column = {name: np.ascontiguousarray(works[name]) for name in WORK.names or ()}
        ids = works["id"].astype(np.int64)
        self._order = np.argsort(ids, kind="stable")
        self._ids = ids
        self._sorted = ids[self._order]
        self._cited_first = np.lexsort((ids, -self._column["cited"].astype(np.int64)))
        self._there = np.ones(len(ids), bool)
        self.newer: frozenset[int] = frozenset()

    def changed(self, gone: Iterable[int], back: Iterable[int], new: Iterable[int]) -> None:
        """Take in what the record changed: works deleted, works in sight (again), of these the new ones."""
        there = self._there.copy()
        there[self.rows(list(gone))] = False
        there[self.rows(list(back))] = True
        self._there = there
        self.newer = (self.newer | frozenset(new)) - frozenset(gone)
        self.__dict__.pop("version", None)

    @cached_property
    def version(self) -> str:
        """Part of the address of tiles: changes with every work that is deleted."""
        gone = self._ids[~self._there]
        if not len(gone):
            return self.about.id
        return f"{self.about.id}.{sha256(np.sort(gone).tobytes()).hexdigest()[:8]}"

    @cached_property
    def levels(self) -> int:
        """The deepest level that has a tile."""
        return max((z for z, _, _ in self._tiles), default=0)

    @property
    def total(self) -> int:
        """Works of the map that are still in the record."""
        return int(np.count_nonzero(self._there))

    def rows(self, ids: Sequence[int] | IntArray) -> IntArray:
        """Rows of those of the given works that have a place, in the given order."""
        wanted = np.asarray(ids, np.int64)
        if not len(self._sorted) or not len(wanted):
            return np.empty(0, np.int64)
        found = np.minimum(np.searchsorted(self._sorted, wanted), len(self._sorted) - 1)
        rows: IntArray = self._order[found[self._sorted[found] == wanted]]
        return rows

    def place(self, work_id: int) -> tuple[float, float] | None:
        """The place of a work in the unit square; ``None`` where it has none or was deleted."""
        rows = self.rows([work_id])
        if not len(rows) or not self._there[rows[0]]:
            return None
        return self._place(int(rows[0]))

    def _place(self, row: int) -> tuple[float, float]:
        return (
            (float(self._column["x"][row]) + 0.5) / GRID,
            (float(self._column["y"][row]) + 0.5) / GRID,
        )

    def amid(self, ids: Sequence[int]) -> tuple[float, float] | None:
        """The place of the one of some works that lies nearest to all others; ``None`` without any."""
        rows = self.rows(ids)
        rows = rows[self._there[rows]]
        if not len(rows):
            return None
        places = np.stack([self._column["x"][rows], self._column["y"][rows]], axis=1).astype(float)
        gaps = np.linalg.norm(places[:, None] - places[None], axis=2).sum(axis=1)
        return self._place(int(rows[int(np.argmin(gaps))]))

    def tile(self, z: int, x: int, y: int) -> bytes:
        """The rows of a tile, without deleted works; empty where there are none."""
        begin, count = self._tiles.get((z, x, y), (0, 0))
        rows = self._works[begin : begin + count]
        there = self._there[begin : begin + count]
        return (rows if there.all() else rows[there]).tobytes()

    def tiles(self) -> list[tuple[int, int, int]]:
        """Level, column and row of every tile that there is."""
        return sorted(self._tiles)

    def inside(
        self, window: Window, years: tuple[int | None, int | None] = (None, None)
    ) -> IntArray:
        """Rows of the works in a window, the most cited first.

        Args:
            window: Which part.
            years: First and last year; works without a year pass only where neither is set.
        """
        held = self._there & self._between(years)
        if window.z:
            x, y = self._column["x"], self._column["y"]
            left, top = window.left * GRID, window.top * GRID
            wide = window.side * GRID
            held &= (x >= left) & (x < left + wide) & (y >= top) & (y < top + wide)
        return self._first(held)

    def _first(self, held: Mask) -> IntArray:
        """Rows that are held, the most cited first."""
        found: IntArray = self._cited_first[held[self._cited_first]]
        return found

    def _between(self, years: tuple[int | None, int | None]) -> Mask:
        first, last = years
        year = self._column["year"]
        held = np.ones(len(year), bool)
        if first is not None or last is not None:
            held &= year != 0
        if first is not None:
            held &= year >= first
        if last is not None:
            held &= year <= last
        return held

    def ids(self, rows: IntArray) -> list[int]:
        """Numbers of the works of some rows."""
        return [int(one) for one in self._ids[rows]]

    def places(self, rows: IntArray) -> list[tuple[float, float]]:
        """Places of some rows in the unit square."""
        return [self._place(row) for row in rows.tolist()]

    def spots(self, rows: IntArray, z: float, colour: str, across: int) -> list[Spot]:
        """Works gathered on a grid of hexagons that stays where it is while a window moves.

        Args:
            rows: Which works.
            z: Level.
            colour: One of `COLOURS`.
            across: Hexagons along the side of a window of this level.
        """
        if not len(rows):
            return []
        wide = 0.5**z / across
        high = wide * np.sqrt(3)
        x = (self._column["x"][rows] + 0.5) / GRID
        y = (self._column["y"][rows] + 0.5) / GRID
        even = np.rint(x / wide), np.rint(y / high)
        odd = np.floor(x / wide), np.floor(y / high)
        to_even = (x - even[0] * wide) ** 2 + (y - even[1] * high) ** 2
        to_odd = (x - (odd[0] + 0.5) * wide) ** 2 + (y - (odd[1] + 0.5) * high) ** 2
        near = to_even <= to_odd
        column = np.where(near, 2 * even[0], 2 * odd[0] + 1).astype(np.int64)
        line = np.where(near, 2 * even[1], 2 * odd[1] + 1).astype(np.int64)
        category = self.categories(colour)[rows]
        cells, cell = np.unique(line * SPAN + column, return_inverse=True)
        wide_of = int(category.max()) + 1
        counts = np.bincount(cell * wide_of + category, minlength=len(cells) * wide_of)
        counts = counts.reshape(len(cells), wide_of)
        return [
            Spot(float(c * wide / 2), float(r * high / 2), int(n.sum()), int(n.argmax()))
            for (r, c), n in zip((divmod(one, SPAN) for one in cells.tolist()), counts, strict=True)
        ]

    def categories(self, colour: str) -> IntArray:
        """Category of every row, `OTHER` for what the legend does not tell apart."""
        works = self._column
        if colour == "topic":
            return works["topic"].astype(np.int64)
        if colour == "type":
            kind = works["type"].astype(np.int64)
            return np.where(kind < MOST_TYPES, kind + 1, OTHER)
        if colour == "year":
            year = works["year"]
            steps = np.searchsorted(np.asarray(self.year_steps), year, side="right")
            return np.where(year == 0, OTHER, np.clip(steps, 1, YEAR_STEPS)).astype(np.int64)
        found: IntArray = self._largest[works["region"].astype(np.int64)]
        return found

    @property
    def types(self) -> list[str]:
        """Types that are told apart, most frequent first."""
        return self.about.types[:MOST_TYPES]

    @cached_property
    def year_steps(self) -> list[int]:
        """First years of the steps in which years are coloured, each with about equally many works."""
        year = self._column["year"]
        stated = year[year != 0]
        if not len(stated):
            return []
        shares = np.arange(YEAR_STEPS) / YEAR_STEPS
        return sorted({int(one) for one in np.quantile(stated, shares, method="lower")})

    @cached_property
    def _largest(self) -> IntArray:
        """The region of the first level that each region lies in, by number; 0 for none."""
        found = np.zeros(len(self.regions) + 1, np.int64)
        for region in self.regions:
            found[region.number] = region.number if region.parent is None else found[region.parent]
        return found

    def region(self, number: int) -> Region | None:
        """A region by its number."""
        return self.regions[number - 1] if 0 < number <= len(self.regions) else None

    def parts(self, number: int | None) -> list[Region]:
        """The regions directly within one; the largest ones for ``None``."""
        return [one for one in self.regions if one.parent == number]

    def enclosing(self, region: Region) -> list[Region]:
        """The regions around one, the largest first."""
        found: list[Region] = []
        above = region.parent
        while above is not None:
            found.insert(0, self.regions[above - 1])
            above = self.regions[above - 1].parent
        return found

    def region_rows(self, number: int) -> IntArray:
        """Rows of the works of a region, the most cited first."""
        within = {number}
        for region in self.regions:
            if region.parent in within:
                within.add(region.number)
        inside = np.zeros(len(self.regions) + 1, bool)
        inside[sorted(within)] = True
        return self._first(self._there & inside[self._column["region"]])

    def in_regions(self, rows: IntArray) -> dict[int, int]:
        """How many of some works each region has, by its number; enclosing ones count them too."""
        counted = np.bincount(self._column["region"][rows], minlength=len(self.regions) + 1)
        for region in reversed(self.regions):
            if region.parent is not None:
                counted[region.parent] += counted[region.number]
        return {n: int(counted[n]) for n in range(1, len(counted)) if counted[n]}

    @staticmethod
    def is_tile(z: int, x: int, y: int) -> bool:
        """Whether there could be such a tile."""
        return 0 <= z <= BITS and 0 <= x < 1 << z and 0 <= y < 1 << z
