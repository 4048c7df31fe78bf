"""The closed-form start of the towers: latent semantic analysis of the catalogue.

The table of term vectors is the right singular basis of the weighted item-term matrix (Deerwester et al.
1990), computed by randomised range finding (Halko, Martinsson and Tropp 2011, algorithms 4.4 and 5.1).
It needs no pairs and no gradient, so that a site of three hundred works has a sense of meaning too, and
training starts from something that works.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from peerscope.retrieval.embed import Bag, counted, weighted
from peerscope.retrieval.schema import FloatArray
from peerscope.retrieval.text import Tokenizer

OVERSAMPLING = 16
POWER_ITERATIONS = 2
WIDEST = 256
MOST_FEATURES = 300_000

Progress = Callable[[str, int, int | None], None]


def width_for(items: int) -> int:
    """Length of the vectors for a catalogue: grows with its square root, from 16 to 256.

    Few items span few subjects; more dimensions than that reproduce the words instead of joining them
    (measured: 128 is best for Cranfield's 1,400 items, 256 for 97,000 works).
    """
    return max(16, min(WIDEST, 8 * round(3.4 * math.sqrt(items) / 8)))


def fit_bag(
    texts: Sequence[str],
    tokenizer: Tokenizer,
    *,
    width: int | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Bag:
    """Vocabulary, idf and term vectors of a catalogue's texts.

    Args:
        texts: One text an item.
        tokenizer: The site's tokenizer.
        width: Length of the vectors; `width_for` the number of texts by default.
        seed: Seed of the random range.
        progress: Told of the stage.

    Returns:
        A bag with the vocabulary of `frequent_features`; an empty one where nothing repeats.
    """
    counts, features, idf = frequent_features(texts, tokenizer, progress)
    target = width if width is not None else width_for(len(texts))
    target = min(target, max(len(features), 1), max(len(texts), 1))
    if not len(features):
        return Bag(features, idf, np.zeros((0, target), np.float32))
    if progress is not None:
        progress("latent semantic analysis", 0, None)
    return Bag(features, idf, right_basis(weighted(counts, idf), target, seed))


def random_bag(
    texts: Sequence[str],
    tokenizer: Tokenizer,
    *,
    width: int,
    buckets: int = 0,
    seed: int = 0,
    progress: Progress | None = None,
) -> Bag:
    """The start of a table that is learned: random vectors, a text their plain mean (DPSR section 4.1).

    Args:
        texts: One text an item.
        tokenizer: The site's tokenizer.
        width: Length of the vectors.
        buckets: Rows that features outside the vocabulary share by their hash.
        seed: Seed of the vectors; their entries have variance 1 / width.
        progress: Told of the stage.
    """
    _, features, idf = frequent_features(texts, tokenizer, progress)
    generator = np.random.default_rng(seed)
    table = generator.standard_normal((len(features) + buckets, width)) / math.sqrt(width)
    return Bag(features, idf, table.astype(np.float32), plain=True)


def frequent_features(
    texts: Sequence[str], tokenizer: Tokenizer, progress: Progress | None = None
) -> tuple[sparse.csr_array, NDArray[np.int64], FloatArray]:
    """Features that repeat: their counts in each text, their ids (ascending), their idf (above 0).

    They are the features of at least two items (three from 20,000 items on), at most `MOST_FEATURES` of
    them, the most widespread first. Shapes ``[texts, v]``, ``[v]``, ``[v]``.
    """
    report = progress or (lambda stage, done, total: None)
    report("reading texts", 0, len(texts))
    flat, ends = tokenizer.features_batch(texts)
    report("reading texts", len(texts), len(texts))
    distinct, places = np.unique(flat, return_inverse=True)
    del flat
    counts = counted(places, ends, len(distinct))
    del places
    spread = np.bincount(counts.indices, minlength=len(distinct))
    least = 3 if len(texts) >= 20_000 else 2
    kept = np.flatnonzero(spread >= least)
    if len(kept) > MOST_FEATURES:
        kept = np.sort(kept[np.argsort(-spread[kept], kind="stable")[:MOST_FEATURES]])
    idf = np.log((len(texts) + 1) / (spread[kept] + 0.5)).astype(np.float32)
    return sparse.csr_array(counts[:, kept]), distinct[kept], np.maximum(idf, 1e-3)


def right_basis(matrix: sparse.csr_array, rank: int, seed: int) -> FloatArray:
    """The leading right singular vectors of a sparse matrix, shape ``[columns, rank]``, orthonormal.

    A matrix of lower rank gives zero columns for what it does not span.
    """
    generator = np.random.default_rng(seed)
    transposed = sparse.csr_array(matrix.T)
    reach = min(rank + OVERSAMPLING, *matrix.shape)
    sample = matrix @ generator.standard_normal((matrix.shape[1], reach)).astype(np.float32)
    for _ in range(POWER_ITERATIONS):
        basis, _ = np.linalg.qr(sample)
        basis, _ = np.linalg.qr(transposed @ basis)
        sample = matrix @ basis
    basis, _ = np.linalg.qr(sample)
    _, strengths, right = np.linalg.svd((transposed @ basis).T, full_matrices=False)
    table = np.zeros((matrix.shape[1], rank), np.float32)
    found = min(rank, len(strengths))
    table[:, :found] = np.where(strengths[:found] > 1e-6 * strengths[0], right[:found].T, 0.0)
    return table
