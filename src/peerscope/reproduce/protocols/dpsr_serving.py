"""The way of a query in one process: text to vector to the thousand nearest items, and what it touches."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from peerscope.reproduce.harness import main
from peerscope.reproduce.papers.dpsr import PAPER
from peerscope.reproduce.protocol import Trial
from peerscope.reproduce.protocols.dpsr_hepth import hepth
from peerscope.retrieval import Tokenizer, TwoTowers, item_vectors
from peerscope.retrieval.embed import unit_rows
from peerscope.retrieval.front import Front
from peerscope.retrieval.index.cells import Cells
from peerscope.retrieval.learn.config import TrainConfig
from peerscope.retrieval.lsa import fit_bag
from peerscope.retrieval.schema import FloatArray
from peerscope.retrieval.training import closed_form

NEAREST = 1000


class Counted(np.ndarray[Any, Any]):
    """An array that counts the rows that are read of it."""

    read = 0

    def __getitem__(self, key: Any) -> Any:
        """As of any array; what comes out is a plain one."""
        found = np.asarray(self).__getitem__(key)
        type(self).read += len(found) if np.ndim(found) > 1 else 1
        return found


def run(trial: Trial) -> None:
    """Index copies of a collection, ask it its later titles, and compare with looking at every vector."""
    collection = hepth(trial)
    tokenizer = Tokenizer()
    bag = fit_bag([item.title for item in collection.items], tokenizer, width=64, seed=trial.seed)
    towers = closed_form(Front(tokenizer, bag), TrainConfig(history="none"))
    vectors = _copies(item_vectors(towers, collection.items), int(trial["copies"]), trial.seed)
    trial.progress("index", 0, 1)
    cells = Cells.of(vectors, trial.seed)
    trial.progress("index", 1, 1)
    trial.log(f"{len(vectors):,} items in {len(cells.directions)} groups, effort {cells.effort:g}")
    texts = [one.text for one in collection.asked]
    _ask(trial, towers, cells, vectors, texts)


def _copies(vectors: FloatArray, copies: int, seed: int) -> FloatArray:
    """The vectors, and ever more disturbed copies of them, to make a larger catalogue of the same shape."""
    chance = np.random.default_rng((seed, 6))
    scale = 0.5 / np.sqrt(vectors.shape[1])
    parts = [vectors]
    for _ in range(copies - 1):
        noise = chance.standard_normal(vectors.shape, dtype=np.float32)
        parts.append(unit_rows(vectors + np.float32(scale) * noise))
    return np.concatenate(parts)


def _ask(
    trial: Trial, towers: TwoTowers, cells: Cells, vectors: FloatArray, texts: Sequence[str]
) -> None:
    number = min(NEAREST, len(vectors))
    spent, exhaustive, found = [], [], []
    for text in texts:
        began = time.process_time()
        query = towers.embed_queries([text])[0, 0]
        rows, _ = cells.nearest(query, number, vectors)
        spent.append(1000 * (time.process_time() - began))
        began = time.process_time()
        query = towers.embed_queries([text])[0, 0]
        scores = vectors @ query
        exact = np.argsort(-scores, kind="stable")[:number]
        exhaustive.append(1000 * (time.process_time() - began))
        found.append(round(float(np.isin(exact, rows).mean()), 4))
    trial.figure("milliseconds/index", np.round(spent, 3))
    trial.figure("milliseconds/every", np.round(exhaustive, 3))
    trial.figure("recall", found)
    touched = _touched(towers, cells, vectors, texts, number)
    trial.figure("touched", touched)
    trial.log(
        f"{np.mean(spent):.2f} ms of processor time a query, {np.mean(exhaustive):.2f} by comparing all; "
        f"{100 * np.mean(touched):.1f} % of the items touched, {np.mean(found):.4f} of the nearest found"
    )


def _touched(
    towers: TwoTowers, cells: Cells, vectors: FloatArray, texts: Sequence[str], number: int
) -> list[float]:
    """Items whose code or vector is read, a share of all, for each query."""
    codes, watched = cells.codes, vectors.view(Counted)
    cells.codes = codes.view(Counted)
    shares = []
    for text in texts:
        Counted.read = 0
        cells.nearest(towers.embed_queries([text])[0, 0], number, watched)
        shares.append(round(Counted.read / len(vectors), 5))
    cells.codes = codes
    return shares


if __name__ == "__main__":
    main(PAPER, "dpsr_serving")
