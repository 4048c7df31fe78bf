"""What the three files cost: reading, and the join of users and interactions, in memory and CPU time.

    python benchmarks/three_files.py    # 300,000 interactions, 20,000 items, 20,000 users; see --help

Makes Parquet files of that size (random words: only the amounts matter here), reads them, and prepares them
for training. A process of its own makes them, so that its memory is not counted.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow
import torch
from pyarrow import parquet

from peerscope.retrieval.examples import training_pairs
from peerscope.retrieval.files.catalogue import Files, read_catalogue
from peerscope.retrieval.front import Front
from peerscope.retrieval.histories import Histories
from peerscope.retrieval.learn.config import configured
from peerscope.retrieval.learn.data import Data
from peerscope.retrieval.learn.model import Model
from peerscope.retrieval.lsa import random_bag
from peerscope.retrieval.text import Tokenizer

WIDTH = 256
QUERIES_PER_EVENT = 1 / 6


def made(folder: Path, items: int, users: int, events: int) -> Files:
    """Files of the wanted size."""
    generator = np.random.default_rng(0)
    words = np.asarray([f"word{n}" for n in range(5000)])
    queries = np.asarray([f"query {n}" for n in range(max(int(events * QUERIES_PER_EVENT), 1))])
    tables = {
        "items": {
            "id": np.arange(items),
            "title": [" ".join(row) for row in words[generator.integers(5000, size=(items, 6))]],
            "brand": [f"brand {n % 500}" for n in range(items)],
        },
        "users": {
            "id": np.arange(users),
            "history": generator.integers(items, size=(users, 10)).tolist(),
            "town": [f"town {n % 50}" for n in range(users)],
        },
        "interactions": {
            "query": queries[generator.integers(len(queries), size=events)],
            "item_id": generator.integers(items, size=events),
            "user_id": generator.integers(users, size=events),
            "time": np.arange(events),
        },
    }
    for name, columns in tables.items():
        parquet.write_table(pyarrow.table(columns), folder / f"{name}.parquet")
    return Files(*(folder / f"{name}.parquet" for name in tables))


class Meter:
    """CPU time and peak memory since the last look."""

    def __init__(self) -> None:
        self._cpu, self._peak = time.process_time(), peak()

    def say(self, stage: str) -> None:
        """Print both."""
        cpu, now = time.process_time(), peak()
        print(f"| {stage} | {cpu - self._cpu:.1f} | {now - self._peak:.0f} |")
        self._cpu, self._peak = cpu, now


def peak() -> float:
    """Peak memory of this process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Print one table."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--interactions", type=int, default=300_000)
    asked.add_argument("--items", type=int, default=20_000)
    asked.add_argument("--users", type=int, default=20_000)
    given = asked.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as other:
            sizes = (given.items, given.users, given.interactions)
            files = other.submit(made, Path(folder), *sizes).result()
        print("| stage | CPU s | MB more |\n| --- | --- | --- |")
        meter = Meter()
        found = read_catalogue(files)
        meter.say("reading the three files")
    histories = Histories(found.users, found.interactions, (item.id for item in found.items))
    meter.say("sorting events by user and time")
    titles = [item.title for item in found.items]
    pairs = training_pairs(found.items, titles, found.interactions, histories=histories)
    meter.say("pairs")
    tokenizer = Tokenizer()
    bag = random_bag(titles[:2000], tokenizer, width=WIDTH, buckets=0, seed=0, progress=None)
    model = Model(Front(tokenizer, bag), configured("best", ["threads=1"]), {}, {})
    meter = Meter()
    Data(model, pairs, [], found.items)
    meter.say(f"queries as vectors of {WIDTH}, known answers")
    asked_bytes = pairs.histories.begins.nbytes + pairs.histories.cuts.nbytes
    print(
        f"\n{len(found.interactions):,} events take {found.interactions.nbytes / 1e6:.1f} MB as columns and "
        f"{histories.nbytes / 1e6:.1f} MB sorted; {len(pairs.asked):,} askings hold "
        f"{asked_bytes / 1e6:.1f} MB of histories, and {len(pairs.queries):,} queries a vector each."
    )


if __name__ == "__main__":
    main()
