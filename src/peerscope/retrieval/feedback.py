"""A second look at the best candidates: what they share, and how their neighbours fare.

Feedback without a reader (RM3: Lavrenko and Croft 2001; Abdul-Jaleel et al. 2004): the terms that weigh
most in the best items join the query. Score regularisation (Diaz 2005): items near each other tend to be
relevant together, so that a score leans towards those of the nearest candidates. Both need nothing but the
candidates. The trust in a cosine grows with the length of the item's text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from peerscope.retrieval.fusion import Fusion, standardised
from peerscope.retrieval.overlay import Terms, saturated
from peerscope.retrieval.schema import FloatArray, IntArray

DEPTH = 200
"""Candidates that are looked at again, the best; the others keep their order beneath them."""

SOURCES = 10
"""Best items whose terms join the query."""

EXPANSION = 30
"""Terms that join it."""

LOOKED_UP = 200
"""Terms of the sources whose frequency is looked up."""

NEIGHBOURS = 10
"""Nearest candidates whose scores count."""

SHORT = 10.0
"""Terms of an item at which a cosine counts half: a title alone says too little to be that near."""


def trusted(lengths: FloatArray) -> FloatArray:
    """How far a cosine is trusted, in [0, 1), by the number of terms of the item."""
    share: FloatArray = (lengths / (lengths + SHORT)).astype(np.float32)
    return share


@dataclass(frozen=True, slots=True)
class Candidates:
    """The candidates of one query, in one order.

    Attributes:
        ids: Shape ``[n]``.
        lexical: BM25, shape ``[n]``.
        dense: Trusted cosine, shape ``[n]``, or ``None``.
        title: Share of the query's terms in the title, shape ``[n]``.
        stored: Terms of each candidate.
        vectors: Shape ``[n, d]``, or ``None``.
        counts: Terms of the query with how often it says each.
        weigh: BM25 of stored items for weighted terms (`Overlay.lexical_scores`).
        rarity: The idf of terms.
        mean_length: Mean number of terms of an item.
        passed_over: Terms that never join a query.
        met: 1 for items that the reader had met before, else 0, shape ``[n]``; ``None`` for nobody.
    """

    ids: IntArray
    lexical: FloatArray
    dense: FloatArray | None
    title: FloatArray
    stored: Mapping[int, Terms]
    vectors: FloatArray | None
    counts: Mapping[str, int]
    weigh: Callable[[Mapping[str, float], Mapping[int, Terms]], dict[int, float]]
    rarity: Callable[[Sequence[str]], dict[str, float]]
    mean_length: float
    passed_over: frozenset[str] = frozenset()
    met: FloatArray | None = None

    def without(self, item: int) -> Candidates:
        """The candidates but for one item."""
        kept = self.ids != item
        if kept.all():
            return self
        return replace(
            self,
            ids=self.ids[kept],
            lexical=self.lexical[kept],
            dense=None if self.dense is None else self.dense[kept],
            title=self.title[kept],
            vectors=None if self.vectors is None else self.vectors[kept],
            met=None if self.met is None else self.met[kept],
        )

    def fused(self, fusion: Fusion) -> FloatArray:
        """Scores of all candidates, shape ``[n]``: the first order, and the second look where it is on."""
        first = fusion.combine(self.lexical, self.dense, self.title, self.met)
        if not (fusion.feedback or fusion.neighbours) or len(first) < 3:
            return first
        order = np.lexsort((self.ids, -first))
        top, rest = order[:DEPTH], order[DEPTH:]
        again = self._again(fusion, first[top], top)
        found = np.empty_like(first)
        found[top] = again
        if len(rest):
            found[rest] = first[rest] - first[rest].max() + again.min() - 1e-3
        return found

    def _again(self, fusion: Fusion, first: FloatArray, top: IntArray) -> FloatArray:
        scores = first
        if fusion.feedback and fusion.lexical and self.counts:
            counts = self._expanded(fusion.feedback, first, top)
            shown = {number: self._terms(number) for number in self.ids[top].tolist()}
            words = self.weigh(counts, shown)
            lexical = np.asarray([words[number] for number in shown], np.float32)
            dense = None if self.dense is None else self.dense[top]
            met = None if self.met is None else self.met[top]
            scores = fusion.combine(lexical, dense, self.title[top], met)
        if fusion.neighbours and self.vectors is not None:
            near = neighbour_scores(self.vectors[top], scores)
            scores = standardised(scores) + np.float32(fusion.neighbours) * standardised(near)
        return scores.astype(np.float32)

    def _terms(self, number: int) -> Terms:
        return self.stored.get(number, ("", "", ""))

    def _expanded(self, share: float, first: FloatArray, top: IntArray) -> dict[str, float]:
        """The query's terms and, with ``share`` of the weight, those of the best items."""
        best = np.exp(first[:SOURCES] - first[0])
        held: dict[str, float] = {}
        for number, weight in zip(self.ids[top[:SOURCES]].tolist(), best.tolist(), strict=True):
            for term, part in saturated(self._terms(number), self.mean_length).items():
                held[term] = held.get(term, 0.0) + weight * part
        told = sorted(held.keys() - self.passed_over, key=lambda term: (-held[term], term))
        rarity = self.rarity(told[:LOOKED_UP])
        weights = {term: held[term] * rarity[term] for term in rarity}
        joined = sorted(weights, key=lambda term: (-weights[term], term))[:EXPANSION]
        return mixed(self.counts, {term: weights[term] for term in joined}, share)


def mixed(
    counts: Mapping[str, float], others: Mapping[str, float], share: float
) -> dict[str, float]:
    """Both sets of weights scaled to sum 1 and added, the others with ``share`` in [0, 1]."""
    own, joined = sum(counts.values()), sum(others.values())
    found = {term: (1 - share) * count / own for term, count in counts.items()}
    for term, weight in others.items():
        found[term] = found.get(term, 0.0) + share * weight / joined
    return found


def neighbour_scores(vectors: FloatArray, scores: FloatArray) -> FloatArray:
    """For each candidate the mean score of the others nearest to it, weighted by their cosine.

    Args:
        vectors: Unit vectors, shape ``[n, d]``.
        scores: Shape ``[n]``, n at least 2.

    Returns:
        Shape ``[n]``; 0 for one that is near to none.
    """
    cosines = vectors @ vectors.T
    np.fill_diagonal(cosines, -1.0)
    most = min(NEIGHBOURS, len(scores) - 1)
    nearest = np.argpartition(-cosines, most - 1, axis=1)[:, :most]
    weights = np.maximum(np.take_along_axis(cosines, nearest, axis=1), 0.0)
    total = weights.sum(axis=1)
    mean = (weights * scores[nearest]).sum(axis=1) / np.where(total > 1e-9, total, 1.0)
    found: FloatArray = mean.astype(np.float32)
    return found
