"""What changed since the bundle was published: a small index over the immutable one.

An overlay is immutable: `with_items` and `without` return the next one, and a reader keeps one for a whole
query. Words of its items are scored with the collection statistics of the base, so that both kinds of score
compare.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from peerscope.retrieval.index.arrays import best
from peerscope.retrieval.index.items import ItemIndex
from peerscope.retrieval.index.rows import Rows
from peerscope.retrieval.index.terms import (
    TITLE_WEIGHT,
    Keys,
    Mask,
    QueryTerms,
    Statistics,
    impact,
    item_terms,
    rarity,
    term_key,
)
from peerscope.retrieval.schema import Filter, FloatArray, Hits, IntArray, Item
from peerscope.retrieval.text import Tokenizer

MOST_HIDDEN = 5000
"""Hidden items that a search looks past; with more of them in front of an answer it comes out shorter."""


@dataclass(frozen=True, slots=True)
class LiveTerms:
    """The terms of one live item, by their keys.

    Attributes:
        title: In order.
        counts: Term to number of occurrences, those in the title counted `TITLE_WEIGHT` times.
        spoken: Number of terms of title and text.
        length: Number of terms, names included.
    """

    title: tuple[int, ...]
    counts: Mapping[int, int]
    spoken: int
    length: int

    @classmethod
    def of(cls, tokenizer: Tokenizer, item: Item) -> LiveTerms:
        """The terms of an item."""
        title, text, names = item_terms(tokenizer, item)
        counts = Counter([*title * TITLE_WEIGHT, *text, *names])
        keys = {term: term_key(term) for term in counts}
        return cls(
            tuple(keys[term] for term in title),
            {keys[term]: count for term, count in counts.items()},
            len(title) + len(text),
            len(title) + len(text) + len(names),
        )


class Live:
    """New and changed items in memory, as one immutable state: vectors, fields, terms with their items."""

    def __init__(
        self,
        rows: Rows,
        terms: Mapping[int, LiveTerms] | None = None,
        postings: Mapping[int, frozenset[int]] | None = None,
    ) -> None:
        self.rows = rows
        self.terms = terms or {}
        self.postings = postings or {}

    def with_items(self, items: Sequence[Item], vectors: FloatArray, tokenizer: Tokenizer) -> Live:
        """The state with these items added or replaced."""
        rows = self.rows.with_items(items, vectors)
        left = self.without([item.id for item in items]) if self.terms else self
        new = {item.id: LiveTerms.of(tokenizer, item) for item in items}
        holders: defaultdict[int, set[int]] = defaultdict(set)
        for number, own in new.items():
            for key in own.counts:
                holders[key].add(number)
        grown = {
            key: left.postings.get(key, frozenset()) | numbers for key, numbers in holders.items()
        }
        return Live(rows, {**left.terms, **new}, {**left.postings, **grown})

    def without(self, ids: Sequence[int]) -> Live:
        """The state without these items."""
        gone = frozenset(ids) & self.terms.keys()
        if not gone:
            return self
        postings = dict(self.postings)
        for key in {key for number in gone for key in self.terms[number].counts}:
            if left := postings[key] - gone:
                postings[key] = left
            else:
                del postings[key]
        terms = {number: own for number, own in self.terms.items() if number not in gone}
        return Live(self.rows.without(gone), terms, postings)

    def statistics(self) -> Statistics:
        """Size and mean length in terms."""
        words = sum(own.length for own in self.terms.values())
        return Statistics(len(self.terms), words / len(self.terms) if self.terms else 0.0)

    def frequencies(self, keys: Keys) -> IntArray:
        """In how many items each term occurs, shape ``[len(keys)]``."""
        found = [len(self.postings.get(key, ())) for key in keys.tolist()]
        return np.asarray(found, dtype=np.int64)

    def holding(self, keys: Keys) -> IntArray:
        """Ids of the items that have any of the terms, ascending."""
        found = set().union(*(self.postings.get(key, frozenset()) for key in keys.tolist()))
        return np.asarray(sorted(found), dtype=np.int64)

    def impacts(self, keys: Keys, ids: IntArray, mean_length: float) -> FloatArray:
        """The impact of each term on each of the known items, in a collection of that mean length."""
        found = np.zeros((len(ids), len(keys)), np.float32)
        wanted = keys.tolist()
        for row, number in enumerate(ids.tolist()):
            own = self.terms[number]
            for column, key in enumerate(wanted):
                if count := own.counts.get(key):
                    found[row, column] = impact(count, own.length, mean_length)
        return found

    def in_title(self, keys: Keys, ids: IntArray) -> Mask:
        """Whether each term stands in the title of each of the known items."""
        titles = [set(self.terms[number].title) for number in ids.tolist()]
        rows = [[key in title for key in keys.tolist()] for title in titles]
        return np.asarray(rows, dtype=bool).reshape(len(ids), len(keys))

    def bag(self, number: int, mean_length: float) -> tuple[Keys, FloatArray]:
        """All terms of a known item with their impacts."""
        own = self.terms[number]
        impacts = [impact(count, own.length, mean_length) for count in own.counts.values()]
        return np.asarray(list(own.counts), np.uint64), np.asarray(impacts, np.float32)


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

    def search_lexical(self, query: QueryTerms, k: int, where: Filter | None) -> IntArray:
        """Ids of the best of both layers, ``k`` of each at most, in order of id."""
        found = self.base.search_terms(query, self._beyond(k), where)
        below = self._visible(found, k).ids
        if not self.live.terms:
            return np.sort(below)
        return np.union1d(below, self._live_matches(query, k, where))

    def _live_matches(self, query: QueryTerms, k: int, where: Filter | None) -> IntArray:
        ids = np.intersect1d(
            self.live.holding(query.keys), self.live.rows.passing_ids(where), assume_unique=True
        )
        if len(ids) <= k:
            return ids
        scores = self.impacts(query.keys, ids) @ self.weights(query.keys, query.counts)
        return best(ids, scores, k).ids

    def statistics(self) -> Statistics:
        """Size and mean length that words are scored with: the base's, where it holds anything."""
        return self.base.statistics() if len(self.base.ids()) else self.live.statistics()

    def frequencies(self, keys: Keys) -> IntArray:
        """In how many items each term occurs, by the layer that words are scored with."""
        layer = self.base if len(self.base.ids()) else self.live
        return layer.frequencies(keys)

    def weights(self, keys: Keys, counts: FloatArray) -> FloatArray:
        """What each term weighs: how often it is said, times its idf; shape ``[len(keys)]``.

        All terms of a query have a weight, also those too common to bring candidates in.
        """
        return counts * rarity(self.frequencies(keys), self.statistics().items)

    def occurring(self, keys: Keys) -> Mask:
        """Which of the terms occur in any item of either layer, shape ``[len(keys)]``."""
        return (self.base.frequencies(keys) > 0) | (self.live.frequencies(keys) > 0)

    def impacts(self, keys: Keys, ids: IntArray) -> FloatArray:
        """The impact of each term on each item that can be found, shape ``[len(ids), len(keys)]``."""
        above = self._live(ids)
        if not above.any():
            return self.base.impacts(keys, ids)
        found = np.empty((len(ids), len(keys)), np.float32)
        found[above] = self.live.impacts(keys, ids[above], self.statistics().mean_length)
        found[~above] = self.base.impacts(keys, ids[~above])
        return found

    def in_title(self, keys: Keys, ids: IntArray) -> Mask:
        """Whether each term stands in the title of each item that can be found, likewise."""
        above = self._live(ids)
        if not above.any():
            return self.base.in_title(keys, ids)
        found = np.empty((len(ids), len(keys)), dtype=bool)
        found[above] = self.live.in_title(keys, ids[above])
        found[~above] = self.base.in_title(keys, ids[~above])
        return found

    def _live(self, ids: IntArray) -> Mask:
        """Which of the items are live ones."""
        return self.live.rows.known(ids) if self.live.terms else np.zeros(len(ids), dtype=bool)

    def bag(self, number: int) -> tuple[Keys, FloatArray]:
        """All terms of an item that can be found, with their impacts."""
        if number in self.live.terms:
            return self.live.bag(number, self.statistics().mean_length)
        return self.base.bag(number)

    def title(self, number: int) -> Keys:
        """The terms of the title of an item that can be found, in order."""
        if number in self.live.terms:
            return np.asarray(self.live.terms[number].title, np.uint64)
        return self.base.title(number)

    def lengths(self, ids: IntArray) -> FloatArray:
        """Number of terms of title and text of items that can be found, shape ``[len(ids)]``."""
        above = self._live(ids)
        found = np.zeros(len(ids), np.float32)
        found[~above] = self.base.lengths(ids[~above])
        found[above] = [self.live.terms[number].spoken for number in ids[above].tolist()]
        return found

    def known(self, ids: Sequence[int]) -> list[int]:
        """Which of the ids can be found."""
        wanted = np.asarray(list(ids), dtype=np.int64)
        below = self.base.known(wanted) & ~np.isin(wanted, self.hidden)
        return [int(number) for number in wanted[below | self.live.rows.known(wanted)]]

    def vectors(self, ids: Sequence[int] | IntArray) -> FloatArray:
        """Vectors of known items, shape ``[len(ids), dim]``."""
        wanted = np.asarray(ids, dtype=np.int64)
        if not self.live.terms:
            return self.base.look_up(wanted)[0]
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
