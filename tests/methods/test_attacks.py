from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="the extra `learn` is not installed")

from torch import nn  # noqa: E402

from peerscope.methods.attacks import (  # noqa: E402
    Ensemble,
    InputDiversity,
    LinfAttack,
    TranslationInvariance,
    interest_class_rank,
)
from peerscope.methods.attacks.losses import LOSSES  # noqa: E402

NAMES = ("cross_entropy", "margin", "logit", "relative_cross_entropy")
EVERYTHING = {
    "momentum": 1.0,
    "diversity": InputDiversity(probability=0.7),
    "translation": TranslationInvariance(),
}


def net(channels=3, classes=5, seed=0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(channels, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(),
        nn.Dropout(0.3), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(24, classes),
    )  # fmt: skip


def batch(n=4, channels=3, height=8, width=8, classes=5, seed=0):
    generator = torch.Generator().manual_seed(seed)
    images = torch.rand(n, channels, height, width, generator=generator)
    return images, torch.randint(classes, (n,), generator=generator)


class Linear(nn.Module):
    def __init__(self, weight) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight)

    def forward(self, images):
        return images.flatten(1) @ self.weight.T


@given(
    shape=st.tuples(*[st.integers(1, 3)] * 2, *[st.integers(1, 9)] * 2),
    loss=st.sampled_from(NAMES),
    eps=st.sampled_from([0.0, 1 / 255, 0.1, 2.0]),
    alpha=st.sampled_from([None, 0.05]),
    steps=st.integers(1, 3),
    options=st.fixed_dictionaries({}, optional={k: st.just(v) for k, v in EVERYTHING.items()}),
    targeted=st.booleans(),
    start=st.booleans(),
)
@settings(max_examples=80, deadline=None)
def test_budget_and_range_hold_for_any_shape(
    shape, loss, eps, alpha, steps, options, targeted, start
) -> None:
    images, labels = batch(shape[0], *shape[1:])
    model = net(shape[1])
    attack = LinfAttack(
        model, loss, eps=eps, alpha=alpha, steps=steps, targeted=targeted, random_start=start, **options
    )  # fmt: skip
    found = attack(images, labels, torch.Generator().manual_seed(1))
    assert found.shape == images.shape and found.dtype == images.dtype
    assert float(found.min()) >= 0 and float(found.max()) <= 1
    # x + eps itself is rounded to float32.
    assert float((found.double() - images.double()).abs().max()) <= eps + 2**-23 * max(eps, 1)


@pytest.mark.parametrize("loss", ["logit", "relative_cross_entropy"])
@pytest.mark.parametrize("targeted", [False, True])
def test_on_a_linear_model_one_step_is_the_optimum_in_closed_form(loss, targeted) -> None:
    generator = torch.Generator().manual_seed(2)
    weight = torch.randn(3, 6, generator=generator, dtype=torch.float64)
    images = torch.rand(4, 1, 2, 3, generator=generator, dtype=torch.float64)
    labels = torch.tensor([0, 1, 2, 0])
    eps = 0.3
    found = LinfAttack(Linear(weight), loss, eps=eps, steps=1, targeted=targeted)(images, labels)
    for image, attacked, label in zip(images, found, labels, strict=True):
        # A linear function over a box has its extreme at a corner: try all of them.
        direction = -weight[label] if loss == "logit" else weight.mean(dim=0) - weight[label]
        flat = image.flatten()
        corners = itertools.product(
            *zip((flat - eps).clamp(0, 1), (flat + eps).clamp(0, 1), strict=True)
        )
        values = [float(torch.stack(corner) @ direction) for corner in corners]
        best = min(values) if targeted else max(values)
        assert float(attacked.flatten() @ direction) == pytest.approx(best, abs=1e-12)


def test_the_steps_are_the_written_recursion_in_double_precision() -> None:
    model = net().double().eval()
    images, labels = batch()
    images = images.double()
    eps, alpha, mu = 0.06, 0.021, 0.9
    translation = TranslationInvariance(size=3)
    found = LinfAttack(
        model, "cross_entropy", eps=eps, alpha=alpha, steps=5, momentum=mu, translation=translation
    )(images, labels)
    line = np.exp(-(np.array([-3.0, 0.0, 3.0]) ** 2) / 2)
    kernel = np.outer(line, line) / line.sum() ** 2
    clean, current = images.numpy(), images.numpy()
    velocity = np.zeros_like(clean)
    for _ in range(5):
        point = torch.tensor(current, requires_grad=True)
        nn.functional.cross_entropy(model(point), labels, reduction="sum").backward()
        slope = smoothed(point.grad.numpy(), kernel)
        velocity = mu * velocity + slope / np.abs(slope).mean(axis=(1, 2, 3), keepdims=True)
        current = current + alpha * np.sign(velocity)
        current = np.clip(clean + np.clip(current - clean, -eps, eps), 0, 1)
    np.testing.assert_allclose(found.numpy(), current, atol=1e-12)


def smoothed(values, kernel):
    """Correlation with zeros beyond the border, place by place."""
    reach = len(kernel) // 2
    padded = np.pad(values, ((0, 0), (0, 0), (reach, reach), (reach, reach)))
    found = np.zeros_like(values)
    for row, column in np.ndindex(*values.shape[2:]):
        window = padded[:, :, row : row + len(kernel), column : column + len(kernel)]
        found[:, :, row, column] = (window * kernel).sum(axis=(2, 3))
    return found


@given(
    channels=st.integers(1, 4), height=st.integers(1, 12), width=st.integers(1, 12),
    size=st.sampled_from([1, 3, 5, 15]), deviations=st.sampled_from([1.0, 3.0]),
)  # fmt: skip
@settings(max_examples=40, deadline=None)
def test_translation_is_a_convolution_with_the_gaussian(
    channels, height, width, size, deviations
) -> None:
    values = torch.randn(2, channels, height, width, dtype=torch.float64)
    places = np.linspace(-deviations, deviations, size) if size > 1 else np.zeros(1)
    line = np.exp(-(places**2) / 2)
    kernel = np.outer(line, line) / line.sum() ** 2
    found = TranslationInvariance(size, deviations)(values)
    np.testing.assert_allclose(found.numpy(), smoothed(values.numpy(), kernel), atol=1e-12)


def test_the_kernel_follows_the_size_of_the_image() -> None:
    sizes = [
        len(TranslationInvariance().kernel(side, side)) for side in (8, 28, 32, 64, 96, 224, 299)
    ]
    assert sizes == [3, 3, 3, 5, 7, 15, 15]
    with pytest.raises(ValueError, match="odd, not 4"):
        TranslationInvariance(size=4)


@pytest.mark.parametrize("rate", [1.1, 1.05, 0.9, 0.5, 2.0])
@pytest.mark.parametrize("height,width", [(1, 1), (2, 3), (8, 8), (10, 11), (28, 28)])
@pytest.mark.parametrize("per_image", [False, True])
def test_diversity_pads_at_every_place_and_keeps_the_gradient(
    rate, height, width, per_image
) -> None:
    images = torch.rand(3, 1, height, width, requires_grad=True)
    generator = torch.Generator().manual_seed(0)
    back = InputDiversity(1.0, rate, per_image=per_image)
    for _ in range(5):
        changed = back(images, generator)
        assert changed.shape == images.shape
        assert float(changed.detach().max()) <= 1 and bool(changed.isfinite().all())
    (slope,) = torch.autograd.grad(back(images, generator).sum(), images)
    assert bool(slope.isfinite().all())


def test_a_margin_of_one_pixel_places_the_image_on_either_side() -> None:
    images = torch.ones(1, 1, 9, 9)
    generator = torch.Generator().manual_seed(0)
    diversity = InputDiversity(1.0, rate=1.1, resize_back=False)
    found = set()
    for _ in range(60):
        canvas = diversity(images, generator)[0, 0]
        assert canvas.shape == (10, 10)
        assert float(canvas.sum()) == 81
        filled = canvas.nonzero()
        found.add(tuple(filled.min(dim=0).values.tolist()))
    assert found == {(0, 0), (0, 1), (1, 0), (1, 1)}


def test_diversity_keeps_its_probability_and_its_canvas() -> None:
    images = torch.ones(1, 1, 20, 20)
    generator = torch.Generator().manual_seed(0)
    larger = InputDiversity(0.3, rate=1.5, resize_back=False)
    changed = [larger(images, generator).shape[-1] for _ in range(400)]
    assert set(changed) == {20, 30}
    assert changed.count(30) / 400 == pytest.approx(0.3, abs=0.07)
    smaller = InputDiversity(1.0, rate=0.5, resize_back=False)
    sizes = {int(smaller(images, generator)[0, 0].gt(0).any(dim=0).sum()) for _ in range(200)}
    assert sizes == set(range(10, 20))
    each = InputDiversity(1.0, rate=0.5, per_image=True)(torch.ones(30, 1, 20, 20), generator)
    assert len({float(image.sum().round()) for image in each}) > 5


@pytest.mark.parametrize(
    "options,reason",
    [
        ({"probability": 1.1}, "probability"), ({"rate": 1.0}, "rate"), ({"rate": 0.0}, "rate"),
        ({"per_image": True, "resize_back": False}, "share a size"),
    ],
)  # fmt: skip
def test_diversity_names_what_is_wrong(options, reason) -> None:
    with pytest.raises(ValueError, match=reason):
        InputDiversity(**options)


def test_without_momentum_mi_is_i_fgsm_and_one_step_of_it_too() -> None:
    images, labels = batch()
    # Smooth, so that no pixel lacks a gradient: there, momentum would still move it.
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(192, 20), nn.Tanh(), nn.Linear(20, 5))
    plain = LinfAttack(model, eps=0.1, steps=3)(images, labels)
    small = LinfAttack(model, eps=0.1, steps=3, momentum=1e-12)(images, labels)
    assert torch.equal(plain, small)
    assert torch.equal(
        LinfAttack(model, eps=0.1, steps=1)(images, labels),
        LinfAttack(model, eps=0.1, steps=1, momentum=1.0)(images, labels),
    )


def test_an_image_without_a_gradient_stays_as_it_is() -> None:
    images, labels = batch()
    found = LinfAttack(lambda x: x.flatten(1)[:, :5] * 0, eps=0.1, momentum=1.0)(images, labels)
    assert torch.equal(found, images)


def test_a_generator_decides_all_draws() -> None:
    images, labels = batch(n=6, height=12, width=12)
    attack = LinfAttack(
        net(), eps=0.1, steps=4, random_start=True,
        diversity=InputDiversity(0.5, rate=1.5, per_image=True),
    )  # fmt: skip
    first = attack(images, labels, torch.Generator().manual_seed(5))
    torch.manual_seed(99)
    assert torch.equal(first, attack(images, labels, torch.Generator().manual_seed(5)))
    assert not torch.equal(first, attack(images, labels, torch.Generator().manual_seed(6)))


def test_the_sum_makes_an_image_independent_of_its_batch() -> None:
    images, labels = batch(n=5)
    attack = LinfAttack(net().double(), "cross_entropy", eps=0.1, steps=3, momentum=1.0)
    whole = attack(images.double(), labels)
    single = [attack(images[i : i + 1].double(), labels[i : i + 1]) for i in range(5)]
    torch.testing.assert_close(whole, torch.cat(single), rtol=0, atol=1e-9)


def test_the_model_is_left_as_it_was_found() -> None:
    model = net()
    model.train()
    model[1].eval()
    model[6].weight.requires_grad_(False)
    model[0].weight.grad = torch.full_like(model[0].weight, 7.0)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    modes = [module.training for module in model.modules()]
    images, labels = batch()
    kept = images.clone()
    LinfAttack(model, eps=0.1, steps=2)(images, labels)
    assert [module.training for module in model.modules()] == modes
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert [p.requires_grad for p in model.parameters()] == [True] * 4 + [False, True]
    assert bool((model[0].weight.grad == 7).all()) and model[0].bias.grad is None
    assert torch.equal(images, kept) and not images.requires_grad

    def broken(inputs):
        raise RuntimeError("no")

    model[2].register_forward_hook(lambda *_: broken(0))
    with pytest.raises(RuntimeError, match="no"):
        LinfAttack(model, eps=0.1)(images, labels)
    assert [module.training for module in model.modules()] == modes


def test_it_attacks_under_no_grad_and_inference_mode() -> None:
    images, labels = batch()
    attack = LinfAttack(net(), eps=0.1, steps=2)
    expected = attack(images, labels)
    with torch.no_grad():
        assert torch.equal(attack(images, labels), expected)
    with torch.inference_mode():
        inside, truths = batch()
        assert torch.equal(attack(inside, truths), expected)
    assert not expected.requires_grad


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_it_works_under_autocast(dtype) -> None:
    images, labels = batch(n=8)
    model = net()
    for loss in NAMES:
        attack = LinfAttack(model, loss, eps=0.1, steps=1)
        with torch.autocast("cpu", dtype=dtype):
            found = attack(images, labels)
        assert found.dtype == torch.float32
        same = (found - images).sign() == (attack(images, labels) - images).sign()
        assert float(same.float().mean()) > 0.9
    halved = LinfAttack(model.to(dtype), eps=0.1, steps=2)(images.to(dtype), labels)
    assert halved.dtype == dtype
    assert float((halved.float() - images).abs().max()) <= 0.1 + 2**-7


@pytest.mark.parametrize("loss", NAMES)
@pytest.mark.parametrize("targeted", [False, True])
def test_an_attack_reaches_its_aim(loss, targeted) -> None:
    images, _ = batch(n=16, height=12, width=12)
    model = net().eval()
    with torch.no_grad():
        logits = model(images)
        interest = (logits.argmin if targeted else logits.argmax)(dim=1)
    attack = LinfAttack(model, loss, eps=0.5, alpha=0.1, steps=10, targeted=targeted)
    found, trace = attack.trace(images, interest)
    with torch.no_grad():
        reached = model(found)
    before = interest_class_rank(logits, interest).double().mean()
    after = interest_class_rank(reached, interest).double().mean()
    assert float(after - before) * (-1 if targeted else 1) > 0.5
    assert trace.ranks.shape == trace.log_probabilities.shape == trace.cosines.shape == (11, 16)
    assert torch.equal(trace.ranks[0], interest_class_rank(logits, interest))
    assert torch.equal(trace.ranks[-1], interest_class_rank(reached, interest))
    logs = reached.log_softmax(dim=1).gather(1, interest[:, None])[:, 0]
    torch.testing.assert_close(trace.log_probabilities[-1], logs)
    if loss == "relative_cross_entropy":
        torch.testing.assert_close(trace.cosines, torch.ones(11, 16))
    elif loss == "margin":
        torch.testing.assert_close(trace.cosines, torch.full((11, 16), (2 * 0.8) ** -0.5))


def test_a_trace_does_not_change_the_attack_or_its_draws() -> None:
    images, labels = batch(height=12, width=12)
    attack = LinfAttack(net(), eps=0.1, steps=3, random_start=True, **EVERYTHING)
    found, _ = attack.trace(images, labels, torch.Generator().manual_seed(3))
    assert torch.equal(found, attack(images, labels, torch.Generator().manual_seed(3)))


def test_a_loss_of_ones_own_and_an_ensemble() -> None:
    images, labels = batch()
    first, second = net(seed=1), net(seed=2)
    own = LinfAttack(first, lambda z, y: LOSSES["logit"](z, y) * 3, eps=0.1, steps=2)
    assert torch.equal(
        own(images, labels), LinfAttack(first, "logit", eps=0.1, steps=2)(images, labels)
    )
    both = Ensemble(first.eval(), second.eval())
    torch.testing.assert_close(both(images), (first(images) + second(images)) / 2)
    assert LinfAttack(both, eps=0.1)(images, labels).shape == images.shape
    with pytest.raises(ValueError, match="at least one"):
        Ensemble()


@pytest.mark.parametrize(
    "options",
    [
        {"eps": -0.1},
        {"eps": 0.1, "steps": 0},
        {"eps": 0.1, "alpha": 0.0},
        {"eps": 0.1, "momentum": -1},
    ],
)
def test_settings_out_of_range_are_named(options) -> None:
    with pytest.raises(ValueError, match="An attack needs eps"):
        LinfAttack(net(), **options)


def test_bad_input_is_named() -> None:
    images, labels = batch()
    attack = LinfAttack(net(), eps=0.1)
    for wrong, truths, reason in [
        (images * 255, labels, "put any normalisation into the model"),
        (images.int(), labels, "floating point"),
        (images[0], labels, "shape"),
        (images, labels.int(), "int64"),
        (images, labels[:2], r"shape \[4\]"),
        (images[:0], labels[:0], "no image"),
        (images * float("nan"), labels, "outside"),
    ]:
        with pytest.raises(ValueError, match=reason):
            attack(wrong, truths)
    with pytest.raises(ValueError, match=r"logits of shape \[4, K\]"):
        LinfAttack(lambda x: x.flatten(1).sum(dim=1), eps=0.1)(images, labels)
    with pytest.raises(ValueError, match="not finite"):
        LinfAttack(lambda x: (x.flatten(1)[:, :5] - 2).sqrt(), eps=0.1)(images, labels)
