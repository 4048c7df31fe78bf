"""Contrastive losses on the embeddings of two views: queries, their keys, and where negatives come from.

Row ``i`` of the queries belongs to row ``i`` of the keys. Negatives are the other keys of the batch (SimCo,
the towers of retrieval), keys of earlier batches in a queue (MoCo), the other queries (the same view, as in
SimCLR), or any mixture. Where a gradient flows is the caller's choice: detach the keys for MoCo, leave them
for SimCo; a queue is detached here.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from peerscope.methods.contrastive import scores as on_scores
from peerscope.methods.contrastive.scores import Reduction, soft_dot


class Contrast(NamedTuple):
    """A score matrix with its positives.

    Attributes:
        scores: Cosines, shape ``[n, candidates]``.
        positives: Column of each query's positive, int64, shape ``[n]``.
        excluded: Candidates that are no negatives, bool, shape ``[n, candidates]``, or ``None``.
    """

    scores: Tensor
    positives: Tensor
    excluded: Tensor | None


def unit(vectors: Tensor) -> Tensor:
    """Vectors over their last dimension at length 1; half precision is widened to float32."""
    if vectors.dtype in (torch.float16, torch.bfloat16):
        vectors = vectors.float()
    return functional.normalize(vectors, dim=-1)


def contrast(
    queries: Tensor,
    keys: Tensor,
    *,
    queue: Tensor | None = None,
    in_batch: bool = True,
    same_view: bool = False,
    excluded: Tensor | None = None,
    beta: float = 0.1,
) -> Contrast:
    """Scores of queries against keys and negatives, all at unit length.

    Columns are the keys of the batch (``in_batch``) or each query's own key alone, then the queries
    (``same_view``), then the queue.

    Args:
        queries: Shape ``[n, d]``, or ``[n, heads, d]``, scored by the soft dot product of DPSR.
        keys: Shape ``[n, d]``.
        queue: Further negatives of all queries, shape ``[k, d]``; never differentiated. A queue that is
            overwritten before the backward pass must be given as a copy.
        in_batch: Whether the other keys of the batch are negatives.
        same_view: Whether the other queries are negatives.
        excluded: Pairs of query and key that are no negatives (the same item twice in a batch), bool, shape
            ``[n, n]``; counts for keys and same view.
        beta: Temperature of the soft dot product.

    Raises:
        ValueError: The shapes do not belong together, or there is no negative at all.
    """
    if queries.dim() not in (2, 3) or keys.shape != (len(queries), queries.shape[-1]):
        raise ValueError(
            f"Queries [n, d] or [n, heads, d] need keys [n, d], not {tuple(queries.shape)} and "
            f"{tuple(keys.shape)}."
        )
    if not in_batch and not same_view and queue is None:
        raise ValueError(
            "There are no negatives: give a queue, or let the batch or the view count."
        )
    asked, given = unit(queries), unit(keys)
    parts, out = [], []
    rows = torch.arange(len(queries), device=queries.device)
    nothing = torch.zeros(len(rows), len(rows), dtype=torch.bool, device=queries.device)
    known = nothing if excluded is None else excluded
    if in_batch:
        parts.append(_scored(asked, given, beta))
        out.append(known)
        positives = rows
    else:
        parts.append(_own(asked, given, beta))
        out.append(nothing[:, :1])
        positives = torch.zeros_like(rows)
    if same_view:
        if queries.dim() == 3:
            raise ValueError("Queries of several heads are no candidates: leave same_view off.")
        parts.append(asked @ asked.T)
        out.append(known | torch.eye(len(rows), dtype=torch.bool, device=queries.device))
    if queue is not None:
        parts.append(_scored(asked, unit(queue.detach()).to(asked.dtype), beta))
        out.append(nothing[:, :1].expand(-1, len(queue)))
    masked = same_view or (excluded is not None and in_batch)
    return Contrast(torch.cat(parts, 1), positives, torch.cat(out, 1) if masked else None)


def info_nce(
    queries: Tensor,
    keys: Tensor,
    temperature: float = 0.1,
    *,
    queue: Tensor | None = None,
    in_batch: bool = True,
    same_view: bool = False,
    excluded: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    """InfoNCE of queries and keys: `scores.sampled_softmax` over `contrast`, whose arguments these are."""
    found = contrast(
        queries, keys, queue=queue, in_batch=in_batch, same_view=same_view, excluded=excluded
    )
    return on_scores.sampled_softmax(
        found.scores, found.positives, temperature, excluded=found.excluded, reduction=reduction
    )


def decoupled(
    queries: Tensor,
    keys: Tensor,
    temperature: float = 0.1,
    *,
    queue: Tensor | None = None,
    in_batch: bool = True,
    same_view: bool = False,
    excluded: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    """Decoupled contrast of queries and keys: `scores.decoupled` over `contrast`."""
    found = contrast(
        queries, keys, queue=queue, in_batch=in_batch, same_view=same_view, excluded=excluded
    )
    return on_scores.decoupled(
        found.scores, found.positives, temperature, excluded=found.excluded, reduction=reduction
    )


def dual_temperature(
    queries: Tensor,
    keys: Tensor,
    temperature: float = 0.1,
    outer_temperature: float = 1.0,
    *,
    queue: Tensor | None = None,
    in_batch: bool = True,
    same_view: bool = False,
    excluded: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    """Dual temperature of queries and keys, defaults of the official code: `scores.dual_temperature`."""
    found = contrast(
        queries, keys, queue=queue, in_batch=in_batch, same_view=same_view, excluded=excluded
    )
    return on_scores.dual_temperature(
        found.scores, found.positives, temperature, outer_temperature,
        excluded=found.excluded, reduction=reduction,
    )  # fmt: skip


def _scored(queries: Tensor, keys: Tensor, beta: float) -> Tensor:
    if queries.dim() == 2:
        return queries @ keys.T
    return soft_dot(torch.einsum("nhd,cd->nhc", queries, keys), beta)


def _own(queries: Tensor, keys: Tensor, beta: float) -> Tensor:
    if queries.dim() == 2:
        return (queries * keys).sum(dim=1, keepdim=True)
    return soft_dot(torch.einsum("nhd,nd->nh", queries, keys)[:, :, None], beta)
