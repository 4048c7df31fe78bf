from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="the extra `learn` is not installed")

from peerscope.methods.attacks import (  # noqa: E402
    cross_entropy,
    interest_class_rank,
    logit,
    margin,
    rce,
    relative_cross_entropy,
    success_curve,
    topk_success,
)
from peerscope.methods.attacks.losses import LOSSES, alignment, named  # noqa: E402
from peerscope.methods.attacks.metrics import paired_interval  # noqa: E402


def drawn(n=6, classes=10, seed=0, scale=3.0):
    generator = torch.Generator().manual_seed(seed)
    logits = scale * torch.randn(n, classes, generator=generator, dtype=torch.float64)
    labels = torch.randint(classes, (n,), generator=generator)
    return logits, labels


def gradient(loss, logits, labels):
    logits = logits.clone().requires_grad_()
    return torch.autograd.grad(loss(logits, labels).sum(), logits)[0].numpy()


def softmax(logits):
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)


def closed_forms(logits, labels):
    z, y = logits.numpy(), labels.numpy()
    rows, classes = np.arange(len(z)), z.shape[1]
    own = np.zeros_like(z)
    own[rows, y] = 1
    others = np.where(own == 1, -np.inf, z)
    best = np.zeros_like(z)
    best[rows, others.argmax(axis=1)] = 1
    return {
        "cross_entropy": (-np.log(softmax(z)[rows, y]), softmax(z) - own),
        "margin": (others.max(axis=1) - z[rows, y], best - own),
        "logit": (-z[rows, y], -own),
        "relative_cross_entropy": (z.mean(axis=1) - z[rows, y], 1 / classes - own),
    }


@pytest.mark.parametrize("name", ["cross_entropy", "margin", "logit", "relative_cross_entropy"])
@pytest.mark.parametrize("classes", [2, 3, 10, 242])
def test_a_loss_and_its_gradient_are_their_closed_forms(name, classes) -> None:
    logits, labels = drawn(classes=classes)
    value, slope = closed_forms(logits, labels)[name]
    np.testing.assert_allclose(LOSSES[name](logits, labels).numpy(), value, atol=1e-12)
    np.testing.assert_allclose(gradient(LOSSES[name], logits, labels), slope, atol=1e-12)


def test_relative_cross_entropy_is_cross_entropy_less_its_mean_over_all_classes() -> None:
    logits, labels = drawn(classes=17)
    over_all = torch.stack(
        [cross_entropy(logits, torch.full_like(labels, k)) for k in range(17)]
    ).mean(dim=0)
    torch.testing.assert_close(
        relative_cross_entropy(logits, labels), cross_entropy(logits, labels) - over_all
    )
    over_others = (17 * over_all - cross_entropy(logits, labels)) / 16
    torch.testing.assert_close(
        cross_entropy(logits, labels) - over_others,
        17 / 16 * relative_cross_entropy(logits, labels),
    )
    assert rce is relative_cross_entropy


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_logits_are_widened_and_never_saturate(dtype) -> None:
    logits = torch.tensor([[60.0, -60.0, 0.0], [100.0, 99.0, 98.0]], dtype=dtype)
    labels = torch.tensor([0, 0])
    for name in ("cross_entropy", "margin", "logit", "relative_cross_entropy"):
        found = LOSSES[name](logits, labels)
        assert found.dtype == torch.float32
        assert bool(found.isfinite().all())
    slope = gradient(relative_cross_entropy, logits.float(), labels)
    np.testing.assert_allclose(slope, [[-2 / 3, 1 / 3, 1 / 3]] * 2, rtol=1e-6)
    # At a sure prediction cross-entropy has no gradient left, which is what relative cross-entropy mends.
    assert np.abs(gradient(cross_entropy, logits.float(), labels)[0]).max() < 1e-20


def test_cosines_with_the_direction_that_lowers_a_class_against_all() -> None:
    for classes in (2, 10, 242):
        logits, labels = drawn(classes=classes, scale=2.0)
        p = softmax(logits.numpy())[np.arange(len(labels)), labels.numpy()]
        slope = gradient(cross_entropy, logits, labels)
        expected = (1 - p) / (np.linalg.norm(slope, axis=1) * math.sqrt(1 - 1 / classes))
        found = {
            loss: alignment(torch.from_numpy(gradient(loss, logits, labels)), labels).numpy()
            for loss in (cross_entropy, margin, relative_cross_entropy, logit)
        }
        np.testing.assert_allclose(found[cross_entropy], expected, rtol=1e-10)
        np.testing.assert_allclose(found[margin], 1 / math.sqrt(2 * (1 - 1 / classes)), rtol=1e-10)
        np.testing.assert_allclose(found[relative_cross_entropy], 1, rtol=1e-12)
        np.testing.assert_allclose(found[logit], math.sqrt(1 - 1 / classes), rtol=1e-12)


def test_the_cosine_of_a_vanishing_gradient_is_exact_and_of_none_is_zero() -> None:
    labels = torch.tensor([0, 0])
    slope = torch.tensor([[-2e-30, 1e-30, 1e-30], [0.0, 0.0, 0.0]])
    torch.testing.assert_close(alignment(slope, labels), torch.tensor([1.0, 0.0]))


def test_beyond_its_confidence_the_margin_has_no_gradient() -> None:
    logits = torch.tensor([[0.0, 5.0, 1.0], [3.0, 0.0, 1.0]], dtype=torch.float64)
    labels = torch.tensor([0, 0])
    slope = gradient(lambda z, y: margin(z, y, confidence=2.0), logits, labels)
    np.testing.assert_array_equal(slope, [[0, 0, 0], [-1, 0, 1]])
    assert margin(logits, labels, confidence=2.0).tolist() == [2.0, -2.0]


def test_losses_have_full_names() -> None:
    assert [named(name)[0] for name in ("ce", "cw", "rce")] == [
        "cross_entropy", "margin", "relative_cross_entropy",
    ]  # fmt: skip
    assert named(logit) == ("logit", logit)
    with pytest.raises(ValueError, match="no loss 'crossentropy'; known are cross_entropy"):
        named("crossentropy")


def test_a_rank_counts_strictly_larger_logits() -> None:
    logits = torch.tensor([[1.0, 3.0, 2.0], [2.0, 2.0, 2.0], [0.0, 0.0, 1.0]])
    interest = torch.tensor([0, 1, 1])
    assert interest_class_rank(logits, interest).tolist() == [3, 1, 2]
    assert interest_class_rank(logits, interest, base=0).tolist() == [2, 0, 1]
    with pytest.raises(ValueError, match="0 or 1"):
        interest_class_rank(logits, interest, base=2)
    with pytest.raises(ValueError, match="NaN"):
        interest_class_rank(logits / 0, interest)


@given(classes=st.integers(2, 40), n=st.integers(1, 30), seed=st.integers(0, 99))
@settings(max_examples=50, deadline=None)
def test_the_mean_rank_is_one_plus_the_sum_of_success(classes, n, seed) -> None:
    logits, labels = drawn(n=n, classes=classes, seed=seed)
    logits = logits.round()  # ties happen
    ranks = interest_class_rank(logits, labels)
    brute = [1 + sum(z > row[y] for z in row) for row, y in zip(logits, labels, strict=True)]
    assert ranks.tolist() == [int(rank) for rank in brute]
    success = [topk_success(ranks, k) for k in range(1, classes)]
    assert float(ranks.double().mean()) == pytest.approx(1 + sum(success))
    assert success_curve(ranks, classes).tolist() == pytest.approx(success)
    inside = [topk_success(ranks, k, targeted=True) for k in range(1, classes)]
    assert inside == pytest.approx([1 - value for value in success])
    assert success_curve(ranks, classes, targeted=True).tolist() == pytest.approx(inside)
    assert topk_success(ranks, classes) == 0


def test_success_needs_images_and_a_k() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        topk_success(torch.tensor([1]), 0)
    with pytest.raises(ValueError, match="no image"):
        topk_success(torch.tensor([], dtype=torch.int64), 1)


def test_the_paired_interval_holds_the_mean_and_narrows_with_images() -> None:
    generator = torch.Generator().manual_seed(3)
    second = torch.randint(1, 50, (400,), generator=generator)
    first = second + torch.randint(0, 5, (400,), generator=generator)
    mean, low, high = paired_interval(first, second, draws=500)
    gaps = (first - second).double()
    assert mean == pytest.approx(float(gaps.mean()))
    assert low < mean < high
    # The normal approximation of the same interval.
    assert high - low == pytest.approx(2 * 1.96 * float(gaps.std()) / 20, rel=0.15)
    assert paired_interval(first, second, draws=500) == (mean, low, high)
    with pytest.raises(ValueError, match="same images"):
        paired_interval(first, second[:-1])
