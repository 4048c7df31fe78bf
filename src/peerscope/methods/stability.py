"""How much gradients fluctuate, block by block, and how fast a target moves.

Pham et al. (arXiv 2208.05744) report that the gradient of the loss with respect to the outputs of blocks
fluctuates most in the last layers; their exact measure was not at hand. These are ours: with ``g`` the
gradient with respect to a block's output, for one step, the coefficient of variation over steps of the mean
norm of a sample's ``g``; the cosine of the mean ``g`` of a step with that of the step before; and the length
of their difference relative to the later one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.hooks import RemovableHandle


@dataclass(frozen=True, slots=True)
class Stability:
    """Of one module, over the steps seen.

    Attributes:
        steps: Steps in which a gradient arrived.
        norm: Mean over steps of the mean norm of a sample's gradient.
        variation: Deviation of that over steps, relative to the mean.
        cosine: Mean cosine of the mean gradients of successive steps; 0 before there are two.
        change: Mean length of their difference, relative to the later one; 0 before there are two.
    """

    steps: int
    norm: float
    variation: float
    cosine: float
    change: float


class GradientMeter:
    """Watches the gradients with respect to what modules give.

        with GradientMeter(dict(branch.named_parts())) as meter:
            for batch in batches:
                ...; loss.backward(); ...
                meter.step()
        meter.report()["projector"].variation

    A module that is called several times in a step (once a view) counts all its samples.

    Args:
        modules: Name to a module whose output is one tensor of samples first.
    """

    def __init__(self, modules: Mapping[str, nn.Module]) -> None:
        self._arrived: dict[str, list[Tensor]] = {name: [] for name in modules}
        self._norms: dict[str, list[Tensor]] = {name: [] for name in modules}
        self._pairs: dict[str, list[Tensor]] = {name: [] for name in modules}
        self._before: dict[str, Tensor] = {}
        self._handles: list[RemovableHandle] = []
        self._modules = dict(modules)

    def __enter__(self) -> GradientMeter:
        for name, module in self._modules.items():
            self._handles.append(module.register_forward_hook(self._watch(name)))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles.clear()

    def _watch(self, name: str) -> Callable[[nn.Module, object, Tensor], None]:
        def arrived(slope: Tensor) -> None:
            self._arrived[name].append(slope.detach().flatten(1).float())

        def hook(module: nn.Module, given: object, found: Tensor) -> None:
            if found.requires_grad:
                found.register_hook(arrived)  # type: ignore[no-untyped-call]

        return hook

    def step(self) -> None:
        """Close a step, after its backward pass."""
        for name, arrived in self._arrived.items():
            if not arrived:
                continue
            slopes = torch.cat(arrived)
            arrived.clear()
            self._norms[name].append(slopes.norm(dim=1).mean())
            mean = slopes.mean(dim=0)
            if name in self._before:
                before = self._before[name]
                cosine = functional.cosine_similarity(mean, before, dim=0)
                change = (mean - before).norm() / mean.norm().clamp_min(1e-30)
                self._pairs[name].append(torch.stack([cosine, change]))
            self._before[name] = mean

    def clear(self) -> None:
        """Forget what arrived since the last step, such as that of a warm-up."""
        for arrived in self._arrived.values():
            arrived.clear()

    def report(self) -> dict[str, Stability]:
        """What was seen of each module that had a gradient."""
        found = {}
        for name, norms in self._norms.items():
            if not norms:
                continue
            lengths = torch.stack(norms).double()
            mean = float(lengths.mean())
            deviation = float(lengths.std(correction=0))
            pairs = self._pairs[name]
            cosine, change = torch.stack(pairs).double().mean(dim=0).tolist() if pairs else (0, 0)
            found[name] = Stability(
                len(norms), mean, deviation / mean if mean else 0.0, cosine, change
            )
        return found


class DriftMeter:
    """How far vectors of a fixed set of inputs move from one step to the next: the mean of ``1 - cosine``."""

    def __init__(self) -> None:
        self._before: Tensor | None = None
        self._moves: list[Tensor] = []

    def step(self, vectors: Tensor) -> None:
        """Take in the vectors of the inputs after a step, shape ``[n, d]``."""
        now = vectors.detach().float()
        if self._before is not None:
            cosines = functional.cosine_similarity(now, self._before, dim=1)
            self._moves.append(1 - cosines.mean())
        self._before = now.clone()

    def moves(self) -> list[float]:
        """One value for each step after the first."""
        return [float(move) for move in self._moves]
