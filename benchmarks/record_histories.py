"""Does a record without readers teach what a reader's history is worth? Authors stand in for readers.

    python benchmarks/record_histories.py                # three seeds, hep-th to February 1996
    python benchmarks/record_histories.py --seeds 1

The site's own way: import, catalogue, train, build, search. Trained on everything published before June 1995,
asked with the titles of later works by their authors (`personal_hepth`), who had written other works before;
relevant is what the new work cites, itself no answer. Once with the record's authors as users in training and
once without; each asked with the history and without. Needs the shared data (PEERSCOPE_SHARED).
"""

from __future__ import annotations

import argparse
import random
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import orjson
from personal_data import SHARED, judgements, lines
from sqlalchemy import select

from peerscope.discover.catalogue import catalogue, interactions
from peerscope.record import Database, ingest, resolve_people
from peerscope.record.importers import importer_for
from peerscope.record.models import SourceRecord
from peerscope.retrieval import BundleStore, Interaction, Item, User, build, open_bundle, train
from peerscope.retrieval.learn.config import TrainConfig
from peerscope.retrieval.metrics import ndcg

SINCE, UNTIL = "1995-06-01", "1996-03-01"
MOST = 500


@dataclass(frozen=True, slots=True)
class Asked:
    """A query with the work that asks it, what its author had written, newest first, and what it cites."""

    text: str
    own: int
    history: tuple[int, ...]
    grades: dict[int, float]


def record(folder: Path) -> Database:
    """The works until `UNTIL`, imported; those from `SINCE` on without their references."""
    path = folder / "hepth.jsonl"
    with path.open("wb") as stream:
        for work in lines(SHARED / "data" / "scholarly" / "hepth.jsonl.zst"):
            if work.get("date", "9999") < UNTIL:
                if work["date"] >= SINCE:
                    work = {name: value for name, value in work.items() if name != "references"}
                stream.write(orjson.dumps(work) + b"\n")
    database = Database(f"sqlite:///{folder / 'record.sqlite'}")
    database.migrate()
    ingest(database, importer_for(str(path)), str(path))
    resolve_people(database)
    return database


def questions(database: Database) -> list[Asked]:
    """Titles of the later works, at most `MOST`, evenly drawn."""
    with database.session() as session:
        rows = session.execute(select(SourceRecord.key, SourceRecord.work_id))
        number = {key: work for key, work in rows if work is not None}
    cited = judgements(SHARED / "data" / "bench" / "personal_hepth" / "qrels.tsv.zst")
    found = []
    for query in lines(SHARED / "data" / "bench" / "personal_hepth" / "queries.jsonl.zst"):
        if SINCE <= query["when"] < UNTIL and query["paper"] in number:
            grades = {number[one]: 1.0 for one in cited[query["_id"]] if one in number}
            history = tuple(number[one] for one in reversed(query["history"]) if one in number)
            if grades and history:
                found.append(Asked(query["text"], number[query["paper"]], history, grades))
    random.Random(0).shuffle(found)
    return found[:MOST]


def reached(
    items: Sequence[Item], pairs: Sequence[Interaction], asked: Iterable[Asked], seed: int
) -> dict[str, list[float]]:
    """nDCG@10 of each query, asked by nobody and by its author."""
    trained = train(items, pairs, TrainConfig(seed=seed, threads=1))
    assert trained is not None
    print(f"  {trained.note}", flush=True)
    found: dict[str, list[float]] = {"nobody": [], "author": []}
    with tempfile.TemporaryDirectory() as folder:
        store = BundleStore(Path(folder))
        report = build(items, pairs, store, towers=trained.towers)
        place = (
            store.path(report.bundle)
            if report.published
            else store.folder / "rejected" / report.bundle
        )
        engine = open_bundle(place)
        for one in asked:
            for name, user in (("nobody", None), ("author", User(history=one.history))):
                hits = engine.search(one.text, 11, user=user).hits
                found[name].append(ndcg([hit.id for hit in hits if hit.id != one.own], one.grades))
        engine.close()
    return found


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        database = record(Path(folder))
        with database.session() as session:
            items, pairs = list(catalogue(session)), interactions(session)
        asked = questions(database)
        database.close()
    nobody = [replace(pair, user_id=None, time=None) for pair in pairs if pair.query]
    print(f"{len(items):,} works, {len(asked)} queries")
    print("| authors as users in training | seed | nobody asks | the author asks | difference |")
    print("| --- | --- | --- | --- | --- |")
    for seed in range(given.seeds):
        for name, taught in (("no", nobody), ("yes", pairs)):
            found = {k: np.asarray(v) for k, v in reached(items, taught, asked, seed).items()}
            gain = found["author"] - found["nobody"]
            error = gain.std(ddof=1) / len(gain) ** 0.5
            print(
                f"| {name} | {seed} | {found['nobody'].mean():.4f} | {found['author'].mean():.4f} "
                f"| {gain.mean():+.4f} ± {error:.4f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
