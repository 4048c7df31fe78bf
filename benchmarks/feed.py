"""What will they want next? The feed asked for nothing, judged by the works that its readers cite next.

    python benchmarks/feed.py --out docs/benchmarks/feed.md   # three seeds, hep-th to February 1996

The site's own way: import, train, build, `discover.feed`. Trained on everything published before June 1995.
A reader is the author of a later work (`personal_hepth`); what they saved is what they had written or cited
before; whom they follow is the ten people whose works they met most, themselves left out. Relevant is what
the work cites and they had not met. The weights (`feed.WEIGHTS`) are chosen on the readers of June to August
1995, the figures are of September 1995 to February 1996. Needs the shared data (PEERSCOPE_SHARED).
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

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
MEASURES = ("recall@10", "recall@100", "ndcg@10")


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
    cited = Counter(session.scalars(select(Citation.cited_id).where(Citation.cited_id.is_not(None))))
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


def systems(session: Session, engine: SearchEngine, now: World) -> dict[str, Ranker]:
    """Every system by its label; baselines first."""
    popular = sorted(now.cited, key=lambda n: (-now.cited[n], n))

    def nearest(works: Sequence[int]) -> list[int]:
        return [int(n) for n in engine.neighbours_of(works, 400).ids]

    def fed(taste: Taste, towers: bool = True) -> list[int]:
        found = engine.wanted if towers else lambda *_: []
        return [entry.work_id for entry in feeding.feed(session, found, taste)]

    return {
        "most cited": lambda r: popular[:2000],
        "newest": lambda r: [n for n in now.newest if now.when[n] < r.when][:400],
        "nearest to the last saved": lambda r: nearest(r.met[:1]),
        "nearest to the mean of the saved": lambda r: nearest(r.met[:100]),
        "feed: meaning alone": lambda r: [
            hit.id
            for hit in engine.wanted(titles(session, r), r.met, feeding.NEAR)
        ],
        "feed: saves, without meaning": lambda r: fed(Taste(r.met, frozenset(r.met)), False),
        "feed: follows alone": lambda r: fed(Taste(people=r.people)),
        "feed: saves alone": lambda r: fed(Taste(r.met, frozenset(r.met))),
        "feed: saves and follows": lambda r: fed(Taste(r.met, frozenset(r.met), people=r.people)),
        "feed: first saved work alone": lambda r: fed(Taste(r.met[:1], frozenset(r.met[:1]))),
    }  # fmt: skip


def titles(session: Session, reader: Reader) -> list[str]:
    """Titles of what a reader met last."""
    known = feeding.work_titles(session, reader.met[: feeding.ASKING])
    return [known[n] for n in reader.met[: feeding.ASKING] if n in known]


def figures(ranker: Ranker, everyone: Sequence[Reader], now: World) -> np.ndarray:
    """Figures of each reader, shape ``[readers, 3]``."""
    return np.asarray([judged(ranker(one), one, now) for one in everyone])
