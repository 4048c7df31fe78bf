"""The gradient of a siamese loss as a basic part and an extra one, that as its mean and the rest.

For a loss ``-Z_a . sg(T)`` the target is ``T = B + G``: a basic one that collapses alone, and an extra
gradient ``G = o_e + r_e``, ``o_e`` its mean over the batch (de-centering) and ``r_e`` the rest
(de-correlation) (Zhang et al., ICLR 2022, section 4). Each may be left out: `SimSiamParts` has the arms of
their table 4, `Triplet` those of table 3.

| loss | basic | extra |
| --- | --- | --- |
| SimSiam, seen at ``P_a`` | ``P_b`` | ``Z_b - P_b`` |
| triplet with a random negative | ``Z_b`` | ``-Z_n`` |
| InfoNCE | ``Z_b`` | ``-sum_i l_i Z_i``, ``l`` the softmax over the positive and the negatives |
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from peerscope.methods.branch import View
from peerscope.methods.contrastive.pairs import unit
from peerscope.methods.siamese import OnViews, Parts, Predicting


class GradientParts(NamedTuple):
    """An extra gradient taken apart.

    Attributes:
        centre: ``o_e``, its mean over the batch, shape ``[d]``.
        residual: ``r_e``, the rest, shape ``[n, d]``; its mean is 0.
    """

    centre: Tensor
    residual: Tensor


def gradient_parts(target: Tensor, basic: Tensor) -> GradientParts:
    """What a target adds to a basic one, shapes ``[n, d]``, taken apart."""
    extra = target - basic
    centre = extra.mean(dim=0)
    return GradientParts(centre, extra - centre)


def composed(
    basic: Tensor, parts: GradientParts, *, centre: bool = True, residual: bool = True
) -> Tensor:
    """A target from the basic one, shape ``[n, d]``, and those of the parts that are wanted."""
    found = basic
    if centre:
        found = found + parts.centre
    if residual:
        found = found + parts.residual
    return found


def pulled(acting: Tensor, target: Tensor) -> Tensor:
    """Mean of ``-Z . sg(T)`` over rows: ``acting`` is brought to unit length, the target taken as it is.

    Args:
        acting: Shape ``[n, d]``.
        target: Shape ``[n, d]``, or ``[d]`` for one of all (a centre).
    """
    return -(unit(acting) * target.detach()).sum(dim=1).mean()


class SimSiamParts(Predicting):
    """SimSiam with parts of its extra gradient left out: ``-P_a . sg(P_b + {o_e} + {r_e})`` (table 4).

    With both it is SimSiam, with neither it is the symmetric predictor.

    Args:
        encoder: As in `OnViews`.
        projector: As in `OnViews`.
        predictor: As in `SimSiam`.
        centre: Whether ``o_e`` stays.
        residual: Whether ``r_e`` stays.
    """

    def __init__(
        self,
        encoder: nn.Module,
        projector: nn.Module | None,
        predictor: nn.Module,
        *,
        centre: bool = True,
        residual: bool = True,
    ) -> None:
        super().__init__(encoder, projector, predictor)
        self.centre, self.residual = centre, residual

    def compare(self, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
        """As in `Siamese.compare`; it acts on the predictions."""
        predicted = self.predictor(first), self.predictor(second)
        loss = self._one_way(predicted[0], predicted[1], second) / 2
        return loss + self._one_way(predicted[1], predicted[0], first) / 2, predicted[0]

    def _one_way(self, acting: Tensor, predicted: Tensor, projected: Tensor) -> Tensor:
        basic, target = unit(predicted.detach()), unit(projected.detach())
        parts = gradient_parts(target, basic)
        return pulled(acting, composed(basic, parts, centre=self.centre, residual=self.residual))


class Triplet(OnViews):
    """A random negative for each anchor, parts left out: ``-Z_a . sg(Z_b + {o_e} + {r_e})`` (table 3).

    The negative is the third view of the image half a batch further on, so that batches must be drawn in a
    new order each time: images that always meet become two points. Targets are not differentiated, as the
    table prints it; the research code does differentiate them.

    Args:
        encoder: As in `OnViews`.
        projector: As in `OnViews`.
        centre: Whether ``o_e`` stays, the mean of the negatives with its sign turned.
        residual: Whether ``r_e`` stays.
    """

    def __init__(
        self,
        encoder: nn.Module,
        projector: nn.Module | None = None,
        *,
        centre: bool = True,
        residual: bool = True,
    ) -> None:
        super().__init__(encoder, projector)
        self.centre, self.residual = centre, residual

    def forward(self, views: Sequence[View]) -> tuple[Tensor, Parts]:
        """The loss of three views of an even number of images."""
        first, second = (self.branch(view) for view in views[:2])
        with torch.no_grad():
            third = self.branch(views[2])
        if len(third) % 2:
            raise ValueError(f"The batch must have an even number of images, not {len(third)}.")
        negative = unit(third).roll(len(third) // 2, dims=0)
        basic = unit(second.detach())
        parts = gradient_parts(basic - negative, basic)
        target = composed(basic, parts, centre=self.centre, residual=self.residual)
        return self.told(pulled(first, target), first)


@torch.no_grad()
def info_nce_parts(acting: Tensor, keys: Tensor, temperature: float) -> GradientParts:
    """``o_e`` and ``r_e`` of InfoNCE with the keys of the batch as negatives.

    ``-dL/dZ_a`` is ``(Z_b - sum_i l_i Z_i) / t`` with ``l`` the softmax over all keys, so that the extra
    gradient is ``-sum_i l_i Z_i``, up to that factor. Large temperatures make ``l`` even, and ``r_e`` vanish.

    Args:
        acting: Shape ``[n, d]``.
        keys: Shape ``[n, d]``; row ``i`` is the positive of row ``i``.
        temperature: Above 0.

    Raises:
        ValueError: The temperature is not above 0.
    """
    if temperature <= 0:
        raise ValueError(f"The temperature must be above 0, not {temperature}.")
    queries, others = unit(acting), unit(keys)
    extra = -(queries @ others.T / temperature).softmax(dim=1) @ others
    centre = extra.mean(dim=0)
    return GradientParts(centre, extra - centre)


def decorrelation(vectors: Tensor) -> Tensor:
    """Sum of the squared covariances of different dimensions over d (algorithm 6; VICReg's covariance term).

    Args:
        vectors: Shape ``[n, d]``, two rows or more.
    """
    covariance = _covariance(vectors)
    apart = covariance.square().sum() - covariance.diagonal().square().sum()
    return apart / vectors.shape[1]


@torch.no_grad()
def decorrelation_gradient(vectors: Tensor) -> Tensor:
    """The gradient of `decorrelation`: ``4 / (d (n - 1))`` times centred vectors times off-diagonal."""
    number, width = vectors.shape
    covariance = _covariance(vectors)
    apart = covariance - torch.diag(covariance.diagonal())
    centred = vectors - vectors.mean(dim=0)
    return 4 / (width * (number - 1)) * centred @ apart


@torch.no_grad()
def alignment(parts: GradientParts, vectors: Tensor) -> tuple[float, float]:
    """Mean cosines of ``o_e`` and of ``r_e`` with the descent of `decorrelation` (figure 5c)."""
    descent = -decorrelation_gradient(vectors)
    centre = functional.cosine_similarity(parts.centre[None], descent, dim=1)
    residual = functional.cosine_similarity(parts.residual, descent, dim=1)
    return float(centre.mean()), float(residual.mean())


@torch.no_grad()
def cosines(vectors: Tensor) -> dict[str, float]:
    """Cosines of unit vectors with their mean and with what is left, as the research code logs them.

    Args:
        vectors: Shape ``[n, d]``; brought to unit length.

    Returns:
        Mean over rows of ``cos(Z, o)``, which is m_o, of ``cos(Z, r)``, and of ``cos(o, r)``; with ``m_o``
        and the root mean square ``m_r``.
    """
    rows = unit(vectors)
    centre = rows.mean(dim=0)
    residual = rows - centre
    return {
        "m_o": float(centre.norm()),
        "m_r": float(residual.square().sum(dim=1).mean().sqrt()),
        "z_o": float(functional.cosine_similarity(rows, centre[None], dim=1).mean()),
        "z_r": float(functional.cosine_similarity(rows, residual, dim=1).mean()),
        "o_r": float(functional.cosine_similarity(centre[None], residual, dim=1).mean()),
    }


@torch.no_grad()
def share_of(vector: Tensor, direction: Tensor) -> float:
    """How much of a direction ``u`` a vector ``v`` contains: ``c`` with ``v - c u`` orthogonal to ``u``.

    Figure 5a reads the share of ``o_p`` in ``o_e`` as about -0.44: the extra gradient of SimSiam pushes
    against the mean of the predictions.
    """
    return float(vector @ direction / direction.square().sum().clamp_min(1e-30))


def _covariance(vectors: Tensor) -> Tensor:
    centred = vectors - vectors.mean(dim=0)
    return centred.T @ centred / (len(vectors) - 1)
