"""Which units are hidden: masks at random, in blocks, on a grid, in tubes and in spans.

A masker is called with the number of examples and the grid of units and gives a mask, true where hidden. All
draw from one ``torch.Generator`` if the caller hands one in, so that a mask can be had again.

Random: MAE (He et al. 2022) and SimMIM (Xie et al. 2022). Blocks: BEiT (Bao et al. 2022, algorithm 1; bounds
as in its published code). Tubes: VideoMAE (Tong et al. 2022). Spans: SpanBERT (Joshi et al. 2020).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from peerscope.methods.masked.masking import (
    Masker,
    Rounding,
    check_ratio,
    hidden_count,
    numpy_chance,
    uniform,
)

ATTEMPTS = 10
"""Draws of a rectangle before BEiT's algorithm gives up."""


@dataclass(frozen=True, slots=True)
class RandomMasker:
    """Each set of units of the given size is equally likely.

    Attributes:
        ratio: Share of hidden units.
        unit: Side of the squares that are hidden together, in units (SimMIM hides 32 pixels at a time).
        rounding: See `hidden_count`.
    """

    ratio: float = 0.75
    unit: int = 1
    rounding: Rounding = "keep"

    def __post_init__(self) -> None:
        check_ratio(self.ratio)
        if self.unit < 1:
            raise ValueError(f"Units are hidden 1 or more at a time, not {self.unit}.")

    def __call__(
        self,
        number: int,
        grid: Sequence[int],
        *,
        eligible: Tensor | None = None,
        generator: torch.Generator | None = None,
        device: torch.device | str | None = None,
    ) -> Tensor:
        """See `Masker`; with ``eligible`` each example hides its share of its own eligible units."""
        coarse = _coarse(grid, self.unit)
        length = math.prod(coarse)
        noise = uniform((number, length), generator, device)
        if eligible is not None:
            if self.unit != 1:
                raise ValueError("Squares of units do not go together with `eligible`.")
            return _of_eligible(noise, eligible, self.ratio)
        order = noise.argsort(dim=1)
        kept = length - hidden_count(length, self.ratio, self.rounding)
        mask = torch.ones_like(noise, dtype=torch.bool).scatter(1, order[:, :kept], False)
        mask = mask.reshape(number, *coarse)
        for axis in range(1, mask.dim()):
            mask = mask.repeat_interleave(self.unit, dim=axis) if self.unit > 1 else mask
        return mask.flatten(1)

    def visible(self, grid: Sequence[int]) -> int | None:
        """See `Masker`."""
        coarse = _coarse(grid, self.unit)
        length = math.prod(coarse)
        units = length - hidden_count(length, self.ratio, self.rounding)
        return units * math.prod([self.unit] * len(coarse))


def _coarse(grid: Sequence[int], unit: int) -> tuple[int, ...]:
    if any(side % unit for side in grid):
        raise ValueError(f"A grid of {tuple(grid)} units does not divide into squares of {unit}.")
    return tuple(side // unit for side in grid)


def _of_eligible(noise: Tensor, eligible: Tensor, ratio: float) -> Tensor:
    eligible = eligible.to(noise.device)
    sizes = eligible.sum(dim=1)
    counts = (sizes * ratio).round().clamp(min=1).minimum(sizes)
    ranks = noise.masked_fill(~eligible, 2.0).argsort(dim=1).argsort(dim=1)
    return ranks < counts[:, None]


@dataclass(frozen=True, slots=True)
class BlockMasker:
    """Rectangles, one over the other, until the wanted number of units is hidden (BEiT).

    A rectangle's area is uniform between ``least`` and what is still wanted, the logarithm of its aspect
    uniform. Like the published code it may stop short of the wanted number when no rectangle fits, and never
    goes beyond; ``exact`` fills up with single units, so that every example hides the same number.

    Attributes:
        ratio: Share of hidden units wanted; BEiT hides 75 of 196.
        least: Smallest area of a rectangle: 4 in the published code (16 in the paper, from memory).
        most: Largest area; what is wanted, if ``None``.
        aspect: Aspects lie between this and its inverse.
        spread: The ratio of an example is uniform between ``ratio - spread`` and ``ratio + spread`` (iBOT:
            0.2).
        share: Share of the examples that are masked at all (iBOT: 0.5).
        exact: Fill up to the wanted number.
    """

    ratio: float = 75 / 196
    least: int = 4
    most: int | None = None
    aspect: float = 0.3
    spread: float = 0.0
    share: float = 1.0
    exact: bool = False

    def __post_init__(self) -> None:
        check_ratio(self.ratio)
        if not 0 < self.aspect <= 1 or self.least < 1 or not 0 < self.share <= 1:
            raise ValueError("Aspect and share lie in (0, 1], and the least area is 1 or more.")
        if not 0 <= self.spread < min(self.ratio, 1 - self.ratio):
            raise ValueError(
                f"A spread of {self.spread} takes the ratio {self.ratio} out of (0, 1)."
            )

    def __call__(
        self,
        number: int,
        grid: Sequence[int],
        *,
        eligible: Tensor | None = None,
        generator: torch.Generator | None = None,
        device: torch.device | str | None = None,
    ) -> Tensor:
        """See `Masker`.

        Raises:
            ValueError: The grid has not two axes, or ``eligible`` is given.
        """
        if len(grid) != 2 or eligible is not None:
            raise ValueError("Blocks lie on a grid of two axes, all of whose units are eligible.")
        chance = numpy_chance(generator, device)
        masks = np.stack([self._one((grid[0], grid[1]), chance) for _ in range(number)])
        return torch.from_numpy(masks.reshape(number, -1)).to(device)

    def visible(self, grid: Sequence[int]) -> int | None:
        """See `Masker`."""
        if not self.exact or self.spread or self.share < 1:
            return None
        length = math.prod(grid)
        return length - hidden_count(length, self.ratio, "nearest")

    def _one(self, grid: tuple[int, int], chance: np.random.Generator) -> NDArray[np.bool_]:
        mask = np.zeros(grid, np.bool_)
        if chance.random() >= self.share:
            return mask
        ratio = self.ratio + self.spread * chance.uniform(-1, 1)
        wanted = hidden_count(mask.size, ratio, "nearest")
        missing = wanted
        while missing > 0:
            added = self._rectangle(mask, min(missing, self.most or missing), chance)
            if not added:
                break
            missing -= added
        if self.exact and missing:
            free = np.flatnonzero(~mask.ravel())
            mask.ravel()[chance.choice(free, missing, replace=False)] = True
        return mask

    def _rectangle(self, mask: NDArray[np.bool_], most: int, chance: np.random.Generator) -> int:
        """Hide one rectangle; how many units that adds, 0 if none was found that fits."""
        rows, columns = mask.shape
        bound = -math.log(self.aspect)
        for _ in range(ATTEMPTS):
            # With less wanted than `least` the bounds change places, and the area lies between all the same.
            area = self.least + (most - self.least) * chance.random()
            aspect = math.exp(chance.uniform(-bound, bound))
            height, width = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
            if not (height < rows and width < columns):
                continue
            top = chance.integers(rows - height, endpoint=True)
            left = chance.integers(columns - width, endpoint=True)
            part = mask[top : top + height, left : left + width]
            added = part.size - int(part.sum())
            if 0 < added <= most:
                part[...] = True
                return added
        return 0


@dataclass(frozen=True, slots=True)
class GridMasker:
    """All but one unit of each cell of ``stride`` units a side.

    Attributes:
        stride: Side of a cell; 2 hides three of four on two axes.
        place: Which unit stays: the first (``fixed``: MAE's grid), the same random one in all cells of an
            example (``example``), or a random one in each cell (``cell``: the uniform sampling of UM-MAE,
            from memory).
    """

    stride: int = 2
    place: Literal["fixed", "example", "cell"] = "fixed"

    def __post_init__(self) -> None:
        if self.stride < 2:
            raise ValueError(f"Cells of {self.stride} hide nothing: take 2 or more.")

    def __call__(
        self,
        number: int,
        grid: Sequence[int],
        *,
        eligible: Tensor | None = None,
        generator: torch.Generator | None = None,
        device: torch.device | str | None = None,
    ) -> Tensor:
        """See `Masker`.

        Raises:
            ValueError: The grid does not divide into cells, or ``eligible`` is given.
        """
        if eligible is not None:
            raise ValueError("On a grid all units are eligible.")
        coarse = _coarse(grid, self.stride)
        axes, cells = len(coarse), math.prod(coarse)
        size = self.stride**axes
        drawn = {"fixed": 0, "example": 1, "cell": cells}[self.place]
        if drawn:
            kept = (uniform((number, drawn), generator, device) * size).long().expand(number, cells)
        else:
            kept = torch.zeros((number, cells), dtype=torch.long, device=device)
        mask = torch.ones((number, cells, size), dtype=torch.bool, device=device)
        mask = mask.scatter(2, kept[:, :, None], False)
        mask = mask.reshape(number, *coarse, *[self.stride] * axes)
        order = [axis for n in range(axes) for axis in (1 + n, 1 + axes + n)]
        return mask.permute(0, *order).reshape(number, -1)

    def visible(self, grid: Sequence[int]) -> int | None:
        """See `Masker`."""
        return math.prod(_coarse(grid, self.stride))


@dataclass(frozen=True, slots=True)
class TubeMasker:
    """One mask over space, the same at all times (VideoMAE); the first axis of the grid is time.

    Attributes:
        space: Draws the mask over the other axes. VideoMAE advises to hide 90 to 95%.
    """

    space: Masker = field(default_factory=lambda: RandomMasker(0.9))

    def __call__(
        self,
        number: int,
        grid: Sequence[int],
        *,
        eligible: Tensor | None = None,
        generator: torch.Generator | None = None,
        device: torch.device | str | None = None,
    ) -> Tensor:
        """See `Masker`.

        Raises:
            ValueError: The grid has no axis beside time, or ``eligible`` is given.
        """
        if len(grid) < 2 or eligible is not None:
            raise ValueError(
                "Tubes need time and space on the grid, all of whose units are eligible."
            )
        mask = self.space(number, grid[1:], generator=generator, device=device)
        return mask.repeat(1, grid[0])

    def visible(self, grid: Sequence[int]) -> int | None:
        """See `Masker`."""
        kept = self.space.visible(grid[1:])
        return None if kept is None else kept * grid[0]


@dataclass(frozen=True, slots=True)
class SpanMasker:
    """Runs of neighbours on one axis, up to an exact number of units.

    Lengths are geometric and clipped; a run lies on eligible units that are not hidden yet. Where none fits
    any more, single units fill up.

    Attributes:
        ratio: Share of the eligible units that is hidden.
        stop: Chance that a run ends after each unit: 0.2 in SpanBERT (from memory).
        longest: Longest run: 10 in SpanBERT (from memory).
    """

    ratio: float = 0.15
    stop: float = 0.2
    longest: int = 10

    def __post_init__(self) -> None:
        check_ratio(self.ratio)
        if not 0 < self.stop <= 1 or self.longest < 1:
            raise ValueError("The chance to stop lies in (0, 1], and the longest run is 1 or more.")

    def __call__(
        self,
        number: int,
        grid: Sequence[int],
        *,
        eligible: Tensor | None = None,
        generator: torch.Generator | None = None,
        device: torch.device | str | None = None,
    ) -> Tensor:
        """See `Masker`.

        Raises:
            ValueError: The grid has more than one axis.
        """
        if len(grid) != 1:
            raise ValueError(f"Spans lie on one axis, not on a grid of {tuple(grid)}.")
        chance = numpy_chance(generator, device)
        if eligible is None:
            eligible = torch.ones((number, grid[0]), dtype=torch.bool)
        masks = np.stack([self._one(row, chance) for row in eligible.cpu().numpy()])
        return torch.from_numpy(masks).to(device)

    def visible(self, grid: Sequence[int]) -> int | None:
        """See `Masker`."""
        length = math.prod(grid)
        return length - hidden_count(length, self.ratio, "nearest")

    def _one(self, allowed: NDArray[np.bool_], chance: np.random.Generator) -> NDArray[np.bool_]:
        mask = np.zeros(len(allowed), np.bool_)
        eligible = int(allowed.sum())
        missing = min(eligible, max(1, round(self.ratio * eligible)))
        for _ in range(ATTEMPTS * missing):
            if not missing:
                break
            length = min(int(chance.geometric(self.stop)), self.longest, missing)
            start = int(chance.integers(len(allowed) - length, endpoint=True))
            part = slice(start, start + length)
            if allowed[part].all() and not mask[part].any():
                mask[part] = True
                missing -= length
        if missing:
            free = np.flatnonzero(allowed & ~mask)
            mask[chance.choice(free, missing, replace=False)] = True
        return mask


@dataclass(frozen=True, slots=True)
class EveryUnit:
    """All units: for corruptions that act everywhere, as in the classic denoising autoencoder."""

    def __call__(
        self,
        number: int,
        grid: Sequence[int],
        *,
        eligible: Tensor | None = None,
        generator: torch.Generator | None = None,
        device: torch.device | str | None = None,
    ) -> Tensor:
        """See `Masker`."""
        if eligible is not None:
            return eligible.to(device)
        return torch.ones((number, math.prod(grid)), dtype=torch.bool, device=device)

    def visible(self, grid: Sequence[int]) -> int | None:
        """See `Masker`."""
        return 0
