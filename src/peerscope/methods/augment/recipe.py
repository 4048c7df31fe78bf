"""What a random view is made of: strengths and probabilities.

The steps and their order are those of SimCLR (Chen et al. 2020, appendix A) with BYOL's solarisation: random
resized crop, flip, colour jitter, greyscale, blur, solarisation, normalisation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Interpolation = Literal["bilinear", "bicubic"]


@dataclass(frozen=True, slots=True)
class Recipe:
    """Strengths and probabilities; a step of probability or strength 0 is not run.

    Attributes:
        size: Side of the views in pixels; ``None`` keeps height and width of the images.
        scale: Bounds of the crop's area as shares of the image's, within (0, 1].
        ratio: Bounds of the crop's width over height, above 0; drawn evenly in the logarithm.
        interpolation: How a crop is brought to its size; antialiased where it shrinks.
        flip: Probability of a mirrored view.
        jitter: Probability that colours are jittered at all.
        brightness: Factor drawn from ``[max(0, 1 - brightness), 1 + brightness]``.
        contrast: Factor about the mean grey of the view, drawn likewise.
        saturation: Factor about each pixel's grey, drawn likewise; images of three channels only.
        hue: Turn of the colour circle drawn from ``[-hue, hue]``, at most 0.5; three channels only.
        grey: Probability of a view without colour; three channels only.
        blur: Probability of a Gaussian blur.
        sigma: Bounds of the blur's deviation in pixels, above 0.
        solarise: Probability that pixels from ``threshold`` on are inverted.
        threshold: In [0, 1].
        mean: Per channel, taken off at the end; images are in [0, 1] until then.
        std: Per channel, above 0, divided by at the end.

    Raises:
        ValueError: A value lies outside its bounds.
    """

    size: int | None = None
    scale: tuple[float, float] = (0.08, 1.0)
    ratio: tuple[float, float] = (3 / 4, 4 / 3)
    interpolation: Interpolation = "bilinear"
    flip: float = 0.5
    jitter: float = 0.8
    brightness: float = 0.4
    contrast: float = 0.4
    saturation: float = 0.4
    hue: float = 0.1
    grey: float = 0.2
    blur: float = 0.0
    sigma: tuple[float, float] = (0.1, 2.0)
    solarise: float = 0.0
    threshold: float = 0.5
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)

    def __post_init__(self) -> None:
        for name in ("flip", "jitter", "grey", "blur", "solarise", "threshold"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} lies in [0, 1], not at {getattr(self, name)}.")
        for name in ("brightness", "contrast", "saturation"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is 0 or more, not {getattr(self, name)}.")
        if not 0 <= self.hue <= 0.5:
            raise ValueError(f"hue lies in [0, 0.5], not at {self.hue}.")
        for name, most in (("scale", 1.0), ("ratio", float("inf")), ("sigma", float("inf"))):
            low, high = getattr(self, name)
            if not 0 < low <= high <= most:
                raise ValueError(
                    f"{name} is a pair of rising bounds above 0"
                    f"{' and up to 1' if most == 1 else ''}, not {low} and {high}."
                )
        if self.size is not None and self.size < 1:
            raise ValueError(f"size is a number of pixels, not {self.size}.")
        if self.interpolation not in ("bilinear", "bicubic"):
            raise ValueError(f"interpolation is bilinear or bicubic, not {self.interpolation!r}.")
        if len(self.mean) != len(self.std) or min(self.std) <= 0:
            raise ValueError("mean and std have one value per channel each, std above 0.")


COLOUR_32 = Recipe(
    size=32,
    interpolation="bicubic",
    mean=(0.4914, 0.4822, 0.4465),
    std=(0.2470, 0.2435, 0.2616),
)
"""CIFAR images: the views of the dual-temperature code (no blur), CIFAR-10's mean and std."""

GREY_28 = Recipe(
    size=28,
    scale=(0.2, 1.0),
    saturation=0.0,
    hue=0.0,
    grey=0.0,
    mean=(0.2860,),
    std=(0.3530,),
)
"""Fashion-MNIST: crop, flip, brightness and contrast (our choice), the training images' mean and std."""
