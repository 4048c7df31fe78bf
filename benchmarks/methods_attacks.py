"""Attack throughput and peak memory against torchattacks, same net, batch and settings, in one run.

    python benchmarks/methods_attacks.py --out FILE.json

Both libraries attack the same test images of CIFAR-10 (16 x 16) on two trained nets, alternately, on one
thread; a figure is the median over repetitions of process time. Peak memory comes from a process of its own
for each cell: the highest resident size less that before the attack. Needs the shared data
(PEERSCOPE_SHARED), Pillow and torchattacks (pip install --no-deps torchattacks==3.5.1; requests and tqdm).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torchattacks
from methods_images import NETS, accuracy, cifar, fitted
from torch import Tensor, nn

from peerscope.methods.attacks import (
    InputDiversity,
    LinfAttack,
    TranslationInvariance,
    interest_class_rank,
    topk_success,
)

EPS, ALPHA, STEPS = 8 / 255, 2 / 255, 10
BATCH = 128
Attack = Callable[[Tensor, Tensor], Tensor]


def cells(net: nn.Module) -> dict[str, tuple[Attack, Attack | None]]:
    """Ours and theirs by name; both ascend cross-entropy unless the name says otherwise."""
    ours = partial(LinfAttack, net, eps=EPS, alpha=ALPHA, steps=STEPS)
    stepped = {"eps": EPS, "alpha": ALPHA, "steps": STEPS}
    diverse = InputDiversity(0.5, rate=0.9)
    return {
        "FGSM": (
            LinfAttack(net, "ce", eps=EPS, steps=1), torchattacks.FGSM(net, eps=EPS),
        ),
        "I-FGSM": (ours("ce"), torchattacks.BIM(net, **stepped)),
        "PGD": (ours("ce", random_start=True), torchattacks.PGD(net, **stepped)),
        "MI-FGSM": (ours("ce", momentum=1.0), torchattacks.MIFGSM(net, decay=1.0, **stepped)),
        "DI-FGSM": (
            ours("ce", momentum=1.0, diversity=diverse),
            torchattacks.DIFGSM(net, decay=1.0, resize_rate=0.9, diversity_prob=0.5, **stepped),
        ),
        "TI-FGSM, kernel 5": (
            ours("ce", momentum=1.0, diversity=diverse, translation=TranslationInvariance(5)),
            torchattacks.TIFGSM(
                net, decay=1.0, len_kernel=5, resize_rate=0.9, diversity_prob=0.5, **stepped
            ),
        ),
        "TI-FGSM, kernel 15": (
            ours("ce", momentum=1.0, diversity=diverse, translation=TranslationInvariance(15)),
            torchattacks.TIFGSM(
                net, decay=1.0, len_kernel=15, resize_rate=0.9, diversity_prob=0.5, **stepped
            ),
        ),
        "I-FGSM, relative cross-entropy": (ours("rce"), None),
        "I-FGSM, bfloat16 autocast": (_in_bfloat16(ours("ce")), None),
        "I-FGSM, channels last": (_channels_last(ours("ce")), None),
    }  # fmt: skip


def _in_bfloat16(attack: Attack) -> Attack:
    def run(images: Tensor, labels: Tensor) -> Tensor:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return attack(images, labels)

    return run


def _channels_last(attack: Attack) -> Attack:
    def run(images: Tensor, labels: Tensor) -> Tensor:
        return attack(images.to(memory_format=torch.channels_last), labels)

    return run


def agreement(net: nn.Module, images: Tensor, labels: Tensor) -> dict[str, float]:
    """Share of pixels that both libraries leave within 1e-6 of each other where nothing is drawn."""
    stepped = {"eps": EPS, "alpha": ALPHA, "steps": STEPS}
    ours = partial(LinfAttack, net, "ce", eps=EPS, alpha=ALPHA, steps=STEPS)
    pairs = {
        "FGSM": (LinfAttack(net, "ce", eps=EPS, steps=1), torchattacks.FGSM(net, eps=EPS)),
        "I-FGSM": (ours(), torchattacks.BIM(net, **stepped)),
        "PGD from the image": (ours(), torchattacks.PGD(net, random_start=False, **stepped)),
        "MI-FGSM": (ours(momentum=1.0), torchattacks.MIFGSM(net, decay=1.0, **stepped)),
        "TI-FGSM, kernel 5": (
            ours(momentum=1.0, translation=TranslationInvariance(5)),
            torchattacks.TIFGSM(net, decay=1.0, len_kernel=5, diversity_prob=0.0, **stepped),
        ),
    }
    return {
        name: float(((a(images, labels) - b(images, labels)).abs() <= 1e-6).double().mean())
        for name, (a, b) in pairs.items()
    }


def small_images() -> dict[str, str]:
    """What each library does where ports often fail."""
    grey, tiny = torch.rand(2, 1, 28, 28), torch.rand(2, 3, 8, 8)
    labels = torch.tensor([0, 1])

    def told(attack: Attack, images: Tensor) -> str:
        try:
            for _ in range(20):
                attack(images, labels)
        except Exception as error:
            return f"{type(error).__name__}: {str(error).splitlines()[0][:90]}"
        return "runs"

    nets = {
        c: nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(4 * c, 5)) for c in (1, 3)
    }
    return {
        "TI, greyscale, ours": told(
            LinfAttack(nets[1], eps=EPS, translation=TranslationInvariance()), grey
        ),
        "TI, greyscale, torchattacks": told(torchattacks.TIFGSM(nets[1]), grey),
        "DI, 8 x 8 at rate 1.1, ours": told(
            LinfAttack(nets[3], eps=EPS, diversity=InputDiversity(1.0, rate=1.1)), tiny
        ),
        "DI, 8 x 8 at rate 1.1, torchattacks": told(
            torchattacks.DIFGSM(nets[3], resize_rate=1.1, diversity_prob=1.0), tiny
        ),
    }


def timed(attack: Attack, images: Tensor, labels: Tensor) -> tuple[float, Tensor]:
    """Process seconds for all images in batches, and the attacked images."""
    began = time.process_time()
    found = torch.cat(
        [attack(*part) for part in zip(images.split(BATCH), labels.split(BATCH), strict=True)]
    )
    return time.process_time() - began, found


def resident(name: str) -> int:
    """A line of /proc/self/status in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1]) * 1024
    raise KeyError(name)


def peak(file: str, net: str, cell: str, whose: int) -> None:
    """In a process of its own: print the highest resident size less that before the attack."""
    held = torch.load(file)
    model = NETS[net](3, 10).eval()
    model.load_state_dict(held[net])
    attack = cells(model)[cell][whose]
    assert attack is not None
    images, labels = held["images"][:BATCH], held["labels"][:BATCH]
    with torch.no_grad():
        model(images[:2])
    Path("/proc/self/clear_refs").write_text("5")
    before = resident("VmRSS")
    attack(images, labels)
    print(resident("VmHWM") - before)


def main() -> None:
    """Measure, print the table, write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--images", type=int, default=512)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--peak", nargs=4, help=argparse.SUPPRESS)
    given = parser.parse_args()
    torch.set_num_threads(1)
    if given.peak:
        peak(*given.peak[:3], int(given.peak[3]))
        return
    task = cifar(16, 10_000, 2_000)
    images, labels = task.test_images[: given.images], task.test_labels[: given.images]
    results: dict[str, Any] = {"torch": torch.__version__, "small": small_images(), "nets": {}}
    print(json.dumps(results["small"], indent=1))
    held: dict[str, Any] = {"images": images, "labels": labels}
    for name in ("residual", "plain"):
        torch.manual_seed(0)
        net = fitted(NETS[name](3, 10), task, epochs=4, seed=0)
        held[name] = net.state_dict()
        found = {
            "accuracy": accuracy(net, images, labels),
            "agreement": agreement(net, images, labels),
            "cells": compared(net, images, labels, given.repeats),
        }
        with tempfile.NamedTemporaryFile(suffix=".pt") as file:
            torch.save(held, file.name)
            for cell, told in found["cells"].items():
                for whose, who in enumerate(("ours", "torchattacks")):
                    if who in told:
                        told[who]["peak"] = peak_of(file.name, name, cell, whose)
        results["nets"][name] = found
        print(name, found["accuracy"], found["agreement"])
        print(markdown(found["cells"]), flush=True)
    if given.out:
        given.out.write_text(json.dumps(results))


def peak_of(file: str, net: str, cell: str, whose: int) -> int:
    """`peak` in a fresh process."""
    command = [sys.executable, __file__, "--peak", file, net, cell, str(whose)]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def compared(
    net: nn.Module, images: Tensor, labels: Tensor, repeats: int
) -> dict[str, dict[str, Any]]:
    """Every cell, the two libraries in turn."""
    found: dict[str, dict[str, Any]] = {}
    for name, pair in cells(net).items():
        runs = {
            who: attack
            for who, attack in zip(("ours", "torchattacks"), pair, strict=True)
            if attack is not None
        }
        seconds: dict[str, list[float]] = {who: [] for who in runs}
        made = {
            who: timed(attack, images[:BATCH], labels[:BATCH])[1] for who, attack in runs.items()
        }
        for turn in range(repeats):
            # Who comes second finds warm caches, so they take turns at it.
            for who, attack in list(runs.items())[:: 1 if turn % 2 else -1]:
                spent, made[who] = timed(attack, images, labels)
                seconds[who].append(spent)
        found[name] = {
            who: {
                "images_per_second": len(images) / float(np.median(spent)),
                **strength(net, made[who], labels),
            }
            for who, spent in seconds.items()
        }
        if "torchattacks" in seconds:
            ratios = np.array(seconds["torchattacks"]) / np.array(seconds["ours"])
            found[name]["ratio"] = float(np.median(ratios))
            found[name]["ratio_range"] = [float(ratios.min()), float(ratios.max())]
    return found


def strength(net: nn.Module, attacked: Tensor, labels: Tensor) -> dict[str, float]:
    """Top-1 success and mean rank over all images."""
    with torch.no_grad():
        ranks = interest_class_rank(net(attacked), labels)
    return {"success": topk_success(ranks, 1), "rank": float(ranks.double().mean())}


def markdown(found: dict[str, dict[str, Any]]) -> str:
    """The table of one net."""
    lines = [
        "| attack | images a second | torchattacks | ratio (range) | top-1 success | theirs | mean rank "
        "| theirs | peak MiB | theirs |",
        "|" + " --- |" * 10,
    ]
    for name, told in found.items():
        ours, theirs = told["ours"], told.get("torchattacks")
        cells_ = [name, f"{ours['images_per_second']:.0f}"]
        if theirs is None:
            cells_ += ["", "", f"{ours['success']:.3f}", "", f"{ours['rank']:.2f}", ""]
            cells_ += [f"{ours['peak'] / 2**20:.1f}", ""]
        else:
            low, high = told["ratio_range"]
            cells_ += [
                f"{theirs['images_per_second']:.0f}",
                f"{told['ratio']:.2f} ({low:.2f}–{high:.2f})",
            ]
            for key in ("success", "rank"):
                digits = 3 if key == "success" else 2
                cells_ += [f"{ours[key]:.{digits}f}", f"{theirs[key]:.{digits}f}"]
            cells_ += [f"{ours['peak'] / 2**20:.1f}", f"{theirs['peak'] / 2**20:.1f}"]
        lines.append("| " + " | ".join(cells_) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
