"""How well attacks made on some models fool others: one table over sources, attacks, losses and targets."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Protocol

import torch
from torch import Tensor

from peerscope.methods.attacks.losses import LOSSES, Loss, named
from peerscope.methods.attacks.metrics import interest_class_rank, topk_success
from peerscope.methods.attacks.models import Model, checked_logits, evaluating

JUDGED = ("correct", "source", "all")


class Attack(Protocol):
    """What the table asks of an attack; `LinfAttack` is one."""

    targeted: bool

    def __call__(
        self, images: Tensor, labels: Tensor, generator: torch.Generator | None = None
    ) -> Tensor:
        """The attacked images."""
        ...


AttackMaker = Callable[[Model, str | Loss], Attack]
"""Makes an attack from a model and a loss: ``functools.partial(LinfAttack, eps=8 / 255, steps=10)``."""


@dataclass(frozen=True, slots=True)
class TransferRow:
    """One cell: attacks made on ``source``, judged on ``target``.

    Attributes:
        source: Name of the attacked model.
        attack: Name of the attack.
        loss: Full name of the loss.
        target: Name of the judging model.
        white_box: Whether source and target are the same model.
        images: Number of images judged.
        clean_accuracy: Share of all images, judged or not, that the target gets right unattacked.
        ranks: Rank of the class of interest at the target, from 1, int64, shape ``[images]``, on the CPU.
        success: `topk_success` by k.
    """

    source: str
    attack: str
    loss: str
    target: str
    white_box: bool
    images: int
    clean_accuracy: float
    ranks: Tensor
    success: Mapping[int, float]

    @property
    def mean_rank(self) -> float:
        """Mean rank of the class of interest."""
        return float(self.ranks.double().mean())

    @property
    def median_rank(self) -> float:
        """Median rank of the class of interest."""
        return float(self.ranks.double().quantile(0.5))


@dataclass(frozen=True, slots=True)
class TransferTable:
    """All cells, in the order sources, attacks, losses, targets."""

    rows: tuple[TransferRow, ...]

    def cell(self, source: str, attack: str, loss: str, target: str) -> TransferRow:
        """One cell by its four names; a short name of a loss will do.

        Raises:
            ValueError: There is no such cell.
        """
        wanted = (source, attack, named(loss)[0] if loss in LOSSES else loss, target)
        for row in self.rows:
            if (row.source, row.attack, row.loss, row.target) == wanted:
                return row
        raise ValueError(f"The table has no cell {wanted}.")

    def markdown(self) -> str:
        """The table as Markdown; * marks the source itself."""
        ks = list(self.rows[0].success) if self.rows else []
        heads = ["source", "attack", "loss", "target", "images", "clean", "mean rank", "median"]
        lines = ["| " + " | ".join([*heads, *(f"top-{k}" for k in ks)]) + " |"]
        lines.append("|" + " --- |" * (len(heads) + len(ks)))
        for row in self.rows:
            cells = [row.source, row.attack, row.loss, row.target + "*" * row.white_box]
            cells += [f"{row.images}", f"{row.clean_accuracy:.3f}"]
            cells += [f"{row.mean_rank:.2f}", f"{row.median_rank:g}"]
            cells += [f"{row.success[k]:.3f}" for k in ks]
            lines.append("| " + " | ".join(cells) + " |")
        return "\n".join(lines)


def evaluate_transfer(
    sources: Mapping[str, Model],
    targets: Mapping[str, Model],
    attacks: Mapping[str, AttackMaker],
    losses: Sequence[str | Loss],
    images: Tensor,
    labels: Tensor,
    *,
    goals: Tensor | None = None,
    judged: str = "correct",
    ks: Sequence[int] = (1, 5, 10, 50, 100),
    batch_size: int = 256,
    seed: int = 0,
) -> TransferTable:
    """Attack each source with each attack and loss, and rank the class of interest at each target.

    Every cell draws from the same seed, so losses are compared on the same random starts and diversity.

    Args:
        sources: Models to attack, by name.
        targets: Models that judge, by name; a source among them gives its white-box row.
        attacks: Makers of attacks, by name; all targeted if ``goals`` are given, else none.
        losses: Names or functions.
        images: Within the attacks' bounds, shape ``[N, C, H, W]``, on the models' device.
        labels: True classes, int64, shape ``[N]``.
        goals: Targets of targeted attacks, shape ``[N]``, each different from the true class.
        judged: Which images count: ``correct``, those that the source and every target get right
            unattacked; ``source``, those that the source gets right; ``all``.
        ks: The k of top-k success; those of K and above are left out.
        batch_size: Images at once. A model whose evaluation depends on its batch gives other tables for
            other sizes.
        seed: Seed of each cell.

    Raises:
        ValueError: Attacks and goals do not fit together, a goal is the true class, ``judged`` is unknown,
            or no image is left to judge.
    """
    if judged not in JUDGED:
        raise ValueError(f"Judged images are one of {', '.join(JUDGED)}, not {judged!r}.")
    if goals is not None and bool((goals == labels).any()):
        raise ValueError("A goal is the image's true class: there is nothing to reach.")
    interest = labels if goals is None else goals
    right, classes = _right({**sources, **targets}, images, labels, batch_size)
    rows = []
    for source, model in sources.items():
        kept = _kept(judged, right[source], [right[name] for name in targets])
        if not bool(kept.any()):
            raise ValueError(
                f"No image is left to judge for source {source!r}: the models get none right; "
                'train them further, or pass judged="all".'
            )
        picked, aims = images[kept], interest[kept]
        for (attack_name, make), loss in product(attacks.items(), losses):
            attack = make(model, loss)
            if attack.targeted != (goals is not None):
                raise ValueError(
                    f"Attack {attack_name!r} and the goals do not fit: targeted attacks need goals, "
                    "others take none."
                )
            generator = torch.Generator().manual_seed(seed)
            attacked = torch.cat(
                [attack(*batch, generator) for batch in _batches(picked, aims, batch_size)]
            )
            for target, judge in targets.items():
                ranks = _ranks(judge, attacked, aims, batch_size)
                accuracy = float(right[target].double().mean())
                success = {
                    k: topk_success(ranks, k, targeted=attack.targeted) for k in ks if k < classes
                }
                names = source, attack_name, named(loss)[0], target
                rows.append(
                    TransferRow(*names, judge is model, len(ranks), accuracy, ranks, success)
                )
    return TransferTable(tuple(rows))


def _batches(images: Tensor, labels: Tensor, size: int) -> Iterator[tuple[Tensor, Tensor]]:
    for start in range(0, len(images), size):
        yield images[start : start + size], labels[start : start + size]


def _right(
    models: Mapping[str, Model], images: Tensor, labels: Tensor, size: int
) -> tuple[dict[str, Tensor], int]:
    """Which images each model gets right, and the number of classes."""
    found, classes = {}, 0
    for name, model in models.items():
        with torch.no_grad(), evaluating(model):
            logits = torch.cat(
                [
                    checked_logits(model(batch), truth)
                    for batch, truth in _batches(images, labels, size)
                ]
            )
        found[name], classes = logits.argmax(dim=1) == labels, logits.shape[1]
    return found, classes


def _kept(judged: str, source: Tensor, targets: Sequence[Tensor]) -> Tensor:
    if judged == "all":
        return torch.ones_like(source)
    return torch.stack([source, *(targets if judged == "correct" else ())]).all(dim=0)


def _ranks(model: Model, images: Tensor, interest: Tensor, size: int) -> Tensor:
    with torch.no_grad(), evaluating(model):
        parts = [
            interest_class_rank(checked_logits(model(batch), aims), aims)
            for batch, aims in _batches(images, interest, size)
        ]
    return torch.cat(parts).cpu()
