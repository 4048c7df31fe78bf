"""Terms and their BM25 (Robertson and Zaragoza 2009): the same for published and for live items.

A term is known by a 63-bit hash, its key, as features are in the tokenizer: keys of two layers compare, and
no vocabulary has to be read. BM25 has k1 1.2 and b 0.75; it falls into an impact, which the item decides, and
a weight, which the query and the collection decide.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from peerscope.retrieval.schema import FloatArray, IntArray, Item
from peerscope.retrieval.text import Tokenizer

Keys = NDArray[np.uint64]
Mask = NDArray[np.bool_]

K1, B = 1.2, 0.75
TITLE_WEIGHT = 2
"""An occurrence in the title counts as two; the length of an item does not change with it."""


@dataclass(frozen=True, slots=True)
class Statistics:
    """What BM25 needs to know of a collection: its size and its mean length in terms."""

    items: int
    mean_length: float


class Words(Protocol):
    """What a second look asks of the items that it looks at."""

    def impacts(self, keys: Keys, ids: IntArray) -> FloatArray:
        """The `impact` of each term on each of the items, shape ``[len(ids), len(keys)]``."""
        ...

    def weights(self, keys: Keys, counts: FloatArray) -> FloatArray:
        """What each term weighs: how often it is said, times its idf."""
        ...

    def bag(self, number: int) -> tuple[Keys, FloatArray]:
        """All terms of an item with their impacts."""
        ...

    def frequencies(self, keys: Keys) -> IntArray:
        """In how many items each term occurs."""
        ...


def item_terms(tokenizer: Tokenizer, item: Item) -> tuple[list[str], list[str], list[str]]:
    """The terms of an item's title, text and names, as they are indexed."""
    return tokenizer.terms(item.title), tokenizer.terms(item.text), tokenizer.terms(item.names)


def term_key(term: str) -> int:
    """The hash by which a term is known."""
    return int.from_bytes(blake2b(term.encode("utf-8", "replace"), digest_size=8).digest()) >> 1


def term_keys(terms: Iterable[str]) -> Keys:
    """The hashes of terms, in their order."""
    return np.asarray([term_key(term) for term in terms], dtype=np.uint64)


@dataclass(frozen=True, slots=True)
class QueryTerms:
    """The terms of a query.

    Attributes:
        terms: Distinct, in order.
        keys: Their hashes, shape ``[len(terms)]``.
        counts: How often the query says each, shape ``[len(terms)]``.
    """

    terms: tuple[str, ...]
    keys: Keys
    counts: FloatArray

    @classmethod
    def of(cls, counts: Mapping[str, float]) -> QueryTerms:
        """From terms with how often the query says each (`Tokenizer.query_counts`)."""
        said = np.asarray(list(counts.values()), np.float32)
        return cls(tuple(counts), term_keys(counts), said)


def rarity(frequencies: IntArray, items: int) -> FloatArray:
    """The idf ``log(1 + (N - n + 0.5) / (n + 0.5))`` of terms that occur in ``n`` of ``N`` items.

    It stays above 0 for terms that most items have.
    """
    present = np.minimum(frequencies, items)
    found: FloatArray = np.log1p((items - present + 0.5) / (present + 0.5)).astype(np.float32)
    return found


def saturation(length: float, mean_length: float) -> float:
    """What BM25 adds to a term's count below the fraction line, for an item of that length."""
    return K1 * (1 - B + B * length / (mean_length or 1.0))


def impact(count: float, length: float, mean_length: float) -> float:
    """The part of a term's BM25 score that the item decides, below k1 + 1.

    Args:
        count: Occurrences of the term, those in the title counted `TITLE_WEIGHT` times.
        length: Number of terms of the item.
        mean_length: Mean number of terms of an item of the collection.
    """
    return count * (K1 + 1) / (count + saturation(length, mean_length))
