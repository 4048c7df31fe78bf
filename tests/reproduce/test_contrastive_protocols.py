"""The parts of the dual-temperature and momentum protocols that the methods library does not have."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from peerscope.methods.contrastive import InfoNCE, decoupled  # noqa: E402
from peerscope.methods.contrastive.pairs import unit  # noqa: E402
from peerscope.methods.frameworks import Queue  # noqa: E402
from peerscope.reproduce.papers.dual_temperature import IDENTITIES  # noqa: E402
from peerscope.reproduce.papers.momentum import COST  # noqa: E402
from peerscope.reproduce.protocol import Protocol, Trial  # noqa: E402
from peerscope.reproduce.protocols import momentum_cost  # noqa: E402
from peerscope.reproduce.protocols.dual_temperature_dictionary import TwoDictionaries  # noqa: E402
from peerscope.reproduce.protocols.momentum_accuracy import arm  # noqa: E402
from peerscope.reproduce.protocols.self_supervised import encoder, percentages  # noqa: E402


def trial(protocol: Protocol, seed: int = 0, **settings: object) -> Trial:
    chosen = {**protocol.profiles["tiny"].settings, **settings}
    return Trial(protocol, seed, chosen, told=lambda line: None)


def test_equal_dictionaries_have_the_gradient_of_info_nce():
    torch.manual_seed(0)
    queue = Queue(12, 4).double()
    queue.push(torch.randn(5, 4, dtype=torch.float64))
    drawn, keys = torch.randn(2, 6, 4, dtype=torch.float64)
    slopes = []
    for loss in (TwoDictionaries(queue, 12, 12), InfoNCE(0.1, in_batch=False)):
        queries = drawn.clone().requires_grad_()
        loss(queries, keys, queue=queue.keys).backward()
        slopes.append(queries.grad)
    torch.testing.assert_close(*slopes)


def test_each_part_takes_the_newest_keys_of_its_own_dictionary():
    torch.manual_seed(1)
    queue = Queue(8, 4).double()
    old, new = torch.randn(6, 4, dtype=torch.float64), torch.randn(3, 4, dtype=torch.float64)
    queue.push(old)
    queue.push(new)  # wraps around: the newest three are not neighbours in memory
    queries, keys = unit(torch.randn(2, 5, 4, dtype=torch.float64))
    own = (queries * keys).sum(dim=1, keepdim=True)
    first = torch.zeros(5, dtype=torch.int64)
    near = torch.cat([own, queries @ unit(new).T], dim=1)
    last = torch.cat([own, queries @ unit(new[-1:]).T], dim=1)
    weight = 1 - (last / 0.1).softmax(dim=1)[:, 0]
    expected = decoupled(near, first, 0.1, weight=weight)
    found = TwoDictionaries(queue, 1, 3)(queries, keys, queue=queue.keys)
    torch.testing.assert_close(found, expected)


def test_a_scaled_weight_has_the_mean_of_the_larger_dictionary():
    torch.manual_seed(2)
    queue = Queue(64, 4).double()
    queries, keys = torch.randn(2, 9, 4, dtype=torch.float64)
    losses = [
        TwoDictionaries(queue, scalar, 64, scale)(queries, keys, queue=queue.keys)
        for scalar, scale in ((4, None), (4, 64), (4, 4))
    ]
    assert losses[1] > losses[0]  # more keys, more weight
    torch.testing.assert_close(losses[2], losses[0])


def test_a_dictionary_larger_than_the_queue_is_refused():
    with pytest.raises(ValueError, match="too few"):
        TwoDictionaries(Queue(4, 2), 4, 5)


def test_identities_hold_in_float64():
    from peerscope.reproduce.protocols.dual_temperature_identities import run

    given = trial(IDENTITIES)
    run(given)
    errors = {name: value for name, value in given.figures.items() if name.startswith("error/")}
    assert len(errors) == 5
    assert max(errors.values()) < 1e-11
    assert given.figures["finite/dual_temperature/float16"] == 1
    assert given.figures["finite/quotient/float32"] == 0


def test_before_the_first_step_a_full_target_is_stop_gradient_and_no_target_is_not():
    views = torch.randn(2, 16, 1, 28, 28)
    slopes = {}
    for name in ("none", "stop_gradient", "full", "projector", "prefix-2", "suffix-2"):
        method = arm(name, encoder(trial(COST)), 0.9)
        loss, _ = method((views[0], views[1]))
        loss.backward()
        slopes[name] = torch.cat([part.grad.flatten() for part in method.parameters()])
    for name in ("full", "projector", "prefix-2", "suffix-2"):
        torch.testing.assert_close(slopes[name], slopes["stop_gradient"])
    assert (slopes["none"] - slopes["stop_gradient"]).norm() > 0.1 * slopes["none"].norm()


def test_arms_of_a_seed_start_from_the_same_weights():
    first, again = (
        torch.cat([p.flatten() for p in encoder(trial(COST, 3)).parameters()]) for _ in "ab"
    )
    other = torch.cat([p.flatten() for p in encoder(trial(COST, 4)).parameters()])
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize(
    ("name", "passes"),
    [("none", 2), ("stop_gradient", 2), ("projector", 2), ("suffix-2", 2.5), ("full", 4)],
)
def test_passes_of_the_encoder(name: str, passes: float):
    method = arm(name, encoder(trial(COST)), 0.9)
    views = torch.randn(2, 4, 1, 28, 28)
    assert momentum_cost._passes(method, (views[0], views[1])) == passes


def test_a_unit_is_the_percentage_of_ten_images():
    right = torch.tensor([True] * 10 + [False] * 5 + [True] * 5)
    assert percentages(right).tolist() == [100, 50]
