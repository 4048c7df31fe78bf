"""Groups of near vectors against comparing all of them."""

from __future__ import annotations

import numpy as np
import pytest

from peerscope.retrieval.index import cells as module
from peerscope.retrieval.index.cells import AIM, Cells

NUMBER, DIM = 24_000, 24


@pytest.fixture(scope="module")
def subjects() -> np.ndarray:
    return np.random.default_rng(3).integers(60, size=NUMBER)


@pytest.fixture(scope="module")
def rows(subjects) -> np.ndarray:
    """Clustered vectors of low rank, as texts give them."""
    generator = np.random.default_rng(4)
    centres = generator.normal(size=(60, 8))[subjects]
    latent = centres + 0.6 * generator.normal(size=(NUMBER, 8))
    found = latent @ generator.normal(size=(8, DIM)) + 0.3 * generator.normal(size=(NUMBER, DIM))
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def cells(rows) -> Cells:
    return Cells.of(rows)


@pytest.fixture(scope="module")
def queries(rows) -> np.ndarray:
    """Between the vectors, not on them."""
    generator = np.random.default_rng(5)
    found = rows[::480] + 0.5 * rows[generator.integers(NUMBER, size=50)]
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)


def recall(cells, rows, queries, mask=None) -> float:
    found = []
    for query in queries:
        scores = rows @ query if mask is None else np.where(mask, rows @ query, -9)
        most = 10 if mask is None else min(10, int(mask.sum()))
        exact = set(np.argsort(-scores, kind="stable")[:most].tolist())
        found.append(len(exact & set(cells.nearest(query, 10, rows, mask)[0].tolist())) / most)
    return float(np.mean(found))


def test_the_ten_nearest_are_found(cells, rows, queries) -> None:
    assert recall(cells, rows, queries) >= 0.99


@pytest.mark.parametrize("share", [0.5, 0.13, 0.01, 0.0001])
def test_a_filter_loses_nothing(cells, rows, queries, share) -> None:
    mask = np.random.default_rng(6).random(NUMBER) < share
    assert recall(cells, rows, queries, mask) >= 0.99


def test_a_filter_that_goes_with_the_meaning_loses_nothing(
    cells, rows, subjects, queries, monkeypatch
) -> None:
    """Only the ten subjects farthest from the query pass: the nearest groups hold none of them."""
    monkeypatch.setattr(module, "MOST_COMPARED", 100)
    found = []
    for query in queries:
        nearness = np.bincount(subjects, rows @ query) / np.bincount(subjects)
        mask = np.isin(subjects, np.argsort(nearness)[:10])
        assert not mask[cells.nearest(query, 50, rows)[0]].any()
        assert mask[cells.nearest(query, 50, rows, mask)[0]].all()
        found.append(recall(cells, rows, query[None], mask))
    assert np.mean(found) >= 0.98


@pytest.mark.parametrize("longer", [1.0, 8.0])
def test_a_query_goes_on_longer_where_what_passes_is_far(
    cells, rows, subjects, queries, monkeypatch, longer
) -> None:
    monkeypatch.setattr(module, "MOST_COMPARED", 100)
    monkeypatch.setattr(module, "MOST_LONGER", longer)
    monkeypatch.setattr(cells, "effort", 1)
    found = []
    for query in queries:
        nearness = np.bincount(subjects, rows @ query) / np.bincount(subjects)
        mask = np.isin(subjects, np.argsort(nearness)[:20])
        found.append(recall(cells, rows, query[None], mask))
    assert (np.mean(found) > 0.9) == (longer > 1)


def test_a_filter_that_says_nothing_of_the_meaning_takes_no_longer(cells, queries) -> None:
    mask = np.random.default_rng(6).random(NUMBER) < 0.3
    held = np.bincount(cells.cell_of[mask], minlength=len(cells.directions))
    for query in queries:
        groups = np.argsort(-(cells.directions @ query), kind="stable")
        assert cells._longer(groups, np.cumsum(held[groups]), 2000) < 1.5


def test_scores_are_exact_and_in_order(cells, rows, queries) -> None:
    found, scores = cells.nearest(queries[0], 300, rows)
    assert scores == pytest.approx(rows[found] @ queries[0], abs=1e-6)
    assert len(set(found.tolist())) == 300
    assert (np.diff(scores) <= 0).all()


def test_few_vectors_are_looked_at(cells, rows, queries, monkeypatch) -> None:
    """The budget of a query, as counts: full vectors that are read, and codes."""
    read = []

    class Watched:
        def __getitem__(self, wanted):
            read.append(len(wanted))
            return rows[wanted]

    opened = []
    joined = module.joined

    def watching(array, begins, ends):
        opened.append(int((ends - begins).sum()))
        return joined(array, begins, ends)

    monkeypatch.setattr(module, "joined", watching)
    for query in queries:
        cells.nearest(query, 10, Watched())
    assert max(read) == 10 + 5 + 32
    largest = np.diff(cells.bounds).max()
    assert max(opened) <= cells.effort * NUMBER**0.5 + largest
    assert max(opened) < NUMBER / 2


def test_effort_grows_until_the_aim_is_met(rows, cells, monkeypatch) -> None:
    """Vectors without any structure are the hardest there are."""
    monkeypatch.setattr(module, "PROBES", 60)
    generator = np.random.default_rng(7)
    hard = generator.normal(size=(20_000, 48)).astype(np.float32)
    hard /= np.linalg.norm(hard, axis=1, keepdims=True)
    made = Cells.of(hard)
    assert made.effort > cells.effort == module.EFFORT
    assert recall(made, hard, hard[::400]) >= AIM - 0.02


def test_a_saved_copy_reads_the_same(cells, rows, queries, tmp_path) -> None:
    cells.save(tmp_path / "cells")
    again = Cells.load(tmp_path / "cells", cells.effort)
    for query in queries[:5]:
        for k in (1, 10, 500):
            assert again.nearest(query, k, rows)[0].tolist() == (
                cells.nearest(query, k, rows)[0].tolist()
            )


def test_the_same_vectors_give_the_same_groups() -> None:
    generator = np.random.default_rng(8)
    given = generator.normal(size=(3000, 8)).astype(np.float32)
    given /= np.linalg.norm(given, axis=1, keepdims=True)
    given[7] = 0.0
    one, two = Cells.of(given), Cells.of(given)
    assert np.array_equal(one.rows, two.rows)
    assert np.array_equal(one.codes, two.codes)
    assert sorted(one.rows.tolist()) == list(range(3000))
