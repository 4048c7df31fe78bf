"""Gradients of InfoNCE and of the dual-temperature loss against their factors, written out (section 3)."""

from __future__ import annotations

import torch
from torch import Tensor

from peerscope.methods.contrastive import pairs
from peerscope.reproduce.harness import main
from peerscope.reproduce.papers.dual_temperature import PAPER
from peerscope.reproduce.protocol import Trial
from peerscope.reproduce.protocols.common import prepared

WITHIN, BETWEEN = 0.1, 1.0


def run(trial: Trial) -> None:
    """Draw queries and keys near them, and compare autograd's gradients with scalar times vector part."""
    device = prepared(trial)
    shape = (int(trial["anchors"]), int(trial["width"]))
    drawn = torch.randn(2, *shape, dtype=torch.float64, device=device)
    queries = pairs.unit(drawn[0]).requires_grad_()
    keys = pairs.unit(drawn[0] + 0.5 * drawn[1])
    losses = {
        "info_nce": (pairs.info_nce(queries, keys, WITHIN), WITHIN),
        "dual_temperature": (pairs.dual_temperature(queries, keys, WITHIN, BETWEEN), BETWEEN),
        "equal": (pairs.dual_temperature(queries, keys, WITHIN, WITHIN), WITHIN),
    }
    for name, (loss, outer) in losses.items():
        (found,) = torch.autograd.grad(loss, queries)
        expected = _product(queries.detach(), keys, outer)
        error = ((found - expected).norm() / expected.norm()).item()
        trial.log(f"{name}: relative error {error:.2e}")
        trial.figure(f"error/{name}", error)


def _product(queries: Tensor, keys: Tensor, outer: float) -> Tensor:
    """The gradient of the mean loss: minus W(outer) / WITHIN times (own key - mean of hard negatives).

    The losses normalise their inputs, so what reaches a unit query is the part at right angles to it.
    """
    scores = queries @ keys.T
    own = torch.eye(len(scores), dtype=torch.bool, device=scores.device)
    weight = 1 - torch.softmax(scores / outer, dim=1).diagonal()
    hard = torch.softmax((scores / WITHIN).masked_fill(own, -torch.inf), dim=1)
    whole = -(weight / WITHIN)[:, None] * (keys - hard @ keys) / len(queries)
    return whole - (whole * queries).sum(dim=1, keepdim=True) * queries


if __name__ == "__main__":
    main(PAPER, "dual_temperature_identities")
