"""MoCo v2, SimMoCo, SimCo and the controls between them, from the same start on the same views.

The controls tell apart what SimCo changes at once against MoCo v2: ``moco_batch`` is MoCo without its queue
(SimMoCo but for the loss), ``symmetric`` is InfoNCE with SimCo's pairs and gradients, ``scale_matched`` that
with dual temperature's mean weight, which alone would act like a larger learning rate. All arms have one
learning rate, as in the official scripts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from peerscope.methods import presets
from peerscope.methods.backbones import Backbone
from peerscope.methods.frameworks import Framework
from peerscope.reproduce.harness import main
from peerscope.reproduce.papers.dual_temperature import PAPER
from peerscope.reproduce.protocol import Trial
from peerscope.reproduce.protocols.common import images, prepared
from peerscope.reproduce.protocols.self_supervised import encoder, online, scored, trained

WIDTH = 64


def run(trial: Trial) -> None:
    """Train every run of the profile, named ``ARM/BATCH``, and put down how good its features are."""
    prepared(trial)
    pool = images(trial, "fashion-mnist", "train", int(trial["images"]))
    tests = images(trial, "fashion-mnist", "test", int(trial["tests"]))
    scored(trial, "untrained", encoder(trial).to(trial.device), pool, tests)
    arms = _arms(trial)
    means: dict[str, dict[int, float]] = {}
    for done, name in enumerate(trial["runs"]):
        trial.progress(name, done, len(trial["runs"]))
        arm, _, batch = name.partition("/")
        size = int(batch)
        method = arms[arm](encoder(trial))
        every = max(int(trial["seen"]) // size // 50, 1)
        seen: list[int] = []
        told: list[Tensor] = []

        def watch(
            step: int,
            parts: Mapping[str, Tensor],
            place: tuple[int, int] = (size, every),
            seen: list[int] = seen,
            told: list[Tensor] = told,
        ) -> None:
            if step % place[1] == 0:
                seen.append(step * place[0])
                told.append(torch.stack([parts["share"], parts["info_nce"]]))

        trained(trial, method, pool, size, watch=watch)
        right, _ = scored(trial, name, online(method).encoder, pool, tests)
        means.setdefault(arm, {})[size] = float(right.mean())
        shares, losses = torch.stack(told).T.tolist()
        last = shares[-max(len(shares) // 10, 1) :]
        trial.figure(f"share/{name}", sum(last) / len(last))
        trial.curve("mean W(0.1) over images seen", name, seen, shares)
        trial.curve("InfoNCE at 0.1 over images seen", name, seen, losses)
    for arm, found in means.items():
        if len(found) > 1:
            trial.figure(f"spread/{arm}", max(found.values()) - min(found.values()))
            trial.curve("kNN accuracy over batch, %", arm, list(found), list(found.values()))


def _arms(trial: Trial) -> dict[str, Callable[[Backbone], Framework]]:
    momentum, queue = float(trial["momentum"]), int(trial["queue"])
    return {
        "moco_v2": lambda net: presets.moco_v2(net, width=WIDTH, momentum=momentum, queue=queue),
        "moco_batch": lambda net: presets.moco_v2(net, width=WIDTH, momentum=momentum, queue=0),
        "simmoco": lambda net: presets.simmoco(net, width=WIDTH, momentum=momentum),
        "simco": lambda net: presets.simco(net, width=WIDTH),
        "symmetric": lambda net: presets.symmetric_info_nce(net, width=WIDTH),
        "scale_matched": lambda net: presets.scale_matched(net, width=WIDTH),
    }


if __name__ == "__main__":
    main(PAPER, "dual_temperature_accuracy")
