"""The nets and the training that the protocols of attacks and norms share, on random images."""

import pytest

torch = pytest.importorskip("torch", reason="the extra `learn` is not installed")

from torch import nn  # noqa: E402

from peerscope.methods.norm import GroupNormPlus  # noqa: E402
from peerscope.methods.norm_analysis import GroupNoise, band  # noqa: E402
from peerscope.reproduce.protocol import Protocol, Trial  # noqa: E402
from peerscope.reproduce.protocols import norm_nets  # noqa: E402
from peerscope.reproduce.protocols.group_norm_landscape import averaged, helped  # noqa: E402
from peerscope.reproduce.protocols.norm_nets import Arm, Task  # noqa: E402
from peerscope.reproduce.protocols.vision_nets import family, shifted  # noqa: E402

NORMED = ("gn", "bn", "plus", "channel", "bn-first", "parallel")


def trial(**settings):
    said = []
    protocol = Protocol("any", 1, "any:run", "", {"*": "any"}, {})
    given = {"groups": 2, "width": 0.0625, "looks": 2, "precision": "float32", **settings}
    return Trial(protocol, 0, given, told=said.append), said


@pytest.fixture
def data():
    source = torch.Generator().manual_seed(0)
    pixels = torch.randn(164, 3, 16, 16, generator=source)
    labels = torch.randint(4, (164,), generator=source)
    return Task(pixels[:64], labels[:64], pixels[64:], labels[64:], 4)


def test_noise_stands_between_norm_and_activation_and_dropout_after_each_pooling(data):
    found = trial()[0]
    net = norm_nets.vgg(found, Arm("gn", 8, 1, 1e-3, noise=True, dropout=0.3), data)
    names = [type(layer).__name__ for stage in net.backbone.blocks for layer in stage]
    one = ["Conv2d", "GroupNorm", "GroupNoise", "ReLU"]
    pool = ["MaxPool2d", "Dropout"]
    assert names == one + pool + one + (pool + one + one) * 3
    plain = norm_nets.vgg(found, Arm("gn", 8, 1, 1e-3), data)
    assert not any(isinstance(layer, GroupNoise | nn.Dropout) for layer in plain.modules())


def test_all_norms_of_a_seed_begin_with_the_same_convolutions(data):
    found, starts = trial()[0], []
    for norm in NORMED:
        torch.manual_seed(found.seed)
        net = norm_nets.vgg(found, Arm(norm, 8, 1, 1e-3), data)
        starts.append([m.weight for m in net.modules() if isinstance(m, nn.Conv2d)])
    for start in starts[1:]:
        assert all(torch.equal(a, b) for a, b in zip(starts[0], start, strict=True))


def test_running_statistics_make_a_prediction_independent_of_its_batch(data):
    torch.manual_seed(0)
    net = norm_nets.vgg(trial()[0], Arm("channel", 8, 1, 1e-3), data)
    for _ in range(3):
        net(data.images)
    pixels = data.test_images
    whole = norm_nets.guesses(net, pixels, running=True)
    assert torch.equal(whole[:7], norm_nets.guesses(net, pixels[:7], running=True))
    # a batch of one kind of image has other statistics than a mixed one
    shifted_batch = torch.cat([pixels[:7], pixels[:93] * 5 + 3])
    layer = next(m for m in net.modules() if isinstance(m, GroupNormPlus))
    layer_batch = norm_nets.guesses(net, shifted_batch, running=False)
    assert layer.track_running_stats and net.training
    assert not torch.equal(norm_nets.guesses(net, pixels, running=False)[:7], layer_batch[:7])


def test_a_training_gives_one_answer_an_image_and_the_best_look(data):
    found, said = trial()
    result = norm_nets.trained(found, Arm("plus", 16, 6, 1e-3), data)
    assert set(result.right) == set(result.looks) == {"test-batch", "running"}
    assert len(result.losses) == 6 and len(result.distances) == 5
    for kind, seen in result.looks.items():
        assert len(seen) == 2
        points = result.points(kind)
        assert set(points) <= {0.0, 100.0} and len(points) == 100
        assert sum(points) / 100 == pytest.approx(max(seen))
    assert said[0].startswith("plus (batch 16, 6 steps")


def test_a_training_that_diverges_keeps_what_was_seen(data):
    found, said = trial()
    result = norm_nets.trained(found, Arm("none", 16, 40, 1e30, sgd=True), data)
    assert len(result.points()) == 100 and len(result.losses) < 40
    assert "loss" in said[0]


def test_the_rate_falls_to_a_tenth_at_half_and_at_three_quarters():
    factors = [norm_nets.stairs(step, 8) for step in range(8)]
    assert factors == pytest.approx([1] * 4 + [0.1] * 2 + [0.01] * 2)


def test_bands_are_compared_step_by_step():
    assert averaged([float(n) for n in range(24)]) == pytest.approx([9.5, 10.5, 11.5, 12.5, 13.5])
    assert averaged([1.0, 3.0]) == pytest.approx([2.0])
    bare, normed = band([[4.0, 4.0], [6.0, 6.0]]), band([[1.0, 1.0], [3.0, 5.0]])
    assert helped(normed, bare) == 50.0


def test_families_give_logits_and_shifts_keep_the_size():
    pixels = torch.randint(256, (4, 1, 28, 28), dtype=torch.uint8)
    moved = shifted(pixels, torch.Generator().manual_seed(1))
    assert moved.shape == pixels.shape and moved.min() >= 0 and moved.max() <= 1
    for name in ("residual", "vgg", "plain", "transformer"):
        assert family(name, 1, 5, 0.125)(moved).shape == (4, 5)
    with pytest.raises(ValueError, match="no family"):
        family("dense", 1, 5, 1.0)
