"""B-cubed and pairwise figures from counts, against their definitions over all pairs of items."""

from __future__ import annotations

import sys
from fractions import Fraction
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

import identity_measure as measure

PARTITIONS = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(0, 3), st.booleans()),
    min_size=1,
    max_size=14,
)


def arrays(rows: list[tuple[int, int, int, bool]]) -> tuple[np.ndarray, ...]:
    gold, found, name, part = (np.asarray(column) for column in zip(*rows, strict=True))
    return gold, found, name, part


def mean(values: list[Fraction]) -> Fraction:
    return sum(values, Fraction()) / len(values)


@given(PARTITIONS)
def test_b_cubed_is_its_definition(rows: list[tuple[int, int, int, bool]]) -> None:
    gold, found, _, part = arrays(rows)
    precision, recall = [], []
    for g, f, _, _ in rows:
        cluster = [one for one in rows if one[1] == f]
        person = [one for one in rows if one[0] == g]
        precision.append(Fraction(sum(one[0] == g for one in cluster), len(cluster)))
        recall.append(Fraction(sum(one[1] == f for one in person), len(person)))
    whole = measure.b_cubed(gold, found)
    assert whole.precision == pytest.approx(float(mean(precision)), abs=1e-12)
    assert whole.recall == pytest.approx(float(mean(recall)), abs=1e-12)
    if part.any():
        some = measure.b_cubed(gold, found, part)
        inside = [p for p, row in zip(precision, rows, strict=True) if row[3]]
        assert some.precision == pytest.approx(float(mean(inside)), abs=1e-12)


@given(PARTITIONS)
def test_pairwise_is_its_definition(rows: list[tuple[int, int, int, bool]]) -> None:
    gold, found, _, part = arrays(rows)
    for mask in (None, part):
        items = [row for row in rows if mask is None or row[3]]
        pairs = list(combinations(items, 2))
        right = sum(a[0] == b[0] and a[1] == b[1] for a, b in pairs)
        made = sum(a[1] == b[1] for a, b in pairs)
        true = sum(a[0] == b[0] for a, b in pairs)
        figures = measure.pairwise(gold, found, mask)
        assert figures.precision == (pytest.approx(right / made) if made else 1.0)
        assert figures.recall == (pytest.approx(right / true) if true else 1.0)


@given(PARTITIONS)
def test_swapping_gold_and_found_swaps_precision_and_recall(
    rows: list[tuple[int, int, int, bool]],
) -> None:
    gold, found, _, _ = arrays(rows)
    for figures in (measure.b_cubed, measure.pairwise):
        there, back = figures(gold, found), figures(found, gold)
        assert (there.precision, there.recall) == (back.recall, back.precision)
        assert there.f1 == pytest.approx(back.f1)
    same = measure.b_cubed(gold, gold + 7)
    assert (same.precision, same.recall, same.f1) == (1.0, 1.0, 1.0)


@given(PARTITIONS)
def test_what_precision_lacks_is_lost_under_one_name_or_across_names(
    rows: list[tuple[int, int, int, bool]],
) -> None:
    gold, found, names, _ = arrays(rows)
    within = []
    for g, f, name, _ in rows:
        cluster = [one for one in rows if one[1] == f]
        wrong = sum(one[0] != g and one[2] == name for one in cluster)
        within.append(Fraction(wrong, len(cluster)))
    one, other = measure.lost_by_name(gold, found, names)
    assert one == pytest.approx(float(mean(within)), abs=1e-12)
    assert one + other == pytest.approx(1 - measure.b_cubed(gold, found).precision, abs=1e-12)


def test_a_worked_example() -> None:
    # Persons a a a b b, clusters 1 1 2 2 2: precision 1 1 1/3 2/3 2/3, recall 2/3 2/3 1/3 1 1.
    gold, found = np.asarray([0, 0, 0, 1, 1]), np.asarray([1, 1, 2, 2, 2])
    figures = measure.b_cubed(gold, found)
    assert (figures.precision, figures.recall) == (pytest.approx(11 / 15), pytest.approx(11 / 15))
    pairs = measure.pairwise(gold, found)
    assert (pairs.precision, pairs.recall) == (0.5, 0.5)


def test_the_interval_holds_the_figure_and_knows_blocks() -> None:
    draw = np.random.default_rng(0)
    precision, recall = draw.uniform(0.8, 1, 4000), draw.uniform(0.6, 1, 4000)
    figure = measure.Figures(precision.mean(), recall.mean()).f1
    low, high = measure.interval(precision, recall, np.arange(4000), 200)
    assert low < figure < high < low + 0.02
    # Equal items repeated in one block say nothing new: the interval stays as wide.
    again = measure.interval(
        np.repeat(precision, 5), np.repeat(recall, 5), np.repeat(np.arange(4000), 5), 200
    )
    assert again[1] - again[0] == pytest.approx(high - low, rel=0.3)
