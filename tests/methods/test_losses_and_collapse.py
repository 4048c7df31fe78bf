from __future__ import annotations

import math

import numpy as np
import pytest

from peerscope.methods.collapse import CollapseMeter, effective_rank

torch = pytest.importorskip("torch", reason="the extra `learn` is not installed")

from peerscope.methods.contrastive import (  # noqa: E402
    dual_temperature,
    hinge_attention,
    sampled_softmax,
)


def by_hand(scores, positives, temperature, log_expected=None, excluded=None) -> float:
    total = 0.0
    for row, positive in enumerate(positives):
        logits = [s / temperature for s in scores[row]]
        if log_expected is not None:
            logits = [z - e for z, e in zip(logits, log_expected, strict=True)]
        kept = [
            z for column, z in enumerate(logits)
            if excluded is None or column == positive or not excluded[row][column]
        ]  # fmt: skip
        total += math.log(sum(math.exp(z) for z in kept)) - logits[positive]
    return total / len(positives)


@pytest.mark.parametrize("temperature", [0.05, 0.2, 1.0])
def test_the_loss_is_its_formula_in_double_precision(temperature) -> None:
    generator = np.random.default_rng(1)
    scores = generator.uniform(-1, 1, size=(5, 8))
    log_expected = np.log(generator.uniform(0.1, 3, size=8))
    excluded = generator.random((5, 8)) < 0.3
    positives = [0, 3, 3, 7, 1]
    arguments = torch.tensor(scores), torch.tensor(positives), temperature
    assert float(sampled_softmax(*arguments)) == pytest.approx(
        by_hand(scores, positives, temperature)
    )
    full = sampled_softmax(
        *arguments, log_expected=torch.tensor(log_expected), excluded=torch.tensor(excluded)
    )
    assert float(full) == pytest.approx(
        by_hand(scores, positives, temperature, log_expected, excluded)
    )


def test_its_gradient_is_that_of_finite_differences() -> None:
    scores = torch.randn(3, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda s: sampled_softmax(s, torch.tensor([0, 1, 2]), 0.3), (scores,)
    )


def test_log_q_makes_the_sampled_loss_estimate_the_full_softmax() -> None:
    generator = np.random.default_rng(0)
    scores = generator.normal(size=30)
    chance = generator.dirichlet(np.ones(30))
    drawn, full = 20_000, math.log(np.exp(scores).sum()) - scores[0]
    picked = generator.choice(30, drawn, p=chance)
    columns = np.concatenate([[0], picked])
    # the positive is there once for certain; every other candidate as often as it is drawn
    expected = np.concatenate([[1.0], drawn * chance[picked]])
    keep = np.concatenate([[True], picked != 0])
    loss = sampled_softmax(
        torch.tensor(scores[columns][keep])[None],
        torch.tensor([0]),
        1.0,
        log_expected=torch.tensor(np.log(expected[keep])),
    )
    assert float(loss) == pytest.approx(full, rel=0.03)


def test_a_temperature_of_nought_is_refused() -> None:
    with pytest.raises(ValueError, match="above 0"):
        sampled_softmax(torch.zeros(1, 1), torch.tensor([0]), 0.0)


def metered(rows: np.ndarray, parts: int = 1):
    meter = CollapseMeter(rows.shape[1])
    for part in np.array_split(rows.astype(np.float32), parts):
        meter.add(part)
    return meter.report()


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_one_point_is_collapse_and_an_even_sphere_is_not() -> None:
    generator = np.random.default_rng(0)
    point = unit(np.ones((500, 32)) + 1e-3 * generator.normal(size=(500, 32)))
    report = metered(point)
    assert report.collapsed
    assert "one point" in report.reason
    even = metered(unit(generator.normal(size=(4000, 32))))
    assert not even.collapsed
    assert even.spread == pytest.approx(1, abs=0.05)
    assert even.effective_rank == pytest.approx(32, rel=0.03)


def test_full_rank_noise_around_one_point_is_still_collapse() -> None:
    # effective rank alone would call this healthy
    noise = np.random.default_rng(2).normal(size=(2000, 32))
    report = metered(unit(np.ones((2000, 32)) * 5 + 0.05 * noise))
    assert report.effective_rank > 25
    assert report.collapsed


def test_one_direction_is_collapse_of_dimensions() -> None:
    generator = np.random.default_rng(3)
    line = generator.normal(size=(1000, 1)) * np.eye(64)[:1] + 1e-3 * generator.normal(
        size=(1000, 64)
    )
    report = metered(unit(line))
    assert report.collapsed
    assert "directions" in report.reason


def test_closed_forms() -> None:
    generator = np.random.default_rng(4)
    rows = unit(generator.normal(size=(300, 8)))
    report = metered(rows)
    cosines = rows @ rows.T
    mean = (cosines.sum() - 300) / (300 * 299)
    assert report.mean_cosine == pytest.approx(mean, abs=1e-5)
    assert report.centre**2 + report.residual**2 == pytest.approx(1, abs=1e-5)
    assert effective_rank(np.diag([1.0, 1, 1, 0, 0])) == pytest.approx(3)


def test_streaming_changes_nothing_and_unknown_rows_do_not_count() -> None:
    rows = unit(np.random.default_rng(5).normal(size=(100, 16)))
    padded = np.concatenate([rows, np.zeros((50, 16))])
    one, other = metered(rows), metered(padded, parts=7)
    assert other.n == 100
    assert other.effective_rank == pytest.approx(one.effective_rank, abs=1e-6)


def test_too_few_vectors_are_not_judged() -> None:
    assert not metered(np.eye(4)[:1]).collapsed
    few = metered(np.repeat(np.eye(4)[:1], 15, axis=0))
    assert not few.collapsed
    assert few.mean_cosine == pytest.approx(1)
    assert metered(np.repeat(np.eye(4)[:1], 16, axis=0)).collapsed


def scored(seed: int = 0, rows: int = 4, columns: int = 7):
    generator = np.random.default_rng(seed)
    scores = generator.uniform(-1, 1, size=(rows, columns))
    excluded = generator.random((rows, columns)) < 0.25
    positives = generator.integers(0, columns, size=rows)
    return scores, positives, excluded


def test_the_hinge_is_equation_2() -> None:
    scores, positives, excluded = scored()
    total = 0.0
    for row, positive in enumerate(positives):
        for column in range(scores.shape[1]):
            if column != positive and not excluded[row, column]:
                total += max(0.0, 0.1 - scores[row, positive] + scores[row, column])
    found = hinge_attention(
        torch.tensor(scores), torch.tensor(positives), 0.1, excluded=torch.tensor(excluded)
    )
    assert float(found) == pytest.approx(total / len(positives))
    with pytest.raises(ValueError, match="0 or more"):
        hinge_attention(torch.zeros(1, 1), torch.tensor([0]), -0.1)


def gradient(loss, scores: np.ndarray) -> np.ndarray:
    given = torch.tensor(scores, requires_grad=True)
    loss(given).backward()
    assert given.grad is not None
    return given.grad.numpy()


@pytest.mark.parametrize(("inner", "outer"), [(0.1, 1.0), (0.2, 0.5), (0.07, 10.0)])
def test_dual_temperature_has_the_gradient_of_the_quotient_form(inner, outer) -> None:
    """The authors' form: cross-entropy at the inner temperature times sg[W(outer) / W(inner)]."""
    scores, positives, _ = scored(3)
    chosen = torch.tensor(positives)

    def quotient(given):
        shares = [
            1 - (given.detach() / t).softmax(dim=1).gather(1, chosen[:, None])[:, 0]
            for t in (outer, inner)
        ]
        each = torch.nn.functional.cross_entropy(given / inner, chosen, reduction="none")
        return (shares[0] / shares[1] * each).mean()

    own = gradient(lambda given: dual_temperature(given, chosen, inner, outer), scores)
    assert own == pytest.approx(gradient(quotient, scores), rel=1e-9, abs=1e-14)


def test_dual_temperature_with_equal_temperatures_has_the_gradient_of_the_softmax() -> None:
    scores, positives, excluded = scored(4)
    chosen, out = torch.tensor(positives), torch.tensor(excluded)
    expected = torch.tensor(np.log(np.random.default_rng(0).uniform(0.1, 3, size=7)))
    own = gradient(
        lambda s: dual_temperature(s, chosen, 0.3, 0.3, log_expected=expected, excluded=out), scores
    )
    softmax = gradient(
        lambda s: sampled_softmax(s, chosen, 0.3, log_expected=expected, excluded=out), scores
    )
    assert own == pytest.approx(softmax, rel=1e-9, abs=1e-14)


def test_dual_temperature_stays_finite_where_the_quotient_underflows() -> None:
    scores = torch.tensor([[1.0, -1.0]], dtype=torch.float32, requires_grad=True)
    dual_temperature(scores, torch.tensor([0]), 0.1, 1.0).backward()
    assert torch.isfinite(scores.grad).all()
    assert scores.grad[0, 1] > 0
    with pytest.raises(ValueError, match="above 0"):
        dual_temperature(torch.zeros(1, 2), torch.tensor([0]), 0.1, 0.0)
