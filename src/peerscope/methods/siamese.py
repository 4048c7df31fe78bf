"""Siamese learning without negatives: SimSiam, and the variants that show why it does not collapse.

SimSiam (Chen and He 2021) minimises ``-P_a . sg(Z_b)``, averaged over both directions, where ``Z`` is a
projection and ``P = h(Z)`` a prediction, both of unit length. Zhang et al. (ICLR 2022, "How does SimSiam
avoid collapse without negative samples?") take it apart: which of predictor, stop-gradient and asymmetry
keeps the vectors from becoming one point. All variants of their tables 1 and 2 are here; `gradient_parts`
has those of tables 3 and 4.

Their appendix was not at hand: how the predictor is trained in Mirror and Symmetric follows their algorithm 5
for the inverse predictor. Every method returns, beside its loss, the vectors that the loss acts on
(``parts["acted"]``), which are the ones to judge collapse by.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from peerscope.methods.branch import Branch, View
from peerscope.methods.contrastive.pairs import unit

Parts = dict[str, Tensor]


def negative_cosine(acting: Tensor, target: Tensor) -> Tensor:
    """Mean of ``-cos(acting, sg(target))`` over rows, in [-1, 1]; computed in float32 at least.

    Args:
        acting: What the gradient flows into, shape ``[n, d]``.
        target: Shape ``[n, d]``; never differentiated.
    """
    return -(unit(acting) * unit(target.detach())).sum(dim=1).mean()


class NegativeCosine(nn.Module):
    """`negative_cosine` as a loss of queries and keys, for a framework without negatives."""

    def forward(self, queries: Tensor, keys: Tensor) -> Tensor:
        """Mean over the rows."""
        return negative_cosine(queries, keys)


class OnViews(nn.Module):
    """What the methods share: one branch, and what a call returns.

    Args:
        encoder: Any module that gives features, shape ``[n, dim]``.
        projector: From features to projections; ``None`` compares features.
    """

    def __init__(self, encoder: nn.Module, projector: nn.Module | None = None) -> None:
        super().__init__()
        self.branch = Branch(encoder, projector)

    @staticmethod
    def told(loss: Tensor, acted: Tensor) -> tuple[Tensor, Parts]:
        """The loss, and ``loss`` and ``acted`` (unit vectors that the loss acts on), detached, for logs."""
        return loss, {"loss": loss.detach(), "acted": unit(acted.detach())}


class Siamese(OnViews):
    """A loss on the projections of two views; arguments as in `OnViews`."""

    def forward(self, views: Sequence[View]) -> tuple[Tensor, Parts]:
        """The loss of two views of the same things, and what `told` tells."""
        first, second = (self.branch(view) for view in views)
        return self.told(*self.compare(first, second))

    @abstractmethod
    def compare(self, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
        """The loss of the projections of two views, and the vectors of the first that it acts on."""


class Naive(Siamese):
    """No predictor: ``-Z_a . sg(Z_b)``. Collapses (table 2)."""

    def compare(self, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
        """As in `Siamese.compare`."""
        return _both(negative_cosine, first, second), first


class Predicting(Siamese):
    """What the variants with a predictor share.

    Args:
        encoder: As in `OnViews`.
        projector: As in `OnViews`.
        predictor: From projections to predictions of the same width.
    """

    def __init__(
        self, encoder: nn.Module, projector: nn.Module | None, predictor: nn.Module
    ) -> None:
        super().__init__(encoder, projector)
        self.predictor = predictor

    def prediction_loss(self, first: Tensor, second: Tensor) -> Tensor:
        """``D(h(sg(z_a)), sg(z_b))`` both ways: trains the predictor and nothing else."""
        first, second = first.detach(), second.detach()
        return _both(lambda a, b: negative_cosine(self.predictor(a), b), first, second)


class SimSiam(Predicting):
    """``-P_a . sg(Z_b)``, both ways, halved (Chen and He 2021, equations 1 to 4). Does not collapse."""

    def compare(self, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
        """As in `Siamese.compare`; it acts on the predictions."""
        predicted = self.predictor(first), self.predictor(second)
        loss = negative_cosine(predicted[0], second) / 2 + negative_cosine(predicted[1], first) / 2
        return loss, predicted[0]


class Mirror(Predicting):
    """The predictor on the other side: ``-Z_a . sg(h(Z_b))``. Collapses (table 2).

    The predictor has no gradient from that loss and is trained by `prediction_loss` beside it.
    """

    def compare(self, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
        """As in `Siamese.compare`; it acts on the projections."""
        loss = _both(lambda a, b: negative_cosine(a, self.predictor(b)), first, second)
        return loss + self.prediction_loss(first, second), first


class SymmetricPredictor(Predicting):
    """The predictor on both sides: ``-P_a . sg(P_b)``. Collapses (table 2).

    Args:
        encoder: As in `OnViews`.
        projector: As in `OnViews`.
        predictor: As in `SimSiam`.
        separate: Train the predictor by `prediction_loss` as well. Which of the two the paper did was not to
            be found; without, the predictor has no other aim than the collapsing one.
    """

    def __init__(
        self,
        encoder: nn.Module,
        projector: nn.Module | None,
        predictor: nn.Module,
        *,
        separate: bool = False,
    ) -> None:
        super().__init__(encoder, projector, predictor)
        self.separate = separate

    def compare(self, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
        """As in `Siamese.compare`; it acts on the predictions, where the collapse shows first."""
        predicted = self.predictor(first), self.predictor(second)
        loss = _both(negative_cosine, *predicted)
        if self.separate:
            loss = loss + self.prediction_loss(first, second)
        return loss, predicted[0]


class InversePredictor(Predicting):
    """A symmetric predictor with its inverse on the target: ``-P_a . sg(h'(P_b))`` (algorithm 5).

    ``h'`` learns to undo ``h``: ``-h'(sg(P_a)) . sg(Z_a)``; ``h`` is trained by `prediction_loss`. Does not
    collapse (figure 3). Each of the three losses is the mean of its two directions; the printed algorithm
    halves one term of the third only, taken for a misprint.

    Args:
        encoder: As in `OnViews`.
        projector: As in `OnViews`.
        predictor: As in `SimSiam`.
        inverse: A module of the predictor's form.
    """

    def __init__(
        self,
        encoder: nn.Module,
        projector: nn.Module | None,
        predictor: nn.Module,
        inverse: nn.Module,
    ) -> None:
        super().__init__(encoder, projector, predictor)
        self.inverse = inverse

    def compare(self, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
        """As in `Siamese.compare`; it acts on the predictions."""
        predicted = self.predictor(first), self.predictor(second)
        restored = self.inverse(predicted[0].detach()), self.inverse(predicted[1].detach())
        undoing = negative_cosine(restored[0], first) / 2 + negative_cosine(restored[1], second) / 2
        encoding = (
            negative_cosine(predicted[0], restored[1]) / 2
            + negative_cosine(predicted[1], restored[0]) / 2
        )
        return self.prediction_loss(first, second) + undoing + encoding, predicted[0]


class MovingAverage(OnViews):
    """A target for each image that follows its views over time, in place of a predictor. Does not collapse.

    Table 1 of the paper; the bank is as in the research code: random unit vectors at first, a step of
    ``1 - keep`` to the projection of the other view after the loss. Whether the printed result used 0.8 is
    not known.

    Args:
        encoder: As in `OnViews`.
        projector: As in `OnViews`.
        images: Number of images.
        width: Length of the projections.
        keep: Share of the target that stays at an update, in [0, 1].
    """

    bank: Tensor

    def __init__(
        self,
        encoder: nn.Module,
        projector: nn.Module | None,
        images: int,
        width: int,
        *,
        keep: float = 0.8,
    ) -> None:
        super().__init__(encoder, projector)
        if not 0 <= keep <= 1:
            raise ValueError(f"keep must lie from 0 to 1, not at {keep}.")
        self.keep = keep
        self.register_buffer("bank", functional.normalize(torch.randn(images, width), dim=1))

    def forward(self, views: Sequence[View]) -> tuple[Tensor, Parts]:
        """The loss; ``views`` are the two views and the images' places in the bank, int64 ``[n]``."""
        first, second, places = views
        if not isinstance(places, Tensor):
            raise ValueError("The third of the views must be the images' places, an int64 tensor.")
        acting = self.branch(first)
        loss = negative_cosine(acting, self.bank[places])
        if self.training:
            with torch.no_grad():
                moved = self.keep * self.bank[places]
                # Assigned, not written in place: the loss still needs the old values.
                fresh = unit(self.branch(second)).to(self.bank.dtype)
                self.bank = self.bank.index_copy(0, places, moved + (1 - self.keep) * fresh)
        return self.told(loss, acting)


class SameBatch(OnViews):
    """The mean of further views with the current weights as target, no predictor. Collapses (table 1).

    It is the expectation over augmentations that SimSiam's predictor was thought to stand for.
    """

    def forward(self, views: Sequence[View]) -> tuple[Tensor, Parts]:
        """The loss; the first of the views acts, the mean of all others is its target."""
        if len(views) < 2:
            raise ValueError("It takes two views or more.")
        acting = self.branch(views[0])
        with torch.no_grad():
            target = torch.stack([unit(self.branch(view)) for view in views[1:]]).mean(dim=0)
        loss = negative_cosine(acting, target)
        return self.told(loss, acting)


class LinearPredictor(nn.Module):
    """The simplified predictors of Zhang et al. 2022: a bias, a matrix or both, on vectors of unit length.

    Args:
        width: Length of the vectors.
        weight: Whether there is a matrix; it starts as the identity.
        bias: Whether there is a bias; it starts as zero and is added after the matrix.
        squash: Squash what is stored by ``tanh(x / 2)`` before it is used, which bounds it by 1.

    Raises:
        ValueError: There is neither a matrix nor a bias.
    """

    def __init__(
        self, width: int, *, weight: bool = False, bias: bool = True, squash: bool = False
    ) -> None:
        super().__init__()
        if not weight and not bias:
            raise ValueError("A predictor needs a matrix or a bias.")
        self.squash = squash
        self.weight = nn.Parameter(torch.eye(width)) if weight else None
        self.bias = nn.Parameter(torch.zeros(width)) if bias else None

    def forward(self, given: Tensor) -> Tensor:
        """Predictions, shape ``[n, width]`` to the same."""
        found = functional.normalize(given, dim=1)
        if self.weight is not None:
            found = found @ self._used(self.weight).T
        if self.bias is not None:
            found = found + self._used(self.bias)
        return found

    def _used(self, stored: Tensor) -> Tensor:
        return (stored / 2).tanh() if self.squash else stored


def _both(one_way: Callable[[Tensor, Tensor], Tensor], first: Tensor, second: Tensor) -> Tensor:
    return (one_way(first, second) + one_way(second, first)) / 2
