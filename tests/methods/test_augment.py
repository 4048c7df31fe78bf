"""Views against what one would do to each image by hand."""

from __future__ import annotations

import colorsys
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from peerscope.methods.augment import COLOUR_32, GREY_28, Drawn, Recipe, TwoViews, View, normalised
from peerscope.methods.augment.colours import GREY, greyed, jittered, turned
from peerscope.methods.augment.crops import blurring, boxes, resizing

STILL = Recipe(scale=(1, 1), ratio=(1, 1), flip=0, jitter=0, grey=0)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def colours(number: int = 6, height: int = 20, width: int = 24) -> Tensor:
    return torch.rand(number, 3, height, width, generator=seeded(9))


def numpy_bilinear(crop: np.ndarray, size: int) -> np.ndarray:
    """Linear interpolation of one plane at pixel centres, the edge repeated: written pixel by pixel."""
    height, width = crop.shape
    found = np.empty((size, size))
    for row in range(size):
        for column in range(size):
            y = min(max((row + 0.5) * height / size - 0.5, 0), height - 1)
            x = min(max((column + 0.5) * width / size - 0.5, 0), width - 1)
            top, left = int(y), int(x)
            below, right = min(top + 1, height - 1), min(left + 1, width - 1)
            down, across = y - top, x - left
            upper = crop[top, left] * (1 - across) + crop[top, right] * across
            lower = crop[below, left] * (1 - across) + crop[below, right] * across
            found[row, column] = upper * (1 - down) + lower * down
    return found


def test_a_grown_crop_is_linear_interpolation_done_by_hand() -> None:
    images = colours(4)
    view = View(replace(STILL, size=24, scale=(0.2, 0.6), ratio=(0.7, 1.4), flip=0.5))
    drawn = view.draw(4, 20, 24, generator=seeded(3))
    made = view.apply(images, drawn).numpy()
    assert drawn.mirrored is not None
    assert 0 < drawn.mirrored.sum() < 4
    for number, box in enumerate(drawn.boxes.int().tolist()):
        top, left, tall, wide = box
        for channel in range(3):
            crop = images[number, channel, top : top + tall, left : left + wide].numpy()
            expected = numpy_bilinear(crop.astype(np.float64), 24)
            if drawn.mirrored[number]:
                expected = expected[:, ::-1]
            np.testing.assert_allclose(made[number, channel], expected, atol=2e-6)


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
@pytest.mark.parametrize("size", [7, 20, 33])
def test_resizing_is_that_of_pytorch_with_antialias(mode: str, size: int) -> None:
    images = colours(8)
    recipe = replace(STILL, size=size, scale=(0.1, 1), ratio=(0.5, 2), interpolation=mode)
    view = View(recipe)
    drawn = view.draw(8, 20, 24, generator=seeded(4))
    made = view.apply(images, drawn)
    for number, box in enumerate(drawn.boxes.int().tolist()):
        top, left, tall, wide = box
        crop = images[number : number + 1, :, top : top + tall, left : left + wide]
        expected = functional.interpolate(crop, size=(size, size), mode=mode, antialias=True)
        torch.testing.assert_close(made[number], expected[0].clamp(0, 1), atol=3e-6, rtol=0)


@given(
    st.integers(1, 40),
    st.integers(1, 40),
    st.integers(1, 20),
    st.sampled_from(["bilinear", "bicubic"]),
)
def test_resizing_keeps_the_mean_of_a_flat_line(
    inputs: int, outputs: int, length: int, kind: str
) -> None:
    length = min(length, inputs)
    start = torch.tensor([0.0, float(inputs - length)])
    matrix = resizing(start, torch.full((2,), float(length)), inputs, outputs, kind)  # type: ignore[arg-type]
    torch.testing.assert_close(matrix.sum(2), torch.ones(2, outputs))
    assert not matrix[0, :, length:].any()
    assert not matrix[1, :, : inputs - length].any()


def test_a_mirrored_view_is_the_exact_mirror() -> None:
    images = torch.randint(0, 256, (5, 1, 12, 12), dtype=torch.uint8, generator=seeded())
    plain, mirror = View(STILL)(images), View(replace(STILL, flip=1))(images)
    assert torch.equal(mirror, plain.flip(3))


@pytest.mark.parametrize("kind", [torch.uint8, torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_recipe_of_no_strength_leaves_the_images(kind: torch.dtype, channels: int) -> None:
    images = torch.randint(0, 256, (4, channels, 11, 11), dtype=torch.uint8, generator=seeded())
    given_ = images if kind is torch.uint8 else (images / 255).to(kind)
    made = View(STILL)(given_, seeded())
    assert made.dtype == (torch.float32 if kind is torch.uint8 else kind)
    expected = given_.float() / 255 if kind is torch.uint8 else given_.float()
    torch.testing.assert_close(made.float(), expected, atol=1e-6, rtol=0)


def test_hue_turns_as_colorsys_turns_it() -> None:
    random = np.random.default_rng(0)
    pixels = random.random((40, 3))
    # Greys, black, white, two equal channels: the places where a sextant is not unique.
    pixels[:6] = [[0, 0, 0], [1, 1, 1], [0.5, 0.5, 0.5], [1, 1, 0], [0, 0.3, 0.3], [0.2, 0.7, 0.7]]
    turns = random.uniform(-0.5, 0.5, 40)
    planes = torch.tensor(pixels.T[:, :, None, None], dtype=torch.float64)
    made = turned(planes, torch.tensor(turns))[:, :, 0, 0].T.numpy()
    for pixel, turn, found in zip(pixels, turns, made, strict=True):
        hue, saturation, value = colorsys.rgb_to_hsv(*pixel)
        expected = colorsys.hsv_to_rgb((hue + turn) % 1, saturation, value)
        np.testing.assert_allclose(found, expected, atol=1e-12)


def test_jitter_is_brightness_contrast_and_saturation_one_after_the_other() -> None:
    planes = 0.3 + 0.3 * torch.rand(3, 5, 7, 7, generator=seeded(), dtype=torch.float64)
    factors = 0.8 + 0.4 * torch.rand(3, 5, generator=seeded(1), dtype=torch.float64)
    made = jittered(planes.clone(), *factors).numpy()
    weights = np.array(GREY)[:, None, None]
    for number in range(5):
        bright, contrast, saturation = factors[:, number].numpy()
        image = planes[:, number].numpy() * bright
        image = contrast * image + (1 - contrast) * (weights * image).sum(0).mean()
        image = saturation * image + (1 - saturation) * (weights * image).sum(0)
        assert 0 < image.min() < image.max() < 1
        np.testing.assert_allclose(made[:, number], image, atol=1e-12)


def test_one_channel_has_brightness_and_contrast_only() -> None:
    plane = 0.4 + 0.2 * torch.rand(1, 2, 6, 6, generator=seeded(), dtype=torch.float64)
    two = torch.tensor([0.9, 1.1], dtype=torch.float64)
    made = jittered(plane.clone(), two, two, two)
    expected = plane * two[:, None, None]
    mean = expected.mean((2, 3), keepdim=True)
    torch.testing.assert_close(made, two[:, None, None] * (expected - mean) + mean)


def test_greyed_views_have_three_equal_channels_and_others_are_left() -> None:
    planes = colours(2).transpose(0, 1).contiguous()
    made = greyed(planes.clone(), torch.tensor([1.0, 0.0]))
    torch.testing.assert_close(made[0, 0], made[2, 0])
    torch.testing.assert_close(
        made[0, 0], torch.einsum("chw,c->hw", planes[:, 0], torch.tensor(GREY))
    )
    assert torch.equal(made[:, 1], planes[:, 1])


def test_blur_is_a_convolution_with_a_gaussian_over_the_mirrored_image() -> None:
    sigma = torch.tensor([0.0, 0.5, 2.0])
    matrix = blurring(sigma, 16)
    torch.testing.assert_close(matrix[0], torch.eye(16))
    line = torch.rand(16, generator=seeded())
    for number in (1, 2):
        taps = np.exp(-0.5 * (np.arange(-15, 16) / float(sigma[number])) ** 2)
        padded = np.pad(line.numpy(), 15, mode="reflect")
        expected = np.convolve(padded, taps / taps.sum(), mode="valid")
        np.testing.assert_allclose((matrix[number] @ line).numpy(), expected, atol=1e-6)
    torch.testing.assert_close(blurring(sigma, 16, transposed=True), matrix.transpose(1, 2))


def test_solarised_pixels_are_inverted_from_the_threshold_on() -> None:
    images = colours(4, 20, 20)
    made = View(replace(STILL, solarise=1, threshold=0.6))(images, seeded())
    torch.testing.assert_close(
        made, torch.where(images >= 0.6, 1 - images, images), atol=1e-6, rtol=0
    )


def test_crops_have_the_areas_and_ratios_that_were_asked_for() -> None:
    recipe = Recipe(scale=(0.2, 0.8), ratio=(3 / 4, 4 / 3))
    chances = torch.rand(40_000, 22, generator=seeded())
    found = boxes(chances, 400, 400, recipe)
    top, left, tall, wide = found.unbind(1)
    assert bool(((top >= 0) & (left >= 0) & (top + tall <= 400) & (left + wide <= 400)).all())
    areas = (tall * wide / 400**2).numpy()
    # Below 3/4 of the image every ratio fits, so the area is uniform; above, tall and wide crops do not fit.
    quantiles = np.quantile(areas[areas < 0.75], [0.25, 0.5, 0.75])
    np.testing.assert_allclose(quantiles, 0.2 + 0.55 * np.array([0.25, 0.5, 0.75]), atol=0.006)
    logarithms = np.log((wide / tall).numpy())
    np.testing.assert_allclose(
        np.quantile(logarithms[areas < 0.7], [0.1, 0.5, 0.9]),
        np.log(4 / 3) * np.array([-0.8, 0, 0.8]),
        atol=0.012,
    )
    places = (left / (400 - wide).clamp(min=1)).numpy()[wide < 350]
    np.testing.assert_allclose(np.quantile(places, [0.1, 0.5, 0.9]), [0.1, 0.5, 0.9], atol=0.012)


def test_a_crop_that_cannot_fit_is_the_largest_centred_one() -> None:
    chances = torch.rand(50, 22, generator=seeded())
    found = boxes(chances, 10, 100, Recipe(scale=(1, 1), ratio=(0.9, 1.1)))
    assert torch.equal(found, torch.tensor([[0.0, 45.0, 10.0, 11.0]]).expand(50, 4))
    found = boxes(chances, 100, 10, Recipe(scale=(1, 1), ratio=(0.9, 1.1)))
    assert torch.equal(found, torch.tensor([[45.0, 0.0, 11.0, 10.0]]).expand(50, 4))


def test_every_step_is_drawn_as_often_and_as_strong_as_asked() -> None:
    recipe = Recipe(jitter=0.6, brightness=0.4, contrast=0.3, saturation=1.2, hue=0.2, grey=0.25,
                    flip=0.7, blur=0.1, solarise=0.15)  # fmt: skip
    drawn = View(recipe).draw(40_000, 32, 32, generator=seeded())
    for values, share in ((drawn.mirrored, 0.7), (drawn.grey, 0.25), (drawn.solarised, 0.15)):
        assert values is not None
        assert abs(float(values.mean()) - share) < 0.01
    assert drawn.sigma is not None
    assert abs(float((drawn.sigma > 0).float().mean()) - 0.1) < 0.01
    for values, low, high in (
        (drawn.brightness, 0.6, 1.4),
        (drawn.contrast, 0.7, 1.3),
        (drawn.saturation, 0, 2.2),
    ):
        assert values is not None
        moved = values[values != 1]
        assert abs(len(moved) / 40_000 - 0.6) < 0.01
        np.testing.assert_allclose(
            np.quantile(moved, [0, 0.5, 1]), [low, (low + high) / 2, high], atol=0.03
        )
    assert drawn.hue is not None
    assert abs(float(drawn.hue.abs().max()) - 0.2) < 0.001


def test_the_same_generator_gives_the_same_views_and_another_gives_others() -> None:
    images = torch.randint(0, 256, (70, 3, 32, 32), dtype=torch.uint8, generator=seeded())
    two = TwoViews(COLOUR_32)
    first, again, other = two(images, seeded(1)), two(images, seeded(1)), two(images, seeded(2))
    assert all(torch.equal(*pair) for pair in zip(first, again, strict=True))
    assert not torch.equal(first[0], other[0])
    assert not torch.equal(first[0], first[1])


def test_a_view_of_an_image_does_not_depend_on_its_neighbours() -> None:
    images = torch.randint(0, 256, (130, 3, 32, 32), dtype=torch.uint8, generator=seeded())
    view = View(replace(COLOUR_32, blur=0.5, solarise=0.2))
    drawn = view.draw(130, 32, 32, generator=seeded())
    alone = view.apply(images[70:72], drawn.part(slice(70, 72)))
    torch.testing.assert_close(view.apply(images, drawn)[70:72], alone, atol=1e-5, rtol=0)


@pytest.mark.parametrize("recipe", [COLOUR_32, GREY_28], ids=["colour", "grey"])
def test_presets_give_normalised_views_of_their_size(recipe: Recipe) -> None:
    channels = len(recipe.mean)
    images = torch.randint(0, 256, (8, channels, 40, 40), dtype=torch.uint8, generator=seeded())
    one, two = TwoViews(recipe, channels_last=True, dtype=torch.float16)(images, seeded())
    assert one.shape == two.shape == (8, channels, recipe.size, recipe.size)
    assert one.dtype == torch.float16
    assert one.is_contiguous(memory_format=torch.channels_last)
    low = torch.tensor([-mean / std for mean, std in zip(recipe.mean, recipe.std, strict=True)])
    high = torch.tensor(
        [(1 - mean) / std for mean, std in zip(recipe.mean, recipe.std, strict=True)]
    )
    assert bool((one.amin((0, 2, 3)) >= low - 0.01).all())
    assert bool((one.amax((0, 2, 3)) <= high + 0.01).all())
    exact = View(recipe)(images, seeded())
    torch.testing.assert_close(one.float(), exact, atol=2e-3, rtol=2e-3)


def test_views_can_be_compiled_in_one_graph() -> None:
    images = torch.randint(0, 256, (5, 3, 16, 16), dtype=torch.uint8, generator=seeded())
    view = View(replace(COLOUR_32, size=12, blur=0.5, solarise=0.3))
    drawn = view.draw(5, 16, 16, generator=seeded())
    compiled = torch.compile(view.apply, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(images, drawn), view.apply(images, drawn))


def test_whole_images_are_normalised_like_views() -> None:
    images = torch.randint(0, 256, (3, 3, 32, 32), dtype=torch.uint8, generator=seeded())
    made = normalised(images, COLOUR_32)
    still = replace(STILL, mean=COLOUR_32.mean, std=COLOUR_32.std)
    torch.testing.assert_close(made, View(still)(images), atol=1e-5, rtol=0)


def test_what_is_drawn_for_part_of_a_batch_is_that_part() -> None:
    drawn = View(COLOUR_32).draw(6, 32, 32, generator=seeded())
    part = drawn.part(slice(2, 4))
    assert isinstance(part, Drawn)
    assert torch.equal(part.boxes, drawn.boxes[2:4])
    assert part.sigma is None
    assert part.hue is not None
    assert drawn.hue is not None
    assert torch.equal(part.hue, drawn.hue[2:4])


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (torch.zeros(2, 32, 32, 3), "move the channels"),
        (torch.zeros(32, 32), "shape"),
        (torch.zeros(2, 3, 8, 8, dtype=torch.int64), "uint8 or floating"),
        (torch.zeros(2, 1, 8, 8), "mean of 3 channels"),
    ],
)
def test_images_that_cannot_be_used_are_refused(images: Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TwoViews(COLOUR_32)(images, seeded())


@pytest.mark.parametrize(
    "wrong",
    [{"scale": (0, 1)}, {"scale": (0.5, 1.5)}, {"flip": 1.2}, {"hue": 0.6}, {"brightness": -1}, {"ratio": (2, 1)},
     {"sigma": (0, 1)}, {"std": (0.0,)}, {"mean": (0.5, 0.5)}, {"size": 0}, {"interpolation": "nearest"}],
    ids=str,
)  # fmt: skip
def test_a_recipe_out_of_bounds_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Recipe(**wrong)  # type: ignore[arg-type]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
def test_views_on_a_gpu_are_those_on_the_cpu() -> None:
    images = torch.randint(0, 256, (70, 3, 32, 32), dtype=torch.uint8, generator=seeded())
    view = View(replace(COLOUR_32, blur=0.5, solarise=0.2))
    expected = view(images, seeded(1))
    made = view(images.cuda(), seeded(1))
    assert made.is_cuda
    # A pixel at the threshold of the solarisation may fall on either side.
    assert float(((made.cpu() - expected).abs() > 1e-3).float().mean()) < 1e-3
