"""What maskers share: their interface, the counts of hidden units, and the sources of chance.

The published codes round differently where a ratio of the units is no whole number; `hidden_count` has all of
their ways.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, Protocol

import numpy as np
import torch
from torch import Tensor

Rounding = Literal["keep", "up", "down", "nearest"]


class Masker(Protocol):
    """Draws masks."""

    def __call__(
        self,
        number: int,
        grid: Sequence[int],
        *,
        eligible: Tensor | None = None,
        generator: torch.Generator | None = None,
        device: torch.device | str | None = None,
    ) -> Tensor:
        """A mask for each example.

        Args:
            number: Examples.
            grid: Units along each axis; their product is L.
            eligible: Which units may be hidden, bool, shape ``[number, L]``; all if ``None``.
            generator: Source of chance; PyTorch's own if ``None``.
            device: Where the mask is wanted.

        Returns:
            Bool, shape ``[number, L]`` in reading order, true where hidden.
        """
        ...

    def visible(self, grid: Sequence[int]) -> int | None:
        """How many units of each example stay visible; ``None`` where that differs between examples."""
        ...


def hidden_count(length: int, ratio: float, rounding: Rounding) -> int:
    """How many of ``length`` units are hidden.

    The published codes differ where the product is no whole number: MAE keeps ``int(L (1 - r))``, SimMIM
    hides ``ceil(r L)``, GraphMAE hides ``int(r L)``, BERT hides the nearest number, at least one.

    Args:
        length: Units.
        ratio: Share to be hidden, between 0 and 1.
        rounding: ``keep``, ``up``, ``down`` or ``nearest``, in that order.

    Raises:
        ValueError: Nothing would be hidden, or nothing would stay visible.
    """
    if rounding == "keep":
        count = length - int(length * (1 - ratio))
    elif rounding == "up":
        count = math.ceil(ratio * length)
    elif rounding == "down":
        count = int(ratio * length)
    else:
        count = max(1, round(ratio * length))
    if count < 1:
        raise ValueError(f"A mask ratio of {ratio} hides none of {length} units: raise the ratio.")
    if count >= length:
        raise ValueError(
            f"A mask ratio of {ratio} leaves none of {length} units visible: lower the ratio, or take "
            "smaller units."
        )
    return count


def check_ratio(ratio: float) -> None:
    """Refuse a ratio that is not strictly between 0 and 1.

    Raises:
        ValueError: It is not.
    """
    if not 0 < ratio < 1:
        raise ValueError(
            f"The mask ratio must lie between 0 and 1, not {ratio}: at 0 there is nothing to predict, at 1 "
            "nothing to predict it from. To read without a mask call `encode`."
        )


def uniform(
    shape: Sequence[int], generator: torch.Generator | None, device: torch.device | str | None
) -> Tensor:
    """Numbers in [0, 1), drawn where the generator lives and moved to the device."""
    source = device if generator is None else generator.device
    return torch.rand(tuple(shape), generator=generator, device=source).to(device)


def numpy_chance(
    generator: torch.Generator | None, device: torch.device | str | None
) -> np.random.Generator:
    """NumPy's generator, seeded from PyTorch's: rectangles and runs are drawn one by one on the host."""
    source = device if generator is None else generator.device
    seed = torch.randint(2**62, (), generator=generator, device=source)
    return np.random.default_rng(int(seed))
