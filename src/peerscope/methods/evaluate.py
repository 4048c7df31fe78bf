"""How good are features? Nearest neighbours and linear probes of a frozen encoder.

The neighbours vote with ``exp(cosine / temperature)`` (Wu et al. 2018; the temperature of 0.07 is theirs,
from memory; 20 neighbours are solo-learn's). The probe is multinomial logistic regression by L-BFGS, or ridge
regression on one-hot labels in closed form, on standardised features. Both are convex and without chance, so
a figure is a function of the features alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional


@torch.no_grad()
def features(
    encoder: Callable[[Tensor], Tensor],
    images: Tensor,
    prepare: Callable[[Tensor], Tensor] | None = None,
    *,
    batch: int = 512,
) -> Tensor:
    """Features of all images, in evaluation mode, in float32.

    Args:
        encoder: Gives features of a batch; a module goes back to the mode it was in.
        images: Shape ``[n, ...]``, on the encoder's device.
        prepare: Images as they lie in memory to what the encoder takes, such as `augment.normalised` with
            its recipe; ``None`` for nothing.
        batch: Images at a time.

    Returns:
        Shape ``[n, dim]``.
    """
    training = isinstance(encoder, nn.Module) and encoder.training
    if isinstance(encoder, nn.Module):
        encoder.eval()
    found = [
        encoder(part if prepare is None else prepare(part)).float()
        for part in torch.split(images, batch)
    ]
    if isinstance(encoder, nn.Module):
        encoder.train(training)
    return torch.cat(found)


def neighbour_votes(
    bank: Tensor,
    labels: Tensor,
    queries: Tensor,
    *,
    neighbours: int = 20,
    temperature: float = 0.07,
    classes: int | None = None,
    batch: int = 1024,
) -> Tensor:
    """Votes of the nearest features for each class, weighted by ``exp(cosine / temperature)``.

    Args:
        bank: Features with labels, shape ``[n, dim]``.
        labels: Their classes, int64, shape ``[n]``.
        queries: Features to classify, shape ``[m, dim]``.
        neighbours: How many vote.
        temperature: Above 0; infinity gives every neighbour one vote.
        classes: Number of classes; one more than the largest label if ``None``.
        batch: Queries at a time.

    Returns:
        Shape ``[m, classes]``; weights are relative to those of a cosine of 1.

    Raises:
        ValueError: Shapes do not fit, or a number is out of its bounds.
    """
    _checked(bank, labels)
    if not 1 <= neighbours <= len(bank):
        raise ValueError(f"neighbours is 1 to {len(bank)}, the size of the bank, not {neighbours}.")
    if not temperature > 0:
        raise ValueError(f"The temperature must be above 0, not {temperature}.")
    if queries.dim() != 2 or queries.shape[1] != bank.shape[1]:
        raise ValueError(
            f"Queries of {tuple(queries.shape)} do not fit a bank of {tuple(bank.shape)}."
        )
    number = int(labels.max()) + 1 if classes is None else classes
    unit = functional.normalize(bank.float(), dim=1)
    votes = []
    for part in torch.split(queries, batch):
        cosine = functional.normalize(part.float(), dim=1) @ unit.T
        nearest, places = cosine.topk(neighbours, dim=1)
        weights = ((nearest - 1) / temperature).exp()
        votes.append(weights.new_zeros(len(part), number).scatter_add_(1, labels[places], weights))
    return torch.cat(votes) if votes else unit.new_zeros(0, number)


def knn_accuracy(
    bank: Tensor,
    labels: Tensor,
    queries: Tensor,
    truth: Tensor,
    *,
    neighbours: int = 20,
    temperature: float = 0.07,
) -> float:
    """Share of the queries whose class has most votes, in [0, 1]; arguments as in `neighbour_votes`."""
    classes = int(torch.maximum(labels.max(), truth.max())) + 1
    votes = neighbour_votes(
        bank, labels, queries, neighbours=neighbours, temperature=temperature, classes=classes
    )
    return float((votes.argmax(dim=1) == truth).double().mean())


@dataclass(frozen=True, slots=True)
class Probe:
    """A linear classifier of standardised features.

    Attributes:
        mean: Taken off, shape ``[dim]``.
        scale: Then multiplied by, shape ``[dim]``; 0 where a feature never varies.
        weight: Shape ``[classes, dim]``.
        bias: Shape ``[classes]``.
    """

    mean: Tensor
    scale: Tensor
    weight: Tensor
    bias: Tensor

    def logits(self, given: Tensor) -> Tensor:
        """Scores of the classes, shape ``[n, dim]`` to ``[n, classes]``, in float64."""
        standard = (given.double() - self.mean) * self.scale
        return standard @ self.weight.T + self.bias

    def accuracy(self, given: Tensor, truth: Tensor) -> float:
        """Share of the features whose class has the highest score, in [0, 1]."""
        return float((self.logits(given).argmax(dim=1) == truth).double().mean())


def ridge_probe(
    given: Tensor, labels: Tensor, *, decay: float = 1e-3, classes: int | None = None
) -> Probe:
    """Least squares on one-hot labels with a penalty ``n decay |W|^2``, in closed form.

    Args:
        given: Features, shape ``[n, dim]``.
        labels: int64, shape ``[n]``.
        decay: Of the weights of standardised features, above 0; the bias is free.
        classes: As in `neighbour_votes`.

    Raises:
        ValueError: Shapes do not fit, or the penalty is not above 0.
    """
    standard, mean, scale = _standardised(given, labels, decay)
    number = int(labels.max()) + 1 if classes is None else classes
    wanted = functional.one_hot(labels, number).double()
    bias = wanted.mean(dim=0)
    gram = standard.T @ standard
    gram.diagonal().add_(len(standard) * decay)
    weight = torch.linalg.solve(gram, standard.T @ (wanted - bias))
    return Probe(mean, scale, weight.T, bias)


def logistic_probe(
    given: Tensor,
    labels: Tensor,
    *,
    decay: float = 1e-4,
    classes: int | None = None,
    iterations: int = 200,
) -> Probe:
    """Multinomial logistic regression: mean cross-entropy and ``decay / 2 |W|^2``, by L-BFGS from zero.

    Args:
        given: Features, shape ``[n, dim]``.
        labels: int64, shape ``[n]``.
        decay: Of the weights of standardised features, above 0; the bias is free.
        classes: As in `neighbour_votes`.
        iterations: At most so many.

    Raises:
        ValueError: Shapes do not fit, or the penalty is not above 0.
    """
    standard, mean, scale = _standardised(given, labels, decay)
    number = int(labels.max()) + 1 if classes is None else classes
    weight = standard.new_zeros(number, standard.shape[1], requires_grad=True)
    bias = standard.new_zeros(number, requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [weight, bias],
        max_iter=iterations,
        history_size=20,
        tolerance_grad=1e-7,
        tolerance_change=1e-12,
        line_search_fn="strong_wolfe",
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = functional.cross_entropy(functional.linear(standard, weight, bias), labels)
        loss = loss + decay / 2 * weight.square().sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    with torch.enable_grad():
        optimizer.step(closure)  # type: ignore[no-untyped-call]
    return Probe(mean, scale, weight.detach(), bias.detach())


def _standardised(given: Tensor, labels: Tensor, decay: float) -> tuple[Tensor, Tensor, Tensor]:
    """Features of mean 0 and deviation 1 in float64, and what made them so."""
    _checked(given, labels)
    if not decay > 0:
        raise ValueError(f"The penalty must be above 0, not {decay}.")
    wide = given.detach().double()
    mean, deviation = wide.mean(dim=0), wide.std(dim=0, correction=0)
    varies = deviation > 1e-9 * deviation.max().clamp(min=1e-300)
    scale = torch.where(varies, 1 / deviation.clamp(min=1e-300), 0.0)
    return (wide - mean) * scale, mean, scale


def _checked(given: Tensor, labels: Tensor) -> None:
    if given.dim() != 2 or labels.shape != given.shape[:1] or not len(given):
        raise ValueError(
            f"Features of {tuple(given.shape)} and labels of {tuple(labels.shape)} do not fit: features "
            "are [n, dim] with n of 1 or more, labels [n]."
        )
    if labels.is_floating_point() or int(labels.min()) < 0:
        raise ValueError("Labels are whole numbers from 0.")
    if not bool(given.isfinite().all()):
        raise ValueError("Some features are infinite or not numbers: the encoder diverged.")
