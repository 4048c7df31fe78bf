"""How far an attack moves the class of interest: its rank, and top-k success (arXiv 2204.00089).

The class of interest is the true class of an untargeted attack, which wants it far down, and the target of
a targeted one, which wants it on top. Ranks count from 1, a choice made here: the paper's own base is not
known. With it, the mean rank is 1 plus the sum over k from 1 to K - 1 of the untargeted top-k success: the
area under the curve of success over k.
"""

from __future__ import annotations

import torch
from torch import Tensor


def interest_class_rank(logits: Tensor, interest: Tensor, *, base: int = 1) -> Tensor:
    """``base`` plus the number of classes with a larger logit, int64, shape ``[N]``.

    Only a strictly larger logit counts: a tie is no success for an untargeted attack.

    Args:
        logits: Shape ``[N, K]``.
        interest: Class of interest of each image, int64, shape ``[N]``.
        base: Rank of the first place, 1 or 0.

    Raises:
        ValueError: The base is neither 0 nor 1, or logits are not numbers.
    """
    if base not in (0, 1):
        raise ValueError(f"Ranks start at 0 or 1, not {base}.")
    if bool(logits.isnan().any()):
        raise ValueError("Some logits are NaN: such images have no rank.")
    own = logits.gather(1, interest[:, None])
    return (logits > own).sum(dim=1) + base


def topk_success(ranks: Tensor, k: int, *, targeted: bool = False) -> float:
    """Share of images whose class of interest is outside the first k, or inside them for a targeted attack.

    Args:
        ranks: From `interest_class_rank` with base 1, shape ``[N]``, N at least 1.
        k: At least 1.
        targeted: Whether the class of interest is a target.

    Raises:
        ValueError: k is below 1, or there is no image.
    """
    if k < 1:
        raise ValueError(f"k must be at least 1, not {k}.")
    if not len(ranks):
        raise ValueError("There is no image to judge.")
    inside = (ranks <= k).double().mean().item()
    return inside if targeted else 1.0 - inside


def success_curve(ranks: Tensor, classes: int, *, targeted: bool = False) -> Tensor:
    """`topk_success` at every k from 1 to K - 1, float64, shape ``[K - 1]``.

    Args:
        ranks: From `interest_class_rank` with base 1, shape ``[N]``.
        classes: K, at least 2.
        targeted: Whether the class of interest is a target.
    """
    counts = torch.bincount(ranks - 1, minlength=classes)
    inside = counts.cumsum(0)[: classes - 1].double() / len(ranks)
    return inside if targeted else 1.0 - inside


def paired_interval(
    first: Tensor, second: Tensor, *, draws: int = 2000, level: float = 0.95, seed: int = 0
) -> tuple[float, float, float]:
    """Mean of ``first - second`` and its bootstrap interval over images, as (mean, low, high).

    Args:
        first: A value an image, shape ``[N]``.
        second: The same images under another setting.
        draws: Resamples.
        level: Share of the resampled means between low and high.
        seed: Seed of the resampling.

    Raises:
        ValueError: The two do not hold the same number of images.
    """
    if first.shape != second.shape or not len(first):
        raise ValueError(
            f"A paired comparison needs the same images: {list(first.shape)} and {list(second.shape)}."
        )
    gaps = first.double().cpu() - second.double().cpu()
    generator = torch.Generator().manual_seed(seed)
    means = torch.stack(
        [
            gaps[torch.randint(len(gaps), (len(gaps),), generator=generator)].mean()
            for _ in range(draws)
        ]
    )
    ends = torch.quantile(means, torch.tensor([(1 - level) / 2, (1 + level) / 2]).double())
    return float(gaps.mean()), float(ends[0]), float(ends[1])
