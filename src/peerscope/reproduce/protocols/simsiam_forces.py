"""What single components of a gradient do to the mean and the residual of vectors (figures 4 and 5b).

Figure 4: a net is pulled to the mean of its vectors, then to random directions, then to their residuals, and
once more. Figure 5b: SimSiam, then a collapsing loss, then a loss on correlation alone.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from peerscope.methods.branch import Branch, View
from peerscope.methods.contrastive.pairs import unit
from peerscope.methods.gradient_parts import decorrelation, pulled
from peerscope.methods.schedule import Cosine, constant
from peerscope.methods.siamese import Naive, OnViews, SimSiam
from peerscope.reproduce.harness import main
from peerscope.reproduce.papers.simsiam import PAPER
from peerscope.reproduce.protocol import Trial
from peerscope.reproduce.protocols.common import images, prepared
from peerscope.reproduce.protocols.siamese_common import Course, Parts, pieces, trained

Towards = Literal["centre", "random", "residual"]
Measure = Literal["covariance", "correlation"]

SCHEDULE: tuple[Towards, ...] = ("centre", "random", "residual") * 2


class Pull(OnViews):
    """``-Z_a . sg(T)`` with one target of all vectors or one each.

    Args:
        encoder: As in `OnViews`.
        projector: As in `OnViews`.
        towards: The mean of the batch, a random direction for each vector anew at every step, or what each
            vector is beside the mean.
    """

    def __init__(self, encoder: nn.Module, projector: nn.Module, towards: Towards) -> None:
        super().__init__(encoder, projector)
        self.towards = towards

    def forward(self, views: Sequence[View]) -> tuple[Tensor, Parts]:
        """The loss of the first view."""
        acting = self.branch(views[0])
        rows = unit(acting.detach())
        centre = rows.mean(dim=0)
        targets = {
            "centre": centre,
            "random": unit(torch.randn_like(rows)),
            "residual": rows - centre,
        }
        return self.told(pulled(acting, targets[self.towards]), acting)


class Decorrelated(nn.Module):
    """Only `decorrelation` of each view's unit vectors, on top of a branch.

    Args:
        branch: What is trained.
        measure: ``covariance`` as algorithm 6 prints it; ``correlation`` brings every dimension to unit
            deviation over the batch first, so that the loss does not shrink with the vectors' spread.
        weight: Factor of the loss.
    """

    def __init__(self, branch: Branch, measure: Measure, weight: float) -> None:
        super().__init__()
        self.branch, self.measure, self.weight = branch, measure, weight

    def forward(self, views: Sequence[View]) -> tuple[Tensor, Parts]:
        """The loss, summed over the views, and what it acts on."""
        rows = [unit(self.branch(view)) for view in views]
        # Covariances in half precision would be noise where the vectors lie in nearly one point.
        with torch.autocast(rows[0].device.type, enabled=False):
            found = torch.stack([decorrelation(self._scaled(one.float())) for one in rows]).sum()
        return self.weight * found, {"loss": found.detach(), "acted": rows[0].detach()}

    def _scaled(self, rows: Tensor) -> Tensor:
        if self.measure == "covariance":
            return rows
        return (rows - rows.mean(dim=0)) / rows.std(dim=0).clamp_min(1e-8)


class Phases:
    """Runs losses one after the other on the same images, with one curve over all of them.

    Args:
        trial: Of the figures.
        label: Of the curve.
        pixels: The images.
    """

    def __init__(self, trial: Trial, label: str, pixels: Tensor) -> None:
        self.trial, self.label, self.pixels = trial, label, pixels
        self.done = 0
        self.steps: list[int] = []
        self.lines: dict[str, list[float]] = {"m_o": [], "m_r": []}

    def run(self, name: str, method: nn.Module, steps: int) -> tuple[float, float]:
        """Train for a phase at a constant rate; m_o and m_r over its last steps."""
        course = Course(steps, every=max(steps // 20, 1))
        # Warm-up belongs to the first phase: later ones go on from a trained net.
        first = Cosine(warmup=int(self.trial["warmup"]), end=1.0)
        trained(
            self.trial,
            f"{self.label}, {name}",
            method,
            self.pixels,
            steps=steps,
            begin=self.done,
            schedule=constant if self.done else first,
            watch=course,
        )
        self.steps += [self.done + step for step in course.steps]
        for line, values in self.lines.items():
            values += [point[line] for point in course.points]
        self.done += steps
        report = course.report()
        self.trial.log(
            f"{self.label}, after {name}: m_o {report.centre:.3f}, m_r {report.residual:.3f}, "
            f"covariance {report.off_diagonal:.2e}"
        )
        return report.centre, report.residual

    def copied(self, label: str) -> Phases:
        """The phases so far under another label, to go on in another way."""
        found = copy.copy(self)
        found.label, found.steps = label, list(self.steps)
        found.lines = {name: list(values) for name, values in self.lines.items()}
        return found

    def draw(self) -> None:
        """The curves over all phases."""
        for name, values in self.lines.items():
            self.trial.curve(f"{name} over steps", self.label, self.steps, values)


def run(trial: Trial) -> None:
    """Both schedules."""
    prepared(trial)
    known = images(trial, str(trial["data"]), "train", int(trial["images"]))
    components(trial, known.images)
    restored(trial, known.images)


def components(trial: Trial, pixels: Tensor) -> None:
    """Figure 4: m_o and m_r at the end of every phase of two rounds."""
    encoder, projector, _ = pieces(trial)
    phases = Phases(trial, "components", pixels)
    for place, towards in enumerate(SCHEDULE):
        name = f"{towards}_{1 + place // 3}"
        m_o, m_r = phases.run(name, Pull(encoder, projector, towards), int(trial["phase"]))
        trial.figure(f"m_o/{name}", m_o)
        trial.figure(f"m_r/{name}", m_r)
    phases.draw()
    # Point 0 of the curves is the first step of training, before any gradient.
    trial.figure("m_o/start", phases.lines["m_o"][0])
    trial.figure("m_r/start", phases.lines["m_r"][0])


def restored(trial: Trial, pixels: Tensor) -> None:
    """Figure 5b: SimSiam, collapse, then the loss on correlation in its readings."""
    made = pieces(trial)
    phases = Phases(trial, "SimSiam, then collapse", pixels)
    _, healthy = phases.run("healthy", SimSiam(*made), int(trial["healthy"]))
    m_o, m_r = phases.run(
        "collapsed", Naive(made.encoder, made.projector), int(trial["collapsing"])
    )
    trial.figure("m_r/healthy", healthy)
    trial.figure("m_o/collapsed", m_o)
    trial.figure("m_r/collapsed", m_r)
    measures: dict[str, tuple[Measure, float]] = {
        "covariance": ("covariance", 1.0),
        "covariance_heavy": ("covariance", float(trial["heavy"])),
        "correlation": ("correlation", 1.0),
    }
    for name, (measure, weight) in measures.items():
        branch = Branch(copy.deepcopy(made.encoder), copy.deepcopy(made.projector))
        then = phases.copied(f"then {name}")
        m_o, m_r = then.run(name, Decorrelated(branch, measure, weight), int(trial["restoring"]))
        trial.figure(f"m_o/{name}", m_o)
        trial.figure(f"m_r/{name}", m_r)
        then.draw()


if __name__ == "__main__":
    main(PAPER, "simsiam_forces")
