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
)
from peerscope.retrieval.schema import Filter, FloatArray, Hits, IntArray, Item
from peerscope.retrieval.text import Tokenizer

WEIGHTS = (TITLE_WEIGHT, TEXT_WEIGHT, NAMES_WEIGHT)
MOST_HIDDEN = 5000
"""Hidden items that a search looks past; with more of them in front of an answer it comes out shorter."""


def bm25(weights: Mapping[str, float], columns: tuple[str, str, str], mean_length: float) -> float:
    """BM25 as SQLite's FTS5 computes it (k1 1.2, b 0.75, weighted columns), for one stored item.

    Args:
        weights: Term to idf (`inverse_frequencies`).
        columns: The item's terms, joined by blanks: title, text, names.
        mean_length: Mean number of terms of an item of the collection.
    """
    counts = dict.fromkeys(weights, 0.0)
    length = 0
    for weight, column in zip(WEIGHTS, columns, strict=True):
        words = column.split()
        length += len(words)
        for word in words:
            if word in counts:
                counts[word] += weight
    floor = K1 * (1 - B + B * length / (mean_length or 1.0))
    return sum(
        weights[term] * found * (K1 + 1) / (found + floor)
        for term, found in counts.items()
        if found
    )


def inverse_frequencies(
    terms: Iterable[str], frequencies: Mapping[str, int], items: int
) -> dict[str, float]:
    """The idf of each term as FTS5 computes it, never below 1e-6."""
    return {
        term: max(math.log((items - n + 0.5) / (n + 0.5)), 1e-6)
        if (n := frequencies.get(term, 0)) < items
        else 1e-6
        for term in terms
    }


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

    def search_lexical(self, terms: Sequence[str], k: int, where: Filter | None) -> IntArray:
        """Ids of the best of both layers, ``k`` of each at most, in order of id."""
        limited = where is not None and not where.empty
        allowed = self.base.passing_ids(where) if limited else None
        below = self._visible(self.base.lexical.search(terms, self._beyond(k), allowed)).ids[:k]
        if not len(self.live.ids()):
            return np.sort(below)
        allowed = self.live.passing_ids(where) if limited else None
        return np.union1d(below, self.live.lexical.search(terms, k, allowed).ids)

    def lexical_scores(
        self, terms: Sequence[str], stored: Mapping[int, tuple[str, str, str]]
    ) -> dict[int, float]:
        """BM25 of items by their stored terms, with the collection statistics of the base.

        All terms of the query count, also those too common to bring candidates in.
        """
        layer = self.base if len(self.base.ids()) else self.live
        statistics = layer.lexical.statistics()
        known = layer.lexical.document_frequencies(terms)
        weights = inverse_frequencies(terms, known, statistics.items)
        return {
            number: bm25(weights, columns, statistics.mean_length)
            for number, columns in stored.items()
        }

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
