"""What the protocols of SimSiam's collapse share: nets and heads, views, training, and what is put down.

Heads are the paper's in form: a projector of three layers without a last batch norm, which would keep the
mean near 0 by itself, and a predictor with a bottleneck of a quarter of the width.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from peerscope.methods.augment import GREY_28, View, normalised
from peerscope.methods.backbones import Backbone, backbone
from peerscope.methods.batches import Batches
from peerscope.methods.collapse import CollapseMeter, CollapseReport
from peerscope.methods.datasets import ImageSet
from peerscope.methods.evaluate import features, neighbour_votes
from peerscope.methods.gradient_parts import cosines, decorrelation
from peerscope.methods.mlp import mlp
from peerscope.methods.schedule import Cosine
from peerscope.methods.training import Schedule, train
from peerscope.reproduce.protocol import Trial

Parts = Mapping[str, Tensor]
Watch = Callable[[int, Parts], None]


class Pieces(NamedTuple):
    """What a siamese method is made of, seeded by the trial.

    Attributes:
        encoder: Images to features.
        projector: Features to projections of the setting ``width``.
        predictor: Projections to predictions of the same width.
    """

    encoder: Backbone
    projector: nn.Sequential
    predictor: nn.Sequential


def pieces(trial: Trial) -> Pieces:
    """Encoder and heads of the profile on the trial's device, the same at every call of a seed."""
    torch.manual_seed(trial.seed)
    widths = tuple(int(one) for one in trial["channels"])
    if trial["net"] == "conv4":
        encoder = backbone("conv4", channels=1, widths=widths)
    else:
        encoder = backbone(str(trial["net"]), channels=1, width=widths[0] / 64)
    width = int(trial["width"])
    projector = mlp((encoder.dim, width, width, width))
    found = Pieces(encoder, projector, predictor(width))
    for piece in found:
        piece.to(trial.device)
    return found


def predictor(width: int) -> nn.Sequential:
    """A predictor with a bottleneck of a quarter."""
    return mlp((width, max(width // 4, 1), width))


class Views:
    """Independent views of every image of a batch, as many as are asked for.

    Args:
        number: How many.
        channels_last: As in `View`.
    """

    def __init__(self, number: int, *, channels_last: bool = False) -> None:
        self._view, self._number = View(GREY_28, channels_last=channels_last), number

    def __call__(self, images: Tensor, generator: torch.Generator) -> tuple[Tensor, ...]:
        """Views, each of the shape of the images, from a generator on their device."""
        return tuple(self._view(images, generator) for _ in range(self._number))


def trained(
    trial: Trial,
    label: str,
    method: nn.Module,
    images: Tensor,
    *,
    steps: int,
    views: int = 2,
    places: bool = False,
    begin: int = 0,
    schedule: Schedule | None = None,
    watch: Watch | None = None,
) -> list[float]:
    """Train a method by the profile's recipe: SGD, warm-up and half a cosine.

    Args:
        trial: Settings ``batch``, ``rate``, ``decay``, ``warmup`` and ``half``, and the seed.
        label: For progress.
        method: Takes a tuple of views.
        images: ``uint8``, resident on the device.
        steps: How many.
        views: Of an image.
        places: Whether the images' places follow the views.
        begin: Number of batches that were used before.
        schedule: In place of warm-up and cosine.
        watch: As in `train`.

    Returns:
        The loss of every step.
    """
    half = bool(trial["half"])
    made = Views(views, channels_last=half)
    everywhere = torch.arange(len(images), device=images.device)
    batches = Batches(images, int(trial["batch"]), made, labels=everywhere, seed=trial.seed)

    def batch(step: int) -> Any:
        found, where = batches(begin + step)
        return (*found, where) if places else found

    optimizer = torch.optim.SGD(
        method.parameters(),
        lr=float(trial["rate"]),
        momentum=0.9,
        weight_decay=float(trial["decay"]),
    )
    run = train(
        method,
        batch,
        optimizer,
        steps,
        schedule=schedule or Cosine(warmup=int(trial["warmup"])),
        precision="bfloat16" if half else "float32",
        channels_last=half,
        seed=trial.seed,
        progress=lambda step, whole, _: trial.progress(label, step, whole),
        watch=watch,
    )
    return run.losses


class Course:
    """Follows the vectors that a loss acts on over a run, and judges those of its last steps.

    Several steps, since the mean of one batch is never shorter than chance makes it; batch statistics are
    those that the loss saw.

    Args:
        steps: Of the run.
        every: Steps between points of the curves.
        last: How many of the last steps are judged.
    """

    def __init__(self, steps: int, *, every: int, last: int = 8) -> None:
        self._every, self._from = max(every, 1), steps - last
        self._meter: CollapseMeter | None = None
        self.steps: list[int] = []
        self.points: list[dict[str, float]] = []

    def __call__(self, step: int, parts: Parts) -> None:
        """Take in a step; its parts hold ``acted``."""
        acted = parts["acted"].float()
        if step == 1 or step % self._every == 0:
            found = cosines(acted)
            self.steps.append(step)
            self.points.append(
                {
                    "m_o": found["m_o"],
                    "m_r": found["m_r"],
                    "covariance": float(decorrelation(acted)),
                }
            )
        if step > self._from:
            if self._meter is None:
                self._meter = CollapseMeter(acted.shape[1], normalise=True)
            self._meter.add(acted)

    def report(self) -> CollapseReport:
        """The report over the vectors of the last steps.

        Raises:
            ValueError: The run did not come to them.
        """
        if self._meter is None:
            raise ValueError("The run ended before the steps that are judged.")
        return self._meter.report()

    def put_down(self, trial: Trial, arm: str) -> None:
        """The figures of an arm by `report`, and its curves."""
        figures_of(trial, arm, self.report())
        self.draw(trial, arm)

    def draw(self, trial: Trial, arm: str) -> None:
        """The curves of an arm."""
        for name in ("m_o", "m_r", "covariance"):
            trial.curve(f"{name} over steps", arm, self.steps, [one[name] for one in self.points])


def figures_of(trial: Trial, arm: str, report: CollapseReport, *, before: str = "") -> None:
    """Put down a report as figures ``m_o/ARM`` and so on, and say it in the log.

    Args:
        trial: Of the figures.
        arm: Their last part.
        report: Of unit vectors.
        before: Set before the names, for vectors other than those that the loss acts on.
    """
    trial.figure(f"{before}m_o/{arm}", report.centre)
    trial.figure(f"{before}m_r/{arm}", report.residual)
    trial.figure(f"{before}spread/{arm}", report.spread)
    trial.figure(f"{before}covariance/{arm}", report.off_diagonal)
    trial.figure(f"{before}rank/{arm}", report.effective_rank)
    trial.log(
        f"{before}{arm}: m_o {report.centre:.3f}, m_r {report.residual:.3f}, spread {report.spread:.3f}, "
        f"covariance {report.off_diagonal:.2e}, effective rank {report.effective_rank:.1f} of "
        f"{report.dimensions}"
    )


def neighbours(encoder: nn.Module, known: ImageSet, asked: ImageSet) -> list[int]:
    """Whether 20 nearest neighbours among known images tell the class of each asked one, as 0 and 1."""

    def whole(images: Tensor) -> Tensor:
        return normalised(images, GREY_28)

    bank = features(encoder, known.images, whole)
    votes = neighbour_votes(
        bank,
        known.labels,
        features(encoder, asked.images, whole),
        neighbours=min(20, len(bank)),
        classes=len(known.classes),
    )
    right: Sequence[bool] = (votes.argmax(dim=1) == asked.labels).tolist()
    return [int(one) for one in right]
