"""What is to be predicted of a hidden unit: its pixels, normalised pixels, gradients, token or class.

Normalised pixels: MAE (He et al. 2022), variance and epsilon as in its published code. Histograms of oriented
gradients: MaskFeat (Wei et al. 2022), as in its published code but without the Gaussian window, which is
off there by default too. Tokens: BEiT takes those of a discrete variational autoencoder; here a codebook
found by k-means stands in its place.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from peerscope.methods.masked.distances import precise
from peerscope.methods.masked.towers import Encoder
from peerscope.methods.masked.units import Patches, Units
from peerscope.methods.transformer import patch_sides, patchify

EPSILON = 1e-6
CHUNK = 65_536
"""Values that k-means compares with the centres at a time."""


class Target(nn.Module):
    """What is to be predicted; as it stands, the units' own values (pixels, words, node features)."""

    def forward(self, units: Units, mask: Tensor) -> Tensor:
        """The target of each unit, without gradient.

        Args:
            units: The batch as it was before corruption.
            mask: Hidden units, bool, shape ``[N, L]``.

        Returns:
            Shape ``[N, L, T]``, or classes, int64, shape ``[N, L]``.
        """
        return units.values.detach()

    def values(self, predicted: Tensor, units: Units) -> Tensor:
        """A prediction as values of units, for looking at.

        Raises:
            ValueError: This target says too little for that.
        """
        if units.values.dim() == 2:
            return predicted.argmax(dim=-1)
        return predicted

    def follow(self, encoder: Encoder, decoder: nn.Module, progress: float) -> None:
        """Called after each optimiser step; ``progress`` runs from 0 to 1 over the training."""


class NormalizedPixels(Target):
    """``(t - mean) / sqrt(var + 1e-6)`` over the values of each patch, with the unbiased variance."""

    def forward(self, units: Units, mask: Tensor) -> Tensor:
        """See `Target`."""
        mean, deviation = self._statistics(units)
        return (precise(units.values.detach()) - mean) / deviation

    def values(self, predicted: Tensor, units: Units) -> Tensor:
        """See `Target`. Mean and contrast are those of the true patch: only the pattern is predicted."""
        mean, deviation = self._statistics(units)
        return predicted * deviation + mean

    @staticmethod
    def _statistics(units: Units) -> tuple[Tensor, Tensor]:
        values = precise(units.values.detach())
        if values.shape[-1] < 2:
            raise ValueError("A patch of one value cannot be normalised: take larger patches.")
        variance, mean = torch.var_mean(values, dim=-1, keepdim=True)
        return mean, (variance + EPSILON).sqrt()


class OrientedGradients(Target):
    """Histograms of the directions of brightness, per channel and cell, each of length 1 (MaskFeat).

    Gradients are Sobel's with mirrored borders; a pixel votes with its gradient's length for the one of
    ``bins`` directions over half a turn into which it falls.

    Args:
        patch: Side of a patch.
        cell: Side of a cell in pixels, a divisor of the patch's: 8 in MaskFeat, for patches of 16. The patch
            itself if ``None``.
        bins: Directions; an odd number, or level edges fall on the border of two and rounding decides.

    Raises:
        ValueError: The cell does not divide the patch.
    """

    def __init__(self, patch: int, *, cell: int | None = None, bins: int = 9) -> None:
        super().__init__()
        self.patch, self.cell, self.bins = patch, cell or patch, bins
        if patch % self.cell:
            raise ValueError(f"Cells of {cell} do not divide patches of {patch}.")

    def width(self, channels: int) -> int:
        """Length of a target."""
        return (self.patch // self.cell) ** 2 * self.bins * channels

    def forward(self, units: Units, mask: Tensor) -> Tensor:
        """See `Target`."""
        images = Patches(self.patch).join(units.values.detach(), units)
        histograms = oriented_gradients(images, self.cell, self.bins)
        return patchify(histograms, self.patch // self.cell)

    def values(self, predicted: Tensor, units: Units) -> Tensor:
        """See `Target`."""
        raise ValueError("Histograms of gradients cannot be turned back into pixels.")


def oriented_gradients(images: Tensor, cell: int, bins: int = 9) -> Tensor:
    """Histograms of oriented gradients.

    Args:
        images: Shape ``[N, C, H, W]``; sides are multiples of the cell's.
        cell: Side of a cell.
        bins: Directions over half a turn.

    Returns:
        Shape ``[N, C * bins, H / cell, W / cell]``; each histogram has length 1, or 0 where all is even.
    """
    number, channels, height, width = images.shape
    flat = functional.pad(precise(images.reshape(-1, 1, height, width)), (1, 1, 1, 1), "reflect")
    across = flat.new_tensor([[1.0, 0.0, -1.0], [2.0, 0.0, -2.0], [1.0, 0.0, -1.0]])
    kernels = torch.stack([across, across.T])[:, None]
    with torch.autocast(images.device.type, enabled=False):
        gx, gy = functional.conv2d(flat, kernels).unbind(dim=1)
    direction = (torch.atan2(gx, gy) / math.pi * bins).floor().long() % bins
    votes = flat.new_zeros(flat.shape[0], bins, height, width)
    votes.scatter_(1, direction[:, None], torch.hypot(gx, gy)[:, None])
    sums = functional.avg_pool2d(votes, cell) * cell**2
    found = functional.normalize(sums, dim=1)
    return found.reshape(number, channels * bins, *found.shape[2:])


class CodebookTokens(Target):
    """The number of the nearest of the codebook's patches.

    Args:
        centres: Shape ``[K, P]``; `fitted` finds them.
    """

    centres: Tensor

    def __init__(self, centres: Tensor) -> None:
        super().__init__()
        if centres.dim() != 2 or len(centres) < 2:
            raise ValueError(
                f"A codebook has the shape [K, P] with K above 1, not {tuple(centres.shape)}."
            )
        self.register_buffer("centres", centres.detach().clone())

    @classmethod
    def fitted(
        cls,
        images: Tensor,
        patch: int,
        size: int,
        *,
        steps: int = 20,
        generator: torch.Generator | None = None,
    ) -> CodebookTokens:
        """A codebook of the images' patches by k-means.

        Args:
            images: Shape ``[N, C, H, W]``.
            patch: Side of a patch.
            size: Number of tokens.
            steps: Of Lloyd's algorithm.
            generator: Source of chance.
        """
        values = patchify(images, patch).flatten(0, 1)
        return cls(k_means(values, size, steps=steps, generator=generator))

    def forward(self, units: Units, mask: Tensor) -> Tensor:
        """See `Target`: classes."""
        return nearest(units.values.detach(), self.centres)

    def values(self, predicted: Tensor, units: Units) -> Tensor:
        """See `Target`: the patch of the likeliest token."""
        return self.centres[predicted.argmax(dim=-1)].to(units.values.dtype)


def nearest(values: Tensor, centres: Tensor) -> Tensor:
    """Number of the nearest centre, shapes ``[..., P]`` and ``[K, P]`` to ``[...]``.

    Distances are taken as ``|c|^2 - 2 x c``, after moving the origin to the centres' mean: far from it their
    differences would drown in rounding.
    """
    centres = precise(centres)
    origin = centres.mean(dim=0)
    moved = centres - origin
    # A product in half precision, as autocast would have it, names other tokens.
    with torch.autocast(values.device.type, enabled=False):
        found = moved.square().sum(dim=1) - 2 * (values.to(centres.dtype) - origin) @ moved.T
    return found.argmin(dim=-1)


def k_means(
    values: Tensor, size: int, *, steps: int = 20, generator: torch.Generator | None = None
) -> Tensor:
    """Centres by Lloyd's algorithm from a start that spreads them (k-means++, Arthur and Vassilvitskii 2007).

    Args:
        values: Shape ``[n, P]``.
        size: Number of centres, at most the number of different values.
        steps: At most; ends when nothing moves. A centre that loses all its values stays where it is.
        generator: Source of chance.

    Returns:
        Shape ``[size, P]``.

    Raises:
        ValueError: There are fewer different values than centres.
    """
    values = precise(values)
    centres = _spread_start(values, size, generator)
    for _ in range(steps):
        own = torch.cat([nearest(part, centres) for part in torch.split(values, CHUNK)])
        counts = torch.bincount(own, minlength=size).to(values.dtype)[:, None]
        sums = torch.zeros_like(centres).index_add_(0, own, values)
        moved = torch.where(counts > 0, sums / counts.clamp(min=1), centres)
        if torch.equal(moved, centres):
            break
        centres = moved
    return centres


def _spread_start(values: Tensor, size: int, generator: torch.Generator | None) -> Tensor:
    source = values.device if generator is None else generator.device
    first = torch.randint(len(values), (1,), generator=generator, device=source)
    chosen = [values[first.to(values.device)][0]]
    gaps = (values - chosen[0]).square().sum(dim=1)
    for _ in range(size - 1):
        total = gaps.cumsum(0, dtype=torch.float64)
        if not float(total[-1]) > 0:
            raise ValueError(
                f"There are {len(chosen)} different values, fewer than {size} centres."
            )
        point = torch.rand((1,), generator=generator, device=source, dtype=torch.float64)
        place = torch.searchsorted(total, point.to(total.device) * total[-1], right=True)
        place = place.clamp(max=len(values) - 1)
        chosen.append(values[place][0])
        gaps = gaps.minimum((values - chosen[-1]).square().sum(dim=1))
    return torch.stack(chosen)


def target_width(target: Target, patch: int | Sequence[int], channels: int, axes: int = 2) -> int:
    """Length of a prediction of patches for a target that is not made by a network.

    Args:
        target: Pixels, normalised pixels, gradients or tokens.
        patch: Side of a patch, or one per axis.
        channels: Of the images.
        axes: Of the images.
    """
    if isinstance(target, OrientedGradients):
        return target.width(channels)
    if isinstance(target, CodebookTokens):
        return len(target.centres)
    return math.prod(patch_sides(patch, axes)) * channels
