"""Lists of numbers of different lengths, stored one after the other: texts as features, askings as items."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch import Tensor

from peerscope.retrieval.schema import IntArray


class Lists:
    """``n`` lists of integers.

    Args:
        flat: All numbers, int64.
        ends: Where each list begins and ends, shape ``[n + 1]``.
    """

    def __init__(self, flat: IntArray, ends: IntArray) -> None:
        self.flat, self.ends = flat, ends

    @classmethod
    def of(cls, rows: Sequence[Iterable[int]]) -> Lists:
        """From Python lists."""
        found = [list(row) for row in rows]
        ends = np.cumsum([0, *(len(row) for row in found)])
        flat = np.asarray([number for row in found for number in row], dtype=np.int64)
        return cls(flat, ends.astype(np.int64))

    def take(self, places: IntArray) -> tuple[IntArray, IntArray]:
        """The lists at the places one after the other, and the length of each."""
        begins = self.ends[places]
        sizes = self.ends[places + 1] - begins
        steps = np.arange(int(sizes.sum())) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        return self.flat[np.repeat(begins, sizes) + steps], sizes

    def bags(self, places: IntArray) -> tuple[Tensor, Tensor]:
        """The lists at the places as `torch.nn.EmbeddingBag` takes them: numbers and offsets."""
        flat, sizes = self.take(places)
        return torch.from_numpy(flat), torch.from_numpy(np.cumsum(sizes) - sizes)

    def padded(self, places: IntArray, most: int) -> tuple[IntArray, IntArray]:
        """The first ``most`` numbers of each list, shape ``[n, w]`` filled with 0, and how many are there."""
        begins = self.ends[places]
        sizes = np.minimum(self.ends[places + 1] - begins, most)
        wide = max(int(sizes.max(initial=0)), 1)
        columns = np.arange(wide)
        spots = np.minimum(begins[:, None] + columns, max(len(self.flat) - 1, 0))
        rows = self.flat[spots] if len(self.flat) else np.zeros(spots.shape, np.int64)
        return np.where(columns < sizes[:, None], rows, 0), sizes
