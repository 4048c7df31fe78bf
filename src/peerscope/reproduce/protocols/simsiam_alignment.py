"""Parts of InfoNCE's gradient beside the descent of correlation, over the temperature (figure 5c).

The net is trained a little and then frozen; only the temperature at which its gradient is taken apart is
swept. For large temperatures the weights of the negatives are even but for a first-order term, so that
``r_e`` tends to minus the covariance times the residual: that limit is measured too, since its cosine is a
property of the vectors alone.
"""

from __future__ import annotations

import torch
from torch import Tensor

from peerscope.methods import presets
from peerscope.methods.batches import generator_of
from peerscope.methods.collapse import collapse_report
from peerscope.methods.contrastive.pairs import unit
from peerscope.methods.gradient_parts import GradientParts, alignment, info_nce_parts
from peerscope.reproduce.harness import main
from peerscope.reproduce.papers.simsiam import PAPER
from peerscope.reproduce.protocol import Trial
from peerscope.reproduce.protocols.common import images, prepared
from peerscope.reproduce.protocols.siamese_common import Views, figures_of, pieces, trained


def run(trial: Trial) -> None:
    """Train by InfoNCE, freeze, and take its gradient apart at each temperature."""
    prepared(trial)
    name = str(trial["data"])
    known = images(trial, name, "train", int(trial["images"]))
    held = images(trial, name, "test", int(trial["held"]))
    encoder, projector, _ = pieces(trial)
    method = presets.symmetric_info_nce(
        encoder,
        projector=projector,
        width=int(trial["width"]),
        temperature=float(trial["temperature"]),
    )
    trained(trial, "info_nce", method, known.images, steps=int(trial["steps"]))
    method.train()
    source = generator_of(held.images.device, 13, trial.seed)
    views = [Views(2)(part, source) for part in torch.split(held.images, int(trial["apart"]))]
    pairs = [(unit(method.keys(a)).float(), unit(method.keys(b)).float()) for a, b in views]
    firsts, seconds = (torch.cat(side) for side in zip(*pairs, strict=True))
    figures_of(trial, "info_nce", collapse_report(firsts))
    trial.figure("even/info_nce", diagonal_share(firsts))
    sweep(trial, "", pairs)
    sweep(trial, "whole_", [(firsts, seconds)])


def sweep(trial: Trial, before: str, pairs: list[tuple[Tensor, Tensor]]) -> None:
    """The cosines at each temperature, and their limit, as means over the pairs of view batches.

    Args:
        trial: Of the figures.
        before: Set before their names.
        pairs: Unit vectors of two views, shape ``[n, d]`` each.
    """
    temperatures = [float(one) for one in trial["temperatures"]]
    courses: dict[str, list[float]] = {"o_e": [], "r_e": []}
    for temperature in temperatures:
        found = [alignment(info_nce_parts(a, b, temperature), a) for a, b in pairs]
        for place, part in enumerate(("o_e", "r_e")):
            value = sum(one[place] for one in found) / len(found)
            courses[part].append(value)
            trial.figure(f"{before}{part}/{temperature:g}", value)
    limit = sum(alignment(even(a, b), a)[1] for a, b in pairs) / len(pairs)
    trial.figure(f"{before}r_e/limit", limit)
    for part, values in courses.items():
        told = " ".join(
            f"{t:g}: {value:.3f}" for t, value in zip(temperatures, values, strict=True)
        )
        trial.log(f"{before}{part} {told}")
        trial.curve("cosine over temperature", f"{before}{part}", temperatures, values)
    trial.log(f"{before}r_e in the limit of large temperatures: {limit:.3f}")


def diagonal_share(rows: Tensor) -> float:
    """Share of the squared entries of the covariance that lies on its diagonal; 1 without correlation."""
    covariance = torch.cov(rows.T)
    return float(covariance.diagonal().square().sum() / covariance.square().sum())


def even(acting: Tensor, keys: Tensor) -> GradientParts:
    """The extra gradient for large temperatures: minus the covariance of the keys times the anchor."""
    residual = keys - keys.mean(dim=0)
    extra = -(acting @ (residual.T @ residual)) / len(keys)
    centre = extra.mean(dim=0)
    return GradientParts(centre, extra - centre)


if __name__ == "__main__":
    main(PAPER, "simsiam_alignment")
