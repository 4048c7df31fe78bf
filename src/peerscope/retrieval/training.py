"""From a catalogue to towers: the closed-form start, then training where torch is installed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import orjson

from peerscope.retrieval.embed import Tower, TwoTowers, item_text
from peerscope.retrieval.examples import judged_queries, training_pairs
from peerscope.retrieval.learn.config import TrainConfig
from peerscope.retrieval.lsa import fit_bag
from peerscope.retrieval.schema import Interaction, Item
from peerscope.retrieval.text import Tokenizer

Progress = Callable[[str, int, int | None], None]

FEWEST_PAIRS = 500
"""Below this many pairs there is nothing to learn that would hold for other queries."""

NO_TORCH = (
    "PyTorch is not installed, so the towers stay at their closed-form start. "
    "`pip install 'peerscope[learn]'` installs it."
)


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
    tokenizer: Tokenizer | None = None,
    checkpoints: Path | None = None,
    progress: Progress | None = None,
) -> Trained | None:
    """Fit the bag to the catalogue and train both towers on its pairs.

    Args:
        items: The catalogue.
        interactions: Pairs of a query and the item chosen after it.
        config: Settings.
        tokenizer: The site's tokenizer.
        checkpoints: Folder for the checkpoint; a stopped run of the same data and settings goes on.
        progress: Told of the stage.

    Returns:
        The towers; ``None`` where no word occurs in two items, so that there is nothing to fit.
    """
    config = config or TrainConfig()
    tokenizer = tokenizer or Tokenizer()
    texts = [item_text(item) for item in items]
    bag = fit_bag(texts, tokenizer, width=config.width, seed=config.seed, progress=progress)
    if not len(bag.vocabulary):
        return None
    pairs = training_pairs(items, texts, interactions, config.seed)
    judged = judged_queries(items, interactions, config.held_out)
    start = Tower.start(bag.width, config.hidden, config.seed)
    figures: dict[str, Any] = {
        "items": len(items), "pairs": len(pairs), "features": len(bag.vocabulary), "width": bag.width,
        "held_out": len(judged),
    }  # fmt: skip
    closed_form = TwoTowers(tokenizer, bag, start, start)
    if len(pairs) < FEWEST_PAIRS:
        note = f"{len(pairs)} pairs are too few to train on; the towers stay at their closed-form start."
        return Trained(closed_form, figures, note)
    if find_spec("torch") is None:
        return Trained(closed_form, figures, NO_TORCH)
    from peerscope.retrieval.learn.train import Trainer

    trainer = Trainer(bag, tokenizer, pairs, judged, [item.id for item in items], config, progress)
    towers = trainer.run(checkpoints, _identity(items, interactions, config, tokenizer))
    report = trainer.report
    figures |= {"start": report.start, "passes": report.epochs, "kept_pass": report.best}
    reached = max([report.start, *(epoch["ndcg@10"] for epoch in report.epochs)])
    note = (
        f"Trained on {len(pairs):,} pairs; pass {report.best} kept. By meaning alone, nDCG@10 on "
        f"{len(judged)} held-out queries went from {report.start:.3f} to {reached:.3f}."
    )
    return Trained(towers, figures, note)


def _identity(
    items: Sequence[Item],
    interactions: Sequence[Interaction],
    config: TrainConfig,
    tokenizer: Tokenizer,
) -> str:
    """A hash of everything that the result depends on."""
    found = blake2b(digest_size=16)
    found.update(orjson.dumps([config.to_dict(), tokenizer.to_dict()]))
    for item in items:
        found.update(f"{item.id}\0{item.title}\0{item.text}\0".encode("utf-8", "replace"))
    for given in interactions:
        found.update(f"{given.query}\0{given.item_id}\0{given.weight}\0".encode("utf-8", "replace"))
    return found.hexdigest()
