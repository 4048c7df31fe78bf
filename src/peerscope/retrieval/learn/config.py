"""What training may be told; every default says why."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """Settings of one training run.

    Attributes:
        width: Length of the vectors; ``None`` lets the catalogue's size decide (`lsa.width_for`).
        hidden: Width of each tower's perceptron. 512 learns the citations of 97,000 works in three
            passes; wider ones gained nothing there.
        epochs: Passes over the pairs at most; the best one on held-out queries is kept, the closed-form
            start included, so that training never makes the site worse on what it can measure.
        batch: Pairs in a step. With in-batch negatives more pairs are more negatives; 1,024 by 1,024
            scores still take milliseconds.
        random_negatives: Items drawn uniformly and shared by the whole batch (DPSR section 4.4.1). Half of
            the batch: the paper recommends a random share of 0.5 or 0.75.
        temperature: Of the softmax. 0.07, the usual value for unit vectors; 0.05 was no better.
        log_q: Correct for how often an item is drawn (Yi et al. 2019): without it popular items are
            pushed away and recall on held-out citations falls by half.
        dropout: Share of the pooled vector's entries that are zeroed in training.
        learning_rate: Of AdamW.
        weight_decay: Of AdamW.
        most_pairs: Pairs of one pass at most, drawn anew for each; bounds the time of a pass.
        held_out: Queries kept from training to judge by, at most.
        patience: Passes without a better result after which training stops.
        threads: Threads of torch; two cores train well, servers and tests set one.
        seed: Seed of everything drawn.
    """

    width: int | None = None
    hidden: int = 512
    epochs: int = 8
    batch: int = 1024
    random_negatives: int = 512
    temperature: float = 0.07
    log_q: bool = True
    dropout: float = 0.1
    learning_rate: float = 1e-3
    weight_decay: float = 0.01
    most_pairs: int = 400_000
    held_out: int = 400
    patience: int = 2
    threads: int = 2
    seed: int = 0

    def to_dict(self) -> dict[str, Any]:
        """The settings for a manifest and for a checkpoint's identity."""
        return asdict(self)
