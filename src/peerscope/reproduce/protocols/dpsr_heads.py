"""One head and two heads of DPSR's query tower on hep-th, and the limits of its soft dot product."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from peerscope.methods.contrastive import soft_dot
from peerscope.reproduce.harness import main
from peerscope.reproduce.papers.dpsr import PAPER
from peerscope.reproduce.protocol import Trial
from peerscope.reproduce.protocols.common import prepared
from peerscope.reproduce.protocols.dpsr_hepth import Asking, Collection, hepth
from peerscope.reproduce.protocols.dpsr_ranks import drawn, leading, measured
from peerscope.reproduce.protocols.dpsr_training import Vectors, settings, towers_of
from peerscope.retrieval.schema import FloatArray

LIST = 100
"""Works of a head's list."""

ANOTHER = 1000
"""Added to the seed of the second training of one head, the control."""


def run(trial: Trial) -> None:
    """Train one head twice and two heads once; compare ranks, lists, and who uses which head."""
    prepared(trial)
    _limits(trial)
    collection = hepth(trial)
    pools, chosen = drawn(collection.asked, trial.seed), collection.chosen()
    made: dict[str, Vectors] = {}
    for arm, changes in {
        "1": {},
        "2": {"heads": 2},
        "again": {"seed": trial.seed + ANOTHER},
    }.items():
        config = settings(trial, **changes)
        made[arm] = Vectors(towers_of(trial, f"heads {arm}", collection, config), collection)
    rare = _rare(collection, chosen)
    for arm in ("1", "2"):
        scorer = made[arm].scorer(collection.asked)
        found = measured(scorer, collection.asked, pools, chosen)
        trial.figure(f"top10/{arm}", found.top10)
        trial.figure(f"rare/{arm}", np.asarray(found.top10)[rare])
        means = np.mean(found.top10), np.mean(np.asarray(found.top10)[rare])
        trial.log(f"{arm} heads: Top-10 {means[0]:.3f}, of rare queries {means[1]:.3f}")
    _lists(trial, collection.asked, made)


def _limits(trial: Trial) -> None:
    """How far the soft dot product is from the largest and from the mean of its heads' products."""
    chance = torch.Generator().manual_seed(trial.seed)
    scores = 2 * torch.rand(1000, 4, 1, generator=chance, dtype=torch.float64) - 1
    largest = soft_dot(scores, 1e-6).squeeze(1) - scores.amax(dim=1).squeeze(1)
    mean = soft_dot(scores, 1e6).squeeze(1) - scores.mean(dim=1).squeeze(1)
    trial.figure("error/largest", float(largest.abs().max()))
    trial.figure("error/mean", float(mean.abs().max()))


def _rare(collection: Collection, chosen: NDArray[np.float64]) -> NDArray[np.int64]:
    """The half of the askings whose relevant works fewest training queries had led to."""
    led = [np.median(chosen[sorted(one.relevant)]) for one in collection.asked]
    return np.sort(np.argsort(led, kind="stable")[: (len(led) + 1) // 2])


def _lists(trial: Trial, askings: list[Asking], made: dict[str, Vectors]) -> None:
    two, one, other = (made[arm].heads(askings) for arm in ("2", "1", "again"))
    together, apart, lesser = [], [], []
    for row, asking in enumerate(askings):
        first, second = (_list(made["2"], two[row, head], asking) for head in (0, 1))
        together.append(_shared(first, second))
        mine = _list(made["1"], one[row, 0], asking)
        apart.append(_shared(mine, _list(made["again"], other[row, 0], asking)))
        relevant = made["2"].items[sorted(asking.relevant)] @ two[row].T
        lesser.append(float((relevant.argmax(axis=1) == 1).mean()))
    trial.figure("shared/heads", together)
    trial.figure("shared/trainings", apart)
    use = float(np.mean(lesser))
    trial.figure("use/lesser", min(use, 1 - use))
    trial.log(
        f"Two heads share {np.mean(together):.3f} of their lists, two trainings {np.mean(apart):.3f}; "
        f"the head used less is the nearest to {min(use, 1 - use):.3f} of the relevant works"
    )


def _list(vectors: Vectors, head: FloatArray, one: Asking) -> NDArray[np.int64]:
    return leading(vectors.items[: one.limit] @ head, LIST, one.own)


def _shared(one: NDArray[np.int64], other: NDArray[np.int64]) -> float:
    return round(float(np.isin(one, other).mean()), 3)


if __name__ == "__main__":
    main(PAPER, "dpsr_heads")
