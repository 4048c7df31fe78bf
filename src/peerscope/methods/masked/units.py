"""What is hidden and predicted: patches of images, words of a text, nodes of a graph, as rows of units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from peerscope.methods.transformer import patch_grid, patchify, unpatchify


@dataclass(frozen=True, slots=True)
class Units:
    """A batch as rows of units.

    Attributes:
        values: Shape ``[N, L, P]``; words are numbers, int64, shape ``[N, L]``.
        grid: Units along each axis; their product is L.
        present: Which units there are, bool, shape ``[N, L]``; all if ``None``.
        eligible: Which units may be hidden, bool, shape ``[N, L]``; all if ``None``.
        edges: Of a graph, from node to node, int64, shape ``[2, E]``.
        size: Sides of the images.
    """

    values: Tensor
    grid: tuple[int, ...]
    present: Tensor | None = None
    eligible: Tensor | None = None
    edges: Tensor | None = None
    size: tuple[int, ...] = ()


class Form(Protocol):
    """Takes batches apart into units and puts units together again."""

    def split(self, batch: Any) -> Units:
        """The batch as units."""
        ...

    def join(self, values: Tensor, units: Units) -> Tensor:
        """Units in the form of the batch they were taken from."""
        ...

    def rows(self, codes: Tensor) -> Tensor:
        """Codes of units, shape ``[N, L, D]``, in the form of the batch."""
        ...


@dataclass(frozen=True, slots=True)
class Patches:
    """Images, shape ``[N, C, *size]``, as patches; one axis of size for sound, three for video.

    Attributes:
        patch: Side of a patch, or one per axis.
    """

    patch: int | Sequence[int]

    def split(self, batch: Tensor) -> Units:
        """See `Form`; whole numbers, or sides that are no multiples of the patch's, are a ``ValueError``."""
        if not batch.is_floating_point():
            raise ValueError(
                f"Images are {batch.dtype}: take floating point, as images.float() / 255."
            )
        size = tuple(batch.shape[2:])
        return Units(patchify(batch, self.patch), patch_grid(size, self.patch), size=size)

    def join(self, values: Tensor, units: Units) -> Tensor:
        """See `Form`."""
        return unpatchify(values, self.patch, units.size)

    def rows(self, codes: Tensor) -> Tensor:
        """See `Form`."""
        return codes


@dataclass(frozen=True, slots=True)
class Words:
    """Texts as numbers of words, int64, shape ``[N, L]``.

    Attributes:
        padding: Number that stands for no word; never looked at, never hidden.
        special: Words that are never hidden (starts, ends, separators).
    """

    padding: int | None = None
    special: tuple[int, ...] = ()

    def split(self, batch: Tensor) -> Units:
        """See `Form`."""
        present = None if self.padding is None else batch != self.padding
        eligible = torch.ones_like(batch, dtype=torch.bool) if present is None else present
        for word in self.special:
            eligible = eligible & (batch != word)
        if present is not None:
            # Attention over nothing is no number: an empty text looks at its first place.
            first = torch.arange(batch.shape[1], device=batch.device) == 0
            present = present | (first & ~present.any(dim=1, keepdim=True))
        return Units(batch, (batch.shape[1],), present=present, eligible=eligible)

    def join(self, values: Tensor, units: Units) -> Tensor:
        """See `Form`."""
        return values

    def rows(self, codes: Tensor) -> Tensor:
        """See `Form`."""
        return codes


@dataclass(frozen=True, slots=True)
class Graph:
    """A graph; several graphs are one whose parts do not touch.

    Attributes:
        features: Of the nodes, shape ``[V, F]``.
        edges: From node to node, int64, shape ``[2, E]``.
    """

    features: Tensor
    edges: Tensor

    @classmethod
    def undirected(cls, features: Tensor, edges: Tensor, *, loops: bool = True) -> Graph:
        """Each edge both ways and once, and each node beside itself, as graph layers want it.

        Args:
            features: Shape ``[V, F]``.
            edges: Pairs of nodes, int64, shape ``[2, E]``, in any direction and number.
            loops: Whether each node is joined to itself.

        Raises:
            ValueError: The edges have another shape, or name nodes that are not there.
        """
        number = len(features)
        if edges.dim() != 2 or edges.shape[0] != 2:
            raise ValueError(f"Edges have the shape [2, E], not {tuple(edges.shape)}.")
        if edges.numel() and not 0 <= int(edges.min()) <= int(edges.max()) < number:
            raise ValueError(f"Edges name nodes outside 0 to {number - 1}.")
        both = torch.cat([edges, edges.flip(0)], dim=1)
        both = both[:, both[0] != both[1]]
        if loops:
            own = torch.arange(number, device=edges.device)
            both = torch.cat([both, own.expand(2, -1)], dim=1)
        # One number an edge is quicker to sort than its pair.
        keys: Tensor = torch.unique(both[0] * number + both[1])
        return cls(features, torch.stack([keys // number, keys % number]))


@dataclass(frozen=True, slots=True)
class Nodes:
    """One graph as one row of nodes."""

    def split(self, batch: Graph) -> Units:
        """See `Form`."""
        return Units(batch.features[None], (len(batch.features),), edges=batch.edges)

    def join(self, values: Tensor, units: Units) -> Tensor:
        """See `Form`: shape ``[V, F]``."""
        return values[0]

    def rows(self, codes: Tensor) -> Tensor:
        """See `Form`: shape ``[V, D]``."""
        return codes[0]
