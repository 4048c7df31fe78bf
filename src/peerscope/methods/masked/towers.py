"""Encoders and decoders of rows of tokens, as transformers.

An encoder embeds units, adds positions, reads the visible tokens (MAE) or all of them, and gives codes. A
decoder makes a prediction for each unit from the codes: one linear map (SimMIM, BEiT), the words' own
embedding (BERT) or a transformer that fills hidden places with a learned token (MAE).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from peerscope.methods.masked.units import Units
from peerscope.methods.transformer import (
    EPSILON,
    Block,
    patch_sides,
    sincos_positions,
    start_weights,
)


def pick(tokens: Tensor, kept: Tensor) -> Tensor:
    """The kept tokens of each example: ``[N, L, D]`` and places ``[N, K]`` to ``[N, K, D]``."""
    return tokens.gather(1, kept[:, :, None].expand(-1, -1, tokens.shape[-1]))


def put_back(tokens: Tensor, kept: Tensor, fill: Tensor, length: int) -> Tensor:
    """Kept tokens in their places and ``fill`` in all others: undoes `pick`.

    Args:
        tokens: Shape ``[N, K, D]``.
        kept: Their places, int64, shape ``[N, K]``.
        fill: Shape ``[D]``.
        length: L.

    Returns:
        Shape ``[N, L, D]``.
    """
    width = tokens.shape[-1]
    full = fill.to(tokens.dtype).expand(tokens.shape[0], length, width)
    return full.scatter(1, kept[:, :, None].expand(-1, -1, width), tokens)


class Encoder(nn.Module):
    """What a masked autoencoder asks of an encoder.

    Attributes:
        dim: Width of the codes.
        prefix: Number of tokens before those of the units.
        blocks: Its stages in order.
    """

    dim: int
    prefix: int = 0
    blocks: nn.ModuleList

    def embed(self, units: Units, values: Tensor) -> Tensor:
        """Units, perhaps corrupted, as tokens, shape ``[N, L, D]``, without positions."""
        raise NotImplementedError

    def forward(self, tokens: Tensor, units: Units, kept: Tensor | None = None) -> Tensor:
        """Codes of the kept tokens, or of all, after the prefix, shape ``[N, prefix + K, dim]``."""
        raise NotImplementedError

    def layers(self, tokens: Tensor, units: Units) -> list[Tensor]:
        """What each block makes of all tokens, each of shape ``[N, L, D]``."""
        raise NotImplementedError


class TransformerEncoder(Encoder):
    """A pre-norm transformer over embedded units.

    Args:
        embedding: Units to tokens: a linear map of patches, or an embedding of words.
        dim: Width.
        depth: Number of blocks.
        heads: Of each block.
        positions: ``fixed`` sines and cosines for any grid, or the number of learned positions.
        summary: Whether a learned token stands before the units (MAE's CLS).
        mlp_ratio: See `Block`.
        dropout: See `Block`.
    """

    def __init__(
        self,
        embedding: nn.Module,
        dim: int,
        depth: int,
        heads: int,
        *,
        positions: Literal["fixed"] | int = "fixed",
        summary: bool = True,
        mlp_ratio: float = 4.0,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.dim, self.prefix = dim, int(summary)
        self.embedding = embedding
        self.learned = None if positions == "fixed" else nn.Parameter(torch.empty(positions, dim))
        self.summary = nn.Parameter(torch.empty(dim)) if summary else None
        self.blocks = nn.ModuleList(Block(dim, heads, mlp_ratio, dropout) for _ in range(depth))
        self.norm = nn.LayerNorm(dim, eps=EPSILON)
        self.apply(start_weights)
        for part in (self.learned, self.summary):
            if part is not None:
                nn.init.normal_(part, std=0.02)
        if isinstance(embedding, nn.Embedding):
            nn.init.normal_(embedding.weight, std=0.02)

    def embed(self, units: Units, values: Tensor) -> Tensor:
        """See `Encoder`."""
        found: Tensor = self.embedding(values)
        return found

    def forward(self, tokens: Tensor, units: Units, kept: Tensor | None = None) -> Tensor:
        """See `Encoder`."""
        tokens, present = self._placed(tokens, units), units.present
        if kept is not None:
            tokens = pick(tokens, kept)
            present = None if present is None else present.gather(1, kept)
        tokens, present = self._led(tokens, present)
        for block in self.blocks:
            tokens = block(tokens, present)
        found: Tensor = self.norm(tokens)
        return found

    def layers(self, tokens: Tensor, units: Units) -> list[Tensor]:
        """See `Encoder`."""
        tokens, present = self._led(self._placed(tokens, units), units.present)
        found = []
        for block in self.blocks:
            tokens = block(tokens, present)
            found.append(tokens[:, self.prefix :])
        return found

    def _placed(self, tokens: Tensor, units: Units) -> Tensor:
        if self.learned is None:
            places = sincos_positions(
                units.grid, self.dim, device=tokens.device, dtype=tokens.dtype
            )
        elif tokens.shape[1] > len(self.learned):
            raise ValueError(
                f"{tokens.shape[1]} units are more than the {len(self.learned)} learned positions."
            )
        else:
            places = self.learned[: tokens.shape[1]].to(tokens.dtype)
        return tokens + places

    def _led(self, tokens: Tensor, present: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """With the summary in front, whose position is zero."""
        if self.summary is None:
            return tokens, present
        lead = self.summary.to(tokens.dtype).expand(tokens.shape[0], 1, -1)
        return torch.cat([lead, tokens], dim=1), _led(present, 1)


def _led(present: Tensor | None, prefix: int) -> Tensor | None:
    """Which tokens there are, with a prefix that is always there."""
    if present is None or not prefix:
        return present
    return torch.cat([present.new_ones(present.shape[0], prefix), present], dim=1)


def patch_encoder(
    patch: int | Sequence[int],
    channels: int,
    dim: int,
    depth: int,
    heads: int,
    *,
    axes: int = 2,
    summary: bool = True,
) -> TransformerEncoder:
    """A vision transformer with fixed positions as encoder.

    Args:
        patch: Side of a patch, or one per axis.
        channels: Of the images.
        dim: Width.
        depth: Number of blocks.
        heads: Of each block.
        axes: Of the images: 2, or 1 for sound and 3 for video.
        summary: Whether there is a summary token.
    """
    values = math.prod(patch_sides(patch, axes)) * channels
    return TransformerEncoder(nn.Linear(values, dim), dim, depth, heads, summary=summary)


class Decoder(nn.Module):
    """What a masked autoencoder asks of a decoder.

    Attributes:
        fills: Whether it makes codes for places whose units did not enter the encoder.
    """

    fills = False

    def forward(self, codes: Tensor, units: Units, mask: Tensor, kept: Tensor | None) -> Tensor:
        """A prediction for each unit.

        Args:
            codes: What the encoder gave, its prefix included.
            units: The batch.
            mask: Hidden units, bool, shape ``[N, L]``.
            kept: Places of the units that entered the encoder, shape ``[N, K]``; all if ``None``.

        Returns:
            Shape ``[N, L, T]``.
        """
        raise NotImplementedError


class TransformerDecoder(Decoder):
    """MAE's decoder: a learned token in hidden places, positions, blocks, a linear map.

    Args:
        dim: Width of the encoder's codes.
        width: Its own width.
        depth: Number of blocks.
        heads: Of each block.
        out: Length of a prediction.
        prefix: The encoder's.
    """

    fills = True

    def __init__(
        self, dim: int, width: int, depth: int, heads: int, out: int, prefix: int = 1
    ) -> None:
        super().__init__()
        self.width, self.prefix = width, prefix
        self.enter = nn.Linear(dim, width)
        self.token = nn.Parameter(torch.empty(width))
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(depth))
        self.norm = nn.LayerNorm(width, eps=EPSILON)
        self.leave = nn.Linear(width, out)
        self.apply(start_weights)
        nn.init.normal_(self.token, std=0.02)

    def forward(self, codes: Tensor, units: Units, mask: Tensor, kept: Tensor | None) -> Tensor:
        """See `Decoder`."""
        codes = self.enter(codes)
        lead, tokens = codes[:, : self.prefix], codes[:, self.prefix :]
        if kept is not None:
            tokens = put_back(tokens, kept, self.token, mask.shape[1])
        places = sincos_positions(units.grid, self.width, device=tokens.device, dtype=tokens.dtype)
        tokens = torch.cat([lead, tokens + places], dim=1)
        present = _led(units.present, self.prefix)
        for block in self.blocks:
            tokens = block(tokens, present)
        found: Tensor = self.leave(self.norm(tokens)[:, self.prefix :])
        return found


class LinearDecoder(Decoder):
    """One linear map: SimMIM's head, whose convolution of side 1 and pixel shuffle are this map.

    Args:
        dim: Width of the encoder's codes.
        out: Length of a prediction.
        prefix: The encoder's.
    """

    def __init__(self, dim: int, out: int, prefix: int = 0) -> None:
        super().__init__()
        self.prefix = prefix
        self.leave = nn.Linear(dim, out)
        start_weights(self.leave)

    def forward(self, codes: Tensor, units: Units, mask: Tensor, kept: Tensor | None) -> Tensor:
        """See `Decoder`; all units must have entered the encoder."""
        found: Tensor = self.leave(codes[:, self.prefix :])
        return found


class WordDecoder(Decoder):
    """BERT's head (from memory): a linear map, GELU and norm, then the words' own embedding as weights.

    Args:
        embedding: The encoder's, shared.
        prefix: The encoder's.
    """

    def __init__(self, embedding: nn.Embedding, prefix: int = 0) -> None:
        super().__init__()
        self.prefix, self.embedding = prefix, embedding
        width = embedding.embedding_dim
        linear, norm = nn.Linear(width, width), nn.LayerNorm(width, eps=EPSILON)
        self.transform = nn.Sequential(linear, nn.GELU(), norm)
        self.bias = nn.Parameter(torch.zeros(embedding.num_embeddings))
        self.transform.apply(start_weights)

    def forward(self, codes: Tensor, units: Units, mask: Tensor, kept: Tensor | None) -> Tensor:
        """See `Decoder`: logits of the words."""
        found: Tensor = self.transform(codes[:, self.prefix :])
        return nn.functional.linear(found, self.embedding.weight, self.bias)
