"""Table 2 and figure 7 of DPSR on hep-th: who asks, which negatives, and what share of them is random."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from peerscope.reproduce.harness import main
from peerscope.reproduce.papers.dpsr import PAPER
from peerscope.reproduce.protocol import Trial
from peerscope.reproduce.protocols.common import prepared
from peerscope.reproduce.protocols.dpsr_hepth import Collection, hepth
from peerscope.reproduce.protocols.dpsr_ranks import Measured, drawn, measured
from peerscope.reproduce.protocols.dpsr_training import (
    UNCLICKED,
    Vectors,
    Words,
    passed_over,
    settings,
    towers_of,
    unclicked_towers,
)

ALPHAS = (0.0, 0.75, 1.0)
"""Shares of random negatives besides 0.5, which is the arm ``plain``."""

PROFILE = ("seniority", "venue")
PRINTED = {0.0: (0.743, 0.354), 0.25: (0.735, 0.355), 0.5: (0.734, 0.383), 0.75: (0.725, 0.398),
           1.0: (0.648, 0.570)}  # fmt: skip
"""Figure 7: Top-1 and popularity."""


def run(trial: Trial) -> None:
    """Train every arm on the same clicks and measure it on the same askings."""
    prepared(trial)
    collection = hepth(trial)
    words = Words(collection.items)
    pools, chosen = drawn(collection.asked, trial.seed), collection.chosen()
    found = {"bm25": measured(words.scorer(), collection.asked, pools, chosen)}
    for arm, vectors in _arms(trial, collection, words):
        scorer = vectors.scorer(collection.asked)
        found[arm] = measured(scorer, collection.asked, pools, chosen)
    for arm, one in found.items():
        _told(trial, arm, one)
    _over_alpha(trial, found)


def _arms(trial: Trial, collection: Collection, words: Words) -> Iterator[tuple[str, Vectors]]:
    """Name and trained towers of each arm."""
    plain = settings(trial)
    yield "plain", Vectors(towers_of(trial, "plain", collection, plain), collection)
    config = settings(trial, profile=PROFILE)
    towers = towers_of(trial, "profile", collection, config, profile=True)
    yield "profile", Vectors(towers, collection, profile=True)
    config = settings(trial, profile=PROFILE, history="mean")
    towers = towers_of(trial, "history", collection, config, history=True, profile=True)
    yield "history", Vectors(towers, collection, history=True, profile=True)
    shown = passed_over(words, collection)
    config = settings(trial, hard=UNCLICKED)
    towers = unclicked_towers(collection.catalogue(), collection.clicks(), config, shown)
    yield "unclicked", Vectors(towers, collection)
    for alpha in ALPHAS:
        towers = towers_of(trial, f"alpha {alpha}", collection, settings(trial, alpha=alpha))
        yield f"alpha/{alpha:g}", Vectors(towers, collection)


def _told(trial: Trial, arm: str, one: Measured) -> None:
    for name in ("top1", "top10", "new", "auc", "popularity", "familiar"):
        trial.figure(f"{name}/{arm}", getattr(one, name))
    trial.log(
        f"{arm}: Top-1 {np.mean(one.top1):.3f}, Top-10 {np.mean(one.top10):.3f}, of unmet works "
        f"{np.mean(one.new):.3f}, area {np.mean(one.auc):.3f}, popularity {np.mean(one.popularity):.3f}, "
        f"met before {np.mean(one.familiar):.3f}"
    )


def _over_alpha(trial: Trial, found: dict[str, Measured]) -> None:
    arms = {0.0: "alpha/0", 0.5: "plain", 0.75: "alpha/0.75", 1.0: "alpha/1"}
    first = {alpha: float(np.mean(found[arm].top1)) for alpha, arm in arms.items()}
    trial.figure("drop/early", first[0.0] - first[0.75])
    trial.figure("drop/late", first[0.75] - first[1.0])
    popular = [float(np.mean(found[arm].popularity)) for arm in arms.values()]
    for name, here, which in (("Top-1", list(first.values()), 0), ("popularity", popular, 1)):
        curve = f"{name} over the share of random negatives"
        trial.curve(curve, "here", list(arms), here)
        trial.curve(curve, "printed", list(PRINTED), [pair[which] for pair in PRINTED.values()])


if __name__ == "__main__":
    main(PAPER, "dpsr_towers")
