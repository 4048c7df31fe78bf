"""Have representations collapsed? A report over unit vectors, with a verdict and its reason.

Complete collapse puts all vectors into one point: the spread, each dimension's deviation times the root
of the number of dimensions, falls from about 1 to 0 (Chen and He 2021, section 4.1; Zhang et al. 2022 write
the same as m_r, the length of the residual). Dimensional collapse leaves a few directions: the effective
rank (Roy and Vetterli 2007) falls. Effective rank alone does not decide: after complete collapse the
remaining noise can have full rank.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

LEAST_SPREAD = 0.25
HIGHEST_COSINE = 0.9
LEAST_RANK_SHARE = 0.05
FEWEST = 16
"""Fewer vectors are not judged: a handful of texts that share two words lie in one point by nature."""


@dataclass(frozen=True, slots=True)
class CollapseReport:
    """What was measured of ``n`` unit vectors of ``d`` dimensions.

    Attributes:
        n: Number of vectors.
        centre: Length of the mean vector, in [0, 1] (m_o).
        residual: Root mean square length of the vectors less their mean, in [0, 1] (m_r).
        spread: Mean over dimensions of the deviation times root d, about 1 where evenly spread.
        mean_cosine: Mean cosine of two different vectors.
        effective_rank: Exponential of the entropy of the covariance's spectrum, in [1, d].
        dimensions: d.
        collapsed: The verdict.
        reason: Why, as a sentence.
    """

    n: int
    centre: float
    residual: float
    spread: float
    mean_cosine: float
    effective_rank: float
    dimensions: int
    collapsed: bool
    reason: str

    def to_dict(self) -> dict[str, Any]:
        """The report for a manifest."""
        return asdict(self)


class CollapseMeter:
    """Collects first and second moments over batches; the report needs them only.

    Args:
        dimensions: Length of the vectors.
    """

    def __init__(self, dimensions: int) -> None:
        self._n = 0
        self._sum = np.zeros(dimensions, np.float64)
        self._outer = np.zeros((dimensions, dimensions), np.float64)

    def add(self, vectors: NDArray[np.float32]) -> None:
        """Take in unit vectors, shape ``[n, dimensions]``; rows of zeros (nothing known) are left out."""
        rows = vectors[np.any(vectors, axis=1)].astype(np.float64)
        self._n += len(rows)
        self._sum += rows.sum(axis=0)
        self._outer += rows.T @ rows

    def report(self) -> CollapseReport:
        """The report over all vectors so far; fewer than `FEWEST` are measured but not judged."""
        d = len(self._sum)
        if self._n < 2:
            return CollapseReport(
                self._n, 0, 0, 0, 0, 0, d, False, "There are too few vectors to judge."
            )
        mean = self._sum / self._n
        covariance = self._outer / self._n - np.outer(mean, mean)
        centre = float(np.linalg.norm(mean))
        residual = float(np.sqrt(max(np.trace(covariance), 0.0)))
        spread = float(np.sqrt(np.maximum(np.diag(covariance), 0.0)).mean() * np.sqrt(d))
        cosine = (self._n * centre**2 - 1) / (self._n - 1)
        rank = effective_rank(covariance)
        if self._n < FEWEST:
            collapsed, reason = False, f"{self._n} vectors are too few to judge."
        else:
            collapsed, reason = verdict(spread, cosine, rank, min(d, self._n - 1))
        return CollapseReport(self._n, centre, residual, spread, cosine, rank, d, collapsed, reason)


def effective_rank(covariance: NDArray[np.float64]) -> float:
    """Exponential of the Shannon entropy of the normalised spectrum (Roy and Vetterli 2007)."""
    spectrum = np.maximum(np.linalg.eigvalsh(covariance), 0.0)
    total = spectrum.sum()
    if total <= 1e-15:
        return 1.0
    shares = spectrum[spectrum > 0] / total
    return float(np.exp(-(shares * np.log(shares)).sum()))


def verdict(spread: float, cosine: float, rank: float, reachable: int) -> tuple[bool, str]:
    """Whether the vectors have collapsed, and why one says so."""
    if spread < LEAST_SPREAD and cosine > HIGHEST_COSINE:
        return True, (
            f"The vectors lie in nearly one point: spread {spread:.2f} (1 is even), "
            f"mean cosine {cosine:.2f}."
        )
    if rank < LEAST_RANK_SHARE * reachable and reachable >= FEWEST:
        return True, (
            f"The vectors use few directions: effective rank {rank:.1f} of {reachable} reachable."
        )
    return False, (
        f"The vectors are spread: {spread:.2f} of 1, mean cosine {cosine:.2f}, "
        f"effective rank {rank:.1f} of {reachable} reachable."
    )
