"""CIFAR-10 and Omniglot from the shared data, made small, and three small nets of different families.

Needs the shared data (PEERSCOPE_SHARED) and Pillow.
"""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

SHARED = Path(os.environ.get("PEERSCOPE_SHARED", "../shared")) / "data" / "images"


@dataclass(frozen=True, slots=True)
class Task:
    """Images in [0, 1], shape ``[n, C, H, W]``, and their classes."""

    name: str
    classes: int
    train_images: Tensor
    train_labels: Tensor
    test_images: Tensor
    test_labels: Tensor


def cifar(side: int, train: int, test: int) -> Task:
    """The first images of CIFAR-10, averaged down to a side of 32, 16 or 8."""

    def read(name: str, count: int) -> tuple[Tensor, Tensor]:
        held = np.load(SHARED / name)
        parts, have = [], 0
        for key in sorted(key for key in held.files if key.startswith("mosaic")):
            mosaic = np.asarray(Image.open(io.BytesIO(held[key].tobytes())).convert("RGB"))
            rows = mosaic.shape[0] // 32
            tiles = mosaic.reshape(rows, 32, 50, 32, 3).transpose(0, 2, 4, 1, 3)
            parts.append(tiles.reshape(-1, 3, 32, 32))
            have += len(parts[-1])
            if have >= count:
                break
        images = torch.from_numpy(np.concatenate(parts)[:count].astype(np.float32) / 255)
        labels = torch.from_numpy(held["labels"][:count].astype(np.int64))
        return functional.avg_pool2d(images, 32 // side), labels

    return Task(
        f"CIFAR-10 at {side}", 10, *read("cifar10_train_a.npz", train), *read("cifar10_test.npz", test)
    )  # fmt: skip


def omniglot(side: int = 28) -> Task:
    """The 242 characters of the two small background sets, ink 1; drawers 1 to 15 train, 16 to 20 test."""
    found: dict[tuple[str, int], np.ndarray] = {}
    for name in ("omniglot_small1.zip", "omniglot_small2.zip"):
        with zipfile.ZipFile(SHARED / name) as held:
            for path in sorted(held.namelist()):
                if path.endswith(".png"):
                    _, alphabet, character, file = path.split("/")
                    drawer = int(Path(file).stem.split("_")[1])
                    image = Image.open(io.BytesIO(held.read(path))).convert("L")
                    found[f"{alphabet}/{character}", drawer] = np.asarray(image)
    classes = sorted({character for character, _ in found})
    labels = torch.tensor([classes.index(character) for character, _ in found])
    images = 1 - torch.from_numpy(np.stack(list(found.values())).astype(np.float32))[:, None] / 255
    images = functional.adaptive_avg_pool2d(images, side)
    train = torch.tensor([drawer <= 15 for _, drawer in found])
    return Task(
        f"Omniglot at {side}", len(classes), images[train], labels[train], images[~train], labels[~train]
    )  # fmt: skip


class Residual(nn.Module):
    """Two 3x3 convolutions beside a 1x1."""

    def __init__(self, left: int, right: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(left, right, 3, stride, 1, bias=False)
        self.second = nn.Conv2d(right, right, 3, 1, 1, bias=False)
        self.side = nn.Conv2d(left, right, 1, stride, bias=False)
        self.norms = nn.ModuleList(nn.BatchNorm2d(right) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        inner = functional.relu(self.norms[0](self.first(x)))
        return functional.relu(self.norms[1](self.second(inner)) + self.side(x))


def residual(channels: int, classes: int) -> nn.Module:
    """Residual blocks with a maximum over the last places."""
    return nn.Sequential(
        nn.Conv2d(channels, 32, 3, 1, 1), nn.BatchNorm2d(32), nn.ReLU(),
        Residual(32, 48, 2), Residual(48, 96, 2),
        nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(96, classes),
    )  # fmt: skip


def vgg(channels: int, classes: int) -> nn.Module:
    """3x3 convolutions with batch norm and pooling."""

    def stage(left: int, right: int) -> list[nn.Module]:
        return [nn.Conv2d(left, right, 3, 1, 1), nn.BatchNorm2d(right), nn.ReLU(), nn.MaxPool2d(2)]

    return nn.Sequential(
        *stage(channels, 32), *stage(32, 64), *stage(64, 128),
        nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(512, classes),
    )  # fmt: skip


def plain(channels: int, classes: int) -> nn.Module:
    """5x5 convolutions without a norm."""
    return nn.Sequential(
        nn.Conv2d(channels, 32, 5, 2, 2), nn.ReLU(), nn.Conv2d(32, 64, 5, 2, 2), nn.ReLU(),
        nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(1024, 256), nn.ReLU(), nn.Linear(256, classes),
    )  # fmt: skip


NETS: dict[str, Callable[[int, int], nn.Module]] = {
    "residual": residual,
    "vgg": vgg,
    "plain": plain,
}


def batches(count: int, size: int, generator: torch.Generator) -> Iterator[Tensor]:
    """Shuffled places, whole batches only."""
    order = torch.randperm(count, generator=generator)
    yield from (order[start : start + size] for start in range(0, count - size + 1, size))


def fitted(
    net: nn.Module, task: Task, *, epochs: int, seed: int, batch: int = 64, rate: float = 2e-3
) -> nn.Module:
    """Train with Adam, one rise and fall of the rate, shifts of up to two pixels."""
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(net.parameters(), lr=rate)
    steps = epochs * (len(task.train_images) // batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps)
    padded = functional.pad(task.train_images, (2, 2, 2, 2))
    side = task.train_images.shape[-1]
    net.train()
    for _ in range(epochs):
        for places in batches(len(padded), batch, generator):
            down, right = torch.randint(0, 5, (2,), generator=generator).tolist()
            images = padded[places, :, down : down + side, right : right + side]
            optimizer.zero_grad(set_to_none=True)
            functional.cross_entropy(net(images), task.train_labels[places]).backward()
            optimizer.step()
            schedule.step()
    return net.eval()


def accuracy(net: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Share of images right, in evaluation mode."""
    net.eval()
    with torch.no_grad():
        found = torch.cat([net(part).argmax(dim=1) for part in images.split(500)])
    return float((found == labels).double().mean())
