"""One score from several: words, meaning and title, weighted as held-out queries say.

Blind fusion can be worse than words alone (plain reciprocal-rank fusion was, on product
search), so the weights are fitted, and may come out as words alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from peerscope.retrieval.metrics import ndcg

DENSE_WEIGHTS = (0.0, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 8.0)
TITLE_WEIGHTS = (0.0, 0.1, 0.25, 0.5, 1.0)
MET_WEIGHTS = (0.0, 0.5, 1.0, 2.0, 3.0, 5.0, 8.0, 12.0)

Scores = NDArray[np.float32]


def standardised(scores: Scores) -> Scores:
    """Scores of one candidate set with mean 0 and deviation 1 (all 0 where they do not differ)."""
    if not len(scores):
        return scores
    deviation = float(scores.std())
    if deviation < 1e-9:
        return np.zeros_like(scores)
    standard: Scores = ((scores - scores.mean()) / deviation).astype(np.float32)
    return standard


@dataclass(frozen=True, slots=True)
class Fusion:
    """Weights of the features; the weight of words is the unit unless there is no lexical part.

    Attributes:
        lexical: Weight of the standardised BM25 score, 0 or more.
        dense: Weight of the standardised cosine, 0 or more.
        title: Weight of the standardised title share, 0 or more.
        feedback: Share of a query's weight that terms of its best items get, in [0, 1); 0 turns that off.
        neighbours: Weight of the scores of the nearest candidates beside an item's own; 0 turns it off.
        met: What an item gains that the reader had met before, in deviations; 0 unless held-out queries say
            that readers come back to what they know.
    """

    lexical: float = 1.0
    dense: float = 0.3
    title: float = 0.0
    feedback: float = 0.4
    neighbours: float = 0.3
    met: float = 0.0

    def combine(
        self, lexical: Scores, dense: Scores | None, title: Scores, met: Scores | None = None
    ) -> Scores:
        """Fused scores of one query's candidates, shape ``[n]`` like each input.

        Each feature counts by its place among the candidates, not by its scale; without a dense part
        the others stand alone. ``met`` is 1 for items that the reader had met before, else 0.
        """
        fused = self.lexical * standardised(lexical) + self.title * standardised(title)
        if dense is not None:
            fused = fused + self.dense * standardised(dense)
        if met is not None:
            fused = fused + self.met * met
        return fused.astype(np.float32)

    def to_dict(self) -> dict[str, float]:
        """The weights, for a bundle's manifest."""
        return asdict(self)

    @classmethod
    def from_dict(cls, stated: dict[str, Any]) -> Fusion:
        """The weights that a manifest states; what it does not name was not there and weighs nothing."""
        return cls(**{part.name: float(stated.get(part.name, 0.0)) for part in fields(cls)})


@dataclass(frozen=True, slots=True)
class HeldOut:
    """The candidates of one held-out query, with the grade of each relevant item by its id.

    ``served`` gives the scores as a reader would get them, the second look included; without it the first
    order is judged.
    """

    ids: NDArray[np.int64]
    lexical: Scores
    dense: Scores | None
    title: Scores
    grades: dict[int, float]
    met: Scores | None = None
    served: Callable[[Fusion], Scores] | None = None


def mean_ndcg(fusion: Fusion, queries: Sequence[HeldOut], k: int = 10) -> float:
    """Mean nDCG@k of the fused order over the queries; 0 without queries."""
    return float(np.mean(ndcgs(fusion, queries, k))) if queries else 0.0


def ndcgs(fusion: Fusion, queries: Sequence[HeldOut], k: int = 10) -> list[float]:
    """nDCG@k of the fused order of each query."""
    found = []
    for query in queries:
        if query.served is not None:
            fused = query.served(fusion)
        else:
            fused = fusion.combine(query.lexical, query.dense, query.title, query.met)
        order = np.lexsort((query.ids, -fused))[:k]
        found.append(ndcg(query.ids[order].tolist(), query.grades, k))
    return found


def fit(queries: Sequence[HeldOut], start: Fusion | None = None) -> Fusion:
    """Weights that held-out queries speak for, over a fixed grid.

    Of all weights that `indistinct` leaves, those nearest to ``start`` are taken: what a few hundred queries
    cannot tell apart stays as it was, and what readers ask later is not quite what was held out
    (docs/benchmarks/personal.md has the measurement).

    Args:
        queries: The held-out queries; without any the weights of ``start`` stand.
        start: The weights before anything is known; `Fusion()` if ``None``.
    """
    start = start or Fusion()
    if not queries:
        return start
    personal = any(query.met is not None and query.met.any() for query in queries)
    grids = (DENSE_WEIGHTS, TITLE_WEIGHTS, MET_WEIGHTS if personal else (0.0,))
    tried = list(product(*grids))
    reached = np.array([ndcgs(Fusion(1.0, d, t, 0.0, 0.0, m), queries) for d, t, m in tried])
    before = (start.dense, start.title, start.met)
    nearest = min(indistinct(reached).tolist(), key=lambda row: _steps(grids, tried[row], before))
    dense, title, met = tried[nearest]
    return replace(start, lexical=1.0, dense=dense, title=title, met=met)


def indistinct(reached: NDArray[np.float64]) -> NDArray[np.intp]:
    """Choices whose mean is not more than one standard error below the largest one, of differences in pairs.

    The one-standard-error rule (Breiman et al. 1984, section 3.4.3).

    Args:
        reached: What each choice reached on each query, shape ``[choices, queries]``, one query or more.

    Returns:
        Rows of these choices, ascending.
    """
    lost = reached[reached.mean(axis=1).argmax()] - reached
    unsure = lost.std(axis=1) / np.sqrt(reached.shape[1])
    return np.flatnonzero(lost.mean(axis=1) <= unsure + 1e-6)


def _steps(grids: Sequence[Sequence[float]], one: Sequence[float], other: Sequence[float]) -> float:
    """Steps on the grids from one set of weights to another."""
    return sum(
        abs(
            float(np.interp(a, grid, range(len(grid))))
            - float(np.interp(b, grid, range(len(grid))))
        )
        for grid, a, b in zip(grids, one, other, strict=True)
    )
