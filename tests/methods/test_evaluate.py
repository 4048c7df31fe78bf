"""Neighbours and probes against loops, least squares and the conditions of an optimum, in NumPy."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from torch import Tensor, nn

from peerscope.methods.evaluate import (
    features,
    knn_accuracy,
    logistic_probe,
    neighbour_votes,
    ridge_probe,
)

RANDOM = np.random.default_rng(0)


def clouds(
    number: int, dim: int = 6, classes: int = 4, spread: float = 1.5
) -> tuple[Tensor, Tensor]:
    labels = RANDOM.integers(0, classes, number)
    labels[:classes] = np.arange(classes)
    centres = np.random.default_rng(1).normal(size=(classes, dim))
    points = centres[labels] + spread * RANDOM.normal(size=(number, dim))
    return torch.from_numpy(points.astype(np.float32)), torch.from_numpy(labels)


def votes_by_hand(
    bank: Any, labels: Any, queries: Any, k: int, temperature: float, classes: int
) -> Any:
    found = np.zeros((len(queries), classes))
    for row, query in enumerate(queries):
        cosines = [float(query @ one / np.linalg.norm(query) / np.linalg.norm(one)) for one in bank]
        for place in sorted(range(len(bank)), key=lambda place: -cosines[place])[:k]:
            found[row, labels[place]] += math.exp((cosines[place] - 1) / temperature)
    return found


@pytest.mark.parametrize(
    ("neighbours", "temperature"), [(1, 0.07), (5, 0.07), (20, 0.5), (50, math.inf)]
)
@pytest.mark.parametrize("batch", [7, 1000])
def test_votes_are_those_of_a_loop_over_all_pairs(
    neighbours: int, temperature: float, batch: int
) -> None:
    bank, labels = clouds(50)
    queries, _ = clouds(20)
    made = neighbour_votes(
        bank, labels, queries, neighbours=neighbours, temperature=temperature, batch=batch
    )
    expected = votes_by_hand(
        bank.double().numpy(), labels.numpy(), queries.double().numpy(), neighbours, temperature, 4
    )
    np.testing.assert_allclose(made.numpy(), expected, rtol=2e-4, atol=1e-7)


def test_accuracy_counts_the_class_of_most_votes() -> None:
    bank, labels = clouds(60)
    queries, truth = clouds(30)
    expected = votes_by_hand(bank.numpy(), labels.numpy(), queries.numpy(), 5, 0.07, 4).argmax(1)
    made = knn_accuracy(bank, labels, queries, truth, neighbours=5)
    assert made == pytest.approx(float((expected == truth.numpy()).mean()))
    assert 0.3 < made < 1


def test_a_query_in_the_bank_finds_itself_however_long_it_is() -> None:
    bank, labels = clouds(40)
    assert knn_accuracy(bank, labels, 1000 * bank, labels, neighbours=1) == 1.0


def test_the_ridge_probe_solves_the_least_squares_problem() -> None:
    given, labels = clouds(80)
    given[:, 2] = 3.0
    probe = ridge_probe(given, labels, decay=0.01)
    varying = np.delete(given.double().numpy(), 2, axis=1)
    standard = (varying - varying.mean(0)) / varying.std(0)
    # A free bias as a column of ones; the penalty as rows of data that ask for zero.
    inputs = np.block([[standard, np.ones((80, 1))], [np.sqrt(0.8) * np.eye(5), np.zeros((5, 1))]])
    wanted = np.concatenate([np.eye(4)[labels.numpy()], np.zeros((5, 4))])
    solved = np.linalg.lstsq(inputs, wanted, rcond=None)[0]
    np.testing.assert_allclose(np.delete(probe.weight.numpy(), 2, axis=1), solved[:5].T, atol=1e-9)
    np.testing.assert_allclose(probe.bias.numpy(), solved[5], atol=1e-9)
    np.testing.assert_allclose(probe.logits(given).numpy(), inputs[:80] @ solved, atol=1e-9)


def test_the_logistic_probe_is_at_the_optimum_that_scipy_finds() -> None:
    given, labels = clouds(80)
    probe = logistic_probe(given, labels, decay=0.02)
    points = given.double().numpy()
    standard = (points - points.mean(0)) / points.std(0)

    def objective(flat: Any) -> float:
        weight, bias = flat[:24].reshape(4, 6), flat[24:]
        logits = standard @ weight.T + bias
        logits -= logits.max(1, keepdims=True)
        chosen = logits[np.arange(80), labels.numpy()] - np.log(np.exp(logits).sum(1))
        return float(-chosen.mean() + 0.01 * (weight**2).sum())

    found = minimize(objective, np.zeros(28), method="BFGS", options={"gtol": 1e-7})
    own = np.concatenate([probe.weight.numpy().ravel(), probe.bias.numpy()])
    assert objective(own) <= found.fun + 1e-8
    np.testing.assert_allclose(probe.weight.numpy(), found.x[:24].reshape(4, 6), atol=1e-3)
    expected = (standard @ found.x[:24].reshape(4, 6).T + found.x[24:]).argmax(1)
    assert probe.accuracy(given, labels) == pytest.approx(
        float((expected == labels.numpy()).mean())
    )


def test_probes_are_functions_of_the_features() -> None:
    given, labels = clouds(60)
    torch.manual_seed(1)
    first = logistic_probe(given, labels)
    torch.manual_seed(2)
    assert torch.equal(first.weight, logistic_probe(given, labels).weight)


def test_features_are_those_of_evaluation_and_the_mode_comes_back() -> None:
    torch.manual_seed(0)
    encoder = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.5))
    images = torch.randint(0, 256, (10, 4), dtype=torch.uint8)
    encoder.train()
    made = features(encoder, images, lambda part: part / 255, batch=3)
    assert encoder.training
    assert not made.requires_grad
    encoder.eval()
    torch.testing.assert_close(made, encoder(images / 255))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"neighbours": 0}, "neighbours"),
        ({"neighbours": 41}, "size of the bank"),
        ({"temperature": 0.0}, "temperature"),
        ({"queries": torch.zeros(3, 5)}, "do not fit a bank"),
        ({"labels": torch.zeros(39, dtype=torch.int64)}, "do not fit"),
        ({"labels": torch.zeros(40)}, "whole numbers"),
        ({"bank": torch.full((40, 6), float("nan"))}, "diverged"),
    ],
)
def test_what_cannot_be_evaluated_is_refused(change: dict[str, Any], message: str) -> None:
    bank, labels = clouds(40)
    with pytest.raises(ValueError, match=message):
        neighbour_votes(**{"bank": bank, "labels": labels, "queries": bank, **change})
    for probe in (ridge_probe, logistic_probe):
        with pytest.raises(ValueError, match="penalty"):
            probe(bank, labels, decay=0.0)
