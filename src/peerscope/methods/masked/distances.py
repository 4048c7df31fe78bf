"""How far a prediction is from its target, over hidden units only or over all.

Every distance is computed in single precision at least: sums over many units overflow in half precision.
Squared: MAE. Absolute: SimMIM, with its normaliser. Smooth absolute: data2vec. Cross-entropy: BEiT, BERT;
soft: iBOT. Scaled cosine error: GraphMAE (Hou et al. 2022).
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

Over = Literal["hidden", "all"]


def precise(values: Tensor) -> Tensor:
    """Half precision as single precision; others as they are."""
    return values.float() if values.dtype in (torch.float16, torch.bfloat16) else values


def hidden_mean(each: Tensor, mask: Tensor) -> Tensor:
    """Mean over hidden units of all examples together; 0 where none is hidden.

    Args:
        each: Shape ``[N, L]``.
        mask: Bool, shape ``[N, L]``.
    """
    return each.masked_fill(~mask, 0.0).sum() / mask.sum().clamp(min=1)


class Distance(nn.Module):
    """A distance of each unit, averaged.

    Args:
        over: ``hidden`` units, or ``all``.
    """

    def __init__(self, over: Over = "hidden") -> None:
        super().__init__()
        self.over = over

    def forward(self, predicted: Tensor, target: Tensor, mask: Tensor) -> Tensor:
        """The loss.

        Args:
            predicted: Shape ``[N, L, T]``.
            target: The same shape, or numbers of classes, int64, shape ``[N, L]``.
            mask: Hidden units, bool, shape ``[N, L]``.
        """
        if self.over == "all":
            mask = torch.ones_like(mask)
        return self.reduced(self.each(precise(predicted), target), mask)

    def each(self, predicted: Tensor, target: Tensor) -> Tensor:
        """Distance of each unit, shape ``[N, L]``."""
        raise NotImplementedError

    def reduced(self, each: Tensor, mask: Tensor) -> Tensor:
        """One number from those of the units that count."""
        return hidden_mean(each, mask)


class SquaredError(Distance):
    """Mean over a unit's values of the squared error (MAE)."""

    def each(self, predicted: Tensor, target: Tensor) -> Tensor:
        """Shape ``[N, L, T]`` to ``[N, L]``."""
        return (predicted - precise(target)).square().mean(dim=-1)


class AbsoluteError(Distance):
    """Sum of absolute errors over ``(hidden pixels + 1e-5) * channels`` (SimMIM's published normaliser).

    Args:
        channels: Of a pixel.
        over: ``hidden`` units, or ``all``.
    """

    def __init__(self, channels: int, over: Over = "hidden") -> None:
        super().__init__(over)
        self.channels = channels

    def forward(self, predicted: Tensor, target: Tensor, mask: Tensor) -> Tensor:
        """See `Distance`."""
        if self.over == "all":
            mask = torch.ones_like(mask)
        total = self.each(precise(predicted), target).masked_fill(~mask, 0.0).sum()
        pixels = mask.sum().to(total.dtype) * (predicted.shape[-1] // self.channels)
        return total / (pixels + 1e-5) / self.channels

    def each(self, predicted: Tensor, target: Tensor) -> Tensor:
        """Sum over a unit, shape ``[N, L, T]`` to ``[N, L]``."""
        return (predicted - precise(target)).abs().sum(dim=-1)


class SmoothAbsoluteError(Distance):
    """Squared below ``beta`` and absolute above, mean over a unit's values (data2vec).

    Args:
        beta: Where the two meet; above 0.
        over: ``hidden`` units, or ``all``.
    """

    def __init__(self, beta: float = 2.0, over: Over = "hidden") -> None:
        super().__init__(over)
        self.beta = beta

    def each(self, predicted: Tensor, target: Tensor) -> Tensor:
        """Shape ``[N, L, T]`` to ``[N, L]``."""
        found = functional.smooth_l1_loss(
            predicted, precise(target), beta=self.beta, reduction="none"
        )
        return found.mean(dim=-1)


class CrossEntropy(Distance):
    """Cross-entropy of a class: a word (BERT) or a token of a codebook (BEiT)."""

    def each(self, predicted: Tensor, target: Tensor) -> Tensor:
        """Logits, shape ``[N, L, K]``, and classes, int64, shape ``[N, L]``, to ``[N, L]``."""
        return functional.cross_entropy(predicted.transpose(1, 2), target, reduction="none")


class SoftCrossEntropy(Distance):
    """Cross-entropy against a distribution, mean over each example's hidden units first (iBOT).

    Args:
        temperature: Of the prediction: 0.1 in iBOT (from memory).
        over: ``hidden`` units, or ``all``.
    """

    def __init__(self, temperature: float = 0.1, over: Over = "hidden") -> None:
        super().__init__(over)
        self.temperature = temperature

    def each(self, predicted: Tensor, target: Tensor) -> Tensor:
        """Logits and probabilities, both of shape ``[N, L, K]``, to ``[N, L]``."""
        return -(precise(target) * (predicted / self.temperature).log_softmax(dim=-1)).sum(dim=-1)

    def reduced(self, each: Tensor, mask: Tensor) -> Tensor:
        """Mean over examples of the mean over hidden units; an example without any counts 0."""
        totals = each.masked_fill(~mask, 0.0).sum(dim=1)
        return (totals / mask.sum(dim=1).clamp(min=1)).mean()


class ScaledCosineError(Distance):
    """``(1 - cos(x, x'))^alpha`` (GraphMAE): blind to lengths, and easy units weigh less.

    Rounding can take the cosine above 1; then the base is 0, where the published code gets a small negative
    number and, with a fractional exponent, no number at all.

    Args:
        alpha: 1 or more: 1 to 3 in the published settings.
        over: ``hidden`` units, or ``all``.

    Raises:
        ValueError: Alpha is below 1.
    """

    def __init__(self, alpha: float = 3.0, over: Over = "hidden") -> None:
        super().__init__(over)
        if alpha < 1:
            raise ValueError(f"The exponent must be 1 or more, not {alpha}.")
        self.alpha = alpha

    def each(self, predicted: Tensor, target: Tensor) -> Tensor:
        """Shape ``[N, L, T]`` to ``[N, L]``."""
        cosine = (
            functional.normalize(predicted, dim=-1) * functional.normalize(precise(target), dim=-1)
        ).sum(dim=-1)
        return (1 - cosine).clamp(min=0.0).pow(self.alpha)
