from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra `learn` is not installed")

from torch import nn  # noqa: E402

from peerscope.methods.branch import Branch  # noqa: E402
from peerscope.methods.contrastive.pairs import unit  # noqa: E402
from peerscope.methods.datasets import ImageSet  # noqa: E402
from peerscope.methods.gradient_parts import decorrelation, info_nce_parts  # noqa: E402
from peerscope.methods.siamese import SimSiam, SymmetricPredictor  # noqa: E402
from peerscope.reproduce.papers.simsiam import PAPER  # noqa: E402
from peerscope.reproduce.protocol import Trial  # noqa: E402
from peerscope.reproduce.protocols import simsiam_alignment, simsiam_arms, simsiam_forces  # noqa: E402
from peerscope.reproduce.protocols.siamese_common import (  # noqa: E402
    Course,
    Views,
    neighbours,
    pieces,
    trained,
)


def trial_of(name: str) -> Trial:
    protocol = PAPER.protocol(name)
    return Trial(protocol, 0, protocol.profiles["tiny"].settings, told=lambda line: None)


def pixels(number: int = 64) -> torch.Tensor:
    chance = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (number, 1, 28, 28), generator=chance).to(torch.uint8)


def rows(number: int, width: int, lean: float, seed: int = 0) -> torch.Tensor:
    chance = torch.Generator().manual_seed(seed)
    shift = torch.zeros(width)
    shift[0] = lean
    return unit(torch.randn(number, width, generator=chance) + shift)


def test_every_claim_says_what_is_reduced_and_asks_for_declared_figures() -> None:
    assert [claim.id for claim in PAPER.claims] == [f"simsiam-{n}" for n in range(1, 14)]
    for claim in PAPER.claims:
        for profile in ("cpu", "gpu"):
            assert "Fashion-MNIST" in claim.profiles[profile], claim.id
            for check in claim.checks_for(profile):
                protocol = PAPER.protocol(claim.protocol)
                for figure in check.figures:
                    assert protocol.described(figure), figure


def test_nothing_on_a_cpu_is_judged_by_accuracy() -> None:
    """Untrained and collapsed nets score as high on these images."""
    asked = {f for c in PAPER.claims for check in c.checks_for("cpu") for f in check.figures}
    assert not [figure for figure in asked if figure.startswith("correct")]


def test_the_limit_is_info_nce_at_a_large_temperature() -> None:
    a, b = rows(40, 6, 1.0, 1).double(), rows(40, 6, 1.0, 2).double()
    large = 1e4
    found = info_nce_parts(a, b, large)
    limit = simsiam_alignment.even(a, b)
    residual = found.residual * large
    assert torch.allclose(residual, limit.residual, atol=1e-4)
    # and not at a small one
    assert not torch.allclose(info_nce_parts(a, b, 0.1).residual * 0.1, limit.residual, atol=1e-2)


def test_the_diagonal_holds_all_of_an_uncorrelated_covariance() -> None:
    cross = torch.cat([torch.eye(4), -torch.eye(4)])
    assert simsiam_alignment.diagonal_share(cross) == pytest.approx(1.0)
    line = torch.linspace(-1, 1, 9)[:, None].expand(9, 4)
    assert simsiam_alignment.diagonal_share(line) == pytest.approx(0.25)


def test_correlations_do_not_see_how_near_the_vectors_lie_and_covariances_do() -> None:
    found = {}
    for lean in (0.0, 30.0):
        given = rows(200, 5, 0.0)
        # the same residuals around a mean that takes nearly all
        point = torch.zeros(5)
        point[0] = lean
        near = given + point
        for measure in ("covariance", "correlation"):
            branch = Branch(nn.Identity(), None)
            method = simsiam_forces.Decorrelated(branch, measure, 1.0)
            loss, parts = method([near, near])
            found[measure, lean] = float(loss)
            assert parts["acted"].norm(dim=1) == pytest.approx(torch.ones(200), abs=1e-5)
    assert found["covariance", 30.0] < found["covariance", 0.0] / 1_000
    assert found["correlation", 30.0] > found["correlation", 0.0] / 20
    given = rows(200, 5, 0.0)
    plain = simsiam_forces.Decorrelated(Branch(nn.Identity(), None), "covariance", 2.0)
    assert float(plain([given, given])[0]) == pytest.approx(
        4 * float(decorrelation(given)), rel=1e-5
    )


@pytest.mark.parametrize(("towards", "grows"), [("centre", True), ("residual", False)])
def test_a_pull_moves_the_mean_the_way_it_says(towards: str, grows: bool) -> None:
    torch.manual_seed(0)
    given = torch.randn(64, 8)
    weight = nn.Linear(8, 8)
    with torch.no_grad():
        weight.bias.fill_(1.0)
    method = simsiam_forces.Pull(nn.Identity(), weight, towards)  # type: ignore[arg-type]

    def mean() -> float:
        return float(unit(method.branch(given).detach()).mean(dim=0).norm())

    before = mean()
    optimizer = torch.optim.SGD(method.parameters(), lr=0.5)
    for _ in range(20):
        loss, _ = method([given])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert (mean() > before + 0.02) if grows else (mean() < before - 0.02)


def test_a_course_judges_the_last_steps_only() -> None:
    course = Course(20, every=5, last=3)
    for step in range(1, 21):
        # one point until the last three steps, then spread
        course(step, {"acted": rows(50, 8, 100.0 if step < 18 else 0.0, step)})
    report = course.report()
    assert report.n == 150
    assert report.centre < 0.3
    assert course.steps == [1, 5, 10, 15, 20]
    assert course.points[0]["m_o"] > 0.99
    with pytest.raises(ValueError, match="ended before"):
        Course(20, every=5, last=3).report()


def test_arms_begin_alike_and_see_the_same_batches() -> None:
    trial = trial_of("simsiam_arms")
    seen: list[list[np.ndarray]] = []
    starts = []
    for kind in (SimSiam, SymmetricPredictor):
        made = pieces(trial)
        starts.append(made.encoder.blocks[0][0].weight.detach().clone())
        method = kind(*made)
        views: list[np.ndarray] = []
        method.branch.register_forward_pre_hook(
            lambda module, given, views=views: views.append(given[0].numpy().copy())
        )
        trained(trial, "arm", method, pixels(), steps=2)
        seen.append(views)
    assert torch.equal(*starts)
    assert len(seen[0]) == 4
    for one, other in zip(*seen, strict=True):
        assert np.array_equal(one, other)


def test_phases_go_on_with_batches_that_were_not_used() -> None:
    trial = trial_of("simsiam_forces")
    given: list[np.ndarray] = []

    class Kept(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(4))

        def forward(self, views):
            given.append(views[0].numpy().copy())
            acted = unit(views[0].flatten(1)[:, :4] * self.weight)
            return acted.sum(), {"acted": acted.detach()}

    phases = simsiam_forces.Phases(trial, "a", pixels())
    method = Kept()
    phases.run("one", method, 2)
    then = phases.copied("b")
    then.run("two", method, 2)
    phases.run("three", method, 2)
    assert len(given) == 6
    assert np.array_equal(given[2], given[4])  # both go on where the first phase ended
    assert not np.array_equal(given[0], given[2])
    assert phases.steps == then.steps == [1, 2, 3, 4]
    assert phases.lines["m_o"] is not then.lines["m_o"]


def test_neighbours_give_one_answer_an_image() -> None:
    images = torch.zeros(20, 1, 28, 28, dtype=torch.uint8)
    images[10:, :, :14] = 255
    labels = torch.tensor([0] * 10 + [1] * 10)
    known = ImageSet(images, labels, ("dark", "half"))
    wrong = ImageSet(images, labels.flip(0), ("dark", "half"))
    encoder = nn.Sequential(nn.AvgPool2d(14), nn.Flatten())
    assert neighbours(encoder, known, known) == [1] * 20
    assert neighbours(encoder, known, wrong) == [0] * 20


def test_views_differ_and_repeat_with_their_generator() -> None:
    made = Views(3)(pixels(4), torch.Generator().manual_seed(3))
    again = Views(3)(pixels(4), torch.Generator().manual_seed(3))
    assert len(made) == 3
    assert not torch.equal(made[0], made[1])
    assert all(torch.equal(one, other) for one, other in zip(made, again, strict=True))


def test_shares_of_simsiam_are_measured_and_of_others_not() -> None:
    trial = trial_of("simsiam_arms")
    held = ImageSet(pixels(), torch.zeros(64, dtype=torch.int64), ("one",))
    every = int(trial["share_every"])
    for kind, expected in ((SymmetricPredictor, set()), (SimSiam, {
        "share/o_p_in_o_e", "share/o_p_in_o_e_largest", "share/o_z_in_minus_o_e",
    })):  # fmt: skip
        method = kind(*pieces(trial))
        before = {name: value.clone() for name, value in method.state_dict().items()}
        shares = simsiam_arms.Shares(trial, method, held)
        for step in range(1, 2 * every + 1):
            shares(step)
        shares.put_down("arm")
        assert set(trial.figures) == expected
        # a copy was asked: running statistics are as they were
        for name, value in method.state_dict().items():
            assert torch.equal(value, before[name]), name
    assert len(trial.curves["share over steps"]["o_p_in_o_e of arm"][0]) == 2
