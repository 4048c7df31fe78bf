"""One contrastive framework with switches; MoCo v2, SimMoCo, SimCo, SimCLR and BYOL are settings of it.

Two views go through an online branch; what one gives are the queries, what the other gives the keys. The
switches are where keys come from (online or an averaged target, with or without a gradient), where negatives
come from (the batch, the same view, a queue), whether both directions count, whether a predictor follows the
queries, and the loss. `presets` names the published combinations and the controls that tell apart what
they change at once: between MoCo v2 and SimCo (Zhang et al., CVPR 2022) lie the loss, the momentum target,
the second direction and the gradient through the keys.

    method = presets.simco(encoder)
    loss, parts = method((view1, view2))
    loss.backward(); optimizer.step()
    method.after_step(step, steps)

Views are whatever the encoder takes: images, token rows, or a tuple of arguments.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from peerscope.methods.branch import Branch, View
from peerscope.methods.contrastive import ContrastiveLoss, negative_share, sampled_softmax
from peerscope.methods.contrastive.pairs import unit
from peerscope.methods.momentum import Ema, Momentum

Parts = dict[str, Tensor]


class Queue(nn.Module):
    """Keys of the last batches, first in, first out (He et al. 2020, section 3.2).

    It starts with random directions, from torch's global source of randomness.

    Args:
        size: Number of keys.
        width: Their length.

    Raises:
        ValueError: The size is not above 0.
    """

    keys: Tensor
    place: Tensor

    def __init__(self, size: int, width: int) -> None:
        super().__init__()
        if size < 1:
            raise ValueError(f"A queue holds one key or more, not {size}.")
        self.register_buffer("keys", functional.normalize(torch.randn(size, width), dim=1))
        self.register_buffer("place", torch.zeros((), dtype=torch.int64))

    @torch.no_grad()
    def push(self, keys: Tensor) -> None:
        """Replace the oldest keys, in place; of more than there is room for, the last stay."""
        size = len(self.keys)
        newest = unit(keys.detach())[-size:].to(self.keys.dtype)
        places = (self.place + torch.arange(len(newest), device=self.keys.device)) % size
        self.keys[places] = newest
        self.place += len(newest)
        self.place %= size


class Framework(nn.Module):
    """A contrastive method over two views.

    Args:
        encoder: Any module that gives features; two, where the views are of two kinds (the query and the item
            tower of a search): the first then reads first views, the second second ones.
        loss: A `ContrastiveLoss`, or any module of queries and keys, such as `siamese.NegativeCosine`.
        projector: From features to what is compared, one or two as for the encoder; ``None`` for none.
        predictor: Follows the queries only; ``None`` for none.
        momentum: How keys come from an averaged target; ``None`` takes the online ones.
        queue: Keys of earlier batches as negatives; ``None`` for none.
        symmetric: Whether both directions count, each half; else queries are of the first view only.
        detached_keys: Whether keys are without a gradient; always so with a momentum target.

    Raises:
        ValueError: The switches contradict each other.
    """

    def __init__(
        self,
        encoder: nn.Module | Sequence[nn.Module],
        loss: nn.Module,
        *,
        projector: nn.Module | Sequence[nn.Module] | None = None,
        predictor: nn.Module | None = None,
        momentum: Ema | None = None,
        queue: Queue | None = None,
        symmetric: bool = True,
        detached_keys: bool = False,
    ) -> None:
        super().__init__()
        encoders = [encoder] if isinstance(encoder, nn.Module) else list(encoder)
        heads: list[nn.Module | None] = (
            [projector] * len(encoders)
            if projector is None or isinstance(projector, nn.Module)
            else list(projector)
        )
        if len(encoders) not in (1, 2) or len(heads) != len(encoders):
            raise ValueError(
                "There are one or two encoders, and as many projectors or one that they share, "
                f"not {len(encoders)} and {len(heads)}."
            )
        if queue is not None and not isinstance(loss, ContrastiveLoss):
            raise ValueError("A queue of negatives needs a contrastive loss.")
        self.branches = nn.ModuleList(map(Branch, encoders, heads))
        self.loss, self.predictor, self.queue = loss, predictor, queue
        self.targets = nn.ModuleList()
        if momentum is not None:
            self.targets.extend(Momentum(self._branch(n), momentum) for n in range(len(encoders)))
        self.symmetric = symmetric
        self.detached_keys = detached_keys or momentum is not None
        self._pending: list[Tensor] = []

    def forward(self, views: Sequence[View]) -> tuple[Tensor, Parts]:
        """The loss of two views of the same things, and figures for logs.

        Returns:
            The loss, and detached: ``loss``; ``acted``, the unit vectors that it acts on (the queries of the
            first view), to judge collapse by; ``alignment``, the mean cosine of queries and keys; and for
            contrastive losses ``info_nce``, at their temperature, comparable between losses, and ``share``,
            the mean weight W of an anchor in its gradient.

        Raises:
            ValueError: There are not two views.
        """
        if len(views) != 2:
            raise ValueError(f"A framework takes two views, not {len(views)}.")
        reached = [self._online(place, view) for place, view in enumerate(views)]
        pairs = [(0, 1), (1, 0)] if self.symmetric else [(0, 1)]
        terms, told = [], []
        for asking, answering in pairs:
            queries = self._queries(reached[asking][1])
            keys = self._keys(answering, *reached[answering])
            loss, parts = self._compared(queries, keys)
            terms.append(loss)
            told.append(parts | {"acted": unit(queries.detach())})
            if self.queue is not None and self.training:
                self._pend(keys)
        total = torch.stack(terms).mean()
        found = {name: torch.stack([part[name] for part in told]).mean() for name in told[0]
                 if name != "acted"}  # fmt: skip
        return total, found | {"loss": total.detach(), "acted": told[0]["acted"]}

    def after_step(self, step: int, steps: int) -> None:
        """Move the target and fill the queue, after a step of the optimiser.

        Args:
            step: Steps done, this one included.
            steps: Steps of the whole run.
        """
        for place in range(len(self.targets)):
            self._target(place).update(self._branch(place), step, steps)
        if self.queue is not None:
            for keys in self._pending:
                self.queue.push(keys)
        self._pending.clear()

    @torch.no_grad()
    def keys(self, view: View, place: int = 0) -> Tensor:
        """The keys of a view of the first or second kind, without a gradient, shape ``[n, width]``."""
        return self._keys(place, *self._online(place, view))

    def averaged(self, place: int = 0) -> Branch:
        """The momentum target as a branch of its own.

        Raises:
            ValueError: There is none.
        """
        if not len(self.targets):
            raise ValueError("This framework has no momentum target.")
        target = self._target(place)
        return target.averaged(self._branch(place))

    def _branch(self, place: int) -> Branch:
        found = self.branches[place % len(self.branches)]
        assert isinstance(found, Branch)
        return found

    def _target(self, place: int) -> Momentum:
        found = self.targets[place % len(self.targets)]
        assert isinstance(found, Momentum)
        return found

    def _online(self, place: int, view: View) -> tuple[View, Tensor | None]:
        """What enters the target's first part, and the online projections where they are needed."""
        branch = self._branch(place)
        asks = self.symmetric or place == 0
        if not self.targets:
            with torch.set_grad_enabled(
                torch.is_grad_enabled() and (asks or not self.detached_keys)
            ):
                return view, branch(view)
        start = self._target(place).start
        with torch.set_grad_enabled(torch.is_grad_enabled() and asks):
            if start == len(branch.parts):
                return view, branch(view)
            entering = branch.until(view, start)
            return entering, branch(entering, start) if asks else None

    def _queries(self, projected: Tensor | None) -> Tensor:
        assert projected is not None
        if self.predictor is None:
            return projected
        found: Tensor = self.predictor(projected)
        return found

    def _keys(self, place: int, entering: View, projected: Tensor | None) -> Tensor:
        if not self.targets:
            assert projected is not None
            return projected.detach() if self.detached_keys else projected
        target = self._target(place)
        if target.start == len(target.mask):
            assert projected is not None
            return projected.detach()
        found: Tensor = target(self._branch(place), entering)
        return found

    def _compared(self, queries: Tensor, keys: Tensor) -> tuple[Tensor, Parts]:
        if not isinstance(self.loss, ContrastiveLoss):
            loss: Tensor = self.loss(queries, keys)
            with torch.no_grad():
                alignment = (unit(queries) * unit(keys)).sum(dim=1).mean()
            return loss, {"alignment": alignment}
        queue = None if self.queue is None else self.queue.keys
        found = self.loss.contrast(queries, keys, queue=queue)
        loss = self.loss.on_scores(found.scores, found.positives, excluded=found.excluded)
        with torch.no_grad():
            fixed = found.scores.detach()
            own = fixed.gather(1, found.positives[:, None])
            parts = {"alignment": own.mean()}
            temperature = getattr(self.loss, "temperature", None)
            if temperature is not None:
                given = fixed, found.positives, temperature
                parts["info_nce"] = sampled_softmax(*given, excluded=found.excluded)
                parts["share"] = negative_share(*given, excluded=found.excluded).mean()
        return loss, parts

    def _pend(self, keys: Tensor) -> None:
        assert self.queue is not None
        self._pending.append(keys.detach())
        if sum(map(len, self._pending)) > 2 * len(self.queue.keys) + 2 * len(keys):
            raise RuntimeError(
                "The queue is not filled: call after_step after each optimiser step."
            )
