"""Test accuracy of norms at one rate, clean and with noise after every norm (arXiv 2207.01972).

Adam, batch 128, no augmentation, the best look at the test images, as in the notebooks (which look after each
pass). GN+ with the batch step of batch norm (statistics over positions too) stands beside the authors',
whose statistics are over the images alone, and its two other orders beside group norm first.
"""

from __future__ import annotations

from peerscope.reproduce.harness import main
from peerscope.reproduce.papers.group_norm import PAPER
from peerscope.reproduce.protocol import Trial
from peerscope.reproduce.protocols.common import prepared
from peerscope.reproduce.protocols.norm_nets import Arm, kinds, put_accuracies, task, trained

NORMS = ("none", "gn", "bn", "plus", "channel")
ORDERS = ("bn-first", "parallel")
DROPS = ("gn", "bn")
"""Norms whose loss of accuracy to the noise is compared."""


def run(trial: Trial) -> None:
    """Train every norm with and without noise, and the other orders of GN+ without."""
    prepared(trial)
    data = task(trial, trial["data"])
    cells = [(noise, norm) for noise in (False, True) for norm in NORMS]
    cells += [(False, order) for order in ORDERS]
    steps = trial["steps"]
    looks = [steps * (look + 1) / trial["looks"] for look in range(trial["looks"])]
    clean: dict[str, list[float]] = {}
    for place, (noise, norm) in enumerate(cells):
        trial.progress("training", place, len(cells))
        arm = Arm(norm, trial["batch"], steps, trial["rate"], noise=noise)
        result = trained(trial, arm, data)
        under = "noise" if noise else "clean"
        put_accuracies(trial, f"accuracy/{under}", arm, result)
        points = result.points(kinds(norm)[0])
        if not noise:
            clean[norm] = points
        elif norm in DROPS:
            drops = [bare - noisy for bare, noisy in zip(clean[norm], points, strict=True)]
            trial.figure(f"drop/{norm}", drops)
        for kind in kinds(norm):
            label = norm if kind == "own" else f"{norm}, {kind}"
            seen = result.looks[kind]
            trial.curve(
                f"test accuracy in percent over steps, {under}", label, looks[: len(seen)], seen
            )


if __name__ == "__main__":
    main(PAPER, "group_norm_accuracy")
