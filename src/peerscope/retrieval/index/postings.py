"""Words as inverted lists: for every term the rows that hold it, and what it adds to their BM25 scores.

Terms are known by a 63-bit hash, as in the tokenizer, so that a query's terms are found by one binary search
and no vocabulary is read on opening. BM25 (Robertson and Zaragoza 2009) with k1 1.2 and b 0.75 is computed when
the index is built and lacks only the idf: what a term adds is stored beside the row. A query adds up the lists
of its terms (one sparse product) and takes the ``k`` largest sums. Nothing is cut off; what is stored is rounded to
one part in 30,000.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from peerscope.retrieval.index.arrays import joined, mapped, top_rows
from peerscope.retrieval.index.fields import Mask
from peerscope.retrieval.schema import FloatArray, IntArray, Item
from peerscope.retrieval.text import Tokenizer

TITLE_WEIGHT = 2
"""An occurrence in the title counts as two; the length of an item does not change with it."""

K1, B = 1.2, 0.75
MOST_TERMS = 16
"""Terms that bring candidates in, the rarest of a query; all of them count in the score."""

COMMON_SHARE, COMMON_FROM = 0.1, 2000
"""A term in more than a tenth of the items (and in 2,000) brings no candidates in beside rarer ones: it says
little, and its list is long."""

CHUNK = 8192
"""Items tokenized at a time."""

STEP = (K1 + 1) / 65_535
"""What is stored counts in this unit: BM25 without idf lies below k1 + 1."""

Progress = Callable[[str, int, int | None], None]
Keys = NDArray[np.uint64]
Rows32 = NDArray[np.int32]
Codes = NDArray[np.uint16]

ARRAYS = ("keys", "ends", "rows", "impacts", "titles", "title_ends")


@dataclass(frozen=True, slots=True)
class Statistics:
    """What BM25 needs to know of a collection: its size and its mean length in terms."""

    items: int
    mean_length: float


@dataclass(frozen=True, slots=True)
class Matches:
    """What each term of a query (columns) is to each of some items (rows).

    Attributes:
        impacts: BM25 without the idf, 0 where the term does not occur; shape ``[items, terms]``.
        in_title: Whether the term stands in the title; shape ``[items, terms]``.
    """

    impacts: FloatArray
    in_title: Mask


def item_terms(tokenizer: Tokenizer, item: Item) -> tuple[list[str], list[str], list[str]]:
    """The terms of an item's title, text and names, as they are indexed."""
    return tokenizer.terms(item.title), tokenizer.terms(item.text), tokenizer.terms(item.names)


def term_key(term: str) -> int:
    """The hash by which a term is known."""
    return int.from_bytes(blake2b(term.encode("utf-8", "replace"), digest_size=8).digest()) >> 1


def term_keys(terms: Iterable[str]) -> Keys:
    """The hashes of terms, in their order."""
    return np.asarray([term_key(term) for term in terms], dtype=np.uint64)


def inverse_frequency(frequency: int, items: int) -> float:
    """The idf of a term as SQLite's FTS5 computes it, never below 1e-6."""
    if frequency >= items:
        return 1e-6
    return max(math.log((items - frequency + 0.5) / (frequency + 0.5)), 1e-6)


def saturation(length: float | FloatArray, mean_length: float) -> float | FloatArray:
    """What BM25 adds to a term's count below the fraction line, for an item of that length."""
    return K1 * (1 - B + B * length / (mean_length or 1.0))


class Postings:
    """The inverted lists of a set of items, by row; immutable, in memory or mapped from files.

    Attributes:
        keys: Hash of each term, ascending, shape ``[v]``.
        ends: Where each term's list begins and ends, shape ``[v + 1]``.
        rows: Rows of all lists one after the other, ascending within a list.
        impacts: What the term adds to the row's score, before the idf, in units of `STEP`; like ``rows``.
        titles: Terms of all titles in order, as places in ``keys``.
        title_ends: Where each row's title begins and ends, shape ``[items + 1]``.
        statistics: Size and mean length.
    """

    def __init__(
        self,
        keys: Keys,
        ends: IntArray,
        rows: Rows32,
        impacts: Codes,
        titles: Rows32,
        title_ends: IntArray,
        statistics: Statistics,
    ) -> None:
        self.keys = keys
        self.ends = ends
        self.rows = rows
        self.impacts = impacts
        self.titles = titles
        self.title_ends = title_ends
        self.statistics = statistics

    @classmethod
    def of(
        cls, items: Sequence[Item], tokenizer: Tokenizer, progress: Progress | None = None
    ) -> Self:
        """The lists of items, row by row."""
        numbers: dict[str, int] = {}
        parts: list[sparse.csr_array] = []
        titles: list[Rows32] = []
        title_ends, lengths = [0], np.zeros(len(items), np.float32)
        for start in range(0, len(items), CHUNK):
            columns: list[int] = []
            ends = [0]
            own: list[int] = []
            for row, item in enumerate(items[start : start + CHUNK], start):
                title, text, names = (
                    [numbers.setdefault(term, len(numbers)) for term in part]
                    for part in item_terms(tokenizer, item)
                )
                lengths[row] = len(title) + len(text) + len(names)
                columns += title * TITLE_WEIGHT + text + names
                ends.append(len(columns))
                own += title
                title_ends.append(title_ends[-1] + len(title))
            titles.append(np.asarray(own, np.int32))
            parts.append(_counted(columns, ends))
            if progress is not None:
                progress("indexing words", min(start + CHUNK, len(items)), len(items))
        statistics = Statistics(len(items), float(lengths.mean()) if len(items) else 0.0)
        places, keys = _ordered(numbers)
        for part, title in zip(parts, titles, strict=True):
            part.indices = places[part.indices]
            title[:] = places[title]
        counts = _stacked(parts, len(keys))
        floor = np.asarray(saturation(lengths, statistics.mean_length), np.float32)
        below = np.repeat(floor, np.diff(counts.indptr))
        below += counts.data
        counts.data /= below
        counts.data *= np.float32((K1 + 1) / STEP)
        del below
        counts.data = np.rint(counts.data).astype(np.uint16)
        lists = counts.tocsc()
        del counts
        return cls(
            keys,
            lists.indptr.astype(np.int64),
            lists.indices,
            lists.data,
            np.concatenate(titles) if titles else np.empty(0, np.int32),
            np.asarray(title_ends, np.int64),
            statistics,
        )

    def save(self, folder: Path) -> None:
        """Write one array file for each part into a new folder."""
        folder.mkdir()
        for name in ARRAYS:
            np.save(folder / f"{name}.npy", getattr(self, name))

    @classmethod
    def load(cls, folder: Path, statistics: Statistics) -> Self:
        """What `save` wrote; the lists stay on disk until they are touched."""
        return cls(*(mapped(folder / f"{name}.npy") for name in ARRAYS), statistics)

    def places(self, terms: Sequence[str]) -> IntArray:
        """Place of each term in ``keys``, -1 for unknown ones, shape ``[len(terms)]``."""
        wanted = term_keys(terms)
        if not len(self.keys):
            return np.full(len(wanted), -1, np.int64)
        found = np.minimum(np.searchsorted(self.keys, wanted), len(self.keys) - 1)
        return np.where(self.keys[found] == wanted, found, -1)

    def document_frequencies(self, terms: Sequence[str]) -> dict[str, int]:
        """In how many items each term occurs; unknown terms are left out."""
        wanted = list(dict.fromkeys(terms))
        places = self.places(wanted)
        return {
            term: int(self.ends[place + 1] - self.ends[place])
            for term, place in zip(wanted, places.tolist(), strict=True)
            if place >= 0
        }

    def telling(self, terms: Sequence[str]) -> list[str]:
        """Those of the terms that occur here and bring candidates in, the rarest first."""
        found = self.document_frequencies(terms)
        ordered = sorted(found, key=lambda term: (found[term], term))
        most = max(COMMON_FROM, COMMON_SHARE * self.statistics.items)
        rare = [term for term in ordered if found[term] <= most]
        return (rare or ordered[:2])[:MOST_TERMS]

    def search(
        self, terms: Sequence[str], k: int, passing: Mask | None = None
    ) -> tuple[IntArray, FloatArray]:
        """Rows of the ``k`` best items for the telling terms, best first, ties by row; and their scores.

        Args:
            terms: Terms of the query.
            k: How many rows at most.
            passing: Rows that may be found, shape ``[items]``; all if ``None``.
        """
        telling = self.places(self.telling(terms))
        if k <= 0 or not len(telling):
            return np.empty(0, np.int64), np.empty(0, np.float32)
        begins, ends = self.ends[telling], self.ends[telling + 1]
        items = self.statistics.items
        lists = sparse.csc_array(
            (
                joined(self.impacts, begins, ends).astype(np.float32),
                joined(self.rows, begins, ends),
                np.concatenate(([0], np.cumsum(ends - begins))).astype(np.int32),
            ),
            shape=(items, len(telling)),
        )
        weights = [STEP * inverse_frequency(int(n), items) for n in ends - begins]
        scores = lists @ np.asarray(weights, np.float32)
        if passing is not None:
            scores *= passing
        found = top_rows(scores, k, above=0.0)
        return found, scores[found]

    def matches(self, terms: Sequence[str], rows: IntArray) -> Matches:
        """What each term is to each of the rows (ascending)."""
        impacts = np.zeros((len(rows), len(terms)), np.float32)
        in_title = np.zeros((len(rows), len(terms)), dtype=bool)
        if not len(rows):
            return Matches(impacts, in_title)
        wanted = rows.astype(np.int32)
        flat, owners = self._titles(rows)
        for column, place in enumerate(self.places(terms).tolist()):
            if place < 0:
                continue
            begin, end = int(self.ends[place]), int(self.ends[place + 1])
            own = self.rows[begin:end]
            found = np.minimum(np.searchsorted(own, wanted), len(own) - 1)
            here = np.flatnonzero(own[found] == wanted)
            impacts[here, column] = STEP * self.impacts[begin:end][found[here]]
            in_title[owners[flat == place], column] = True
        return Matches(impacts, in_title)

    def _titles(self, rows: IntArray) -> tuple[Rows32, IntArray]:
        """The title terms of some rows one after the other, and to which of the rows each belongs."""
        begins, lengths = self.title_ends[rows], self.title_ends[rows + 1] - self.title_ends[rows]
        owners = np.repeat(np.arange(len(rows)), lengths)
        steps = np.arange(len(owners)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        return self.titles[begins[owners] + steps], owners

    def phrase_in_title(self, phrase: Sequence[str], row: int) -> bool:
        """Whether the terms stand in the row's title side by side, in this order."""
        wanted = self.places(phrase).tolist()
        title = self.titles[self.title_ends[row] : self.title_ends[row + 1]].tolist()
        return any(
            title[start : start + len(wanted)] == wanted
            for start in range(len(title) - len(wanted) + 1)
        )


def _counted(columns: Sequence[int], ends: Sequence[int]) -> sparse.csr_array:
    """How often each column occurs in each text."""
    ones = np.ones(len(columns), np.float32)
    width = max(columns, default=-1) + 1
    found = sparse.csr_array(
        (ones, np.asarray(columns, np.int32), np.asarray(ends, np.int32)),
        shape=(len(ends) - 1, width),
    )
    found.sum_duplicates()
    return found


def _ordered(numbers: dict[str, int]) -> tuple[Rows32, Keys]:
    """Where each number goes when terms are sorted by hash, and the hashes; equal hashes share a place."""
    keys, places = np.unique(term_keys(numbers), return_inverse=True)
    return places.astype(np.int32), keys


def _stacked(parts: Sequence[sparse.csr_array], width: int) -> sparse.csr_array:
    """The parts one under the other, their data taken over piece by piece."""
    sizes = np.concatenate([np.zeros(1, np.int64), *(np.diff(part.indptr) for part in parts)])
    ends = np.cumsum(sizes)
    kind = np.int32 if ends[-1] < 2**31 else np.int64
    data = np.concatenate([part.data for part in parts]) if parts else np.empty(0, np.float32)
    indices = np.concatenate([part.indices for part in parts]) if parts else np.empty(0, np.int32)
    return sparse.csr_array(
        (data, indices.astype(kind, copy=False), ends.astype(kind)), shape=(len(sizes) - 1, width)
    )
