"""What training may be told: every quantity that the paper leaves open has a name here, and a reason.

`best()` is the default, `paper()` the configuration of DPSR (SIGIR 2020, section 6; where it is silent, the
attribute says so).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from types import NoneType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from pydantic import TypeAdapter, ValidationError

Loss = Literal["softmax", "hinge", "dual_temperature"]


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """Settings of one training run.

    Attributes:
        share: Weight of the sentence encoder's cosine beside the bag's, where there is an encoder. Half and
            half costs 2 % of nDCG@10 (Cranfield, CACM); 0.8 to 1 are alike.
        encoder_width: Length of the encoder's part; longer ones are projected on their leading directions.
        text: ``analysis`` fixes the table of term vectors to latent semantic analysis and learns how it is
            read; ``distilled`` fixes it to follow a sentence encoder, which then teaches only (no encoder at
            query time); ``learned`` learns the table from scratch, as in the paper.
        width: Length of a text's vector; ``None`` lets the catalogue's size decide (`lsa.width_for`). Paper:
            not stated apart from d.
        dim: Length d of the towers' vectors; ``None`` for ``width``. Paper: 64.
        hidden: Widths of the perceptrons' hidden layers. Paper: figure 3 draws three narrowing blocks, widths
            not stated.
        projection: Width of a head's projection in front of its perceptron, 0 for none. Paper: not stated.
        residual: Add a linear map that starts as the identity to each perceptron, so that training starts
            from the closed form. Needs ``dim`` equal to ``width``.
        last_relu: ReLU after the last layer too. Paper: figure 3 draws it so; all vectors then lie in one
            corner, so that it is off in both presets.
        heads: Heads K of the query tower. Paper: 1 and 2.
        beta: Temperature of the soft dot product. Paper: not stated.
        titles_only: The item tower reads titles only, as in the paper, not texts too.
        trigrams: The tokenizer gives letter trigrams too (paper, section 6.1.3).
        buckets: Rows that unknown features share by their hash (``learned`` only). Paper: not stated.
        history: ``none``, ``mean`` (paper) or ``attention``; an item met before counts by its vector, so
            that items which arrive later count too. Paper: what an event is, is not stated.
        most_history: Items of a history that are looked at, the newest. Paper: not stated.
        history_temperature: Of the attention's softmax.
        history_start: How much of the history's vector a residual head adds to the text's at the start.
        history_dropout: Share of the pairs that are trained without their history, so that a query by nobody
            in particular stays good.
        profile: Profile fields that the query tower reads.
        fields: Categorical item fields that the item tower reads.
        category_width: Length of a categorical embedding. Paper: not stated.
        loss: ``softmax`` (sampled, equation 4 of van den Oord et al. 2018), ``hinge`` (paper, equation 2) or
            ``dual_temperature`` (Zhang et al. 2022).
        margin: Of the hinge, in cosines. Paper: 0.1.
        temperature: Of the softmax. 0.07, the usual value for unit vectors.
        outer_temperature: The second temperature of ``dual_temperature``.
        log_q: Correct the softmax for how often an item is drawn (Yi et al. 2019).
        mask_known: Other items that the same query led to are no negatives.
        mask_above: Candidates that score higher than the positive by more than this (a cosine) are no
            negatives either; ``None`` masks none.
        hard: Hard negatives of each pair, drawn from the ranks `hard_ranks` of the towers' own results.
        hard_ranks: First and last rank (from 0) of the results that they are drawn from.
        hard_after: Passes before the first hard negatives.
        matryoshka: Shorter lengths at which the loss is taken too, so that vectors may be cut to them.
        batch: Pairs in a step. Paper: 64.
        alpha: Share of uniformly drawn negatives, shared by the batch (section 4.4); all others of the batch
            are the rest. At 1 the batch gives none. Paper: 0.5 or 0.75; how the number of drawn ones
            follows from it is not stated: here (batch - 1) alpha / (1 - alpha).
        dropout: Share of the inputs' entries that are zeroed in training.
        momentum: Rate at which targets of both towers follow them, 0 for none: each direction, query to item
            and item to query, is then scored against the other side's target, which has no gradient (Pham
            et al. 2022 on the projector alone: the front is not averaged).
        optimizer: ``adamw`` or ``adagrad`` (paper).
        learning_rate: Paper: 0.01.
        weight_decay: Of AdamW.
        separation: Weight of two terms for several heads: the mean squared cosine between the heads of a
            query (keeps them apart), and log K less the entropy of their mean share in the score of the
            positives (keeps them used).
        epochs: Passes over the pairs at most; the best on queries kept aside stands, the start included.
        most_pairs: Pairs of one pass at most, drawn anew for each; bounds the time of a pass.
        held_out: Queries kept from training to judge by, at most.
        patience: Passes without a better result after which training stops.
        threads: Threads of torch; two cores train well, servers and tests set one.
        seed: Seed of everything drawn.
    """

    text: Literal["analysis", "distilled", "learned"] = "analysis"
    share: float = 0.9
    encoder_width: int = 256
    width: int | None = None
    dim: int | None = None
    hidden: tuple[int, ...] = (512,)
    projection: int = 0
    residual: bool = True
    last_relu: bool = False
    heads: int = 1
    beta: float = 0.1
    titles_only: bool = False
    trigrams: bool = False
    buckets: int = 0
    history: Literal["none", "mean", "attention"] = "attention"
    most_history: int = 30
    history_temperature: float = 0.1
    history_start: float = 0.5
    history_dropout: float = 0.2
    profile: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    category_width: int = 16
    loss: Loss = "softmax"
    margin: float = 0.1
    temperature: float = 0.07
    outer_temperature: float = 1.0
    log_q: bool = True
    mask_known: bool = True
    mask_above: float | None = None
    hard: int = 0
    hard_ranks: tuple[int, int] = (30, 100)
    hard_after: int = 2
    matryoshka: tuple[int, ...] = ()
    batch: int = 1024
    alpha: float = 1 / 3
    dropout: float = 0.1
    momentum: float = 0.0
    optimizer: Literal["adamw", "adagrad"] = "adamw"
    learning_rate: float = 1e-3
    weight_decay: float = 0.01
    separation: float = 0.0
    epochs: int = 8
    most_pairs: int = 400_000
    held_out: int = 400
    patience: int = 2
    threads: int = 2
    seed: int = 0

    def __post_init__(self) -> None:
        for name in (
            "beta",
            "temperature",
            "outer_temperature",
            "history_temperature",
            "learning_rate",
        ):
            _demand(getattr(self, name) > 0, f"{name} must be above 0, not {getattr(self, name)}.")
        for name in ("alpha", "share", "dropout", "history_dropout"):
            value = getattr(self, name)
            _demand(0 <= value <= 1, f"{name} must lie from 0 to 1, not at {value}.")
        for name in ("batch", "heads", "threads", "category_width"):
            _demand(
                getattr(self, name) >= 1, f"{name} must be 1 or more, not {getattr(self, name)}."
            )
        _demand(
            not self.residual or (not self.projection and self.dim is None),
            "A residual tower has no projection, and vectors as long as its text's: leave dim out.",
        )
        _demand(
            self.residual or self.dim is not None,
            "A tower that is not residual needs dim, the length of its vectors.",
        )
        _demand(
            self.history != "attention" or self.residual,
            "Attention compares items with the query's text, which a residual tower leaves comparable: "
            "choose mean.",
        )
        _demand(
            0 <= self.momentum < 1, f"momentum must lie from 0 to below 1, not {self.momentum}."
        )
        low, high = self.hard_ranks
        _demand(0 <= low < high, f"hard_ranks must grow from 0 or more, not {self.hard_ranks}.")

    @property
    def random_negatives(self) -> int:
        """How many items are drawn uniformly for each step."""
        others = max(self.batch - 1, 1)
        return round(others * self.alpha / (1 - self.alpha)) if self.alpha < 1 else 4 * others

    def to_dict(self) -> dict[str, Any]:
        """The settings for a manifest and for a checkpoint's identity."""
        return asdict(self)


def best(**changes: Any) -> TrainConfig:
    """What the field learned since, as far as it helped here (docs/benchmarks/retrieval.md)."""
    return TrainConfig(**changes)


def paper(**changes: Any) -> TrainConfig:
    """DPSR as printed; see `TrainConfig` for what the paper leaves open."""
    settings: dict[str, Any] = {
        "text": "learned", "width": 64, "dim": 64, "hidden": (256, 128), "projection": 128,
        "residual": False, "titles_only": True, "trigrams": True, "buckets": 4096, "history": "mean",
        "loss": "hinge", "log_q": False, "mask_known": False, "batch": 64, "alpha": 0.5, "dropout": 0.0,
        "history_dropout": 0.0, "optimizer": "adagrad", "learning_rate": 0.01,
    }  # fmt: skip
    return TrainConfig(**(settings | changes))


PRESETS: dict[str, Callable[..., TrainConfig]] = {"best": best, "paper": paper}


def configured(preset: str, changes: Sequence[str] = ()) -> TrainConfig:
    """A preset with changes as a command line gives them, ``name=value`` each.

    Raises:
        ValueError: There is no such preset or setting, or the value is not of its kind.
    """
    if preset not in PRESETS:
        raise ValueError(f"There is no configuration {preset!r}; there are {', '.join(PRESETS)}.")
    kinds = get_type_hints(TrainConfig)
    given: dict[str, Any] = {}
    for change in changes:
        name, _, value = change.partition("=")
        if name not in kinds:
            raise ValueError(f"There is no setting {name!r}; there are {', '.join(sorted(kinds))}.")
        try:
            given[name] = TypeAdapter(kinds[name]).validate_python(_listed(kinds[name], value))
        except ValidationError as error:
            reason = error.errors()[0]["msg"]
            raise ValueError(f"{name}={value}: {reason}.") from error
    return PRESETS[preset](**given)


def _listed(kind: Any, value: str) -> Any:
    """``a,b`` as a list where a tuple is wanted; ``none`` as no value where there may be none."""
    if get_origin(kind) is tuple:
        return [part for part in value.split(",") if part]
    if value == "none" and NoneType in get_args(kind):
        return None
    return value


def _demand(holds: bool, sentence: str) -> None:
    if not holds:
        raise ValueError(sentence)
