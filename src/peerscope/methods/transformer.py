"""What vision and text transformers here are made of: patches, fixed positions, the pre-norm block.

An image becomes a row of patches (Dosovitskiy et al. 2021, section 3.1); a block is
``x + Attention(LN(x))``, then ``x + MLP(LN(x))``. Positions are the fixed sines and cosines of MAE (He et al.
2022). Patches and positions take any number of axes: one for sound or text, two for images, three for video.
Layouts follow the published MAE code, so that its weights fit: queries, keys and values from one matrix, a
patch as pixels in rows with channels last, the first half of a position for the column.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

EPSILON = 1e-6
"""Of the layer norms, as in the published MAE and ViT code (PyTorch's own is 1e-5)."""


def patch_sides(patch: int | Sequence[int], axes: int) -> tuple[int, ...]:
    """A patch's sides along ``axes`` axes: one number stands for all.

    Raises:
        ValueError: The number of sides is not that of the axes, or a side is below 1.
    """
    sides = (patch,) * axes if isinstance(patch, int) else tuple(patch)
    if len(sides) != axes or min(sides, default=0) < 1:
        raise ValueError(f"A patch over {axes} axes needs {axes} sides of 1 or more, not {patch}.")
    return sides


def patch_grid(size: Sequence[int], patch: int | Sequence[int]) -> tuple[int, ...]:
    """How many patches lie along each axis of an image of that size.

    Raises:
        ValueError: A side of the image is not a multiple of the patch's.
    """
    sides = patch_sides(patch, len(size))
    for length, side in zip(size, sides, strict=True):
        if length < side or length % side:
            raise ValueError(
                f"A side of {length} does not divide into patches of {side}: crop, pad or resize it."
            )
    return tuple(length // side for length, side in zip(size, sides, strict=True))


def patchify(images: Tensor, patch: int | Sequence[int]) -> Tensor:
    """Cut images into patches.

    Args:
        images: Shape ``[N, C, *size]`` with one, two or more axes of size.
        patch: Side of a patch, or one per axis.

    Returns:
        Shape ``[N, L, P]``: patches in reading order, ``P`` the patch's pixels in reading order with the
        channels of a pixel side by side.

    Raises:
        ValueError: There is no axis of size, or a side is not a multiple of the patch's.
    """
    if images.dim() < 3:
        raise ValueError(f"Images have the shape [N, C, ...size], not {tuple(images.shape)}.")
    size = images.shape[2:]
    sides = patch_sides(patch, len(size))
    grid = patch_grid(size, sides)
    split = [part for pair in zip(grid, sides, strict=True) for part in pair]
    axes = range(2, 2 + len(split))
    found = images.reshape(images.shape[0], images.shape[1], *split)
    found = found.permute(0, *axes[::2], *axes[1::2], 1)
    return found.reshape(images.shape[0], math.prod(grid), math.prod(sides) * images.shape[1])


def unpatchify(patches: Tensor, patch: int | Sequence[int], size: Sequence[int]) -> Tensor:
    """Put patches together again: the inverse of `patchify`.

    Args:
        patches: Shape ``[N, L, P]``.
        patch: Side of a patch, or one per axis.
        size: The image's sides.

    Returns:
        Shape ``[N, C, *size]``.

    Raises:
        ValueError: Number or length of the patches does not fit the size.
    """
    sides = patch_sides(patch, len(size))
    grid = patch_grid(size, sides)
    channels, rest = divmod(patches.shape[-1], math.prod(sides))
    if rest or not channels or patches.shape[-2] != math.prod(grid):
        raise ValueError(
            f"Patches of shape {tuple(patches.shape)} do not make an image of {tuple(size)} from "
            f"{math.prod(grid)} patches of {math.prod(sides)} pixels."
        )
    number = len(grid)
    found = patches.reshape(patches.shape[0], *grid, *sides, channels)
    order = [axis for pair in zip(range(1, 1 + number), range(1 + number, 1 + 2 * number), strict=True)
             for axis in pair]  # fmt: skip
    return found.permute(0, 1 + 2 * number, *order).reshape(patches.shape[0], channels, *size)


def sincos_positions(
    grid: Sequence[int],
    dim: int,
    *,
    device: torch.device | str | None = None,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """Fixed positions: per axis ``[sin(t w_i), cos(t w_i)]`` with ``w_i = 10000^(-i / (D / 2))``.

    ``D = dim / axes``; the last axis takes the first ``D`` entries, as in the published MAE code. Any grid
    will do, so that an encoder reads images of other sizes and shapes than it was trained on.

    Args:
        grid: Number of tokens along each axis.
        dim: Length of a position.
        device: Where.
        dtype: Computed in single precision, then cast.

    Returns:
        Shape ``[L, dim]`` in reading order.

    Raises:
        ValueError: ``dim`` is not a multiple of twice the number of axes.
    """
    if not grid or dim % (2 * len(grid)):
        raise ValueError(
            f"A width of {dim} does not divide into sines and cosines of {len(grid)} axes: "
            f"take a multiple of {2 * max(len(grid), 1)}."
        )
    half = dim // len(grid) // 2
    rates = 10000.0 ** (-torch.arange(half, device=device, dtype=torch.float32) / half)
    parts = []
    for axis in reversed(range(len(grid))):
        angles = torch.arange(grid[axis], device=device, dtype=torch.float32)[:, None] * rates
        shape = [1] * len(grid) + [2 * half]
        shape[axis] = grid[axis]
        part = torch.cat([angles.sin(), angles.cos()], dim=1).reshape(shape)
        parts.append(part.expand(*grid, 2 * half))
    return torch.cat(parts, dim=-1).reshape(math.prod(grid), dim).to(dtype)


class Attention(nn.Module):
    """Self-attention over several heads.

    Args:
        dim: Width of the tokens.
        heads: Number of heads; divides the width.
        dropout: Share of the attention weights and of the output that training drops.

    Raises:
        ValueError: The heads do not divide the width.
    """

    def __init__(self, dim: int, heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        if heads < 1 or dim % heads:
            raise ValueError(f"{heads} heads do not divide a width of {dim}.")
        self.heads, self.dropout = heads, dropout
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)

    def forward(self, tokens: Tensor, present: Tensor | None = None) -> Tensor:
        """Attend, shape ``[N, L, dim]`` to the same.

        Args:
            tokens: The tokens.
            present: Which tokens may be looked at, bool, shape ``[N, L]``; all if ``None``.
        """
        number, length, dim = tokens.shape
        parts = self.qkv(tokens).reshape(number, length, 3, self.heads, dim // self.heads)
        query, key, value = parts.permute(2, 0, 3, 1, 4).unbind(0)
        seen = functional.scaled_dot_product_attention(
            query,
            key,
            value,
            attn_mask=None if present is None else present[:, None, None, :],
            dropout_p=self.dropout if self.training else 0.0,
        )
        found: Tensor = self.proj(seen.transpose(1, 2).reshape(number, length, dim))
        return functional.dropout(found, self.dropout, self.training)


class Block(nn.Module):
    """A pre-norm transformer block.

    Args:
        dim: Width of the tokens.
        heads: Number of heads; divides the width.
        mlp_ratio: Width of the perceptron's hidden layer over ``dim``.
        dropout: Share that training drops, in attention and perceptron.
    """

    def __init__(self, dim: int, heads: int, mlp_ratio: float = 4.0, dropout: float = 0.0) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, eps=EPSILON)
        self.attn = Attention(dim, heads, dropout)
        self.norm2 = nn.LayerNorm(dim, eps=EPSILON)
        hidden = int(dim * mlp_ratio)
        self.mlp = nn.Sequential(
            nn.Linear(dim, hidden), nn.GELU(), nn.Linear(hidden, dim), nn.Dropout(dropout)
        )

    def forward(self, tokens: Tensor, present: Tensor | None = None) -> Tensor:
        """Shape ``[N, L, dim]`` to the same; ``present`` as in `Attention`."""
        tokens = tokens + self.attn(self.norm1(tokens), present)
        found: Tensor = tokens + self.mlp(self.norm2(tokens))
        return found


def start_weights(module: nn.Module) -> None:
    """Start as the published MAE code does: linear maps Xavier-uniform with zero biases, norms at 1 and 0.

    For ``module.apply(start_weights)``.
    """
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.LayerNorm):
        nn.init.ones_(module.weight)
        nn.init.zeros_(module.bias)
