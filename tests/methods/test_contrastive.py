from __future__ import annotations

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra `learn` is not installed")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from peerscope.methods.contrastive import (  # noqa: E402
    Decoupled,
    DualTemperature,
    HingeAttention,
    InfoNCE,
    SampledSoftmax,
    ScaleMatched,
    contrast,
    decoupled,
    dual_temperature,
    hinge_attention,
    negative_share,
    pairs,
    sampled_softmax,
    scale_matched,
)


def by_hand(scores, positives, temperature, log_expected=None, excluded=None) -> float:
    total = 0.0
    for row, positive in enumerate(positives):
        logits = [s / temperature for s in scores[row]]
        if log_expected is not None:
            logits = [z - e for z, e in zip(logits, log_expected, strict=True)]
        kept = [
            z for column, z in enumerate(logits)
            if excluded is None or column == positive or not excluded[row][column]
        ]  # fmt: skip
        total += math.log(sum(math.exp(z) for z in kept)) - logits[positive]
    return total / len(positives)


@pytest.mark.parametrize("temperature", [0.05, 0.2, 1.0])
def test_the_loss_is_its_formula_in_double_precision(temperature) -> None:
    generator = np.random.default_rng(1)
    scores = generator.uniform(-1, 1, size=(5, 8))
    log_expected = np.log(generator.uniform(0.1, 3, size=8))
    excluded = generator.random((5, 8)) < 0.3
    positives = [0, 3, 3, 7, 1]
    arguments = torch.tensor(scores), torch.tensor(positives), temperature
    assert float(sampled_softmax(*arguments)) == pytest.approx(
        by_hand(scores, positives, temperature)
    )
    full = sampled_softmax(
        *arguments, log_expected=torch.tensor(log_expected), excluded=torch.tensor(excluded)
    )
    assert float(full) == pytest.approx(
        by_hand(scores, positives, temperature, log_expected, excluded)
    )


def test_its_gradient_is_that_of_finite_differences() -> None:
    scores = torch.randn(3, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda s: sampled_softmax(s, torch.tensor([0, 1, 2]), 0.3), (scores,)
    )


def test_log_q_makes_the_sampled_loss_estimate_the_full_softmax() -> None:
    generator = np.random.default_rng(0)
    scores = generator.normal(size=30)
    chance = generator.dirichlet(np.ones(30))
    drawn, full = 20_000, math.log(np.exp(scores).sum()) - scores[0]
    picked = generator.choice(30, drawn, p=chance)
    columns = np.concatenate([[0], picked])
    # the positive is there once for certain; every other candidate as often as it is drawn
    expected = np.concatenate([[1.0], drawn * chance[picked]])
    keep = np.concatenate([[True], picked != 0])
    loss = sampled_softmax(
        torch.tensor(scores[columns][keep])[None],
        torch.tensor([0]),
        1.0,
        log_expected=torch.tensor(np.log(expected[keep])),
    )
    assert float(loss) == pytest.approx(full, rel=0.03)


def test_a_temperature_of_nought_is_refused() -> None:
    with pytest.raises(ValueError, match="above 0"):
        sampled_softmax(torch.zeros(1, 1), torch.tensor([0]), 0.0)


def scored(seed: int = 0, rows: int = 4, columns: int = 7):
    generator = np.random.default_rng(seed)
    scores = generator.uniform(-1, 1, size=(rows, columns))
    excluded = generator.random((rows, columns)) < 0.25
    positives = generator.integers(0, columns, size=rows)
    return scores, positives, excluded


def test_the_hinge_is_equation_2() -> None:
    scores, positives, excluded = scored()
    total = 0.0
    for row, positive in enumerate(positives):
        for column in range(scores.shape[1]):
            if column != positive and not excluded[row, column]:
                total += max(0.0, 0.1 - scores[row, positive] + scores[row, column])
    found = hinge_attention(
        torch.tensor(scores), torch.tensor(positives), 0.1, excluded=torch.tensor(excluded)
    )
    assert float(found) == pytest.approx(total / len(positives))
    with pytest.raises(ValueError, match="0 or more"):
        hinge_attention(torch.zeros(1, 1), torch.tensor([0]), -0.1)


def gradient(loss, scores: np.ndarray) -> np.ndarray:
    given = torch.tensor(scores, requires_grad=True)
    loss(given).backward()
    assert given.grad is not None
    return given.grad.numpy()


@pytest.mark.parametrize(("inner", "outer"), [(0.1, 1.0), (0.2, 0.5), (0.07, 10.0)])
def test_dual_temperature_has_the_gradient_of_the_quotient_form(inner, outer) -> None:
    """The authors' form: cross-entropy at the inner temperature times sg[W(outer) / W(inner)]."""
    scores, positives, _ = scored(3)
    chosen = torch.tensor(positives)

    def quotient(given):
        shares = [
            1 - (given.detach() / t).softmax(dim=1).gather(1, chosen[:, None])[:, 0]
            for t in (outer, inner)
        ]
        each = torch.nn.functional.cross_entropy(given / inner, chosen, reduction="none")
        return (shares[0] / shares[1] * each).mean()

    own = gradient(lambda given: dual_temperature(given, chosen, inner, outer), scores)
    assert own == pytest.approx(gradient(quotient, scores), rel=1e-9, abs=1e-14)


def test_dual_temperature_with_equal_temperatures_has_the_gradient_of_the_softmax() -> None:
    scores, positives, excluded = scored(4)
    chosen, out = torch.tensor(positives), torch.tensor(excluded)
    expected = torch.tensor(np.log(np.random.default_rng(0).uniform(0.1, 3, size=7)))
    own = gradient(
        lambda s: dual_temperature(s, chosen, 0.3, 0.3, log_expected=expected, excluded=out), scores
    )
    softmax = gradient(
        lambda s: sampled_softmax(s, chosen, 0.3, log_expected=expected, excluded=out), scores
    )
    assert own == pytest.approx(softmax, rel=1e-9, abs=1e-14)


def test_dual_temperature_stays_finite_where_the_quotient_underflows() -> None:
    scores = torch.tensor([[1.0, -1.0]], dtype=torch.float32, requires_grad=True)
    dual_temperature(scores, torch.tensor([0]), 0.1, 1.0).backward()
    assert torch.isfinite(scores.grad).all()
    assert scores.grad[0, 1] > 0
    with pytest.raises(ValueError, match="above 0"):
        dual_temperature(torch.zeros(1, 2), torch.tensor([0]), 0.1, 0.0)


def views(seed: int = 0, number: int = 12, width: int = 6, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    first = torch.randn(number, width, generator=generator, dtype=torch.float64)
    second = first + 0.5 * torch.randn(number, width, generator=generator, dtype=torch.float64)
    return (
        first.to(dtype).requires_grad_(),
        second.to(dtype).requires_grad_(),
    )


def gradients(loss, *given) -> list[np.ndarray]:
    return [part.numpy() for part in torch.autograd.grad(loss, given, retain_graph=True)]


def official(queries, keys, inner: float, outer: float):
    """The loss of the official code on unit vectors: InfoNCE times sg[W(outer) / W(inner)], by hand.

    Its shares are one less the positive's, as printed there; in float64 that is exact enough.
    """
    unit_q = queries / queries.norm(dim=1, keepdim=True)
    unit_k = keys / keys.norm(dim=1, keepdim=True)
    total = 0.0
    for row in range(len(queries)):
        cosines = unit_k @ unit_q[row]
        log_share = cosines[row] / inner - torch.log(torch.exp(cosines / inner).sum())
        fixed = cosines.detach()
        shares = [
            1 - torch.exp(fixed[row] / t) / torch.exp(fixed / t).sum() for t in (outer, inner)
        ]
        total = total - shares[0] / shares[1] * log_share
    return total / len(queries)


def test_dual_temperature_of_views_has_the_gradient_of_the_official_code() -> None:
    queries, keys = views()
    own = gradients(pairs.dual_temperature(queries, keys), queries, keys)
    other = gradients(official(queries, keys, 0.1, 1.0), queries, keys)
    for mine, theirs in zip(own, other, strict=True):
        assert mine == pytest.approx(theirs, rel=1e-11, abs=1e-15)


@pytest.mark.parametrize("same_view", [False, True])
def test_equal_temperatures_are_info_nce_in_gradients_to_both_views_but_not_in_value(
    same_view,
) -> None:
    queries, keys = views(1)
    queue = torch.randn(9, 6, dtype=torch.float64)
    chosen = {"queue": queue, "same_view": same_view}
    dual = pairs.dual_temperature(queries, keys, 0.2, 0.2, **chosen)
    plain = pairs.info_nce(queries, keys, 0.2, **chosen)
    assert abs(dual.item() - plain.item()) > 1e-3
    for mine, theirs in zip(
        gradients(dual, queries, keys), gradients(plain, queries, keys), strict=True
    ):
        assert np.abs(mine - theirs).max() < 1e-12 * np.abs(theirs).max() + 1e-15


def test_dual_temperature_is_decoupled_contrast_weighted_by_the_share_at_the_outer_one() -> None:
    queries, keys = views(2)
    found = contrast(queries, keys)
    fixed = found.scores.detach()
    odds = torch.exp(fixed / 1.0)
    share = 1 - odds.diagonal() / odds.sum(dim=1)
    others = found.scores.masked_fill(torch.eye(12, dtype=torch.bool), -torch.inf) / 0.1
    by_definition = (share * (torch.logsumexp(others, 1) - found.scores.diagonal() / 0.1)).mean()
    own = pairs.dual_temperature(queries, keys, 0.1, 1.0)
    assert own.item() == pytest.approx(by_definition.item(), rel=1e-12)
    for mine, theirs in zip(
        gradients(own, queries, keys), gradients(by_definition, queries, keys), strict=True
    ):
        assert np.abs(mine - theirs).max() < 1e-12 * np.abs(theirs).max()


def test_a_large_outer_temperature_leaves_decoupled_contrast_less_the_positive() -> None:
    queries, keys = views(3)
    limit = pairs.dual_temperature(queries, keys, 0.1, 1e12)
    plain = pairs.decoupled(queries, keys, 0.1)
    assert limit.item() == pytest.approx(11 / 12 * plain.item(), rel=1e-11)
    for mine, theirs in zip(
        gradients(limit, queries, keys), gradients(plain, queries, keys), strict=True
    ):
        assert mine == pytest.approx(11 / 12 * theirs, rel=1e-10, abs=1e-14)


def test_the_gradient_of_info_nce_is_its_share_times_that_of_decoupled_contrast() -> None:
    queries, keys = views(4)
    found = contrast(queries, keys)
    share = negative_share(found.scores, found.positives, 0.1)
    shared = decoupled(found.scores, found.positives, 0.1, weight=share)
    plain = sampled_softmax(found.scores, found.positives, 0.1)
    for mine, theirs in zip(
        gradients(shared, queries, keys), gradients(plain, queries, keys), strict=True
    ):
        assert mine == pytest.approx(theirs, rel=1e-12, abs=1e-15)


def test_info_nce_and_the_share_are_softplus_and_sigmoid_of_decoupled_contrast() -> None:
    scores, positives, excluded = scored(12, rows=30, columns=9)
    given_more = torch.tensor(scores), torch.tensor(positives), 0.2
    out = {"excluded": torch.tensor(excluded)}
    gap = decoupled(*given_more, reduction="none", **out).numpy()
    info = sampled_softmax(*given_more, reduction="none", **out).numpy()
    assert info == pytest.approx(np.log1p(np.exp(gap)), rel=1e-12)
    assert negative_share(*given_more, **out).numpy() == pytest.approx(1 - np.exp(-info), rel=1e-9)


def test_the_gradient_to_a_query_is_a_scalar_times_a_vector() -> None:
    """Zhang et al. 2022, section 3: W / t times (the key less the softmax mean of the negatives)."""
    queries, keys = (part.detach() for part in views(5))
    unit_q, unit_k = (part / part.norm(dim=1, keepdim=True) for part in (queries, keys))
    scores = unit_q @ unit_k.T
    leaf = scores.clone().requires_grad_()
    sampled_softmax(leaf, torch.arange(12), 0.1, reduction="sum").backward()
    for row in range(12):
        odds = np.exp(scores[row].numpy() / 0.1)
        share = 1 - odds[row] / odds.sum()
        odds[row] = 0
        mean = (odds / odds.sum()) @ unit_k.numpy()
        direction = share / 0.1 * (unit_k[row].numpy() - mean)
        assert -(leaf.grad[row].numpy() @ unit_k.numpy()) == pytest.approx(direction, rel=1e-10)


def expected_share(negatives: int, temperature: float, width: int, cosine: float) -> float:
    """W for a positive of the cosine and negatives uniform on the sphere: their mean odds in closed form.

    A coordinate of a uniform unit vector has density (1 - x^2)^((width - 3) / 2).
    """
    x = np.linspace(-1, 1, 40_001)
    density = (1 - x**2) ** ((width - 3) / 2)
    mean = np.exp((x - cosine) / temperature) @ density / density.sum()
    return negatives * mean / (1 + negatives * mean)


TABLE = {  # a positive cosine of 0.8, random negatives of 128 dimensions
    (63, 0.1): 0.030, (63, 0.2): 0.551, (63, 1.0): 0.966, (255, 0.1): 0.115, (255, 0.5): 0.981,
    (1023, 0.07): 0.022, (1023, 0.2): 0.953, (65536, 0.07): 0.612, (65536, 0.1): 0.970,
}  # fmt: skip


def test_the_share_of_negatives_over_dictionary_size_and_temperature() -> None:
    generator = torch.Generator().manual_seed(0)
    for (number, temperature), told in TABLE.items():
        negatives = torch.randn(number, 128, generator=generator, dtype=torch.float64)
        cosines = negatives[:, 0] / negatives.norm(dim=1)
        scores = torch.cat([torch.tensor([0.8], dtype=torch.float64), cosines])[None]
        share = float(negative_share(scores, torch.tensor([0]), temperature))
        closed = expected_share(number, temperature, 128, 0.8)
        assert share == pytest.approx(closed, rel=0.12)
        assert closed == pytest.approx(told, rel=0.1)
    few_at_one = expected_share(63, 1.0, 128, 0.8)
    assert few_at_one == pytest.approx(expected_share(65536, 0.1, 128, 0.8), abs=0.005)


@given(st.integers(2, 40), st.floats(0.05, 2), st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_the_share_grows_with_the_dictionary_and_with_the_temperature_of_a_near_positive(
    number, temperature, seed
) -> None:
    generator = np.random.default_rng(seed)
    negatives = torch.tensor(generator.uniform(-1, 0.9, size=(1, number)))
    scores = torch.cat([torch.tensor([[0.95]]), negatives], dim=1)
    place = torch.tensor([0])
    share = float(negative_share(scores, place, temperature))
    assert float(negative_share(scores[:, :-1], place, temperature)) <= share
    assert float(negative_share(scores, place, 1.1 * temperature)) >= share
    assert 0 <= share <= 1


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_no_precision_makes_it_not_a_number_where_the_quotient_form_is(dtype) -> None:
    keys = torch.tensor([[1.0, 0.0], [-1.0, 0.0]], dtype=dtype)
    queries = keys.clone().requires_grad_()
    scores = (queries @ keys.T).detach()
    shares = [1 - (scores / t).softmax(dim=1)[:, 0][0] for t in (1.0, 0.1)]
    assert not torch.isfinite(shares[0] / shares[1])
    for loss in (
        DualTemperature(0.1, 1.0), DualTemperature(0.07, 0.07), Decoupled(0.1), InfoNCE(0.1),
        ScaleMatched(0.05, 1.0),
    ):  # fmt: skip
        value = loss(queries, keys)
        (slope,) = torch.autograd.grad(value, queries)
        assert value.dtype == torch.float32
        assert torch.isfinite(value)
        assert torch.isfinite(slope).all()
    share = negative_share(scores, torch.tensor([0, 1]), 0.1)
    assert float(share[0]) == pytest.approx(math.exp(-20), rel=1e-5)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_agrees_with_double(dtype) -> None:
    # exactly representable inputs, so that only the loss's own arithmetic is compared
    first, second = (part.detach().to(dtype) for part in views(6))
    queue = torch.randn(20, 6, generator=torch.Generator().manual_seed(1)).to(dtype)
    for loss in (DualTemperature(), Decoupled(), InfoNCE(), ScaleMatched()):
        half = loss(first, second, queue=queue)
        double = loss(first.double(), second.double(), queue=queue.double())
        assert float(half) == pytest.approx(float(double), rel=1e-5)


def test_the_scale_matched_control_is_info_nce_times_the_ratio_of_mean_shares() -> None:
    queries, keys = views(7)
    found = contrast(queries, keys)
    odds = [torch.exp(found.scores.detach() / t) for t in (1.0, 0.1)]
    outer, inner = (float((1 - o.diagonal() / o.sum(dim=1)).mean()) for o in odds)
    own = gradients(ScaleMatched(0.1, 1.0)(queries, keys), queries, keys)
    plain = gradients(outer / inner * pairs.info_nce(queries, keys, 0.1), queries, keys)
    for mine, theirs in zip(own, plain, strict=True):
        assert mine == pytest.approx(theirs, rel=1e-10, abs=1e-14)


def nt_xent(first: np.ndarray, second: np.ndarray, temperature: float) -> float:
    """SimCLR's loss of 2n views, one direction, by loops."""
    rows = unit_rows(np.concatenate([first, second]))
    number, total = len(first), 0.0
    for i in range(number):
        odds = [math.exp(rows[i] @ rows[j] / temperature) for j in range(2 * number) if j != i]
        total -= math.log(math.exp(rows[i] @ rows[i + number] / temperature) / sum(odds))
    return total / number


def unit_rows(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_where_negatives_come_from() -> None:
    queries, keys = (part.detach() for part in views(8, number=5))
    queue = torch.randn(7, 6, dtype=torch.float64)
    q, k, extra = (unit_rows(part.numpy()) for part in (queries, keys, queue))
    found = contrast(queries, keys, queue=queue, same_view=True)
    assert found.scores.numpy() == pytest.approx(np.hstack([q @ k.T, q @ q.T, q @ extra.T]))
    assert found.excluded.sum() == 5
    assert found.excluded[:, 5:10].diagonal().all()
    alone = contrast(queries, keys, queue=queue, in_batch=False)
    assert alone.scores.numpy() == pytest.approx(np.c_[(q * k).sum(axis=1), q @ extra.T])
    assert not alone.positives.any()
    own = pairs.info_nce(queries, keys, 0.5, same_view=True)
    assert own.item() == pytest.approx(nt_xent(queries.numpy(), keys.numpy(), 0.5))


def test_pairs_that_are_the_same_thing_are_no_negatives() -> None:
    queries, keys = (part.detach() for part in views(9, number=4))
    twice = torch.zeros(4, 4, dtype=torch.bool)
    twice[0, 2] = twice[2, 0] = True
    shares = pairs.info_nce(queries, keys, 0.2, excluded=twice, reduction="none")
    without = contrast(queries[[0]], keys[[0]], queue=keys[[1, 3]])
    assert float(shares[0]) == pytest.approx(
        float(sampled_softmax(without.scores, without.positives, 0.2))
    )
    everything = torch.ones(4, 4, dtype=torch.bool)
    leaf = queries.clone().requires_grad_()
    for loss in (Decoupled(), DualTemperature(), ScaleMatched(), InfoNCE()):
        value = loss(leaf, keys, excluded=everything)
        assert value.item() == pytest.approx(0, abs=1e-12)
        assert torch.isfinite(torch.autograd.grad(value, leaf)[0]).all()


def test_queries_of_several_heads_are_scored_by_equation_1() -> None:
    generator = np.random.default_rng(0)
    heads, keys = generator.normal(size=(3, 2, 4)), generator.normal(size=(3, 4))
    e = heads / np.linalg.norm(heads, axis=2, keepdims=True)
    y = unit_rows(keys)
    total = 0.0
    for i in range(3):
        soft = []
        for c in range(3):
            dots = e[i] @ y[c]
            attention = np.exp(dots / 0.3) / np.exp(dots / 0.3).sum()
            soft.append(attention @ dots)
        total += sum(max(0.0, 0.2 - soft[i] + soft[c]) for c in range(3) if c != i)
    own = HingeAttention(0.2, beta=0.3)(torch.tensor(heads), torch.tensor(keys))
    assert own.item() == pytest.approx(total / 3)
    one = HingeAttention(0.2)(torch.tensor(heads[:, :1]), torch.tensor(keys))
    flat = HingeAttention(0.2)(torch.tensor(heads[:, 0]), torch.tensor(keys))
    assert float(one) == pytest.approx(float(flat))


@pytest.mark.parametrize("loss", [Decoupled(0.3), DualTemperature(0.3, 0.3), InfoNCE(0.3)])
def test_gradients_are_those_of_finite_differences(loss) -> None:
    """Dual temperature's weight is held fixed, so that its finite differences are those of decoupled contrast."""
    queries, keys = views(10, number=4, width=3)
    if isinstance(loss, DualTemperature):
        found = contrast(queries.detach(), keys.detach())
        weight = negative_share(found.scores, found.positives, 0.3)

        def whole(q, k):
            part = contrast(q, k)
            return decoupled(part.scores, part.positives, 0.3, weight=weight)

        assert gradients(whole(queries, keys), queries)[0] == pytest.approx(
            gradients(loss(queries, keys), queries)[0], rel=1e-12
        )
    else:
        whole = loss
    assert torch.autograd.gradcheck(whole, (queries, keys))


def test_reductions_agree() -> None:
    scores, positives, excluded = scored(5)
    arguments = torch.tensor(scores), torch.tensor(positives)
    out = torch.tensor(excluded)
    for function, given_more in (
        (sampled_softmax, (0.2,)), (decoupled, (0.2,)), (dual_temperature, (0.2, 1.0)),
        (scale_matched, (0.2, 1.0)), (hinge_attention, (0.1,)),
    ):  # fmt: skip
        each = function(*arguments, *given_more, excluded=out, reduction="none")
        assert each.shape == (4,)
        total = function(*arguments, *given_more, excluded=out, reduction="sum")
        assert float(each.sum()) == pytest.approx(float(total))
        assert float(each.mean()) == pytest.approx(
            float(function(*arguments, *given_more, excluded=out))
        )
        with pytest.raises(ValueError, match="reduction"):
            function(*arguments, *given_more, reduction="median")


def test_modules_are_the_functions_and_refuse_what_makes_no_sense() -> None:
    queries, keys = (part.detach() for part in views(11))
    assert float(DualTemperature()(queries, keys)) == float(pairs.dual_temperature(queries, keys))
    assert float(Decoupled()(queries, keys)) == float(pairs.decoupled(queries, keys))
    expected = torch.linspace(-1, 1, 12, dtype=torch.float64)
    found = contrast(queries, keys)
    own = SampledSoftmax(0.2)(queries, keys, log_expected=expected)
    assert own.item() == pytest.approx(
        by_hand(found.scores.tolist(), found.positives.tolist(), 0.2, expected.tolist())
    )
    with pytest.raises(ValueError, match="needs log_expected"):
        SampledSoftmax(0.2)(queries, keys)
    with pytest.raises(ValueError, match="no softmax"):
        HingeAttention()(queries, keys, log_expected=expected)
    with pytest.raises(ValueError, match="above 0"):
        DualTemperature(0.1, 0.0)
    with pytest.raises(ValueError, match="no negatives"):
        InfoNCE(in_batch=False)(queries, keys)
    with pytest.raises(ValueError, match="need keys"):
        InfoNCE()(queries, keys[:3])
    with pytest.raises(ValueError, match="several heads"):
        InfoNCE(same_view=True)(queries[:, None], keys)
    with pytest.raises(ValueError, match="0 or more"):
        HingeAttention(-1)
