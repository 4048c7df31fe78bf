"""How far the training loss of a norm depends on the learning rate, and how smooth it is (arXiv 2207.01972).

After Santurkar et al. 2018, as in the notebooks: Adam at several rates from one seed; at each step the band
from the lowest to the highest loss of these runs, and the largest distance of successive mini-batch gradients
of the last layer's weight. Losses are averaged over `WINDOW` steps before they are compared, since half of a
single step's spread is the batch's. Three further runs have noise after every norm.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from peerscope.methods.norm_analysis import Band, band
from peerscope.reproduce.harness import main
from peerscope.reproduce.papers.group_norm import PAPER
from peerscope.reproduce.protocol import Trial
from peerscope.reproduce.protocols.common import prepared
from peerscope.reproduce.protocols.norm_nets import Arm, put_accuracies, task, trained

NORMS = ("none", "gn", "bn", "plus", "channel")
NOISY = ("gn", "plus", "channel")
WINDOW = 20
POINTS = 200
"""Points of a line of the plot."""


def run(trial: Trial) -> None:
    """Train every norm at every rate, and three of them with noise; put down bands and smoothness."""
    prepared(trial)
    data = task(trial, trial["data"])
    total = len(NORMS) * len(trial["rates"]) + len(NOISY)
    bands: dict[str, Band] = {}
    for place, norm in enumerate(NORMS):
        losses, distances = [], []
        for turn, rate in enumerate(trial["rates"]):
            trial.progress("training", place * len(trial["rates"]) + turn, total)
            result = trained(trial, Arm(norm, trial["batch"], trial["steps"], rate), data)
            losses.append(averaged(result.losses))
            distances.append(result.distances)
        bands[norm] = band(losses)
        trial.figure(f"band/{norm}", bands[norm].width)
        trial.figure(f"smoothness/{norm}", float(band(distances).high.mean()))
        trial.figure(f"loss/{norm}", float((bands[norm].low + bands[norm].high).mean() / 2))
        put_curves(trial, norm, bands[norm])
    for norm in ("gn", "bn", "plus", "channel"):
        trial.figure(f"helps/{norm}", helped(bands[norm], bands["none"]))
    for place, norm in enumerate(NOISY):
        trial.progress("training with noise", total - len(NOISY) + place, total)
        arm = Arm(norm, trial["batch"], trial["noise_steps"], trial["noise_rate"], noise=True)
        put_accuracies(trial, "accuracy/noise", arm, trained(trial, arm, data))


def averaged(values: Sequence[float]) -> list[float]:
    """Means over `WINDOW` successive steps, or over all if there are fewer."""
    width = min(WINDOW, len(values))
    found: NDArray[np.float64] = np.convolve(values, np.full(width, 1 / width), mode="valid")
    return [float(one) for one in found]


def helped(normed: Band, bare: Band) -> float:
    """Steps, in percent, at which even the highest loss with a norm is below the lowest without."""
    return 100 * float((normed.high < bare.low).double().mean())


def put_curves(trial: Trial, norm: str, found: Band) -> None:
    """The two edges of a band as lines."""
    steps = np.unique(np.linspace(0, len(found.low) - 1, POINTS).astype(int)).tolist()
    for edge, values in (("lowest", found.low), ("highest", found.high)):
        trial.curve(
            "training loss over steps, band over rates",
            f"{norm}, {edge}",
            steps,
            values[steps].tolist(),
        )


if __name__ == "__main__":
    main(PAPER, "group_norm_landscape")
