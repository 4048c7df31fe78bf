from __future__ import annotations

import copy
import itertools
import math

import pytest

torch = pytest.importorskip("torch", reason="the extra `learn` is not installed")

from small_nets import SmallNet, images  # noqa: E402
from torch import nn  # noqa: E402

from peerscope.methods.backbones import backbone  # noqa: E402
from peerscope.methods.branch import Branch  # noqa: E402
from peerscope.methods.momentum import Ema, Momentum, mask_of  # noqa: E402
from peerscope.methods.stability import DriftMeter, GradientMeter  # noqa: E402

PARTS = ("block 1", "block 2", "block 3", "projector")


def branch(seed: int = 0) -> Branch:
    torch.manual_seed(seed)
    projector = nn.Sequential(nn.Linear(8, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 5))
    return Branch(SmallNet(), projector)


def moved(online: Branch, seed: int) -> None:
    """Stands for a step of the optimiser."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in online.parameters():
            parameter += 0.3 * torch.randn(parameter.shape, generator=generator)


def oracle(online: Branch, target: Branch, mask: tuple[bool, ...]) -> Branch:
    """A whole second branch, written part by part: averaged weights where the mask says so, else online ones."""
    found = copy.deepcopy(online)
    pairs = zip(found.named_parts(), target.named_parts(), strict=True)
    for on, ((_, mine), (_, theirs)) in zip(mask, pairs, strict=True):
        if on:
            mine.load_state_dict(theirs.state_dict())
    if mask[-2]:
        found.encoder.last.load_state_dict(target.encoder.last.state_dict())
    return found


@pytest.mark.parametrize(
    ("mask", "told"),
    [
        ("full", "1111"), ("projector", "0001"), ("none", "0000"), ("prefix-1", "1000"),
        ("prefix-3", "1110"), ("suffix-2", "0011"), ("suffix-4", "1111"), ((1, 0, 1, 0), "1010"),
    ],
)  # fmt: skip
def test_masks(mask, told) -> None:
    assert branch().parts == PARTS
    assert mask_of(mask, PARTS) == tuple(one == "1" for one in told)


@pytest.mark.parametrize("mask", ["prefix-0", "suffix-5", "prefix", "prefix-x", "half", "full-1"])
def test_masks_that_do_not_fit_are_refused(mask) -> None:
    with pytest.raises(ValueError, match="prefix-k"):
        mask_of(mask, PARTS)
    with pytest.raises(ValueError, match="2 values for 4 parts"):
        mask_of([True, False], PARTS)


@pytest.mark.parametrize(
    "mask", ["full", "projector", "none", "prefix-1", "prefix-2", "suffix-2", "suffix-3", "1010"]
)
@pytest.mark.parametrize("training", [True, False])
def test_a_target_is_a_second_branch_with_the_averaged_parts(mask, training) -> None:
    online = branch().train(training)
    given = (True, False, True, False) if mask == "1010" else mask
    target = Momentum(online, Ema(given, 0.9))
    whole = copy.deepcopy(online)
    for step in range(1, 4):
        moved(online, step)
        for kept, now in zip(whole.parameters(), online.parameters(), strict=True):
            kept.data.copy_(0.9 * kept + 0.1 * now)
        target.update(online, step, 3)
    view = images()
    expected = oracle(online, whole, target.mask)(view)
    entering = online.until(view, target.start) if target.start < 4 else online(view)
    assert target(online, entering).detach().numpy() == pytest.approx(
        expected.detach().numpy(), abs=1e-5
    )


def test_the_average_is_the_closed_form() -> None:
    online = branch()
    target = Momentum(online, Ema("projector", 0.8))
    seen = [online.projector[0].weight.detach().clone()]
    for step in range(1, 6):
        moved(online, step)
        seen.append(online.projector[0].weight.detach().clone())
        target.update(online, step, 5)
    told = 0.8**5 * seen[0] + sum(0.2 * 0.8 ** (5 - t) * seen[t] for t in range(1, 6))
    assert torch.allclose(target.kept("projector.0.weight"), told, atol=1e-6)
    assert not any("encoder" in name for name, _ in target.named_buffers())


def test_parts_add_up_to_the_whole() -> None:
    online = branch().eval()
    view = images()
    whole = online(view)
    for start in range(4):
        assert torch.equal(online(online.until(view, start), start), whole)


@pytest.mark.parametrize("name", ["conv4", "resnet18", "vit"])
def test_backbones_are_rows_of_parts(name) -> None:
    settings = {
        "conv4": {}, "resnet18": {"width": 0.1}, "vit": {"dim": 16, "depth": 2, "heads": 2},
    }  # fmt: skip
    torch.manual_seed(0)
    online = Branch(backbone(name, channels=1, **settings[name]), nn.Identity()).eval()
    view = torch.randn(3, 1, 16, 16)
    whole = online(view)
    assert len(online.parts) == len(online.encoder.blocks) + 1
    for start in range(len(online.parts)):
        assert torch.allclose(online(online.until(view, start), start), whole, atol=1e-6)
    target = Momentum(online, Ema("suffix-2"))
    assert torch.allclose(target(online, online.until(view, target.start)), whole, atol=1e-5)
    assert not any("blocks/0" in key for key, _ in target.named_buffers())


def test_the_shared_parts_are_passed_once_and_the_target_has_no_gradient() -> None:
    online = branch()
    target = Momentum(online, Ema("projector"))
    features = online.until(images(), target.start)
    assert online.encoder.calls == 1
    keys = target(online, features)
    assert online.encoder.calls == 1
    assert not keys.requires_grad
    assert features.requires_grad
    assert not list(target.parameters())


def test_passes_of_the_target_leave_the_online_statistics_alone() -> None:
    online = branch().train()
    before = {name: buffer.clone() for name, buffer in online.named_buffers()}
    for mask in ("full", "prefix-1", "suffix-1", "suffix-3"):
        target = Momentum(online, Ema(mask))
        with torch.no_grad():
            entering = online.eval().until(images(), target.start)
        online.train()
        target(online, entering)
        for name, buffer in online.named_buffers():
            assert torch.equal(buffer, before[name]), (mask, name)


def test_running_statistics_of_averaged_parts_follow_as_they_are_told_to() -> None:
    name = "projector.1.running_mean"
    found = {}
    for policy in ("own", "copy", "average"):
        online = branch().train()
        target = Momentum(online, Ema("projector", 0.9, buffers=policy))
        features = online.until(images(), 3)
        online(features, 3)
        keys_before = target.kept(name).clone()
        target(online, features + 3)
        found[policy, "passed"] = not torch.equal(target.kept(name), keys_before)
        target.update(online, 1, 1)
        found[policy] = target.kept(name).clone()
        own = online.projector[1].running_mean
        if policy == "copy":
            assert torch.equal(found[policy], own)
            assert int(target.kept("projector.1.num_batches_tracked")) == 1
        if policy == "average":
            assert torch.allclose(found[policy], 0.1 * own, atol=1e-7)
    assert found["own", "passed"]
    assert not found["copy", "passed"]
    assert not found["average", "passed"]
    first = branch().train()
    told = 0.1 * first.projector[0](first.until(images(), 3) + 3).mean(dim=0)
    assert torch.allclose(found["own"], told, atol=1e-5)


def test_the_target_can_be_evaluated_on_its_own() -> None:
    online = branch().train()
    target = Momentum(online, Ema("full", 0.5, buffers="average"))
    online(images())
    moved(online, 1)
    target.update(online, 1, 1)
    alone = target.averaged(online).eval()
    kept = dict(alone.named_parameters())
    assert all(torch.equal(kept[name], target.kept(name)) for name in kept)
    online.eval()
    expected = target.eval()(online, images())
    assert torch.allclose(alone(images()), expected, atol=1e-6)


def test_an_average_of_half_precision_weights_does_not_stand_still() -> None:
    online = branch().to(torch.bfloat16)
    target = Momentum(online, Ema("projector", 0.999))
    start = online.projector[0].bias.detach().float().clone()
    with torch.no_grad():
        online.projector[0].bias += 1
    for step in range(50):
        target.update(online, step, 50)
    gone = (target.kept("projector.0.bias") - start).mean()
    assert float(gone) == pytest.approx(1 - 0.999**50, rel=0.02)
    features = online.until(images(dtype=torch.bfloat16), 3)
    assert target(online, features).dtype == torch.bfloat16


def test_the_rate_runs_along_half_a_cosine() -> None:
    ema = Ema(start=0.9, end=1.0)
    assert ema.rate(0, 100) == pytest.approx(0.9)
    assert ema.rate(50, 100) == pytest.approx(0.95)
    assert ema.rate(100, 100) == pytest.approx(1.0)
    assert ema.rate(25, 100) == pytest.approx(1 - 0.1 * (1 + math.cos(math.pi / 4)) / 2)
    assert Ema(start=0.97).rate(3, 7) == 0.97
    with pytest.raises(ValueError, match="0 to 1"):
        Ema(start=1.2)
    with pytest.raises(ValueError, match="buffers"):
        Ema(buffers="none")


def test_a_target_travels_in_a_checkpoint() -> None:
    online = branch()
    target = Momentum(online, Ema("suffix-2", 0.9))
    moved(online, 1)
    target.update(online, 1, 2)
    other = Momentum(branch(5), Ema("suffix-2", 0.9))
    other.load_state_dict(target.state_dict())
    entering = online.until(images(), 2)
    assert torch.equal(other(online, entering), target(online, entering))


def test_an_encoder_without_blocks_is_one_part() -> None:
    plain = Branch(nn.Linear(4, 3))
    assert plain.parts == ("encoder", "projector")
    view = torch.randn(5, 4)
    assert torch.equal(plain(plain.until(view, 1), 1), plain(view))

    class Half(nn.Module):
        """Blocks without `pooled`: what comes after them is not known."""

        def __init__(self) -> None:
            super().__init__()
            self.blocks = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))

        def forward(self, given):
            return self.blocks(given)

    half = Branch(Half())
    assert half.parts == ("encoder", "projector")
    assert {half.part_of(name) for name, _ in half.named_parameters()} == {0}
    for arguments in ((view,), {"input": view}):
        assert torch.equal(plain(arguments), plain(view))


def test_stability_is_that_of_the_gradients_by_hand() -> None:
    torch.manual_seed(0)
    model = nn.Linear(3, 2)
    norms, means = [], []
    with GradientMeter({"out": model}) as meter:
        for step in range(4):
            first, second = torch.randn(5, 3), torch.randn(5, 3)
            pull = torch.randn(2) * (step + 1)
            loss = ((model(first) ** 2) @ pull).mean() + (model(second) @ pull).mean()
            slopes = torch.cat([2 * model(first).detach() * pull / 5, (pull / 5).expand(5, 2)])
            norms.append(slopes.norm(dim=1).mean().item())
            means.append(slopes.mean(dim=0))
            model.zero_grad()
            loss.backward()
            meter.step()
    model(torch.randn(5, 3)).sum().backward()
    meter.step()
    seen = meter.report()["out"]
    mean = sum(norms) / 4
    deviation = math.sqrt(sum((n - mean) ** 2 for n in norms) / 4)
    successive = list(itertools.pairwise(means))
    assert seen.steps == 4
    assert seen.norm == pytest.approx(mean, rel=1e-5)
    assert seen.variation == pytest.approx(deviation / mean, rel=1e-4)
    assert seen.cosine == pytest.approx(
        sum(float(a @ b / a.norm() / b.norm()) for a, b in successive) / 3, abs=1e-5
    )
    assert seen.change == pytest.approx(
        sum(float((b - a).norm() / b.norm()) for a, b in successive) / 3, rel=1e-4
    )


def test_drift_is_one_less_the_cosine() -> None:
    meter = DriftMeter()
    for angle in (0.0, 0.1, 0.4):
        meter.step(torch.tensor([[math.cos(angle), math.sin(angle)]]))
    assert meter.moves() == pytest.approx([1 - math.cos(0.1), 1 - math.cos(0.3)], abs=1e-6)
