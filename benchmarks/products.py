"""Product search: 6,764 products, 150 real queries, human labels (Amazon ESCI), no reader's log.

    python benchmarks/products.py --seeds 3 --out FOLDER

Two questions. How good is the search that a shop has on its first day, trained on its own texts alone? And
what do labels of other queries add (five folds of queries: four teach as clicks, one is judged)? Grades are
E 3, S 2, C 1, I 0. Needs the shared data (PEERSCOPE_SHARED) and the extra ``bench``.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import ir_measures
import numpy as np
from ir_measures import RR, R, nDCG
from numpy.typing import NDArray
from personal_data import SHARED
from personal_measure import best as leading
from personal_measure import compared
from personal_systems import CANDIDATES, Words
from scipy import stats

from peerscope.retrieval import Interaction, Item, Tokenizer, TwoTowers, train
from peerscope.retrieval.front import Front
from peerscope.retrieval.fusion import Fusion, HeldOut, fit
from peerscope.retrieval.learn.config import TrainConfig, best, paper
from peerscope.retrieval.lsa import fit_bag
from peerscope.retrieval.towers import item_text
from peerscope.retrieval.training import closed_form

FOLDS = 5
GAINS = {"E": 3, "S": 2, "C": 1, "I": 0}
MEASURES = {"ndcg@10": nDCG @ 10, "mrr@10": RR(rel=3) @ 10, "recall@100": R(rel=2) @ 100}
GRID = [(k1, b) for k1 in (0.6, 0.9, 1.2, 1.8) for b in (0.3, 0.5, 0.75)]

Scores = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Shop:
    """Products, queries, and the label of each judged pair by the product's place."""

    items: list[Item]
    queries: dict[str, str]
    labels: dict[str, dict[int, str]]

    @property
    def folds(self) -> dict[str, int]:
        """The fold of each query, by a hash of its text."""
        return {
            query: blake2b(text.encode(), digest_size=4).digest()[0] % FOLDS
            for query, text in self.queries.items()
        }


def load(folder: Path | None = None) -> Shop:
    """Read the collection."""
    folder = folder or SHARED / "data" / "ecommerce" / "esci150"
    items, place = [], {}
    for line in (folder / "corpus.jsonl").open():
        product = json.loads(line)
        place[product["_id"]] = len(items)
        fields = {
            name: (str(product[name]),)
            for name in ("brand", "color", "category")
            if product.get(name)
        }
        names = str(product.get("brand") or "")
        items.append(
            Item(len(items) + 1, product["title"], product.get("text") or "", names, fields)
        )
    queries = {
        one["_id"]: one["text"] for one in map(json.loads, (folder / "queries.jsonl").open())
    }
    labels: dict[str, dict[int, str]] = {}
    with (folder / "qrels.tsv").open() as lines:
        next(lines)
        for line in lines:
            query, product, _, label = line.rstrip("\n").split("\t")
            labels.setdefault(query, {})[place[product]] = label
    return Shop(items, {q: t for q, t in queries.items() if q in labels}, labels)


def judged(shop: Shop, scores: Mapping[str, Scores]) -> dict[str, dict[str, float]]:
    """Figures of each query; AUC is over its pairs, E and S against I (absent where it has one kind only)."""
    qrels = {
        query: {str(place): GAINS[label] for place, label in shop.labels[query].items()}
        for query in scores
    }
    run = {
        query: {str(place): float(-n) for n, place in enumerate(leading(row, 100))}
        for query, row in scores.items()
    }
    found: dict[str, dict[str, float]] = {query: {} for query in scores}
    for name, measure in MEASURES.items():
        for metric in ir_measures.iter_calc([measure], qrels, run):
            found[metric.query_id][name] = metric.value
    for query, row in scores.items():
        good = [row[place] for place, label in shop.labels[query].items() if label in "ES"]
        bad = [row[place] for place, label in shop.labels[query].items() if label == "I"]
        if good and bad:
            found[query]["auc"] = area(np.asarray(good), np.asarray(bad))
    return found


def area(good: Scores, bad: Scores) -> float:
    """Area under the ROC curve, ties counted half."""
    larger = stats.mannwhitneyu(good, bad, alternative="greater").statistic
    return float(larger / (len(good) * len(bad)))


def pooled_area(shop: Shop, scores: Mapping[str, Scores]) -> float:
    """The area over all pairs at once, as the paper's separate set of labelled pairs is used."""
    pairs = [(scores[q][place], label) for q in scores for place, label in shop.labels[q].items()]
    good = np.asarray([score for score, label in pairs if label in "ES"])
    return area(good, np.asarray([score for score, label in pairs if label == "I"]))


def lexical_scores(shop: Shop, *, bigrams: bool = False) -> tuple[dict[str, Scores], str]:
    """BM25 with k1 and b that are best on the other half of the queries."""
    words = Words(shop.items, bigrams=bigrams)
    half = {query: fold % 2 for query, fold in shop.folds.items()}
    names = list(shop.queries)
    tried: dict[tuple[float, float], list[Scores]] = {}
    reached: dict[tuple[float, float], list[float]] = {}
    for k1, b in GRID:
        rows = words.fitted(k1, b).texts([shop.queries[query] for query in names])
        figures = judged(shop, dict(zip(names, rows, strict=True)))
        tried[k1, b] = rows
        reached[k1, b] = [figures[query]["ndcg@10"] for query in names]
    chosen = {}
    for part in (0, 1):
        other = [n for n, query in enumerate(names) if half[query] != part]
        chosen[part] = max(GRID, key=lambda one: np.mean([reached[one][n] for n in other]))
    found = {query: tried[chosen[half[query]]][n] for n, query in enumerate(names)}
    return found, f"k1, b {chosen[1]} and {chosen[0]}"


def dense_scores(shop: Shop, towers: TwoTowers, queries: Sequence[str]) -> dict[str, Scores]:
    """Soft dot products of the queries with all products."""
    items = towers.embed_items(shop.items)
    heads = towers.embed_queries([shop.queries[query] for query in queries])
    return {query: towers.score(heads[n], items) for n, query in enumerate(queries)}


def own_texts(shop: Shop, config: TrainConfig) -> dict[str, Scores]:
    """Towers trained on the products' texts alone."""
    result = train(shop.items, [], config)
    assert result is not None
    return dense_scores(shop, result.towers, list(shop.queries))


def with_labels(shop: Shop, config: TrainConfig, weight: float = 10.0) -> dict[str, Scores]:
    """Towers that also learn from the E labels of four folds, judged on the fifth.

    Args:
        shop: The collection.
        config: Settings.
        weight: Of a label against a pair made of an item's own text.
    """
    found: dict[str, Scores] = {}
    folds = shop.folds
    for fold in range(FOLDS):
        clicks = [
            Interaction(text, place + 1, weight=weight)
            for query, text in shop.queries.items()
            if folds[query] != fold
            for place, label in shop.labels[query].items()
            if label == "E"
        ]
        result = train(shop.items, clicks, config)
        assert result is not None
        asked = [query for query in shop.queries if folds[query] == fold]
        found |= dense_scores(shop, result.towers, asked)
    return found


def fused(
    shop: Shop, words: Mapping[str, Scores], dense: Mapping[str, Scores]
) -> dict[str, Scores]:
    """The engine's fused order; the weights of each fold are fitted on the others."""
    rows: dict[str, HeldOut] = {}
    for query in shop.queries:
        ids = np.union1d(leading(words[query], CANDIDATES), leading(dense[query], CANDIDATES))
        ids = ids.astype(np.int64)
        grades = {place: float(GAINS[label]) for place, label in shop.labels[query].items()}
        nothing = np.zeros(len(ids), np.float32)
        rows[query] = HeldOut(ids, words[query][ids], dense[query][ids], nothing, grades)
    found = {}
    folds = shop.folds
    weights: dict[int, Fusion] = {
        fold: fit([row for query, row in rows.items() if folds[query] != fold])
        for fold in range(FOLDS)
    }
    for query, row in rows.items():
        scores = np.full(len(shop.items), -1e6, np.float32)
        scores[row.ids] = weights[folds[query]].combine(row.lexical, row.dense, row.title)
        found[query] = scores
    return found


def lsa(shop: Shop) -> dict[str, Scores]:
    """The closed-form start."""
    tokenizer = Tokenizer()
    front = Front(tokenizer, fit_bag([item_text(item) for item in shop.items], tokenizer))
    return dense_scores(shop, closed_form(front, best(history="none")), list(shop.queries))


def systems(shop: Shop, seeds: int) -> dict[str, list[dict[str, Scores]]]:
    """Scores of every system, one entry a seed."""
    words, note = lexical_scores(shop)
    pairs, other = lexical_scores(shop, bigrams=True)
    print("BM25", note, "; with pairs of words", other)
    found: dict[str, list[dict[str, Scores]]] = {
        "BM25": [words], "BM25, words and pairs": [pairs], "LSA": [lsa(shop)],
    }  # fmt: skip
    for seed in range(seeds):
        given: dict[str, Any] = {"seed": seed, "threads": 1, "history": "none"}
        tried = {
            "towers `best`, own texts": own_texts(shop, best(**given)),
            "towers `best` with brand, own texts": own_texts(
                shop, best(**given, fields=("brand",))
            ),
            "towers `best`, labels of other queries": with_labels(shop, best(**given, epochs=4)),
            "towers `paper`, own texts": own_texts(shop, paper(**given, fields=("brand", "color"))),
        }
        for label, scores in tried.items():
            found.setdefault(label, []).append(scores)
            if "best" in label and "brand" not in label:
                found.setdefault(f"BM25 + {label}", []).append(fused(shop, words, scores))
        print("seed", seed, "done", flush=True)
    return found


def table(shop: Shop, found: Mapping[str, Sequence[dict[str, Scores]]]) -> str:
    """The table as Markdown, each system compared with BM25 in pairs."""
    columns = ("ndcg@10", "mrr@10", "recall@100", "auc")
    lines = [
        "| system | nDCG@10 | against BM25 | p | MRR@10 of E | Recall@100 of E, S | AUC in a query "
        "| AUC of all pairs |",
        "| --- |" + " --- |" * 7,
    ]
    base = judged(shop, found["BM25"][0])
    for label, runs in found.items():
        figures = [judged(shop, scores) for scores in runs]
        cells = {}
        for name in columns:
            means = [np.mean([one[name] for one in run.values() if name in one]) for run in figures]
            cells[name] = f"{np.mean(means):.4f}" + (
                f" ± {np.std(means, ddof=1):.4f}" if len(means) > 1 else ""
            )
        mine = [float(np.mean([run[query]["ndcg@10"] for run in figures])) for query in base]
        against = compared(mine, [base[query]["ndcg@10"] for query in base])
        every = np.mean([pooled_area(shop, scores) for scores in runs])
        gain = "" if label == "BM25" else f"{against['gain']:+.1%}"
        p = "" if label == "BM25" else f"{against['p']:.1g}"
        lines.append(
            f"| {label} | {cells['ndcg@10']} | {gain} | {p} | {cells['mrr@10']} | "
            f"{cells['recall@100']} | {cells['auc']} | {every:.4f} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    shop = load()
    text = table(shop, systems(shop, given.seeds))
    print(text)
    if given.out:
        given.out.mkdir(parents=True, exist_ok=True)
        (given.out / "products.md").write_text(text + "\n")


if __name__ == "__main__":
    main()
