"""A second look at the best candidates: what they share, and how their neighbours fare.

Feedback without a reader (RM3: Lavrenko and Croft 2001; Abdul-Jaleel et al. 2004): the terms that weigh
most in the best items join the query. Score regularisation (Diaz 2005): items near each other tend to be
relevant together, so that a score leans towards those of the nearest candidates. Both need nothing but the
candidates. The trust in a cosine grows with the length of the item's text.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from peerscope.retrieval.fusion import Fusion, standardised
from peerscope.retrieval.index.terms import Keys, QueryTerms, Words
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
        vectors: Shape ``[n, d]``, or ``None``.
        query: Terms of the query.
        words: The terms of the candidates and what terms weigh.
        passed_over: Terms that never join a query.
        met: 1 for items that the reader had met before, else 0, shape ``[n]``; ``None`` for nobody.
    """

    ids: IntArray
    lexical: FloatArray
    dense: FloatArray | None
    title: FloatArray
    vectors: FloatArray | None
    query: QueryTerms
    words: Words
    passed_over: Keys
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
        if fusion.feedback and fusion.lexical and len(self.query.keys):
            keys, counts = self._expanded(fusion.feedback, first, top)
            impacts = self.words.impacts(keys, self.ids[top])
            lexical = impacts @ self.words.weights(keys, counts)
            dense = None if self.dense is None else self.dense[top]
            met = None if self.met is None else self.met[top]
            scores = fusion.combine(lexical, dense, self.title[top], met)
        if fusion.neighbours and self.vectors is not None:
            near = neighbour_scores(self.vectors[top], scores)
            scores = standardised(scores) + np.float32(fusion.neighbours) * standardised(near)
        return scores.astype(np.float32)

    def _expanded(self, share: float, first: FloatArray, top: IntArray) -> tuple[Keys, FloatArray]:
        """The query's terms and, with ``share`` of the weight, those of the best items."""
        best = np.exp(first[:SOURCES] - first[0])
        bags = [self.words.bag(number) for number in self.ids[top[:SOURCES]].tolist()]
        parts = [weight * impacts for weight, (_, impacts) in zip(best, bags, strict=True)]
        told, places = np.unique(np.concatenate([keys for keys, _ in bags]), return_inverse=True)
        held = np.bincount(places, np.concatenate(parts))
        allowed = np.flatnonzero(~np.isin(told, self.passed_over))
        looked_up = allowed[np.argsort(-held[allowed], kind="stable")][:LOOKED_UP]
        keys = told[looked_up]
        weights = self.words.weights(keys, held[looked_up].astype(np.float32))
        weights = np.where(self.words.frequencies(keys) > 0, weights, 0.0)
        joined = np.argsort(-weights, kind="stable")[:EXPANSION]
        joined = joined[weights[joined] > 0]
        return mixed(self.query, keys[joined], weights[joined], share)


def mixed(
    query: QueryTerms, keys: Keys, weights: FloatArray, share: float
) -> tuple[Keys, FloatArray]:
    """The query's counts and other terms' weights, scaled to sum 1 and added, the others with ``share``.

    Args:
        query: The query.
        keys: The other terms, distinct; some may be the query's own.
        weights: What each of them weighs.
        share: In [0, 1].

    Returns:
        Distinct terms and their weights.
    """
    own = (1 - share) * query.counts / query.counts.sum()
    others = share * weights / weights.sum() if len(weights) else weights
    found, places = np.unique(np.concatenate([query.keys, keys]), return_inverse=True)
    return found, np.bincount(places, np.concatenate([own, others])).astype(np.float32)


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
    least = np.partition(cosines, len(scores) - most, axis=1)[:, len(scores) - most, None]
    weights = np.where(cosines >= least, np.maximum(cosines, 0.0), np.float32(0.0))
    total = weights.sum(axis=1)
    mean = weights @ scores / np.where(total > 1e-9, total, 1.0)
    found: FloatArray = mean.astype(np.float32)
    return found
