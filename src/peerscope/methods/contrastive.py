"""Contrastive losses over a score matrix of queries and candidates.

InfoNCE (van den Oord et al. 2018, equation 4) is the cross-entropy of picking the positive among the
candidates; with candidates drawn from a skewed distribution, the logQ correction (Bengio and Senécal 2008;
Yi et al. 2019, section 3.2) makes it an estimate of the full softmax.
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
