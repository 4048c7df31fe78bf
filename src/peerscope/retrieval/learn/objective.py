"""What a step minimises: one of the losses over the soft dot product, and what keeps several heads useful."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional

from peerscope.methods.contrastive import (
    dual_temperature,
    hinge_attention,
    sampled_softmax,
    soft_dot,
)
from peerscope.retrieval.learn.config import TrainConfig


def objective(
    heads: Tensor,
    items: Tensor,
    config: TrainConfig,
    *,
    log_expected: Tensor | None,
    excluded: Tensor,
    target: tuple[Tensor, Tensor] | None = None,
) -> Tensor:
    """Loss of a batch whose query ``i`` has item ``i`` as its positive.

    Args:
        heads: Query vectors, shape ``[n, K, d]``.
        items: Candidates' vectors, shape ``[c, d]``; the first ``n`` are the positives.
        config: Settings.
        log_expected: Log of how often each candidate is expected, shape ``[c]``, or ``None``.
        excluded: Candidates that are no negatives, bool, shape ``[n, c]``.
        target: The same two from towers that follow: queries are then scored against its items, and the first
            ``n`` items against its queries, each half; how often a query is drawn is not corrected for.
    """
    number = len(heads)
    if target is None:
        loss = _compared(heads, items, config, log_expected, excluded)
    else:
        asked, answered = (part.detach() for part in target)
        forth = _compared(heads, answered, config, log_expected, excluded)
        back = _compared(asked, items[:number], config, None, excluded[:, :number].T, turned=True)
        loss = (forth + back) / 2
    if config.separation and heads.shape[1] > 1:
        apart = separation(heads) + disuse(heads, items[: len(heads)], config.beta)
        loss = loss + config.separation * apart
    return loss


def _compared(
    heads: Tensor,
    items: Tensor,
    config: TrainConfig,
    log_expected: Tensor | None,
    excluded: Tensor,
    *,
    turned: bool = False,
) -> Tensor:
    """The loss over the scores, those of queries for items, or ``turned`` those of items for queries."""
    positives = torch.arange(len(heads))
    found = []
    for part, candidates in _lengths(heads, items, config):
        scores = soft_dot(torch.einsum("nkd,cd->nkc", part, candidates), config.beta)
        scores = scores.T if turned else scores
        out = _masked(scores, excluded, config)
        if config.loss == "hinge":
            found.append(hinge_attention(scores, positives, config.margin, excluded=out))
        elif config.loss == "dual_temperature":
            found.append(
                dual_temperature(
                    scores, positives, config.temperature, config.outer_temperature,
                    log_expected=log_expected, excluded=out,
                )
            )  # fmt: skip
        else:
            found.append(
                sampled_softmax(
                    scores, positives, config.temperature, log_expected=log_expected, excluded=out
                )
            )
    return torch.stack(found).mean()


def _lengths(heads: Tensor, items: Tensor, config: TrainConfig) -> Iterator[tuple[Tensor, Tensor]]:
    yield heads, items
    for length in config.matryoshka:
        yield (
            functional.normalize(heads[:, :, :length], dim=2),
            functional.normalize(items[:, :length], dim=1),
        )


def _masked(scores: Tensor, excluded: Tensor, config: TrainConfig) -> Tensor:
    """Candidates far above the positive are likely relevant, though nobody said so."""
    if config.mask_above is None:
        return excluded
    own = scores.detach().diagonal()[:, None]
    return excluded | (scores.detach() > own + config.mask_above)


def separation(heads: Tensor) -> Tensor:
    """Mean squared cosine between different heads of a query; 0 for one head. Shape ``[n, K, d]``."""
    number = heads.shape[1]
    if number < 2:
        return heads.new_zeros(())
    cosines = heads @ heads.transpose(1, 2)
    others = ~torch.eye(number, dtype=torch.bool)
    return cosines[:, others].square().mean()


def disuse(heads: Tensor, positives: Tensor, beta: float) -> Tensor:
    """Log K less the entropy of the heads' mean share in the positives' scores: 0 when all are used alike.

    Args:
        heads: Shape ``[n, K, d]``.
        positives: Vectors of the queries' positives, shape ``[n, d]``.
        beta: Temperature of the soft dot product.
    """
    scores = torch.einsum("nkd,nd->nk", heads, positives)
    shares = (scores / beta).softmax(dim=1).mean(dim=0)
    return math.log(heads.shape[1]) + (shares * shares.clamp_min(1e-12).log()).sum()
