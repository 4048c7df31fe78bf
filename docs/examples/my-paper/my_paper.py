"""The claims of my paper and the code that tests them."""

import numpy as np

from peerscope.reproduce import Check, Claim, Paper, Profile, Protocol, Trial
from peerscope.reproduce.harness import main

CENTRES = Protocol(
    name="centres", version=1, entry="my_paper:run",
    summary="Mean and median of samples from Student's t distribution with two degrees of freedom.",
    figures={"error/*": "distance from the true centre, one value a sample"},
    profiles={"cpu": Profile({"samples": 500, "size": 100}, seeds=5, seconds=60),
              "tiny": Profile({"samples": 20, "size": 10}, seeds=1, seconds=60)},
)  # fmt: skip
CLAIM = Claim(
    id="my-paper-1", protocol="centres", location="table 1", metric="distance", better="lower",
    statement="With heavy tails the median is nearer to the centre than the mean.",
    checks=(Check("the median errs less", "error/median", "error/mean", relation="below"),),
    profiles={"cpu": "samples of 100 values instead of 10,000"},
    not_run={"gpu": "Nothing in it is faster on a GPU."},
)  # fmt: skip
PAPER = Paper(slug="my-paper", title="My paper", version="v1", identifiers=("doi:10.5555/my-paper",),
              claims=(CLAIM,), protocols=(CENTRES,))  # fmt: skip


def run(trial: Trial) -> None:
    """One seed: both arms see the same samples, so they are compared sample by sample."""
    shape = (trial["samples"], trial["size"])
    drawn = np.random.default_rng(trial.seed).standard_t(2, size=shape)
    trial.figure("error/mean", np.abs(drawn.mean(axis=1)))
    trial.figure("error/median", np.abs(np.median(drawn, axis=1)))


if __name__ == "__main__":
    main(PAPER, "centres")
