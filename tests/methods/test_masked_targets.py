from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="the extra `learn` is not installed")

from peerscope.methods.masked.distances import (  # noqa: E402
    AbsoluteError,
    CrossEntropy,
    ScaledCosineError,
    SmoothAbsoluteError,
    SoftCrossEntropy,
    SquaredError,
)
from peerscope.methods.masked.targets import (  # noqa: E402
    CodebookTokens,
    NormalizedPixels,
    OrientedGradients,
    Target,
    k_means,
    nearest,
    oriented_gradients,
    target_width,
)
from peerscope.methods.masked.teachers import ClassTeacher, FeatureTeacher  # noqa: E402
from peerscope.methods.masked.towers import LinearDecoder, patch_encoder  # noqa: E402
from peerscope.methods.masked.units import Patches  # noqa: E402


def seeded(seed: int = 0):
    return torch.Generator().manual_seed(seed)


def images(*shape: int, seed: int = 0, dtype=torch.float64):
    return torch.rand(shape, generator=seeded(seed), dtype=dtype)


def test_normalised_pixels_take_the_unbiased_variance_and_come_back() -> None:
    units = Patches(4).split(images(2, 3, 8, 12))
    found = NormalizedPixels()(units, None)
    for row in range(2):
        for place in range(6):
            patch = units.values[row, place].numpy()
            by_hand = (patch - patch.mean()) / math.sqrt(patch.var(ddof=1) + 1e-6)
            assert found[row, place].numpy() == pytest.approx(by_hand, rel=1e-12)
    torch.testing.assert_close(NormalizedPixels().values(found, units), units.values)
    even = Patches(4).split(torch.full((1, 1, 4, 4), 0.3))
    assert torch.isfinite(NormalizedPixels()(even, None)).all()
    with pytest.raises(ValueError, match="one value"):
        NormalizedPixels()(Patches(1).split(images(1, 1, 2, 2)), None)


def histograms_by_hand(image: np.ndarray, cell: int, bins: int) -> np.ndarray:
    """Of one channel: every pixel, its two gradients, its vote; loops only."""
    height, width = image.shape

    def at(y: int, x: int) -> float:
        y = -y if y < 0 else 2 * (height - 1) - y if y >= height else y
        x = -x if x < 0 else 2 * (width - 1) - x if x >= width else x
        return float(image[y, x])

    found = np.zeros((bins, height // cell, width // cell))
    for y in range(height):
        for x in range(width):
            left = at(y - 1, x - 1) + 2 * at(y, x - 1) + at(y + 1, x - 1)
            right = at(y - 1, x + 1) + 2 * at(y, x + 1) + at(y + 1, x + 1)
            above = at(y - 1, x - 1) + 2 * at(y - 1, x) + at(y - 1, x + 1)
            below = at(y + 1, x - 1) + 2 * at(y + 1, x) + at(y + 1, x + 1)
            gx, gy = left - right, above - below
            direction = math.floor(math.atan2(gx, gy) / math.pi * bins) % bins
            found[direction, y // cell, x // cell] += math.sqrt(gx * gx + gy * gy)
    for y in range(height // cell):
        for x in range(width // cell):
            length = math.sqrt((found[:, y, x] ** 2).sum())
            found[:, y, x] /= length or 1.0
    return found


@pytest.mark.parametrize(("channels", "cell", "bins"), [(1, 4, 9), (3, 8, 9), (2, 2, 5)])
def test_gradients_are_those_of_a_derivation_by_hand(channels, cell, bins) -> None:
    picture = images(2, channels, 16, 24, seed=channels)
    found = oriented_gradients(picture, cell, bins).reshape(2, channels, bins, 16 // cell, -1)
    for row in range(2):
        for channel in range(channels):
            by_hand = histograms_by_hand(picture[row, channel].numpy(), cell, bins)
            assert found[row, channel].numpy() == pytest.approx(by_hand, abs=1e-10)


def test_the_gradients_of_a_patch_lie_at_its_place() -> None:
    picture = images(1, 3, 16, 24, dtype=torch.float32)
    target = OrientedGradients(8, cell=4)
    found = target(Patches(8).split(picture), None)
    assert found.shape == (1, 6, target.width(3)) == (1, 6, 4 * 9 * 3)
    whole = oriented_gradients(picture, 4)
    row, column = 1, 2
    own = whole[0, :, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
    torch.testing.assert_close(found[0, row * 3 + column], own.permute(1, 2, 0).flatten())
    # an even image has no direction, and no length that is not a number
    assert (target(Patches(8).split(torch.ones(1, 3, 16, 16)), None) == 0).all()
    with pytest.raises(ValueError, match="do not divide"):
        OrientedGradients(8, cell=3)
    with pytest.raises(ValueError, match="cannot be turned back"):
        target.values(found, Patches(8).split(picture))


@settings(deadline=None, max_examples=40)
@given(
    shift=st.floats(-1e3, 1e3),
    number=st.integers(1, 30),
    size=st.integers(2, 12),
    seed=st.integers(0, 999),
)
def test_tokens_are_the_nearest_centres_by_brute_force(shift, number, size, seed) -> None:
    generator = np.random.default_rng(seed)
    values = generator.normal(size=(number, 5)).astype(np.float32) + np.float32(shift)
    centres = generator.normal(size=(size, 5)).astype(np.float32) + np.float32(shift)
    gaps = ((values[:, None].astype(float) - centres[None].astype(float)) ** 2).sum(axis=2)
    found = nearest(torch.tensor(values), torch.tensor(centres)).numpy()
    own = gaps[np.arange(number), found]
    assert own == pytest.approx(gaps.min(axis=1), rel=1e-3, abs=1e-3 * (1 + abs(shift) / 100))


def test_k_means_finds_groups_and_never_gets_worse() -> None:
    generator = np.random.default_rng(0)
    truth = generator.normal(size=(6, 4)) * 20
    values = torch.tensor(truth.repeat(50, axis=0) + generator.normal(size=(300, 4)) * 0.1)
    centres = k_means(values, 6, generator=seeded(1))
    for centre in truth:
        assert np.linalg.norm(centres.numpy() - centre, axis=1).min() < 0.1

    def spread(steps: int) -> float:
        found = k_means(loose, 8, steps=steps, generator=seeded(2))
        return float((loose - found[nearest(loose, found)]).square().sum())

    loose = torch.tensor(generator.normal(size=(400, 3)))
    course = [spread(steps) for steps in range(8)]
    assert all(after <= before + 1e-9 for before, after in itertools.pairwise(course))
    assert torch.equal(
        k_means(loose, 8, generator=seeded(3)), k_means(loose, 8, generator=seeded(3))
    )
    with pytest.raises(ValueError, match="2 different values, fewer than 3"):
        k_means(torch.tensor([[0.0], [1.0], [1.0]]), 3)


def test_a_codebook_of_images_names_patches_and_gives_them_back() -> None:
    picture = images(8, 1, 8, 8, dtype=torch.float32)
    codebook = CodebookTokens.fitted(picture, 4, 5, generator=seeded())
    units = Patches(4).split(picture)
    tokens = codebook(units, None)
    assert tokens.shape == (8, 4)
    assert tokens.dtype == torch.int64
    logits = torch.nn.functional.one_hot(tokens, 5).float()
    assert torch.equal(codebook.values(logits, units), codebook.centres[tokens])
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(codebook(units, None), tokens)
    assert target_width(codebook, 4, 1) == 5
    assert target_width(Target(), 4, 3) == 48
    assert target_width(OrientedGradients(4), 4, 3) == 27
    with pytest.raises(ValueError, match="codebook"):
        CodebookTokens(torch.zeros(5))


def losses(shape=(2, 6, 12), seed: int = 0):
    generator = np.random.default_rng(seed)
    predicted, target = generator.normal(size=(2, *shape))
    mask = generator.random(shape[:2]) < 0.5
    mask[:, 0] = True
    return torch.tensor(predicted, requires_grad=True), torch.tensor(target), torch.tensor(mask)


def test_mae_averages_hidden_patches() -> None:
    predicted, target, mask = losses()
    total, number = 0.0, 0
    for row, place in mask.nonzero().tolist():
        gap = predicted[row, place].detach() - target[row, place]
        total, number = total + float((gap**2).mean()), number + 1
    assert float(SquaredError()(predicted, target, mask).detach()) == pytest.approx(total / number)
    everything = float((predicted - target).detach().square().mean())
    assert float(SquaredError("all")(predicted, target, mask).detach()) == pytest.approx(everything)


def test_simmim_divides_by_hidden_pixels_and_channels() -> None:
    """The published form: a mask of pixels on whole images."""
    channels, patch = 3, 2
    picture, made = images(2, channels, 4, 6), images(2, channels, 4, 6, seed=1)
    mask = torch.tensor([[1, 0, 0, 1, 1, 0], [0, 0, 1, 0, 0, 1]], dtype=torch.bool)
    pixels = mask.reshape(2, 2, 3).repeat_interleave(2, 1).repeat_interleave(2, 2)[:, None].double()
    gaps = (picture - made).abs()
    published = (gaps * pixels).sum() / (pixels.sum() + 1e-5) / channels
    form = Patches(patch)
    found = AbsoluteError(channels)(form.split(made).values, form.split(picture).values, mask)
    assert float(found) == pytest.approx(float(published), rel=1e-12)


def test_the_other_distances_are_their_formulas() -> None:
    predicted, target, mask = losses()
    gap = (predicted - target).abs()
    smooth = torch.where(gap < 2.0, gap.square() / 4, gap - 1.0).mean(dim=-1)[mask].mean()
    torch.testing.assert_close(SmoothAbsoluteError(2.0)(predicted, target, mask), smooth)
    classes = target.argmax(dim=-1)
    own = -predicted.log_softmax(-1).gather(2, classes[:, :, None])[:, :, 0]
    torch.testing.assert_close(CrossEntropy()(predicted, classes, mask), own[mask].mean())
    soft = target.softmax(dim=-1)
    each = -(soft * (predicted / 0.1).log_softmax(-1)).sum(-1)
    by_image = torch.stack([each[row][mask[row]].mean() for row in range(2)]).mean()
    torch.testing.assert_close(SoftCrossEntropy(0.1)(predicted, soft, mask), by_image)


@pytest.mark.parametrize("alpha", [1.0, 1.5, 2.0, 3.0])
def test_the_scaled_cosine_error_is_its_closed_form(alpha) -> None:
    predicted, target, mask = losses(seed=2)
    total = []
    for row, place in mask.nonzero().tolist():
        x, y = target[row, place].numpy(), predicted[row, place].detach().numpy()
        total.append((1 - x @ y / np.linalg.norm(x) / np.linalg.norm(y)) ** alpha)
    distance = ScaledCosineError(alpha)
    assert float(distance(predicted, target, mask).detach()) == pytest.approx(
        np.mean(total), rel=1e-12
    )
    assert torch.autograd.gradcheck(lambda p: distance(p, target, mask), (predicted,))
    longer = distance(predicted * 7, target * 0.1, mask)
    torch.testing.assert_close(longer, distance(predicted, target, mask))


def test_the_scaled_cosine_error_of_equal_vectors_has_a_gradient() -> None:
    # rounding takes some of these cosines above 1
    same = torch.randn(1, 500, 7, generator=seeded(), requires_grad=True)
    mask = torch.ones(1, 500, dtype=torch.bool)
    loss = ScaledCosineError(1.5)(same, same.detach(), mask)
    loss.backward()
    assert float(loss.detach()) == pytest.approx(0, abs=1e-8)
    assert torch.isfinite(same.grad).all()
    with pytest.raises(ValueError, match="1 or more"):
        ScaledCosineError(0.5)


@pytest.mark.parametrize(
    "distance",
    [
        SquaredError(),
        AbsoluteError(3),
        SmoothAbsoluteError(),
        SoftCrossEntropy(),
        ScaledCosineError(),
    ],
)
def test_no_gradient_comes_from_visible_units(distance) -> None:
    predicted, target, mask = losses()
    target = target.softmax(-1)
    distance(predicted, target, mask).backward()
    assert (predicted.grad[~mask] == 0).all()
    assert (predicted.grad[mask].abs().sum(dim=-1) > 0).all()
    none = distance(predicted, target, torch.zeros_like(mask))
    assert float(none.detach()) == 0


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_predictions_are_summed_in_single(dtype) -> None:
    predicted = torch.full((8, 512, 300), 3.0, dtype=dtype)
    mask = torch.ones(8, 512, dtype=torch.bool)
    for distance, expected in [(SquaredError(), 9.0), (AbsoluteError(3), 3.0)]:
        loss = distance(predicted, torch.zeros(8, 512, 300, dtype=dtype), mask)
        assert loss.dtype == torch.float32
        assert float(loss) == pytest.approx(expected)


def teacher_and_encoder(depth: int = 3, **options):
    torch.manual_seed(0)
    encoder = patch_encoder(4, 1, 16, depth, 2).double()
    return FeatureTeacher(encoder, **options), encoder


def test_data2vec_averages_normalised_outputs_of_the_top_blocks() -> None:
    teacher, encoder = teacher_and_encoder(top=2)
    units = Patches(4).split(images(2, 1, 8, 8))
    outputs = []
    hooks = [
        block.register_forward_hook(lambda m, i, out: outputs.append(out))
        for block in encoder.blocks
    ]
    encoder(encoder.embed(units, units.values), units)
    for hook in hooks:
        hook.remove()
    rows = []
    for out in outputs[-2:]:
        x = out[:, 1:].detach()
        deviation = x.var(dim=-1, keepdim=True, unbiased=False)
        rows.append((x - x.mean(dim=-1, keepdim=True)) / (deviation + 1e-5).sqrt())
    found = teacher(units, None)
    torch.testing.assert_close(found, (rows[0] + rows[1]) / 2)
    assert not found.requires_grad
    once_more = FeatureTeacher(encoder, top=2, normalize=True)(units, None)
    torch.testing.assert_close(once_more.mean(dim=-1), torch.zeros(2, 4).double())
    for bad, message in [({"top": 0}, "1 block"), ({"decay": (0.9, 1.1)}, "Decays")]:
        with pytest.raises(ValueError, match=message):
            FeatureTeacher(encoder, **bad)


def test_a_teacher_is_the_moving_average_and_has_no_gradient() -> None:
    teacher, encoder = teacher_and_encoder(decay=(0.5, 0.9))
    assert not any(part.requires_grad for part in teacher.parameters())
    assert not teacher.train().encoder.training
    before = [part.clone() for part in teacher.parameters()]
    with torch.no_grad():
        for part in encoder.parameters():
            part.add_(1.0)
    teacher.follow(encoder, torch.nn.Identity(), 0.5)
    for old, now in zip(before, teacher.parameters(), strict=True):
        torch.testing.assert_close(now, 0.7 * old + 0.3 * (old + 1))
    with pytest.raises(ValueError, match="cannot be turned back"):
        teacher.values(torch.zeros(1), Patches(4).split(images(1, 1, 4, 4)))


def test_ibot_centres_and_sharpens() -> None:
    torch.manual_seed(0)
    encoder = patch_encoder(4, 1, 16, 1, 2)
    decoder = LinearDecoder(16, 6, 1)
    teacher = ClassTeacher(encoder, decoder, 6, temperature=0.5, momentum=0.8)
    units = Patches(4).split(images(3, 1, 8, 8, dtype=torch.float32))
    logits = decoder(encoder(encoder.embed(units, units.values), units), units, None, None).detach()
    torch.testing.assert_close(teacher(units, None), (logits / 0.5).softmax(dim=-1))
    assert (teacher.centre == 0).all()
    teacher.follow(encoder, decoder, 0.0)
    torch.testing.assert_close(teacher.centre, 0.2 * logits.mean(dim=(0, 1)))
    torch.testing.assert_close(
        teacher(units, None), ((logits - teacher.centre) / 0.5).softmax(dim=-1)
    )
