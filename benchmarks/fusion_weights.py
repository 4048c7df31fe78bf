"""How to choose a weight from few held-out queries: the best, or the nearest to the start that is as good.

    python benchmarks/personal.py run hepth --out FOLDER --fuse --system "best, attention" --seeds 1
    python benchmarks/fusion_weights.py hepth "best, attention" --out FOLDER

Draws queries of the months for choosing, fits the weight of the vectors beside BM25 on them by either rule,
and judges it on later queries (every second one of the test split).
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from personal import Bench, trials
from personal_systems import Vectors, Words, pools

from peerscope.retrieval.fusion import DENSE_WEIGHTS, Fusion, indistinct, ndcgs

NUMBERS = (50, 100, 200, 1000)
DRAWS = 200
STARTS = (0.35, 0.75)


def reached(bench: Bench, label: str, split: str, step: int) -> np.ndarray:
    """nDCG@10 of every weight on every query, shape ``[weights, queries]``."""
    stated = json.loads(bench.path("BM25", 0).read_text())
    items, askings = bench.collection.items, bench.collection.askings[split][::step]
    words = Words(items).fitted(stated["k1"], stated["b"])
    vectors = Vectors(bench.towers(label, 0), items, history=trials()[label].history)
    rows = pools(words.scorer(askings), vectors.scorer(askings), askings)
    return np.array([ndcgs(Fusion(1.0, dense, 0.0, 0.0, 0.0), rows) for dense in DENSE_WEIGHTS])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("collection")
    parser.add_argument("label")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    bench = Bench(given.collection, given.out)
    choosing = reached(bench, given.label, "dev", 1)
    later = reached(bench, given.label, "test", 2).mean(axis=1)
    print(
        "| queries | the best weight | " + " | ".join(f"nearest to {one}" for one in STARTS) + " |"
    )
    print("| --- |" + " --- |" * (1 + len(STARTS)))
    generator = np.random.default_rng(0)
    places = [DENSE_WEIGHTS.index(one) for one in STARTS]
    for number in NUMBERS:
        found: list[list[float]] = [[] for _ in range(1 + len(STARTS))]
        for _ in range(DRAWS):
            drawn = choosing[:, generator.choice(choosing.shape[1], number)]
            found[0].append(later[drawn.mean(axis=1).argmax()])
            alike = indistinct(drawn)
            for column, place in enumerate(places, 1):
                found[column].append(later[alike[np.abs(alike - place).argmin()]])
        print(f"| {number} | " + " | ".join(f"{np.mean(one):.4f}" for one in found) + " |")
    fixed = ", ".join(
        f"{dense}: {value:.4f}" for dense, value in zip(DENSE_WEIGHTS, later, strict=True)
    )
    print(f"\nLater queries by weight: {fixed}")


if __name__ == "__main__":
    main()
