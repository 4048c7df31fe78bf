"""Convolutional encoders without shortcuts: a four-layer net for a CPU, VGG-11, and a plain 5x5 net.

Three families that fail differently, for the tests of transferred attacks: VGG (Simonyan and Zisserman 2015,
configuration A) pools by maxima and has a norm, the plain net has none.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import nn

from peerscope.methods.backbones.base import Backbone, Norm, convolved, he_start

VGG_11 = ((64,), (128,), (256, 256), (512, 512), (512, 512))
"""Channels of the convolutions of each stage (Simonyan and Zisserman 2015, table 1, column A)."""


class ConvNet(Backbone):
    """A 3x3 convolution, norm and ReLU a block: at the defaults the net of our CPU measurements.

    Args:
        channels: Of the images.
        widths: Channels of each block.
        strides: Of each block.
        norm: From channels to a norm; ``None`` for none.

    Raises:
        ValueError: There are not as many strides as widths.
    """

    def __init__(
        self,
        channels: int = 3,
        *,
        widths: Sequence[int] = (32, 64, 128, 128),
        strides: Sequence[int] = (2, 2, 2, 1),
        norm: Norm | None = nn.BatchNorm2d,
    ) -> None:
        super().__init__()
        if not widths or len(widths) != len(strides):
            raise ValueError(f"{len(widths)} widths need as many strides, not {len(strides)}.")
        sizes = zip(pairwise([channels, *widths]), strides, strict=True)
        self.dim = widths[-1]
        self.blocks = nn.Sequential(
            *(
                nn.Sequential(*convolved(*pair, 3, stride=stride, norm=norm))
                for pair, stride in sizes
            )
        )
        self.apply(he_start)


class Vgg(Backbone):
    """VGG-11's convolutions; maxima between the stages and a mean at the end, so that 16 pixels are enough.

    Args:
        channels: Of the images.
        width: Factor of all widths.
        norm: From channels to a norm; ``None`` for none, as published.
    """

    def __init__(
        self, channels: int = 3, *, width: float = 1.0, norm: Norm | None = nn.BatchNorm2d
    ) -> None:
        super().__init__()
        stages, last = [], channels
        for number, widths in enumerate(VGG_11):
            layers: list[nn.Module] = [nn.MaxPool2d(2)] if number else []
            for wanted in widths:
                scaled = max(round(wanted * width), 1)
                layers += convolved(last, scaled, 3, norm=norm)
                last = scaled
            stages.append(nn.Sequential(*layers))
        self.dim = last
        self.blocks = nn.Sequential(*stages)
        self.apply(he_start)


class Plain(Backbone):
    """5x5 convolutions, ReLU and maxima, without a norm unless one is given.

    Args:
        channels: Of the images.
        widths: Channels of each block.
        norm: From channels to a norm; ``None`` for none.
    """

    def __init__(
        self,
        channels: int = 3,
        *,
        widths: Sequence[int] = (32, 64, 128),
        norm: Norm | None = None,
    ) -> None:
        super().__init__()
        stages = []
        for number, (before, after) in enumerate(pairwise([channels, *widths])):
            pool = [nn.MaxPool2d(2)] if number else []
            stages.append(nn.Sequential(*pool, *convolved(before, after, 5, norm=norm)))
        self.dim = widths[-1]
        self.blocks = nn.Sequential(*stages)
        self.apply(he_start)
