"""Contrastive losses over a score matrix of queries and candidates.

InfoNCE (van den Oord et al. 2018, equation 4) is the cross-entropy of picking the positive among the
candidates; with candidates drawn from a skewed distribution, the logQ correction (Bengio and Senécal 2008;
Yi et al. 2019, section 3.2) makes it an estimate of the full softmax. The hinge is DPSR's (SIGIR 2020,
equation 2); dual temperature (Zhang et al., CVPR 2022) takes the weight of an anchor from a second
temperature.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def sampled_softmax(
    scores: Tensor,
    positives: Tensor,
    temperature: float,
    *,
    log_expected: Tensor | None = None,
    excluded: Tensor | None = None,
) -> Tensor:
    """Mean cross-entropy of the positive candidate of each query.

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

    Raises:
        ValueError: The temperature is not above 0.
    """
    if temperature <= 0:
        raise ValueError(f"The temperature must be above 0, not {temperature}.")
    logits = scores / temperature
    if log_expected is not None:
        logits = logits - log_expected
    if excluded is not None:
        keep = functional.one_hot(positives, scores.shape[1]).to(torch.bool)
        logits = logits.masked_fill(excluded & ~keep, float("-inf"))
    return functional.cross_entropy(logits, positives)


def hinge_attention(
    scores: Tensor, positives: Tensor, margin: float, *, excluded: Tensor | None = None
) -> Tensor:
    """Hinge of each query's positive against its negatives (DPSR equation 2): sum over them, mean of queries.

    The scores are the soft dot products of equation 1 where a query has several heads.

    Args:
        scores: Shape ``[queries, candidates]``.
        positives: Column of each query's positive, int64, shape ``[queries]``.
        margin: In units of the scores, 0 or more.
        excluded: As in `sampled_softmax`.

    Raises:
        ValueError: The margin is below 0.
    """
    if margin < 0:
        raise ValueError(f"The margin must be 0 or more, not {margin}.")
    own = scores.gather(1, positives[:, None])
    gaps = functional.relu(margin - own + scores)
    out = functional.one_hot(positives, scores.shape[1]).to(torch.bool)
    if excluded is not None:
        out = out | excluded
    return gaps.masked_fill(out, 0.0).sum(dim=1).mean()


def dual_temperature(
    scores: Tensor,
    positives: Tensor,
    temperature: float,
    outer_temperature: float,
    *,
    log_expected: Tensor | None = None,
    excluded: Tensor | None = None,
) -> Tensor:
    """Decoupled contrast at one temperature, anchors weighted by their hardness at another; no division.

    ``sg[W(outer)] * (-s_ii / t + logsumexp over negatives of s_ij / t)`` with ``W`` the share of probability
    that the negatives take. It has the gradient of the authors' form, whose quotient of two such shares
    underflows in half precision.

    Args:
        scores: Inner products, shape ``[queries, candidates]``.
        positives: Column of each query's positive, int64, shape ``[queries]``.
        temperature: ``t``, within an anchor; above 0.
        outer_temperature: Between anchors; above 0. Equal to ``t`` the gradient is InfoNCE's.
        log_expected: As in `sampled_softmax`.
        excluded: As in `sampled_softmax`.

    Raises:
        ValueError: A temperature is not above 0.
    """
    if temperature <= 0 or outer_temperature <= 0:
        raise ValueError("Both temperatures must be above 0.")
    keep = functional.one_hot(positives, scores.shape[1]).to(torch.bool)
    out = keep if excluded is None else keep | excluded
    shift = 0.0 if log_expected is None else log_expected
    inner = scores / temperature - shift
    decoupled = inner.masked_fill(out, float("-inf")).logsumexp(dim=1)
    decoupled = decoupled - inner.gather(1, positives[:, None])[:, 0]
    outer = (scores.detach() / outer_temperature - shift).masked_fill(out & ~keep, float("-inf"))
    weight = outer.softmax(dim=1).masked_fill(keep, 0.0).sum(dim=1)
    return (weight * decoupled).mean()
