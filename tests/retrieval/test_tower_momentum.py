"""Targets that follow both towers, against formulas written out."""

from __future__ import annotations

import numpy as np
import pytest

from peerscope.retrieval import Interaction, Tokenizer, train
from peerscope.retrieval.front import Front
from peerscope.retrieval.learn.config import best
from peerscope.retrieval.lsa import fit_bag
from peerscope.retrieval.towers import item_text

torch = pytest.importorskip("torch", reason="the extra `learn` is not installed")

from peerscope.retrieval.learn.model import Model  # noqa: E402
from peerscope.retrieval.learn.momentum import Target  # noqa: E402
from peerscope.retrieval.learn.objective import objective  # noqa: E402


@pytest.fixture
def model(items) -> Model:
    texts = [item_text(item) for item in items]
    tokenizer = Tokenizer()
    front = Front(tokenizer, fit_bag(texts, tokenizer, width=16))
    return Model(front, best(hidden=(8,), history="none", dropout=0.0), {}, {"venue": ["a", "b"]})


def test_a_target_is_the_exponential_mean_of_the_weights(model) -> None:
    target = Target(model, 0.75)
    expected = [part.detach().double().clone() for part in target.state()]
    names = [n for n, _ in model.named_parameters() if n.startswith(("heads.", "item."))]
    assert len(names) == len(expected)
    online = [dict(model.named_parameters())[name] for name in names]
    generator = torch.Generator().manual_seed(0)
    for _ in range(5):
        with torch.no_grad():
            for part in online:
                part.add_(torch.randn(part.shape, generator=generator))
        expected = [
            0.75 * a + 0.25 * b.detach().double() for a, b in zip(expected, online, strict=True)
        ]
        target.follow()
    for kept, wanted in zip(target.state(), expected, strict=True):
        assert kept.detach().numpy() == pytest.approx(wanted.numpy(), abs=1e-5)


def test_a_target_shares_what_lies_in_front_and_learns_nothing(model) -> None:
    target = Target(model, 0.9)
    assert target.model.fields["venue"] is model.fields["venue"]
    assert not any(part.requires_grad for part in target.state())
    assert all(part.requires_grad for part in model.parameters())
    inputs = torch.randn(4, 16)
    fields = [torch.zeros(4, 16)]
    same = target.model.item_vectors(inputs, fields)
    assert torch.equal(same, model.item_vectors(inputs, fields))


@pytest.mark.parametrize("heads", [1, 3])
def test_each_direction_is_scored_against_the_other_sides_target(heads) -> None:
    """Against softmaxes written out over cosines, in float64."""
    generator = torch.Generator().manual_seed(1)

    def unit(*shape: int) -> torch.Tensor:
        made = torch.randn(*shape, generator=generator, dtype=torch.float64)
        return torch.nn.functional.normalize(made, dim=-1)

    n, c, d = 5, 8, 6
    asked, answers = unit(n, heads, d).requires_grad_(), unit(c, d).requires_grad_()
    old_asked, old_answers = unit(n, heads, d), unit(c, d)
    excluded = torch.zeros(n, c, dtype=torch.bool)
    excluded[:, :n] = torch.eye(n, dtype=torch.bool)
    excluded[0, 3] = True  # item 3 is an answer to query 0 as well
    settings = best(heads=heads, temperature=0.2, beta=0.3)
    loss = objective(
        asked, answers, settings, log_expected=None, excluded=excluded,
        target=(old_asked, old_answers),
    )  # fmt: skip

    def score(query: torch.Tensor, item: torch.Tensor) -> torch.Tensor:
        each = query @ item
        return ((each / 0.3).softmax(0) * each).sum() if heads > 1 else each[0]

    terms = []
    for i in range(n):
        forth = [score(asked[i], old_answers[j]) / 0.2 for j in range(c)
                 if j == i or not excluded[i, j]]  # fmt: skip
        own = score(asked[i], old_answers[i]) / 0.2
        terms.append(torch.stack(forth).logsumexp(0) - own)
        back = [score(old_asked[j], answers[i]) / 0.2 for j in range(n)
                if j == i or not excluded[j, i]]  # fmt: skip
        own = score(old_asked[i], answers[i]) / 0.2
        terms.append(torch.stack(back).logsumexp(0) - own)
    wanted = torch.stack(terms).sum() / (2 * n)
    assert loss.item() == pytest.approx(wanted.item(), rel=1e-12)
    mine = torch.autograd.grad(loss, [asked, answers])
    theirs = torch.autograd.grad(wanted, [asked, answers])
    for one, other in zip(mine, theirs, strict=True):
        assert one.numpy() == pytest.approx(other.numpy(), abs=1e-12)


def test_towers_train_with_a_target(items) -> None:
    pairs = [Interaction(items[n].title, items[(n + 1) % 240].id, kind="cites") for n in range(240)]
    settings = {"epochs": 2, "hidden": (16,), "batch": 64, "threads": 1, "history": "none"}
    found = [train(items, pairs, best(**settings, momentum=m)) for m in (0.0, 0.9)]
    losses = [[one["loss"] for one in result.figures["passes"]] for result in found]
    assert np.isfinite(losses).all()
    assert losses[1][1] < losses[1][0]
    assert losses[0] != losses[1]
