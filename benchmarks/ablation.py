"""One change at a time to the configuration `best`: what helps where there is no reader yet.

    python benchmarks/ablation.py cranfield cacm esci150 --seeds 3

Each collection's own texts train the towers, without any judgement; the collection's judged queries then rank
it by vectors alone. Metrics are ir-measures'. Prints a Markdown table: mean nDCG@10 over the seeds, and for
each change the mean difference to `best` with its deviation over seeds. Needs the shared data
(PEERSCOPE_SHARED).
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import ir_measures
import numpy as np
from ir_measures import nDCG

from peerscope.retrieval import Item, TwoTowers, train
from peerscope.retrieval.learn.config import best

SHARED = Path(os.environ.get("PEERSCOPE_SHARED", Path(__file__).resolve().parents[2] / "shared"))
FOLDERS = {"esci150": "ecommerce"}
NDCG = nDCG @ 10

CHANGES: dict[str, dict[str, Any]] = {
    "best": {},
    "closed form, nothing learned": {"epochs": 0},
    "hinge, margin 0.1": {"loss": "hinge"},
    "dual temperature 0.07, 1": {"loss": "dual_temperature"},
    "temperature 0.05": {"temperature": 0.05},
    "temperature 0.15": {"temperature": 0.15},
    "no logQ correction": {"log_q": False},
    "alpha 0": {"alpha": 0.0},
    "alpha 0.75": {"alpha": 0.75},
    "alpha 1": {"alpha": 1.0},
    "mask above the positive by 0.1": {"mask_above": 0.1},
    "one hard negative": {"hard": 1, "hard_after": 1},
    "Matryoshka, a half and a quarter": {"matryoshka": "halves"},
    "2 heads, apart 0.1": {"heads": 2, "separation": 0.1},
    "4 heads, apart 0.1": {"heads": 4, "separation": 0.1},
    "4 heads": {"heads": 4},
    "no dropout": {"dropout": 0.0},
    "dropout 0.3": {"dropout": 0.3},
    "batch 64": {"batch": 64},
    "batch 64, dual temperature": {"batch": 64, "loss": "dual_temperature"},
    "momentum 0.99": {"momentum": 0.99},
    "batch 64, momentum 0.9": {"batch": 64, "momentum": 0.9},
    "batch 64, momentum 0.99": {"batch": 64, "momentum": 0.99},
    "batch 64, momentum 0.0001": {"batch": 64, "momentum": 1e-4},
    "batch 256": {"batch": 256},
    "learning rate 0.0003": {"learning_rate": 3e-4},
    "one linear layer": {"hidden": ()},
}


def load(name: str) -> tuple[list[Item], dict[str, str], dict[str, dict[str, int]]]:
    folder = SHARED / "data" / FOLDERS.get(name, "bench") / name
    items, numbers = [], {}
    for line in (folder / "corpus.jsonl").open():
        doc = json.loads(line)
        title, text = doc.get("title") or "", doc.get("text") or ""
        numbers[doc["_id"]] = str(len(items) + 1)
        text = text.removeprefix(title).strip()
        items.append(Item(len(items) + 1, title or text[:80] or "untitled", text))
    queries = {q["_id"]: q["text"] for q in map(json.loads, (folder / "queries.jsonl").open())}
    grades: dict[str, dict[str, int]] = defaultdict(dict)
    for line in list((folder / "qrels.tsv").open())[1:]:
        query, doc, grade = line.rstrip("\n").split("\t")[:3]
        grades[query][numbers[doc]] = max(int(float(grade)), 0)
    judged = {query for query, found in grades.items() if any(found.values())}
    return items, {q: t for q, t in queries.items() if q in judged}, dict(grades)


def ranked(towers: TwoTowers, items: list[Item], queries: dict[str, str]) -> dict[str, Any]:
    vectors = towers.embed_items(items)
    asked = towers.embed_queries(list(queries.values()))
    run = {}
    for query, heads in zip(queries, asked, strict=True):
        scores = towers.score(heads, vectors)
        top = np.argsort(-scores, kind="stable")[:100]
        run[query] = {str(items[n].id): float(scores[n]) for n in top}
    return run


def changed(change: dict[str, Any], items: list[Item], seed: int) -> Any:
    settings = dict(change)
    if settings.get("matryoshka") == "halves":
        from peerscope.retrieval.lsa import width_for

        width = width_for(len(items))
        settings["matryoshka"] = (width // 2, width // 4)
    return best(threads=1, seed=seed, **settings)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("collections", nargs="*", default=["cranfield", "cacm", "esci150"])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", nargs="*", default=list(CHANGES))
    given = parser.parse_args()
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for name in given.collections:
        items, queries, grades = load(name)
        for label in given.only:
            for seed in range(given.seeds):
                began = time.process_time()
                trained = train(items, [], changed(CHANGES[label], items, seed))
                assert trained is not None
                run = ranked(trained.towers, items, queries)
                value = ir_measures.calc_aggregate([NDCG], grades, run)[NDCG]
                found[label][name].append(value)
                spent = time.process_time() - began
                print(
                    f"{name:10s} {label:34s} {value:.4f} {spent:.0f} s  {trained.note}", flush=True
                )
    print("\n| change | " + " | ".join(given.collections) + " |")
    print("| --- |" + " --- |" * len(given.collections))
    for label in given.only:
        cells = []
        for name in given.collections:
            values = np.asarray(found[label][name])
            if label == "best" or "best" not in found:
                cells.append(f"{values.mean():.4f} ± {values.std():.4f}")
            else:
                gap = values - np.asarray(found["best"][name])
                cells.append(f"{gap.mean():+.4f} ± {gap.std():.4f}")
        print(f"| {label} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
