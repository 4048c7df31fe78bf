"""An encoder and its projector as a row of parts, so that a target may average some of them and share others.

The parts are the encoder's ``blocks``, in order, and the projector. Such an encoder is ``pooled`` of the
composition of its blocks, as every `backbones.Backbone` is; one that has not both is a single part.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor, nn

View = Tensor | tuple[Any, ...] | Mapping[str, Any]
"""What an encoder is called with: one tensor, positional arguments as a tuple, or named ones."""


class Branch(nn.Module):
    """An encoder and what projects its features.

    Args:
        encoder: Any module that gives features, shape ``[n, dim]``.
        projector: From features to what the loss compares; ``None`` leaves the features.
    """

    def __init__(self, encoder: nn.Module, projector: nn.Module | None = None) -> None:
        super().__init__()
        self.encoder = encoder
        self.projector = nn.Identity() if projector is None else projector

    @property
    def parts(self) -> tuple[str, ...]:
        """Names of the parts: ``block 1`` and so on (or ``encoder``), then ``projector``."""
        number = len(self._blocks())
        names = [f"block {place}" for place in range(1, number + 1)] if number else ["encoder"]
        return (*names, "projector")

    def named_parts(self) -> Iterator[tuple[str, nn.Module]]:
        """The parts with their modules, for hooks on what they give."""
        modules = self._blocks() or [self.encoder]
        yield from zip(self.parts, [*modules, self.projector], strict=True)

    def part_of(self, name: str) -> int:
        """Place among the parts of a parameter or buffer of the branch.

        What an encoder holds outside its blocks comes after them, so it goes with the last block.
        """
        last = len(self.parts) - 1
        if name.startswith("projector."):
            return last
        if last > 1 and name.startswith("encoder.blocks."):
            return int(name.split(".")[2])
        return last - 1

    def forward(self, given: View, start: int = 0) -> Tensor:
        """Projections, shape ``[n, width]``.

        Args:
            given: The view; with ``start`` what `until` gave, the input of that part.
            start: The first part to run.
        """
        features: Any = given
        if start == 0:
            features = called(self.encoder, given)
        elif start < len(self.parts) - 1:
            for block in self._blocks()[start:]:
                features = block(features)
            pooled: Any = self.encoder.pooled
            features = pooled(features)
        found: Tensor = self.projector(features)
        return found

    def until(self, view: View, start: int) -> View:
        """What enters a part, so that ``forward(until(view, start), start)`` is ``forward(view)``."""
        if start == 0:
            return view
        if start == len(self.parts) - 1:
            return called(self.encoder, view)
        first, *others = self._blocks()[:start]
        found = called(first, view)
        for block in others:
            found = block(found)
        return found

    def _blocks(self) -> list[nn.Module]:
        blocks = getattr(self.encoder, "blocks", None)
        return [] if blocks is None or not hasattr(self.encoder, "pooled") else list(blocks)


def called(module: nn.Module, view: View) -> Tensor:
    """The output of a module for a view."""
    if isinstance(view, Mapping):
        found: Tensor = module(**view)
    elif isinstance(view, tuple):
        found = module(*view)
    else:
        found = module(view)
    return found
