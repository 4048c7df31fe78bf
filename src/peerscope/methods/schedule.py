"""Learning rates over a run, and which parameters decay."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from torch import nn


@dataclass(frozen=True, slots=True)
class Cosine:
    """Linear warm-up, then half a cosine (Loshchilov and Hutter 2017, equation 5, without restarts).

    Called with a step from 0 and the number of steps it gives the factor of every base learning rate.

    Attributes:
        warmup: Steps of the warm-up; the first of them has the factor ``1 / warmup``, or ``start``.
        start: Factor of the first warm-up step; ``None`` for ``1 / warmup``.
        end: Factor that the cosine ends at.

    Raises:
        ValueError: A value is below 0.
    """

    warmup: int = 0
    start: float | None = None
    end: float = 0.0

    def __post_init__(self) -> None:
        if self.warmup < 0 or self.end < 0 or (self.start or 0) < 0:
            raise ValueError("Warm-up steps, start and end of a schedule are 0 or more.")

    def __call__(self, step: int, steps: int) -> float:
        """The factor of a step."""
        if step < self.warmup:
            if self.start is None:
                return (step + 1) / self.warmup
            return self.start + (1 - self.start) * step / self.warmup
        done = (step - self.warmup) / max(steps - self.warmup, 1)
        return self.end + (1 - self.end) * (1 + math.cos(math.pi * min(done, 1.0))) / 2


def constant(step: int, steps: int) -> float:
    """The schedule that leaves every base learning rate as it is."""
    return 1.0


def decayed(modules: Iterable[nn.Module] | nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Groups for an optimiser: matrices and kernels decay; biases and the numbers of norms do not.

    Args:
        modules: What is trained; a parameter that occurs twice is counted once.
        weight_decay: Of the first group.
    """
    found = [modules] if isinstance(modules, nn.Module) else list(modules)
    parts = {id(part): part for module in found for part in module.parameters()}.values()
    trained = [part for part in parts if part.requires_grad]
    return [
        {"params": [part for part in trained if part.dim() > 1], "weight_decay": weight_decay},
        {"params": [part for part in trained if part.dim() <= 1], "weight_decay": 0.0},
    ]
