"""The arms of the masked protocols: what each of them is, and how answers become units."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="the extra `learn` is not installed")

from peerscope.methods.masked.targets import NormalizedPixels  # noqa: E402
from peerscope.reproduce.papers.masked_autoencoders import PAPER  # noqa: E402
from peerscope.reproduce.protocol import Trial  # noqa: E402
from peerscope.reproduce.protocols.masked_domains import _groups  # noqa: E402
from peerscope.reproduce.protocols.masked_probe import _heavy  # noqa: E402
from peerscope.reproduce.protocols.masked_training import (  # noqa: E402
    Classifier,
    correct,
    net,
    step_costs,
)


def trial(name: str = "masked_probe", seed: int = 0) -> Trial:
    protocol = PAPER.protocol(name)
    return Trial(protocol, seed, protocol.profiles["tiny"].settings, "cpu", lambda line: None)


def test_arms_of_one_seed_start_from_the_same_encoder() -> None:
    first, second = net(trial(), "mae/0.25"), net(trial(), "mae/0.9")
    for one, other in zip(first.encoder.parameters(), second.encoder.parameters(), strict=True):
        assert torch.equal(one, other)
    assert not torch.equal(net(trial(seed=1), "mae/0.25").encoder.summary, first.encoder.summary)


def test_arms_hide_and_predict_what_they_say() -> None:
    images = torch.rand(4, 3, 32, 32)
    shares = {
        arm: float(net(trial(), arm)(images)[1]["hidden"])
        for arm in ("mae/0.25", "mae/0.75", "noise")
    }
    assert shares == {"mae/0.25": 0.25, "mae/0.75": 0.75, "noise": 1.0}
    assert isinstance(net(trial(), "mae/0.75").target, NormalizedPixels)
    assert isinstance(net(trial(), "noise").target, NormalizedPixels)
    assert not isinstance(net(trial(), "raw").target, NormalizedPixels)
    assert len(net(trial(), "mae/0.75/3").decoder.blocks) == 3
    assert len(net(trial(), "mae/0.75").decoder.blocks) == 1


def test_a_heavy_head_differs_from_simmim_in_the_head_alone() -> None:
    light, heavy = net(trial(), "simmim"), _heavy(trial())
    assert light.entering == heavy.entering == "all"
    counts = [sum(p.numel() for p in one.decoder.parameters()) for one in (light, heavy)]
    assert counts[1] > 2 * counts[0]
    loss, _ = heavy(torch.rand(2, 3, 32, 32))
    loss.backward()
    assert all(part.grad is not None for part in heavy.decoder.blocks.parameters())


def test_answers_become_shares_of_ten_images() -> None:
    truth = torch.zeros(25, dtype=torch.int64)
    guesses = truth.clone()
    guesses[:3] = 1
    assert correct(guesses, truth) == [0.7, 1.0]
    assert correct(guesses[:4], truth[:4]) == [0.25]


def test_a_classifiers_loss_is_the_cross_entropy_of_its_logits() -> None:
    torch.manual_seed(0)
    method = Classifier(torch.nn.Flatten(), 12, 3)
    images, labels = torch.rand(5, 3, 2, 2), torch.tensor([0, 1, 2, 0, 1])
    loss, _ = method((images, labels))
    expected = -torch.log_softmax(method.logits(images), dim=1)[torch.arange(5), labels].mean()
    assert loss.item() == pytest.approx(expected.item())


def test_steps_are_timed_for_each_arm() -> None:
    found = step_costs(trial("masked_images"), ("mae/0.75", "simmim"), torch.zeros(16, 3, 32, 32))
    assert found.keys() == {"mae/0.75", "simmim"} and min(found.values()) > 0


def test_groups_hold_together() -> None:
    graph, groups = _groups(trial("masked_domains"))
    source, target = graph.edges
    others = source != target
    inside = (groups[source] == groups[target])[others].double().mean()
    assert float(inside) > (groups[:, None] == groups[None, :]).double().mean() + 0.1
