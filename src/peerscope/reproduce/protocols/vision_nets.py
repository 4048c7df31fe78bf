"""Nets for images with labels, and their training: what the attacks and the norms share.

The families are those of `methods.backbones`, so narrow on a CPU that three of them train in a minute; what
differs between them (shortcuts, batch norm, kernels of 5x5 without a norm, patches) is what makes an attack
fail to transfer.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from peerscope.methods.backbones import Backbone, Plain, ResNet, Vgg, VisionTransformer
from peerscope.methods.batches import Batches
from peerscope.methods.datasets import ImageSet
from peerscope.methods.schedule import Cosine
from peerscope.methods.training import train
from peerscope.reproduce.protocol import Trial

SHIFT = 2
"""Largest shift of a training batch, in pixels."""


class Classifier(nn.Module):
    """A backbone and a linear layer.

    Args:
        backbone: Images to features.
        classes: Number of logits.
    """

    def __init__(self, backbone: Backbone, classes: int) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = nn.Linear(backbone.dim, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Images, shape ``[N, C, H, W]``, to logits, shape ``[N, classes]``."""
        logits: Tensor = self.head(self.backbone(images))
        return logits


class Supervised(nn.Module):
    """Cross-entropy of a net, in the form that `methods.training.train` takes.

    Args:
        net: Images to logits.
    """

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, batch: tuple[Tensor, Tensor]) -> tuple[Tensor, dict[str, Any]]:
        """The mean loss of images and labels; no parts."""
        images, labels = batch
        return functional.cross_entropy(self.net(images), labels), {}


def family(name: str, channels: int, classes: int, width: float) -> Classifier:
    """A net of a family.

    Args:
        name: ``residual``, ``vgg``, ``plain`` or ``transformer``.
        channels: Of the images.
        classes: Number of logits.
        width: Factor of the widths; 1 is the published net (for ``plain`` 64, 128 and 256 channels). A
            residual net is ResNet-18 from there on and has one block a stage below.

    Raises:
        ValueError: There is no such family.
    """
    backbone: Backbone
    if name == "residual":
        depth = (2, 2, 2, 2) if width >= 1 else (1, 1, 1, 1)
        backbone = ResNet(channels, layers=depth, width=width)
    elif name == "vgg":
        backbone = Vgg(channels, width=width)
    elif name == "plain":
        backbone = Plain(channels, widths=[round(width * size) for size in (64, 128, 256)])
    elif name == "transformer":
        dim, depth_of = (192, 6) if width >= 1 else (48, 2)
        backbone = VisionTransformer(channels, dim=dim, depth=depth_of)
    else:
        raise ValueError(f"There is no family {name!r}.")
    return Classifier(backbone, classes)


def shifted(images: Tensor, source: torch.Generator) -> Tensor:
    """A batch of ``uint8`` images in [0, 1], shifted by up to two pixels, all alike."""
    side = images.shape[-1]
    padded = functional.pad(images, (SHIFT,) * 4)
    down, right = torch.randint(
        0, 2 * SHIFT + 1, (2,), generator=source, device=source.device
    ).tolist()
    return padded[:, :, down : down + side, right : right + side].float() / 255


def fitted(
    trial: Trial, net: Classifier, images: ImageSet, *, passes: int, seed: int
) -> Classifier:
    """Train a classifier by Adam, the rate rising for a fifth of the steps and falling as a cosine.

    Args:
        trial: Its settings ``batch``, ``rate`` and ``precision`` hold.
        net: Changed in place.
        images: ``uint8``, on the trial's device.
        passes: Over the images.
        seed: Of the order and the shifts.

    Returns:
        The net, in evaluation mode.
    """
    batches = Batches(images.images, trial["batch"], shifted, labels=images.labels, seed=seed)
    steps = passes * len(batches)
    method = Supervised(net.to(trial.device))
    train(
        method,
        batches,
        torch.optim.Adam(method.parameters(), lr=trial["rate"]),
        steps,
        schedule=Cosine(warmup=max(steps // 5, 1)),
        precision=trial["precision"],
        channels_last=trial.device == "cuda",
        seed=seed,
    )
    return net.eval()
