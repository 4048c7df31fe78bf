"""Four losses under L-infinity attacks, judged by the rank of the true class or target (arXiv 2204.00089).

The paper's budgets, steps, nets and data are not known, so all of them here are ours. Two nets of different
families are attacked; all nets judge; the images are test images that every net gets right. The margin loss
of Carlini and Wagner and the plain logit loss stand beside cross-entropy and relative cross-entropy in every
attack: the logit loss has nearly the relative one's gradient, ``-e_y`` against ``1/K - e_y``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import torch
from torch import Tensor, nn

from peerscope.methods.attacks import (
    InputDiversity,
    LinfAttack,
    TransferTable,
    TranslationInvariance,
    evaluate_transfer,
    success_curve,
)
from peerscope.methods.datasets import ImageSet
from peerscope.reproduce.harness import main
from peerscope.reproduce.papers.topk_attack import PAPER
from peerscope.reproduce.protocol import Trial
from peerscope.reproduce.protocols.common import images, prepared
from peerscope.reproduce.protocols.vision_nets import family, fitted

LOSSES = {
    "ce": "cross_entropy",
    "cw": "margin",
    "logit": "logit",
    "rce": "relative_cross_entropy",
}
SOURCES = ("residual", "vgg")
APART = ("fgsm", "ifgsm-quarter", "ifgsm-long")
"""Attacks whose ranks are put down pair by pair."""
COUNTED = ("fgsm", "ifgsm", "ifgsm-quarter", "ifgsm-long")
"""Attacks whose success is put down, in transfer image by image."""

Nets = Mapping[str, nn.Module]


def run(trial: Trial) -> None:
    """Train the nets, attack two of them by every attack and loss, and put down ranks and successes."""
    device = prepared(trial)
    data = images(trial, trial["data"], "train", trial["images"] or None)
    nets = trained(trial, data)
    picked, labels = judged(trial, nets)
    classes = len(data.classes)
    sources = {name: nets[name] for name in SOURCES}
    table = evaluate_transfer(
        sources, nets, attacks(trial), list(LOSSES.values()), picked, labels, judged="all", ks=()
    )
    put_ranks(trial, table)
    put_success(trial, table, classes)
    source = torch.Generator().manual_seed(trial.seed)
    apart = torch.randint(1, classes, (len(labels),), generator=source).to(device)
    aimed = partial(
        LinfAttack, eps=trial["eps"], alpha=trial["eps"] / 8, steps=trial["long"], targeted=True
    )
    goals = (labels + apart) % classes
    put_targeted(
        trial,
        evaluate_transfer(
            sources, nets, {"targeted": aimed}, list(LOSSES.values()), picked, labels,
            goals=goals, judged="all", ks=(),
        ),
    )  # fmt: skip
    traced(trial, nets[SOURCES[0]], picked, labels)


def trained(trial: Trial, data: ImageSet) -> dict[str, nn.Module]:
    """The nets by family, each from its own seed."""
    nets: dict[str, nn.Module] = {}
    named = list(zip(trial["nets"], trial["widths"], trial["passes"], strict=True))
    for place, (name, width, passes) in enumerate(named):
        trial.progress("training nets", place, len(named))
        seed = 10 * trial.seed + place
        torch.manual_seed(seed)
        net = family(name, data.images.shape[1], len(data.classes), width)
        nets[name] = fitted(trial, net, data, passes=passes, seed=seed)
    return nets


def judged(trial: Trial, nets: Nets) -> tuple[Tensor, Tensor]:
    """The first test images that every net gets right (or all), in [0, 1], and their labels."""
    test = images(trial, trial["data"], "test")
    pixels = test.images.float() / 255
    with torch.no_grad():
        right = torch.stack(
            [
                torch.cat([net(part).argmax(dim=1) for part in torch.split(pixels, 500)])
                == test.labels
                for net in nets.values()
            ]
        )
    for name, row in zip(nets, right, strict=True):
        share = 100 * row.double().mean().item()
        trial.log(f"{name}: {share:.1f} % of the test images right")
        trial.figure(f"accuracy/{name}", share)
    wanted = right.all(dim=0) | trial["all_images"]
    places = wanted.nonzero()[: trial["judged"], 0]
    if not len(places):
        raise RuntimeError("The nets get no image right together, so there is none to attack.")
    return pixels[places], test.labels[places]


def attacks(trial: Trial) -> dict[str, partial[LinfAttack]]:
    """The untargeted attacks by name; momentum, diversity and smoothing with steps of ``eps / steps``."""
    eps, steps = trial["eps"], trial["steps"]
    made = partial(LinfAttack, eps=eps, steps=steps)
    diverse, smooth = InputDiversity(0.7), TranslationInvariance()
    return {
        "fgsm": partial(LinfAttack, eps=eps, steps=1),
        "ifgsm": made,
        "ifgsm-quarter": partial(made, alpha=eps / 4),
        "ifgsm-long": partial(LinfAttack, eps=eps, steps=trial["long"], alpha=eps / 4),
        "mi": partial(made, momentum=1.0),
        "di": partial(made, diversity=diverse),
        "ti": partial(made, translation=smooth),
        "mi-di-ti": partial(made, momentum=1.0, diversity=diverse, translation=smooth),
    }


def pooled(table: TransferTable, attack: str, loss: str) -> dict[str, Tensor]:
    """Ranks of every pair, shape ``[pairs, images]``, at the attacked nets and at the others."""
    rows = [row for row in table.rows if (row.attack, row.loss) == (attack, LOSSES[loss])]
    return {
        "white": torch.stack([row.ranks for row in rows if row.white_box]),
        "transfer": torch.stack([row.ranks for row in rows if not row.white_box]),
    }


def put_ranks(trial: Trial, table: TransferTable) -> None:
    """Ranks of the true class, image by image: means over pairs, and some pairs alone."""
    for attack in attacks(trial):
        for loss in LOSSES:
            for where, ranks in pooled(table, attack, loss).items():
                means = ranks.double().mean(dim=0)
                trial.figure(f"rank/{where}/{attack}/{loss}", means.numpy())
                trial.log(f"{attack}, {loss}, {where}: mean rank {means.mean():.2f}")
    names = {full: short for short, full in LOSSES.items()}
    for row in table.rows:
        if row.attack in APART:
            name = f"rank/{row.source}/{row.attack}/{names[row.loss]}/{row.target}"
            trial.figure(name, row.ranks.numpy())


def put_success(trial: Trial, table: TransferTable, classes: int) -> None:
    """Success for k of 1 and a large k, and its curve over k."""
    for attack in COUNTED:
        for loss in LOSSES:
            for where, ranks in pooled(table, attack, loss).items():
                for name, k in (("top1", 1), ("topk", trial["k"])):
                    success = 100 * (ranks > k).double().mean(dim=0)
                    value = success.numpy() if where == "transfer" else float(success.mean())
                    trial.figure(f"{name}/{where}/{attack}/{loss}", value)
    for where in ("white", "transfer"):
        for loss in LOSSES:
            ranks = pooled(table, "ifgsm-long", loss)[where].flatten()
            success = 100 * success_curve(ranks, classes)
            ks = list(range(1, classes))
            trial.curve(
                f"success in percent over k, {where}, long I-FGSM", loss, ks, success.tolist()
            )


def put_targeted(trial: Trial, table: TransferTable) -> None:
    """Ranks of the target and the share of images that have it among the first k."""
    for loss in LOSSES:
        for where, ranks in pooled(table, "targeted", loss).items():
            means = ranks.double().mean(dim=0)
            trial.figure(f"target-rank/{where}/{loss}", means.numpy())
            for name, k in (("target-top1", 1), ("target-topk", trial["target_k"])):
                reached = 100 * (ranks <= k).double().mean(dim=0)
                trial.figure(f"{name}/{where}/{loss}", reached.numpy())
            trial.log(f"targeted, {loss}, {where}: mean rank of the target {means.mean():.2f}")


def traced(trial: Trial, net: nn.Module, picked: Tensor, labels: Tensor) -> None:
    """Rank of the true class and direction of the gradient at the attacked net, step by step."""
    few = slice(0, trial["traced"])
    for short, loss in LOSSES.items():
        attack = LinfAttack(
            net, loss, eps=trial["eps"], alpha=trial["eps"] / 4, steps=trial["long"]
        )
        seen = attack.trace(picked[few], labels[few])[1]
        steps = list(range(len(seen.ranks)))
        trial.curve("mean rank over steps, attacked net", short, steps, _means(seen.ranks))
        trial.curve("cosine with 1/K - e_y over steps", short, steps, _means(seen.cosines))


def _means(values: Tensor) -> Sequence[float]:
    found: list[float] = values.double().mean(dim=1).tolist()
    return found


if __name__ == "__main__":
    main(PAPER, "attack_ranks")
