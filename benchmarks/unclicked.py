"""The row that the paper calls DSSM: towers whose only negatives were shown for the query and not chosen.

Nobody logged what readers of these collections were shown, so a search stands in for the page they saw: the
first results of BM25 among the works that existed, less those that were cited, are "shown and not clicked".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from personal_data import Asking, Collection
from personal_measure import best
from personal_systems import Words

from peerscope.reproduce.protocols.dpsr_training import SHOWN, UnclickedOnly
from peerscope.retrieval import Interaction, Item, Tokenizer, Trained
from peerscope.retrieval.examples import Pairs, judged_queries, training_pairs
from peerscope.retrieval.front import Front
from peerscope.retrieval.histories import Histories
from peerscope.retrieval.learn.config import TrainConfig
from peerscope.retrieval.learn.lists import Lists
from peerscope.retrieval.lsa import random_bag
from peerscope.retrieval.text import TokenizerSettings
from peerscope.retrieval.towers import item_text


def shown_and_passed_over(
    collection: Collection, askings: Sequence[Asking]
) -> dict[str, list[int]]:
    """For each asking's text, the first results of BM25 that its work does not cite."""
    scorer = Words(collection.items).fitted(1.2, 0.75).scorer(askings)
    found = {}
    for row, one in enumerate(askings):
        scores = np.array(scorer(row, one)[: one.limit], np.float32)
        scores[[place for place in (one.own, *one.relevant) if place < one.limit]] = -np.inf
        found[one.text] = best(scores, SHOWN)
    return found


def train_unclicked(
    items: Sequence[Item],
    interactions: Sequence[Interaction],
    config: TrainConfig,
    shown: Mapping[str, Sequence[int]],
) -> Trained:
    """Towers of the ``paper`` kind whose only negatives are items shown for the query.

    Args:
        items: The catalogue.
        interactions: Pairs; those whose query had nothing shown are left out.
        config: Settings, with a learned table of term vectors and without history.
        shown: Places of the items that each query had shown and that were not chosen.
    """
    tokenizer = Tokenizer(TokenizerSettings(trigrams=config.trigrams))
    texts = [item.title if config.titles_only else item_text(item) for item in items]
    bag = random_bag(
        texts, tokenizer, width=config.width or 64, buckets=config.buckets, seed=config.seed
    )
    histories = Histories([], interactions, (item.id for item in items))
    pairs = training_pairs(items, texts, interactions, config.seed, histories=histories)
    pairs = _with_shown(pairs, shown)
    judged = judged_queries(items, interactions, config.held_out, histories, titles=False)
    trainer = UnclickedOnly(Front(tokenizer, bag), pairs, judged, items, config)
    trainer.shown = Lists.of([shown.get(pairs.queries[text], ()) for text in pairs.asked])
    towers = trainer.run()
    report = trainer.report
    note = (
        f"Trained on {len(pairs):,} pairs with unclicked negatives only; pass {report.best} kept."
    )
    return Trained(towers, {"passes": report.epochs, "start": report.start}, note)


def _with_shown(pairs: Pairs, shown: Mapping[str, Sequence[int]]) -> Pairs:
    """Only pairs whose query had a page shown: what was made of the items alone has no such page."""
    kept = np.asarray([bool(shown.get(pairs.queries[text])) for text in pairs.asked[pairs.query]])
    columns = ("query", "text", "item", "weight")
    return replace(pairs, **{name: getattr(pairs, name)[kept] for name in columns})
