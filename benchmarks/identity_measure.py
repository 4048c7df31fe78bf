"""How well a partition of authorships agrees with the gold one: B-cubed and pairwise, from counts.

B-cubed (Bagga and Baldwin 1998; Amigo et al. 2009): the precision of an item is the share of its cluster that
is of its gold person, its recall the share of its gold person that is in its cluster, itself included; both
are averaged over items. So the figure of a part of the items is the mean over that part, and parts add up to
the whole. Pairwise figures count pairs of items. All of it follows from how many items each pair of a gold
person and a cluster holds; nothing is sampled.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Labels = NDArray[np.int64]
Mask = NDArray[np.bool_]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Figures:
    """Precision, recall and their harmonic mean, each in [0, 1]; 1 where there is nothing to get wrong."""

    precision: float
    recall: float

    @property
    def f1(self) -> float:
        """Harmonic mean."""
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0


def _counts(labels: Labels) -> tuple[Labels, Labels]:
    """For each item the number of items of its label, and the sizes of the labels."""
    _, inverse, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    return sizes[inverse], sizes


def _both(gold: Labels, found: Labels) -> Labels:
    """One label for each pair of a gold label and a found one."""
    _, one = np.unique(gold, return_inverse=True)
    _, two = np.unique(found, return_inverse=True)
    return one.astype(np.int64) * (int(two.max(initial=0)) + 1) + two


def b_cubed_items(gold: Labels, found: Labels) -> tuple[Floats, Floats]:
    """Precision and recall of each item."""
    both, _ = _counts(_both(gold, found))
    return both / _counts(found)[0], both / _counts(gold)[0]


def b_cubed(gold: Labels, found: Labels, part: Mask | None = None) -> Figures:
    """Means over the items, or over those of a part; clusters and people are always whole."""
    if not len(gold):
        return Figures(1.0, 1.0)
    precision, recall = b_cubed_items(gold, found)
    if part is not None:
        precision, recall = precision[part], recall[part]
    return Figures(float(precision.mean()), float(recall.mean()))


def pairwise(gold: Labels, found: Labels, part: Mask | None = None) -> Figures:
    """Over pairs of items, both in the part."""
    if part is not None:
        gold, found = gold[part], found[part]

    def pairs(labels: Labels) -> int:
        sizes = _counts(labels)[1].astype(object)
        return int(sum(n * (n - 1) // 2 for n in sizes))

    right, made, true = pairs(_both(gold, found)), pairs(found), pairs(gold)
    return Figures(right / made if made else 1.0, right / true if true else 1.0)


def interval(
    precision: Floats, recall: Floats, blocks: Labels, resamples: int = 2000, seed: int = 0
) -> tuple[float, float]:
    """95 % bootstrap interval of B-cubed F1, drawing whole blocks: errors within a block hang together."""
    _, place = np.unique(blocks, return_inverse=True)
    sums = np.stack(
        [np.bincount(place, w) for w in (np.ones(len(place)), precision, recall)], axis=1
    )
    draw = np.random.default_rng(seed)
    f1 = np.empty(resamples)
    for n in range(resamples):
        chosen = draw.integers(0, len(sums), len(sums))
        items, p, r = sums[chosen].sum(axis=0)
        f1[n] = Figures(p / items, r / items).f1
    low, high = np.quantile(f1, (0.025, 0.975))
    return float(low), float(high)


def lost_by_name(gold: Labels, found: Labels, names: Labels) -> tuple[float, float]:
    """What B-cubed precision lacks to 1: by joins under one name, and by joins of different names."""
    size = _counts(found)[0]
    same_name = _counts(_both(found, names))[0]
    same_person = _counts(_both(found, gold))[0]
    all_three = _counts(_both(_both(found, names), gold))[0]
    within = (same_name - all_three) / size
    across = (size - same_person) / size - within
    return float(within.mean()), float(across.mean())
