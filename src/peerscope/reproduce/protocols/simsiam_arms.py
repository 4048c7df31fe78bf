"""SimSiam beside its variants: which of them become one point (tables 2, 4 and 5, figures 3, 5a and 6)."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from typing import cast

import torch
from torch import Tensor, nn

from peerscope.methods.augment import GREY_28, View
from peerscope.methods.batches import generator_of
from peerscope.methods.collapse import collapse_report
from peerscope.methods.contrastive.pairs import unit
from peerscope.methods.datasets import ImageSet
from peerscope.methods.gradient_parts import SimSiamParts, gradient_parts, share_of
from peerscope.methods.siamese import (
    InversePredictor,
    LinearPredictor,
    Mirror,
    Naive,
    Predicting,
    Siamese,
    SimSiam,
    SymmetricPredictor,
)
from peerscope.reproduce.harness import main
from peerscope.reproduce.papers.simsiam import PAPER
from peerscope.reproduce.protocol import Trial
from peerscope.reproduce.protocols.common import images, prepared
from peerscope.reproduce.protocols.siamese_common import (
    Course,
    Parts,
    Pieces,
    Views,
    figures_of,
    neighbours,
    pieces,
    predictor,
    trained,
)

ARMS: dict[str, Callable[[Pieces], Siamese]] = {
    "simsiam": lambda made: SimSiam(*made),
    "naive": lambda made: Naive(made.encoder, made.projector),
    "mirror": lambda made: Mirror(*made),
    "symmetric": lambda made: SymmetricPredictor(*made),
    "symmetric_separate": lambda made: SymmetricPredictor(*made, separate=True),
    "inverse": lambda made: InversePredictor(*made, predictor(width_of(made))),
    "bias": lambda made: SimSiam(made.encoder, made.projector, LinearPredictor(width_of(made))),
    "centre_only": lambda made: SimSiamParts(*made, residual=False),
    "residual_only": lambda made: SimSiamParts(*made, centre=False),
}
"""Arm to the method. Table 4's other two are `SimSiam` and `SymmetricPredictor`: see `identities`."""

LONG = ("symmetric_separate",)
"""Arms that need more steps before they can be told."""


def width_of(made: Pieces) -> int:
    """Length of the projections."""
    return cast(nn.Linear, made.projector[-1]).out_features


def run(trial: Trial) -> None:
    """Train every arm from the same start on the same batches, and judge what its loss acts on."""
    prepared(trial)
    name = str(trial["data"])
    known = images(trial, name, "train", int(trial["images"]))
    held = images(trial, name, "test", int(trial["held"]))
    bank = known.part(slice(0, int(trial["bank"])))
    identities(trial, known.images[: int(trial["batch"])])
    for arm, make in ARMS.items():
        steps = int(trial["long_steps" if arm in LONG else "steps"])
        made = pieces(trial)
        method = make(made).to(trial.device)
        course = Course(steps, every=max(steps // 50, 1))
        shares = Shares(trial, method, held)

        def watch(
            step: int, parts: Parts, course: Course = course, shares: Shares = shares
        ) -> None:
            course(step, parts)
            shares(step)

        losses = trained(trial, arm, method, known.images, steps=steps, watch=watch)
        course.put_down(trial, arm)
        trial.figure(f"loss/{arm}", sum(losses[-8:]) / len(losses[-8:]))
        shares.put_down(arm)
        trial.figure(f"correct/{arm}", neighbours(made.encoder, bank, held))
        projected(trial, arm, method, held)


@torch.no_grad()
def projected(trial: Trial, arm: str, method: Siamese, held: ImageSet) -> None:
    """The same figures of the projections of held-out images, and a bias's cosine with their mean."""
    view = Views(1)(held.images, generator_of(held.images.device, 11, trial.seed))[0]
    method.train()
    rows = torch.cat(
        [unit(method.branch(part)) for part in torch.split(view, int(trial["batch"]))]
    ).float()
    figures_of(trial, arm, collapse_report(rows), before="z_")
    if arm == "bias":
        bias = cast(LinearPredictor, cast(Predicting, method).predictor).bias
        assert bias is not None
        cosine = nn.functional.cosine_similarity(bias.detach(), rows.mean(dim=0), dim=0)
        trial.figure("cosine/bias_centre", float(cosine))
        trial.log(f"cosine of the bias and the mean projection {float(cosine):.3f}")


class Shares:
    """How much of the mean prediction SimSiam's de-centering gradient holds, over a run (figure 5a).

    It measures where the method is `SimSiam` with a perceptron as predictor, and does nothing elsewhere.

    Args:
        trial: Of the figures; its setting ``share_every`` says how many steps lie between measurements.
        method: What is trained; a copy is asked, so that running statistics stay as they are.
        held: Images to measure on, two views of each.
    """

    def __init__(self, trial: Trial, method: Siamese, held: ImageSet) -> None:
        self._trial, self._every = trial, int(trial["share_every"])
        self._method = method
        self._images = held.images[: 4 * int(trial["batch"])]
        self._steps: list[int] = []
        self._found: dict[str, list[float]] = {"o_p_in_o_e": [], "o_z_in_minus_o_e": []}

    @torch.no_grad()
    def __call__(self, step: int) -> None:
        """Measure, if it is time."""
        plain = isinstance(self._method, SimSiam) and isinstance(
            self._method.predictor, nn.Sequential
        )
        if not plain or step % self._every:
            return
        method = copy.deepcopy(cast(SimSiam, self._method))
        source = generator_of(self._images.device, 7, self._trial.seed, step)
        (z_a, p_a), (z_b, p_b) = (
            _projected_and_predicted(method, view) for view in Views(2)(self._images, source)
        )
        extra = gradient_parts(z_b, p_b).centre
        self._steps.append(step)
        self._found["o_p_in_o_e"].append(share_of(extra, p_a.mean(dim=0)))
        self._found["o_z_in_minus_o_e"].append(share_of(-extra, z_a.mean(dim=0)))

    def put_down(self, arm: str) -> None:
        """Mean over the run of each share, the largest of the first, and the curves."""
        if not self._steps:
            return
        for name, values in self._found.items():
            self._trial.figure(f"share/{name}", sum(values) / len(values))
            self._trial.curve("share over steps", f"{name} of {arm}", self._steps, values)
            self._trial.log(f"{arm}, share {name}: {' '.join(f'{one:.2f}' for one in values)}")
        self._trial.figure("share/o_p_in_o_e_largest", max(self._found["o_p_in_o_e"]))


def _projected_and_predicted(method: SimSiam, view: Tensor) -> tuple[Tensor, Tensor]:
    projected = method.branch(view)
    return unit(projected).float(), unit(method.predictor(projected)).float()


def identities(trial: Trial, batch: Tensor) -> None:
    """Relative difference of gradients: both parts and SimSiam, neither and the symmetric predictor."""
    made = pieces(trial)
    for piece in made:
        piece.double()
    view = View(GREY_28, dtype=torch.float64)
    source = generator_of(batch.device, 5, trial.seed)
    views = [view(batch, source) for _ in range(2)]
    pairs: dict[str, tuple[Siamese, Siamese]] = {
        "both": (SimSiamParts(*made), SimSiam(*made)),
        "neither": (
            SimSiamParts(*made, centre=False, residual=False),
            SymmetricPredictor(*made),
        ),
    }
    for name, methods in pairs.items():
        one, other = (slopes(method, views) for method in methods)
        error = float((one - other).norm() / other.norm())
        trial.figure(f"identity/{name}", error)
        trial.log(f"gradients with {name}: relative difference {error:.1e}")


def slopes(method: Siamese, views: Iterable[Tensor]) -> Tensor:
    """The gradient of the loss by all parameters, as one vector."""
    loss, _ = method(list(views))
    found = torch.autograd.grad(loss, list(method.parameters()))
    return torch.cat([one.flatten() for one in found])


if __name__ == "__main__":
    main(PAPER, "simsiam_arms")
