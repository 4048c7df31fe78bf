"""What protocols share: one thread on a CPU, data with their hashes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import torch

from peerscope.methods.datasets import ImageSet, cifar10, fashion_mnist, grocery, omniglot
from peerscope.reproduce.protocol import Trial

Split = Literal["train", "test"]
SETS: dict[str, Callable[[Any], ImageSet]] = {
    "fashion-mnist": fashion_mnist,
    "cifar-10": cifar10,
    "grocery": grocery,
    "omniglot": omniglot,
}
"""Data set to its reader; omniglot has 242 classes of 28 pixels, its test images by other drawers."""


def prepared(trial: Trial) -> torch.device:
    """Seed PyTorch, set one thread on a CPU, and say where tensors belong.

    Raises:
        RuntimeError: The profile wants an accelerator and PyTorch finds none.
    """
    if trial.device == "cuda" and not torch.cuda.is_available():
        raise RuntimeError("This profile needs a GPU, and PyTorch finds none: use the profile cpu.")
    if trial.device == "cpu":
        torch.set_num_threads(1)
    torch.manual_seed(trial.seed)
    return torch.device(trial.device)


def images(trial: Trial, name: str, split: Split, number: int | None = None) -> ImageSet:
    """The first images of a set, on the trial's device, with their hash put down.

    Args:
        trial: Notes the hash.
        name: One of `SETS`.
        split: Which part.
        number: How many; all if ``None``.

    Raises:
        MissingData: The set is not on this machine; the message says how to obtain it.
    """
    found = SETS[name](split)
    if number is not None:
        found = found.part(slice(0, number))
    trial.data(f"{name}, {split}, {len(found)} images", found.images.numpy(), found.labels.numpy())
    return found.to(trial.device)
