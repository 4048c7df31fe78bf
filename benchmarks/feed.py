"""What will they want next? The feed asked for nothing, judged by the works that its readers cite next.

    python benchmarks/feed.py --out docs/benchmarks/feed.md   # three seeds, hep-th to February 1996
    python benchmarks/feed.py --choose                        # the weights

The site's own way: import, train, build, `discover.feed`. Trained on everything published before June 1995.
A reader is the author of a later work (`personal_hepth`); what they saved is what they had written or cited
before; whom they follow is the ten people whose works they met most, themselves left out. Relevant is what
the work cites and they had not met. The weights (`feed.WEIGHTS`) are chosen on the readers of June to August
1995, the figures are of September 1995 to February 1996. Needs the shared data (PEERSCOPE_SHARED).
"""

from __future__ import annotations

import argparse
import platform
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from personal_data import SHARED, judgements, lines
from personal_measure import compared
from record_histories import SINCE, UNTIL, record
from sqlalchemy import select
from sqlalchemy.orm import Session

from peerscope.discover import feed as feeding
from peerscope.discover.catalogue import catalogue, interactions
from peerscope.discover.taste import Taste
from peerscope.record.models import Authorship, Citation, SourceRecord, Work
from peerscope.retrieval import BundleStore, SearchEngine, build, open_bundle, train
from peerscope.retrieval.learn.config import TrainConfig

JUDGED_FROM = "1995-09-01"
MOST = {"dev": 200, "test": 500}
FOLLOWS = 10
DEPTH = 100


@dataclass(frozen=True, slots=True)
class Reader:
    """Somebody at one time: what they met, newest first, whom they follow, what they cite next."""

    when: str
    own: int
    met: tuple[int, ...]
    people: tuple[int, ...]
    next: frozenset[int]


@dataclass(frozen=True, slots=True)
class World:
    """The record, as the benchmark needs it: when each work appeared, its citations before `SINCE`."""

    when: Mapping[int, str]
    cited: Mapping[int, int]
    newest: Sequence[int]


def world(session: Session) -> World:
    """When each work appeared and how often it was cited by works before `SINCE`."""
    rows = session.execute(select(Work.id, Work.publication_date)).all()
    when = {number: date or "9999" for number, date in rows}
    cited = Counter(
        session.scalars(select(Citation.cited_id).where(Citation.cited_id.is_not(None)))
    )
    newest = sorted(when, key=lambda n: (when[n], n), reverse=True)
    return World(when, cited, newest)


def readers(session: Session) -> dict[str, list[Reader]]:
    """The readers of both periods, evenly drawn in order of time."""
    rows = session.execute(select(SourceRecord.key, SourceRecord.work_id))
    number = {key: work for key, work in rows if work is not None}
    wrote: dict[int, list[int]] = {}
    for work, person in session.execute(select(Authorship.work_id, Authorship.person_id)):
        if person is not None:
            wrote.setdefault(work, []).append(person)
    cites: dict[int, list[int]] = {}
    for citing, cited in session.execute(select(Citation.citing_id, Citation.cited_id)):
        if cited is not None:
            cites.setdefault(citing, []).append(cited)
    relevant = judgements(SHARED / "data" / "bench" / "personal_hepth" / "qrels.tsv.zst")
    found: dict[str, list[Reader]] = {"dev": [], "test": []}
    for query in lines(SHARED / "data" / "bench" / "personal_hepth" / "queries.jsonl.zst"):
        if not SINCE <= query["when"] < UNTIL or query["paper"] not in number:
            continue
        written = [number[one] for one in reversed(query["history"]) if one in number]
        met = tuple(dict.fromkeys(w for one in written for w in (one, *cites.get(one, ()))))
        after = {number[one] for one in relevant[query["_id"]] if one in number} - set(met)
        own = number[query["paper"]]
        if not met or not after:
            continue
        them = set(wrote.get(own, ()))
        often = Counter(p for work in met for p in wrote.get(work, ()) if p not in them)
        people = tuple(p for p, _ in sorted(often.items(), key=lambda x: (-x[1], x[0]))[:FOLLOWS])
        split = "test" if query["when"] >= JUDGED_FROM else "dev"
        found[split].append(Reader(query["when"], own, met, people, frozenset(after)))
    for split, most in MOST.items():
        everyone = sorted(found[split], key=lambda one: (one.when, one.own))
        step = max(1.0, len(everyone) / most)
        found[split] = [everyone[int(n * step)] for n in range(min(most, len(everyone)))]
    return found


def judged(ranking: Sequence[int], reader: Reader, now: World) -> tuple[float, ...]:
    """Recall@10, Recall@100, nDCG@10 among the works that existed and were not met."""
    gone = {reader.own, *reader.met}
    left = [n for n in ranking if now.when[n] < reader.when and n not in gone][:DEPTH]
    hit = [n in reader.next for n in left]
    gains = sum(1 / np.log2(n + 2) for n, right in enumerate(hit[:10]) if right)
    ideal = sum(1 / np.log2(n + 2) for n in range(min(10, len(reader.next))))
    return sum(hit[:10]) / len(reader.next), sum(hit) / len(reader.next), gains / ideal


Ranker = Callable[[Reader], Sequence[int]]


def baselines(now: World) -> dict[str, Ranker]:
    """Orders that nothing is learned for."""
    popular = sorted(now.cited, key=lambda n: (-now.cited[n], n))
    return {
        "most cited": lambda r: popular[:2000],
        "newest": lambda r: [n for n in now.newest if now.when[n] < r.when][:400],
    }


def systems(session: Session, engine: SearchEngine) -> dict[str, Ranker]:
    """Every system of a bundle by its label."""

    def nearest(works: Sequence[int]) -> list[int]:
        return [int(n) for n in engine.neighbours_of(works, 400).ids]

    def fed(reader: Reader, taste: Taste, towers: bool = True) -> list[int]:
        wanted = engine.wanted if towers else lambda *_: []
        day = date.fromisoformat(reader.when)
        return [one.work_id for one in feeding.feed(session, wanted, taste, today=day)]

    def without(kind: str, reader: Reader, taste: Taste) -> list[int]:
        kept, feeding.WEIGHTS[kind] = feeding.WEIGHTS[kind], 0.0
        try:
            return fed(reader, taste)
        finally:
            feeding.WEIGHTS[kind] = kept

    def saves(reader: Reader) -> Taste:
        return Taste(reader.met, frozenset(reader.met))

    def both(reader: Reader) -> Taste:
        return Taste(reader.met, frozenset(reader.met), people=reader.people)

    return {
        "nearest to the last saved": lambda r: nearest(r.met[:1]),
        "nearest to the mean of the saved": lambda r: nearest(r.met[:100]),
        "towers alone (`engine.wanted`)": lambda r: [
            hit.id for hit in engine.wanted(titles(session, r), r.met, feeding.NEAR)
        ],
        "feed, first saved work alone": lambda r: fed(r, Taste(r.met[-1:], frozenset(r.met[-1:]))),
        "feed, last saved work alone": lambda r: fed(r, Taste(r.met[:1], frozenset(r.met[:1]))),
        "feed, follows": lambda r: fed(r, Taste(people=r.people)),
        "feed, saves": lambda r: fed(r, saves(r)),
        "feed, saves and follows": lambda r: fed(r, both(r)),
        "the same without towers": lambda r: fed(r, both(r), towers=False),
        "the same without citations": lambda r: without("citing", r, both(r)),
        "the same without newness": lambda r: without("fresh", r, both(r)),
        "the same without spreading people": lambda r: crowded(lambda: fed(r, both(r))),
    }


def crowded(make: Callable[[], list[int]]) -> list[int]:
    """A feed in which one person may have all the places."""
    kept, feeding.MOST_OF_ONE = feeding.MOST_OF_ONE, 10**6
    try:
        return make()
    finally:
        feeding.MOST_OF_ONE = kept


def titles(session: Session, reader: Reader) -> list[str]:
    """Titles of what a reader met last."""
    known = feeding.work_titles(session, reader.met[: feeding.ASKING])
    return [known[n] for n in reader.met[: feeding.ASKING] if n in known]


def figures(ranker: Ranker, everyone: Sequence[Reader], now: World) -> np.ndarray:
    """Figures of each reader, shape ``[readers, 3]``."""
    return np.asarray([judged(ranker(one), one, now) for one in everyone])


def measured(session: Session, items: list[Any], pairs: list[Any], seeds: int) -> Measured:
    """Figures of every system, shape ``[seeds, readers, 3]``, and what else the report says."""
    now, everyone = world(session), readers(session)["test"]
    found = {name: figures(ranker, everyone, now)[None] for name, ranker in baselines(now).items()}
    runs: dict[str, list[np.ndarray]] = {}
    notes, milliseconds = [], []
    for seed in range(seeds):
        with served(items, pairs, seed) as (engine, note):
            notes.append(note)
            for name, ranker in systems(session, engine).items():
                began = time.process_time()
                runs.setdefault(name, []).append(figures(ranker, everyone, now))
                if name == MAIN:
                    milliseconds.append((time.process_time() - began) / len(everyone) * 1000)
        print(f"seed {seed}: {note}", flush=True)
    found |= {name: np.stack(one) for name, one in runs.items()}
    return Measured(found, everyone, len(items), notes, float(np.mean(milliseconds)))


@contextmanager
def served(items: list[Any], pairs: list[Any], seed: int) -> Iterator[tuple[SearchEngine, str]]:
    """A bundle of towers trained with a seed, opened, and what training said."""
    trained = train(items, pairs, TrainConfig(seed=seed, threads=1))
    assert trained is not None
    with tempfile.TemporaryDirectory() as folder:
        store = BundleStore(Path(folder))
        built = build(items, pairs, store, towers=trained.towers)
        assert built.published, built.refusal
        engine = open_bundle(store.path(built.bundle))
        yield engine, trained.note
        engine.close()


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured: figures by system, the readers, works, notes of the trainings, time of one feed."""

    figures: Mapping[str, np.ndarray]
    readers: Sequence[Reader]
    works: int
    notes: Sequence[str]
    milliseconds: float


def report(found: Measured, seconds: float) -> str:
    """The page of the documentation."""
    main = found.figures[MAIN].mean(axis=0)
    told = [
        HEAD.format(
            works=found.works, readers=len(found.readers), seeds=len(found.notes),
            met=float(np.median([len(one.met) for one in found.readers])),
            next=float(np.mean([len(one.next) for one in found.readers])),
            milliseconds=found.milliseconds, minutes=seconds / 60, today=date.today(),
            python=platform.python_version(), numpy=np.__version__,
            weights=", ".join(f"{name} {value:g}" for name, value in feeding.WEIGHTS.items()),
        ),
        "| system | Recall@10 | Recall@100 | nDCG@10 | nDCG@10 of the feed beside it |",
        "| --- | --- | --- | --- | --- |",
    ]  # fmt: skip
    for name, runs in found.figures.items():
        means = runs.mean(axis=(1,))
        cells = [
            f"{mean:.4f}" + (f" ± {deviation:.4f}" if len(runs) > 1 else "")
            for mean, deviation in zip(
                means.mean(axis=0),
                means.std(axis=0, ddof=1) if len(runs) > 1 else means[0] * 0,
                strict=True,
            )
        ]
        beside = "–"
        if name != MAIN:
            gain = compared(main[:, 2], runs.mean(axis=0)[:, 2])
            beside = f"{gain['gain']:+.0%} ({gain['low']:+.0%} to {gain['high']:+.0%}, p {gain['p']:.1g})"
        told.append(f"| {name} | {' | '.join(cells)} | {beside} |")
    return "\n".join(told) + "\n"


MAIN = "feed, saves and follows"
HEAD = """# What will they want next?

The [feed](../for-you.md), asked for nothing, judged by the works that its readers cite next. A reader is
the author of a hep-th work that appeared from September 1995 to February 1996. What they saved is what they
had written or cited before (the median reader {met:.0f} works); whom they follow is the ten people whose
works they had met most, themselves left out. Relevant is what the new work cites and they had not met
({next:.1f} works on average), among the works that existed on that day. {works:,} works, {readers} readers,
towers trained on what was published before June 1995.

    python benchmarks/feed.py --out docs/benchmarks/feed.md     # the table
    python benchmarks/feed.py --choose                          # the weights

Measured on {today}, Python {python}, NumPy {numpy}, one thread: {minutes:.0f} minutes of CPU in all,
{milliseconds:.0f} ms for one feed. `±` is the deviation between {seeds} trainings of the towers; intervals
(95 %, bootstrap over readers) and p (paired t-test) are of the mean over trainings.

Weights: {weights}.
"""

GRID = (0.0, 0.02, 0.05, 0.1, 0.2, 0.4)
CHOSEN = ("citing", "cited", "person", "fresh")


def choose(session: Session, engine: SearchEngine) -> dict[str, float]:
    """Weights by coordinate ascent on nDCG@10 + Recall@100 of the readers of June to August 1995.

    ``meaning`` is the unit; the record has no topics, so that ``topic`` cannot be chosen here.
    """
    now, everyone = world(session), readers(session)["dev"]
    ranker = systems(session, engine)[MAIN]

    def reached() -> float:
        found = figures(ranker, everyone, now).mean(axis=0)
        return float(found[1] + found[2])

    top = reached()
    print(f"{feeding.WEIGHTS}: {top:.4f}", flush=True)
    for kind in CHOSEN:
        for value in GRID:
            kept, feeding.WEIGHTS[kind] = feeding.WEIGHTS[kind], value
            here = reached()
            print(f"  {kind} {value}: {here:.4f}", flush=True)
            if here > top + 1e-4:
                top = here
            else:
                feeding.WEIGHTS[kind] = kept
    print(f"{feeding.WEIGHTS}: {top:.4f}", flush=True)
    return dict(feeding.WEIGHTS)


def main() -> None:
    """Measure and write the report."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--choose", action="store_true", help="choose the weights instead")
    given = parser.parse_args()
    began = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        database = record(Path(folder))
        with database.session() as session:
            items, pairs = list(catalogue(session)), interactions(session)
            if given.choose:
                with served(items, pairs, 0) as (engine, _):
                    choose(session, engine)
                return
            found = measured(session, items, pairs, given.seeds)
        database.close()
    text = report(found, time.process_time() - began)
    print(text)
    if given.out:
        given.out.write_text(text)


if __name__ == "__main__":
    main()
