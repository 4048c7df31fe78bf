from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="the extra `learn` is not installed")

from torch import nn  # noqa: E402

from peerscope.methods.norm_analysis import (  # noqa: E402
    BIG_NOISE,
    GradientDistances,
    GroupNoise,
    band,
)


def test_noise_is_one_draw_a_group_and_image_in_training_only() -> None:
    generator = torch.Generator().manual_seed(0)
    noise = GroupNoise(4, *BIG_NOISE, generator=generator)
    x = torch.randn(500, 8, 3, 3)
    added = (noise(x) - x).reshape(500, 4, 18)
    torch.testing.assert_close(added, added[:, :, :1].expand_as(added), atol=1e-5, rtol=0)
    draws = added[:, :, 0]
    # Mean and deviation within four standard errors.
    assert float(draws.mean()) == pytest.approx(0.5, abs=4 * 1.25 / 2000**0.5)
    assert float(draws.std()) == pytest.approx(1.25, abs=4 * 1.25 / 4000**0.5)
    assert float(torch.corrcoef(draws.T).sub(torch.eye(4)).abs().max()) < 0.2
    assert torch.equal(noise.eval()(x), x)
    assert noise(torch.randn(2, 8)).shape == (2, 8)


def test_noise_repeats_with_its_generator() -> None:
    x = torch.zeros(3, 4, 2, 2)
    first, second = (GroupNoise(2, generator=torch.Generator().manual_seed(5))(x) for _ in range(2))
    assert torch.equal(first, second) and float(first.abs().sum()) > 0


def test_noise_names_what_is_wrong() -> None:
    with pytest.raises(ValueError, match="at least one group"):
        GroupNoise(0)
    with pytest.raises(ValueError, match="deviation"):
        GroupNoise(2, 0.0, -1.0)
    with pytest.raises(ValueError, match="divisible by num_groups"):
        GroupNoise(4)(torch.zeros(1, 6))


def test_distances_are_those_of_successive_gradients() -> None:
    layer = nn.Linear(2, 1, bias=False)
    seen = GradientDistances(layer.weight)
    with pytest.raises(ValueError, match="no gradient"):
        seen.observe()
    for x in ([1.0, 0.0], [4.0, 4.0], [4.0, 4.0]):
        layer.zero_grad()
        layer(torch.tensor([x])).sum().backward()  # the gradient is x
        seen.observe()
    assert seen.values == [5.0, 0.0]


def test_a_band_holds_the_ends_of_its_curves() -> None:
    found = band([[1.0, 2.0, 3.0], [3.0, 2.0, 0.0], [2.0, 2.0, 2.0]])
    assert found.low.tolist() == [1, 2, 0] and found.high.tolist() == [3, 2, 3]
    assert found.width == pytest.approx(5 / 3)
    for wrong in ([], [[]], [[1.0], [1.0, 2.0]]):
        with pytest.raises(ValueError, match="same length"):
            band(wrong)
