"""Tables of what `personal.py run` kept: means over seeds, groups of askings, differences in pairs."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from personal_data import Collection, Strata
from personal_measure import compared

GROUPS = ("all", "tail users", "head users", "tail queries", "head queries", "tail both")
PAIRS = (
    ("best, attention", "best, no history"),
    ("best, mean", "best, no history"),
    ("best, attention", "best, mean"),
    ("best, attention, written only", "best, no history"),
    ("paper, DPSR-h", "paper, DPSR"),
    ("BM25 + best, attention", "BM25 + best, no history"),
    ("BM25 + best, attention", "BM25"),
)

Floats = NDArray[np.float64]


def read(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Records by label, in order of seeds."""
    found: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for path in sorted(folder.glob("*.json")):
        record = json.loads(path.read_text())
        found[record["label"]].append(record)
    return dict(found)


def per_asking(records: list[dict[str, Any]], split: str, name: str) -> Floats:
    """Each asking's figure, mean over seeds."""
    return np.mean([record[split][name] for record in records], axis=0)


def spread(records: list[dict[str, Any]], split: str, name: str, mask: NDArray[Any]) -> str:
    """Mean over seeds, with the deviation between seeds where there are several."""
    means = [float(np.nanmean(np.asarray(one[split][name])[mask])) for one in records]
    if len(means) == 1:
        return f"{means[0]:.4f}"
    return f"{np.mean(means):.4f} ± {np.std(means, ddof=1):.4f}"


def table(collection: Collection, folder: Path, split: str = "test") -> str:
    """All tables of one collection as Markdown."""
    records = read(folder)
    strata = Strata.of(collection)
    groups = strata.groups(collection.askings[split], collection.cited_in_training())
    every = groups["all"]
    lines = [
        f"### {collection.name}, {split}: {len(collection.askings[split])} queries",
        "",
        f"Bounds: tail users at most {strata.earlier[0]:.0f} earlier works, head users at least "
        f"{strata.earlier[1]:.0f}; tail queries: median training citations of the relevant works at most "
        f"{strata.cited[0]:.1f}, head queries at least {strata.cited[1]:.1f}.",
        "",
        "| system | seeds | " + " | ".join(f"{g} ({int(groups[g].sum())})" for g in GROUPS)
        + " | new works | MRR@10 | Recall@100 |",
        "| --- | --- |" + " --- |" * (len(GROUPS) + 3),
    ]  # fmt: skip
    for label in sorted(records, key=lambda one: order(one)):
        rows = records[label]
        cells = [spread(rows, split, "ndcg@10", groups[group]) for group in GROUPS]
        cells += [spread(rows, split, name, every) for name in ("new", "mrr@10", "recall@100")]
        lines.append(f"| {label} | {len(rows)} | " + " | ".join(cells) + " |")
    lines += ["", *differences(records, groups, split), "", *by_protocol(records, every, split)]
    return "\n".join(lines)


def differences(
    records: dict[str, list[dict[str, Any]]], groups: dict[str, NDArray[Any]], split: str
) -> list[str]:
    """Relative gains of pairs of systems, by group."""
    lines = ["| nDCG@10 of | over | group | gain | 95 % interval | p |", "| --- |" + " --- |" * 5]
    for one, other in PAIRS:
        if one not in records or other not in records:
            continue
        left, right = (per_asking(records[name], split, "ndcg@10") for name in (one, other))
        rows = [(group, left[groups[group]], right[groups[group]]) for group in GROUPS]
        new = tuple(per_asking(records[name], split, "new") for name in (one, other))
        for group, mine, theirs in [*rows, ("new works", *new)]:
            found = compared(mine.tolist(), theirs.tolist())
            lines.append(
                f"| {one} | {other} | {group} | {found['gain']:+.1%} | "
                f"{found['low']:+.1%} to {found['high']:+.1%} | {found['p']:.1g} |"
            )
    return lines


def by_protocol(
    records: dict[str, list[dict[str, Any]]], every: NDArray[Any], split: str
) -> list[str]:
    """Top-1 and Top-10 among 1,024, and popularity."""
    lines = ["| system | Top-1 | Top-10 | popularity |", "| --- |" + " --- |" * 3]
    for label in sorted(records, key=lambda one: order(one)):
        cells = [spread(records[label], split, n, every) for n in ("top1", "top10", "popularity")]
        lines.append(f"| {label} | " + " | ".join(cells) + " |")
    return lines


def order(label: str) -> tuple[int, str]:
    """Untrained systems first, then the paper's, then ours, then fusions."""
    starts = ("BM25 +", "best", "paper", "LSA", "BM25")
    found = next((n for n, start in enumerate(starts) if label.startswith(start)), len(starts))
    return len(starts) - found, label
