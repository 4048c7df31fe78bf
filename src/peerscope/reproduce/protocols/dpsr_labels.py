"""What labels of products say of DPSR and BM25: areas under the curve, and labels of the first ten."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from peerscope.reproduce.harness import main
from peerscope.reproduce.papers.dpsr import PAPER
from peerscope.reproduce.protocol import Trial
from peerscope.reproduce.protocols.common import prepared
from peerscope.reproduce.protocols.dpsr_shop import FIELDS, Shop, esci
from peerscope.reproduce.protocols.dpsr_training import (
    UNCLICKED,
    Words,
    settings,
    unclicked_towers,
)
from peerscope.retrieval import Interaction, TwoTowers, train
from peerscope.retrieval.schema import FloatArray

KINDS = {"bad": "I", "fair": "SC", "perfect": "E"}
FIRST = 10
ALL: dict[str, Any] = {"fields": FIELDS, "held_out": 0}
"""No query is kept aside: of seventy-five too few would be, and chance would choose an untrained pass."""

ALPHAS = (0.0, 1.0)
Scores = Mapping[str, FloatArray]


def run(trial: Trial) -> None:
    """Teach with one half of the queries, judge the other, both ways; BM25 beside the towers."""
    prepared(trial)
    shop = esci(trial)
    words = Words(shop.items)
    found: dict[str, Scores] = {
        "bm25": {query: words.scores(text) for query, text in shop.queries.items()}
    }
    for arm in ("plain", "unclicked", *(f"alpha/{alpha:g}" for alpha in ALPHAS)):
        found[arm] = _taught(trial, shop, arm)
    for arm, scores in found.items():
        reached = shop.area(scores)
        trial.figure(f"auc/{arm}", reached)
        trial.log(f"{arm}: area {reached:.4f}")
    for arm in ("bm25", "plain"):
        shares = [_shares(shop, query, found[arm][query]) for query in shop.queries]
        for name in KINDS:
            values = [one[name] for one in shares]
            trial.figure(f"{name}/{arm}", values)
            trial.log(f"{arm}: {name} {100 * np.mean(values):.2f} %")


def _taught(trial: Trial, shop: Shop, arm: str) -> Scores:
    """Scores of all products for the queries of each half, by towers taught by the other."""
    found: dict[str, FloatArray] = {}
    for taught, asked in shop.halves():
        towers = _towers(trial, shop, arm, taught)
        items = towers.embed_items(shop.items)
        heads = towers.embed_queries([shop.queries[query] for query in asked])
        found |= {query: towers.score(heads[n], items) for n, query in enumerate(asked)}
        trial.progress(f"labels, {arm}", len(found), len(shop.queries))
    return found


def _towers(trial: Trial, shop: Shop, arm: str, taught: list[str]) -> TwoTowers:
    clicks = [
        Interaction(shop.queries[query], place + 1)
        for query in taught
        for place, label in shop.labels[query].items()
        if label == "E"
    ]
    if arm == "unclicked":
        shown = {
            shop.queries[query]: [n for n, label in shop.labels[query].items() if label in "CI"]
            for query in taught
        }
        config = settings(trial, hard=UNCLICKED, **ALL)
        return unclicked_towers(shop.items, clicks, config, shown)
    changes = {"alpha": float(arm.partition("/")[2])} if arm.startswith("alpha") else {}
    result = train(shop.items, clicks, settings(trial, **ALL, **changes))
    if result is None:
        raise ValueError("No word occurs in two titles: there is nothing to train on.")
    return result.towers


def _shares(shop: Shop, query: str, scores: FloatArray) -> dict[str, float]:
    """Shares of the labels among the first ten of the products that were labelled for the query."""
    labels = shop.labels[query]
    places = np.asarray(sorted(labels))
    first = places[np.argsort(-scores[places], kind="stable")][:FIRST]
    return {
        name: round(float(np.mean([labels[int(place)] in kinds for place in first])), 3)
        for name, kinds in KINDS.items()
    }


if __name__ == "__main__":
    main(PAPER, "dpsr_labels")
