"""A target branch whose weights follow the online ones: as a whole, by block, or in the projector alone.

After each step of the optimiser the target's weights become ``m * target + (1 - m) * online`` (He et al.
2020, equation 2). A mask says which parts of the branch are averaged; all others are the online ones,
without a gradient. So "full" is MoCo's and BYOL's target, "none" a plain stop-gradient (the control that
separates averaging from detaching), and "projector" needs no second pass of the encoder: the online features
are projected once more. Pham et al. (arXiv 2208.05744) compare such masks; only their abstract was at hand,
so that masks, rates and metrics here are our reading.

Unlike `torch.optim.swa_utils.AveragedModel`, whose update is used, nothing is kept twice but what is
averaged, and passes through parts in front of the first averaged one are shared with the online branch.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.optim.swa_utils import get_ema_multi_avg_fn

from peerscope.methods.branch import Branch, View

Buffers = Literal["own", "copy", "average"]


@dataclass(frozen=True, slots=True)
class Ema:
    """How a target follows.

    Attributes:
        mask: Which parts are averaged: ``full``, ``projector``, ``none``, ``prefix-k`` or ``suffix-k`` (the
            first or last k parts, the projector being the last), or one truth value a part.
        start: The rate m at the first step, in [0, 1]. A target averages over about 1 / (1 - m) steps, so
            that short runs need a smaller one.
        end: The rate at the last step, reached along half a cosine; ``None`` keeps it constant.
        buffers: Running statistics of averaged parts: ``own`` lets the target's own passes move them, as in
            MoCo, where they are only used when the target is evaluated; ``copy`` takes the online ones after
            each step; ``average`` averages those too. Passes through shared parts never move the online ones.
    """

    mask: str | Sequence[bool] = "full"
    start: float = 0.99
    end: float | None = None
    buffers: Buffers = "own"

    def __post_init__(self) -> None:
        for rate in (self.start, self.end):
            if rate is not None and not 0 <= rate <= 1:
                raise ValueError(f"The momentum must lie from 0 to 1, not at {rate}.")
        if self.buffers not in ("own", "copy", "average"):
            raise ValueError(f"buffers is own, copy or average, not {self.buffers!r}.")

    def rate(self, step: int, steps: int) -> float:
        """The rate m after ``step`` of ``steps`` steps: ``end - (end - start) (1 + cos(pi t / T)) / 2``."""
        if self.end is None:
            return self.start
        done = min(step / max(steps, 1), 1.0)
        return self.end - (self.end - self.start) * (1 + math.cos(math.pi * done)) / 2


def mask_of(mask: str | Sequence[bool], parts: Sequence[str]) -> tuple[bool, ...]:
    """A mask as one truth value a part, as `Ema.mask` describes it.

    Raises:
        ValueError: It is unknown, or does not fit the number of parts.
    """
    number = len(parts)
    if not isinstance(mask, str):
        if len(mask) != number:
            raise ValueError(
                f"The mask has {len(mask)} values for {number} parts: {', '.join(parts)}."
            )
        return tuple(bool(one) for one in mask)
    kind, _, count = mask.partition("-")
    first = {"full": 0, "projector": number - 1, "none": number}.get(mask)
    if first is not None:
        return tuple(place >= first for place in range(number))
    if kind not in ("prefix", "suffix") or not count.isdigit() or not 1 <= int(count) <= number:
        raise ValueError(
            f"The mask is full, projector, none, prefix-k or suffix-k with k from 1 to {number}, "
            f"not {mask!r}."
        )
    k = int(count)
    return tuple(place < k if kind == "prefix" else place >= number - k for place in range(number))


class Momentum(nn.Module):
    """What a target keeps of a branch, and the target's pass.

    It holds what is averaged as buffers, weights in float32 at least (an average in bfloat16 stands still),
    and borrows all else from the branch, which is therefore given with every call.

    Args:
        branch: The online branch; its weights are the start.
        ema: How the target follows.

    Raises:
        ValueError: The mask does not fit the branch.
    """

    def __init__(self, branch: Branch, ema: Ema) -> None:
        super().__init__()
        self.ema = ema
        self.mask = mask_of(ema.mask, branch.parts)
        self.start = next((place for place, on in enumerate(self.mask) if on), len(self.mask))
        """The first averaged part; a target's pass begins there with what the online branch computed."""
        self._parameters_kept = self._keep(branch, branch.named_parameters())
        self._buffers_kept = self._keep(branch, branch.named_buffers())

    def _keep(self, branch: Branch, named: Iterable[tuple[str, Tensor]]) -> tuple[str, ...]:
        names = []
        for name, tensor in named:
            if self.mask[branch.part_of(name)]:
                weight = isinstance(tensor, nn.Parameter)
                kept = _widened(tensor.detach()) if weight else tensor
                self.register_buffer(_key(name), kept.clone())
                names.append(name)
        return tuple(names)

    @torch.no_grad()
    def forward(self, branch: Branch, given: View) -> Tensor:
        """The target's projections, shape ``[n, width]``, without a gradient.

        Args:
            branch: The online branch.
            given: What enters the part `start`, as of `Branch.until`; for a mask of nothing, the online
                projections themselves.
        """
        if self.start == len(self.mask):
            if not isinstance(given, Tensor):
                raise ValueError("A target that averages nothing takes the online projections.")
            return given.detach()
        tensors = {}
        for name, parameter in branch.named_parameters():
            if name in self._parameters_kept:
                tensors[name] = self.kept(name).to(parameter.dtype)
        for name, buffer in branch.named_buffers():
            if name not in self._buffers_kept:
                tensors[name] = buffer.clone()
            elif self.ema.buffers == "own":
                tensors[name] = self.kept(name)
            else:
                tensors[name] = self.kept(name).clone()
        found: Tensor = functional_call(branch, tensors, (_detached(given), self.start))
        return found

    @torch.no_grad()
    def update(self, branch: Branch, step: int, steps: int) -> float:
        """Follow the online weights after a step of the optimiser; the rate used.

        Args:
            branch: The online branch.
            step: Steps done, this one included.
            steps: Steps of the whole run.
        """
        rate = self.ema.rate(step, steps)
        online = dict(branch.named_parameters()) | dict(branch.named_buffers())
        followed = list(self._parameters_kept)
        if self.ema.buffers != "own":
            for name in self._buffers_kept:
                if self.ema.buffers == "average" and online[name].is_floating_point():
                    followed.append(name)
                else:
                    self.kept(name).copy_(online[name])
        if followed:
            targets = [self.kept(name) for name in followed]
            sources = [
                online[name].detach().to(kept.dtype)
                for name, kept in zip(followed, targets, strict=True)
            ]
            get_ema_multi_avg_fn(rate)(targets, sources, 1)  # type: ignore[no-untyped-call]
        return rate

    def kept(self, name: str) -> Tensor:
        """The target's tensor of a name in the branch."""
        return self.get_buffer(_key(name))

    @torch.no_grad()
    def averaged(self, branch: Branch) -> Branch:
        """The target as a branch of its own, for evaluation: a copy with the averaged weights and buffers."""
        target = copy.deepcopy(branch)
        for name, tensor in [*target.named_parameters(), *target.named_buffers()]:
            if name in self._parameters_kept or name in self._buffers_kept:
                tensor.copy_(self.kept(name))
        return target


def _key(name: str) -> str:
    return name.replace(".", "/")


def _widened(tensor: Tensor) -> Tensor:
    half = tensor.dtype in (torch.float16, torch.bfloat16)
    return tensor.float() if half else tensor


def _detached(given: View) -> View:
    return given.detach() if isinstance(given, Tensor) else given
