"""A small vision transformer (Dosovitskiy et al. 2021), features as a mean over patches.

Positions are fixed sines and cosines, so that images of any size that divides into patches can be read; there
is no class token. The defaults have the width, depth and heads of DeiT-Ti (Touvron et al. 2021, table 1) on
patches of four pixels.
"""

from __future__ import annotations

from torch import Tensor, nn

from peerscope.methods.backbones.base import Backbone
from peerscope.methods.transformer import (
    EPSILON,
    Block,
    patch_grid,
    patchify,
    sincos_positions,
    start_weights,
)


class Embedding(nn.Module):
    """Images to tokens: a linear map of each patch and its position.

    Args:
        channels: Of the images.
        patch: Side of a patch in pixels.
        dim: Width of the tokens.
    """

    def __init__(self, channels: int, patch: int, dim: int) -> None:
        super().__init__()
        self.patch = patch
        self.linear = nn.Linear(channels * patch * patch, dim)

    def forward(self, images: Tensor) -> Tensor:
        """Tokens, shape ``[N, C, H, W]`` to ``[N, L, dim]``.

        Raises:
            ValueError: A side is not a multiple of the patch.
        """
        tokens: Tensor = self.linear(patchify(images, self.patch))
        grid = patch_grid(images.shape[2:], self.patch)
        places = sincos_positions(grid, tokens.shape[-1], device=tokens.device, dtype=tokens.dtype)
        return tokens + places


class VisionTransformer(Backbone):
    """Patches, pre-norm blocks, a norm, the mean; the blocks are the embedding and the transformer's.

    Args:
        channels: Of the images.
        patch: Side of a patch in pixels; divides the images' sides.
        dim: Width; a multiple of 4 and of the heads.
        depth: Number of transformer blocks.
        heads: Of each block.
        dropout: Share that training drops.
    """

    def __init__(
        self,
        channels: int = 3,
        *,
        patch: int = 4,
        dim: int = 192,
        depth: int = 12,
        heads: int = 3,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.dim = dim
        blocks = [Block(dim, heads, dropout=dropout) for _ in range(depth)]
        self.blocks = nn.Sequential(Embedding(channels, patch, dim), *blocks)
        self.norm = nn.LayerNorm(dim, eps=EPSILON)
        self.apply(start_weights)

    def pooled(self, maps: Tensor) -> Tensor:
        """Features from tokens, shape ``[N, L, dim]`` to ``[N, dim]``."""
        found: Tensor = self.norm(maps).mean(dim=1)
        return found
