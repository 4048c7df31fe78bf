"""SimCLR with momentum targets of different parts: how good features are.

All arms have cross-view negatives. ``none`` has the gradient through both branches, ``stop_gradient`` the
same without it through the keys, which is what every momentum target has too; so averaging is judged against
``stop_gradient``, and against ``none`` together with the detaching and the halved gradient.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from peerscope.methods import presets
from peerscope.methods.backbones import Backbone
from peerscope.methods.frameworks import Framework
from peerscope.methods.momentum import Ema
from peerscope.reproduce.harness import main
from peerscope.reproduce.papers.momentum import PAPER
from peerscope.reproduce.protocol import Trial
from peerscope.reproduce.protocols.common import images, prepared
from peerscope.reproduce.protocols.self_supervised import encoder, online, scored, trained

WIDTH, TEMPERATURE = 64, 0.2


def arm(name: str, net: Backbone, momentum: float) -> Framework:
    """A method by its arm's name: ``none``, ``stop_gradient``, or a mask of `Ema`."""
    if name == "none":
        return presets.symmetric_info_nce(net, width=WIDTH, temperature=TEMPERATURE)
    if name == "stop_gradient":
        return presets.stop_gradient(net, width=WIDTH, temperature=TEMPERATURE)
    ema = Ema(name, momentum)
    return presets.simclr_momentum(net, width=WIDTH, temperature=TEMPERATURE, ema=ema)


def run(trial: Trial) -> None:
    """Train every arm at the profile's momentum, and the full target at the others."""
    prepared(trial)
    pool = images(trial, "fashion-mnist", "train", int(trial["images"]))
    tests = images(trial, "fashion-mnist", "test", int(trial["tests"]))
    scored(trial, "untrained", encoder(trial).to(trial.device), pool, tests)
    momentum = float(trial["momentum"])
    runs = [(name, name, momentum) for name in trial["arms"]]
    runs += [(f"full/{other:g}", "full", float(other)) for other in trial["others"]]
    means = {}
    for done, (name, kind, rate) in enumerate(runs):
        trial.progress(name, done, len(runs))
        method = arm(kind, encoder(trial), rate)
        course: list[tuple[int, Tensor]] = []

        def watch(
            step: int,
            parts: Mapping[str, Tensor],
            course: list[tuple[int, Tensor]] = course,
        ) -> None:
            if step % 10 == 0:
                course.append((step, parts["info_nce"]))

        trained(trial, method, pool, int(trial["batch"]), watch=watch)
        right, _ = scored(trial, name, online(method).encoder, pool, tests)
        means[name, rate] = float(right.mean())
        if course:
            steps, losses = zip(*course, strict=True)
            trial.curve("InfoNCE at 0.2 over steps", name, steps, torch.stack(losses).tolist())
    by_rate = sorted((rate, mean) for (name, rate), mean in means.items() if name[:4] == "full")
    trial.curve("kNN accuracy of the full target over m, %", "full", *zip(*by_rate, strict=True))


if __name__ == "__main__":
    main(PAPER, "momentum_accuracy")
