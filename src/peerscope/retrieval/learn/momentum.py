"""Targets that follow both towers: projector-only momentum (Pham et al. 2022), where the front is fixed.

What is averaged is what lies behind the text's vector, heads and item tower; the front and the embeddings of
categories are shared, so that a target costs a second pass of the towers and none of the text.
"""

from __future__ import annotations

import copy
from itertools import chain
from typing import Any

from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from peerscope.retrieval.learn.model import Model

AVERAGED = ("heads", "item")


class Target:
    """The towers as they were a while ago.

    Args:
        model: The towers that are trained.
        rate: Share m of a target's weights that stays at each step, in [0, 1).
    """

    def __init__(self, model: Model, rate: float) -> None:
        # Everything else is the trained model's own, and follows it by itself.
        self.model = copy.copy(model)
        own = {name: copy.deepcopy(model.get_submodule(name)) for name in AVERAGED}
        self.model.__dict__["_modules"] = dict(model._modules) | own
        self._pairs = list(zip(_weights(self.model), _weights(model), strict=True))
        for kept, _ in self._pairs:
            kept.requires_grad_(False)
        self._average = get_ema_multi_avg_fn(rate)  # type: ignore[no-untyped-call]

    def follow(self) -> None:
        """Move towards the trained towers, after a step of the optimiser."""
        kept, online = zip(*self._pairs, strict=True)
        self._average(list(kept), list(online), 0)

    def state(self) -> list[Tensor]:
        """The weights, for a checkpoint."""
        return [kept for kept, _ in self._pairs]

    def restore(self, state: list[Any]) -> None:
        """Take the weights of a checkpoint."""
        for (kept, _), stated in zip(self._pairs, state, strict=True):
            kept.data.copy_(stated)


def _weights(model: Model) -> list[nn.Parameter]:
    return list(chain.from_iterable(model.get_submodule(name).parameters() for name in AVERAGED))
