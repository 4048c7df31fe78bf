"""Small encoders of small images, by name.

Every one has ``dim``, the length of its features, and ``blocks``, its stages in order; see `Backbone`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from peerscope.methods.backbones.base import Backbone, Norm
from peerscope.methods.backbones.convolution import ConvNet, Plain, Vgg
from peerscope.methods.backbones.resnet import ResNet
from peerscope.methods.backbones.vision import VisionTransformer

__all__ = [
    "BACKBONES", "Backbone", "ConvNet", "Norm", "Plain", "ResNet", "Vgg", "VisionTransformer", "backbone",
]  # fmt: skip

BACKBONES: Mapping[str, Callable[..., Backbone]] = {
    "conv4": ConvNet,
    "resnet18": ResNet,
    "resnet50": partial(ResNet, layers=(3, 4, 6, 3), bottleneck=True),
    "vgg11": Vgg,
    "plain": Plain,
    "vit": VisionTransformer,
}
"""Name to builder; all take ``channels``, and all but ``vit`` take ``norm``."""


def backbone(name: str, channels: int = 3, **settings: Any) -> Backbone:
    """An encoder by its name.

    Args:
        name: One of `BACKBONES`.
        channels: Of the images.
        settings: What its class takes besides.

    Raises:
        ValueError: There is none of that name.
    """
    if name not in BACKBONES:
        raise ValueError(f"There is no backbone {name!r}: take one of {', '.join(BACKBONES)}.")
    return BACKBONES[name](channels=channels, **settings)
