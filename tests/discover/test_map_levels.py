"""Tiles of a map: every work in exactly one, none too full, the most cited first."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from peerscope.discover.maps import levels
from peerscope.discover.maps.levels import BITS, levels_of, tile_numbers, tile_order


@st.composite
def works(draw):
    """Distinct places, some of them close together, with citations."""
    places = draw(
        st.sets(
            st.one_of(
                st.tuples(st.integers(0, 2**16 - 1), st.integers(0, 2**16 - 1)),
                st.tuples(st.integers(30_000, 30_007), st.integers(30_000, 30_007)),
            ),
            min_size=1, max_size=120,
        )
    )  # fmt: skip
    x, y = (np.asarray(axis, np.int64) for axis in zip(*sorted(places), strict=True))
    cited = np.asarray(draw(st.lists(st.integers(0, 3), min_size=len(x), max_size=len(x))))
    ids = np.asarray(draw(st.permutations(range(1, len(x) + 1))))
    return x, y, cited, ids


@given(works(), st.integers(1, 5))
def test_every_work_is_in_exactly_one_tile(given_works, room) -> None:
    x, y, cited, ids = given_works
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(levels, "ROOM", room)
        order, tiles = tile_order(x, y, cited, ids)
        level = levels_of(x, y, cited, ids)
    assert sorted(order.tolist()) == list(range(len(x)))
    met = []
    for z, column, row, begin, count in tiles.tolist():
        rows = order[begin : begin + count]
        assert 1 <= count <= room
        assert set(level[rows]) == {z}
        assert (x[rows] >> (BITS - z) == column).all()
        assert (y[rows] >> (BITS - z) == row).all()
        met += rows.tolist()
    assert sorted(met) == list(range(len(x)))
    assert len({(z, column, row) for z, column, row, _, _ in tiles.tolist()}) == len(tiles)


@given(works(), st.integers(1, 5))
def test_a_work_goes_deeper_only_where_more_cited_ones_fill_the_tile(given_works, room) -> None:
    x, y, cited, ids = given_works
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(levels, "ROOM", room)
        level = levels_of(x, y, cited, ids)
    for one in range(len(x)):
        for above in range(level[one]):
            tile = tile_numbers(x, y, above)
            filling = np.flatnonzero((tile == tile[one]) & (level == above))
            assert len(filling) == room
            assert all((-cited[f], ids[f]) < (-cited[one], ids[one]) for f in filling)


def test_the_first_level_of_a_large_map_holds_the_most_cited() -> None:
    generator = np.random.default_rng(0)
    places = np.unique(generator.integers(0, 2**16, size=(100_000, 2)), axis=0)
    cited = generator.zipf(1.8, len(places))
    order, tiles = tile_order(places[:, 0], places[:, 1], cited, np.arange(len(places)))
    first = tiles[0]
    assert tuple(first.tolist()) == (0, 0, 0, 0, levels.ROOM)
    assert cited[order[: levels.ROOM]].min() >= np.sort(cited)[-levels.ROOM]
