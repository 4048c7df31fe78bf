"""What changed since the bundle was published: a small index over the immutable one.

An overlay is itself immutable towards readers: `with_items` and `without` return the next one. Words of
its items are scored with the collection statistics of the base, so that both kinds of score compare.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from peerscope.retrieval.index.exact import ExactIndex, best
from peerscope.retrieval.index.lexical import (
    K1,
    NAMES_WEIGHT,
    TEXT_WEIGHT,
    TITLE_WEIGHT,
    B,
    Statistics,
)
from peerscope.retrieval.schema import Filter, FloatArray, Hits, IntArray, Item
from peerscope.retrieval.text import Tokenizer

WEIGHTS = (TITLE_WEIGHT, TEXT_WEIGHT, NAMES_WEIGHT)
MOST_HIDDEN = 5000
"""Hidden items that a search looks past; with more of them in front of an answer it comes out shorter."""


def bm25(
    terms: Iterable[str],
    columns: tuple[str, str, str],
    frequencies: Mapping[str, int],
    statistics: Statistics,
) -> float:
    """BM25 as SQLite's FTS5 computes it (k1 1.2, b 0.75, weighted columns), for one stored item."""
    split = [column.split() for column in columns]
    length = sum(map(len, split))
    mean = statistics.mean_length or 1.0
    score = 0.0
    for term in terms:
        weighted = sum(w * words.count(term) for w, words in zip(WEIGHTS, split, strict=True))
        if weighted:
            number = frequencies.get(term, 0)
            idf = math.log((statistics.items - number + 0.5) / (number + 0.5))
            spread = weighted + K1 * (1 - B + B * length / mean)
            score += max(idf, 1e-6) * weighted * (K1 + 1) / spread
    return score


@dataclass(frozen=True)
class Overlay:
    """The base index and what lies over it.

    Attributes:
        base: The bundle's index.
        live: New and changed items.
        hidden: Ids of base items that were changed or deleted, ascending.
    """

    base: ExactIndex
    live: ExactIndex
    hidden: IntArray
    tokenizer: Tokenizer

    @classmethod
    def empty(cls, base: ExactIndex, tokenizer: Tokenizer) -> Overlay:
        """Nothing changed yet."""
        return cls(base, ExactIndex(base.dim, tokenizer), np.empty(0, np.int64), tokenizer)

    def with_items(self, items: Sequence[Item], vectors: FloatArray) -> Overlay:
        """The overlay with these items added or replaced."""
        self.live.upsert(items, vectors)
        numbers = np.asarray([item.id for item in items], dtype=np.int64)
        return replace(self, hidden=np.union1d(self.hidden, numbers[self.base.known(numbers)]))

    def without(self, ids: Sequence[int]) -> Overlay:
        """The overlay with these items gone."""
        self.live.delete(ids)
        numbers = np.asarray(list(ids), dtype=np.int64)
        return replace(self, hidden=np.union1d(self.hidden, numbers[self.base.known(numbers)]))

    @property
    def size(self) -> int:
        """Items held or hidden."""
        return len(np.union1d(self.live.ids(), self.hidden))

    def count(self) -> int:
        """Items that can be found."""
        return len(self.base.ids()) - len(self.hidden) + len(self.live.ids())

    def _visible(self, hits: Hits) -> Hits:
        shown = ~np.isin(hits.ids, self.hidden)
        return Hits(hits.ids[shown], hits.scores[shown])

    def _beyond(self, k: int) -> int:
        return k + min(len(self.hidden), MOST_HIDDEN)

    def search_dense(self, vector: FloatArray, k: int, where: Filter | None) -> Hits:
        """The ``k`` nearest of both layers."""
        below = self._visible(self.base.search_dense(vector, self._beyond(k), where))
        if not len(self.live.ids()):
            return Hits(below.ids[:k], below.scores[:k])
        above = self.live.search_dense(vector, k, where)
        ids = np.concatenate([below.ids, above.ids])
        return best(ids, np.concatenate([below.scores, above.scores]), k)

    def search_lexical(self, terms: Sequence[str], k: int, where: Filter | None) -> Hits:
        """The ``k`` best of both layers by BM25 with the statistics of the base."""
        limited = where is not None and not where.empty
        allowed = self.base.passing_ids(where) if limited else None
        below = self._visible(self.base.lexical.search(terms, self._beyond(k), allowed))
        if not len(self.live.ids()):
            return Hits(below.ids[:k], below.scores[:k])
        allowed = self.live.passing_ids(where) if limited else None
        above = self.live.lexical.search(terms, k, allowed)
        scores = self._rescored(terms, above.ids.tolist())
        ids = np.concatenate([below.ids, above.ids])
        own = np.asarray([scores.get(n, 0.0) for n in above.ids.tolist()], np.float32)
        return best(ids, np.concatenate([below.scores, own]), k)

    def _rescored(self, terms: Sequence[str], ids: Sequence[int]) -> dict[int, float]:
        stored = self.live.lexical.stored_terms(ids)
        if not stored:
            return {}
        statistics = self.base.lexical.statistics()
        if statistics.items == 0:
            return self.live.lexical.scores(terms, ids)
        frequencies = self.base.lexical.document_frequencies(terms)
        return {
            number: bm25(terms, columns, frequencies, statistics)
            for number, columns in stored.items()
        }

    def lexical_scores(self, terms: Sequence[str], ids: Sequence[int]) -> dict[int, float]:
        """BM25 of the named items in either layer; items without any of the terms may be left out."""
        if not len(ids):
            return {}
        wanted = np.asarray(ids, dtype=np.int64)
        above = self.live.known(wanted)
        found = self.base.lexical.scores(terms, wanted[~above].tolist())
        if above.any():
            found.update(self._rescored(terms, wanted[above].tolist()))
        return found

    def stored_terms(self, ids: Sequence[int]) -> dict[int, tuple[str, str, str]]:
        """Terms of the named items' title, text and names."""
        found = self.base.lexical.stored_terms(ids)
        if len(self.live.ids()):
            found.update(self.live.lexical.stored_terms(ids))
        return found

    def document_frequencies(self, terms: Sequence[str]) -> dict[str, int]:
        """In how many items each term occurs (of both layers, hidden ones included)."""
        found = self.base.lexical.document_frequencies(terms)
        if len(self.live.ids()):
            for term, number in self.live.lexical.document_frequencies(terms).items():
                found[term] = found.get(term, 0) + number
        return found

    def known(self, ids: Sequence[int]) -> list[int]:
        """Which of the ids can be found."""
        wanted = np.asarray(list(ids), dtype=np.int64)
        below = self.base.known(wanted) & ~np.isin(wanted, self.hidden)
        return [int(number) for number in wanted[below | self.live.known(wanted)]]

    def vectors(self, ids: Sequence[int] | IntArray) -> FloatArray:
        """Vectors of known items, shape ``[len(ids), dim]``."""
        wanted = np.asarray(ids, dtype=np.int64)
        found = np.zeros((len(wanted), self.base.dim), np.float32)
        above = self.live.known(wanted)
        if above.any():
            found[above] = self.live.vectors(wanted[above].tolist())
        below = ~above & self.base.known(wanted)
        if below.any():
            found[below] = self.base.vectors(wanted[below].tolist())
        return found

    def facets(
        self, ids: Sequence[int] | IntArray, names: Sequence[str]
    ) -> dict[str, dict[str, int]]:
        """For each field, how many of the given items carry each value."""
        wanted = np.asarray(ids, dtype=np.int64)
        above = self.live.known(wanted)
        counts = self.base.facets(wanted[~above].tolist(), names)
        if above.any():
            for name, values in self.live.facets(wanted[above].tolist(), names).items():
                for value, number in values.items():
                    counts[name][value] = counts[name].get(value, 0) + number
        return counts
