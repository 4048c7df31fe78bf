"""Projectors and predictors."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from peerscope.methods.mlp import mlp


def kinds(module: nn.Sequential) -> list[str]:
    return [type(layer).__name__ for layer in module]


def test_hidden_layers_are_normalised_and_the_last_is_bare() -> None:
    head = mlp([8, 16, 4])
    assert kinds(head) == ["Linear", "BatchNorm1d", "ReLU", "Linear"]
    assert head[0].bias is None
    assert head[3].bias is not None
    assert head(torch.rand(5, 8)).shape == (5, 4)


def test_without_a_norm_every_layer_has_a_bias() -> None:
    head = mlp([8, 16, 4], norm=None)
    assert kinds(head) == ["Linear", "ReLU", "Linear"]
    assert head[0].bias is not None


def test_a_plain_norm_at_the_end_gives_columns_of_mean_0_and_variance_1() -> None:
    torch.manual_seed(0)
    head = mlp([8, 16, 16, 4], last="plain-norm")
    assert kinds(head)[-2:] == ["Linear", "BatchNorm1d"]
    assert not list(head[-1].parameters())
    made = head(torch.rand(64, 8))
    torch.testing.assert_close(made.mean(0), torch.zeros(4), atol=1e-5, rtol=0)
    torch.testing.assert_close(made.var(0, correction=0), torch.ones(4), atol=2e-2, rtol=0)
    assert len(list(mlp([8, 4], last="norm")[-1].parameters())) == 2


@pytest.mark.parametrize("given", [{"widths": [8]}, {"widths": [8, 4], "last": "relu"}])
def test_what_is_no_perceptron_is_refused(given: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"widths|last"):
        mlp(**given)  # type: ignore[arg-type]
