"""The bag: a text as the mean of the vectors of its hashed terms, with NumPy and SciPy only.

A text becomes a bag of hashed terms and pairs (`Tokenizer.features_batch`). In the weighted bag they count
(1 + log tf) x idf and the bag is scaled to unit length; in the plain one each occurrence counts alike (DPSR
section 5.1.2 averages token embeddings). A table of term vectors turns the bag into one vector.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from peerscope.retrieval.schema import FloatArray
from peerscope.retrieval.text import Tokenizer

CHUNK = 4096
"""Texts embedded at a time, so that memory does not grow with the catalogue."""


def unit_rows(rows: FloatArray) -> FloatArray:
    """Rows scaled to length 1; rows of zeros stay zeros."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return (rows / np.where(lengths > 1e-12, lengths, 1.0)).astype(np.float32)


def counted(columns: NDArray[np.int64], ends: NDArray[np.int64], width: int) -> sparse.csr_array:
    """How often each column occurs in each text, shape ``[len(ends) - 1, width]``.

    Args:
        columns: Columns of all texts one after the other.
        ends: Where each text begins and ends among them.
        width: Number of columns.
    """
    ones = np.ones(len(columns), np.float32)
    found = sparse.csr_array((ones, columns.astype(np.int32), ends), shape=(len(ends) - 1, width))
    found.sum_duplicates()
    return found


def weighted(counts: sparse.csr_array, idf: FloatArray) -> sparse.csr_array:
    """(1 + log tf) x idf with rows of unit length; the counts are changed in place."""
    counts.data = (1 + np.log(counts.data)) * idf[counts.indices]
    sizes = np.diff(counts.indptr)
    squares = np.add.reduceat(np.append(counts.data**2, 0.0), counts.indptr[:-1])
    lengths = np.where(sizes > 0, np.sqrt(squares), 1.0)
    counts.data = (counts.data / np.repeat(lengths, sizes)).astype(np.float32)
    return counts


def averaged(counts: sparse.csr_array) -> sparse.csr_array:
    """Counts divided by their sum in each row; the counts are changed in place."""
    sizes = np.diff(counts.indptr)
    totals = np.add.reduceat(np.append(counts.data, 0.0), counts.indptr[:-1])
    counts.data = (counts.data / np.repeat(np.where(sizes > 0, totals, 1.0), sizes)).astype(
        np.float32
    )
    return counts


@dataclass(frozen=True)
class Bag:
    """Texts to vectors: known features, their idf, their vectors.

    Attributes:
        vocabulary: Feature ids, ascending, int64, shape ``[v]``.
        idf: Weight of each feature, above 0, shape ``[v]``.
        table: Vector of each feature, shape ``[v, k]`` (float16 on disk, float32 in memory); ``[v + b, k]``
            where unknown features share ``b`` rows by their hash.
        plain: Whether a text is the mean of its features' vectors instead of the weighted, normalised sum.
        taught: Whether the table follows a sentence encoder (`distil`).
    """

    vocabulary: NDArray[np.int64]
    idf: FloatArray
    table: FloatArray
    plain: bool = False
    taught: bool = False

    @property
    def width(self) -> int:
        """Length k of the vectors."""
        return int(self.table.shape[1])

    def columns(
        self, tokenizer: Tokenizer, texts: Sequence[str]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Table rows of the texts' features one after the other, and where each text begins and ends."""
        flat, ends = tokenizer.features_batch(texts)
        size, spare = len(self.vocabulary), len(self.table) - len(self.vocabulary)
        if not size:
            return np.empty(0, np.int64), np.zeros(len(texts) + 1, np.int64)
        found = np.minimum(np.searchsorted(self.vocabulary, flat), size - 1)
        known = self.vocabulary[found] == flat
        if spare:
            return np.where(known, found, size + flat % spare), ends
        return found[known], np.concatenate(([0], np.cumsum(known)))[ends]

    def weights(self, tokenizer: Tokenizer, texts: Sequence[str]) -> sparse.csr_array:
        """Bags of known features, rows of unit length or unit sum or empty, shape ``[len(texts), rows]``."""
        columns, ends = self.columns(tokenizer, texts)
        counts = counted(columns, ends, len(self.table))
        return averaged(counts) if self.plain else weighted(counts, self.idf)

    def embed(self, tokenizer: Tokenizer, texts: Sequence[str]) -> FloatArray:
        """Vectors of texts, shape ``[len(texts), k]``; zeros where no feature is known.

        Of unit length, unless the bag is plain.
        """
        found = np.zeros((len(texts), self.width), np.float32)
        for start in range(0, len(texts), CHUNK):
            part = texts[start : start + CHUNK]
            found[start : start + len(part)] = self.weights(tokenizer, part) @ self.table
        return found if self.plain else unit_rows(found)
