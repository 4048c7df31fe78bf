"""Colour changes of a batch, with different numbers for every image, on planes of one colour each.

Brightness, contrast and saturation are linear and commute, so they are one map and one clamp; torchvision
clamps between them and shuffles their order, which differs where a step overshoots. The hue turns as in HSV.
A pixel's hue falls in one of six sextants; no branch is taken, since the maximum of the channels is told by a
sign. Values are in [0, 1].
"""

from __future__ import annotations

import torch
from torch import Tensor

GREY = (0.299, 0.587, 0.114)
"""Luma of red, green and blue (ITU-R BT.601), as in Pillow."""


def grey_of(planes: Tensor) -> Tensor:
    """Luma, shape ``[3, N, h, w]`` to ``[N, h, w]``; the plane itself of one channel."""
    if len(planes) == 1:
        return planes[0]
    red, green, blue = GREY
    return (planes[0] * red).add_(planes[1], alpha=green).add_(planes[2], alpha=blue)


def jittered(
    planes: Tensor,
    brightness: Tensor | None,
    contrast: Tensor | None,
    saturation: Tensor | None,
) -> Tensor:
    """Brightness times, then contrast about the mean grey, then saturation about each pixel's grey; in place.

    Args:
        planes: Shape ``[C, N, h, w]``.
        brightness: Factors, shape ``[N]``; ``None`` for none.
        contrast: Likewise.
        saturation: Likewise; without effect on one channel.

    Returns:
        The planes, clamped to [0, 1].
    """
    if len(planes) == 1:
        saturation = None
    one = planes.new_ones(planes.shape[1])
    bright = one if brightness is None else brightness
    contrasted = one if contrast is None else contrast
    saturated = one if saturation is None else saturation
    own = _each(bright * contrasted * saturated)
    if contrast is None and saturation is None:
        return planes.mul_(own).clamp_(0, 1)
    grey = grey_of(planes)
    shared = _each(bright * (1 - contrasted)) * grey.mean(dim=(1, 2), keepdim=True)
    if saturation is not None:
        shared = torch.addcmul(shared, grey, _each(bright * contrasted * (1 - saturated)))
    return planes.mul_(own).add_(shared).clamp_(0, 1)


def turned(planes: Tensor, turn: Tensor) -> Tensor:
    """Turn the hue, in HSV.

    With ``V`` the largest and ``d`` the range of a pixel's channels, a channel is
    ``V - d clamp(2 - 6 |v - round(v)|, 0, 1)``, ``v`` the distance in turns of the pixel's hue from the one
    opposite to the channel's.

    Args:
        planes: Shape ``[3, N, h, w]``.
        turn: In turns, shape ``[N]``.

    Returns:
        New planes.
    """
    red, green, blue = planes
    value = torch.maximum(torch.maximum(red, green), blue)
    span = value - torch.minimum(torch.minimum(red, green), blue)
    not_red, not_green = (value - red).sign_(), (value - green).sign_()
    of_green = (blue - red).add_(span, alpha=2)
    of_blue = (red - green).add_(span, alpha=4)
    hue = torch.lerp(green - blue, of_green.lerp_(of_blue, not_green), not_red)
    hue = hue.div_(span.clamp(min=1e-12).mul_(6)).add_(_each(turn))
    found = torch.empty_like(planes)
    for channel, opposite in zip(found, (3 / 6, 1 / 6, -1 / 6), strict=True):
        torch.add(hue, opposite, out=channel)
        channel.sub_(channel.round()).abs_().mul_(-6).add_(2).clamp_(0, 1)
        channel.mul_(span)
        torch.sub(value, channel, out=channel)
    return found


def greyed(planes: Tensor, share: Tensor) -> Tensor:
    """Planes moved a share of the way to grey, in place.

    Args:
        planes: Shape ``[3, N, h, w]``.
        share: 0 to leave a view, 1 to take its colour, shape ``[N]``.
    """
    return planes.lerp_(grey_of(planes).expand_as(planes), _each(share).expand_as(planes))


def solarised(planes: Tensor, chosen: Tensor, threshold: float) -> Tensor:
    """Values from the threshold on inverted, in place.

    Args:
        planes: Shape ``[C, N, h, w]``.
        chosen: 1 for the views to change, else 0, shape ``[N]``.
        threshold: In [0, 1].
    """
    bright = (planes >= threshold).to(planes.dtype).mul_(_each(chosen))
    return planes.addcmul_(bright, 1 - 2 * planes)


def _each(numbers: Tensor) -> Tensor:
    """One number per image, against its pixels."""
    return numbers[:, None, None]
