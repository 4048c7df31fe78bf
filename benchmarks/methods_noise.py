"""Norms under noise and over batch sizes, small: VGG-11 at a quarter of its width on CIFAR-10.

    python benchmarks/methods_noise.py --out FOLDER

The noise is that of the GN+ authors' notebooks: in training, one draw from N(0.001, 1.001) an image and
group, between norm and activation. Adam at 1e-3, batch 128, best test accuracy of the epochs. The second part
trains at several batch sizes with SGD at 0.1 batch / 128. GN+ is evaluated by the test batch, as its authors
do, and with running statistics. Needs the shared data (PEERSCOPE_SHARED) and Pillow. `cell` is what a
protocol calls.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from methods_images import Task, batches, cifar
from methods_plot import Panel, draw
from torch import nn
from torch.nn import functional

from peerscope.methods.norm import GroupNormPlus
from peerscope.methods.norm_analysis import SMALL_NOISE, GroupNoise

GROUPS = 8
NORMS: Mapping[str, Callable[[int], nn.Module]] = {
    "none": lambda _: nn.Identity(),
    "GN": lambda c: nn.GroupNorm(GROUPS, c),
    "BN": nn.BatchNorm2d,
    "GN+": lambda c: GroupNormPlus(c, GROUPS),
    "GN+ running": lambda c: GroupNormPlus(c, GROUPS, track_running_stats=True),
    "GN+ channel": lambda c: GroupNormPlus(c, GROUPS, batch_stats="channel"),
    "GN+ channel running": lambda c: GroupNormPlus(
        c, GROUPS, batch_stats="channel", track_running_stats=True
    ),
}


def vgg11(norm: Callable[[int], nn.Module], *, noise: bool = False, classes: int = 10) -> nn.Module:
    """VGG-11 at a quarter of its width: eight convolutions, pooling after 1, 2, 4, 6 and 8."""
    layers: list[nn.Module] = []
    left = 3
    for width in (16, "M", 32, "M", 64, 64, "M", 128, 128, "M", 128, 128, "M"):
        if isinstance(width, str):
            layers.append(nn.MaxPool2d(2))
            continue
        layers += [nn.Conv2d(left, width, 3, 1, 1), norm(width)]
        layers += [GroupNoise(GROUPS, *SMALL_NOISE)] if noise else []
        layers.append(nn.ReLU())
        left = width
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(128, classes))


def cell(
    norm: str, task: Task, *, noise: bool, batch: int, epochs: int, sgd: bool, seed: int
) -> dict[str, Any]:
    """Train one net; its test accuracy after each epoch and the seconds of all.

    Args:
        norm: One of `NORMS`.
        task: The images, in [0, 1].
        noise: Whether noise follows each norm.
        batch: Images a step.
        epochs: Passes over the training images.
        sgd: SGD with momentum at 0.1 batch / 128 and decay 1e-4, else Adam at 1e-3.
        seed: Of the start, the order and the noise.
    """
    torch.manual_seed(seed)
    net = vgg11(NORMS[norm], noise=noise, classes=task.classes)
    if sgd:
        optimizer: torch.optim.Optimizer = torch.optim.SGD(
            net.parameters(), lr=0.1 * batch / 128, momentum=0.9, weight_decay=1e-4
        )
    else:
        optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    generator = torch.Generator().manual_seed(seed)
    images, tests = ((x - 0.5) / 0.5 for x in (task.train_images, task.test_images))
    found, began = [], time.process_time()
    for _ in range(epochs):
        net.train()
        for places in batches(len(images), batch, generator):
            optimizer.zero_grad(set_to_none=True)
            functional.cross_entropy(net(images[places]), task.train_labels[places]).backward()
            optimizer.step()
        net.eval()
        with torch.no_grad():
            guesses = torch.cat([net(part).argmax(dim=1) for part in tests.split(500)])
        found.append(float((guesses == task.test_labels).double().mean()))
    return {"accuracy": found, "best": max(found), "seconds": time.process_time() - began}


def main() -> None:
    """Run and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--train", type=int, default=6000)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--batches", type=int, nargs="*", default=[2, 8, 32, 128])
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--norms", nargs="+", default=list(NORMS), choices=list(NORMS))
    given = parser.parse_args()
    torch.set_num_threads(1)
    given.out.mkdir(parents=True, exist_ok=True)
    task = cifar(32, given.train, 1500)
    less = cifar(32, min(given.train, 4000), 1500)
    rows: list[dict[str, Any]] = []

    def keep(norm: str, task: Task, **options: Any) -> None:
        for seed in range(given.seeds):
            row = {"norm": norm, **options, "seed": seed, **cell(norm, task, seed=seed, **options)}
            rows.append(row)
            print({k: v for k, v in row.items() if k != "accuracy"}, flush=True)
            (given.out / "noise.json").write_text(json.dumps(rows))

    for noise in (True, False):
        for norm in given.norms:
            keep(norm, task, noise=noise, batch=128, epochs=given.epochs, sgd=False)
    for batch in given.batches:
        for norm in (norm for norm in given.norms if norm != "none"):
            keep(norm, less, noise=False, batch=batch, epochs=2 if batch < 8 else 3, sgd=True)
    (given.out / "norm-noise.svg").write_text(picture(rows))


def picture(rows: list[dict[str, Any]]) -> str:
    """Test accuracy over the epochs, without and with noise, and over batch sizes; the first seed."""
    panels = [
        Panel(
            "Test accuracy" + (", noise after each norm" if noise else ""), "epochs",
            {
                row["norm"]: list(enumerate(row["accuracy"], 1))
                for row in rows
                if not row["sgd"] and row["noise"] == noise and row["seed"] == 0
            },
        )
        for noise in (False, True)
    ]  # fmt: skip
    sizes: dict[str, list[tuple[float, float]]] = {}
    for row in rows:
        if row["sgd"] and row["seed"] == 0:
            sizes.setdefault(row["norm"], []).append((row["batch"], row["best"]))
    if sizes:
        panels.append(Panel("Best test accuracy, SGD", "batch size", sizes, True))
    return draw("Norms under noise and over batch sizes, VGG-11 at a quarter width", panels)


if __name__ == "__main__":
    main()
