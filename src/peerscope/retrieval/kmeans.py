"""Spherical k-means (Dhillon and Modha 2001, sections 3 and 4): unit vectors around mean directions."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from peerscope.retrieval.schema import FloatArray, IntArray

ITERATIONS = 25
CHUNK = 8192
"""Vectors that are compared with all directions at a time."""


def spherical_kmeans(
    vectors: FloatArray, groups: int, seed: int = 0
) -> tuple[IntArray, FloatArray]:
    """Group unit vectors around ``groups`` mean directions.

    Args:
        vectors: Shape ``[n, d]``, rows of unit length.
        groups: Number of groups, from 1 to ``n``.
        seed: Seed of the starting points (drawn as in k-means++, by squared distance).

    Returns:
        The group of each row, shape ``[n]``, and its cosine to the group's direction, shape ``[n]``.
    """
    assigned, centres = _grouped(vectors, groups, seed, ITERATIONS)
    own = np.einsum("ij,ij->i", vectors, centres[assigned])
    return assigned, own.astype(np.float32)


def mean_directions(
    vectors: FloatArray, groups: int, seed: int = 0, iterations: int = ITERATIONS
) -> FloatArray:
    """The directions alone, shape ``[groups, d]``; see `spherical_kmeans`.

    ``iterations`` bounds the passes; it ends sooner where nothing changes its group.
    """
    return _grouped(vectors, groups, seed, iterations)[1]


def _grouped(
    vectors: FloatArray, groups: int, seed: int, iterations: int
) -> tuple[IntArray, FloatArray]:
    centres = _spread_start(vectors, groups, np.random.default_rng(seed))
    assigned = np.full(len(vectors), -1, dtype=np.int64)
    ends = np.arange(len(vectors) + 1)
    for _ in range(iterations):
        nearest = nearest_direction(vectors, centres)
        if np.array_equal(nearest, assigned):
            break
        assigned = nearest
        ones = np.ones(len(vectors), np.float32)
        members = sparse.csc_array((ones, assigned, ends), shape=(groups, len(vectors)))
        sums = members @ vectors
        lengths = np.linalg.norm(sums, axis=1, keepdims=True)
        centres = np.where(lengths > 0, sums / np.maximum(lengths, 1e-12), centres)
    return assigned, centres


def nearest_direction(vectors: FloatArray, directions: FloatArray) -> IntArray:
    """For each vector the direction of largest inner product, shape ``[n]``; the first of equal ones."""
    found = np.empty(len(vectors), np.int64)
    for start in range(0, len(vectors), CHUNK):
        part = slice(start, start + CHUNK)
        found[part] = (vectors[part] @ directions.T).argmax(axis=1)
    return found


def _spread_start(vectors: FloatArray, groups: int, generator: np.random.Generator) -> FloatArray:
    sample = generator.permutation(len(vectors))[: max(groups * 50, 2000)]
    rows = vectors[sample]
    chosen = [int(generator.integers(len(rows)))]
    distance = 1 - rows @ rows[chosen[0]]
    while len(chosen) < groups:
        mass = np.maximum(distance, 0).astype(np.float64) ** 2
        total = mass.sum()
        if total <= 0:
            chosen.append(int(generator.integers(len(rows))))
            continue
        chosen.append(int(generator.choice(len(rows), p=mass / total)))
        distance = np.minimum(distance, 1 - rows @ rows[chosen[-1]])
    return rows[chosen].astype(np.float32)
