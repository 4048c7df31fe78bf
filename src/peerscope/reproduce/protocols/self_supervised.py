"""What the protocols of contrastive methods share: encoder, views, training, and how good features are.

Every run of a seed starts from the same weights and sees the same views in the same order, so that arms are
paired. Batch sizes are compared at an equal number of images, with the learning rate in proportion to the
batch as in the dual-temperature scripts.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from peerscope.methods.augment import GREY_28, TwoViews, normalised
from peerscope.methods.backbones import Backbone, backbone
from peerscope.methods.batches import Batches
from peerscope.methods.branch import Branch
from peerscope.methods.datasets import ImageSet
from peerscope.methods.evaluate import features, logistic_probe, neighbour_votes
from peerscope.methods.frameworks import Framework
from peerscope.methods.schedule import Cosine
from peerscope.methods.training import Precision, Watch, train
from peerscope.reproduce.protocol import Trial

GROUP = 10
"""Test images of one unit; a unit's value is the percentage of them that are right."""


def encoder(trial: Trial) -> Backbone:
    """The profile's encoder of grey images, with weights that depend on the seed alone."""
    torch.manual_seed(trial.seed)
    name = str(trial["encoder"])
    return backbone(name, 1, width=0.5) if name == "resnet18" else backbone(name, 1)


def batches(trial: Trial, pool: ImageSet, size: int) -> Batches:
    """Two views of shuffled images, the same for every arm of a seed."""
    views = TwoViews(GREY_28, channels_last=trial.device == "cuda")
    return Batches(pool.images, size, views, seed=trial.seed)


def trained(
    trial: Trial,
    method: nn.Module,
    pool: ImageSet,
    size: int,
    *,
    watch: Watch | None = None,
    schedule: Callable[[int, int], float] | None = None,
) -> None:
    """Train a method, in place, on as many images as the profile says.

    Args:
        trial: Its settings ``seen``, ``warmup`` (both in images), ``rate`` and ``batch`` (the batch that the
            rate is for) are used.
        method: Gives a loss of two views.
        pool: Where images come from.
        size: Of a batch.
        watch: As in `train`.
        schedule: Of the learning rate; warm-up and half a cosine if ``None``.
    """
    rate = float(trial["rate"]) * size / int(trial["batch"])
    optimizer = torch.optim.SGD(
        method.to(trial.device).parameters(), lr=rate, momentum=0.9, weight_decay=5e-4
    )
    on_gpu = trial.device == "cuda"
    precision: Precision = "bfloat16" if on_gpu else "float32"
    warmup = int(trial["warmup"]) // size
    train(
        method, batches(trial, pool, size), optimizer, int(trial["seen"]) // size,
        schedule=Cosine(warmup=warmup) if schedule is None else schedule, precision=precision,
        channels_last=on_gpu, seed=trial.seed, watch=watch,
    )  # fmt: skip


def online(method: Framework) -> Branch:
    """The branch that a method trains."""
    found = method.branches[0]
    assert isinstance(found, Branch)
    return found


def scored(
    trial: Trial, name: str, tested: nn.Module, bank: ImageSet, tests: ImageSet
) -> tuple[Tensor, Tensor]:
    """Put down how good features are: 20 nearest neighbours and a linear probe, in percent.

    Args:
        trial: Gets the figures ``knn/NAME`` and ``linear/NAME``, one value for each `GROUP` test images; its
            setting ``iterations`` is the probe's limit.
        name: Of the arm.
        tested: The encoder.
        bank: Images with labels, for both.
        tests: Images to classify, a multiple of `GROUP`.

    Returns:
        Both figures, shape ``[units]`` each.
    """
    known = features(tested, bank.images, _prepared)
    asked = features(tested, tests.images, _prepared)
    classes = len(bank.classes)
    neighbours = min(20, len(bank))
    votes = neighbour_votes(known, bank.labels, asked, neighbours=neighbours, classes=classes)
    probe = logistic_probe(known, bank.labels, classes=classes, iterations=int(trial["iterations"]))
    found = []
    for kind, scores in (("knn", votes), ("linear", probe.logits(asked))):
        right = percentages(scores.argmax(dim=1) == tests.labels)
        trial.figure(f"{kind}/{name}", right.numpy())
        found.append(right)
    trial.log(f"{name}: kNN {found[0].mean():.2f} %, linear {found[1].mean():.2f} %")
    return found[0], found[1]


def percentages(right: Tensor) -> Tensor:
    """Percentage that is right of each `GROUP` test images in order, on the CPU.

    Args:
        right: Truth value of each test image, a multiple of `GROUP` of them.
    """
    return 100 * right.double().view(-1, GROUP).mean(dim=1).cpu()


def _prepared(images: Tensor) -> Tensor:
    return normalised(images, GREY_28)
