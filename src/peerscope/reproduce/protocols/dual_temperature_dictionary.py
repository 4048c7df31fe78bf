"""Two dictionaries of different sizes in one loss: one for anchors' weights, one for the negatives' pull.

InfoNCE's gradient is a weight W, the scalar part, times a vector part; each takes its negatives from the
newest keys of one queue, as many as its own size says. Equal sizes are MoCo v2 with a queue of that size. A
larger scalar dictionary also raises the mean weight, which acts like a larger learning rate; the arm
``scaled`` has the small dictionary's weights with the large one's mean.
"""

from __future__ import annotations

from itertools import product

import torch
from torch import Tensor

from peerscope.methods.contrastive import InfoNCE, decoupled, negative_share
from peerscope.methods.datasets import ImageSet
from peerscope.methods.frameworks import Framework, Queue
from peerscope.methods.mlp import mlp
from peerscope.methods.momentum import Ema
from peerscope.reproduce.harness import main
from peerscope.reproduce.papers.dual_temperature import PAPER
from peerscope.reproduce.protocol import Trial
from peerscope.reproduce.protocols.common import images, prepared
from peerscope.reproduce.protocols.self_supervised import encoder, online, scored, trained

WIDTH, TEMPERATURE = 64, 0.1


class TwoDictionaries(InfoNCE):
    """InfoNCE whose weight and whose vector part have dictionaries of their own.

    Args:
        queue: The framework's; its newest keys are used.
        scalar: Keys that the weight is taken over.
        vector: Keys that repel.
        scale: Keys over which the mean of the weight is taken; the scalar's if ``None``.

    Raises:
        ValueError: The queue is smaller than a dictionary.
    """

    def __init__(self, queue: Queue, scalar: int, vector: int, scale: int | None = None) -> None:
        super().__init__(TEMPERATURE, in_batch=False)
        if max(scalar, vector, scale or 0) > len(queue.keys):
            raise ValueError(f"The queue has {len(queue.keys)} keys, too few for a dictionary.")
        self.queue = queue
        self.scalar, self.vector, self.scale = scalar, vector, scale

    def on_scores(
        self,
        scores: Tensor,
        positives: Tensor,
        *,
        excluded: Tensor | None = None,
        log_expected: Tensor | None = None,
    ) -> Tensor:
        """The mean over anchors of ``sg[W] * D``, `W` and `D` over the newest keys; nothing is excluded."""
        weight = self._share(scores, positives, self.scalar)
        if self.scale is not None:
            weight = weight * self._share(scores, positives, self.scale).mean() / weight.mean()
        newest = self._newest(scores, self.vector)
        return decoupled(newest, positives, self.temperature, weight=weight)

    def _share(self, scores: Tensor, positives: Tensor, size: int) -> Tensor:
        return negative_share(self._newest(scores.detach(), size), positives, self.temperature)

    def _newest(self, scores: Tensor, size: int) -> Tensor:
        """Columns of the positive and of the newest keys."""
        back = torch.arange(1, size + 1, device=scores.device)
        places = (self.queue.place - back) % len(self.queue.keys)
        return torch.cat([scores[:, :1], scores[:, 1:][:, places]], dim=1)


def run(trial: Trial) -> None:
    """Train the grid of sizes and the scaled arm; put down the effects of either size."""
    prepared(trial)
    pool = images(trial, "fashion-mnist", "train", int(trial["images"]))
    tests = images(trial, "fashion-mnist", "test", int(trial["tests"]))
    sizes = tuple(int(size) for size in trial["sizes"])
    small, large = min(sizes), max(sizes)
    grid = list(product(sizes, sizes))
    found: dict[tuple[int, int], Tensor] = {}
    for done, (scalar, vector) in enumerate(grid):
        trial.progress(f"scalar {scalar}, vector {vector}", done, len(grid) + 1)
        method = _method(trial, large, scalar, vector, None)
        found[scalar, vector] = _right(trial, f"{scalar}/{vector}", method, pool, tests)
    method = _method(trial, large, small, small, large)
    scaled = _right(trial, "scaled", method, pool, tests)
    by_scalar = torch.stack([found[large, other] - found[small, other] for other in sizes])
    by_vector = torch.stack([found[other, large] - found[other, small] for other in sizes])
    trial.figure("effect/scalar", by_scalar.mean(dim=0).numpy())
    trial.figure("effect/vector", by_vector.mean(dim=0).numpy())
    trial.figure("effect/relative", (found[large, small] - scaled).numpy())
    for vector in sizes:
        heights = [float(found[scalar, vector].mean()) for scalar in sizes]
        trial.curve("kNN accuracy over scalar dictionary, %", f"vector {vector}", sizes, heights)


def _method(trial: Trial, size: int, scalar: int, vector: int, scale: int | None) -> Framework:
    """MoCo v2's framework with the two dictionaries."""
    net = encoder(trial)
    projector = mlp((net.dim, 128, WIDTH), norm=None)
    queue = Queue(size, WIDTH)
    return Framework(
        net,
        TwoDictionaries(queue, scalar, vector, scale),
        projector=projector,
        momentum=Ema("full", float(trial["momentum"])),
        queue=queue,
        symmetric=False,
    )


def _right(trial: Trial, name: str, method: Framework, pool: ImageSet, tests: ImageSet) -> Tensor:
    trained(trial, method, pool, int(trial["batch"]))
    return scored(trial, name, online(method).encoder, pool, tests)[0]


if __name__ == "__main__":
    main(PAPER, "dual_temperature_dictionary")
