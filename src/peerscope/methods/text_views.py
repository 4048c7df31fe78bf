"""Two random views of texts: a crop and deletions, on rows of token numbers.

What random crops are for images (Meng et al. 2021, COCO-LM, contrast sequences with their crops) and word
deletion for sentences (Wei and Zou 2019). No token is put in another's place, so that a view never says what
the text did not.
"""

from __future__ import annotations

import torch
from torch import Tensor


class TwoTextViews:
    """Draws two views of each text; the counterpart of `augment.TwoViews`.

    Args:
        keep: Least and greatest share of a text's tokens that a crop keeps, from 0 (not included) to 1.
        drop: Chance of each token of the crop to be deleted, from 0 to 1 (not included).
        padding: The number that stands for no token; rows end with it.

    Raises:
        ValueError: A share lies outside its range.
    """

    def __init__(
        self, keep: tuple[float, float] = (0.5, 1.0), drop: float = 0.1, padding: int = 0
    ) -> None:
        if not 0 < keep[0] <= keep[1] <= 1:
            raise ValueError(f"keep must be two rising shares above 0 and up to 1, not {keep}.")
        if not 0 <= drop < 1:
            raise ValueError(f"drop must lie from 0 to below 1, not at {drop}.")
        self.keep, self.drop, self.padding = keep, drop, padding

    def __call__(self, tokens: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Two views, each of the shape of the tokens.

        Args:
            tokens: Shape ``[n, longest]``, int64, padded at the end.
            generator: On the device of the tokens.
        """
        return self.view(tokens, generator), self.view(tokens, generator)

    def view(self, tokens: Tensor, generator: torch.Generator) -> Tensor:
        """One view: of each text a run of its tokens, thinned, moved to the front; never empty if it was not.

        Arguments as in `__call__`.
        """
        number, longest = tokens.shape
        there = tokens != self.padding
        lengths = there.sum(dim=1, keepdim=True)

        def drawn(*shape: int) -> Tensor:
            return torch.rand(shape, generator=generator, device=tokens.device)

        low, high = self.keep
        share = low + (high - low) * drawn(number, 1)
        kept = (share * lengths).ceil().clamp(max=lengths)
        first = (drawn(number, 1) * (lengths - kept + 1)).floor()
        places = torch.arange(longest, device=tokens.device)
        inside = (places >= first) & (places < first + kept)
        stays = inside & (drawn(number, longest) >= self.drop)
        # Where all were deleted, the first of the crop stays.
        stays |= inside & (places == first) & ~stays.any(dim=1, keepdim=True)
        order = (~stays).to(torch.int8).argsort(dim=1, stable=True)
        return tokens.masked_fill(~stays, self.padding).gather(1, order)
