"""Words as inverted lists: for every term the rows that hold it, and what it adds to their scores.

A query adds up the lists of its telling terms (one sparse product) and takes the ``k`` largest sums; nothing
is cut off. Impacts are stored in 16 bits, to one part in 30,000. Beside the lists stand the items' own terms,
for the second look at the best candidates, and the titles in order, for phrases.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from peerscope.retrieval.index.arrays import joined, mapped, top_rows
from peerscope.retrieval.index.terms import (
    K1,
    TITLE_WEIGHT,
    B,
    Keys,
    Mask,
    Statistics,
    item_terms,
    term_keys,
)
from peerscope.retrieval.schema import FloatArray, IntArray, Item
from peerscope.retrieval.text import Tokenizer

MOST_TERMS = 16
"""Terms that bring candidates in, the rarest of a query; all of them count in the score."""

COMMON_SHARE, COMMON_FROM = 0.1, 2000
"""A term in more than a tenth of the items (and in 2,000) brings no candidates in beside rarer ones: it says
little, and its list is long."""

STEP = (K1 + 1) / 65_535
"""The unit that impacts are stored in."""

CHUNK = 8192
"""Items tokenized at a time."""

Progress = Callable[[str, int, int | None], None]
Places = NDArray[np.int32]
Codes = NDArray[np.uint16]

ARRAYS = (
    "keys", "ends", "rows", "impacts", "own_ends", "own", "own_impacts", "title_ends", "titles",
    "lengths",
)  # fmt: skip


class Postings:
    """The terms of a set of items, both ways; immutable, in memory or mapped from files.

    Attributes:
        keys: Hash of each term, ascending, shape ``[v]``.
        ends: Where each term's list begins and ends, shape ``[v + 1]``.
        rows: Rows of all lists one after the other, ascending within a list.
        impacts: What the term adds to the row's score, before the idf, in units of `STEP`; like ``rows``.
        own_ends: Where each item's terms begin and end, shape ``[items + 1]``.
        own: The items' distinct terms one item after the other, as places in ``keys``.
        own_impacts: Like ``impacts``, for ``own``.
        title_ends: Where each item's title begins and ends, shape ``[items + 1]``.
        titles: Terms of all titles in order, as places in ``keys``.
        lengths: Number of terms of title and text, shape ``[items]``.
        statistics: Size and mean length (names included).
    """

    def __init__(
        self,
        keys: Keys,
        ends: IntArray,
        rows: Places,
        impacts: Codes,
        own_ends: IntArray,
        own: Places,
        own_impacts: Codes,
        title_ends: IntArray,
        titles: Places,
        lengths: FloatArray,
        *,
        statistics: Statistics,
    ) -> None:
        self.keys = keys
        self.ends = ends
        self.rows = rows
        self.impacts = impacts
        self.own_ends = own_ends
        self.own = own
        self.own_impacts = own_impacts
        self.title_ends = title_ends
        self.titles = titles
        self.lengths = lengths
        self.statistics = statistics

    @classmethod
    def of(
        cls, items: Sequence[Item], tokenizer: Tokenizer, progress: Progress | None = None
    ) -> Self:
        """The terms of items, row by row."""
        numbers: defaultdict[str, int] = defaultdict(count().__next__)
        parts: list[sparse.csr_array] = []
        titles: list[Places] = [np.empty(0, np.int32)]
        title_lengths, text_lengths, name_lengths = (
            np.zeros(len(items), np.int64) for _ in range(3)
        )
        for start in range(0, len(items), CHUNK):
            columns, ends, heads = [], [0], []
            for row, item in enumerate(items[start : start + CHUNK], start):
                title, text, names = (
                    [numbers[term] for term in part] for part in item_terms(tokenizer, item)
                )
                title_lengths[row], text_lengths[row] = len(title), len(text)
                name_lengths[row] = len(names)
                columns += title * TITLE_WEIGHT + text + names
                ends.append(len(columns))
                heads += title
            titles.append(np.asarray(heads, np.int32))
            parts.append(_counted(columns, ends))
            if progress is not None:
                progress("indexing words", min(start + CHUNK, len(items)), len(items))
        spoken = (title_lengths + text_lengths).astype(np.float32)
        lengths = spoken + name_lengths.astype(np.float32)
        statistics = Statistics(len(items), float(lengths.mean()) if len(items) else 0.0)
        keys, places = np.unique(term_keys(numbers), return_inverse=True)
        renumbered = places.astype(np.int32)
        own = _saturated(parts, renumbered, lengths, statistics.mean_length)
        lists = own.tocsc()
        return cls(
            keys,
            lists.indptr.astype(np.int64),
            lists.indices.astype(np.int32, copy=False),
            lists.data,
            own.indptr.astype(np.int64),
            own.indices.astype(np.int32, copy=False),
            own.data,
            np.concatenate(([0], np.cumsum(title_lengths))),
            renumbered[np.concatenate(titles)],
            spoken,
            statistics=statistics,
        )

    def save(self, folder: Path) -> None:
        """Write one array file for each part into a new folder."""
        folder.mkdir()
        for name in ARRAYS:
            np.save(folder / f"{name}.npy", getattr(self, name))

    @classmethod
    def load(cls, folder: Path, statistics: Statistics) -> Self:
        """What `save` wrote; the lists stay on disk until they are touched."""
        return cls(*(mapped(folder / f"{name}.npy") for name in ARRAYS), statistics=statistics)

    def places(self, keys: Keys) -> IntArray:
        """Place of each term, -1 for unknown ones, shape ``[len(keys)]``."""
        if not len(self.keys):
            return np.full(len(keys), -1, np.int64)
        found = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        return np.where(self.keys[found] == keys, found, -1)

    def frequencies(self, keys: Keys) -> IntArray:
        """In how many items each term occurs, shape ``[len(keys)]``."""
        places = self.places(keys)
        return np.where(places >= 0, self.ends[places + 1] - self.ends[places], 0)

    def telling(self, keys: Keys) -> IntArray:
        """Which of the terms occur here and bring candidates in, the rarest first."""
        found = self.frequencies(keys)
        known = np.flatnonzero(found)
        ordered = known[np.argsort(found[known], kind="stable")]
        most = max(COMMON_FROM, COMMON_SHARE * self.statistics.items)
        rare = ordered[found[ordered] <= most]
        return (rare if len(rare) else ordered[:2])[:MOST_TERMS]

    def search(
        self, keys: Keys, weights: FloatArray, k: int, passing: Mask | None = None
    ) -> tuple[IntArray, FloatArray]:
        """Rows of the ``k`` best items for the telling terms, best first, ties by row; and their scores.

        Args:
            keys: Distinct terms of the query.
            weights: What each of them weighs.
            k: How many rows at most.
            passing: Rows that may be found, shape ``[items]``; all if ``None``.
        """
        telling = self.telling(keys)
        if k <= 0 or not len(telling):
            return np.empty(0, np.int64), np.empty(0, np.float32)
        places = self.places(keys[telling])
        begins, ends = self.ends[places], self.ends[places + 1]
        lists = sparse.csc_array(
            (
                joined(self.impacts, begins, ends).astype(np.float32),
                joined(self.rows, begins, ends),
                np.concatenate(([0], np.cumsum(ends - begins))).astype(np.int32),
            ),
            shape=(self.statistics.items, len(telling)),
        )
        scores = lists @ (np.float32(STEP) * weights[telling])
        if passing is not None:
            scores *= passing
        found = top_rows(scores, k, above=0.0)
        return found, scores[found]

    def impacts_on(self, keys: Keys, rows: IntArray) -> FloatArray:
        """The impact of each term on each of the rows, 0 without it; shape ``[len(rows), len(keys)]``."""
        found = np.zeros((len(keys), len(rows)), np.float32)
        order = np.argsort(rows)  # ascending, neighbouring rows share what is read of a list
        wanted = rows[order].astype(np.int32)
        for line, place in enumerate(self.places(keys).tolist()):
            if place < 0:
                continue
            begin, end = int(self.ends[place]), int(self.ends[place + 1])
            holders = self.rows[begin:end]
            near = np.minimum(holders.searchsorted(wanted), end - begin - 1)
            found[line, order] = self.impacts[begin:end][near] * (holders[near] == wanted)
        found *= np.float32(STEP)
        return found.T

    def in_title(self, keys: Keys, rows: IntArray) -> Mask:
        """Whether each term stands in the title of each of the rows: ``[rows, keys]``."""
        found = np.zeros((len(rows), len(keys)), dtype=bool)
        titles, owners = self._titles(rows)
        for column, place in enumerate(self.places(keys).tolist()):
            found[owners[titles == place], column] = True
        return found

    def bag(self, row: int) -> tuple[Keys, FloatArray]:
        """All terms of a row with their impacts."""
        part = slice(int(self.own_ends[row]), int(self.own_ends[row + 1]))
        return self.keys[self.own[part]], self.own_impacts[part] * np.float32(STEP)

    def _titles(self, rows: IntArray) -> tuple[Places, IntArray]:
        """The title terms of some rows one after the other, and to which of the rows each belongs."""
        begins, lengths = self.title_ends[rows], self.title_ends[rows + 1] - self.title_ends[rows]
        owners = np.repeat(np.arange(len(rows)), lengths)
        steps = np.arange(len(owners)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        return self.titles[begins[owners] + steps], owners

    def title(self, row: int) -> Keys:
        """The terms of a row's title, in order."""
        return self.keys[self.titles[self.title_ends[row] : self.title_ends[row + 1]]]


def _counted(columns: Sequence[int], ends: Sequence[int]) -> sparse.csr_array:
    """How often each column occurs in each text."""
    found = sparse.csr_array(
        (
            np.ones(len(columns), np.float32),
            np.asarray(columns, np.int32),
            np.asarray(ends, np.int32),
        ),
        shape=(len(ends) - 1, max(columns, default=-1) + 1),
    )
    found.sum_duplicates()
    return found


def _saturated(
    counts: list[sparse.csr_array], renumbered: Places, lengths: FloatArray, mean_length: float
) -> sparse.csr_array:
    """Counts of all items, in parts that are used up, to impacts in units of `STEP`, terms renumbered."""
    ends = np.concatenate([np.zeros(1, np.int64), *(np.diff(part.indptr) for part in counts)])
    ends = np.cumsum(ends)
    places = np.empty(ends[-1], np.int32)
    codes = np.empty(ends[-1], np.uint16)
    floor = (K1 * (1 - B + B * lengths / (mean_length or 1.0))).astype(np.float32)
    row, done = 0, 0
    while counts:
        part = counts.pop(0)
        size, reached = part.shape[0], done + len(part.data)
        below = np.repeat(floor[row : row + size], np.diff(part.indptr)) + part.data
        codes[done:reached] = np.rint(part.data / below * np.float32((K1 + 1) / STEP))
        places[done:reached] = renumbered[part.indices]
        row, done = row + size, reached
    kind = np.int32 if done < 2**31 else np.int64
    shape = (len(lengths), int(renumbered.max(initial=-1)) + 1)
    return sparse.csr_array(
        (codes, places.astype(kind, copy=False), ends.astype(kind)), shape=shape
    )
