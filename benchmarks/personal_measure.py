"""Figures of one system on askings: per asking, so that systems can be compared in pairs and by group."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ir_measures
import numpy as np
from ir_measures import RR, R, nDCG
from numpy.typing import NDArray
from personal_data import Asking
from scipy import stats

Floats = NDArray[np.floating[Any]]
Scorer = Callable[[int, Asking], Floats]
"""Row and asking to the scores of all works, or at least of those that existed."""

DEPTH = 100
POOL = 1024
"""Items among which the paper ranks the relevant one (DPSR section 6.2.1)."""

MEASURES = {"ndcg@10": nDCG @ 10, "mrr@10": RR @ 10, "recall@100": R @ 100}


def figures(
    scores: Scorer, askings: Sequence[Asking], cited: Mapping[int, int], seed: int = 0
) -> dict[str, list[float]]:
    """Per asking: nDCG@10, MRR@10, Recall@100; nDCG@10 of works not met before; Top-1 and Top-10; popularity.

    ``new`` ranks and judges only works that the user had neither written nor cited (NaN where no such work
    is relevant). ``top1`` and ``top10`` say whether one relevant work, drawn, stands first (among the first
    ten) of itself and 1,023 drawn works; which are drawn depends on the seed only. ``popularity`` is the
    mean of log(1 + training queries that led to it) over the first ten.
    """
    qrels: dict[str, dict[str, int]] = {}
    run: dict[str, dict[str, float]] = {}
    found: dict[str, list[float]] = {name: [] for name in ("new", "top1", "top10", "popularity")}
    for row, one in enumerate(askings):
        given = np.array(scores(row, one)[: one.limit], np.float32)
        if one.own < one.limit:
            given[one.own] = -np.inf
        ranking = best(given, DEPTH)
        qrels[one.id] = {str(place): 1 for place in one.relevant}
        run[one.id] = {str(place): float(DEPTH - n) for n, place in enumerate(ranking)}
        found["new"].append(among_new(given, one))
        rank = drawn_rank(given, one, np.random.default_rng((seed, row)))
        found["top1"].append(float(rank < 1))
        found["top10"].append(float(rank < 10))
        found["popularity"].append(
            float(np.mean([np.log1p(cited.get(place, 0)) for place in ranking[:10]]))
        )
    for name, measure in MEASURES.items():
        values = {
            metric.query_id: metric.value for metric in ir_measures.iter_calc([measure], qrels, run)
        }
        found[name] = [values[one.id] for one in askings]
    return found


def best(scores: Floats, k: int) -> list[int]:
    """Places of the ``k`` largest scores, largest first, ties by place; those at minus infinity left out."""
    k = min(k, len(scores))
    least = np.partition(scores, len(scores) - k)[len(scores) - k]
    places = np.flatnonzero(scores >= least)
    order = places[np.lexsort((places, -scores[places]))][:k]
    return [int(place) for place in order if np.isfinite(scores[place])]


def among_new(scores: Floats, one: Asking) -> float:
    """nDCG@10 when works met before are neither candidates nor relevant; NaN where none is left."""
    relevant = one.relevant.difference(one.history)
    if not relevant:
        return float("nan")
    left = scores.copy()
    left[list(one.history)] = -np.inf
    gains = [1 / np.log2(n + 2) for n, place in enumerate(best(left, 10)) if place in relevant]
    return float(sum(gains) / sum(1 / np.log2(n + 2) for n in range(min(10, len(relevant)))))


def drawn_rank(scores: Floats, one: Asking, generator: np.random.Generator) -> float:
    """Rank from 0 of one relevant work among itself and 1,023 other works, ties counted half."""
    target = int(generator.choice(sorted(one.relevant)))
    others = generator.choice(
        len(scores), min(POOL + len(one.relevant) + 1, len(scores)), replace=False
    )
    taken = [place for place in others.tolist() if place not in one.relevant and place != one.own]
    rivals = scores[taken[: POOL - 1]]
    return float((rivals > scores[target]).sum() + (rivals == scores[target]).sum() / 2)


def compared(one: Sequence[float], other: Sequence[float], samples: int = 2000) -> dict[str, float]:
    """How much larger the first mean is, relative, with a 95 % interval, and p of a paired t-test.

    Args:
        one: Per asking.
        other: Per asking, in the same order.
        samples: Of the bootstrap over askings.
    """
    left, right = np.asarray(one, float), np.asarray(other, float)
    kept = ~(np.isnan(left) | np.isnan(right))
    left, right = left[kept], right[kept]
    drawn = np.random.default_rng(0).integers(len(left), size=(samples, len(left)))
    ratios = left[drawn].mean(axis=1) / right[drawn].mean(axis=1) - 1
    low, high = np.percentile(ratios, (2.5, 97.5))
    return {
        "gain": float(left.mean() / right.mean() - 1),
        "low": float(low),
        "high": float(high),
        "p": float(stats.ttest_rel(left, right).pvalue),
    }
