"""How a norm takes disturbance and how smooth it makes training: the measurements behind GN+.

After Santurkar et al. 2018 (arXiv 1805.11604), in the settings of the GN+ authors' notebooks (arXiv
2207.01972): noise between norm and activation; the band of training losses over several learning rates; the
distance of successive mini-batch gradients, of the last linear layer's weight there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

SMALL_NOISE = (0.001, 1.001)
BIG_NOISE = (0.5, 1.25)
"""Mean and deviation of the two noises in the authors' notebooks."""


class GroupNoise(nn.Module):
    """In training, add one normal draw to each group of channels of each image; in evaluation, nothing.

    Args:
        num_groups: Groups of channels, a divisor of their number.
        mean: Of the noise.
        std: Deviation of the noise, 0 or more.
        generator: Source of the draws, on the inputs' device; ``None`` for PyTorch's own.

    Raises:
        ValueError: There is no group, or the deviation is below 0.
    """

    def __init__(
        self,
        num_groups: int = 32,
        mean: float = SMALL_NOISE[0],
        std: float = SMALL_NOISE[1],
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        if num_groups < 1 or std < 0:
            raise ValueError(
                f"Noise needs at least one group and a deviation of 0 or more, not {num_groups} and {std}."
            )
        self.num_groups, self.mean, self.std = num_groups, mean, std
        self.generator = generator

    def forward(self, inputs: Tensor) -> Tensor:
        """Inputs of shape ``[N, C, *]`` with their noise.

        Raises:
            ValueError: C is not divisible by the number of groups.
        """
        if inputs.shape[1] % self.num_groups:
            raise ValueError(
                f"The number of channels ({inputs.shape[1]}) must be divisible by num_groups "
                f"({self.num_groups})."
            )
        if not self.training:
            return inputs
        shape = len(inputs), self.num_groups, 1
        noise = torch.randn(
            shape, generator=self.generator, device=inputs.device, dtype=inputs.dtype
        )
        grouped = inputs.reshape(*shape[:2], -1) + (self.mean + self.std * noise)
        return grouped.reshape(inputs.shape)


class GradientDistances:
    """L2 distance of a parameter's gradient to the one of the step before (gradient predictiveness).

    Args:
        parameter: Observed after each backward pass, before its gradient is cleared.
    """

    def __init__(self, parameter: nn.Parameter) -> None:
        self._parameter = parameter
        self._last: Tensor | None = None
        self.values: list[float] = []
        """One a step, from the second on."""

    def observe(self) -> None:
        """Take in the gradient as it is now.

        Raises:
            ValueError: There is none.
        """
        gradient = self._parameter.grad
        if gradient is None:
            raise ValueError("The parameter has no gradient: observe it after backward().")
        if self._last is not None:
            self.values.append(float((gradient - self._last).norm()))
        self._last = gradient.detach().clone()


@dataclass(frozen=True, slots=True)
class Band:
    """The range of several runs, step by step.

    Attributes:
        low: Smallest value of a step, shape ``[steps]``. Of gradient distances, ``high`` is the effective
            beta-smoothness.
        high: Largest value of a step.
    """

    low: Tensor
    high: Tensor

    @property
    def width(self) -> float:
        """Mean distance of high and low: the instability."""
        return float((self.high - self.low).mean())


def band(curves: Sequence[Sequence[float]]) -> Band:
    """The band of curves of one length, a run each.

    Raises:
        ValueError: There is no curve, or their lengths differ.
    """
    if not curves or not curves[0] or len({len(curve) for curve in curves}) != 1:
        raise ValueError("A band needs at least one curve, and all of the same length.")
    values = torch.tensor([list(curve) for curve in curves], dtype=torch.float64)
    return Band(values.amin(dim=0), values.amax(dim=0))
