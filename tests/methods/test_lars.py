"""LARS against the rule written out in NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from peerscope.methods.lars import Lars
from peerscope.methods.schedule import decayed


def test_steps_are_those_of_the_published_rule() -> None:
    torch.manual_seed(0)
    layer = torch.nn.Linear(5, 3).double()
    weight, bias = layer.weight.detach().numpy().copy(), layer.bias.detach().numpy().copy()
    optimizer = Lars(decayed(layer, 0.1), lr=0.5, momentum=0.9, trust=0.02)
    of_weight, of_bias = np.zeros_like(weight), np.zeros_like(bias)
    for step in range(4):
        for group in optimizer.param_groups:
            group["lr"] = rate = 0.5 / (1 + step)
        slopes = np.random.default_rng(step).normal(size=(3, 6))
        layer.weight.grad, layer.bias.grad = torch.tensor(slopes[:, :5]), torch.tensor(slopes[:, 5])
        optimizer.step()
        length, slope = np.linalg.norm(weight), np.linalg.norm(slopes[:, :5])
        local = 0.02 * length / (slope + 0.1 * length)
        of_weight = 0.9 * of_weight + rate * local * (slopes[:, :5] + 0.1 * weight)
        of_bias = 0.9 * of_bias + rate * slopes[:, 5]
        weight, bias = weight - of_weight, bias - of_bias
        np.testing.assert_allclose(layer.weight.detach().numpy(), weight, rtol=1e-12)
        np.testing.assert_allclose(layer.bias.detach().numpy(), bias, rtol=1e-12)


def test_the_step_of_a_matrix_does_not_depend_on_the_size_of_its_gradient() -> None:
    moved = []
    for scale in (1.0, 1000.0):
        weight = torch.nn.Parameter(torch.ones(3, 3))
        weight.grad = scale * torch.arange(1.0, 10).reshape(3, 3)
        Lars([weight], lr=1.0, momentum=0.0, trust=0.1).step()
        moved.append(weight.detach())
    torch.testing.assert_close(*moved)
    assert float((moved[0] - 1).norm()) == pytest.approx(0.3, rel=1e-5)


def test_a_matrix_of_zeros_or_without_a_slope_is_moved_plainly() -> None:
    zero, still = torch.nn.Parameter(torch.zeros(2, 2)), torch.nn.Parameter(torch.ones(2, 2))
    zero.grad, still.grad = torch.ones(2, 2), torch.zeros(2, 2)
    Lars([zero, still], lr=0.5, momentum=0.0).step()
    torch.testing.assert_close(zero.detach(), torch.full((2, 2), -0.5))
    torch.testing.assert_close(still.detach(), torch.ones(2, 2))


@pytest.mark.parametrize(
    "wrong", [{"lr": -1.0}, {"momentum": 1.0}, {"weight_decay": -1.0}, {"trust": 0.0}]
)
def test_numbers_out_of_bounds_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="trust"):
        Lars([torch.nn.Parameter(torch.ones(2))], **{"lr": 1.0, **wrong})
