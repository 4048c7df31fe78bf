"""Contrastive losses over a score matrix of queries and candidates.

InfoNCE (van den Oord et al. 2018, equation 4) is the cross-entropy of picking the positive among the
candidates; with candidates drawn from a skewed distribution, the logQ correction (Bengio and Senécal 2008;
Yi et al. 2019, section 3.2) makes it an estimate of the full softmax. Decoupled contrast (Yeh et al. 2022)
leaves the positive out of the denominator, and with it the weight ``W`` that the softmax gives an anchor.
Dual temperature (Zhang et al., CVPR 2022) takes that weight from a second temperature. The hinge is DPSR's
(SIGIR 2020, equation 2).

One number an anchor holds them together: ``D(t)``, decoupled contrast, the logsumexp of the negatives'
logits less the positive's. InfoNCE is ``softplus(D(t))``; the share of probability that its negatives take,
``W(t)``, which is the weight of the anchor in InfoNCE's gradient, is ``sigmoid(D(t))``; dual temperature is
``sg[W(outer)] * D(t)``. The authors' code multiplies InfoNCE by ``sg[W(outer) / W(t)]`` instead: another
value, the same gradient, and a division by a number that is 0 in float32 when the positive is far ahead.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

Reduction = Literal["mean", "sum", "none"]


def sampled_softmax(
    scores: Tensor,
    positives: Tensor,
    temperature: float,
    *,
    log_expected: Tensor | None = None,
    excluded: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    """Cross-entropy of the positive candidate of each query; InfoNCE where nothing is corrected.

    With ``log_expected`` the logits are ``scores / temperature - log_expected``: each candidate counts
    as often as it would in the full softmax, not as often as it was drawn.

    Args:
        scores: Inner products, shape ``[queries, candidates]``.
        positives: Column of each query's positive, int64, shape ``[queries]``.
        temperature: Above 0.
        log_expected: Log of how often each candidate is expected among the drawn ones, shape
            ``[candidates]``; ``None`` for no correction.
        excluded: Candidates that are not negatives of a query (other positives of it, the query's own
            item), bool, shape ``[queries, candidates]``; the positive itself is never excluded.
        reduction: ``mean`` or ``sum`` over the queries, or ``none`` for one value each.

    Raises:
        ValueError: The temperature is not above 0, or the reduction is unknown.
    """
    logits = _logits(scores, temperature, log_expected)
    if excluded is not None:
        logits = logits.masked_fill(excluded & ~_places(scores, positives), float("-inf"))
    return _reduced(functional.cross_entropy(logits, positives, reduction="none"), reduction)


def negative_share(
    scores: Tensor,
    positives: Tensor,
    temperature: float,
    *,
    log_expected: Tensor | None = None,
    excluded: Tensor | None = None,
) -> Tensor:
    """``W``: the share of the softmax that the negatives of each query take, shape ``[queries]``, in [0, 1].

    It is the weight of an anchor in the gradient of InfoNCE (Zhang et al. 2022, their scalar or
    inter-anchor part), as the sigmoid of decoupled contrast: one less the positive's share, as the softmax
    gives it, is 0 in float32 long before this is. Arguments as in `sampled_softmax`.
    """
    logits = _logits(scores, temperature, log_expected)
    return _decoupled(logits, positives, excluded).sigmoid()


def decoupled(
    scores: Tensor,
    positives: Tensor,
    temperature: float,
    *,
    weight: Tensor | None = None,
    log_expected: Tensor | None = None,
    excluded: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    """Decoupled contrast: ``-s_ii / t + logsumexp over negatives of s_ij / t`` (Yeh et al. 2022, section 3).

    It is the limit of dual temperature for a large outer temperature, but for the factor
    ``(candidates - 1) / candidates``. A query without a negative adds 0.

    Args:
        scores: As in `sampled_softmax`.
        positives: As in `sampled_softmax`.
        temperature: Above 0.
        weight: Weight of each query, shape ``[queries]``, not differentiated; `negative_share` at some
            temperature and over any set of negatives, for one.
        log_expected: As in `sampled_softmax`.
        excluded: As in `sampled_softmax`.
        reduction: As in `sampled_softmax`; weights do not change what a mean divides by.

    Raises:
        ValueError: As in `sampled_softmax`.
    """
    each = _decoupled(_logits(scores, temperature, log_expected), positives, excluded)
    each = each.masked_fill(each == float("-inf"), 0.0)
    if weight is not None:
        each = weight.detach() * each
    return _reduced(each, reduction)


def dual_temperature(
    scores: Tensor,
    positives: Tensor,
    temperature: float,
    outer_temperature: float,
    *,
    log_expected: Tensor | None = None,
    excluded: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    """Decoupled contrast at one temperature, anchors weighted by their hardness at another; no division.

    ``sg[W(outer)] * (-s_ii / t + logsumexp over negatives of s_ij / t)``, `W` as in `negative_share`. It has
    the gradient of the authors' form, not its value.

    Args:
        scores: As in `sampled_softmax`.
        positives: As in `sampled_softmax`.
        temperature: ``t``, within an anchor (tau alpha of the paper); above 0.
        outer_temperature: Between anchors (tau beta); above 0. Equal to ``t`` the gradient is InfoNCE's.
        log_expected: As in `sampled_softmax`.
        excluded: As in `sampled_softmax`.
        reduction: As in `sampled_softmax`.

    Raises:
        ValueError: As in `sampled_softmax`.
    """
    weight = negative_share(
        scores.detach(), positives, outer_temperature, log_expected=log_expected, excluded=excluded
    )
    return decoupled(
        scores, positives, temperature, weight=weight,
        log_expected=log_expected, excluded=excluded, reduction=reduction,
    )  # fmt: skip


def scale_matched(
    scores: Tensor,
    positives: Tensor,
    temperature: float,
    outer_temperature: float,
    *,
    log_expected: Tensor | None = None,
    excluded: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    """The control of dual temperature: its mean weight, but InfoNCE's distribution of it over the anchors.

    Dual temperature multiplies the mean gradient by ``mean W(outer) / mean W(t)``, which alone acts like a
    larger learning rate. Here InfoNCE's gradient is multiplied by that number; what dual temperature gains
    beyond this control comes from how it weighs anchors against each other. Not in the paper.

    Arguments and errors as in `dual_temperature`.
    """
    fixed = scores.detach()
    inner, outer = (
        _decoupled(_logits(fixed, t, log_expected), positives, excluded)
        for t in (temperature, outer_temperature)
    )
    # W(t) over its mean, from logarithms: the shares themselves may all be 0 in float32. Where no query has a
    # negative there is nothing to weigh.
    relative = (functional.logsigmoid(inner).softmax(dim=0) * len(inner)).nan_to_num(0.0)
    weight = outer.sigmoid().mean() * relative
    return decoupled(
        scores, positives, temperature, weight=weight,
        log_expected=log_expected, excluded=excluded, reduction=reduction,
    )  # fmt: skip


def hinge_attention(
    scores: Tensor,
    positives: Tensor,
    margin: float,
    *,
    excluded: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    """Hinge of each query's positive against its negatives (DPSR equation 2): sum over them, mean of queries.

    The scores are those of `soft_dot` (equation 1) where a query has several heads.

    Args:
        scores: Shape ``[queries, candidates]``.
        positives: Column of each query's positive, int64, shape ``[queries]``.
        margin: In units of the scores, 0 or more.
        excluded: As in `sampled_softmax`.
        reduction: As in `sampled_softmax`.

    Raises:
        ValueError: The margin is below 0, or the reduction is unknown.
    """
    if margin < 0:
        raise ValueError(f"The margin must be 0 or more, not {margin}.")
    wide = _wide(scores)
    own = wide.gather(1, positives[:, None])
    gaps = functional.relu(margin - own + wide)
    out = _places(scores, positives)
    if excluded is not None:
        out = out | excluded
    return _reduced(gaps.masked_fill(out, 0.0).sum(dim=1), reduction)


def soft_dot(scores: Tensor, beta: float) -> Tensor:
    """DPSR equation 1: scores of K heads, shape ``[n, K, c]``, as one, shape ``[n, c]``.

    Args:
        scores: Inner products of each head with each candidate.
        beta: Temperature of the attention over heads, above 0.
    """
    if scores.shape[1] == 1:
        return scores[:, 0]
    return ((scores / beta).softmax(dim=1) * scores).sum(dim=1)


def _wide(scores: Tensor) -> Tensor:
    return scores.float() if scores.dtype in (torch.float16, torch.bfloat16) else scores


def _logits(scores: Tensor, temperature: float, log_expected: Tensor | None) -> Tensor:
    if temperature <= 0:
        raise ValueError(f"The temperature must be above 0, not {temperature}.")
    logits = _wide(scores) / temperature
    return logits if log_expected is None else logits - log_expected


def _decoupled(logits: Tensor, positives: Tensor, excluded: Tensor | None) -> Tensor:
    """Logsumexp of the negatives' logits less the positive's; -inf for a query without a negative."""
    place = positives[:, None]
    nothing = float("-inf")
    negatives = logits if excluded is None else logits.masked_fill(excluded, nothing)
    negatives = negatives.scatter(1, place, nothing)
    return negatives.logsumexp(dim=1) - logits.gather(1, place)[:, 0]


def _places(scores: Tensor, positives: Tensor) -> Tensor:
    columns = torch.arange(scores.shape[1], device=scores.device)
    return columns[None, :] == positives[:, None]


def _reduced(each: Tensor, reduction: Reduction) -> Tensor:
    if reduction == "mean":
        return each.mean()
    if reduction == "sum":
        return each.sum()
    if reduction == "none":
        return each
    raise ValueError(f"The reduction is mean, sum or none, not {reduction!r}.")
