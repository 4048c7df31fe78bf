"""Input diversity and translation invariance, for images of any size and number of channels.

Input diversity (Xie et al. 2019, arXiv 1803.06978) resizes and pads the images before each gradient;
translation invariance (Dong et al. 2019, arXiv 1904.02884) smooths the gradient by a Gaussian kernel. Common
ports assume three channels and at least a few pixels to draw from; here a margin is at least one pixel, an
offset may be zero, and the kernel follows the size of the image unless it is given.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True, slots=True)
class InputDiversity:
    """With a probability, resize to a random size and pad with zeros at a random place.

    With a rate above 1 the size lies between the image's and ``rate`` times it, below 1 between ``rate``
    times it and the image's own; the canvas is the larger of the two, by at least one pixel.

    Attributes:
        probability: Of transforming at all, in [0, 1].
        rate: Above 0, not 1.
        resize_back: Whether the canvas is resized to the image's size, as the TransferAttack port does;
            otherwise the model must take the canvas.
        per_image: Draw for each image, not once for the batch. Slower: one resize an image.

    Raises:
        ValueError: A value is out of its range, or images are drawn one by one and not resized back.
    """

    probability: float = 0.5
    rate: float = 1.1
    resize_back: bool = True
    per_image: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.probability <= 1:
            raise ValueError(f"The probability must lie in [0, 1], not {self.probability}.")
        if self.rate <= 0 or self.rate == 1:
            raise ValueError(f"The rate must be above 0 and not 1, not {self.rate}.")
        if self.per_image and not self.resize_back and self.rate > 1:
            raise ValueError("Images of one batch must share a size: set resize_back=True.")

    def __call__(self, images: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Images, shape ``[N, C, H, W]``, to images of the same size or, not resized back, the canvas's."""
        if not self.per_image:
            return self._drawn(images, generator)
        return torch.cat([self._drawn(image[None], generator) for image in images])

    def _drawn(self, images: Tensor, generator: torch.Generator | None) -> Tensor:
        device = "cpu" if generator is None else generator.device
        chance, share, down, right = torch.rand(4, generator=generator, device=device).tolist()
        if chance >= self.probability:
            return images
        height, width = images.shape[-2:]
        tall, canvas_height = self._sizes(height, share)
        wide, canvas_width = self._sizes(width, share)
        top = int(down * (canvas_height - tall + 1))
        left = int(right * (canvas_width - wide + 1))
        resized = images
        if (tall, wide) != (height, width):
            resized = functional.interpolate(
                images, size=(tall, wide), mode="bilinear", align_corners=False
            )
        padding = (left, canvas_width - wide - left, top, canvas_height - tall - top)
        padded = functional.pad(resized, padding)
        if self.resize_back and padded.shape[-2:] != images.shape[-2:]:
            return functional.interpolate(
                padded, size=(height, width), mode="bilinear", align_corners=False
            )
        return padded

    def _sizes(self, side: int, share: float) -> tuple[int, int]:
        """The size drawn for a side and the canvas's; like the ports', the draw excludes the canvas's."""
        if self.rate > 1:
            low, canvas = side, max(int(side * self.rate), side + 1)
        else:
            low, canvas = max(min(int(side * self.rate), side - 1), 1), side
        return min(low + int(share * (canvas - low)), canvas), canvas


@dataclass(frozen=True, slots=True)
class TranslationInvariance:
    """Smooth a gradient by a normalised Gaussian kernel, each channel for itself.

    Attributes:
        size: Side of the kernel in pixels, odd. ``None`` takes the odd number next to a 15th of the image's
            shorter side, from 3 to 15: 15 at ImageNet's sizes, where it is the usual value, and 3 at 32
            pixels, where 15 would wipe the gradient out.
        deviations: Half the kernel's width in standard deviations, above 0.

    Raises:
        ValueError: The size is even or below 1, or the width is not above 0.
    """

    size: int | None = None
    deviations: float = 3.0

    def __post_init__(self) -> None:
        if self.size is not None and (self.size < 1 or self.size % 2 == 0):
            raise ValueError(
                f"The kernel's size must be odd, not {self.size}: an even one shifts the gradient."
            )
        if self.deviations <= 0:
            raise ValueError(f"The kernel's width must be above 0, not {self.deviations}.")

    def kernel(self, height: int, width: int) -> Tensor:
        """The kernel along one side for images of this size, float64, sum 1."""
        size = self.size
        if size is None:
            size = min(max(2 * round((min(height, width) / 15 - 1) / 2) + 1, 3), 15)
        places = torch.linspace(-self.deviations, self.deviations, size, dtype=torch.float64)
        if size == 1:
            return torch.ones(1, dtype=torch.float64)
        return torch.softmax(-places.square() / 2, dim=0)

    def __call__(self, gradient: Tensor) -> Tensor:
        """A gradient, shape ``[N, C, H, W]``, to the smoothed one; beyond the border it counts as zero."""
        height, width = gradient.shape[-2:]
        kernel = self.kernel(height, width).to(gradient)
        # The Gaussian is a product of two lines, and a line along a side is a product with a banded matrix:
        # several times faster than a convolution channel by channel, most so for large kernels.
        return _band(kernel, height) @ gradient @ _band(kernel, width)


def _band(kernel: Tensor, side: int) -> Tensor:
    """The symmetric matrix of a convolution along a side with zeros beyond its ends."""
    reach = len(kernel) // 2
    places = torch.arange(side, device=kernel.device)
    apart = (places[:, None] - places).abs()
    return kernel[reach + apart.clamp_max(reach)] * (apart <= reach)
