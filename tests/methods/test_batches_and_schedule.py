"""Batches by the number of the step, and learning rates by it."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from peerscope.methods.batches import Batches, generator_of
from peerscope.methods.schedule import Cosine, constant, decayed


def test_a_pass_gives_every_image_once_and_the_next_in_another_order() -> None:
    images = torch.arange(10)
    batches = Batches(images, 3, seed=1)
    assert len(batches) == 3
    passes = [torch.cat([batches(3 * number + step) for step in range(3)]) for number in range(2)]
    assert all(len(set(one.tolist())) == 9 for one in passes)
    assert not torch.equal(*passes)


def test_a_batch_depends_on_seed_and_step_only() -> None:
    def chance(images: Tensor, generator: torch.Generator) -> Tensor:
        return images + torch.rand(len(images), generator=generator)

    images, labels = torch.arange(10.0), torch.arange(10)
    forward = [Batches(images, 4, chance, labels=labels, seed=1)(step) for step in range(6)]
    batches = Batches(images, 4, chance, labels=labels, seed=1)
    for step in (5, 0, 3, 3, 1):
        views, own = batches(step)
        assert torch.equal(views, forward[step][0])
        assert torch.equal(views.floor().long(), own)
    other, _ = Batches(images, 4, chance, labels=labels, seed=2)(0)
    assert not torch.equal(other, forward[0][0])


def test_streams_of_neighbouring_steps_are_not_the_same() -> None:
    drawn = torch.stack(
        [torch.rand(4, generator=generator_of("cpu", 0, 1, step)) for step in range(50)]
    )
    assert len(drawn.unique()) == 200


@pytest.mark.parametrize(
    "given", [{"size": 0}, {"size": 11}, {"size": 2, "labels": torch.zeros(9)}]
)
def test_batches_that_cannot_be_made_are_refused(given: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"1 to 10 images|9 labels"):
        Batches(torch.zeros(10), **given)  # type: ignore[arg-type]


def test_a_cosine_warms_up_evenly_and_ends_where_it_is_told() -> None:
    schedule = Cosine(warmup=4, end=0.1)
    factors = [schedule(step, 24) for step in range(25)]
    assert factors[:4] == [0.25, 0.5, 0.75, 1.0]
    assert factors[4] == 1.0
    assert factors[14] == pytest.approx(0.55)
    assert factors[24] == pytest.approx(0.1)
    expected = 0.1 + 0.9 * (1 + math.cos(math.pi * 5 / 20)) / 2
    assert factors[9] == pytest.approx(expected)
    assert Cosine(warmup=10, start=0.1)(0, 100) == pytest.approx(0.1)
    assert Cosine(warmup=10, start=0.1)(5, 100) == pytest.approx(0.55)
    assert constant(3, 10) == 1.0
    with pytest.raises(ValueError, match="0 or more"):
        Cosine(warmup=-1)


def test_biases_and_norms_do_not_decay_and_shared_weights_count_once() -> None:
    net = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2, bias=False))
    net[2].weight.requires_grad_(False)
    first, second = decayed([net, net[0]], 0.1)
    assert [part.shape for part in first["params"]] == [(4, 3)]
    assert len(second["params"]) == 3
    assert (first["weight_decay"], second["weight_decay"]) == (0.1, 0.0)
