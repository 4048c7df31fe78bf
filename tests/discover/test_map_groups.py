"""Groups of a map: joined as Ward joins, only where they touch, one level within another."""

from __future__ import annotations

from itertools import combinations, pairwise

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.cluster.hierarchy import fcluster, linkage

from peerscope.discover.maps.groups import (
    FEWEST,
    _cut,
    _touching,
    joined_neighbours,
    nested_groups,
)


def partition(assigned) -> set[frozenset[int]]:
    return {frozenset(np.flatnonzero(assigned == one).tolist()) for one in np.unique(assigned)}


@given(st.integers(0, 200), st.integers(3, 25))
def test_where_all_touch_joins_are_those_of_scipy(seed, number) -> None:
    means = np.random.default_rng(seed).normal(size=(number, 4))
    joins = joined_neighbours(np.ones(number), means, set(combinations(range(number), 2)))
    expected = linkage(means, "ward")
    assert np.allclose([2 * price for *_, price in joins], expected[:, 2] ** 2)
    for groups in (2, number // 2 + 1):
        cut = fcluster(expected, groups, "maxclust")
        assert partition(_cut(joins, number, groups)) == partition(cut)


@given(st.integers(0, 200))
def test_no_group_is_torn_apart_on_the_map(seed) -> None:
    generator = np.random.default_rng(seed)
    centres, means = generator.random((40, 2)), generator.normal(size=(40, 6))
    touching = _touching(centres)
    joins = joined_neighbours(generator.integers(1, 9, 40), means, touching)
    graph = nx.Graph(touching)
    for groups in (2, 7, 20):
        for held in partition(_cut(joins, 40, groups)):
            assert nx.is_connected(graph.subgraph(held))


@pytest.mark.parametrize(
    "places",
    [np.zeros((60, 2)), np.arange(60)[:, None] * np.array([[1.0, 0.0]]), np.eye(60)[:, :2]],
    ids=["one place", "a line", "three places"],
)
def test_places_without_breadth_are_grouped_without_an_error(places) -> None:
    found = nested_groups(places, np.random.default_rng(0).normal(size=(60, 3)))
    assert all(len(level) == 60 for level in found)


def test_levels_nest_and_are_the_same_each_time() -> None:
    generator = np.random.default_rng(3)
    places = generator.normal(size=(30, 2))[np.arange(3000) % 30] + 0.1 * generator.normal(
        size=(3000, 2)
    )
    vectors = generator.normal(size=(30, 8))[np.arange(3000) % 30]
    found = nested_groups(places, vectors)
    assert len(found) == 3
    assert 8 <= len(np.unique(found[0])) <= 12
    for outer, inner in pairwise(found):
        assert len(np.unique(inner)) > len(np.unique(outer))
        for one in np.unique(inner):
            assert len(np.unique(outer[inner == one])) == 1
    again = nested_groups(places, vectors)
    assert all(np.array_equal(a, b) for a, b in zip(found, again, strict=True))


def test_too_few_works_have_no_regions() -> None:
    assert nested_groups(np.random.default_rng(0).random((FEWEST - 1, 2)), np.eye(FEWEST - 1)) == []
