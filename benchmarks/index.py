"""Both ways to search vectors, on the same vectors and words, in one run.

    python benchmarks/index.py            # 100,000 items of 128 dimensions
    python benchmarks/index.py --small    # 5,000 items, to see that it runs

Vectors are clustered and of low rank (24 latent dimensions and noise), filters let 13 % and 1 % through.
Milliseconds are processor time of this process; benchmarks/serving.py measures real texts, a million items
and other engines.
"""

from __future__ import annotations

import argparse
import platform
import tempfile
import time
from importlib.metadata import version

import numpy as np

from peerscope.retrieval import Filter, Item, Tokenizer
from peerscope.retrieval.index import ItemIndex

DIM, K, QUERIES = 128, 10, 200


def catalogue(number: int) -> tuple[list[Item], np.ndarray]:
    generator = np.random.default_rng(0)
    latent = generator.normal(size=(50, 24))[generator.integers(50, size=number)]
    latent = latent + 0.6 * generator.normal(size=latent.shape)
    rows = latent @ generator.normal(size=(24, DIM)) + 0.3 * generator.normal(size=(number, DIM))
    rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    words = [f"word{n}" for n in generator.zipf(1.3, size=number * 12) % 20_000]
    years, groups = generator.integers(2002, 2025, number), generator.integers(100, size=number)
    items = [
        Item(n + 1, " ".join(words[12 * n : 12 * n + 12]),
             fields={"year": (str(years[n]),), "group": (str(groups[n]),)})
        for n in range(number)
    ]  # fmt: skip
    return items, rows


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--small", action="store_true")
    number = 5_000 if parser.parse_args().small else 100_000
    items, rows = catalogue(number)
    filters = {
        "no filter": None,
        "13 %": Filter(ranges={"year": (2022, None)}),
        "1 %": Filter(any_of={"group": ("7",)}),
    }
    print(f"{platform.platform()}, Python {platform.python_version()}, numpy {version('numpy')}, "
          f"scipy {version('scipy')}, {number:,} x {DIM}, k={K}, seed 0")  # fmt: skip
    asked = rows[:: max(1, number // QUERIES)][:QUERIES]
    tokenizer = Tokenizer()
    truth: dict[str, list[set[int]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for engine in ("exact", "ivf"):
            began = time.process_time()
            built = ItemIndex(DIM, tokenizer, engine)
            built.upsert(items, rows)
            built.snapshot(f"{folder}/{engine}")
            print(f"| {engine} | build | {time.process_time() - began:.1f} s | |")
            began = time.process_time()
            index = ItemIndex.open(f"{folder}/{engine}", tokenizer)
            print(f"| {engine} | open | {1000 * (time.process_time() - began):.1f} ms | |")
            for name, where in filters.items():
                began = time.process_time()
                found = [set(index.search_dense(q, K, where).ids.tolist()) for q in asked]
                spent = 1000 * (time.process_time() - began) / len(asked)
                truth.setdefault(name, found)
                recall = np.mean(
                    [len(a & b) / max(len(b), 1) for a, b in zip(found, truth[name], strict=True)]
                )
                print(f"| {engine} | {name} | {spent:.2f} ms a query | recall {recall:.3f} |")
            began = time.process_time()
            for item in items[:: max(1, number // 100)][:100]:
                index.search_lexical(" ".join(item.title.split()[:3]), K)
            print(f"| {engine} | words | {10 * (time.process_time() - began):.2f} ms a query | |")
            index.close()


if __name__ == "__main__":
    main()
