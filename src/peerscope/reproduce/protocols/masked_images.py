"""MAE over mask ratios, targets and corruptions on CIFAR-10: linear probes, and the cost of a step."""

from __future__ import annotations

from peerscope.reproduce.harness import main
from peerscope.reproduce.papers.masked_autoencoders import PAPER
from peerscope.reproduce.protocol import Trial
from peerscope.reproduce.protocols.common import images, prepared
from peerscope.reproduce.protocols.masked_training import (
    Probes,
    batches,
    net,
    step_costs,
    trained,
)

ARMS = ("mae/0.25", "mae/0.75", "mae/0.9", "raw", "noise")
TIMED = ("mae/0.25", "mae/0.75", "mae/0.9", "simmim")


def run(trial: Trial) -> None:
    """Train every arm on the same batches, probe it, and time the steps of four by turns."""
    prepared(trial)
    train = images(trial, "cifar-10", "train", int(trial["images"]))
    probes = Probes(
        train.part(slice(0, int(trial["probe_images"]))),
        images(trial, "cifar-10", "test", int(trial["test_images"])),
    )
    reached = {"random": probes.linear(probes.codes(net(trial, "mae/0.75").backbone()))}
    for arm in ARMS:
        method = net(trial, arm)
        given = batches(train.images, int(trial["batch"]), trial.seed)
        trained(trial, arm, method, given, int(trial["steps"]))
        reached[arm] = probes.linear(probes.codes(method.backbone()))
    for arm, blocks in reached.items():
        trial.figure(f"probe/{arm}", blocks)
        trial.log(f"{arm}: probe {100 * sum(blocks) / len(blocks):.2f} %")
    ratios = [0.25, 0.75, 0.9]
    means = [sum(reached[f"mae/{ratio}"]) / len(reached[f"mae/{ratio}"]) for ratio in ratios]
    trial.curve("linear probe over the share of hidden patches", "MAE", ratios, means)
    costs = step_costs(trial, TIMED, train.images)
    for arm, seconds in costs.items():
        trial.figure(f"seconds/{arm}", seconds)
        trial.log(f"{arm}: {seconds:.2f} s for a thousand images")
    times = [costs[f"mae/{ratio}"] for ratio in ratios]
    trial.curve(
        "seconds for a thousand images over the share of hidden patches", "MAE", ratios, times
    )


if __name__ == "__main__":
    main(PAPER, "masked_images")
