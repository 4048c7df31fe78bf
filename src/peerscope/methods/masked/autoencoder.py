"""The masked autoencoder of six choices.

    m = masker(grid);  z = encoder(visible or all units);  y = decoder(z);  loss = distance_m(y, target(x))

The choices: corruption, masker with its ratio, which units enter the encoder, decoder, target, distance
(our reading of the survey of Zhang et al. 2022, arXiv 2208.00173; formulas are those of the surveyed
methods). `presets` holds the published combinations. Chance lies in the caller's hand: `forward` and
`reconstruct` take a generator or a mask, and `encode` never hides anything.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from peerscope.methods.masked.corruptions import Corruption
from peerscope.methods.masked.distances import Distance
from peerscope.methods.masked.masking import Masker
from peerscope.methods.masked.targets import Target
from peerscope.methods.masked.towers import Decoder, Encoder
from peerscope.methods.masked.units import Form, Units

Pool = Literal["none", "mean", "summary"]


@dataclass(frozen=True, slots=True)
class Reconstruction:
    """What a masked autoencoder makes of a batch.

    Attributes:
        mask: Hidden units, bool, shape ``[N, L]``.
        loss: As in training.
        predicted: The prediction of all units, in the form of the batch.
        filled: The batch with the prediction in hidden places.
        shown: The batch as the encoder had it: corrupted, or with zero in places that are left out or
            take a token.
    """

    mask: Tensor
    loss: Tensor
    predicted: Tensor
    filled: Tensor
    shown: Tensor


class MaskedAutoencoder(nn.Module):
    """Predicts hidden units from the others.

    Args:
        form: Takes batches apart: `Patches`, `Words` or `Nodes`.
        masker: Draws what is hidden.
        corruption: What is put in its place.
        entering: Whether ``visible`` units enter the encoder or ``all``.
        encoder: Makes codes.
        decoder: Makes predictions from codes.
        target: What is to be predicted.
        distance: How far off a prediction is.

    Raises:
        ValueError: Choices that do not go together.
    """

    def __init__(
        self,
        form: Form,
        *,
        masker: Masker,
        corruption: Corruption,
        entering: Literal["visible", "all"],
        encoder: Encoder,
        decoder: Decoder,
        target: Target,
        distance: Distance,
    ) -> None:
        super().__init__()
        if entering == "all" and corruption.leaves_out:
            raise ValueError(
                "All units enter the encoder and none is changed, so the answer would lie open: take a "
                "corruption, or let visible units enter only."
            )
        if entering == "visible" and corruption.needs_all:
            raise ValueError(
                f"{type(corruption).__name__} replaces units that do not enter the encoder: let all enter."
            )
        if entering == "visible" and not decoder.fills:
            raise ValueError(
                f"{type(decoder).__name__} has nothing to put where no unit entered: let all enter, or "
                "take a decoder that fills."
            )
        self.form, self.masker, self.entering = form, masker, entering
        self.corruption, self.encoder, self.decoder = corruption, encoder, decoder
        self.target, self.distance = target, distance

    @property
    def dim(self) -> int:
        """Width of the codes."""
        return self.encoder.dim

    def forward(
        self,
        batch: Any,
        *,
        mask: Tensor | None = None,
        generator: torch.Generator | None = None,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss of a batch.

        Args:
            batch: In the form of the data: images, numbers of words, a `Graph`.
            mask: What to hide, bool, shape ``[N, L]``; drawn if ``None``.
            generator: Source of chance; PyTorch's own if ``None``.

        Returns:
            The loss, and detached: ``loss``, and ``hidden``, the share of hidden units.

        Raises:
            ValueError: The mask has another shape, hides all or nothing of an example that enters in part,
                or hides different numbers in a batch of which visible units enter.
        """
        units = self.form.split(batch)
        mask, _, predicted = self._predicted(units, mask, generator)
        loss = self.distance(predicted, self.target(units, mask), mask)
        return loss, {"loss": loss.detach(), "hidden": mask.float().mean()}

    def encode(self, batch: Any, *, pool: Pool = "none") -> Tensor:
        """Codes of a batch with nothing hidden; the same at every call, but for dropout while training.

        Args:
            batch: As in `forward`.
            pool: ``none``: a code of each unit, shape ``[N, L, dim]`` (of a graph ``[V, dim]``); ``mean``:
                their mean, ``[N, dim]``; ``summary``: the code of the summary token, ``[N, dim]``.

        Raises:
            ValueError: The encoder has no summary token, or ``pool`` is unknown.
        """
        if pool not in ("none", "mean", "summary"):
            raise ValueError(f"pool is none, mean or summary, not {pool!r}.")
        units = self.form.split(batch)
        codes: Tensor = self.encoder(self.encoder.embed(units, units.values), units)
        if pool == "summary":
            if not self.encoder.prefix:
                raise ValueError("This encoder has no summary token: take the mean.")
            return codes[:, 0]
        codes = codes[:, self.encoder.prefix :]
        if pool == "none":
            return self.form.rows(codes)
        if units.present is None:
            return codes.mean(dim=1)
        counts = units.present.sum(dim=1, keepdim=True).clamp(min=1)
        return (codes * units.present[:, :, None]).sum(dim=1) / counts

    @torch.no_grad()
    def reconstruct(
        self,
        batch: Any,
        *,
        mask: Tensor | None = None,
        generator: torch.Generator | None = None,
    ) -> Reconstruction:
        """What the model makes of a batch, in evaluation, under the caller's mask or generator.

        Args:
            batch: As in `forward`.
            mask: As in `forward`.
            generator: As in `forward`.

        Raises:
            ValueError: As in `forward`, or the target cannot be turned back into the batch.
        """
        modes = [(part, part.training) for part in self.modules()]
        self.eval()
        try:
            units = self.form.split(batch)
            mask, given, predicted = self._predicted(units, mask, generator)
            loss = self.distance(predicted, self.target(units, mask), mask)
            values = self.target.values(predicted, units).to(units.values.dtype)
        finally:
            for part, mode in modes:
                part.training = mode
        hidden = mask if values.dim() == 2 else mask[:, :, None]
        shown = given.masked_fill(hidden, 0) if given is units.values else given
        join = self.form.join
        return Reconstruction(
            mask,
            loss,
            join(values, units),
            join(torch.where(hidden, values, units.values), units),
            join(shown, units),
        )

    def after_step(self, step: int, steps: int) -> None:
        """Let the target follow the encoder; call it after each optimiser step.

        Args:
            step: Steps done, from 1.
            steps: Steps in all.
        """
        self.target.follow(self.encoder, self.decoder, step / max(steps, 1))

    def backbone(self, pool: Pool = "mean") -> Backbone:
        """The encoder as images, or whatever the data are, to features; the weights are shared."""
        return Backbone(self, pool)

    def _predicted(
        self, units: Units, mask: Tensor | None, generator: torch.Generator | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The mask, the units as they were given to the encoder, the prediction of each unit."""
        values, visible = units.values, None
        number, length = values.shape[0], math.prod(units.grid)
        if mask is None:
            mask = self.masker(
                number,
                units.grid,
                eligible=units.eligible,
                generator=generator,
                device=values.device,
            )
            if units.eligible is None:
                visible = self.masker.visible(units.grid)
        elif mask.shape != (number, length) or mask.dtype != torch.bool:
            raise ValueError(
                f"The mask must be bool of shape {(number, length)}, not {tuple(mask.shape)}."
            )
        mask = mask.to(values.device)
        kept = self._kept(mask, visible) if self.entering == "visible" else None
        given = self.corruption(values, mask, generator)
        tokens = self.corruption.embedded(self.encoder.embed(units, given), mask)
        predicted: Tensor = self.decoder(self.encoder(tokens, units, kept), units, mask, kept)
        return mask, given, predicted

    @staticmethod
    def _kept(mask: Tensor, visible: int | None) -> Tensor:
        """Places of visible units in order, shape ``[N, K]``. Attention does not care about their order."""
        if visible is None:
            counts = (~mask).sum(dim=1)
            visible = int(counts.min())
            if visible != int(counts.max()):
                raise ValueError(
                    "The mask hides different numbers of units in a batch, so visible ones do not stack: "
                    "take an exact masker, or let all units enter."
                )
        if not 0 < visible < mask.shape[1]:
            raise ValueError(
                f"{visible} of {mask.shape[1]} units are visible: there must be some to read and some to "
                "predict."
            )
        return mask.byte().argsort(dim=1, stable=True)[:, :visible]


class Backbone(nn.Module):
    """The encoder of a masked autoencoder, without masks, for probes and fine-tuning.

    Args:
        method: Whose encoder.
        pool: See `MaskedAutoencoder.encode`.

    Attributes:
        dim: Length of the features.
        blocks: The encoder's stages.
    """

    def __init__(self, method: MaskedAutoencoder, pool: Pool = "mean") -> None:
        super().__init__()
        self.encoder, self.dim, self.blocks = method.encoder, method.dim, method.encoder.blocks
        # Held apart from the submodules: decoder and target are no part of a backbone.
        self._encode = [method.encode]
        self.pool = pool

    def forward(self, batch: Any) -> Tensor:
        """Features, shape ``[N, dim]``."""
        return self._encode[0](batch, pool=self.pool)
