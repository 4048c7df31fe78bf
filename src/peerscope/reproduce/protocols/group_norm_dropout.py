"""What dropout costs nets with different norms (arXiv 2207.01972).

Dropout of 0.3 after every pooling, against the same training without, Adam at one of the notebooks' rates;
the cost of a test image is 100 if dropout lost it and -100 if it won it, so that the mean is in points.
"""

from __future__ import annotations

from peerscope.reproduce.harness import main
from peerscope.reproduce.papers.group_norm import PAPER
from peerscope.reproduce.protocol import Trial
from peerscope.reproduce.protocols.common import prepared
from peerscope.reproduce.protocols.norm_nets import Arm, kinds, task, trained

NORMS = ("gn", "bn", "plus", "channel")
DROPOUT = 0.3


def run(trial: Trial) -> None:
    """Train every norm with and without dropout, and put down accuracies and costs."""
    prepared(trial)
    data = task(trial, trial["data"])
    steps = trial["steps"]
    for place, norm in enumerate(NORMS):
        trial.progress("training", place, len(NORMS))
        arms = [
            Arm(norm, trial["batch"], steps, trial["rate"], dropout=dropout)
            for dropout in (0.0, DROPOUT)
        ]
        without, with_dropout = (trained(trial, arm, data) for arm in arms)
        for kind in kinds(norm):
            name = norm if kind == "own" else f"{norm}/{kind}"
            pairs = zip(without.points(kind), with_dropout.points(kind), strict=True)
            trial.figure(f"cost/{name}", [bare - dropped for bare, dropped in pairs])
            trial.figure(f"accuracy/plain/{name}", max(without.looks[kind]))
            trial.figure(f"accuracy/dropout/{name}", max(with_dropout.looks[kind]))
        for label, result in ((norm, without), (f"{norm}, dropout", with_dropout)):
            seen = next(iter(result.looks.values()))
            places = [steps * (look + 1) / trial["looks"] for look in range(len(seen))]
            trial.curve("test accuracy in percent over steps", label, places, seen)


if __name__ == "__main__":
    main(PAPER, "group_norm_dropout")
