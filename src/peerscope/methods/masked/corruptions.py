"""What is put in place of what is hidden: nothing, a learned token, noise, other words, other nodes.

A corruption acts on the units as they come in (pixels, word numbers, node features), on the embedded
tokens, or on neither. Noise: the denoising autoencoder (Vincent et al. 2008). Mask token: BEiT, SimMIM.
Words: BERT (Devlin et al. 2019). Nodes: GraphMAE (Hou et al. 2022).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from peerscope.methods.masked.masking import uniform


class Corruption(nn.Module):
    """Changes hidden units; as it stands, it leaves all as it is.

    Attributes:
        leaves_out: Whether hidden units stay as they are, so that the encoder must not see them.
        needs_all: Whether it works only where hidden units enter the encoder.
    """

    leaves_out = False
    needs_all = False

    def forward(
        self, values: Tensor, mask: Tensor, generator: torch.Generator | None = None
    ) -> Tensor:
        """Change the units as they come in.

        Args:
            values: Shape ``[N, L, P]`` or, for words, ``[N, L]``.
            mask: Hidden units, bool, shape ``[N, L]``.
            generator: Source of chance.
        """
        return values

    def embedded(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """Change the embedded tokens, shape ``[N, L, D]``, before positions are added."""
        return tokens


class LeaveOut(Corruption):
    """Hidden units do not enter the encoder (MAE)."""

    leaves_out = True


class MaskToken(Corruption):
    """A learned token in place of hidden ones (SimMIM, BEiT, data2vec, iBOT).

    Args:
        width: Of the encoder's tokens.
    """

    needs_all = True

    def __init__(self, width: int) -> None:
        super().__init__()
        self.token = nn.Parameter(torch.empty(width))
        nn.init.normal_(self.token, std=0.02)

    def embedded(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """Replace, shape ``[N, L, D]`` to the same."""
        return torch.where(mask[:, :, None], self.token.to(tokens.dtype), tokens)


class GaussianNoise(Corruption):
    """Normal noise on each value of hidden units.

    Args:
        sigma: Standard deviation, in units of the values.

    Raises:
        ValueError: Sigma is not above 0.
    """

    def __init__(self, sigma: float = 0.5) -> None:
        super().__init__()
        if sigma <= 0:
            raise ValueError(f"Noise needs a deviation above 0, not {sigma}.")
        self.sigma = sigma

    def forward(
        self, values: Tensor, mask: Tensor, generator: torch.Generator | None = None
    ) -> Tensor:
        """Add the noise."""
        source = values.device if generator is None else generator.device
        noise = torch.randn(values.shape, generator=generator, device=source)
        noise = noise.to(values.device, values.dtype)
        return torch.where(mask[:, :, None], values + self.sigma * noise, values)


class ZeroNoise(Corruption):
    """Each value of hidden units is zero with a chance: the masking noise of Vincent et al. 2008.

    Args:
        share: The chance, in (0, 1].

    Raises:
        ValueError: It is not.
    """

    def __init__(self, share: float = 0.25) -> None:
        super().__init__()
        if not 0 < share <= 1:
            raise ValueError(f"The share of zeros lies in (0, 1], not {share}.")
        self.share = share

    def forward(
        self, values: Tensor, mask: Tensor, generator: torch.Generator | None = None
    ) -> Tensor:
        """Put in the zeros."""
        hit = uniform(values.shape, generator, values.device) < self.share
        return values.masked_fill(hit & mask[:, :, None], 0.0)


class SaltAndPepper(Corruption):
    """Each value of hidden units becomes the lowest or the highest value with a chance, both alike.

    Args:
        share: The chance, in (0, 1].
        low: Lowest value.
        high: Highest value.

    Raises:
        ValueError: The share is not in (0, 1].
    """

    def __init__(self, share: float = 0.25, low: float = 0.0, high: float = 1.0) -> None:
        super().__init__()
        if not 0 < share <= 1:
            raise ValueError(f"The share of salt and pepper lies in (0, 1], not {share}.")
        self.share, self.low, self.high = share, low, high

    def forward(
        self, values: Tensor, mask: Tensor, generator: torch.Generator | None = None
    ) -> Tensor:
        """Put in salt and pepper."""
        chance = uniform(values.shape, generator, values.device)
        hidden = mask[:, :, None]
        found = values.masked_fill((chance < self.share / 2) & hidden, self.low)
        high = (chance >= self.share / 2) & (chance < self.share) & hidden
        return found.masked_fill(high, self.high)


class OtherWords(Corruption):
    """Of the hidden words 80% become the mask word, 10% a random word, 10% stay (BERT, from memory).

    Args:
        mask_word: Number of the mask word.
        vocabulary: Number of words.
        masked: Share that becomes the mask word.
        random: Share that becomes a random word.
        special: Words that are never put in at random (the mask word never is).

    Raises:
        ValueError: The shares are negative or exceed 1, or no word is left to draw.
    """

    needs_all = True
    ordinary: Tensor

    def __init__(
        self,
        mask_word: int,
        vocabulary: int,
        *,
        masked: float = 0.8,
        random: float = 0.1,
        special: Sequence[int] = (),
    ) -> None:
        super().__init__()
        if min(masked, random) < 0 or masked + random > 1 or masked + random == 0:
            raise ValueError(
                f"Shares of {masked} and {random} must be 0 or more and at most 1 in sum."
            )
        out = {mask_word, *special}
        ordinary = [word for word in range(vocabulary) if word not in out]
        if not ordinary:
            raise ValueError("The vocabulary holds special words only.")
        self.mask_word, self.masked, self.random = mask_word, masked, random
        self.register_buffer("ordinary", torch.tensor(ordinary), persistent=False)

    def forward(
        self, values: Tensor, mask: Tensor, generator: torch.Generator | None = None
    ) -> Tensor:
        """Put in the words, int64, shape ``[N, L]``."""
        chance = uniform(values.shape, generator, values.device)
        drawn = uniform(values.shape, generator, values.device) * len(self.ordinary)
        other = self.ordinary[drawn.long()]
        found = values.masked_fill(mask & (chance < self.masked), self.mask_word)
        exchanged = mask & (chance >= self.masked) & (chance < self.masked + self.random)
        return torch.where(exchanged, other, found)


class OtherNodes(Corruption):
    """A learned token on most of the hidden nodes, another node's features on the rest (GraphMAE).

    As in the published code ``int((1 - replace) n)`` of ``n`` hidden nodes take the token, which starts at
    zero, and ``int(replace n)`` the features of nodes drawn without repeats; where the two do not add up to
    ``n``, a node keeps its own.

    Args:
        features: Length of a node's features.
        replace: Share of the hidden nodes that take another node's features, in [0, 1): 0.05 for Cora.

    Raises:
        ValueError: The share is not in [0, 1).
    """

    needs_all = True

    def __init__(self, features: int, replace: float = 0.05) -> None:
        super().__init__()
        if not 0 <= replace < 1:
            raise ValueError(f"The share of exchanged nodes lies in [0, 1), not {replace}.")
        self.replace = replace
        self.token = nn.Parameter(torch.zeros(features))

    def forward(
        self, values: Tensor, mask: Tensor, generator: torch.Generator | None = None
    ) -> Tensor:
        """Replace the features of hidden nodes, shape ``[1, V, F]``."""
        hidden = mask[0].nonzero()[:, 0]
        number = len(hidden)
        order = hidden[uniform((number,), generator, values.device).argsort()]
        taking = order[: int((1 - self.replace) * number)]
        exchanged = order[number - int(self.replace * number) :]
        sources = uniform((values.shape[1],), generator, values.device).argsort()[: len(exchanged)]
        rows = values[0]
        found = rows.index_copy(0, taking, self.token.to(rows.dtype).expand(len(taking), -1))
        return found.index_copy(0, exchanged, rows[sources])[None]
