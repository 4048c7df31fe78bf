"""What an attack ascends: cross-entropy, margin, logit and relative cross-entropy.

An untargeted attack ascends the loss of the true class, a targeted one descends the loss of its target. Each
loss maps logits ``z``, shape ``[N, K]``, and labels ``y``, int64, shape ``[N]``, to one value an image; an
attack sums them, since under a mean an image's gradient would depend on the size of its batch. Logits in half
precision are widened to float32.

Relative cross-entropy (Zhang et al. 2022, arXiv 2204.00089) is ``CE(z, y) - mean over k of CE(z, k)``. The
log-partition cancels, so it equals ``mean over k of z_k - z_y`` and its gradient is the constant
``1/K - e_y``. The paper's equation was not at hand: this form is from memory and agrees with what its
abstract says. A mean over the other K - 1 classes is a positive multiple of it, the same attack under sign
steps. The short name RCE means *reverse* cross-entropy elsewhere.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn import functional

Loss = Callable[[Tensor, Tensor], Tensor]


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """``-log softmax(z)_y``, shape ``[N]``; its gradient ``p - e_y`` vanishes as ``p_y`` goes to 1."""
    return functional.cross_entropy(_wide(logits), labels, reduction="none")


def margin(logits: Tensor, labels: Tensor, confidence: float = math.inf) -> Tensor:
    """``min(max over j != y of z_j - z_y, confidence)`` (Carlini and Wagner 2017), shape ``[N]``.

    Args:
        logits: Shape ``[N, K]``.
        labels: Shape ``[N]``.
        confidence: From this lead on, in units of the logits, an image has no gradient any more.
    """
    wide = _wide(logits)
    own = functional.one_hot(labels, wide.shape[1]).to(torch.bool)
    best = wide.masked_fill(own, -math.inf).max(dim=1).values
    lead = best - _own(wide, labels)
    return lead if math.isinf(confidence) else lead.clamp_max(confidence)


def logit(logits: Tensor, labels: Tensor) -> Tensor:
    """``-z_y`` (Zhao et al. 2021, arXiv 2012.11207), shape ``[N]``."""
    return _own(_wide(logits), labels).neg()


def relative_cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """``mean over k of z_k - z_y``, shape ``[N]``: cross-entropy less its mean over all classes."""
    wide = _wide(logits)
    return wide.mean(dim=1) - _own(wide, labels)


rce = relative_cross_entropy

LOSSES: Mapping[str, Loss] = {
    "cross_entropy": cross_entropy,
    "margin": margin,
    "logit": logit,
    "relative_cross_entropy": relative_cross_entropy,
    "ce": cross_entropy,
    "cw": margin,
    "rce": relative_cross_entropy,
}


def named(loss: str | Loss) -> tuple[str, Loss]:
    """A loss and its full name, from either.

    Raises:
        ValueError: There is no loss of that name.
    """
    if not isinstance(loss, str):
        return getattr(loss, "__name__", type(loss).__name__), loss
    if loss not in LOSSES:
        raise ValueError(f"There is no loss {loss!r}; known are {', '.join(LOSSES)}.")
    found = LOSSES[loss]
    return found.__name__, found


def alignment(gradient: Tensor, labels: Tensor) -> Tensor:
    """Cosine of each row with ``1/K - e_y``, the direction that lowers ``z_y`` against all classes alike.

    For relative cross-entropy it is 1, for the margin ``1 / sqrt(2 (1 - 1/K))``, for cross-entropy
    ``(1 - p_y) / (|p - e_y| sqrt(1 - 1/K))``.

    Args:
        gradient: Of a loss by the logits, shape ``[N, K]``; a row of zeros has cosine 0.
        labels: Shape ``[N]``.
    """
    classes = gradient.shape[1]
    # Scaled by the largest entry first: squares of a vanishing gradient would underflow.
    scaled = gradient / gradient.abs().amax(dim=1, keepdim=True).clamp_min(_tiny(gradient))
    along = scaled.mean(dim=1) - _own(scaled, labels)
    length = scaled.norm(dim=1).clamp_min(_tiny(gradient))
    cosine: Tensor = along / (length * math.sqrt(1 - 1 / classes))
    return cosine


def _own(logits: Tensor, labels: Tensor) -> Tensor:
    return logits.gather(1, labels[:, None])[:, 0]


def _wide(logits: Tensor) -> Tensor:
    return logits.float() if logits.dtype in (torch.float16, torch.bfloat16) else logits


def _tiny(values: Tensor) -> float:
    return torch.finfo(values.dtype).tiny
