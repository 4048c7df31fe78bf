"""DPSR's measures on askings: Top-k among drawn works, popularity, familiarity, and areas under the curve."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from peerscope.reproduce.protocols.dpsr_hepth import Asking
from peerscope.retrieval.schema import FloatArray

Scorer = Callable[[int, Asking], FloatArray]
"""Row and asking to the scores of all works that existed then."""

POOL = 1024
"""Works among which the relevant one is ranked (DPSR section 6.2.1)."""

FIRST = 10
NEGATIVES = 200
"""Irrelevant works of an area under the curve."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """What is compared for an asking; the same for every system.

    Attributes:
        pool: The relevant work, drawn, and then 1,023 drawn others.
        fresh: A relevant work that the user had not met, drawn, and 1,023 others neither met nor relevant.
        good: Relevant works that the user had not met.
        bad: Drawn works that are neither relevant nor met.
    """

    pool: NDArray[np.int64]
    fresh: NDArray[np.int64]
    good: NDArray[np.int64]
    bad: NDArray[np.int64]


def drawn(askings: Sequence[Asking], seed: int) -> list[Drawn]:
    """What is compared for each asking; chance follows from the seed and the row."""
    found = []
    for row, one in enumerate(askings):
        chance = np.random.default_rng((seed, 3, row))
        order = chance.permutation(one.limit)
        irrelevant = order[~np.isin(order, [*one.relevant, one.own])]
        strange = irrelevant[~np.isin(irrelevant, one.history)]
        unmet = sorted(one.relevant.difference(one.history))
        target = int(chance.choice(sorted(one.relevant)))
        fresh = int(chance.choice(unmet)) if unmet else target
        found.append(
            Drawn(
                np.asarray([target, *irrelevant[: POOL - 1]]),
                np.asarray([fresh, *strange[: POOL - 1]]),
                np.asarray(unmet or [target]),
                strange[:NEGATIVES],
            )
        )
    return found


@dataclass(frozen=True, slots=True)
class Measured:
    """One value an asking.

    Attributes:
        top1: Whether the drawn relevant work stands first among its 1,024.
        top10: Whether it stands among the first ten.
        new: Whether a relevant work that the user had not met stands among the first ten of 1,024 unmet ones.
        auc: Share of pairs of a relevant and an irrelevant unmet work that are in the right order.
        popularity: Mean of log(1 + training queries that led to it) over the first ten of all works.
        familiar: Share of the first ten that the user had met.
    """

    top1: list[float]
    top10: list[float]
    new: list[float]
    auc: list[float]
    popularity: list[float]
    familiar: list[float]


def measured(
    scorer: Scorer,
    askings: Sequence[Asking],
    pools: Iterable[Drawn],
    chosen: NDArray[np.float64],
) -> Measured:
    """Figures of one system.

    Args:
        scorer: The system.
        askings: Who asked.
        pools: What is compared for each.
        chosen: How many training queries led to each work.
    """
    found = Measured([], [], [], [], [], [])
    for row, (one, given) in enumerate(zip(askings, pools, strict=True)):
        scores = np.asarray(scorer(row, one), np.float32)
        rank = placed(scores[given.pool])
        found.top1.append(float(rank < 1))
        found.top10.append(float(rank < FIRST))
        found.new.append(float(placed(scores[given.fresh]) < FIRST))
        found.auc.append(round(area(scores[given.good], scores[given.bad]), 4))
        first = leading(scores, FIRST, one.own)
        found.popularity.append(round(float(np.log1p(chosen[first]).mean()), 3))
        found.familiar.append(float(np.isin(first, one.history).mean()))
    return found


def placed(scores: FloatArray) -> float:
    """Rank from 0 of the first score among all, ties counted half."""
    rivals = scores[1:]
    return float((rivals > scores[0]).sum() + (rivals == scores[0]).sum() / 2)


def area(good: FloatArray, bad: FloatArray) -> float:
    """Area under the ROC curve, ties counted half."""
    order = np.sort(bad)
    below = np.searchsorted(order, good, "left") + np.searchsorted(order, good, "right")
    return float(below.sum() / (2 * len(good) * len(bad)))


def leading(scores: FloatArray, number: int, own: int) -> NDArray[np.int64]:
    """Places of the largest scores, largest first, ties by place; without the asking's own work."""
    found = np.argsort(-scores, kind="stable")[: number + 1]
    kept: NDArray[np.int64] = found[found != own][:number]
    return kept
