"""Small encoders of the form that backbones have: `blocks`, `dim`, images to features."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class SmallNet(nn.Module):
    """Three blocks of linear maps on 1 x 4 x 4 images, with batch normalisation in the middle one."""

    def __init__(self, dim: int = 8) -> None:
        super().__init__()
        self.dim = dim
        self.blocks = nn.ModuleList(
            [
                nn.Sequential(nn.Flatten(), nn.Linear(16, dim)),
                nn.Sequential(nn.BatchNorm1d(dim), nn.ReLU(), nn.Linear(dim, dim)),
                nn.Sequential(nn.Tanh(), nn.Linear(dim, dim)),
            ]
        )
        self.last = nn.LayerNorm(dim)
        self.calls = 0

    def forward(self, images: Tensor) -> Tensor:
        found = images
        for block in self.blocks:
            found = block(found)
        self.calls += 1
        return self.pooled(found)

    def pooled(self, found: Tensor) -> Tensor:
        return self.last(found)


def images(number: int = 12, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(number, 1, 4, 4, generator=generator, dtype=torch.float64).to(dtype)


def two_views(number: int = 12, seed: int = 0) -> tuple[Tensor, Tensor]:
    base = images(number, seed)
    return base + 0.1 * images(number, seed + 100), base + 0.1 * images(number, seed + 200)
