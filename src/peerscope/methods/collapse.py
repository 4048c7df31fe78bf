"""Have representations collapsed? A streaming report over vectors, with a verdict and its reason.

A unit vector is the mean of all plus a residual, ``Z = o + r`` (Zhang et al., ICLR 2022, section 3): ``m_o``,
the length of the mean, and ``m_r``, that of the residual, obey ``m_o^2 + mean r^2 = 1``. Complete collapse
puts all vectors into one point: ``m_o`` goes to 1, and the deviation of each dimension times root d from
about 1 to 0 (Chen and He 2021, section 4.1). Dimensional collapse leaves a few directions: the effective rank
(Roy and Vetterli 2007) falls. Effective rank alone does not decide. After complete collapse the noise that
remains can have full rank, so the mean is asked first; and one strong direction gives a low rank though many
others are in use, so a low rank counts only where the rest holds next to nothing.

The vectors to judge are those that the loss acts on: the predictor's output where a predictor is on both
sides, the projector's where the loss compares projections. Features in front of them can look healthy.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

Kind = Literal["none", "complete", "dimensional", "not finite", "not judged"]

HIGHEST_CENTRE = 0.95
LEAST_SPREAD = 0.25
HIGHEST_COSINE = 0.9
LEAST_RANK_SHARE = 0.05
LEAST_RANK = 1.5
LEAST_TAIL = 0.01
FEWEST = 16
"""Fewer vectors are not judged: a handful of texts that share two words lie in one point by nature."""


@dataclass(frozen=True, slots=True)
class CollapseReport:
    """What was measured of ``n`` unit vectors of ``d`` dimensions.

    Attributes:
        n: Number of vectors.
        centre: Length of the mean vector, in [0, 1] (m_o).
        residual: Root mean square length of the vectors less their mean, in [0, 1] (m_r).
        spread: Mean over dimensions of the deviation times root d, about 1 where evenly spread. It depends on
            the axes; ``residual``, which bounds it from above, does not.
        mean_cosine: Mean cosine of two different vectors.
        effective_rank: Exponential of the entropy of the covariance's spectrum, in [1, d].
        dimensions: d.
        collapsed: The verdict.
        reason: Why, as a sentence.
        off_diagonal: Sum of the squared covariances of different dimensions over d (the term of VICReg, and
            Zhang et al. 2022, algorithm 6); the covariance divides by n - 1.
        tail: Share of the variance outside the leading 5 % of the directions that n and d allow (outside the
            first one at least), in [0, 1].
        kind: Which collapse, or why there is no verdict.
        not_finite: Vectors with a NaN or an infinity, left out of all else.
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
    off_diagonal: float = 0.0
    tail: float = 0.0
    kind: Kind = "not judged"
    not_finite: int = 0

    def to_dict(self) -> dict[str, Any]:
        """The report for a manifest."""
        return asdict(self)


class CollapseMeter:
    """Collects first and second moments over batches; the report needs them only.

    Args:
        dimensions: Length of the vectors.
        normalise: Bring vectors to unit length first, as a loss on cosines does. Off, they are taken as they
            are and ought to be of unit length.
    """

    def __init__(self, dimensions: int, *, normalise: bool = False) -> None:
        self._n = self._not_finite = 0
        self._normalise = normalise
        self._sum = np.zeros(dimensions, np.float64)
        self._outer = np.zeros((dimensions, dimensions), np.float64)

    def add(self, vectors: object) -> None:
        """Take in vectors; rows of zeros (nothing known) are left out.

        Args:
            vectors: Shape ``[n, dimensions]``: an array, or a tensor of torch on any device.

        Raises:
            ValueError: The shape is another.
        """
        rows = _array(vectors)
        if rows.ndim != 2 or rows.shape[1] != len(self._sum):
            raise ValueError(
                f"The vectors must have the shape [n, {len(self._sum)}], not {list(rows.shape)}."
            )
        finite = np.isfinite(rows).all(axis=1)
        self._not_finite += int((~finite).sum())
        rows = rows[finite & np.any(rows, axis=1)].astype(np.float64)
        if self._normalise:
            rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        self._n += len(rows)
        self._sum += rows.sum(axis=0)
        self._outer += rows.T @ rows

    def report(self) -> CollapseReport:
        """The report over all vectors so far; fewer than `FEWEST` are measured but not judged."""
        n, d = self._n, len(self._sum)
        if n < 2:
            found = CollapseReport(
                n, 0, 0, 0, 0, 0, d, False, "There are too few vectors to judge."
            )
            return self._with_failures(found)
        mean = self._sum / n
        covariance = self._outer / n - np.outer(mean, mean)
        variances = np.maximum(np.diag(covariance), 0.0)
        centre = float(np.linalg.norm(mean))
        residual = float(np.sqrt(variances.sum()))
        spread = float(np.sqrt(variances).mean() * np.sqrt(d))
        cosine = (n * centre**2 - 1) / (n - 1)
        spectrum = np.maximum(np.linalg.eigvalsh(covariance), 0.0)[::-1]
        rank = _rank(spectrum)
        reachable = min(d, n - 1)
        leading = max(math.ceil(LEAST_RANK_SHARE * reachable), 1)
        tail = float(spectrum[leading:].sum() / max(spectrum.sum(), 1e-15))
        unbiased = covariance * (n / (n - 1))
        off_diagonal = float((np.square(unbiased).sum() - np.square(np.diag(unbiased)).sum()) / d)
        kind: Kind
        if n < FEWEST:
            kind, reason = "not judged", f"{n} vectors are too few to judge."
        else:
            kind, reason = verdict(centre, spread, cosine, rank, tail, reachable)
        collapsed = kind in ("complete", "dimensional")
        return self._with_failures(
            CollapseReport(
                n,
                centre,
                residual,
                spread,
                cosine,
                rank,
                d,
                collapsed,
                reason,
                off_diagonal,
                tail,
                kind,
            )
        )

    def _with_failures(self, found: CollapseReport) -> CollapseReport:
        if not self._not_finite:
            return found
        told = found.to_dict() | {
            "collapsed": True,
            "kind": "not finite",
            "reason": f"{self._not_finite} vectors hold a NaN or an infinity.",
            "not_finite": self._not_finite,
        }
        return CollapseReport(**told)


def collapse_report(vectors: object, *, normalise: bool = True) -> CollapseReport:
    """The report over one set of vectors, shape ``[n, d]``, by default brought to unit length first.

    Raises:
        ValueError: It is not a matrix.
    """
    rows = _array(vectors)
    if rows.ndim != 2:
        raise ValueError(f"The vectors must have the shape [n, d], not {list(rows.shape)}.")
    meter = CollapseMeter(rows.shape[1], normalise=normalise)
    meter.add(rows)
    return meter.report()


def effective_rank(covariance: NDArray[np.float64]) -> float:
    """Exponential of the Shannon entropy of the normalised spectrum (Roy and Vetterli 2007)."""
    return _rank(np.linalg.eigvalsh(covariance))


def _rank(spectrum: NDArray[Any]) -> float:
    spectrum = np.maximum(spectrum, 0.0)
    total = spectrum.sum()
    if total <= 1e-15:
        return 1.0
    shares = spectrum[spectrum > 0] / total
    return float(np.exp(-(shares * np.log(shares)).sum()))


def verdict(
    centre: float, spread: float, cosine: float, rank: float, tail: float, reachable: int
) -> tuple[Kind, str]:
    """Which collapse the figures of a report show, and why one says so; thresholds are this module's own."""
    if centre > HIGHEST_CENTRE or (spread < LEAST_SPREAD and cosine > HIGHEST_COSINE):
        return "complete", (
            f"The vectors lie in nearly one point: their mean has length {centre:.2f} of 1, "
            f"spread {spread:.2f} (1 is even), mean cosine {cosine:.2f}."
        )
    low = rank < max(LEAST_RANK_SHARE * reachable, LEAST_RANK)
    if low and tail < LEAST_TAIL and reachable >= FEWEST:
        return "dimensional", (
            f"The vectors use few directions: effective rank {rank:.1f} of {reachable} reachable, "
            f"{tail:.1%} of the variance beyond the leading ones."
        )
    return "none", (
        f"The vectors are spread: {spread:.2f} of 1, mean cosine {cosine:.2f}, "
        f"effective rank {rank:.1f} of {reachable} reachable."
    )


def _array(vectors: object) -> NDArray[Any]:
    """An array from an array or a tensor, without importing torch."""
    detach = getattr(vectors, "detach", None)
    if detach is None:
        return np.asarray(vectors)
    # NumPy has no bfloat16, and float16 is too narrow for what follows.
    tensor = cast("Callable[[], Any]", detach)()
    return cast("NDArray[Any]", tensor.cpu().double().numpy())
