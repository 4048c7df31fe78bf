"""What changed since the bundle was published: a small index over the immutable one.

An overlay is immutable: `with_items` and `without` return the next one, and a reader keeps one for a whole
query. Words of its items are scored with the collection statistics of the base, so that both kinds of score
compare.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from peerscope.retrieval.index.exact import ExactIndex
from peerscope.retrieval.index.lexical import (
    K1,
    NAMES_WEIGHT,
    TEXT_WEIGHT,
    TITLE_WEIGHT,
    B,
    Statistics,
    item_terms,
)
from peerscope.retrieval.index.rows import Rows, best
from peerscope.retrieval.schema import Filter, FloatArray, Hits, IntArray, Item
from peerscope.retrieval.text import Tokenizer

Terms = tuple[str, str, str]
"""An item's terms, joined by blanks: title, text, names."""

WEIGHTS = (TITLE_WEIGHT, TEXT_WEIGHT, NAMES_WEIGHT)
MOST_HIDDEN = 5000
"""Hidden items that a search looks past; with more of them in front of an answer it comes out shorter."""


def bm25(weights: Mapping[str, float], columns: Terms, mean_length: float) -> float:
    """BM25 as SQLite's FTS5 computes it (k1 1.2, b 0.75, weighted columns), for one stored item.

    Args:
        weights: Term to its weight (`term_weights`).
        columns: The item's terms.
        mean_length: Mean number of terms of an item of the collection.
    """
    found = saturated(columns, mean_length, weights)
    return sum(weights[term] * part for term, part in found.items())


def saturated(
    columns: Terms, mean_length: float, among: Container[str] | None = None
) -> dict[str, float]:
    """The part of each term's BM25 score that the item decides, between 0 and k1 + 1.

    Args:
        columns: The item's terms.
        mean_length: Mean number of terms of an item of the collection.
        among: The terms that are asked for; all of the item's if ``None``.
    """
    counts: dict[str, float] = {}
    length = 0
    for weight, column in zip(WEIGHTS, columns, strict=True):
        words = column.split()
        length += len(words)
        for word in words:
            if among is None or word in among:
                counts[word] = counts.get(word, 0.0) + weight
    floor = K1 * (1 - B + B * length / (mean_length or 1.0))
    return {term: found * (K1 + 1) / (found + floor) for term, found in counts.items()}


def term_weights(
    counts: Mapping[str, float], frequencies: Mapping[str, int], items: int
) -> dict[str, float]:
    """What each term of a query weighs: how often the query says it, times its idf.

    The idf is ``log(1 + (N - n + 0.5) / (n + 0.5))``, which stays above 0 for terms that most items have
    (FTS5 takes them out of the score), and a query that says a term twice means it twice.

    Args:
        counts: Terms of the query with how often it says each.
        frequencies: In how many items each term occurs.
        items: Number of items N.
    """
    weights = {}
    for term, count in counts.items():
        present = min(frequencies.get(term, 0), items)
        weights[term] = count * math.log1p((items - present + 0.5) / (present + 0.5))
    return weights


class Live:
    """New and changed items in memory, as one immutable state: vectors, fields, terms with their items."""

    def __init__(
        self,
        rows: Rows,
        columns: Mapping[int, Terms] | None = None,
        postings: Mapping[str, frozenset[int]] | None = None,
    ) -> None:
        self.rows = rows
        self.columns = columns or {}
        self.postings = postings or {}

    def with_items(self, items: Sequence[Item], vectors: FloatArray, tokenizer: Tokenizer) -> Live:
        """The state with these items added or replaced."""
        rows = self.rows.with_items(items, vectors)
        left = self.without([item.id for item in items]) if self.columns else self
        columns: dict[int, Terms] = {}
        holders: defaultdict[str, set[int]] = defaultdict(set)
        for item in items:
            title, text, names = item_terms(tokenizer, item)
            columns[item.id] = (" ".join(title), " ".join(text), " ".join(names))
            for term in {*title, *text, *names}:
                holders[term].add(item.id)
        grown = {
            term: left.postings.get(term, frozenset()) | numbers
            for term, numbers in holders.items()
        }
        return Live(rows, {**left.columns, **columns}, {**left.postings, **grown})

    def without(self, ids: Sequence[int]) -> Live:
        """The state without these items."""
        gone = frozenset(ids) & self.columns.keys()
        if not gone:
            return self
        postings = dict(self.postings)
        for term in {
            term for number in gone for part in self.columns[number] for term in part.split()
        }:
            if left := postings[term] - gone:
                postings[term] = left
            else:
                del postings[term]
        columns = {number: terms for number, terms in self.columns.items() if number not in gone}
        return Live(self.rows.without(gone), columns, postings)

    def statistics(self) -> Statistics:
        """Size and mean length in terms."""
        words = sum(len(part.split()) for terms in self.columns.values() for part in terms)
        return Statistics(len(self.columns), words / len(self.columns) if self.columns else 0.0)

    def document_frequencies(self, terms: Iterable[str]) -> dict[str, int]:
        """In how many items each term occurs; unknown terms are left out."""
        return {term: len(self.postings[term]) for term in terms if term in self.postings}


@dataclass(frozen=True)
class Overlay:
    """The base index and what lies over it.

    Attributes:
        base: The bundle's index.
        live: New and changed items.
        hidden: Ids of base items that were changed or deleted, ascending.
    """

    base: ExactIndex
    live: Live
    hidden: IntArray
    tokenizer: Tokenizer

    @classmethod
    def empty(cls, base: ExactIndex, tokenizer: Tokenizer) -> Overlay:
        """Nothing changed yet."""
        return cls(base, Live(Rows.empty(base.dim)), np.empty(0, np.int64), tokenizer)

    def with_items(self, items: Sequence[Item], vectors: FloatArray) -> Overlay:
        """The overlay with these items added or replaced."""
        return replace(
            self,
            live=self.live.with_items(items, vectors, self.tokenizer),
            hidden=self._hiding([item.id for item in items]),
        )

    def without(self, ids: Sequence[int]) -> Overlay:
        """The overlay with these items gone."""
        return replace(self, live=self.live.without(ids), hidden=self._hiding(ids))

    def _hiding(self, ids: Sequence[int]) -> IntArray:
        numbers = np.asarray(list(ids), dtype=np.int64)
        return np.union1d(self.hidden, numbers[self.base.known(numbers)])

    @property
    def size(self) -> int:
        """Items held or hidden."""
        return len(np.union1d(self.live.rows.ids, self.hidden))

    def count(self) -> int:
        """Items that can be found."""
        return len(self.base.ids()) - len(self.hidden) + len(self.live.rows.ids)

    def _visible(self, hits: Hits) -> Hits:
        shown = ~np.isin(hits.ids, self.hidden)
        return Hits(hits.ids[shown], hits.scores[shown])

    def _beyond(self, k: int) -> int:
        return k + min(len(self.hidden), MOST_HIDDEN)

    def search_dense(self, vector: FloatArray, k: int, where: Filter | None) -> Hits:
        """The ``k`` nearest of both layers."""
        below = self._visible(self.base.search_dense(vector, self._beyond(k), where))
        if not len(self.live.rows.ids):
            return Hits(below.ids[:k], below.scores[:k])
        above = self.live.rows.search(vector, k, where)
        ids = np.concatenate([below.ids, above.ids])
        return best(ids, np.concatenate([below.scores, above.scores]), k)

    def search_lexical(self, terms: Sequence[str], k: int, where: Filter | None) -> IntArray:
        """Ids of the best of both layers, ``k`` of each at most, in order of id."""
        limited = where is not None and not where.empty
        allowed = self.base.passing_ids(where) if limited else None
        below = self._visible(self.base.lexical.search(terms, self._beyond(k), allowed)).ids[:k]
        if not self.live.columns:
            return np.sort(below)
        return np.union1d(below, self._live_matches(terms, k, where))

    def _live_matches(self, terms: Sequence[str], k: int, where: Filter | None) -> IntArray:
        postings = self.live.postings
        found = sorted(set().union(*(postings.get(term, frozenset()) for term in terms)))
        ids = np.intersect1d(np.asarray(found, dtype=np.int64), self.live.rows.passing_ids(where))
        if len(ids) <= k:
            return ids
        scores = self.lexical_scores(
            dict.fromkeys(terms, 1), {n: self.live.columns[n] for n in ids.tolist()}
        )
        return best(ids, np.asarray([scores[n] for n in ids.tolist()], np.float32), k).ids

    def lexical_scores(
        self, counts: Mapping[str, float], stored: Mapping[int, Terms]
    ) -> dict[int, float]:
        """BM25 of items by their stored terms, with the collection statistics of the base.

        All terms of the query count, also those too common to bring candidates in, and as often as the
        query says them (``counts``).
        """
        layer = self.base.lexical if len(self.base.ids()) else self.live
        statistics = layer.statistics()
        known = layer.document_frequencies(list(counts))
        weights = term_weights(counts, known, statistics.items)
        return {
            number: bm25(weights, columns, statistics.mean_length)
            for number, columns in stored.items()
        }

    def rarity(self, terms: Sequence[str]) -> dict[str, float]:
        """The idf of those of the terms that the base has, by its statistics."""
        layer = self.base.lexical if len(self.base.ids()) else self.live
        known = layer.document_frequencies(terms)
        return term_weights(dict.fromkeys(known, 1), known, layer.statistics().items)

    @property
    def mean_length(self) -> float:
        """Mean number of terms of an item, by the statistics of the base."""
        layer = self.base.lexical if len(self.base.ids()) else self.live
        return layer.statistics().mean_length

    def stored_terms(self, ids: Sequence[int]) -> dict[int, Terms]:
        """Terms of the named items' title, text and names."""
        above = self.live.columns
        found = self.base.lexical.stored_terms([number for number in ids if number not in above])
        return found | {number: above[number] for number in ids if number in above}

    def document_frequencies(self, terms: Sequence[str]) -> dict[str, int]:
        """In how many items each term occurs (of both layers, hidden ones included)."""
        found = self.base.lexical.document_frequencies(terms)
        for term, number in self.live.document_frequencies(terms).items():
            found[term] = found.get(term, 0) + number
        return found

    def known(self, ids: Sequence[int]) -> list[int]:
        """Which of the ids can be found."""
        wanted = np.asarray(list(ids), dtype=np.int64)
        below = self.base.known(wanted) & ~np.isin(wanted, self.hidden)
        return [int(number) for number in wanted[below | self.live.rows.known(wanted)]]

    def vectors(self, ids: Sequence[int] | IntArray) -> FloatArray:
        """Vectors of known items, shape ``[len(ids), dim]``."""
        wanted = np.asarray(ids, dtype=np.int64)
        found, above = self.live.rows.look_up(wanted)
        found[~above] = self.base.look_up(wanted[~above])[0]
        return found

    def facets(
        self, ids: Sequence[int] | IntArray, names: Sequence[str]
    ) -> dict[str, dict[str, int]]:
        """For each field, how many of the given items carry each value."""
        wanted = np.asarray(ids, dtype=np.int64)
        above = self.live.rows.known(wanted)
        counts = self.base.facets(wanted[~above].tolist(), names)
        if above.any():
            for name, values in self.live.rows.facets(wanted[above], names).items():
                for value, number in values.items():
                    counts[name][value] = counts[name].get(value, 0) + number
        return counts
