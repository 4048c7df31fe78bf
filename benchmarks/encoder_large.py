"""Training beside the sentence encoder on a large site, and the weights that its held-out queries speak for.

    peerscope import acl.jsonl.zst --home FOLDER
    python benchmarks/encoder_large.py FOLDER --learning-rate 0.001 0.0001 --epochs 3

Encodings are kept in FOLDER/encodings, so that only the first run encodes (half an hour of a core for 100,000
works). Towers of each rate are kept in FOLDER too, and are not trained again.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from peerscope.cli.context import open_record
from peerscope.discover.catalogue import catalogue, interactions
from peerscope.retrieval import load_towers, save_towers, train
from peerscope.retrieval.build import HELD_OUT, build, held_out_rows, item_vectors
from peerscope.retrieval.bundle import BundleStore, open_bundle
from peerscope.retrieval.encoder import installed_encoder
from peerscope.retrieval.encodings import EncodingCache
from peerscope.retrieval.examples import judged_queries
from peerscope.retrieval.fusion import Fusion, ndcgs
from peerscope.retrieval.histories import Histories
from peerscope.retrieval.learn.config import best
from peerscope.settings import Settings

WEIGHTS = (0.0, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 1.5, 2.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("home", type=Path)
    parser.add_argument("--learning-rate", type=float, nargs="+", default=[1e-3, 1e-4])
    parser.add_argument("--epochs", type=int, default=3)
    given = parser.parse_args()
    settings = Settings(home=given.home)
    encoder = installed_encoder(settings.encoder)
    if encoder is None:
        raise SystemExit("No sentence encoder is installed: see docs/encoder.md.")
    kept = EncodingCache(settings.encodings, encoder)
    with open_record(settings, create=False).session() as session:
        items, pairs = list(catalogue(session)), interactions(session)
    histories = Histories([], pairs, (item.id for item in items))
    judged = judged_queries(items, pairs, HELD_OUT, histories)
    for rate in given.learning_rate:
        folder = given.home / f"towers-{rate:g}"
        if not folder.exists():
            began = time.process_time()
            config = best(threads=1, epochs=given.epochs, learning_rate=rate)
            trained = train(items, pairs, config, encoder=kept)
            assert trained is not None
            save_towers(trained.towers, folder)
            print(f"rate {rate:g}: {trained.note} {trained.figures.get('passes')}")
            print(f"{time.process_time() - began:.0f} s of processor time", flush=True)
        towers = load_towers(folder)
        vectors = item_vectors(towers.reading_by(kept), items)
        store = BundleStore(given.home / "trials")
        report = build(items, pairs, store, towers=towers, vectors=vectors)
        print(report.fusion, *(gate.sentence for gate in report.gates), sep="\n")
        engine = open_bundle(store.path(report.bundle), verify=False)
        links = [one for one in judged if not one.untitled]
        rows = {
            "links": held_out_rows(engine, items, links),
            "links, second look": held_out_rows(engine, items, links, second_look=True),
            "own": held_out_rows(engine, items, [one for one in judged if one.untitled]),
        }
        for name, queries in rows.items():
            weights = [
                Fusion(dense=dense) if "second" in name else Fusion(1.0, dense, 0.0, 0.0, 0.0)
                for dense in WEIGHTS
            ]
            found = [np.mean(ndcgs(weight, queries)) for weight in weights]
            print(f"| {name} | " + " | ".join(f"{value:.4f}" for value in found) + " |", flush=True)


if __name__ == "__main__":
    main()
