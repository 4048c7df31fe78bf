"""Random resized crops, flips and blurs of a batch as products with small matrices, one pair per image.

Resizing is separable: a view is ``rows @ image @ columns``. A matrix per side holds crop, flip, interpolation
and antialiasing at once, with different numbers for every image, so that a batch takes two batched products;
for images of 16 to 64 pixels these cost what sampling at the same points costs (docs/benchmarks/methods.md).
The arithmetic is that of cropping first and resizing then: nothing outside a crop enters its view.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from peerscope.methods.augment.recipe import Interpolation, Recipe

TRIES = 10
"""Proposals for a crop, as in torchvision; if none fits, the largest centred crop within the ratio."""


def boxes(chances: Tensor, height: int, width: int, recipe: Recipe) -> Tensor:
    """Whole-pixel crops by rejection: area and logarithm of the ratio uniform, among those that fit.

    Args:
        chances: Uniform in [0, 1), shape ``[N, 2 * TRIES + 2]``.
        height: Of the images.
        width: Of the images.
        recipe: Bounds of area and ratio.

    Returns:
        Top, left, height and width, shape ``[N, 4]``, float32 with whole values.
    """
    low, high = recipe.scale
    areas = (low + (high - low) * chances[:, :TRIES]) * (height * width)
    least, most = (math.log(bound) for bound in recipe.ratio)
    ratios = (least + (most - least) * chances[:, TRIES : 2 * TRIES]).exp()
    widths, heights = (areas * ratios).sqrt().round(), (areas / ratios).sqrt().round()
    fits = (widths >= 1) & (widths <= width) & (heights >= 1) & (heights <= height)
    first = fits.to(torch.uint8).argmax(dim=1, keepdim=True)
    found = fits.gather(1, first)
    other_height, other_width = _whole(height, width, recipe.ratio)
    tall = torch.where(found, heights.gather(1, first), float(other_height))[:, 0]
    wide = torch.where(found, widths.gather(1, first), float(other_width))[:, 0]
    at = torch.where(found, chances[:, -2:], 0.5)
    top = (at[:, 0] * (height - tall + 1)).floor().clamp(max=height - tall)
    left = (at[:, 1] * (width - wide + 1)).floor().clamp(max=width - wide)
    return torch.stack([top, left, tall, wide], dim=1)


def _whole(height: int, width: int, ratio: tuple[float, float]) -> tuple[int, int]:
    """Height and width of the largest crop within the bounds of the ratio."""
    if width / height < ratio[0]:
        return max(round(width / ratio[0]), 1), width
    if width / height > ratio[1]:
        return height, max(round(height * ratio[1]), 1)
    return height, width


def resizing(
    start: Tensor,
    length: Tensor,
    inputs: int,
    outputs: int,
    interpolation: Interpolation,
    *,
    mirrored: Tensor | None = None,
    transposed: bool = False,
) -> Tensor:
    """Matrices that bring a stretch of each line to a number of pixels.

    Pixel ``i`` lies at ``start + (i + 1/2) length / outputs - 1/2``. A kernel as wide as the larger of both
    pixels weighs the stretch's pixels and is normalised over them, as Pillow's and PyTorch's antialiased
    resizing do; where the stretch grows, the linear kernel is plain linear interpolation.

    Args:
        start: First pixel of the stretch, shape ``[N]``.
        length: Of the stretch, shape ``[N]``.
        inputs: Pixels of a line.
        outputs: Pixels wanted.
        interpolation: Which kernel.
        mirrored: 1 where the result is to be mirrored, else 0, shape ``[N]``.
        transposed: Whether inputs come before outputs.

    Returns:
        Shape ``[N, outputs, inputs]``, transposed ``[N, inputs, outputs]``.
    """
    device = start.device
    begin, size = start[:, None], length[:, None]
    place = torch.arange(outputs, device=device, dtype=torch.float32)
    if mirrored is not None:
        place = place + mirrored[:, None] * (outputs - 1 - 2 * place)
    step = size / outputs
    centre = begin + (place + 0.5) * step - 0.5
    pixel = torch.arange(inputs, device=device, dtype=torch.float32)
    inside = (pixel - begin + 0.5).sign() * (begin + size - 0.5 - pixel).sign()
    inside = inside.clamp_(min=0)
    first, second = (1, 2) if transposed else (2, 1)
    away = pixel.unsqueeze(second - 1) - centre.unsqueeze(first)
    away = away.abs_() / step.clamp(min=1.0)[:, :, None]
    weights = _linear(away) if interpolation == "bilinear" else _cubic(away)
    weights = weights.mul_(inside.unsqueeze(second))
    return weights.div_(weights.sum(dim=first, keepdim=True))


def _linear(away: Tensor) -> Tensor:
    return away.neg_().add_(1).clamp_(min=0)


def _cubic(away: Tensor) -> Tensor:
    """Keys' kernel with a = -1/2, Pillow's and PyTorch's antialiased choice, from distances at or above 0."""
    near, far = away.clamp(max=1), away.clamp(min=1, max=2)
    inner = (1.5 * near - 2.5).mul_(near).mul_(near).add_(1)
    outer = (-0.5 * far + 2.5).mul_(far).sub_(4).mul_(far).add_(2)
    return inner.add_(outer)


def blurring(sigma: Tensor, size: int, *, transposed: bool = False) -> Tensor:
    """Matrices of a Gaussian blur that mirrors the image at its edge, shape ``[N, size, size]``.

    Args:
        sigma: Deviation in pixels, 0 for none, shape ``[N]``.
        size: Pixels of a line.
        transposed: Whether inputs come before outputs.
    """
    reach = size - 1
    offset = torch.arange(-reach, reach + 1, device=sigma.device, dtype=torch.float32)
    shares = (-0.5 * (offset / sigma.clamp(min=1e-3)[:, None]).square()).exp()
    shares = shares / shares.sum(dim=1, keepdim=True)
    place = torch.arange(size, device=sigma.device)
    source = place[:, None] + offset.to(torch.int64)
    source = source.abs()
    source = torch.where(source > reach, 2 * reach - source, source)
    found = torch.zeros(len(sigma), size, size, device=sigma.device)
    found.scatter_add_(2, source.expand(len(sigma), -1, -1), shares[:, None].expand(-1, size, -1))
    return found.transpose(1, 2) if transposed else found


def applied(planes: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """``rows @ plane @ columns`` for each image and channel.

    Args:
        planes: Shape ``[C, N, H, W]``.
        rows: Shape ``[N, h, H]``.
        columns: Shape ``[N, W, w]``.

    Returns:
        Shape ``[C, N, h, w]``.
    """
    found = planes.new_empty(*planes.shape[:2], rows.shape[1], columns.shape[2])
    for channel, plane in enumerate(planes):
        found[channel] = torch.bmm(torch.bmm(rows, plane), columns)
    return found
