"""The contrastive losses as modules, called on the embeddings of two views.

    loss = DualTemperature(0.1, 1.0)
    loss(queries, keys).backward()               # negatives: the other keys of the batch
    loss(queries, keys.detach(), queue=queue)    # and those of a queue

`on_scores` is the same loss on a score matrix that the caller has built.
"""

from __future__ import annotations

from abc import abstractmethod

from torch import Tensor, nn

from peerscope.methods.contrastive import scores as functions
from peerscope.methods.contrastive.pairs import Contrast, contrast


class ContrastiveLoss(nn.Module):
    """What the losses share: where the negatives come from.

    Args:
        in_batch: Whether the other keys of the batch are negatives.
        same_view: Whether the other queries are negatives.
        beta: Temperature of the soft dot product, for queries of several heads.
    """

    def __init__(
        self, *, in_batch: bool = True, same_view: bool = False, beta: float = 0.1
    ) -> None:
        super().__init__()
        self.in_batch, self.same_view, self.beta = in_batch, same_view, beta

    def forward(
        self,
        queries: Tensor,
        keys: Tensor,
        *,
        queue: Tensor | None = None,
        excluded: Tensor | None = None,
        log_expected: Tensor | None = None,
    ) -> Tensor:
        """Mean loss over the queries.

        Args:
            queries: Shape ``[n, d]`` or ``[n, heads, d]``.
            keys: Shape ``[n, d]``.
            queue: As in `contrast`.
            excluded: As in `contrast`.
            log_expected: Log of how often each candidate is expected, in the order of `contrast`'s columns,
                shape ``[candidates]``.
        """
        found = self.contrast(queries, keys, queue=queue, excluded=excluded)
        return self.on_scores(
            found.scores, found.positives, excluded=found.excluded, log_expected=log_expected
        )

    def contrast(
        self,
        queries: Tensor,
        keys: Tensor,
        *,
        queue: Tensor | None = None,
        excluded: Tensor | None = None,
    ) -> Contrast:
        """The score matrix that the loss is taken of; arguments as in `forward`."""
        return contrast(
            queries, keys, queue=queue, in_batch=self.in_batch, same_view=self.same_view,
            excluded=excluded, beta=self.beta,
        )  # fmt: skip

    @abstractmethod
    def on_scores(
        self,
        scores: Tensor,
        positives: Tensor,
        *,
        excluded: Tensor | None = None,
        log_expected: Tensor | None = None,
    ) -> Tensor:
        """Mean loss over the rows of a score matrix; arguments as in `sampled_softmax`."""


class InfoNCE(ContrastiveLoss):
    """InfoNCE (van den Oord et al. 2018, equation 4).

    Args:
        temperature: Above 0.
        in_batch: As in `ContrastiveLoss`.
        same_view: As in `ContrastiveLoss`; both together are the NT-Xent of SimCLR.
        beta: As in `ContrastiveLoss`.

    Raises:
        ValueError: The temperature is not above 0.
    """

    def __init__(
        self,
        temperature: float = 0.1,
        *,
        in_batch: bool = True,
        same_view: bool = False,
        beta: float = 0.1,
    ) -> None:
        super().__init__(in_batch=in_batch, same_view=same_view, beta=beta)
        self.temperature = _above(temperature)

    def on_scores(
        self,
        scores: Tensor,
        positives: Tensor,
        *,
        excluded: Tensor | None = None,
        log_expected: Tensor | None = None,
    ) -> Tensor:
        """`scores.sampled_softmax`."""
        return functions.sampled_softmax(
            scores, positives, self.temperature, excluded=excluded, log_expected=log_expected
        )


class SampledSoftmax(InfoNCE):
    """InfoNCE with the logQ correction (Yi et al. 2019): refuses to run without the expected counts."""

    def on_scores(
        self,
        scores: Tensor,
        positives: Tensor,
        *,
        excluded: Tensor | None = None,
        log_expected: Tensor | None = None,
    ) -> Tensor:
        """`scores.sampled_softmax` with its correction.

        Raises:
            ValueError: ``log_expected`` is missing.
        """
        if log_expected is None:
            raise ValueError("Sampled softmax needs log_expected; without it, use InfoNCE.")
        return super().on_scores(scores, positives, excluded=excluded, log_expected=log_expected)


class Decoupled(InfoNCE):
    """Decoupled contrast (Yeh et al. 2022): InfoNCE without the positive in the denominator."""

    def on_scores(
        self,
        scores: Tensor,
        positives: Tensor,
        *,
        excluded: Tensor | None = None,
        log_expected: Tensor | None = None,
    ) -> Tensor:
        """`scores.decoupled`."""
        return functions.decoupled(
            scores, positives, self.temperature, excluded=excluded, log_expected=log_expected
        )


class DualTemperature(InfoNCE):
    """Dual temperature (Zhang et al., CVPR 2022), defaults of the official code.

    Args:
        temperature: Within an anchor, above 0.
        outer_temperature: Between anchors, above 0.
        in_batch: As in `ContrastiveLoss`.
        same_view: As in `ContrastiveLoss`; off in the official code.
        beta: As in `ContrastiveLoss`.

    Raises:
        ValueError: A temperature is not above 0.
    """

    def __init__(
        self,
        temperature: float = 0.1,
        outer_temperature: float = 1.0,
        *,
        in_batch: bool = True,
        same_view: bool = False,
        beta: float = 0.1,
    ) -> None:
        super().__init__(temperature, in_batch=in_batch, same_view=same_view, beta=beta)
        self.outer_temperature = _above(outer_temperature)

    def on_scores(
        self,
        scores: Tensor,
        positives: Tensor,
        *,
        excluded: Tensor | None = None,
        log_expected: Tensor | None = None,
    ) -> Tensor:
        """`scores.dual_temperature`."""
        return functions.dual_temperature(
            scores, positives, self.temperature, self.outer_temperature,
            excluded=excluded, log_expected=log_expected,
        )  # fmt: skip


class ScaleMatched(DualTemperature):
    """The control of `DualTemperature`: its mean weight on InfoNCE's own gradient; not in the paper."""

    def on_scores(
        self,
        scores: Tensor,
        positives: Tensor,
        *,
        excluded: Tensor | None = None,
        log_expected: Tensor | None = None,
    ) -> Tensor:
        """`scores.scale_matched`."""
        return functions.scale_matched(
            scores, positives, self.temperature, self.outer_temperature,
            excluded=excluded, log_expected=log_expected,
        )  # fmt: skip


class HingeAttention(ContrastiveLoss):
    """DPSR's hinge over the soft dot product of several heads (SIGIR 2020, equations 1 and 2).

    Args:
        margin: In cosines, 0 or more; 0.1 in the paper.
        beta: Temperature of the soft dot product; the paper does not state it.
        in_batch: As in `ContrastiveLoss`.

    Raises:
        ValueError: The margin is below 0.
    """

    def __init__(self, margin: float = 0.1, *, beta: float = 0.1, in_batch: bool = True) -> None:
        super().__init__(in_batch=in_batch, beta=beta)
        if margin < 0:
            raise ValueError(f"The margin must be 0 or more, not {margin}.")
        self.margin = margin

    def on_scores(
        self,
        scores: Tensor,
        positives: Tensor,
        *,
        excluded: Tensor | None = None,
        log_expected: Tensor | None = None,
    ) -> Tensor:
        """`scores.hinge_attention`.

        Raises:
            ValueError: ``log_expected`` is given: a hinge has no softmax to correct.
        """
        if log_expected is not None:
            raise ValueError("The hinge takes no log_expected: it has no softmax to correct.")
        return functions.hinge_attention(scores, positives, self.margin, excluded=excluded)


def _above(temperature: float) -> float:
    if temperature <= 0:
        raise ValueError(f"The temperature must be above 0, not {temperature}.")
    return temperature
