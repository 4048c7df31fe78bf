"""Residual nets for small images (He et al. 2016).

The stem is one 3x3 convolution without stride and no pooling follows, as usual on CIFAR; the stages are those
of ResNet-18 and 50. Strides of bottlenecks lie on the 3x3 convolution, as in torchvision, not on the
first as published.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from peerscope.methods.backbones.base import Backbone, Norm, convolved, he_start


class Residual(nn.Module):
    """``relu(shortcut(x) + branch(x))``; the shortcut is a 1x1 convolution and a norm where shapes differ.

    Args:
        inputs: Channels before.
        width: Channels of the 3x3 convolutions.
        stride: Of the block.
        bottleneck: Whether 1x1 convolutions stand around one 3x3 one, the last four times as wide.
        norm: From channels to a norm.
    """

    def __init__(
        self, inputs: int, width: int, *, stride: int, bottleneck: bool, norm: Norm
    ) -> None:
        super().__init__()
        outputs = 4 * width if bottleneck else width
        if bottleneck:
            layers = [
                *convolved(inputs, width, 1, norm=norm),
                *convolved(width, width, 3, stride=stride, norm=norm),
                *convolved(width, outputs, 1, norm=norm),
            ]
        else:
            layers = [
                *convolved(inputs, width, 3, stride=stride, norm=norm),
                *convolved(width, outputs, 3, norm=norm),
            ]
        self.branch = nn.Sequential(*layers[:-1])
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(
                *convolved(inputs, outputs, 1, stride=stride, norm=norm)[:-1]
            )
        self.relu = nn.ReLU(inplace=True)

    def forward(self, maps: Tensor) -> Tensor:
        """Shape ``[N, inputs, h, w]`` to ``[N, outputs, h / stride, w / stride]``."""
        found: Tensor = self.relu(self.branch(maps) + self.shortcut(maps))
        return found


class ResNet(Backbone):
    """A residual net with CIFAR's stem; the blocks are the stem and the four stages.

    Args:
        channels: Of the images.
        layers: Residual blocks of each stage; the defaults are ResNet-18's.
        width: Factor of all widths; 1 gives 64, 128, 256 and 512 channels.
        bottleneck: As in `Residual`.
        norm: From channels to a norm.
        stem_padding: 1 keeps the size; the dual-temperature code has 2, so maps of 34 from images of 32.
    """

    def __init__(
        self,
        channels: int = 3,
        *,
        layers: Sequence[int] = (2, 2, 2, 2),
        width: float = 1.0,
        bottleneck: bool = False,
        norm: Norm = nn.BatchNorm2d,
        stem_padding: int = 1,
    ) -> None:
        super().__init__()
        first = max(round(64 * width), 1)
        stem = convolved(channels, first, 3, norm=norm)
        stem[0] = nn.Conv2d(channels, first, 3, padding=stem_padding, bias=False)
        blocks, last = [nn.Sequential(*stem)], first
        for stage, number in enumerate(layers):
            here, stride = first * 2**stage, 1 if stage == 0 else 2
            parts = []
            for step in range(number):
                parts.append(
                    Residual(
                        last, here, stride=1 if step else stride, bottleneck=bottleneck, norm=norm
                    )
                )
                last = 4 * here if bottleneck else here
            blocks.append(nn.Sequential(*parts))
        self.dim = last
        self.blocks = nn.Sequential(*blocks)
        self.apply(he_start)
