"""Towers as DPSR prints them, trained on a collection, and systems as scorers of its askings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from peerscope.reproduce.protocol import Trial
from peerscope.reproduce.protocols.dpsr_hepth import Asking, Collection, user_of
from peerscope.reproduce.protocols.dpsr_ranks import Scorer, leading
from peerscope.retrieval import Interaction, Item, Tokenizer, TwoTowers, item_vectors, train
from peerscope.retrieval.examples import judged_queries, training_pairs
from peerscope.retrieval.front import Front
from peerscope.retrieval.histories import Histories
from peerscope.retrieval.index import ItemIndex
from peerscope.retrieval.learn.config import TrainConfig, paper
from peerscope.retrieval.learn.data import meeting
from peerscope.retrieval.learn.lists import Lists
from peerscope.retrieval.learn.train import Trainer
from peerscope.retrieval.lsa import random_bag
from peerscope.retrieval.schema import FloatArray, IntArray, UserInput
from peerscope.retrieval.text import TokenizerSettings

SHOWN = 20
"""Results on the page that stands in for the one that a user was shown."""

UNCLICKED = 4
"""Negatives of a pair from that page."""


def settings(trial: Trial, **changes: Any) -> TrainConfig:
    """The configuration as printed, on one thread; ``passes`` and ``pairs`` of the profile say how long."""
    given: dict[str, Any] = {
        "history": "none", "epochs": int(trial["passes"]), "most_pairs": int(trial["pairs"]),
        "held_out": 200, "threads": 1, "seed": trial.seed,
    }  # fmt: skip
    return paper(**(given | changes))


class Words:
    """BM25 over titles, as this platform's index counts it.

    Args:
        items: The works.
    """

    def __init__(self, items: Sequence[Item]) -> None:
        titles = [Item(item.id, item.title) for item in items]
        self._index = ItemIndex(1, Tokenizer())
        self._index.upsert(titles, np.zeros((len(titles), 1), np.float32))
        self._row = {item.id: row for row, item in enumerate(items)}

    def scores(self, text: str) -> FloatArray:
        """Scores of all works, 0 where no word is shared."""
        hits = self._index.search_lexical(text, len(self._row))
        found = np.zeros(len(self._row), np.float32)
        found[[self._row[number] for number in hits.ids.tolist()]] = hits.scores
        return found

    def scorer(self) -> Scorer:
        """Scores of the works that an asking could find."""
        return lambda row, one: self.scores(one.text)[: one.limit]


class Vectors:
    """Trained towers over the whole collection.

    Args:
        towers: The towers.
        collection: Works, also those that came after training, and who asks.
        history: Whether users show what they had met.
        profile: Whether users show their profile.
    """

    def __init__(
        self,
        towers: TwoTowers,
        collection: Collection,
        *,
        history: bool = False,
        profile: bool = False,
    ) -> None:
        self.towers, self._history, self._profile = towers, history, profile
        self.items = item_vectors(towers, collection.items)

    def heads(self, askings: Sequence[Asking], texts: Sequence[str] | None = None) -> FloatArray:
        """Query vectors, shape ``[askings, heads, dim]``; other texts may take the queries' place."""
        users: list[UserInput | None] = []
        for one in askings:
            user = user_of(one, history=self._history, profile=self._profile)
            met = np.asarray(user.history[: self.towers.history.most], np.int64) - 1
            users.append(UserInput(self.items[met], user.profile))
        return self.towers.embed_queries(texts or [one.text for one in askings], users)

    def scorer(self, askings: Sequence[Asking], texts: Sequence[str] | None = None) -> Scorer:
        """Soft dot products with the works that an asking could find."""
        heads = self.heads(askings, texts)
        return lambda row, one: self.towers.score(heads[row], self.items[: one.limit])


def towers_of(
    trial: Trial,
    name: str,
    collection: Collection,
    config: TrainConfig,
    *,
    history: bool = False,
    profile: bool = False,
) -> TwoTowers:
    """Train on a collection's clicks; only titles are read, as in the paper."""
    result = train(
        collection.catalogue(),
        collection.clicks(),
        config,
        users=collection.users(history=history, profile=profile),
        progress=lambda stage, done, total: trial.progress(f"{name}: {stage}", done, total or 0),
    )
    if result is None:
        raise ValueError("No word occurs in two titles: there is nothing to train on.")
    trial.log(f"{name}: {result.note}")
    return result.towers


class UnclickedOnly(Trainer):
    """Training in which a pair's negatives are items that its query was shown, and nothing else.

    ``config.hard`` of them are drawn for each pair.
    """

    shown: Lists

    def _hard(self, drawn: IntArray, epoch: int, generator: np.random.Generator) -> IntArray:
        askings = self._data.query[drawn]
        places, sizes = self.shown.padded(askings, SHOWN)
        picked = generator.random((len(drawn), self.config.hard)) * np.maximum(sizes, 1)[:, None]
        return np.take_along_axis(places, picked.astype(np.int64), axis=1)

    def _excluded(
        self, chosen: IntArray, askings: IntArray, columns: IntArray
    ) -> NDArray[np.bool_]:
        return ~meeting(self.shown, askings, columns)


def passed_over(words: Words, collection: Collection) -> dict[str, list[int]]:
    """For each training query the first results of BM25 that it did not lead to.

    Nobody logged what readers were shown, so a search stands in for the page that they saw.
    """
    found = {}
    for one in collection.taught:
        first = leading(words.scores(one.text)[: one.limit], SHOWN + len(one.relevant), one.own)
        found[one.text] = [place for place in first.tolist() if place not in one.relevant][:SHOWN]
    return found


def unclicked_towers(
    items: Sequence[Item],
    clicks: Sequence[Interaction],
    config: TrainConfig,
    shown: Mapping[str, Sequence[int]],
) -> TwoTowers:
    """Towers whose only negatives are items that were shown for the query and not chosen.

    Args:
        items: The catalogue.
        clicks: Pairs; those whose query had nothing shown are left out.
        config: Settings, with a learned table of term vectors and without history.
        shown: Places of the items that each query had shown and that were not chosen.
    """
    tokenizer = Tokenizer(TokenizerSettings(trigrams=config.trigrams))
    titles = [item.title for item in items]
    width = config.width or 64
    bag = random_bag(titles, tokenizer, width=width, buckets=config.buckets, seed=config.seed)
    histories = Histories([], clicks, (item.id for item in items))
    pairs = training_pairs(items, titles, clicks, config.seed, histories=histories)
    kept = np.asarray([bool(shown.get(pairs.queries[text])) for text in pairs.asked[pairs.query]])
    columns = ("query", "text", "item", "weight")
    pairs = replace(pairs, **{name: getattr(pairs, name)[kept] for name in columns})
    judged = judged_queries(items, clicks, config.held_out, histories, titles=False)
    trainer = UnclickedOnly(Front(tokenizer, bag), pairs, judged, items, config)
    trainer.shown = Lists.of([shown.get(pairs.queries[text], ()) for text in pairs.asked])
    return trainer.run()
