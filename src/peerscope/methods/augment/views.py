"""Views of a batch: what is drawn for every image, and the views made from it.

`View.draw` takes all chances of a batch from one call of the generator, always in the same layout, so that a
recipe with one step more keeps the crops of the one without; `View.apply` is free of chance, so it can be
compiled. Images may be ``uint8`` (resident in memory as they are) or of any floating type in [0, 1].
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from peerscope.methods.augment.colours import greyed, jittered, solarised, turned
from peerscope.methods.augment.crops import TRIES, applied, blurring, boxes, resizing
from peerscope.methods.augment.recipe import Recipe

CHUNK = 64
"""Images at a time on a CPU, so that their planes stay in its cache."""

_CROP = 2 * TRIES + 2
_CHANCES = _CROP + 10


@dataclass(frozen=True, slots=True)
class Drawn:
    """The numbers of a view of each of N images; ``None`` where the recipe leaves a step out.

    Attributes:
        boxes: Top, left, height and width of the crops in pixels, shape ``[N, 4]``.
        mirrored: 1 or 0, shape ``[N]`` as all that follow.
        brightness: Factors.
        contrast: Factors.
        saturation: Factors.
        hue: In turns.
        grey: 1 or 0.
        sigma: Deviation of the blur in pixels, 0 for none.
        solarised: 1 or 0.
    """

    boxes: Tensor
    mirrored: Tensor | None
    brightness: Tensor | None
    contrast: Tensor | None
    saturation: Tensor | None
    hue: Tensor | None
    grey: Tensor | None
    sigma: Tensor | None
    solarised: Tensor | None

    def part(self, which: slice) -> Drawn:
        """The numbers of some of the images."""

        def of(numbers: Tensor | None) -> Tensor | None:
            return None if numbers is None else numbers[which]

        return Drawn(
            self.boxes[which],
            of(self.mirrored), of(self.brightness), of(self.contrast), of(self.saturation),
            of(self.hue), of(self.grey), of(self.sigma), of(self.solarised),
        )  # fmt: skip


class View:
    """One random view of every image of a batch.

    Args:
        recipe: Strengths and probabilities.
        channels_last: Whether views lie in memory with channels last.
        dtype: Of the views; ``None`` for float32 of ``uint8`` images and else the images' own. The
            arithmetic is in float32.
    """

    def __init__(
        self, recipe: Recipe, *, channels_last: bool = False, dtype: torch.dtype | None = None
    ) -> None:
        self.recipe = recipe
        self.channels_last = channels_last
        self.dtype = dtype

    def __call__(self, images: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Views of the images.

        Args:
            images: Shape ``[N, C, H, W]``, 1 or 3 channels, ``uint8`` or floating in [0, 1].
            generator: Source of chance, on the images' device or the CPU; the global one if ``None``.

        Returns:
            Normalised views, shape ``[N, C, size, size]``, on the images' device.

        Raises:
            ValueError: The images have another shape or type than that.
        """
        checked(images, self.recipe)
        height, width = images.shape[2:]
        return self.apply(images, self.draw(len(images), height, width, images.device, generator))

    def draw(
        self,
        number: int,
        height: int,
        width: int,
        device: torch.device | str = "cpu",
        generator: torch.Generator | None = None,
    ) -> Drawn:
        """The numbers of a view of each of ``number`` images."""
        recipe = self.recipe
        source = device if generator is None else generator.device
        chances = torch.rand(number, _CHANCES, generator=generator, device=source).to(device)
        (flip, jitter, bright, contrast, saturation, hue, grey, blur, sigma, solar) = chances[
            :, _CROP:
        ].unbind(1)
        jittering = (jitter < recipe.jitter).to(torch.float32)
        least, most = recipe.sigma
        return Drawn(
            boxes=boxes(chances[:, :_CROP], height, width, recipe),
            mirrored=_coin(flip, recipe.flip),
            brightness=_factor(bright, recipe.brightness, jittering, recipe.jitter),
            contrast=_factor(contrast, recipe.contrast, jittering, recipe.jitter),
            saturation=_factor(saturation, recipe.saturation, jittering, recipe.jitter),
            hue=jittering * (2 * hue - 1) * recipe.hue if recipe.hue and recipe.jitter else None,
            grey=_coin(grey, recipe.grey),
            sigma=(blur < recipe.blur) * (least + (most - least) * sigma) if recipe.blur else None,
            solarised=_coin(solar, recipe.solarise),
        )

    def apply(self, images: Tensor, drawn: Drawn) -> Tensor:
        """The views that the numbers say; free of chance."""
        side = self.recipe.size
        height, width = images.shape[2:] if side is None else (side, side)
        dtype = self.dtype or (images.dtype if images.is_floating_point() else torch.float32)
        views = torch.empty(
            (len(images), images.shape[1], height, width),
            dtype=dtype,
            device=images.device,
            memory_format=torch.channels_last if self.channels_last else torch.contiguous_format,
        )
        chunk = CHUNK if images.device.type == "cpu" else max(len(images), 1)
        for start in range(0, len(images), chunk):
            part = slice(start, start + chunk)
            planes = self._planes(images[part], drawn.part(part), height, width)
            _finished(planes, self.recipe, views[part])
        return views

    def _planes(self, images: Tensor, drawn: Drawn, height: int, width: int) -> Tensor:
        """Views in [0, 1] as planes, shape ``[C, n, height, width]``."""
        kind = self.recipe.interpolation
        planes = images.transpose(0, 1).to(torch.float32, memory_format=torch.contiguous_format)
        top, left, tall, wide = drawn.boxes.unbind(1)
        rows = resizing(top, tall, images.shape[2], height, kind)
        if images.dtype == torch.uint8:
            rows.mul_(1 / 255)
        columns = resizing(
            left, wide, images.shape[3], width, kind, mirrored=drawn.mirrored, transposed=True
        )
        planes = applied(planes, rows, columns)
        if kind == "bicubic":
            planes.clamp_(0, 1)
        if not (drawn.brightness is drawn.contrast is drawn.saturation is None):
            planes = jittered(planes, drawn.brightness, drawn.contrast, drawn.saturation)
        if len(planes) == 3:
            if drawn.hue is not None:
                planes = turned(planes, drawn.hue)
            if drawn.grey is not None:
                planes = greyed(planes, drawn.grey)
        if drawn.sigma is not None:
            across = blurring(drawn.sigma, width, transposed=True)
            planes = applied(planes, blurring(drawn.sigma, height), across)
        if drawn.solarised is not None:
            planes = solarised(planes, drawn.solarised, self.recipe.threshold)
        return planes


class TwoViews:
    """Two random views of every image of a batch, the input of a contrastive method.

    Args:
        first: Recipe of the first view.
        second: Of the second; the same if ``None``.
        channels_last: As in `View`.
        dtype: As in `View`.
    """

    def __init__(
        self,
        first: Recipe,
        second: Recipe | None = None,
        *,
        channels_last: bool = False,
        dtype: torch.dtype | None = None,
    ) -> None:
        self.first = View(first, channels_last=channels_last, dtype=dtype)
        self.second = View(second or first, channels_last=channels_last, dtype=dtype)

    def __call__(
        self, images: Tensor, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Both views; arguments, shapes and errors as in `View`."""
        return self.first(images, generator), self.second(images, generator)


def normalised(images: Tensor, recipe: Recipe, dtype: torch.dtype | None = None) -> Tensor:
    """Whole images as an encoder expects them that was trained on views: in [0, 1], normalised, not cropped.

    Args:
        images: Shape ``[N, C, H, W]``, ``uint8`` or floating in [0, 1].
        recipe: Whose mean and std.
        dtype: As in `View`.

    Raises:
        ValueError: As for `View`.
    """
    checked(images, recipe)
    found = torch.empty(
        images.shape,
        device=images.device,
        dtype=dtype or (images.dtype if images.is_floating_point() else torch.float32),
    )
    planes = images.transpose(0, 1).to(torch.float32)
    if images.dtype == torch.uint8:
        planes = planes / 255
    _finished(planes, recipe, found)
    return found


def checked(images: Tensor, recipe: Recipe) -> None:
    """Whether the images are of a shape and type that can be used.

    Raises:
        ValueError: They are not.
    """
    if images.dim() != 4 or images.shape[1] not in (1, 3):
        raise ValueError(
            f"Images have the shape [N, 1 or 3, H, W], not {tuple(images.shape)}: "
            "move the channels to the second place, or add the axis of one channel."
        )
    if images.dtype != torch.uint8 and not images.is_floating_point():
        raise ValueError(f"Images are uint8 or floating, not {images.dtype}.")
    if len(recipe.mean) not in (1, images.shape[1]):
        raise ValueError(
            f"The recipe has the mean of {len(recipe.mean)} channels, the images have "
            f"{images.shape[1]}: take a recipe for such images."
        )


def _finished(planes: Tensor, recipe: Recipe, out: Tensor) -> None:
    """Normalised planes, written as images."""
    mean, std = ([*values] * (len(planes) // len(values)) for values in (recipe.mean, recipe.std))
    for channel, plane in enumerate(planes):
        scaled = plane.sub(mean[channel]).div_(std[channel])
        out[:, channel].copy_(scaled)


def _coin(chance: Tensor, probability: float) -> Tensor | None:
    return (chance < probability).to(torch.float32) if probability else None


def _factor(
    chance: Tensor, strength: float, jittering: Tensor, probability: float
) -> Tensor | None:
    """A factor from about 1, or 1 where there is no jitter."""
    if not strength or not probability:
        return None
    low = max(0.0, 1 - strength)
    return 1 + jittering * (low + (1 + strength - low) * chance - 1)
