from __future__ import annotations

import copy

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra `learn` is not installed")

from small_nets import SmallNet, images, two_views  # noqa: E402
from torch import nn  # noqa: E402

from peerscope.methods.collapse import collapse_report  # noqa: E402
from peerscope.methods.gradient_parts import (  # noqa: E402
    SimSiamParts,
    Triplet,
    alignment,
    composed,
    cosines,
    decorrelation,
    decorrelation_gradient,
    gradient_parts,
    info_nce_parts,
    pulled,
    share_of,
)
from peerscope.methods.mlp import mlp  # noqa: E402
from peerscope.methods.siamese import (  # noqa: E402
    InversePredictor,
    LinearPredictor,
    Mirror,
    MovingAverage,
    Naive,
    SameBatch,
    SimSiam,
    SymmetricPredictor,
    negative_cosine,
)


def pieces(seed: int = 0, width: int = 6):
    torch.manual_seed(seed)
    return SmallNet(), mlp((8, 8, 8, width)), mlp((width, 4, width))


def slopes(method, views) -> dict[str, np.ndarray]:
    method.zero_grad()
    method(views)[0].backward()
    return {
        name: parameter.grad.numpy().copy()
        for name, parameter in method.named_parameters()
        if parameter.grad is not None
    }


def unit(rows: torch.Tensor) -> torch.Tensor:
    return rows / rows.norm(dim=1, keepdim=True)


def cosine(one: torch.Tensor, other: torch.Tensor) -> float:
    return (unit(one) * unit(other)).sum(dim=1).mean().item()


@pytest.fixture
def made():
    """Projections and predictions of two views by a seeded branch, with everything they came from."""
    encoder, projector, predictor = pieces()
    first, second = (projector(encoder(view)).detach() for view in two_views())
    return first, second, predictor


def test_the_losses_are_their_formulas(made) -> None:
    a, b, h = made
    inverse = mlp((6, 4, 6))
    p, q = h(a).detach(), h(b).detach()
    encoder, projector, _ = pieces()
    told = {
        Naive(encoder, projector): -cosine(a, b),
        SimSiam(encoder, projector, h): -(cosine(p, b) + cosine(q, a)) / 2,
        SymmetricPredictor(encoder, projector, h): -cosine(p, q),
        SymmetricPredictor(encoder, projector, h, separate=True):
            -cosine(p, q) - (cosine(p, b) + cosine(q, a)) / 2,
        Mirror(encoder, projector, h):
            -(cosine(a, q) + cosine(b, p)) / 2 - (cosine(p, b) + cosine(q, a)) / 2,
        InversePredictor(encoder, projector, h, inverse):
            -(cosine(p, b) + cosine(q, a) + cosine(inverse(p), a) + cosine(inverse(q), b)
              + cosine(p, inverse(q)) + cosine(q, inverse(p))) / 2,
    }  # fmt: skip
    for method, value in told.items():
        loss, _ = method.compare(a, b)
        assert loss.item() == pytest.approx(value, abs=1e-5), type(method).__name__


def test_where_the_gradient_flows() -> None:
    encoder, projector, predictor = pieces()
    for kind, trained in (
        (Naive, ("encoder", "projector")), (SimSiam, ("encoder", "projector", "predictor")),
        (Mirror, ("encoder", "projector", "predictor")),
    ):  # fmt: skip
        given = (encoder, projector) if kind is Naive else (encoder, projector, predictor)
        found = slopes(kind(*given), two_views())
        assert {name.replace("branch.", "").split(".")[0] for name in found} == set(trained)
    # nothing but the prediction loss moves the predictor of Mirror
    mirror = Mirror(encoder, projector, predictor)
    first, second = (mirror.branch(view) for view in two_views())
    mirror.zero_grad()
    mirror.prediction_loss(first, second).backward()
    assert encoder.blocks[0][1].weight.grad is None
    alone = {n: p.grad.clone() for n, p in predictor.named_parameters()}
    found = slopes(mirror, two_views())
    for name, slope in alone.items():
        assert found[f"predictor.{name}"] == pytest.approx(slope.numpy(), abs=1e-6)


def test_a_target_is_never_differentiated() -> None:
    a = torch.randn(5, 3, requires_grad=True)
    b = torch.randn(5, 3, requires_grad=True)
    negative_cosine(a, b).backward()
    assert a.grad is not None
    assert b.grad is None
    assert negative_cosine(a.half(), b.half()).dtype == torch.float32


def test_neither_part_is_the_symmetric_predictor_and_both_are_simsiam() -> None:
    """An algebraic identity: the same gradients, to rounding, though the losses are written differently."""
    encoder, projector, predictor = (part.double() for part in pieces())
    views = [view.double() for view in two_views()]
    arms = {
        (False, False): SymmetricPredictor(encoder, projector, predictor),
        (True, True): SimSiam(encoder, projector, predictor),
    }
    for (centre, residual), plain in arms.items():
        method = SimSiamParts(encoder, projector, predictor, centre=centre, residual=residual)
        assert method(views)[0].item() == pytest.approx(plain(views)[0].item(), rel=1e-12)
        mine, theirs = slopes(method, views), slopes(plain, views)
        assert mine.keys() == theirs.keys()
        for name, slope in mine.items():
            assert slope == pytest.approx(theirs[name], rel=1e-9, abs=1e-13), name
    one = SimSiamParts(encoder, projector, predictor, centre=True, residual=False)
    assert one(views)[0].item() != pytest.approx(arms[True, True](views)[0].item(), abs=1e-4)


def test_parts_are_a_mean_and_what_is_left() -> None:
    target, basic = unit(torch.randn(40, 6)), unit(torch.randn(40, 6))
    parts = gradient_parts(target, basic)
    assert torch.allclose(parts.centre, target.mean(dim=0) - basic.mean(dim=0), atol=1e-6)
    assert torch.allclose(parts.residual.mean(dim=0), torch.zeros(6), atol=1e-6)
    assert torch.allclose(composed(basic, parts), target, atol=1e-6)
    assert torch.allclose(
        composed(basic, parts, residual=False) + parts.residual, target, atol=1e-6
    )
    assert torch.equal(composed(basic, parts, centre=False, residual=False), basic)


def test_the_triplet_pulls_to_the_view_and_from_the_other_half() -> None:
    encoder, projector, _ = pieces()
    a, b, c = (projector(encoder(images(8, seed))).detach() for seed in range(3))
    views = [images(8, seed) for seed in range(3)]
    other = unit(c)[[4, 5, 6, 7, 0, 1, 2, 3]]
    full = Triplet(encoder, projector)(views)[0].item()
    assert full == pytest.approx(-float((unit(a) * (unit(b) - other)).sum(dim=1).mean()), abs=1e-5)
    centre = Triplet(encoder, projector, residual=False)(views)[0].item()
    told = -float((unit(a) * (unit(b) - other.mean(dim=0))).sum(dim=1).mean())
    assert centre == pytest.approx(told, abs=1e-5)
    nothing = Triplet(encoder, projector, centre=False, residual=False)(views)[0].item()
    assert nothing == pytest.approx(-cosine(a, b), abs=1e-5)
    with pytest.raises(ValueError, match="even"):
        Triplet(encoder, projector)([images(7)] * 3)


def test_the_moving_average_compares_with_the_bank_before_it_moves() -> None:
    encoder, projector, _ = pieces()
    method = MovingAverage(encoder, projector, images=20, width=6, keep=0.8)
    places = torch.arange(12) + 3
    before = method.bank.clone()
    first, second = two_views()
    loss, _ = method([first, second, places])
    a, b = (projector(encoder(view)).detach() for view in (first, second))
    assert loss.item() == pytest.approx(-cosine(a, before[places]), abs=1e-5)
    loss.backward()
    assert torch.allclose(method.bank[places], 0.8 * before[places] + 0.2 * unit(b), atol=1e-5)
    assert torch.equal(method.bank[:3], before[:3])
    kept = method.bank.clone()
    method.eval()([first, second, places])
    assert torch.equal(method.bank, kept)
    with pytest.raises(ValueError, match="places"):
        method([first, second, (1,)])
    with pytest.raises(ValueError, match="0 to 1"):
        MovingAverage(encoder, projector, 2, 2, keep=1.5)


def test_the_expectation_over_the_batch_is_the_mean_of_further_views() -> None:
    encoder, projector, _ = pieces()
    views = [images(6, seed) for seed in range(4)]
    rows = [unit(projector(encoder(view)).detach()) for view in views]
    loss, parts = SameBatch(encoder, projector)(views)
    assert loss.item() == pytest.approx(-cosine(rows[0], sum(rows[1:]) / 3), abs=1e-5)
    assert torch.allclose(parts["acted"], rows[0], atol=1e-6)
    with pytest.raises(ValueError, match="two views"):
        SameBatch(encoder, projector)(views[:1])


def test_simple_predictors() -> None:
    z = torch.randn(5, 4)
    bias = LinearPredictor(4)
    assert torch.allclose(bias(z), unit(z))
    with torch.no_grad():
        bias.bias += torch.tensor([1.0, 0, 0, 2])
    assert torch.allclose(bias(z), unit(z) + torch.tensor([1.0, 0, 0, 2]))
    squashed = LinearPredictor(4, weight=True, squash=True)
    with torch.no_grad():
        squashed.weight.fill_(100.0)
        squashed.bias.fill_(3.0)
    told = unit(z).sum(dim=1, keepdim=True) + 2 / (1 + np.exp(-3.0)) - 1
    assert torch.allclose(squashed(z), told.expand(5, 4).float(), atol=1e-5)
    with pytest.raises(ValueError, match="matrix or a bias"):
        LinearPredictor(4, bias=False)


def test_a_bias_learns_the_mean_of_the_projections() -> None:
    """Why one bias keeps SimSiam from collapse: it turns to o_z, so that o_z - o_p points against it."""
    generator = torch.Generator().manual_seed(0)
    base = torch.randn(256, 8, generator=generator) + torch.tensor([1.0, 0.5, 0, 0, 0, 0, 0, 0])
    a, b = (base + torch.randn(256, 8, generator=generator) for _ in range(2))
    predictor = LinearPredictor(8)
    optimizer = torch.optim.SGD(predictor.parameters(), lr=0.5)
    for _ in range(60):
        optimizer.zero_grad()
        negative_cosine(predictor(a), b).backward()
        optimizer.step()
    centre = unit(b).mean(dim=0)
    own = predictor.bias.detach()
    assert float(own @ centre / own.norm() / centre.norm()) > 0.9
    predicted = unit(predictor(a).detach())
    parts = gradient_parts(unit(b), predicted)
    assert share_of(parts.centre, predicted.mean(dim=0)) < -0.05


def test_cosines_with_the_mean() -> None:
    """Mean cos(Z, o) is m_o exactly, mean Z . o is m_o^2, mean o . r is 0; by brute force in float64."""
    rows = torch.randn(50, 7, dtype=torch.float64) + 0.7
    table = cosines(rows)
    z = unit(rows).numpy()
    o = z.mean(axis=0)
    r = z - o
    lengths = np.linalg.norm(r, axis=1)
    assert table["m_o"] == pytest.approx(np.linalg.norm(o))
    assert table["z_o"] == pytest.approx(table["m_o"])
    assert table["m_o"] ** 2 + (lengths**2).mean() == pytest.approx(1)
    assert table["m_r"] == pytest.approx(np.sqrt((lengths**2).mean()))
    assert (r @ o).mean() == pytest.approx(0, abs=1e-12)
    assert table["z_r"] == pytest.approx(((z * r).sum(axis=1) / lengths).mean())
    assert table["o_r"] == pytest.approx((r @ o / lengths / np.linalg.norm(o)).mean())
    report = collapse_report(rows)
    assert (table["m_o"], table["m_r"]) == pytest.approx((report.centre, report.residual))


def test_decorrelation_has_the_gradient_of_autograd() -> None:
    rows = torch.randn(30, 5, dtype=torch.float64, requires_grad=True)
    value = decorrelation(rows)
    covariance = np.cov(rows.detach().numpy().T)
    apart = (covariance[~np.eye(5, dtype=bool)] ** 2).sum() / 5
    assert value.item() == pytest.approx(apart)
    value.backward()
    own = decorrelation_gradient(rows.detach()).numpy()
    assert own == pytest.approx(rows.grad.numpy(), rel=1e-9, abs=1e-14)


def test_info_nce_is_a_basic_part_and_an_extra_one() -> None:
    """-dL/dZ_a = (Z_b + o_e + r_e) / t, with autograd as the judge; large temperatures leave no r_e."""
    keys = unit(torch.randn(20, 6, dtype=torch.float64))
    queries = unit(keys + 0.4 * torch.randn(20, 6, dtype=torch.float64)).requires_grad_()
    for temperature in (0.1, 0.5):
        loss = nn.functional.cross_entropy(
            queries @ keys.T / temperature, torch.arange(20), reduction="sum"
        )
        (slope,) = torch.autograd.grad(loss, queries)
        parts = info_nce_parts(queries.detach(), keys, temperature)
        assert torch.allclose(-temperature * slope, composed(keys, parts), rtol=1e-10, atol=1e-12)
    wide = info_nce_parts(queries.detach(), keys, 1e6)
    assert wide.residual.norm(dim=1).max() < 1e-5
    assert torch.allclose(wide.centre, -keys.mean(dim=0), atol=1e-5)
    with pytest.raises(ValueError, match="above 0"):
        info_nce_parts(queries.detach(), keys, 0)


def test_the_residual_of_info_nce_descends_the_correlation_and_its_centre_does_not() -> None:
    """Figure 5c in small: r_e aligns at middle temperatures, o_e stays near 0."""
    generator = torch.Generator().manual_seed(0)
    spectrum = torch.linspace(2, 0.2, 16)
    turn = torch.linalg.qr(torch.randn(16, 16, generator=generator))[0]
    base = torch.randn(512, 16, generator=generator) * spectrum @ turn
    noise = 0.1 * torch.randn(512, 16, generator=generator) * spectrum @ turn
    first, second = unit(base), unit(base + noise)
    found = {t: alignment(info_nce_parts(first, second, t), first) for t in (0.02, 0.3, 1.0)}
    assert found[0.3][1] > 0.5
    assert found[0.3][1] > found[0.02][1] + 0.1
    assert all(abs(centre) < 0.15 for centre, _ in found.values())


def test_a_pull_to_the_centre_raises_it_and_one_to_the_residual_lowers_it() -> None:
    """Conjecture 1 of the paper on free vectors: o_z raises m_o, r_a raises m_r."""
    start = torch.randn(64, 8, generator=torch.Generator().manual_seed(1)) + 0.4
    for toward, raised in (("centre", "m_o"), ("residual", "m_r")):
        rows = start.clone().requires_grad_()
        for _ in range(30):
            z = unit(rows.detach())
            centre = z.mean(dim=0)
            (slope,) = torch.autograd.grad(
                pulled(rows, centre if toward == "centre" else z - centre), rows
            )
            rows = (rows - 3 * slope).detach().requires_grad_()
        now, before = cosines(rows.detach()), cosines(start)
        assert now[raised] > before[raised]
        assert abs(now["m_o"] - before["m_o"]) > 0.05


def trained(make, views: int = 2, steps: int = 200):
    """The report on the vectors that the loss acts on, after a short training on random images."""
    torch.manual_seed(0)
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(16, 32), nn.ReLU())
    method = make(encoder, mlp((32, 32, 32, 32)), mlp((32, 8, 32)))
    optimizer = torch.optim.SGD(method.parameters(), lr=0.2, momentum=0.9)
    base, generator = images(512, 7), torch.Generator().manual_seed(0)
    for _ in range(steps):
        batch = base[torch.randperm(512, generator=generator)[:128]]
        seen = [batch + 0.5 * torch.randn(batch.shape, generator=generator) for _ in range(views)]
        optimizer.zero_grad()
        loss, parts = method(seen)
        loss.backward()
        optimizer.step()
    return collapse_report(parts["acted"])


def test_simsiam_stands_where_naive_mirror_and_the_symmetric_predictor_fall() -> None:
    stands = trained(SimSiam)
    assert not stands.collapsed
    assert stands.centre < 0.8
    for make in (lambda f, g, h: Naive(f, g), Mirror, SymmetricPredictor):
        fallen = trained(make)
        assert fallen.kind == "complete"
        assert fallen.centre > 0.98
        assert "one point" in fallen.reason
    # the rank of what is left after the fall is the higher one: it could not tell the two apart
    assert trained(Mirror).effective_rank > 2 * stands.effective_rank


def test_the_centre_part_keeps_a_triplet_from_collapse_and_the_residual_does_not() -> None:
    centre = trained(lambda f, g, h: Triplet(f, g, residual=False), views=3)
    residual = trained(lambda f, g, h: Triplet(f, g, centre=False), views=3)
    assert centre.centre < 0.3
    assert not centre.collapsed
    assert residual.kind == "complete"


def test_copies_are_independent() -> None:
    method = SimSiam(*pieces())
    other = copy.deepcopy(method)
    slopes(other, two_views())
    assert all(parameter.grad is None for parameter in method.parameters())
