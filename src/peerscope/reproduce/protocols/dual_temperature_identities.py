"""Gradients of InfoNCE and of the dual-temperature loss against their factors, written out (section 3).

The authors' form, InfoNCE times a quotient of shares, and the limits of the second temperature are compared
too. Where the positive is far ahead, the share is too small for one less a softmax to hold; what the two
forms of the loss then give in half precision is put down beside.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from peerscope.methods.contrastive import dual_temperature, pairs
from peerscope.reproduce.harness import main
from peerscope.reproduce.papers.dual_temperature import PAPER
from peerscope.reproduce.protocol import Trial
from peerscope.reproduce.protocols.common import prepared

WITHIN, BETWEEN, ENDLESS = 0.1, 1.0, 1e13
TYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def run(trial: Trial) -> None:
    """Draw queries and keys near them, and compare autograd's gradients with closed forms."""
    device = prepared(trial)
    number = int(trial["anchors"])
    drawn = torch.randn(2, number, int(trial["width"]), dtype=torch.float64, device=device)
    queries = pairs.unit(drawn[0])
    keys = pairs.unit(drawn[0] + 0.5 * drawn[1])
    dual = _gradients(pairs.dual_temperature, queries, keys, WITHIN, BETWEEN)
    plain = _gradients(pairs.info_nce, queries, keys, WITHIN)
    limit = _gradients(pairs.decoupled, queries, keys, WITHIN)
    compared = {
        "info_nce": (plain, _product(queries, keys, WITHIN)),
        "dual_temperature": (dual, _product(queries, keys, BETWEEN)),
        "equal": (_gradients(pairs.dual_temperature, queries, keys, WITHIN, WITHIN), plain),
        "quotient": (_gradients(_quotient, queries, keys, WITHIN, BETWEEN), dual),
        "endless": (
            _gradients(pairs.dual_temperature, queries, keys, WITHIN, ENDLESS),
            [part * (number - 1) / number for part in limit],
        ),
    }
    for name, (found, expected) in compared.items():
        error = max(
            float((one - other).norm() / other.norm())
            for one, other in zip(found, expected, strict=True)
        )
        trial.log(f"{name}: relative error {error:.2e}")
        trial.figure(f"error/{name}", error)
    _far_ahead(trial)


def _gradients(
    loss: Callable[..., Tensor], queries: Tensor, keys: Tensor, *temperatures: float
) -> list[Tensor]:
    """Gradients of a loss to queries and keys."""
    given = queries.clone().requires_grad_(), keys.clone().requires_grad_()
    return list(torch.autograd.grad(loss(*given, *temperatures), given))


def _product(queries: Tensor, keys: Tensor, outer: float) -> list[Tensor]:
    """The gradients of the mean loss: to a query minus W(outer) / WITHIN times (own key - mean of hard ones).

    The losses normalise their inputs, so what reaches a unit vector is the part at right angles to it.
    """
    scores = queries @ keys.T
    own = torch.eye(len(scores), dtype=torch.bool, device=scores.device)
    weight = 1 - torch.softmax(scores / outer, dim=1).diagonal()
    hard = torch.softmax((scores / WITHIN).masked_fill(own, -torch.inf), dim=1)
    slopes = (weight / WITHIN)[:, None] * (hard - own.to(hard.dtype)) / len(queries)
    whole = slopes @ keys, slopes.T @ queries
    return [
        part - (part * unit).sum(dim=1, keepdim=True) * unit
        for part, unit in zip(whole, (queries, keys), strict=True)
    ]


def _quotient(queries: Tensor, keys: Tensor, within: float, between: float) -> Tensor:
    """The loss as the authors' code has it, on embeddings."""
    return _quotient_of(pairs.unit(queries) @ pairs.unit(keys).T, within, between)


def _quotient_of(scores: Tensor, within: float, between: float) -> Tensor:
    """InfoNCE of each anchor times W(between) / W(within), detached; W as one less the positive's share."""
    inner, outer = ((scores / t).softmax(dim=1).diagonal() for t in (within, between))
    return (((1 - outer) / (1 - inner)).detach() * -inner.log()).mean()


def _far_ahead(trial: Trial) -> None:
    """Share of finite gradients of scores where the positive is at cosine 1 and the negative at -1."""
    own = torch.arange(2, device=trial.device)
    for name, dtype in TYPES.items():
        for form in ("dual_temperature", "quotient"):
            scores = torch.tensor([[1.0, -1.0], [-1.0, 1.0]], device=trial.device, dtype=dtype)
            scores.requires_grad_()
            if form == "quotient":
                loss = _quotient_of(scores, WITHIN, BETWEEN)
            else:
                loss = dual_temperature(scores, own, WITHIN, BETWEEN)
            (slope,) = torch.autograd.grad(loss, scores)
            trial.figure(f"finite/{form}/{name}", float(slope.isfinite().double().mean()))


if __name__ == "__main__":
    main(PAPER, "dual_temperature_identities")
