"""Ranking metrics, in the form that trec_eval computes them.

nDCG with linear gains and log2 discount (Järvelin and Kekäläinen 2002, as in trec_eval's ``ndcg_cut``),
reciprocal rank and recall at a cut-off. Judgements map an item to its grade; grades of 0 or less are not
relevant.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from typing import TypeVar

Key = TypeVar("Key", bound=Hashable)


def ndcg(ranking: Sequence[Key], grades: Mapping[Key, float], k: int = 10) -> float:
    """Normalised discounted cumulated gain of the first ``k``, in [0, 1]; 0 without a relevant item."""
    ideal = sorted((grade for grade in grades.values() if grade > 0), reverse=True)[:k]
    best = sum(grade / math.log2(place + 2) for place, grade in enumerate(ideal))
    if best == 0:
        return 0.0
    gained = sum(
        max(grades.get(item, 0), 0) / math.log2(place + 2) for place, item in enumerate(ranking[:k])
    )
    return gained / best


def reciprocal_rank(ranking: Sequence[Key], grades: Mapping[Key, float], k: int = 10) -> float:
    """One over the place of the first relevant item within ``k``, else 0."""
    for place, item in enumerate(ranking[:k], start=1):
        if grades.get(item, 0) > 0:
            return 1 / place
    return 0.0


def recall(ranking: Sequence[Key], grades: Mapping[Key, float], k: int = 100) -> float:
    """Share of the relevant items that stand within the first ``k``; 0 without a relevant item."""
    relevant = {item for item, grade in grades.items() if grade > 0}
    return len(relevant.intersection(ranking[:k])) / len(relevant) if relevant else 0.0
