"""An encoder and its projector as a row of parts, so that a target may average some of them and share others.

The parts are the encoder's ``blocks``, in order, and the projector; an encoder without ``blocks`` is one.
Where ``blocks`` is given, their composition and whatever the encoder does after them (pooling, a last norm)
must be the encoder; what an encoder does in front of its blocks belongs into the first of them.
"""

from __future__ import annotations

import copy
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
        blocks = getattr(self.encoder, "blocks", None)
        if blocks is None:
            return ("encoder", "projector")
        return (*(f"block {number}" for number in range(1, len(blocks) + 1)), "projector")

    def named_parts(self) -> Iterator[tuple[str, nn.Module]]:
        """The parts with their modules, for hooks on what they give."""
        blocks = getattr(self.encoder, "blocks", None)
        modules = [self.encoder] if blocks is None else list(blocks)
        yield from zip(self.parts, [*modules, self.projector], strict=True)

    def part_of(self, name: str) -> int:
        """Place among the parts of a parameter or buffer of the branch.

        What an encoder holds outside its blocks comes after them, so it goes with the last block.
        """
        last = len(self.parts) - 1
        if name.startswith("projector."):
            return last
        if name.startswith("encoder.blocks."):
            return int(name.split(".")[2])
        return last - 1

    def forward(self, given: View, start: int = 0) -> Tensor:
        """Projections, shape ``[n, width]``.

        Args:
            given: The view; with ``start`` what `until` gave, the input of that part.
            start: The first part to run.
        """
        last = len(self.parts) - 1
        if start == last:
            features = given
        elif start == 0:
            features = called(self.encoder, given)
        else:
            features = _after(self.encoder, start)(given)
        found: Tensor = self.projector(features)
        return found

    def until(self, view: View, start: int) -> View:
        """What enters a part, so that ``forward(until(view, start), start)`` is ``forward(view)``."""
        if start == 0:
            return view
        if start == len(self.parts) - 1:
            return called(self.encoder, view)
        blocks: Any = self.encoder.blocks
        found: Tensor = called(blocks[0], view)
        for block in blocks[1:start]:
            found = block(found)
        return found


def called(module: nn.Module, view: View) -> Tensor:
    """The output of a module for a view."""
    if isinstance(view, Mapping):
        found: Tensor = module(**view)
    elif isinstance(view, tuple):
        found = module(*view)
    else:
        found = module(view)
    return found


def _after(encoder: nn.Module, start: int) -> nn.Module:
    """The encoder without its first blocks, sharing all that is left; made anew so that modes agree."""
    rest = copy.copy(encoder)
    blocks: Any = encoder.blocks
    rest.__dict__["_modules"] = dict(encoder._modules) | {"blocks": blocks[start:]}
    return rest
