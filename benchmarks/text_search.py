"""Quality of the published search on judged collections, trained without any judgement.

    python benchmarks/text_search.py cranfield cacm --seeds 3

For each collection: the collection's own texts train the towers, a bundle is published into a temporary
folder, and every judged query runs through the served engine. Words alone (BM25 in the same bundle), vectors
alone and the fused order are compared on the same queries. Needs the shared data (PEERSCOPE_SHARED).
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from pathlib import Path

import numpy as np

from peerscope.retrieval import BundleStore, Item, SearchEngine, build, open_bundle, train
from peerscope.retrieval.fusion import Fusion
from peerscope.retrieval.learn.config import TrainConfig
from peerscope.retrieval.metrics import ndcg, recall

SHARED = Path(os.environ.get("PEERSCOPE_SHARED", Path(__file__).resolve().parents[2] / "shared"))


def load(name: str) -> tuple[list[Item], dict[str, str], dict[str, dict[int, float]]]:
    folder = SHARED / "data" / "bench" / name
    items, numbers = [], {}
    for line in (folder / "corpus.jsonl").open():
        doc = json.loads(line)
        title, text = doc.get("title") or "", doc.get("text") or ""
        numbers[doc["_id"]] = len(items) + 1
        text = text.removeprefix(title).strip()
        items.append(Item(len(items) + 1, title or text[:80] or "untitled", text))
    queries = {q["_id"]: q["text"] for q in map(json.loads, (folder / "queries.jsonl").open())}
    grades: dict[str, dict[int, float]] = {}
    for line in (folder / "qrels.tsv").open():
        query, doc, grade = line.rstrip("\n").split("\t")[:3]
        if grade.lstrip("-").isdigit():
            grades.setdefault(query, {})[numbers[doc]] = float(grade)
    judged = {query for query, found in grades.items() if any(g > 0 for g in found.values())}
    return items, {q: t for q, t in queries.items() if q in judged}, grades


def scores(
    engine: SearchEngine, queries: dict[str, str], grades: dict[str, dict[int, float]]
) -> list[float]:
    found = []
    for query, text in queries.items():
        ranking = [hit.id for hit in engine.search(text, 100).hits]
        found.append((ndcg(ranking, grades[query]), recall(ranking, grades[query])))
    return list(np.mean(found, axis=0))


def run(name: str, seed: int) -> dict[str, list[float]]:
    items, queries, grades = load(name)
    trained = train(items, [], TrainConfig(seed=seed, threads=1))
    assert trained is not None
    print(" ", trained.note)
    with tempfile.TemporaryDirectory() as folder:
        store = BundleStore(Path(folder))
        report = build(items, [], store, towers=trained.towers)
        for gate in report.gates:
            print("   gate", gate.name, gate.passed, gate.sentence)
        assert report.published, report.refusal
        engine = open_bundle(store.path(report.bundle))
        fitted = engine.fusion
        rows = {"fused": scores(engine, queries, grades)}
        for label, fusion in {
            "words": Fusion(1.0, 0.0, 0.0),
            "vectors": Fusion(0.0, 1.0, 0.0),
            "default": Fusion(),
        }.items():
            engine.fusion = fusion
            rows[label] = scores(engine, queries, grades)
        print("   fitted", fitted)
        engine.close()
    return rows


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("collections", nargs="*", default=["cranfield", "cacm"])
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args()
    for name in given.collections:
        runs = [run(name, seed) for seed in range(given.seeds)]
        for label in ("words", "vectors", "default", "fused"):
            values = np.asarray([found[label] for found in runs])
            mean, spread = values.mean(axis=0), values.std(axis=0)
            print(
                f"{name:12s} {label:8s} nDCG@10 {mean[0]:.4f} ± {spread[0]:.4f}  Recall@100 {mean[1]:.4f}"
            )


if __name__ == "__main__":
    main()
