"""Targets from a moving average of the encoder itself, which sees what is hidden: data2vec and iBOT.

data2vec (Baevski et al. 2022): the mean of the top blocks' outputs, each normalised. iBOT
(Zhou et al. 2022): a distribution over learned classes, centred and sharpened. A teacher has
no gradient and never drops anything; buffers are copied from the encoder, not averaged.
"""

from __future__ import annotations

import copy
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.swa_utils import get_ema_multi_avg_fn

from peerscope.methods.masked.distances import precise
from peerscope.methods.masked.targets import Target
from peerscope.methods.masked.towers import Decoder, Encoder
from peerscope.methods.masked.units import Units


class Teacher(Target):
    """A target that a moving average of the encoder makes.

    Args:
        encoder: To be followed; copied here.
        decay: Share of the old average that is kept at a step, at the start and at the end of the training;
            linear in between.

    Raises:
        ValueError: A decay is not in [0, 1].
    """

    def __init__(self, encoder: Encoder, decay: tuple[float, float]) -> None:
        super().__init__()
        if not all(0 <= share <= 1 for share in decay):
            raise ValueError(f"Decays lie in [0, 1], not {decay}.")
        self.encoder = copy.deepcopy(encoder).requires_grad_(False).eval()
        self.decay = decay

    def train(self, mode: bool = True) -> Self:
        """A teacher stays as in evaluation."""
        return super().train(False)

    def follow(self, encoder: Encoder, decoder: nn.Module, progress: float) -> None:
        """See `Target`."""
        _average(self.encoder, encoder, self._share(progress))

    def values(self, predicted: Tensor, units: Units) -> Tensor:
        """See `Target`."""
        raise ValueError("A teacher's features cannot be turned back into the batch.")

    def _share(self, progress: float) -> float:
        start, end = self.decay
        return start + (end - start) * min(max(progress, 0.0), 1.0)


@torch.no_grad()
def _average(average: nn.Module, online: nn.Module, share: float) -> None:
    parts = [part.detach() for part in online.parameters()]
    update = get_ema_multi_avg_fn(share)  # type: ignore[no-untyped-call]
    update(list(average.parameters()), parts, 0)
    for old, new in zip(average.buffers(), online.buffers(), strict=True):
        old.copy_(new)


class FeatureTeacher(Teacher):
    """data2vec's target: mean over the top blocks of their layer-normalised outputs.

    Args:
        encoder: To be followed.
        top: Number of blocks: 6 for images of 12 (from memory); all if there are fewer.
        normalize: Whether the mean is layer-normalised once more.
        decay: See `Teacher`.

    Raises:
        ValueError: ``top`` is below 1.
    """

    def __init__(
        self,
        encoder: Encoder,
        *,
        top: int = 6,
        normalize: bool = False,
        decay: tuple[float, float] = (0.999, 0.9999),
    ) -> None:
        super().__init__(encoder, decay)
        if top < 1:
            raise ValueError(f"The target needs 1 block or more, not {top}.")
        self.top, self.normalize = top, normalize

    @torch.no_grad()
    def forward(self, units: Units, mask: Tensor) -> Tensor:
        """See `Target`: shape ``[N, L, dim]``."""
        tokens = self.encoder.embed(units, units.values)
        found = [precise(layer) for layer in self.encoder.layers(tokens, units)[-self.top :]]
        mean = torch.stack([functional.layer_norm(x, x.shape[-1:]) for x in found]).mean(dim=0)
        return functional.layer_norm(mean, mean.shape[-1:]) if self.normalize else mean


class ClassTeacher(Teacher):
    """iBOT's target of a patch: softmax of the teacher's logits, less a running centre, at a low temperature.

    The centre keeps one class from taking all, the temperature keeps the distribution from becoming even.
    iBOT's other half, agreement of the summary token over two views, is self-distillation without a mask
    and not here.

    Args:
        encoder: To be followed.
        decoder: To be followed too: gives logits of K classes.
        classes: K: 8192 in iBOT.
        temperature: 0.04, rising to 0.07, in iBOT.
        momentum: Of the centre: 0.9 in iBOT.
        decay: See `Teacher`: 0.996 to 1 in iBOT (from memory), along a cosine there.
    """

    centre: Tensor

    def __init__(
        self,
        encoder: Encoder,
        decoder: Decoder,
        classes: int,
        *,
        temperature: float = 0.04,
        momentum: float = 0.9,
        decay: tuple[float, float] = (0.996, 1.0),
    ) -> None:
        super().__init__(encoder, decay)
        self.decoder = copy.deepcopy(decoder).requires_grad_(False).eval()
        self.temperature, self.momentum = temperature, momentum
        self.register_buffer("centre", torch.zeros(classes))
        self.register_buffer("seen", torch.zeros(classes), persistent=False)

    @torch.no_grad()
    def forward(self, units: Units, mask: Tensor) -> Tensor:
        """See `Target`: probabilities, shape ``[N, L, K]``. The centre moves at the next `follow`."""
        codes = self.encoder(self.encoder.embed(units, units.values), units)
        logits = precise(self.decoder(codes, units, mask, None))
        self.seen = logits.mean(dim=(0, 1))
        return ((logits - self.centre) / self.temperature).softmax(dim=-1)

    @torch.no_grad()
    def follow(self, encoder: Encoder, decoder: nn.Module, progress: float) -> None:
        """See `Target`."""
        super().follow(encoder, decoder, progress)
        _average(self.decoder, decoder, self._share(progress))
        self.centre.lerp_(self.seen.to(self.centre.dtype), 1 - self.momentum)
