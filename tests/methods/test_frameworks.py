from __future__ import annotations

import itertools

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra `learn` is not installed")

from small_nets import SmallNet, images, two_views  # noqa: E402
from torch import nn  # noqa: E402

from peerscope.methods import presets  # noqa: E402
from peerscope.methods.augment import Recipe, TwoViews  # noqa: E402
from peerscope.methods.backbones import ConvNet  # noqa: E402
from peerscope.methods.batches import Batches  # noqa: E402
from peerscope.methods.contrastive import DualTemperature, InfoNCE, pairs  # noqa: E402
from peerscope.methods.frameworks import Framework, Queue  # noqa: E402
from peerscope.methods.momentum import Ema  # noqa: E402
from peerscope.methods.siamese import NegativeCosine, negative_cosine  # noqa: E402
from peerscope.methods.training import train  # noqa: E402

ALL = {
    "moco_v2": {"queue": 32}, "simmoco": {}, "simco": {}, "simclr": {}, "byol_like": {},
    "symmetric_info_nce": {}, "scale_matched": {}, "decoupled": {}, "stop_gradient": {},
    "simclr_momentum": {},
}  # fmt: skip


def made(name: str, seed: int = 0, dtype=torch.float32, **settings) -> Framework:
    torch.manual_seed(seed)
    return getattr(presets, name)(SmallNet(), width=6, **(ALL[name] | settings)).to(dtype)


def slopes(method, views) -> dict[str, np.ndarray]:
    method.zero_grad()
    method(views)[0].backward()
    return {n: p.grad.numpy().copy() for n, p in method.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("name", ALL)
def test_every_preset_learns_in_a_loop_of_ones_own(name) -> None:
    method = made(name)
    optimizer = torch.optim.SGD(method.parameters(), lr=0.1)
    losses = []
    for step in range(1, 61):
        loss, parts = method(two_views(seed=0))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        method.after_step(step, 60)
        losses.append(loss.item())
        assert parts["loss"].item() == pytest.approx(loss.item())
        assert not any(part.requires_grad for part in parts.values())
    assert np.isfinite(losses).all()
    assert parts["acted"].norm(dim=1).numpy() == pytest.approx(1, abs=1e-5)
    if name == "byol_like":
        assert parts["alignment"] > 0.5 > made(name)(two_views(seed=0))[1]["alignment"]
        return
    # what all others learn: to tell the other view of a thing from those of other things
    before, after = (
        pairs.info_nce(*(one.branches[0](view) for view in two_views(seed=0)), 0.2).item()
        for one in (made(name), method)
    )
    assert after < 0.9 * before


@pytest.mark.parametrize("name", ["simco", "simclr", "symmetric_info_nce", "scale_matched"])
def test_presets_are_their_loss_on_projections_of_both_views(name) -> None:
    method = made(name)
    a, b = (method.branches[0](view) for view in two_views())
    settings = {"same_view": True} if name == "simclr" else {}
    if name == "scale_matched":
        terms = [method.loss(a, b), method.loss(b, a)]
    elif name == "simco":
        terms = [pairs.dual_temperature(x, y, 0.1, 1.0) for x, y in ((a, b), (b, a))]
    else:
        t = method.loss.temperature
        terms = [pairs.info_nce(x, y, t, **settings) for x, y in ((a, b), (b, a))]
    told = sum(term.item() for term in terms) / 2
    assert method(two_views())[0].item() == pytest.approx(told, rel=1e-5)


def test_simco_at_equal_temperatures_is_symmetric_info_nce() -> None:
    views = [view.double() for view in two_views()]
    mine = slopes(made("simco", dtype=torch.float64, outer_temperature=0.1), views)
    theirs = slopes(made("symmetric_info_nce", dtype=torch.float64), views)
    assert mine.keys() == theirs.keys()
    for name, slope in mine.items():
        assert slope == pytest.approx(theirs[name], rel=1e-9, abs=1e-13)


def test_figures_for_logs_compare_losses() -> None:
    dual, plain = made("simco"), made("symmetric_info_nce")
    loss, parts = dual(two_views())
    value = plain(two_views())[0].item()
    assert parts["info_nce"].item() == pytest.approx(value, rel=1e-5)
    assert loss.item() != pytest.approx(value, abs=1e-3)
    assert 0 < parts["share"] < 1
    assert set(made("byol_like")(two_views())[1]) == {"loss", "alignment", "acted"}


def test_detached_keys_stop_the_gradient_and_nothing_else() -> None:
    views = [view.double() for view in two_views()]
    stopped = made("stop_gradient", dtype=torch.float64)
    flowing = made("symmetric_info_nce", dtype=torch.float64, temperature=0.2)
    assert stopped(views)[0].item() == pytest.approx(flowing(views)[0].item())
    a, b = (stopped.branches[0](view) for view in views)
    by_hand = pairs.info_nce(a, b.detach(), 0.2) / 2 + pairs.info_nce(b, a.detach(), 0.2) / 2
    told = torch.autograd.grad(by_hand, list(stopped.parameters()))
    mine, other = slopes(stopped, views), slopes(flowing, views)
    for (name, _), slope in zip(stopped.named_parameters(), told, strict=True):
        assert mine[name] == pytest.approx(slope.numpy(), rel=1e-9, abs=1e-13)
    weight = "branches.0.projector.0.weight"
    assert np.abs(mine[weight] - other[weight]).max() > 1e-4


@pytest.mark.parametrize("mask", ["full", "projector", "prefix-2", "suffix-2", "suffix-3"])
@pytest.mark.parametrize("symmetric", [True, False])
def test_a_masked_target_gives_the_keys_of_a_second_branch(mask, symmetric) -> None:
    torch.manual_seed(0)
    method = Framework(
        SmallNet(), InfoNCE(0.2), projector=nn.Linear(8, 6), momentum=Ema(mask, 0.9),
        symmetric=symmetric,
    ).double()  # fmt: skip
    views = [view.double() for view in two_views()]
    for step in range(1, 4):
        with torch.no_grad():
            for parameter in method.parameters():
                parameter += 0.2 * torch.randn_like(parameter)
        method.after_step(step, 3)
    target = method.averaged()
    a, b = (method.branches[0](view) for view in views)
    with torch.no_grad():
        k, l = (target(view) for view in views)  # noqa: E741
    told = pairs.info_nce(a, l, 0.2)
    if symmetric:
        told = told / 2 + pairs.info_nce(b, k, 0.2) / 2
    assert method(views)[0].item() == pytest.approx(told.item(), rel=1e-6)
    grads = torch.autograd.grad(told, list(method.parameters()), allow_unused=True)
    mine = slopes(method, views)
    for (name, _), slope in zip(method.named_parameters(), grads, strict=True):
        assert mine[name] == pytest.approx(slope.numpy(), rel=1e-5, abs=1e-9)


def test_momentum_of_the_projector_costs_no_second_pass_of_the_encoder() -> None:
    calls = {}
    for mask in ("full", "projector", "none"):
        method = made("simclr_momentum", ema=Ema(mask, 0.9))
        method(two_views())
        calls[mask] = method.branches[0].encoder.calls
    # functional calls of the full target go through the same module
    assert calls == {"full": 4, "projector": 2, "none": 2}


def test_the_mask_of_nothing_is_the_stop_gradient_control() -> None:
    views = [view.double() for view in two_views()]
    masked = made("simclr_momentum", dtype=torch.float64, ema=Ema("none"))
    plain = made("stop_gradient", dtype=torch.float64)
    mine, theirs = slopes(masked, views), slopes(plain, views)
    for name, slope in mine.items():
        assert slope == pytest.approx(theirs[name], rel=1e-12)


def test_a_target_at_the_start_is_the_online_branch() -> None:
    full, none = made("simclr_momentum"), made("stop_gradient")
    assert full(two_views())[0].item() == pytest.approx(none(two_views())[0].item(), rel=1e-5)


def test_the_queue_holds_the_newest_keys_and_is_filled_after_the_step() -> None:
    torch.manual_seed(0)
    queue = Queue(5, 3)
    rows = torch.nn.functional.normalize(torch.randn(9, 3), dim=1)
    start = queue.keys.clone()
    queue.push(rows[:2])
    assert torch.equal(queue.keys[2:], start[2:])
    queue.push(rows[2:6])
    held = {tuple(row.tolist()) for row in queue.keys}
    told = {tuple(row.tolist()) for row in rows[1:6]}
    assert {tuple(np.round(r, 5)) for r in held} == {tuple(np.round(r, 5)) for r in told}
    queue.push(rows)
    assert torch.allclose(torch.cat([queue.keys, queue.keys])[queue.place :][:5], rows[4:])
    with pytest.raises(ValueError, match="one key or more"):
        Queue(0, 3)


def test_moco_asks_the_queue_and_not_the_batch() -> None:
    method = made("moco_v2")
    before = method.queue.keys.clone()
    loss, _ = method(two_views())
    assert torch.equal(method.queue.keys, before)
    q = method.branches[0](two_views()[0])
    k = method.averaged().train()(two_views()[1])
    told = pairs.info_nce(q, k, 0.1, queue=before, in_batch=False)
    assert loss.item() == pytest.approx(told.item(), rel=1e-5)
    loss.backward()
    method.after_step(1, 2)
    fresh = torch.nn.functional.normalize(k, dim=1)
    assert torch.allclose(method.queue.keys[:12], fresh, atol=1e-5)
    assert torch.equal(method.queue.keys[12:], before[12:])
    method.eval()(two_views())
    method.after_step(2, 2)
    assert torch.equal(method.queue.keys[12:], before[12:])


def test_a_queue_that_is_never_filled_is_noticed() -> None:
    method = made("moco_v2", queue=16)
    with pytest.raises(RuntimeError, match="after_step"):
        for _ in range(10):
            method(two_views())


def test_byol_compares_predictions_with_the_target() -> None:
    method = made("byol_like")
    target = method.averaged().train()
    told = 0.0
    for mine, other in itertools.permutations(two_views()):
        told += negative_cosine(method.predictor(method.branches[0](mine)), target(other)) / 2
    assert method(two_views())[0].item() == pytest.approx(told.item(), rel=1e-4)


def test_two_towers_ask_each_other() -> None:
    """The shape of retrieval: a tower for queries, one for items, each of its own form."""
    torch.manual_seed(0)
    asking, answering = nn.Linear(4, 6), nn.Sequential(nn.Linear(7, 6), nn.Tanh())
    texts, items = torch.randn(10, 4), torch.randn(10, 7)
    method = Framework([asking, answering], DualTemperature(), momentum=Ema("full", 0.9))
    loss, _ = method((texts, items))
    q, k = asking(texts), answering(items)
    told = pairs.dual_temperature(q, k.detach()) / 2 + pairs.dual_temperature(k, q.detach()) / 2
    assert loss.item() == pytest.approx(told.item(), rel=1e-5)
    loss.backward()
    assert asking.weight.grad is not None
    assert answering[0].weight.grad is not None
    one_way = Framework([asking, answering], DualTemperature(), symmetric=False)
    assert one_way((texts, items))[0].item() == pytest.approx(
        pairs.dual_temperature(q, k).item(), rel=1e-5
    )
    method.after_step(1, 1)
    assert method.keys(items, 1).shape == (10, 6)


def test_the_towers_of_retrieval_are_encoders() -> None:
    from peerscope.methods.text_views import TwoTextViews
    from peerscope.retrieval.learn.config import best
    from peerscope.retrieval.learn.model import TorchTower

    tower = TorchTower(12, 12, best(), seed=0, head=False)
    method = presets.simclr_momentum(
        tower, projector=nn.Linear(12, 6), width=6, ema=Ema("projector", 0.9)
    )
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randint(1, 50, (16, 9), generator=generator)
    table = torch.randn(50, 12, generator=generator)
    views = TwoTextViews()(tokens, generator)
    pooled = [(table[view] * (view > 0)[..., None]).mean(dim=1) for view in views]
    loss, parts = method(pooled)
    loss.backward()
    assert tower.weights[0].grad is not None
    assert parts["alignment"] > 0


def test_arguments_by_name_and_place() -> None:
    class Sum(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.map = nn.Linear(3, 3)

        def forward(self, one, other):
            return self.map(one + other)

    method = Framework(Sum(), InfoNCE(0.2))
    one, other = torch.randn(4, 3), torch.randn(4, 3)
    by_place, _ = method(((one, other), (other, other)))
    by_name, _ = method(({"one": one, "other": other}, {"one": other, "other": other}))
    assert by_place.item() == by_name.item()


def test_half_precision_steps_are_finite() -> None:
    method = made("simmoco")
    with torch.autocast("cpu", torch.bfloat16):
        loss, _ = method(two_views())
    loss.backward()
    assert loss.dtype == torch.float32
    assert all(torch.isfinite(p.grad).all() for p in method.parameters() if p.grad is not None)


def test_state_goes_through_a_checkpoint() -> None:
    method = made("moco_v2")
    for step in range(1, 4):
        method(two_views(seed=step))[0].backward()
        method.after_step(step, 3)
    other = made("moco_v2", seed=9)
    other.load_state_dict(method.state_dict())
    assert other(two_views())[0].item() == pytest.approx(method(two_views())[0].item(), rel=1e-6)


def test_the_common_loop_trains_it_and_a_stopped_run_goes_on(tmp_path) -> None:
    pictures = torch.randint(0, 256, (64, 1, 8, 8), dtype=torch.uint8)
    views = TwoViews(Recipe(size=8, saturation=0.0, hue=0.0, grey=0.0))

    def run(steps, folder):
        for stop in steps:
            torch.manual_seed(0)
            method = presets.moco_v2(ConvNet(1, widths=(8,), strides=(2,)), width=6, queue=32)
            optimizer = torch.optim.SGD(method.parameters(), lr=0.05, momentum=0.9)
            batches = Batches(pictures, 16, views, seed=3)
            train(method, batches, optimizer, stop, checkpoint=folder, checkpoint_every=2)
        return method.state_dict()

    whole, stopped = run([6], tmp_path / "one"), run([4, 6], tmp_path / "two")
    assert whole.keys() == stopped.keys()
    assert all(torch.equal(whole[name], stopped[name]) for name in whole)
    assert int(whole["queue.place"]) == 6 * 16 % 32


def test_a_step_is_one_graph() -> None:
    """No Python decides anything in the middle of a step, so that it can be compiled whole."""
    torch._dynamo.reset()
    method = made("simclr_momentum", ema=Ema("suffix-2", 0.9))
    whole = torch.compile(method, fullgraph=True, backend="eager")
    assert whole(two_views())[0].item() == pytest.approx(method(two_views())[0].item(), rel=1e-6)


def test_settings_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="no dim"):
        presets.simco(nn.Linear(3, 3))
    with pytest.raises(ValueError, match="contrastive loss"):
        Framework(SmallNet(), NegativeCosine(), queue=Queue(4, 8))
    with pytest.raises(ValueError, match="one or two encoders"):
        Framework([SmallNet()] * 3, InfoNCE())
    with pytest.raises(ValueError, match="two views"):
        made("simco")([images()])
    with pytest.raises(ValueError, match="no momentum"):
        made("simco").averaged()
