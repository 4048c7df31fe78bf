"""How far attacks by four losses move the true class: white-box and transfer, over steps and over k.

    python benchmarks/methods_icr.py omniglot cifar --out FOLDER

Three nets of different families are trained on Omniglot (242 classes, 28 x 28) or CIFAR-10 (16 x 16); each
attacks test images that all three get right. Writes FOLDER/TASK.json and two SVGs, and prints the tables.
Needs the shared data (PEERSCOPE_SHARED) and Pillow. `measured` is what a protocol calls.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import torch
from methods_images import NETS, Task, accuracy, cifar, fitted, omniglot
from methods_plot import Panel, draw
from torch import Tensor, nn

from peerscope.methods.attacks import (
    InputDiversity,
    LinfAttack,
    TranslationInvariance,
    evaluate_transfer,
    success_curve,
)
from peerscope.methods.attacks.metrics import paired_interval

LOSSES = ("cross_entropy", "margin", "logit", "relative_cross_entropy")
STEPS = (1, 2, 4, 8, 16, 32)
SETTINGS: Mapping[str, Any] = {
    "omniglot": {"make": omniglot, "epochs": 25, "eps": 0.15},
    "cifar": {"make": partial(cifar, 16, 20_000, 2_000), "epochs": 6, "eps": 8 / 255},
}


def attacks(eps: float) -> dict[str, partial[LinfAttack]]:
    """The attacks of the table."""
    made = partial(LinfAttack, eps=eps, alpha=eps / 4)
    return {
        "FGSM": partial(LinfAttack, eps=eps, steps=1),
        "I-FGSM 10": partial(made, steps=10),
        "I-FGSM 40": partial(made, steps=40),
        "MI 10": partial(LinfAttack, eps=eps, steps=10, momentum=1.0),
        "MI-DI-TI 10": partial(
            LinfAttack, eps=eps, steps=10, momentum=1.0,
            diversity=InputDiversity(0.7), translation=TranslationInvariance(),
        ),
    }  # fmt: skip


def judged(nets: Mapping[str, nn.Module], task: Task, count: int) -> tuple[Tensor, Tensor]:
    """The first test images that every net gets right."""
    with torch.no_grad():
        right = torch.stack(
            [net(task.test_images).argmax(dim=1) == task.test_labels for net in nets.values()]
        ).all(dim=0)
    places = right.nonzero()[:count, 0]
    return task.test_images[places], task.test_labels[places]


def measured(name: str, *, images: int, seed: int, sources: Sequence[str]) -> dict[str, Any]:
    """Train the nets, make the table, the intervals, the curves over steps and over k.

    Args:
        name: ``omniglot`` or ``cifar``.
        images: Number of images attacked, at most.
        seed: Seed of the nets and their training.
        sources: Names of the nets that are attacked.
    """
    setting = SETTINGS[name]
    task, eps = setting["make"](), setting["eps"]
    nets, told = {}, {}
    for place, (net, build) in enumerate(NETS.items()):
        torch.manual_seed(seed + place)
        began = time.process_time()
        model = build(task.train_images.shape[1], task.classes)
        nets[net] = fitted(model, task, epochs=setting["epochs"], seed=seed + place)
        share = accuracy(nets[net], task.test_images, task.test_labels)
        told[net] = {"accuracy": share, "seconds": time.process_time() - began}
        print(net, told[net], flush=True)
    picked, labels = judged(nets, task, images)
    ks = (1, 5, 10, 50) if task.classes > 50 else (1, 3, 5)
    table = evaluate_transfer(
        {source: nets[source] for source in sources}, nets, attacks(eps), LOSSES, picked, labels, ks=ks
    )  # fmt: skip
    print(table.markdown(), flush=True)
    rows = [
        {**{k: v for k, v in asdict(row).items() if k != "ranks"}, "mean_rank": row.mean_rank}
        for row in table.rows
    ]
    gaps, curves, tops = [], [], []
    for source in sources:
        for attack in attacks(eps):
            for target in nets:
                ranks = {loss: table.cell(source, attack, loss, target).ranks for loss in LOSSES}
                for loss in LOSSES[:-1]:
                    gap = paired_interval(ranks["relative_cross_entropy"], ranks[loss])
                    gaps.append([source, attack, target, loss, *gap])
                if attack == "I-FGSM 40":
                    tops += [
                        [source, target, loss, success_curve(found, task.classes).tolist()]
                        for loss, found in ranks.items()
                    ]
        curves += over_steps(source, nets, eps, picked, labels)
    return {
        "task": task.name, "classes": task.classes, "eps": eps, "images": len(labels), "seed": seed,
        "nets": told, "rows": rows, "gaps": gaps, "steps": curves, "success": tops,
        "traces": traces(nets[sources[0]], eps, picked, labels),
    }  # fmt: skip


def over_steps(
    source: str, nets: Mapping[str, nn.Module], eps: float, images: Tensor, labels: Tensor
) -> list[list[Any]]:
    """Mean rank at every net after numbers of steps of a quarter of eps: [source, target, loss, points]."""
    made = {str(n): partial(LinfAttack, eps=eps, alpha=eps / 4, steps=n) for n in STEPS}
    table = evaluate_transfer({source: nets[source]}, nets, made, LOSSES, images, labels)
    return [
        [
            source,
            target,
            loss,
            [[n, table.cell(source, str(n), loss, target).mean_rank] for n in STEPS],
        ]
        for target in nets
        for loss in LOSSES
    ]


def traces(net: nn.Module, eps: float, images: Tensor, labels: Tensor) -> dict[str, Any]:
    """White-box, step by step: mean rank, log-probability and cosine by loss."""
    found = {}
    for loss in LOSSES:
        trace = LinfAttack(net, loss, eps=eps, alpha=eps / 4, steps=40).trace(images, labels)[1]
        found[loss] = {
            "rank": trace.ranks.double().mean(dim=1).tolist(),
            "log_probability": trace.log_probabilities.double().mean(dim=1).tolist(),
            "cosine": trace.cosines.double().mean(dim=1).tolist(),
        }
    return found


def pictures(found: Mapping[str, Any]) -> dict[str, str]:
    """The SVGs of one task by file name: over steps, and over k."""
    source = found["steps"][0][0]
    names = [net for net in found["nets"] if net != source]
    shown = {loss: loss.replace("_", " ") for loss in LOSSES}
    trace = found["traces"]
    panels = [
        Panel(
            f"Mean rank at {target}" + (" (attacked)" if target == source else ""), "steps",
            {shown[row[2]]: row[3] for row in found["steps"] if row[:2] == [source, target]}, True,
        )
        for target in (source, *names)
    ]  # fmt: skip
    cosines = Panel(
        "Cosine with 1/K - e_y", "steps, attacked net",
        {shown[loss]: list(enumerate(trace[loss]["cosine"])) for loss in LOSSES},
    )  # fmt: skip
    tops = [
        Panel(
            f"Top-k success at {target}" + (" (attacked)" if target == source else ""), "k",
            {
                shown[row[2]]: list(enumerate(row[3], 1))
                for row in found["success"] if row[:2] == [source, target]
            },
            True,
        )
        for target in (source, *names)
    ]  # fmt: skip
    task = found["task"]
    return {
        "steps": draw(f"Rank of the true class over attack steps, {task}", [*panels, cosines]),
        "success": draw(f"Success over k, I-FGSM with 40 steps, {task}", tops),
    }


def main() -> None:
    """Run and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tasks", nargs="+", choices=list(SETTINGS))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--images", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sources", nargs="+", default=["residual", "vgg"], choices=list(NETS))
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    given.out.mkdir(parents=True, exist_ok=True)
    for task in given.tasks:
        found = measured(task, images=given.images, seed=given.seed, sources=given.sources)
        (given.out / f"{task}.json").write_text(json.dumps(found))
        for kind, svg in pictures(found).items():
            (given.out / f"icr-{kind}-{task}.svg").write_text(svg)


if __name__ == "__main__":
    main()
