"""Batches of resident images by the number of the step.

Order and chance of a batch follow from the seed and its number alone, so that a run goes on where it stopped
without any state of a loader. Images stay where they are, ``uint8`` on the device that trains: a batch is one
gather and the views made of it, and nothing waits for a worker.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor


class Batches:
    """Shuffled batches; a pass leaves out what does not fill the last one.

    Args:
        images: Shape ``[n, ...]``, on the device to train on.
        size: Images of a batch, at most n.
        views: From images and a generator on their device to what the method takes, such as `TwoViews`;
            ``None`` gives the images.
        labels: Shape ``[n]``; with them a batch is a pair of views and labels.
        seed: Of order and views.

    Raises:
        ValueError: The size is not between 1 and n, or labels and images differ in number.
    """

    def __init__(
        self,
        images: Tensor,
        size: int,
        views: Callable[[Tensor, torch.Generator], Any] | None = None,
        *,
        labels: Tensor | None = None,
        seed: int = 0,
    ) -> None:
        if not 1 <= size <= len(images):
            raise ValueError(f"A batch has 1 to {len(images)} images, not {size}.")
        if labels is not None and len(labels) != len(images):
            raise ValueError(f"There are {len(images)} images and {len(labels)} labels.")
        self._images, self._labels = images, labels
        self._size, self._views, self._seed = size, views, seed
        self._pass = -1
        self._order = torch.empty(0, dtype=torch.int64)

    def __len__(self) -> int:
        """Batches of a pass."""
        return len(self._images) // self._size

    def __call__(self, step: int) -> Any:
        """The batch of a step, numbered from 0 over all passes."""
        number, place = divmod(step, len(self))
        if number != self._pass:
            source = generator_of("cpu", self._seed, 0, number)
            order = torch.randperm(len(self._images), generator=source)
            self._pass, self._order = number, order.to(self._images.device)
        chosen = self._order[place * self._size : (place + 1) * self._size]
        batch: Any = self._images[chosen]
        if self._views is not None:
            batch = self._views(batch, generator_of(batch.device, self._seed, 1, step))
        return batch if self._labels is None else (batch, self._labels[chosen])


def generator_of(device: torch.device | str, *numbers: int) -> torch.Generator:
    """A generator whose stream depends on all the numbers, each 0 or more.

    The CPU's generator keeps 32 bits of its seed, so the numbers are mixed into them.
    """
    seed = int(np.random.SeedSequence(numbers).generate_state(1, np.uint32)[0])
    return torch.Generator(device).manual_seed(seed)
