"""What changed since the bundle was published: a small index over the immutable one.

An overlay is immutable: `with_items` and `without` return the next one, and a reader keeps one for a whole
query. Words of its items are scored with the collection statistics of the base, so that both kinds of score
compare.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from peerscope.retrieval.index.arrays import best
from peerscope.retrieval.index.items import ItemIndex
from peerscope.retrieval.index.postings import (
    K1,
    TITLE_WEIGHT,
    Matches,
    Statistics,
    inverse_frequency,
    item_terms,
    saturation,
)
from peerscope.retrieval.index.rows import Rows
from peerscope.retrieval.schema import Filter, FloatArray, Hits, IntArray, Item
from peerscope.retrieval.text import Tokenizer

MOST_HIDDEN = 5000
"""Hidden items that a search looks past; with more of them in front of an answer it comes out shorter."""


@dataclass(frozen=True, slots=True)
class LiveTerms:
    """The terms of one live item.

    Attributes:
        title: In order.
        counts: Term to number of occurrences, those in the title counted `TITLE_WEIGHT` times.
        length: Number of terms.
    """

    title: tuple[str, ...]
    counts: Mapping[str, int]
    length: int

    @classmethod
    def of(cls, tokenizer: Tokenizer, item: Item) -> LiveTerms:
        """The terms of an item."""
        title, text, names = item_terms(tokenizer, item)
        counts = Counter(title * TITLE_WEIGHT)
        counts.update(text)
        counts.update(names)
        return cls(tuple(title), dict(counts), len(title) + len(text) + len(names))


class Live:
    """New and changed items in memory, as one immutable state: vectors, fields, terms with their items."""

    def __init__(
        self,
        rows: Rows,
        terms: Mapping[int, LiveTerms] | None = None,
        postings: Mapping[str, frozenset[int]] | None = None,
    ) -> None:
        self.rows = rows
        self.terms = terms or {}
        self.postings = postings or {}

    def with_items(self, items: Sequence[Item], vectors: FloatArray, tokenizer: Tokenizer) -> Live:
        """The state with these items added or replaced."""
        rows = self.rows.with_items(items, vectors)
        left = self.without([item.id for item in items]) if self.terms else self
        new = {item.id: LiveTerms.of(tokenizer, item) for item in items}
        holders: defaultdict[str, set[int]] = defaultdict(set)
        for number, own in new.items():
            for term in own.counts:
                holders[term].add(number)
        grown = {
            term: left.postings.get(term, frozenset()) | numbers
            for term, numbers in holders.items()
        }
        return Live(rows, {**left.terms, **new}, {**left.postings, **grown})

    def without(self, ids: Sequence[int]) -> Live:
        """The state without these items."""
        gone = frozenset(ids) & self.terms.keys()
        if not gone:
            return self
        postings = dict(self.postings)
        for term in {term for number in gone for term in self.terms[number].counts}:
            if left := postings[term] - gone:
                postings[term] = left
            else:
                del postings[term]
        terms = {number: own for number, own in self.terms.items() if number not in gone}
        return Live(self.rows.without(gone), terms, postings)

    def statistics(self) -> Statistics:
        """Size and mean length in terms."""
        words = sum(own.length for own in self.terms.values())
        return Statistics(len(self.terms), words / len(self.terms) if self.terms else 0.0)

    def document_frequencies(self, terms: Iterable[str]) -> dict[str, int]:
        """In how many items each term occurs; unknown terms are left out."""
        return {term: len(self.postings[term]) for term in terms if term in self.postings}

    def matches(self, terms: Sequence[str], ids: IntArray, mean_length: float) -> Matches:
        """What each term is to each of the items (known ids), in a collection of that mean length."""
        impacts = np.zeros((len(ids), len(terms)), np.float32)
        in_title = np.zeros((len(ids), len(terms)), dtype=bool)
        for row, number in enumerate(ids.tolist()):
            own = self.terms[number]
            floor = saturation(own.length, mean_length)
            for column, term in enumerate(terms):
                if found := own.counts.get(term):
                    impacts[row, column] = found * (K1 + 1) / (found + floor)
                    in_title[row, column] = term in own.title
        return Matches(impacts, in_title)


@dataclass(frozen=True)
class Overlay:
    """The base index and what lies over it.

    Attributes:
        base: The bundle's index.
        live: New and changed items.
        hidden: Ids of base items that were changed or deleted, ascending.
    """

    base: ItemIndex
    live: Live
    hidden: IntArray
    tokenizer: Tokenizer

    @classmethod
    def empty(cls, base: ItemIndex, tokenizer: Tokenizer) -> Overlay:
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

    def _visible(self, hits: Hits, k: int) -> Hits:
        if not len(self.hidden):
            return Hits(hits.ids[:k], hits.scores[:k])
        shown = np.flatnonzero(~np.isin(hits.ids, self.hidden))[:k]
        return Hits(hits.ids[shown], hits.scores[shown])

    def _beyond(self, k: int) -> int:
        return k + min(len(self.hidden), MOST_HIDDEN)

    def search_dense(self, vector: FloatArray, k: int, where: Filter | None) -> Hits:
        """The ``k`` nearest of both layers."""
        return self.search_dense_many(vector[None], k, where)[0]

    def search_dense_many(
        self, vectors: FloatArray, k: int, where: Filter | None = None
    ) -> list[Hits]:
        """For each of several vectors, shape ``[m, dim]``, the ``k`` nearest of both layers."""
        found = self.base.search_dense_many(vectors, self._beyond(k), where)
        below = [self._visible(hits, k) for hits in found]
        if not len(self.live.rows.ids):
            return below
        above = self.live.rows.search(vectors, k, self.live.rows.passing(where))
        return [
            best(np.concatenate([a.ids, b.ids]), np.concatenate([a.scores, b.scores]), k)
            for a, b in zip(below, above, strict=True)
        ]

    def search_lexical(self, terms: Sequence[str], k: int, where: Filter | None) -> IntArray:
        """Ids of the best of both layers, ``k`` of each at most, in order of id."""
        found = self.base.search_terms(terms, self._beyond(k), where)
        below = self._visible(found, k).ids
        if not self.live.terms:
            return np.sort(below)
        return np.union1d(below, self._live_matches(terms, k, where))

    def _live_matches(self, terms: Sequence[str], k: int, where: Filter | None) -> IntArray:
        postings = self.live.postings
        found = sorted(set().union(*(postings.get(term, frozenset()) for term in terms)))
        ids = np.intersect1d(np.asarray(found, dtype=np.int64), self.live.rows.passing_ids(where))
        if len(ids) <= k:
            return ids
        matches = self.live.matches(terms, ids, self.statistics().mean_length)
        return best(ids, self.lexical_scores(terms, matches), k).ids

    def statistics(self) -> Statistics:
        """Size and mean length that words are scored with: the base's, where it holds anything."""
        return self.base.statistics() if len(self.base.ids()) else self.live.statistics()

    def matches(self, terms: Sequence[str], ids: IntArray) -> Matches:
        """What each term of a query is to each of the items (ids that can be found, ascending)."""
        above = self.live.rows.known(ids) if self.live.terms else np.zeros(len(ids), dtype=bool)
        if not above.any():
            return self.base.matches(terms, ids)
        shape = (len(ids), len(terms))
        impacts, in_title = np.zeros(shape, np.float32), np.zeros(shape, dtype=bool)
        live = self.live.matches(terms, ids[above], self.statistics().mean_length)
        below = self.base.matches(terms, ids[~above])
        impacts[above], impacts[~above] = live.impacts, below.impacts
        in_title[above], in_title[~above] = live.in_title, below.in_title
        return Matches(impacts, in_title)

    def lexical_scores(self, terms: Sequence[str], matches: Matches) -> FloatArray:
        """BM25 with the collection statistics of the base, one score for each row of ``matches``.

        All terms of the query count, also those too common to bring candidates in.
        """
        layer = self.base if len(self.base.ids()) else self.live
        known, items = layer.document_frequencies(terms), self.statistics().items
        weights = [inverse_frequency(known.get(term, 0), items) for term in terms]
        scores: FloatArray = matches.impacts @ np.asarray(weights, np.float32)
        return scores

    def phrase_in_title(self, phrase: Sequence[str], number: int) -> bool:
        """Whether the terms stand in the item's title side by side, in this order."""
        if number not in self.live.terms:
            return self.base.phrase_in_title(phrase, number)
        title = self.live.terms[number].title
        return any(
            title[start : start + len(phrase)] == tuple(phrase)
            for start in range(len(title) - len(phrase) + 1)
        )

    def document_frequencies(self, terms: Sequence[str]) -> dict[str, int]:
        """In how many items each term occurs (of both layers, hidden ones included)."""
        found = self.base.document_frequencies(terms)
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
        """For each field name, how many of the given items carry each value."""
        wanted = np.asarray(ids, dtype=np.int64)
        above = self.live.rows.known(wanted)
        counts = self.base.facets(wanted[~above].tolist(), names)
        if above.any():
            for name, values in self.live.rows.facets(wanted[above], names).items():
                for value, number in values.items():
                    counts[name][value] = counts[name].get(value, 0) + number
        return counts
