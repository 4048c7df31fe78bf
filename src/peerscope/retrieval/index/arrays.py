"""Arrays on disk, and the largest of many scores: what every part of an index needs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from peerscope.retrieval.schema import FloatArray, Hits, IntArray

SAMPLE = 16_384
"""Scores that are looked at to guess a bound for the largest."""

NOTHING = -np.inf


def mapped(path: Path) -> NDArray[Any]:
    """An array file mapped into memory for reading; processes share what they touch of it."""
    return np.asarray(np.load(path, mmap_mode="r"))


def joined(array: NDArray[Any], begins: IntArray, ends: IntArray) -> NDArray[Any]:
    """Slices of an array one after the other."""
    bounds = zip(begins.tolist(), ends.tolist(), strict=True)
    parts = [array[begin:end] for begin, end in bounds]
    return np.concatenate(parts) if parts else array[:0]


def no_hits() -> Hits:
    """Nothing found."""
    return Hits(np.empty(0, np.int64), np.empty(0, np.float32))


def best(ids: IntArray, scores: FloatArray, k: int) -> Hits:
    """The ``k`` largest scores with their ids, best first, ties in order of id."""
    if k <= 0 or not len(ids):
        return no_hits()
    if k < len(ids):
        floor = np.partition(scores, len(ids) - k)[len(ids) - k]
        near = np.flatnonzero(scores >= floor)
    else:
        near = np.arange(len(ids))
    order = near[np.lexsort((ids[near], -scores[near]))][:k]
    return Hits(ids[order], scores[order].astype(np.float32))


def top_rows(scores: FloatArray, k: int, above: float = NOTHING) -> IntArray:
    """Rows of the ``k`` largest scores that lie above a bound, best first, ties in order of row.

    A million scores are partitioned in forty milliseconds and compared with a number in a fifth of one. So
    a bound is guessed from a sample; if fewer than ``k`` scores reach it, all are looked at.
    """
    if k <= 0:
        return np.empty(0, np.int64)
    guess = _guessed(scores, k)
    near = np.flatnonzero(scores >= guess) if guess > above else np.empty(0, np.int64)
    if len(near) < k:
        near = np.flatnonzero(scores > above)
    found = scores[near]
    if len(near) > k:
        floor = np.partition(found, len(near) - k)[len(near) - k]
        larger = np.flatnonzero(found > floor)
        near = np.union1d(near[larger], near[found == floor][: k - len(larger)])
        found = scores[near]
    return near[np.argsort(-found, kind="stable")]


def _guessed(scores: FloatArray, k: int) -> float:
    """A number that probably few more than ``k`` of the scores reach; minus infinity for few scores."""
    step = len(scores) // SAMPLE
    if step < 2:
        return NOTHING
    sample = scores[::step]
    rank = 2 * k // step + 16
    if rank >= len(sample):
        return NOTHING
    return float(np.partition(sample, len(sample) - rank)[len(sample) - rank])
