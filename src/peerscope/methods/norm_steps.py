"""The two steps of GN+ with their gradients by hand: standardise, and blend with what was standardised.

Written with PyTorch's differentiable operations, the layer keeps several tensors of the input's size for its
gradient. Here each step keeps one, and its gradient needs sums over the statistics' dimensions and one affine
map (docs/benchmarks/methods.md has the times).

For values ``x`` of which ``M`` share a mean and a scale ``r``, with ``h = (x - mean) r`` and the gradient
``g`` of ``h``, the gradient of ``x`` is ``r (g - mean g) - h k sum(g h)``. Dividing by the unbiased
deviation ``d`` plus eps gives ``r = 1 / (d + eps)`` and ``k = 1 / ((M - 1) d)``; by the root of the biased
variance plus eps, ``k = r / M``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


@dataclass(frozen=True, slots=True)
class Statistics:
    """Which values share a mean and a scale, in tensors of shape ``[N, C, *]``.

    Attributes:
        over: ``group`` for the groups of channels of an image, ``channel`` for a channel of all images,
            ``position`` for a channel at a position of all images.
        groups: Number of groups, for ``group``.
        eps: Added to the deviation or the variance.
        unbiased: Whether eps is added to the unbiased deviation, else to the biased variance.
    """

    over: str
    groups: int
    eps: float
    unbiased: bool

    def count(self, shape: torch.Size) -> int:
        """How many values share a mean."""
        if self.over == "group":
            return shape[1:].numel() // self.groups
        return shape[0] if self.over == "position" else shape[0] * shape[2:].numel()

    def folded(self, values: Tensor) -> Tensor:
        """Sums over the images for ``position``, else over the positions: the part of a sum that is large."""
        if self.over == "position":
            return values.sum(dim=0, keepdim=True)
        places = tuple(range(2, values.ndim))
        return values.sum(dim=places, keepdim=True) if places else values

    def merged(self, folded: Tensor) -> Tensor:
        """The rest of the sum, spread so that it broadcasts with the values."""
        if self.over == "position":
            return folded
        if self.over == "channel":
            return folded.sum(dim=0, keepdim=True)
        parts = folded.reshape(len(folded), self.groups, folded.shape[1] // self.groups)
        spread = parts.sum(dim=2, keepdim=True).expand_as(parts)
        return spread.reshape(folded.shape)

    def scales(self, squares: Tensor, count: int) -> tuple[Tensor, Tensor]:
        """``r`` and ``k`` from the sum of squared differences from the mean."""
        if not self.unbiased:
            scale = (squares / count + self.eps).rsqrt()
            return scale, scale / count
        rest = max(count - 1, 1)
        deviation = (squares / rest).sqrt()
        # Where all values are equal the deviation has no gradient, and zero is its convention in PyTorch.
        pull = torch.where(
            deviation > 0, (deviation * rest).reciprocal(), torch.zeros_like(deviation)
        )
        return (deviation + self.eps).reciprocal(), pull


class _Standardise(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, over: Statistics) -> tuple[Tensor, Tensor, Tensor]:
        count = over.count(values.shape)
        mean = over.merged(over.folded(values)) / count
        found = values - mean
        squares = over.merged(over.folded(found.square()))
        scale, pull = over.scales(squares, count)
        found.mul_(scale)
        ctx.save_for_backward(found, scale, pull)
        ctx.over = over
        ctx.mark_non_differentiable(mean, squares)
        return found, mean, squares

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor, *_: Tensor) -> tuple[Tensor, None]:
        found, scale, pull = ctx.saved_tensors
        over: Statistics = ctx.over
        mean = over.merged(over.folded(slope)) / over.count(slope.shape)
        result = slope * found
        along = over.merged(over.folded(result))
        torch.addcmul(-scale * mean, found, -pull * along, out=result)
        return result.addcmul_(slope, scale), None


class _Blend(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, values: Tensor, share: Tensor, weight: Tensor, bias: Tensor, over: Statistics
    ) -> tuple[Tensor, Tensor, Tensor]:
        count = over.count(values.shape)
        mean = over.merged(over.folded(values)) / count
        result = values - mean
        squares = over.merged(over.folded(result.square_()))
        scale, pull = over.scales(squares, count)
        factor = weight * (share + (1 - share) * scale)
        torch.addcmul(bias - weight * (1 - share) * scale * mean, values, factor, out=result)
        ctx.save_for_backward(values, share, weight, mean, scale, pull)
        ctx.over = over
        ctx.mark_non_differentiable(mean, squares)
        return result, mean, squares

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, slope: Tensor, *_: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, None]:
        values, share, weight, mean, scale, pull = ctx.saved_tensors
        over: Statistics = ctx.over
        result = slope * values
        plain = over.folded(slope)
        with_values = over.folded(result)
        with_found = scale * (with_values - mean * plain)
        rest = tuple(place for place in range(plain.ndim) if place != 1)
        slope_values, slope_found = with_values.sum(rest, True), with_found.sum(rest, True)
        # The gradient of the standardised part is (1 - share) weight slope.
        part = 1 - share
        drift = over.merged(weight * plain) / over.count(slope.shape)
        along = pull * over.merged(weight * with_found) * scale
        torch.addcmul(part * (along * mean - scale * drift), values, -part * along, out=result)
        result.addcmul_(slope, weight * (share + part * scale))
        return (
            result,
            (weight * (slope_values - slope_found)).sum(),
            share * slope_values + part * slope_found,
            plain.sum(rest, True),
            None,
        )


def standardise(values: Tensor, over: Statistics) -> tuple[Tensor, Tensor, Tensor]:
    """``(x - mean) r``; also the mean and the sum of squared differences, which have no gradient.

    Args:
        values: Float32 or float64, shape ``[N, C, *]``.
        over: Which values share a mean.
    """
    found: tuple[Tensor, Tensor, Tensor] = _Standardise.apply(values, over)  # type: ignore[no-untyped-call]
    return found


def blend(
    values: Tensor, share: Tensor, weight: Tensor, bias: Tensor, over: Statistics
) -> tuple[Tensor, Tensor, Tensor]:
    """``(share x + (1 - share) standardise(x)) weight + bias``; mean and sum of squares as `standardise`.

    Args:
        values: Float32 or float64, shape ``[N, C, *]``.
        share: A scalar.
        weight: One a channel, shape ``[1, C, 1, ...]`` of as many dimensions as the values.
        bias: Likewise.
        over: Which values share a mean.
    """
    found: tuple[Tensor, Tensor, Tensor] = _Blend.apply(values, share, weight, bias, over)  # type: ignore[no-untyped-call]
    return found
