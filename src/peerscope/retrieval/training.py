"""From a catalogue to towers: the closed-form start, then training where torch is installed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import orjson

from peerscope.retrieval.distil import distilled_bag
from peerscope.retrieval.encoder import Encoder
from peerscope.retrieval.examples import Judged, Pairs, judged_queries, training_pairs
from peerscope.retrieval.front import Front, leading_directions
from peerscope.retrieval.histories import Histories, frequent
from peerscope.retrieval.learn.config import TrainConfig
from peerscope.retrieval.lsa import fit_bag, random_bag
from peerscope.retrieval.schema import Interaction, Item, User
from peerscope.retrieval.text import Tokenizer, TokenizerSettings
from peerscope.retrieval.towers import History, Tower, TwoTowers, item_text

Progress = Callable[[str, int, int | None], None]

FEWEST_PAIRS = 500
"""Below this many pairs there is nothing to learn that would hold for other queries."""

MOST_ENCODED = 10_000
"""With a sentence encoder at most so many items give pairs of their own text, which is encoded for them."""

MANY_STEPS_RATE = 1e-4
"""Learning rate beside a sentence encoder above that size, unless one is given: with hundreds of steps a pass
the usual one undoes what the encoder knows (docs/benchmarks/encoder.md)."""

FEWEST_CARRIERS = 2
"""A category needs so many items (or users) to have an embedding of its own."""

NO_TORCH = (
    "PyTorch is not installed, so the towers stay at their closed-form start. "
    "`pip install 'peerscope[learn]'` installs it."
)


TAUGHT = (
    "The encoder's similarities stand as they were taught: there are no links to learn from, and pairs "
    "of the items' own texts would pull them away."
)
"""Titles and own texts as pairs took a tenth of nDCG@10 by vectors alone on CACM (docs/benchmarks)."""


@dataclass(slots=True)
class Trained:
    """Towers, what was done to get them, and a sentence about it."""

    towers: TwoTowers
    figures: dict[str, Any]
    note: str


def train(
    items: Sequence[Item],
    interactions: Sequence[Interaction],
    config: TrainConfig | None = None,
    *,
    users: Sequence[User] = (),
    tokenizer: Tokenizer | None = None,
    encoder: Encoder | None = None,
    warm: TwoTowers | None = None,
    checkpoints: Path | None = None,
    progress: Progress | None = None,
) -> Trained | None:
    """Fit the front to the catalogue and train both towers on its pairs.

    Args:
        items: The catalogue.
        interactions: Pairs of a query and the item chosen after it.
        config: Settings; the default ones, fitted to the size of the catalogue, if ``None``.
        users: Those with a profile or an earlier history.
        tokenizer: The site's tokenizer; a configuration with letter trigrams makes its own.
        encoder: A sentence encoder to stand beside the bag.
        warm: Towers in service: their front is kept and training starts from their weights.
        checkpoints: Folder for the checkpoint; a stopped run of the same data and settings goes on.
        progress: Told of the stage.

    Returns:
        The towers; ``None`` where no word occurs in two items and there is no encoder, so that there is
        nothing to fit.
    """
    config = config or sized(TrainConfig(), len(items), encoder)
    histories = Histories(users, interactions, (item.id for item in items))
    texts = [item.title if config.titles_only else item_text(item) for item in items]
    front = _kept_front(warm, encoder, config) or _front(
        texts, _tokenizer(tokenizer, config), encoder, config, progress
    )
    if not len(front.bag.vocabulary) and front.encoder is None:
        return None
    pairs, judged = _examples(items, texts, interactions, histories, config, front.encoder)
    figures: dict[str, Any] = {
        "items": len(items), "pairs": len(pairs), "features": len(front.bag.vocabulary),
        "width": front.width, "held_out": len(judged), "config": config.to_dict(),
        "encoder": None if front.encoder is None else front.encoder.fingerprint,
    }  # fmt: skip
    if front.bag.taught and not interactions:
        return Trained(closed_form(front, config), figures, TAUGHT)
    if len(pairs) < FEWEST_PAIRS and config.residual:
        note = f"{len(pairs)} pairs are too few to train on; the towers stay at their closed-form start."
        return Trained(closed_form(front, config), figures, note)
    if find_spec("torch") is None:
        return Trained(closed_form(front, config), figures, NO_TORCH)
    from peerscope.retrieval.learn.train import Trainer

    trainer = Trainer(
        front,
        pairs,
        judged,
        items,
        config,
        profile={name: histories.profile_values(name) for name in config.profile},
        fields={name: _values(items, name) for name in config.fields},
        warm=warm,
        progress=progress,
    )
    towers = trainer.run(checkpoints, _identity(items, interactions, users, config, front, warm))
    report = trainer.report
    figures |= {
        "start": report.start, "passes": report.epochs, "kept_pass": report.best,
        "warm": trainer.warm,
    }  # fmt: skip
    reached = max([report.start, *(epoch["ndcg@10"] for epoch in report.epochs)])
    note = (
        f"Trained on {len(pairs):,} pairs; pass {report.best} kept. By meaning alone, nDCG@10 on "
        f"{len(judged)} held-out queries went from {report.start:.3f} to {reached:.3f}."
    )
    return Trained(towers, figures, note)


def closed_form(front: Front, config: TrainConfig) -> TwoTowers:
    """Towers that leave a front's vectors as they are, and add a reader's history to a query's."""
    item = Tower.identity(front.width)
    if config.history == "none":
        return TwoTowers(front, (item,), item)
    query = Tower.identity(front.width, history=config.history_start)
    history = History(config.history, config.most_history, config.history_temperature)
    return TwoTowers(front, (query,), item, history)


def sized(config: TrainConfig, items: int, encoder: Encoder | None) -> TrainConfig:
    """Settings with the learning rate that suits the size of the catalogue, where nobody chose one."""
    if encoder is None or items <= MOST_ENCODED:
        return config
    return replace(config, learning_rate=MANY_STEPS_RATE)


def _tokenizer(given: Tokenizer | None, config: TrainConfig) -> Tokenizer:
    if given is not None:
        return given
    return Tokenizer(TokenizerSettings(trigrams=config.trigrams))


def _kept_front(
    warm: TwoTowers | None, encoder: Encoder | None, config: TrainConfig
) -> Front | None:
    """The front of the towers in service, if it is of the wanted make."""
    if warm is None or config.text in ("learned", "distilled"):
        return None
    before, now = (
        None if one is None else one.fingerprint for one in (warm.front.encoder, encoder)
    )
    return warm.front if before == now else None


def _front(
    texts: Sequence[str],
    tokenizer: Tokenizer,
    encoder: Encoder | None,
    config: TrainConfig,
    progress: Progress | None,
) -> Front:
    if config.text == "learned":
        width = config.width or config.dim or 64
        bag = random_bag(
            texts,
            tokenizer,
            width=width,
            buckets=config.buckets,
            seed=config.seed,
            progress=progress,
        )
        return Front(tokenizer, bag)
    if config.text == "distilled":
        if encoder is None:
            raise ValueError(
                "text=distilled needs a sentence encoder to learn from: none was given."
            )
        width = config.width or config.encoder_width
        return Front(
            tokenizer, distilled_bag(texts, tokenizer, encoder, width=width, progress=progress)
        )
    bag = fit_bag(texts, tokenizer, width=config.width, seed=config.seed, progress=progress)
    if encoder is None:
        return Front(tokenizer, bag)
    basis = leading_directions(encoder.encode(texts, progress), config.encoder_width)
    return Front(tokenizer, bag, encoder, config.share, basis)


def _examples(
    items: Sequence[Item],
    texts: Sequence[str],
    interactions: Sequence[Interaction],
    histories: Histories,
    config: TrainConfig,
    encoder: Encoder | None,
) -> tuple[Pairs, list[Judged]]:
    pairs = training_pairs(
        items,
        texts,
        interactions,
        config.seed,
        histories=histories,
        most_own=None if encoder is None else MOST_ENCODED,
    )
    judged = judged_queries(
        items, interactions, config.held_out, histories, titles=not config.titles_only
    )
    return pairs, judged


def _values(items: Iterable[Item], name: str) -> list[str]:
    counts = Counter(value for item in items for value in item.fields.get(name, ()))
    return frequent(counts, FEWEST_CARRIERS)


def _identity(
    items: Sequence[Item],
    interactions: Sequence[Interaction],
    users: Sequence[User],
    config: TrainConfig,
    front: Front,
    warm: TwoTowers | None,
) -> str:
    """A hash of everything that the result depends on."""
    found = blake2b(digest_size=16)
    encoder = None if front.encoder is None else front.encoder.fingerprint
    found.update(orjson.dumps([config.to_dict(), front.tokenizer.to_dict(), encoder]))
    for item in items:
        found.update(f"{item.id}\0{item.title}\0{item.text}\0".encode("utf-8", "replace"))
        if config.fields:
            found.update(orjson.dumps([item.fields.get(name, ()) for name in config.fields]))
    for one in interactions:
        stated = f"{one.query}\0{one.item_id}\0{one.user_id}\0{one.weight}\0{one.time}\0"
        found.update(stated.encode("utf-8", "replace"))
    for user in users:
        stated = f"{user.id}\0{sorted(user.profile.items())}\0{user.history}\0"
        found.update(stated.encode("utf-8", "replace"))
    if warm is not None and warm.item.linear is not None:
        found.update(warm.item.linear.tobytes())
    return found.hexdigest()
