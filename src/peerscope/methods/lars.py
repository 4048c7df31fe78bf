"""Layer-wise adaptive rates (LARS; You, Gitman and Ginsburg 2017), for SGD at large batches.

A matrix's step is ``m <- mu m + lr r (g + wd w)`` with ``r = eta |w| / (|g| + wd |w|)`` (from memory). What
is no matrix (biases, norms) takes ``r = 1``, and groups without decay take none, as usual for SimCLR and
BYOL. The rate stands inside the momentum, which matters only where the rate changes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor


class Lars(torch.optim.Optimizer):
    """SGD with momentum whose rate is scaled by layer.

    Args:
        parameters: As for any optimiser; see `schedule.decayed` for the usual groups.
        lr: Learning rate, 0 or more.
        momentum: In [0, 1).
        weight_decay: 0 or more.
        trust: ``eta``, above 0.

    Raises:
        ValueError: A number is out of its bounds.
    """

    def __init__(
        self,
        parameters: Iterable[Tensor] | Iterable[dict[str, Any]],
        lr: float,
        *,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        trust: float = 0.001,
    ) -> None:
        if lr < 0 or weight_decay < 0 or not 0 <= momentum < 1 or trust <= 0:
            raise ValueError(
                "lr and weight_decay are 0 or more, momentum is in [0, 1), trust is above 0."
            )
        defaults = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay, "trust": trust}
        super().__init__(parameters, defaults)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """One step; with a closure its loss is evaluated first and returned."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    self._moved(weight, group)
        return loss

    def _moved(self, weight: Tensor, group: dict[str, Any]) -> None:
        decay = group["weight_decay"]
        pull = weight.grad.add(weight, alpha=decay)  # type: ignore[union-attr]
        if weight.dim() > 1:
            length, slope = weight.norm(), weight.grad.norm()  # type: ignore[union-attr]
            ratio = group["trust"] * length / (slope + decay * length).clamp(min=1e-12)
            pull.mul_(torch.where((length > 0) & (slope > 0), ratio, 1.0))
        state = self.state[weight]
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(weight)
        moving: Tensor = state["momentum"]
        moving.mul_(group["momentum"]).add_(pull, alpha=group["lr"])
        weight.sub_(moving)
