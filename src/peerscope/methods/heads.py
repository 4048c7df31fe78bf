"""Projectors and predictors between features and losses."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional


def contrast_projector(dim: int, width: int = 128, hidden: int = 128) -> nn.Sequential:
    """Linear, ReLU, linear, without batch normalisation: the official code of dual temperature."""
    return nn.Sequential(nn.Linear(dim, hidden), nn.ReLU(), nn.Linear(hidden, width))


def siamese_projector(
    dim: int, width: int = 2048, hidden: int = 2048, *, last_norm: bool = False
) -> nn.Sequential:
    """Three linear layers with batch normalisation and ReLU after the first two.

    SimSiam (Chen and He 2021) also normalises the last; the research code behind Zhang et al. 2022 leaves
    that out on purpose, so that nothing but the loss keeps the mean of the output small.
    """
    layers: list[nn.Module] = []
    for left, right in pairwise((dim, hidden, hidden)):
        layers += [nn.Linear(left, right), nn.BatchNorm1d(right), nn.ReLU()]
    layers.append(nn.Linear(hidden, width))
    if last_norm:
        layers.append(nn.BatchNorm1d(width, affine=False))
    return nn.Sequential(*layers)


def siamese_predictor(width: int = 2048, bottleneck: int = 512) -> nn.Sequential:
    """Linear to a bottleneck, batch normalisation, ReLU, linear back (Chen and He 2021, section 3)."""
    return nn.Sequential(
        nn.Linear(width, bottleneck),
        nn.BatchNorm1d(bottleneck),
        nn.ReLU(),
        nn.Linear(bottleneck, width),
    )


class LinearPredictor(nn.Module):
    """The simplified predictors of Zhang et al. 2022: a bias, a matrix or both, on vectors of unit length.

    Args:
        width: Length of the vectors.
        weight: Whether there is a matrix; it starts as the identity.
        bias: Whether there is a bias; it starts as zero and is added after the matrix.
        squash: Squash what is stored by ``tanh(x / 2)`` before it is used, which bounds it by 1.

    Raises:
        ValueError: There is neither a matrix nor a bias.
    """

    def __init__(
        self, width: int, *, weight: bool = False, bias: bool = True, squash: bool = False
    ) -> None:
        super().__init__()
        if not weight and not bias:
            raise ValueError("A predictor needs a matrix or a bias.")
        self.squash = squash
        self.weight = nn.Parameter(torch.eye(width)) if weight else None
        self.bias = nn.Parameter(torch.zeros(width)) if bias else None

    def forward(self, given: Tensor) -> Tensor:
        """Predictions, shape ``[n, width]`` to the same."""
        found = functional.normalize(given, dim=1)
        if self.weight is not None:
            found = found @ self._used(self.weight).T
        if self.bias is not None:
            found = found + self._used(self.bias)
        return found

    def _used(self, stored: Tensor) -> Tensor:
        return (stored / 2).tanh() if self.squash else stored
