"""Which level of a map shows which work first, and the tiles that works are sent in.

Level ``z`` cuts the map into ``2^z`` by ``2^z`` tiles. Every work is in exactly one tile of one level: the
most cited find room in the first, and what finds none goes on to the tile below it. Whoever shows a part of
the map at level ``z`` draws the tiles there of all levels from 0 to ``z``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from peerscope.discover.maps.shapes import TILE
from peerscope.retrieval.schema import IntArray

BITS = 16
"""Levels below the first: a tile of the last is one step of the grid, which holds one work."""

ROOM = 1024
"""Works of one tile at most; 22 kB."""


def levels_of(x: IntArray, y: IntArray, cited: IntArray, ids: IntArray) -> NDArray[np.uint8]:
    """The level of each work, shape ``[n]``.

    Args:
        x: Place on the grid, 0 to 65535; no two works share a place.
        y: Likewise.
        cited: How often each is cited; the most cited come first, then the smallest id.
        ids: Number of each work.
    """
    levels = np.zeros(len(ids), np.uint8)
    left = np.lexsort((ids, -np.asarray(cited, np.int64)))
    for level in range(BITS + 1):
        tiles = tile_numbers(x[left], y[left], level)
        order = np.argsort(tiles, kind="stable")
        sorted_tiles = tiles[order]
        first = np.searchsorted(sorted_tiles, sorted_tiles)
        late = np.arange(len(left)) - first >= ROOM
        levels[left] = level
        left = left[np.sort(order[late])]
        if not len(left):
            break
    return levels


def tile_numbers(x: IntArray, y: IntArray, level: int) -> IntArray:
    """The tile that each place lies in, numbered row by row."""
    shift = BITS - level
    column, row = np.asarray(x, np.int64) >> shift, np.asarray(y, np.int64) >> shift
    return (row << level) + column


def tile_order(
    x: IntArray, y: IntArray, cited: IntArray, ids: IntArray
) -> tuple[IntArray, NDArray[np.void]]:
    """The order in which every tile's works stand together, and where each tile begins.

    Returns:
        Rows in order of level, tile, then most cited, shape ``[n]``; and an array of `shapes.TILE`.
    """
    levels = levels_of(x, y, cited, ids)
    numbers = np.zeros(len(ids), np.int64)
    for level in np.unique(levels).tolist():
        held = levels == level
        numbers[held] = tile_numbers(x[held], y[held], level)
    order = np.lexsort((ids, -np.asarray(cited, np.int64), numbers, levels))
    keys = np.stack([levels[order].astype(np.int64), numbers[order]], axis=1)
    _, begins, counts = np.unique(keys, axis=0, return_index=True, return_counts=True)
    tiles = np.zeros(len(begins), TILE)
    tiles["z"] = keys[begins, 0]
    width = np.int64(1) << keys[begins, 0]
    tiles["x"], tiles["y"] = keys[begins, 1] % width, keys[begins, 1] // width
    tiles["begin"], tiles["count"] = begins, counts
    return order, tiles
