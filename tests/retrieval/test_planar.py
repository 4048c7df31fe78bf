"""Places in a plane: each against another way to come to the same, or against what was put in."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from peerscope.retrieval.planar import (
    GRID,
    Frame,
    kept_near,
    near_on_plane,
    on_grid,
    principal_plane,
    trustworthiness,
    turned_onto,
)


def unit(number: int, dim: int, seed: int) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(number, dim))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def test_the_principal_plane_is_that_of_a_singular_value_decomposition() -> None:
    vectors = unit(200, 12, 0)
    centred = vectors - vectors.mean(axis=0)
    left, strength, _ = np.linalg.svd(centred, full_matrices=False)
    found = principal_plane(vectors)
    for axis in range(2):
        expected = left[:, axis] * strength[axis]
        assert np.allclose(np.abs(found[:, axis] @ expected), (expected**2).sum(), rtol=1e-4)


@pytest.mark.parametrize("vectors", [np.zeros((0, 3)), np.ones((5, 3)), np.ones((4, 1))])
def test_vectors_without_difference_have_a_place_all_the_same(vectors) -> None:
    found = principal_plane(vectors)
    assert found.shape == (len(vectors), 2)
    assert np.allclose(found, 0)
    assert (Frame.of(found).placed(found) == 0.5).all()


@given(
    angle=st.floats(0, 6.28), scale=st.floats(0.01, 100), mirror=st.booleans(),
    shift=st.tuples(st.floats(-50, 50), st.floats(-50, 50)), seed=st.integers(0, 99),
)  # fmt: skip
def test_a_map_that_was_turned_is_turned_back(angle, scale, mirror, shift, seed) -> None:
    before = np.random.default_rng(seed).normal(size=(30, 2))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    if mirror:
        turn = turn @ np.diag([1, -1])
    after = scale * before @ turn + shift
    known = np.arange(0, 30, 2)
    assert np.allclose(turned_onto(after, known, before[known]), before, atol=1e-6)


@given(
    hnp.arrays(np.float64, st.tuples(st.integers(1, 60), st.just(2)),
               elements=st.sampled_from([0.0, 0.1, 0.5, 0.5 + 1 / GRID, 1.0, 1.7, -3.0]))
)  # fmt: skip
def test_no_two_items_share_a_step_of_the_grid(places) -> None:
    steps = on_grid(places)
    assert steps.shape == places.shape
    assert len({tuple(step) for step in steps.tolist()}) == len(places)
    clipped = np.clip(np.floor(np.clip(places, 0, 1) * GRID), 0, GRID - 1)
    assert np.abs(steps - clipped).max() <= 8  # 60 items need four rings at most, twice in a row


def test_items_that_stand_alone_stay_where_they_are() -> None:
    places = np.random.default_rng(1).random((500, 2))
    assert np.array_equal(on_grid(places), np.floor(places * GRID).astype(np.uint16))


def test_thousands_at_one_place_are_laid_out_quickly() -> None:
    steps = on_grid(np.full((5000, 2), 0.5)).astype(int)
    assert len({tuple(step) for step in steps.tolist()}) == 5000
    assert np.abs(steps - GRID // 2).max() <= 40


def test_near_on_the_plane_is_what_all_distances_say() -> None:
    places = np.random.default_rng(2).random((80, 2))
    rows = np.asarray([3, 40, 77])
    gaps = np.linalg.norm(places[rows, None] - places[None], axis=2)
    gaps[np.arange(3), rows] = np.inf
    assert np.array_equal(near_on_plane(places, rows, 7), np.argsort(gaps, axis=1)[:, :7])


def test_trustworthiness_is_that_of_scikit_learn() -> None:
    manifold = pytest.importorskip("sklearn.manifold")
    vectors = unit(300, 20, 3)
    places = np.random.default_rng(4).random((300, 2)) + 3 * principal_plane(vectors)
    expected = manifold.trustworthiness(vectors, places, n_neighbors=10, metric="cosine")
    assert trustworthiness(vectors, places, np.arange(300), 10) == pytest.approx(expected, abs=1e-9)
    assert 0.5 < expected < 0.99


def test_what_is_kept_counts_shared_neighbours() -> None:
    places = np.arange(20, dtype=float)[:, None] * [1, 0]
    rows = np.asarray([5, 10])
    near = np.asarray([[4, 6], [0, 9]])
    assert kept_near(near, places, rows) == pytest.approx(3 / 4)


@given(
    hnp.arrays(
        np.float64, st.tuples(st.integers(1, 80), st.just(2)), elements=st.floats(-1e6, 1e6)
    ),
)
def test_every_place_comes_into_the_square_and_keeps_its_order(places) -> None:
    shown = Frame.of(places).placed(places)
    assert ((shown >= 0) & (shown <= 1)).all()
    for axis in range(2):
        order = np.argsort(places[:, axis], kind="stable")
        assert (np.diff(shown[order, axis]) >= 0).all()


def test_a_far_island_does_not_make_the_rest_small() -> None:
    places = np.random.default_rng(0).normal(size=(5000, 2))
    places[:20] += 300
    shown = Frame.of(places).placed(places)
    assert np.ptp(shown[20:], axis=0).min() > 0.8
    assert (shown[:20] > 0.95).all()
