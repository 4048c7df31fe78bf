"""Does it pay to know who asks? Title of a new work in, the earlier works that it cites out.

    python benchmarks/personal.py run hepth --out FOLDER        # train and judge what is not there yet
    python benchmarks/personal.py table hepth acl --out FOLDER  # the tables of docs/benchmarks/personal.md

Towers and their start see the training split only; whatever is chosen is chosen on the development split;
later works are embedded, not learned from. Needs the shared data (PEERSCOPE_SHARED) and the extra ``bench``.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from personal_data import Collection, load, training_view
from personal_measure import Scorer, figures
from personal_systems import (
    Vectors,
    Words,
    cosine_scorer,
    fused_scorer,
    history_vectors,
    pools,
)

from peerscope.retrieval import Tokenizer, TwoTowers, load_towers, save_towers, train
from peerscope.retrieval.front import Front
from peerscope.retrieval.fusion import fit
from peerscope.retrieval.learn.config import TrainConfig, best, paper
from peerscope.retrieval.lsa import fit_bag
from peerscope.retrieval.towers import item_text
from peerscope.retrieval.training import closed_form

ONE_THREAD = {"threads": 1, "held_out": 400}
SHORT = {**ONE_THREAD, "epochs": 3, "most_pairs": 150_000}
"""For comparisons of many settings: three passes of at most 150,000 pairs."""
FROM_NOTHING = {**SHORT, "epochs": 8}
"""The paper starts from nothing and takes small steps: at most eight passes, two without gain end them."""

BM25_GRID = [(k1, b) for k1 in (0.6, 0.9, 1.2, 1.8) for b in (0.3, 0.5, 0.75)]
HISTORY_GRID = (0.5, 1.0, 2.0, 4.0)
SPLITS = ("dev", "test")


@dataclass(frozen=True, slots=True)
class Trial:
    """A system that is trained.

    Attributes:
        config: Settings without the seed.
        history: What a user's history is (`personal_data.user_of`).
        profile: Whether users have a profile.
        unclicked: Negatives are only works that were shown and not chosen (`unclicked.UnclickedOnly`).
        seeds: How many runs.
    """

    config: Callable[[int], TrainConfig]
    history: str = "met"
    profile: bool = False
    unclicked: bool = False


def _best(**changes: Any) -> Callable[[int], TrainConfig]:
    return lambda seed: best(**(SHORT | changes), seed=seed)


def _paper(**changes: Any) -> Callable[[int], TrainConfig]:
    return lambda seed: paper(**(FROM_NOTHING | {"history_dropout": 0.0} | changes), seed=seed)


def trials() -> dict[str, Trial]:
    """Every trained system by its label."""
    profile = ("seniority", "venue")
    found = {
        "best, no history": Trial(_best(history="none"), "none"),
        "best, mean": Trial(_best(history="mean")),
        "best, attention": Trial(_best()),
        "best, attention, 100 works": Trial(_best(most_history=100)),
        "best, attention, written only": Trial(_best(), "written"),
        "best, attention, hinge": Trial(_best(loss="hinge", log_q=False)),
        "best, attention, dual temperature": Trial(_best(loss="dual_temperature")),
        "paper, DPSR": Trial(_paper(history="none"), "none"),
        "paper, DPSR-p": Trial(_paper(history="none", profile=profile), "none", profile=True),
        "paper, DPSR-h": Trial(_paper(profile=profile), "met", profile=True),
        "paper, unclicked only": Trial(_paper(history="none", hard=4), "none", unclicked=True),
    }
    for alpha in (0.0, 0.25, 0.5, 0.75, 1.0):
        found[f"best, alpha {alpha}"] = Trial(_best(alpha=alpha))
        if alpha != paper().alpha:  # that one is DPSR-h
            found[f"paper, alpha {alpha}"] = Trial(
                _paper(alpha=alpha, profile=profile), profile=True
            )
    for heads in (2, 4):
        found[f"best, {heads} heads"] = Trial(_best(heads=heads))
        found[f"best, {heads} heads, kept apart"] = Trial(_best(heads=heads, separation=0.1))
        found[f"paper, {heads} heads"] = Trial(_paper(heads=heads, profile=profile), profile=True)
    return found


class Bench:
    """One collection with its cached figures in a folder.

    Args:
        name: ``hepth`` or ``acl``.
        out: Where figures and towers are kept.
    """

    def __init__(self, name: str, out: Path) -> None:
        self.collection: Collection = load(name)
        self.folder = out / name
        self.folder.mkdir(parents=True, exist_ok=True)
        self.cited = self.collection.cited_in_training()

    def judge(self, scorers: dict[str, Scorer]) -> dict[str, dict[str, list[float]]]:
        """Figures of a system on both splits."""
        askings = self.collection.askings
        return {split: figures(scorers[split], askings[split], self.cited) for split in SPLITS}

    def keep(self, label: str, seed: int, record: dict[str, Any]) -> None:
        """Write a record by one rename."""
        path = self.path(label, seed)
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps({"label": label, "seed": seed, **record}))
        partial.replace(path)

    def path(self, label: str, seed: int) -> Path:
        """Where the record of a run lies."""
        name = label.replace(",", "").replace(" ", "-").replace("+", "and")
        return self.folder / f"{name}.{seed}.json"

    def trained(self, label: str, trial: Trial, seed: int) -> None:
        """Train, judge, keep figures and towers."""
        began = time.process_time()
        items, interactions, users = training_view(
            self.collection, history=trial.history, profile=trial.profile
        )
        config = trial.config(seed)
        if trial.unclicked:
            from unclicked import shown_and_passed_over, train_unclicked

            shown = shown_and_passed_over(self.collection, self.collection.askings["train"])
            result = train_unclicked(items, interactions, config, shown)
        else:
            result = train(items, interactions, config, users=users)
        assert result is not None
        seconds = time.process_time() - began
        vectors = Vectors(
            result.towers, self.collection.items, history=trial.history, profile=trial.profile
        )
        judged = self.judge({s: vectors.scorer(self.collection.askings[s]) for s in SPLITS})
        save_towers(result.towers, self.path(label, seed).with_suffix(".towers"))
        self.keep(
            label,
            seed,
            {
                "note": result.note,
                "passes": result.figures.get("passes"),
                "cpu_seconds": seconds,
                "config": config.to_dict(),
                **judged,
            },
        )
        print(f"{label} {seed}: dev nDCG@10 {np.mean(judged['dev']['ndcg@10']):.4f}; {result.note}")

    def towers(self, label: str, seed: int) -> TwoTowers:
        """The towers of a run."""
        return load_towers(self.path(label, seed).with_suffix(".towers"))


def untrained(bench: Bench) -> None:
    """BM25, vectors of latent semantic analysis, and both with what was met before; tuned on dev."""
    collection, askings = bench.collection, bench.collection.askings
    if not bench.path("BM25", 0).exists():
        words = Words(collection.items)
        tried = {}
        for k1, b in BM25_GRID:
            scorer = words.fitted(k1, b).scorer(askings["dev"])
            found = figures(scorer, askings["dev"], bench.cited)
            tried[k1, b] = float(np.mean(found["ndcg@10"]))
        k1, b = max(tried, key=lambda one: tried[one])
        words.fitted(k1, b)
        bench.keep("BM25", 0, {"k1": k1, "b": b, **bench.judge(_words(bench, words))})
        print("BM25", k1, b, tried[k1, b])
    stated = json.loads(bench.path("BM25", 0).read_text())
    if not bench.path("BM25, words and pairs", 0).exists():
        words = Words(collection.items, bigrams=True).fitted(stated["k1"], stated["b"])
        bench.keep("BM25, words and pairs", 0, bench.judge(_words(bench, words)))
    if not bench.path("LSA", 0).exists():
        limit = max(one.limit for one in askings["train"])
        tokenizer = Tokenizer()
        bag = fit_bag([item_text(item) for item in collection.items[:limit]], tokenizer)
        towers = closed_form(Front(tokenizer, bag), best(history="none"))
        vectors = Vectors(towers, collection.items, history="none")
        text = {split: vectors.heads(askings[split])[:, 0] for split in SPLITS}
        save_towers(towers, bench.path("LSA", 0).with_suffix(".towers"))
        bench.keep(
            "LSA", 0,
            bench.judge({s: cosine_scorer(text[s], vectors.items) for s in SPLITS}),
        )  # fmt: skip
        tried_weights = {}
        for weight in HISTORY_GRID:
            queries = history_vectors(text["dev"], vectors.items, askings["dev"], weight)
            found = figures(cosine_scorer(queries, vectors.items), askings["dev"], bench.cited)
            tried_weights[weight] = float(np.mean(found["ndcg@10"]))
        weight = max(tried_weights, key=lambda one: tried_weights[one])
        scorers = {
            s: cosine_scorer(
                history_vectors(text[s], vectors.items, askings[s], weight), vectors.items
            )
            for s in SPLITS
        }
        bench.keep("LSA + mean of history", 0, {"weight": weight, **bench.judge(scorers)})


def _words(bench: Bench, words: Words) -> dict[str, Scorer]:
    return {split: words.scorer(bench.collection.askings[split]) for split in SPLITS}


def fusions(bench: Bench, label: str, seed: int, history: str) -> None:
    """BM25 and towers in the engine's fused order, weights fitted on dev; then with "met before" too."""
    stated = json.loads(bench.path("BM25", 0).read_text())
    words = Words(bench.collection.items).fitted(stated["k1"], stated["b"])
    vectors = Vectors(bench.towers(label, seed), bench.collection.items, history=history)
    askings = bench.collection.askings
    size = len(bench.collection.items)
    for met in (False, True):
        name = f"BM25 + {label}" + (" + met before" if met else "")
        if bench.path(name, seed).exists():
            continue
        rows = {
            s: pools(words.scorer(askings[s]), vectors.scorer(askings[s]), askings[s], met=met)
            for s in SPLITS
        }
        fusion = fit(rows["dev"])
        judged = bench.judge({s: fused_scorer(fusion, rows[s], size) for s in SPLITS})
        bench.keep(name, seed, {"fusion": fusion.to_dict(), **judged})
        print(name, seed, fusion, f"dev nDCG@10 {np.mean(judged['dev']['ndcg@10']):.4f}")


def wanted(labels: list[str], seeds: int) -> Iterator[tuple[str, Trial, int]]:
    """Runs in the order in which they tell most: all labels for the first seed, then for the next."""
    every = trials()
    for seed in range(seeds):
        for label in labels or every:
            yield label, every[label], seed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["run", "table"])
    parser.add_argument("collections", nargs="*", default=["hepth"])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--system", action="append", default=[], help="one label, repeatable")
    parser.add_argument("--fuse", action="store_true", help="fuse with BM25 too")
    given = parser.parse_args()
    if given.what == "table":
        from personal_tables import table

        for name in given.collections:
            print(table(load(name), given.out / name))
        return
    for name in given.collections:
        bench = Bench(name, given.out)
        untrained(bench)
        for label, trial, seed in wanted(given.system, given.seeds):
            if not bench.path(label, seed).exists():
                bench.trained(label, trial, seed)
            if given.fuse:
                fusions(bench, label, seed, trial.history)


if __name__ == "__main__":
    main()
