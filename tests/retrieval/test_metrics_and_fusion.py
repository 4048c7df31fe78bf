from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from peerscope.retrieval.fusion import Fusion, HeldOut, fit, ndcgs, standardised
from peerscope.retrieval.metrics import ndcg, recall, reciprocal_rank


def test_ndcg_by_hand() -> None:
    grades = {1: 3.0, 2: 1.0, 9: 2.0}
    # gains 1, 0, 3 at places 1, 2, 3; the ideal is 3, 2, 1
    expected = (1 + 3 / math.log2(4)) / (3 + 2 / math.log2(3) + 1 / math.log2(4))
    assert ndcg([2, 7, 1], grades) == pytest.approx(expected)
    assert ndcg([1, 9, 2], grades) == pytest.approx(1.0)
    assert ndcg([], grades) == 0
    assert ndcg([1], {1: 0.0}) == 0


def test_the_others_by_hand() -> None:
    assert reciprocal_rank([5, 4, 3], {3: 1.0}) == pytest.approx(1 / 3)
    assert reciprocal_rank([5, 4, 3], {3: 1.0}, k=2) == 0
    assert recall([1, 2, 3], {1: 1.0, 9: 1.0, 4: -1.0}) == 0.5


values = st.lists(st.floats(-5, 5, width=32), min_size=2, max_size=12)


@given(values, st.floats(0.5, 4), st.floats(-3, 3))
def test_a_feature_counts_by_place_not_by_scale(scores, scale, shift) -> None:
    one = np.asarray(scores, np.float32)
    other = (one * np.float32(scale) + np.float32(shift)).astype(np.float32)
    if one.std() > 1e-2:
        assert standardised(other) == pytest.approx(standardised(one), abs=1e-2)


@given(values)
def test_more_of_one_feature_never_ranks_lower(scores) -> None:
    lexical = np.asarray(scores, np.float32)
    flat = np.zeros_like(lexical)
    fused = Fusion(1.0, 0.5, 0.2).combine(lexical, flat, flat)
    order = np.argsort(-lexical, kind="stable")
    assert all(fused[a] >= fused[b] - 1e-6 for a, b in pairwise(order))


def rows(useful: str, seed: int = 0) -> list[HeldOut]:
    generator = np.random.default_rng(seed)
    found = []
    for _ in range(60):
        ids = np.arange(1, 31)
        relevant = int(generator.integers(1, 31))
        truth = (ids == relevant).astype(np.float32)
        signal = (3 * truth + generator.normal(size=30)).astype(np.float32)
        noise = generator.normal(size=30).astype(np.float32)
        lexical, dense = (signal, noise) if useful == "lexical" else (noise, signal)
        found.append(HeldOut(ids, lexical, dense, np.zeros(30, np.float32), {relevant: 1.0}))
    return found


def test_what_does_not_help_is_not_used() -> None:
    assert fit(rows("lexical")).dense <= 0.2
    assert fit(rows("dense")).dense >= 2.0
    assert fit([]) == Fusion()


@pytest.mark.parametrize("seed", [3, 4, 5])
def test_the_fit_is_within_a_standard_error_of_all_others_and_repeatable(seed) -> None:
    queries = rows("dense", seed=seed)
    best = fit(queries)
    assert best == fit(queries)
    mine = np.asarray(ndcgs(replace(best, feedback=0.0, neighbours=0.0), queries))
    for dense in (0.0, 0.5, 1.0, 3.0, 8.0):
        lost = np.asarray(ndcgs(Fusion(1.0, dense, 0.0), queries)) - mine
        assert lost.mean() <= lost.std() / np.sqrt(len(queries)) + 1e-6


@pytest.mark.parametrize("dense", [0.2, 1.0, 5.0])
def test_what_queries_cannot_tell_apart_stays_as_it_was(dense) -> None:
    """Words and vectors agree on every query, so that any weight gives the same order."""
    same = [replace(row, dense=row.lexical.copy()) for row in rows("lexical", seed=6)]
    start = Fusion(dense=dense, feedback=0.1)
    assert fit(same, start) == start


def test_a_start_between_two_weights_of_the_grid_is_near_to_both() -> None:
    queries = [replace(row, dense=row.lexical.copy()) for row in rows("lexical", seed=6)]
    assert fit(queries, Fusion(dense=0.3)).dense in (0.2, 0.35)
    assert fit([], Fusion(dense=0.3)).dense == 0.3


def test_without_a_dense_part_words_stand_alone() -> None:
    lexical = np.asarray([1, 3, 2], np.float32)
    fused = Fusion().combine(lexical, None, np.zeros(3, np.float32))
    assert fused.argsort().tolist() == [0, 2, 1]


def test_what_readers_come_back_to_counts_only_where_they_do() -> None:
    def asked(comes_back: bool, seed: int) -> list[HeldOut]:
        generator = np.random.default_rng(seed)
        found = []
        for query in rows("lexical", seed):
            relevant = next(iter(query.grades))
            other = int(generator.integers(1, 31))
            met = np.isin(query.ids, [relevant if comes_back else other]).astype(np.float32)
            found.append(replace(query, met=met))
        return found

    assert fit(asked(True, 1)).met >= 1.0
    assert fit(asked(False, 1)).met == 0.0
    assert fit(rows("lexical", 1)).met == 0.0
    weights = Fusion(met=2.0)
    flat = np.zeros(3, np.float32)
    assert weights.combine(flat, None, flat, np.asarray([0, 1, 0], np.float32)).tolist() == [
        0,
        2,
        0,
    ]
