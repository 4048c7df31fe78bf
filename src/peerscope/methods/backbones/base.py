"""What an encoder of images is here: stages in order, then a mean over the places."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

Norm = Callable[[int], nn.Module]
"""From a number of channels to a norm of maps with so many."""


class Backbone(nn.Module):
    """Images to features: the composition of ``blocks``, then a mean over places.

    Attributes:
        dim: Length of the features.
        blocks: Stages in order, the stem or embedding first, so that what works by block can name them.
    """

    dim: int
    blocks: nn.Sequential

    def forward(self, images: Tensor) -> Tensor:
        """Features, shape ``[N, C, H, W]`` to ``[N, dim]``."""
        return self.pooled(self.blocks(images))

    def pooled(self, maps: Tensor) -> Tensor:
        """Features from what the last block gives, shape ``[N, dim, h, w]`` to ``[N, dim]``."""
        return maps.mean(dim=(2, 3))


def convolved(
    inputs: int, outputs: int, size: int, *, stride: int = 1, norm: Norm | None
) -> list[nn.Module]:
    """A convolution, padded by half its size, a norm and ReLU; a bias where there is no norm."""
    layers: list[nn.Module] = [
        nn.Conv2d(inputs, outputs, size, stride, padding=size // 2, bias=norm is None)
    ]
    if norm is not None:
        layers.append(norm(outputs))
    return [*layers, nn.ReLU(inplace=True)]


def he_start(module: nn.Module) -> None:
    """Start convolutions normal with variance 2 / fan-out (He et al. 2015), biases at 0.

    For ``module.apply(he_start)``.
    """
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)
