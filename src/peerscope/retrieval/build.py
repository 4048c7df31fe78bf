"""From a catalogue and towers to a bundle in service: embed, index, fit, pass the gates, publish."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from peerscope.retrieval import gates
from peerscope.retrieval.bundle import BundleError, BundleStore, Manifest, new_name, open_bundle
from peerscope.retrieval.examples import Judged, judged_queries
from peerscope.retrieval.fusion import Fusion, HeldOut, fit, mean_ndcg
from peerscope.retrieval.histories import Histories
from peerscope.retrieval.index.items import ItemIndex
from peerscope.retrieval.keeping import save_towers
from peerscope.retrieval.query import SearchEngine
from peerscope.retrieval.schema import FloatArray, Interaction, Item, User
from peerscope.retrieval.spelling import Spelling
from peerscope.retrieval.text import Tokenizer
from peerscope.retrieval.towers import TwoTowers

Progress = Callable[[str, int, int | None], None]

CHUNK = 4096
HELD_OUT = 400

FEWEST_LINKS = 50
"""Held-out links below which the weights of the order are not fitted."""

ENCODED_WEIGHT = 0.7
"""Weight of the vectors beside the words, unfitted, where a sentence encoder made or taught them."""

KEPT_BUNDLES = 2


@dataclass(frozen=True, slots=True)
class BuildReport:
    """What came of a build: the bundle's name, whether it is in service, and each gate's result."""

    bundle: str
    published: bool
    items: int
    fusion: Fusion
    gates: tuple[gates.GateResult, ...]
    bytes: int

    @property
    def refusal(self) -> str:
        """Sentences of the gates that were not passed."""
        return " ".join(gate.sentence for gate in self.gates if not gate.passed)


def item_vectors(
    towers: TwoTowers, items: Sequence[Item], progress: Progress | None = None
) -> FloatArray:
    """Item vectors of a catalogue, shape ``[len(items), dim]``."""
    found = np.zeros((len(items), towers.dim), np.float32)
    for start in range(0, len(items), CHUNK):
        part = items[start : start + CHUNK]
        found[start : start + len(part)] = towers.embed_items(part)
        if progress is not None:
            progress("embedding works", start + len(part), len(items))
    return found


def build(
    items: Sequence[Item],
    interactions: Sequence[Interaction],
    store: BundleStore,
    *,
    users: Sequence[User] = (),
    towers: TwoTowers | None,
    vectors: FloatArray | None = None,
    tokenizer: Tokenizer | None = None,
    metadata: Mapping[str, Any] | None = None,
    engine: str = "auto",
    bounds: gates.Bounds | None = None,
    beside: Callable[[Path], None] | None = None,
    progress: Progress | None = None,
) -> BuildReport:
    """Build a bundle and put it into service if it passes its gates.

    Args:
        items: The catalogue.
        interactions: Pairs; those kept aside from training fit the fusion and judge the bundle.
        store: Where the bundles lie.
        users: Those with a profile or an earlier history.
        towers: The towers; ``None`` makes a bundle that searches by words only.
        vectors: Item vectors where they are known already, shape ``[len(items), towers.dim]``.
        tokenizer: The site's tokenizer (the towers' own where there are towers).
        metadata: Kept in the manifest.
        engine: Which index the bundle is for (`peerscope.retrieval.index.ENGINES`).
        bounds: What the gates demand.
        beside: Given the bundle's folder, puts further files into it before they are hashed.
        progress: Told of the stage.
    """
    report = progress or (lambda stage, done, total: None)
    bounds = bounds or gates.Bounds()
    tokenizer = towers.tokenizer if towers is not None else (tokenizer or Tokenizer())
    if vectors is None and towers is not None:
        vectors = item_vectors(towers, items, progress)
    if vectors is None:
        vectors = np.zeros((len(items), 1), np.float32)
    with store.stage() as staged:
        index = ItemIndex(vectors.shape[1], tokenizer, engine)
        index.upsert(items, vectors)
        index.snapshot(str(staged / "index"), report)
        index.close()
        spelling = Spelling.of(items, tokenizer)
        spelling.save(staged / "spelling.json")
        if towers is not None:
            save_towers(towers, staged / "towers")
        if beside is not None:
            beside(staged)
        opened = ItemIndex.open(str(staged / "index"), tokenizer)
        search = SearchEngine(opened, towers, Fusion(), tokenizer, spelling)
        report("fitting the order", 0, None)
        histories = Histories(users, interactions, (item.id for item in items))
        read = towers is None or not towers.titles_only
        judged = judged_queries(items, interactions, HELD_OUT, histories, titles=read)
        fitting, judging = judged[::2], judged[1::2]
        search.fusion = _fitted(search, items, fitting)
        report("passing the gates", 0, None)
        results = _gates(search, items, judging, vectors, store, staged, bounds)
        search.close()
        manifest = store.seal(
            staged,
            Manifest(
                id=new_name(),
                created=datetime.now(UTC).isoformat(timespec="seconds"),
                tokenizer=tokenizer.to_dict(),
                fusion=search.fusion.to_dict(),
                items=len(items),
                towers=towers is not None,
                gates=[result.to_dict() for result in results],
                metadata=dict(metadata or {}),
            ),
        )
        passed = all(result.passed for result in results)
        if passed:
            store.publish(staged, manifest)
            store.prune(KEPT_BUNDLES)
        else:
            store.reject(staged, manifest)
    size = sum(entry["bytes"] for entry in manifest.files.values())
    return BuildReport(manifest.id, passed, len(items), search.fusion, tuple(results), size)


def held_out_rows(
    engine: SearchEngine,
    items: Sequence[Item],
    judged: Sequence[Judged],
    *,
    second_look: bool = False,
) -> list[HeldOut]:
    """Candidates and features of held-out queries; titles are searched with their items untitled.

    With ``second_look`` links are judged as they are served. Titles are judged by the first order: they have
    one answer, and a second look asks what several have in common. What stands in a title counts nothing for
    them, since their answer's was taken away.
    """
    known = {item.id: item for item in items}
    bare = [
        replace(known[number], title="") for one in judged if one.untitled for number in one.grades
    ]
    untitled = SearchEngine(
        engine.index, engine.towers, engine.fusion, engine.tokenizer, engine.spelling
    )
    untitled.upsert(bare)
    rows = []
    for one in judged:
        if one.untitled:
            row = untitled.held_out(one.query, one.grades)
            rows.append(replace(row, title=np.zeros_like(row.title)))
        else:
            rows.append(
                engine.held_out(
                    one.query, one.grades, one.asker, user=one.user, second_look=second_look
                )
            )
    return rows


def _fitted(engine: SearchEngine, items: Sequence[Item], judged: Sequence[Judged]) -> Fusion:
    """Weights fitted on held-out links, or the default ones where there are too few.

    Titles that ask for their own texts cannot stand in: they share more meaning than words with them, so that
    weights fitted to them cost a tenth of nDCG@10 on judged queries (docs/benchmarks/retrieval.md).
    """
    if engine.towers is None:
        return Fusion(dense=0.0)
    front = engine.towers.front if isinstance(engine.towers, TwoTowers) else None
    encoded = front is not None and (front.encoder is not None or front.bag.taught)
    start = Fusion(dense=ENCODED_WEIGHT) if encoded else Fusion()
    links = [one for one in judged if not one.untitled]
    return fit(held_out_rows(engine, items, links), start) if len(links) >= FEWEST_LINKS else start


def _gates(
    engine: SearchEngine,
    items: Sequence[Item],
    judged: Sequence[Judged],
    vectors: FloatArray,
    store: BundleStore,
    staged: Path,
    bounds: gates.Bounds,
) -> list[gates.GateResult]:
    rows = held_out_rows(engine, items, judged, second_look=True)
    queries = [one.query for one in judged][:60] or [item.title for item in items[:60]]
    size = sum(path.stat().st_size for path in staged.rglob("*") if path.is_file())
    results = [
        gates.quality_gate(engine.fusion, rows, bounds),
        gates.continuity_gate(engine.fusion, rows, _before(store, items, judged), bounds),
        gates.latency_gate(engine, queries, bounds),
        gates.size_gate(size, bounds),
    ]
    if engine.towers is not None:
        results.append(gates.collapse_gate(vectors))
    return results


def _before(store: BundleStore, items: Sequence[Item], judged: Sequence[Judged]) -> float | None:
    """nDCG@10 of the bundle in service on the same queries, if it can be opened and knows their items."""
    name = store.current()
    if name is None or not judged:
        return None
    try:
        engine = open_bundle(store.path(name), verify=False)
    except (BundleError, OSError, ValueError):
        return None
    try:
        wanted = {number for one in judged for number in one.grades}
        if len(engine.index.known(sorted(wanted)).nonzero()[0]) < 0.9 * len(wanted):
            return None
        rows = held_out_rows(engine, items, judged, second_look=True)
        return mean_ndcg(engine.fusion, rows)
    finally:
        engine.close()
