"""The tables of DPSR (SIGIR 2020) by its own protocol, ours beside the printed figures.

    python benchmarks/personal.py run hepth --out FOLDER       # first: what the citation log says
    python benchmarks/paper_tables.py auc --out FOLDER         # then: what human labels say
    python benchmarks/paper_tables.py table --out FOLDER --plot docs/images/alpha.svg

Top-1 and Top-10 (a relevant item among 1,024 drawn ones) and popularity come from hep-th titles and their
citations, AUC from the human labels of Amazon ESCI (E and S against I): one half of the queries teaches, the
other is judged. Neither is the paper's data, so that signs and distances can agree, levels cannot.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from personal_tables import read
from products import Scores, Shop, dense_scores, load, pooled_area

from peerscope.retrieval import Interaction, train
from peerscope.retrieval.learn.config import TrainConfig, paper

ALPHAS = (0.0, 0.25, 0.5, 0.75, 1.0)
DEFAULT = f"paper, alpha {paper().alpha}"
"""Measured under another name: DPSR-h with readers, DPSR without."""

LABEL_WEIGHT = 10.0
"""Of a label against a pair made of a product's own text."""

TABLE_2 = {
    "BM25": ("BM25 (unigram)", 0.718, 0.947, 0.661),
    "BM25, words and pairs": ("BM25 (unigram, bigram)", 0.721, 0.948, 0.661),
    "paper, unclicked only": ("DSSM (unclicked items as negatives)", 0.002, 0.016, 0.524),
    "paper, DPSR": ("DPSR", 0.839, 0.979, 0.696),
    "paper, DPSR-p": ("DPSR-p", 0.868, 0.984, 0.692),
    "paper, DPSR-h": ("DPSR-h", 0.889, 0.998, 0.685),
}
FIGURE_7 = {
    0.0: (0.743, 0.654, 0.354),
    0.25: (0.735, 0.652, 0.355),
    0.5: (0.734, 0.657, 0.383),
    0.75: (0.725, 0.653, 0.398),
    1.0: (0.648, 0.627, 0.570),
}


def settings() -> dict[str, dict[str, Any]]:
    """Changes of the configuration ``paper`` whose AUC is measured, by label."""
    found: dict[str, dict[str, Any]] = {"paper, DPSR": {}, "paper, unclicked only": {"hard": 4}}
    found |= {
        f"paper, alpha {alpha}": {"alpha": alpha} for alpha in ALPHAS if alpha != paper().alpha
    }
    return found | {f"paper, {heads} heads": {"heads": heads} for heads in (2, 4)}


def halves(shop: Shop) -> Iterator[tuple[list[str], list[str]]]:
    """Queries that teach and queries that are judged, both ways."""
    for part in (0, 1):
        taught = [query for query, fold in shop.folds.items() if fold % 2 == part]
        yield taught, [query for query in shop.queries if query not in set(taught)]


def labelled(shop: Shop, label: str, config: TrainConfig) -> float:
    """AUC over all judged pairs of towers taught by E labels of the other half (and by the products)."""
    scores: dict[str, Scores] = {}
    for taught, asked in halves(shop):
        clicks = [
            Interaction(shop.queries[query], place + 1, weight=LABEL_WEIGHT)
            for query in taught
            for place, given in shop.labels[query].items()
            if given == "E"
        ]
        if label == "paper, unclicked only":
            from unclicked import train_unclicked

            shown = {
                shop.queries[query]: [n for n, given in shop.labels[query].items() if given in "CI"]
                for query in taught
            }
            result = train_unclicked(shop.items, clicks, config, shown)
        else:
            trained = train(shop.items, clicks, config)
            if trained is None:
                raise ValueError("The products have no words in common.")
            result = trained
        scores |= dense_scores(shop, result.towers, asked)
    return pooled_area(shop, scores)


def measure_auc(out: Path, seeds: int) -> None:
    """Measure what is not there yet."""
    shop = load()
    folder = out / "labels"
    folder.mkdir(parents=True, exist_ok=True)
    for seed in range(seeds):
        for label, changes in settings().items():
            path = folder / f"{label.replace(', ', '-').replace(' ', '-')}.{seed}.json"
            if path.exists():
                continue
            config = paper(
                history="none", fields=("brand", "color"), epochs=6, threads=1, seed=seed, **changes
            )
            found = labelled(shop, label, config)
            path.write_text(json.dumps({"label": label, "seed": seed, "auc": found}))
            print(label, seed, f"{found:.4f}", flush=True)


def shown(values: list[float]) -> str:
    """Mean, with the deviation between seeds where there are several."""
    if not values:
        return "not measured"
    if len(values) == 1:
        return f"{values[0]:.3f}"
    return f"{np.mean(values):.3f} ± {np.std(values, ddof=1):.3f}"


class Figures:
    """What both benchmarks kept."""

    def __init__(self, out: Path) -> None:
        self._log = read(out / "hepth")
        self._labels = read(out / "labels")

    def of_log(self, label: str, name: str) -> list[float]:
        """Means over test queries, one a seed."""
        label = "paper, DPSR-h" if label == DEFAULT else label
        return [float(np.nanmean(one["test"][name])) for one in self._log.get(label, [])]

    def auc(self, label: str) -> list[float]:
        """One a seed."""
        label = "paper, DPSR" if label in (DEFAULT, "paper, DPSR-h") else label
        return [one["auc"] for one in self._labels.get(label, [])]


def tables(figures: Figures, lexical: dict[str, float]) -> str:
    """Table 2, figure 7 and heads as Markdown."""
    lines = [
        "| system | Top-1 printed | Top-1 here | Top-10 printed | Top-10 here | AUC printed | AUC here |",
        "| --- |" + " --- |" * 6,
    ]
    for label, (name, first, tenth, area) in TABLE_2.items():
        mine = [lexical[label]] if label in lexical else figures.auc(label)
        here = shown(mine) if label not in ("paper, DPSR-p", "paper, DPSR-h") else "no users"
        lines.append(
            f"| {name} | {first:.3f} | {shown(figures.of_log(label, 'top1'))} | {tenth:.3f} | "
            f"{shown(figures.of_log(label, 'top10'))} | {area:.3f} | {here} |"
        )
    lines += [
        "",
        "| alpha | Top-1 printed | `paper` | `best` | nDCG@10 `paper` | `best` | popularity printed "
        "| `paper` | `best` | AUC printed | `paper` |",
        "| --- |" + " --- |" * 10,
    ]
    for alpha in ALPHAS:
        first, area, popular = FIGURE_7[alpha]
        pair = [f"{name}, alpha {alpha}" for name in ("paper", "best")]
        cells = [
            f"{first:.3f}", *(shown(figures.of_log(label, "top1")) for label in pair),
            *(shown(figures.of_log(label, "ndcg@10")) for label in pair),
            f"{popular:.3f}", *(shown(figures.of_log(label, "popularity")) for label in pair),
            f"{area:.3f}", shown(figures.auc(pair[0])),
        ]  # fmt: skip
        lines.append(f"| {alpha} | " + " | ".join(cells) + " |")
    lines += ["", "| heads | Top-1 | Top-10 | nDCG@10 | AUC |", "| --- |" + " --- |" * 4]
    for label in (
        "paper, DPSR-h", "paper, 2 heads", "paper, 4 heads", "best, attention", "best, 2 heads",
        "best, 2 heads, kept apart", "best, 4 heads", "best, 4 heads, kept apart",
    ):  # fmt: skip
        cells = [shown(figures.of_log(label, name)) for name in ("top1", "top10", "ndcg@10")]
        area_here = figures.auc(label)
        cells.append(shown(area_here) if area_here else "")
        lines.append(f"| {label} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["auc", "table"])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--plot", type=Path)
    given = parser.parse_args()
    if given.what == "auc":
        measure_auc(given.out, given.seeds)
        return
    from products import lexical_scores

    shop = load()
    lexical = {
        "BM25": pooled_area(shop, lexical_scores(shop)[0]),
        "BM25, words and pairs": pooled_area(shop, lexical_scores(shop, bigrams=True)[0]),
    }
    figures = Figures(given.out)
    print(tables(figures, lexical))
    if given.plot:
        from alpha_plot import draw

        values = {
            name: {
                measure: [figures.of_log(f"{name}, alpha {alpha}", measure) for alpha in ALPHAS]
                for measure in ("top1", "popularity")
            }
            for name in ("paper", "best")
        }
        given.plot.write_text(draw(ALPHAS, FIGURE_7, values))


if __name__ == "__main__":
    main()
