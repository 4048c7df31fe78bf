"""The collection of the serving benchmark: real works, and further items recombined from them.

    PEERSCOPE_SHARED=../shared python benchmarks/serving_data.py FOLDER 1000000

Every two-hundredth real work is kept out; its title is a query. Beyond the real works, an item takes the
first half of one real work's title and text and the second half of another's of the same subject (same signs
of eight latent dimensions). Vectors are latent semantic analysis of the real texts (`fit_bag`), applied to
every item's own text. ``group`` and ``year`` are drawn at random, so that filters let 1 % and 13 % through;
``source`` is the file a text came from: a filter that goes with the meaning.
"""

from __future__ import annotations

import argparse
import io
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import orjson
import zstandard

from peerscope.retrieval import Item, Tokenizer
from peerscope.retrieval.front import Front
from peerscope.retrieval.keeping import load_towers, save_towers
from peerscope.retrieval.lsa import fit_bag
from peerscope.retrieval.towers import Tower, TwoTowers, item_text

SOURCES = ("acl", "hepth", "arxiv_cs_2025_2026", "openalex_synergy9")
WIDTH = 128
KEPT_OUT = 200
CHUNK = 8192


def works(shared: Path) -> Iterator[tuple[str, str, str, str]]:
    """Source, title, text and names of every real work with a title."""
    for source in SOURCES:
        with (shared / "data" / "scholarly" / f"{source}.jsonl.zst").open("rb") as packed:
            lines = io.BufferedReader(zstandard.ZstdDecompressor().stream_reader(packed))
            for line in lines:
                stated = orjson.loads(line)
                title = (stated.get("title") or "").strip()
                if title:
                    names = " ".join(a["name"] for a in stated.get("authors", ())[:50])
                    yield source, title, (stated.get("abstract") or "").strip(), names


def halves(text: str) -> tuple[str, str]:
    """A text cut at the blank nearest to its middle."""
    words = text.split()
    return " ".join(words[: len(words) // 2]), " ".join(words[len(words) // 2 :])


def prepared(folder: Path, number: int, shared: Path) -> None:
    """Write ``items.jsonl``, ``vectors.npy``, ``queries.json`` and ``towers`` for a number of items."""
    real = list(works(shared))
    queries = [row for row in real[::KEPT_OUT] if len(row[1].split()) > 2]
    real = [row for place, row in enumerate(real) if place % KEPT_OUT]
    generator = np.random.default_rng(0)
    towers = shared_towers(folder, real)
    pooled = towers.front.embed([f"{row[1]}\n{row[2]}" for row in real])
    order = generator.permutation(len(real))[:number]
    rows = [real[place] for place in order]
    subject = (pooled[:, 1:9] > 0) @ (1 << np.arange(8))
    sources = np.asarray([SOURCES.index(row[0]) for row in real])
    alike: dict[tuple[int, int], list[int]] = {}
    for place, key in enumerate(zip(sources.tolist(), subject.tolist(), strict=True)):
        alike.setdefault(key, []).append(place)
    while len(rows) < number:
        first = int(generator.integers(len(real)))
        others = alike[int(sources[first]), int(subject[first])]
        second = others[int(generator.integers(len(others)))]
        (_, title, text, names), (_, title2, text2, _) = real[first], real[second]
        joined = [
            f"{halves(a)[0]} {halves(b)[1]}".strip() for a, b in ((title, title2), (text, text2))
        ]
        rows.append((real[first][0], joined[0] or title, joined[1], names))
    years, groups = generator.integers(2002, 2025, number), generator.integers(100, size=number)
    vectors = np.lib.format.open_memmap(
        folder / "vectors.part.npy", mode="w+", dtype=np.float32, shape=(number, WIDTH)
    )
    with (folder / "items.jsonl").open("wb") as written:
        for start in range(0, number, CHUNK):
            items = [
                Item(n + 1, title, text, names,
                     {"source": (source,), "year": (str(years[n]),), "group": (str(groups[n]),)})
                for n, (source, title, text, names) in enumerate(rows[start : start + CHUNK], start)
            ]  # fmt: skip
            vectors[start : start + len(items)] = towers.embed_items(items)
            written.writelines(orjson.dumps(item) + b"\n" for item in items)
            print("items", start + len(items), flush=True)
    vectors.flush()
    (folder / "queries.json").write_bytes(orjson.dumps([[row[0], row[1]] for row in queries]))
    (folder / "vectors.part.npy").rename(folder / "vectors.npy")


def shared_towers(folder: Path, real: list[tuple[str, str, str, str]]) -> TwoTowers:
    """Towers at their closed-form start over all real texts; made once, kept beside the collections."""
    place = folder.parent / "towers"
    if not place.exists():
        tokenizer = Tokenizer()
        texts = [item_text(Item(1, row[1], row[2])) for row in real]
        bag = fit_bag(texts, tokenizer, width=WIDTH)
        start = Tower.identity(WIDTH)
        save_towers(TwoTowers(Front(tokenizer, bag), (start,), start), place)
    return load_towers(place)


def load_items(folder: Path) -> list[Item]:
    """The items of a prepared collection."""
    with (folder / "items.jsonl").open("rb") as lines:
        return [
            Item(**{**stated, "fields": {k: tuple(v) for k, v in stated["fields"].items()}})
            for stated in map(orjson.loads, lines)
        ]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("number", type=int)
    given = parser.parse_args()
    folder = given.folder / str(given.number)
    if not (folder / "vectors.npy").exists():
        folder.mkdir(parents=True, exist_ok=True)
        prepared(folder, given.number, Path(os.environ["PEERSCOPE_SHARED"]))


if __name__ == "__main__":
    main()
