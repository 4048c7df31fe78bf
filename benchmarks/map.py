"""Ways to a map of a published site: time, memory, nearness kept, how far points move; and serving it.

    python benchmarks/map.py FOLDER [FOLDER...] --part 20000 --keep RESULTS --out docs/benchmarks/map.md

Each FOLDER is a site with a bundle that has vectors; nothing in it is changed. Every way runs in a process
of its own, one thread; of a larger site the ways are compared on a random part. Nearness is judged on 2,000
works whose true nearest are found by comparing all vectors, not by the site's index. What was measured is
kept in RESULTS and not measured again.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from peerscope.retrieval import BundleStore
from peerscope.retrieval.bundle import open_items
from peerscope.retrieval.planar import (
    Frame,
    kept_near,
    principal_plane,
    trustworthiness,
    turned_onto,
)
from peerscope.retrieval.tsne import COLD, WARM, Schedule, started_small, tsne
from peerscope.settings import Settings

SAMPLE, NEAR = 2000, 10
HALF = Schedule(early=125, late=250)
NOISE, DROPPED = 0.1, 0.05
WAYS = {
    "pca": "PCA",
    "tsne": "t-SNE, 15 equal neighbours, 250 + 500 iterations (the site's)",
    "half": "the same, 125 + 250 iterations",
    "perplexity": "t-SNE, perplexity 30 (90 neighbours, weighted), 250 + 500 iterations",
    "warm": "the site's, from the map before, 250 iterations",
    "cold": "the site's, begun anew on the changed vectors",
}


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def site(folder: Path, part: int) -> np.ndarray:
    """Vectors of the works that have one; of a random part where there are more."""
    store = BundleStore(Settings(home=folder).bundles)
    name = store.current()
    assert name, f"{folder} has no bundle in service"
    index = open_items(store.path(name))
    ids = index.ids()
    vectors = index.vectors(ids.tolist())
    vectors = vectors[np.linalg.norm(vectors, axis=1) > 0]
    chosen = np.random.default_rng(5).permutation(len(vectors))[:part]
    return np.ascontiguousarray(vectors[np.sort(chosen)])


def true_near(vectors: np.ndarray, rows: np.ndarray, k: int) -> np.ndarray:
    """The nearest others by comparing all."""
    found = np.empty((len(rows), k), np.int64)
    for start in range(0, len(rows), 500):
        part = rows[start : start + 500]
        likeness = vectors[part] @ vectors.T
        likeness[np.arange(len(part)), part] = -np.inf
        best = np.argpartition(-likeness, k, axis=1)[:, :k]
        order = np.argsort(-np.take_along_axis(likeness, best, axis=1), axis=1)
        found[start : start + 500] = np.take_along_axis(best, order, axis=1)
    return found


def changed(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """As after another training: some works gone, every vector a little different."""
    generator = np.random.default_rng(7)
    rows = np.sort(generator.permutation(len(vectors))[: int(len(vectors) * (1 - DROPPED))])
    noise = unit(generator.normal(size=(len(rows), vectors.shape[1])))
    return rows, unit(vectors[rows] + NOISE * noise).astype(np.float32)


def one(folder: Path, way: str, work: Path, part: int) -> dict[str, Any]:
    """Run one way and judge it."""
    vectors = site(folder, part)
    number = len(vectors)
    rows = np.arange(number)
    if way in ("warm", "cold"):
        rows, vectors = changed(vectors)
    k = {"pca": 0, "perplexity": 90}.get(way, 15)
    file = work / f"near-{k}-{'changed' if way in ('warm', 'cold') else 'own'}.npy"
    looked = 0.0
    if k and not file.exists():
        began = time.process_time()
        near = true_near(vectors, np.arange(len(vectors)), k)
        looked = time.process_time() - began
        np.save(file, near)
    began, clock = time.process_time(), time.perf_counter()
    plane = principal_plane(vectors)
    if way == "pca":
        places = plane
    else:
        near = np.load(file)
        if way == "perplexity":
            places = weighted(vectors, near, started_small(plane))
        elif way == "warm":
            places = tsne(near, np.load(work / "tsne.npy")[rows], schedule=WARM)
        else:
            places = tsne(near, started_small(plane), schedule=HALF if way == "half" else COLD)
    spent, waited = time.process_time() - began, time.perf_counter() - clock
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    np.save(work / f"{way}.npy", places)
    sample = np.sort(np.random.default_rng(1).permutation(len(vectors))[:SAMPLE])
    told = {
        "works": len(vectors), "dim": vectors.shape[1], "looked": looked, "seconds": spent,
        "waited": waited, "memory": memory,
        "kept": kept_near(true_near(vectors, sample, NEAR), places, sample),
        "trust": trustworthiness(vectors, places, sample, NEAR),
    }  # fmt: skip
    if way in ("warm", "cold"):
        earlier = np.load(work / "tsne.npy")
        frame = Frame.of(earlier)
        before = frame.placed(earlier[rows])
        after = frame.placed(turned_onto(places, np.arange(len(rows)), earlier[rows]))
        gaps = np.linalg.norm(after - before, axis=1)
        told["moved"] = [float(np.quantile(gaps, q)) for q in (0.5, 0.9)]
        own = np.load(work / "near-15-own.npy")[rows][:, :10]
        back = np.full(number, -1)
        back[rows] = np.arange(len(rows))
        near = np.load(file)[:, :10]
        told["same"] = float(
            np.mean([len(set(a) & set(back[b])) for a, b in zip(near, own, strict=True)]) / 10
        )
    return told


def weighted(vectors: np.ndarray, near: np.ndarray, start: np.ndarray) -> np.ndarray:
    """openTSNE's usual way, from the same start."""
    from openTSNE import TSNEEmbedding
    from openTSNE.affinity import PerplexityBasedNN
    from openTSNE.nearest_neighbors import PrecomputedNeighbors

    likeness = np.stack([vectors[row] @ vectors[those].T for row, those in enumerate(near)])
    gaps = np.sqrt(np.maximum(2 - 2 * likeness, 1e-12))
    pull = PerplexityBasedNN(
        knn_index=PrecomputedNeighbors(near, gaps), perplexity=30, k_neighbors=90, n_jobs=1
    )
    made = TSNEEmbedding(start, pull, random_state=0)
    made = made.optimize(250, exaggeration=12, momentum=0.8, n_jobs=1, learning_rate="auto")
    return np.asarray(
        made.optimize(500, exaggeration=1, momentum=0.8, n_jobs=1, learning_rate="auto")
    )


def apart(arguments: list[str]) -> dict[str, Any]:
    """The same program in a process of its own; what it prints last."""
    done = subprocess.run(
        [sys.executable, __file__, *arguments], capture_output=True, text=True, check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def whole(folder: Path) -> dict[str, Any]:
    """The command on a copy of the site: time, memory, the map; then its pages and tiles."""
    from peerscope.discover.maps import make_map
    from peerscope.record import Database

    settings = Settings(home=folder)
    database = Database(settings.record_url)
    began, clock = time.process_time(), time.perf_counter()
    stages: list[list[Any]] = []

    def progress(stage: str, done: int, total: int | None) -> None:
        if not stages or stages[-1][0] != stage:
            stages.append([stage, time.process_time()])

    made = make_map(settings, database, progress, again=True)
    assert made.about
    ended = time.process_time()
    starts = [*(at for _, at in stages), ended]
    told: dict[str, Any] = {
        "seconds": ended - began, "waited": time.perf_counter() - clock,
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "stages": [[stage, starts[n + 1] - at] for n, (stage, at) in enumerate(stages)],
        "kept": made.about.kept, "works": made.about.works,
        "disk": sum(one["bytes"] for one in made.about.files.values()),
    }  # fmt: skip
    database.close()
    return told | served(folder)


def served(folder: Path) -> dict[str, Any]:
    """The map that a site has, and what serving it costs."""
    from fastapi.testclient import TestClient

    from peerscope.discover import SiteDiscovery
    from peerscope.discover.maps import MapStore
    from peerscope.record import Database, count_statements
    from peerscope.web import create_app

    settings = Settings(home=folder)
    database = Database(settings.record_url)
    store = MapStore(settings.maps)
    about, works, tiles, regions = store.opened(store.bundles()[-1])
    told: dict[str, Any] = {}
    told["regions"] = [sum(one.level == level for one in regions) for level in (1, 2, 3)]
    told["labels"] = [
        [one.label, one.works, list(one.words[:3])] for one in regions if one.level == 1
    ]
    told["tiles"] = [[int(z), int((tiles["z"] == z).sum()), int(tiles["count"][tiles["z"] == z].sum())]
                     for z in np.unique(tiles["z"])]  # fmt: skip
    client = TestClient(
        create_app(settings, database, SiteDiscovery(database, settings.bundles)),
        raise_server_exceptions=False,
    )
    begin = time.perf_counter()
    client.get("/map")
    told["first"] = time.perf_counter() - begin
    work = int(works["id"][len(works) // 2])
    deep = max(tiles.tolist(), key=lambda tile: tile[4])
    questions = {
        "the whole map": "/map",
        "the whole map, by year": "/map?colour=year",
        "a part, level 3": "/map?z=3&x=0.4&y=0.6",
        "a part, level 6": "/map?z=6&x=0.4&y=0.6",
        "around a work": f"/map?work=W{work}",
        "results of a search": "/map?q=neural+networks+for+language",
        "a region": f"/map/regions/{about.id}/1",
        "a tile": f"/map/tiles/{about.id}/{deep[0]}/{deep[1]}/{deep[2]}",
        "what the viewer needs once": f"/map/parts/{about.id}",
        "the viewer's lists": "/map/view?z=2.5&x=0.4&y=0.6",
        "titles of fifty": "/map/titles?w=" + ",".join(str(int(one)) for one in works["id"][:50]),
    }
    told["served"] = []
    for name, address in questions.items():
        if client.get(address).status_code != 200:
            continue  # a bundle that holds vectors alone answers no search
        with count_statements(database.engine) as seen:
            size = len(client.get(address, headers={"accept-encoding": "identity"}).content)
        times = []
        for _ in range(30):
            begin = time.process_time()
            assert client.get(address).status_code == 200, address
            times.append(time.process_time() - begin)
        median, late = np.quantile(times, (0.5, 0.95)) * 1000
        told["served"].append([name, median, late, seen.count, size / 1000])
    return told


def reported(folders: list[Path], part: int, keep: Path) -> str:
    lines = [
        "# The map of the field, measured",
        "",
        f"{datetime.now(UTC):%Y-%m-%d}, {platform.system()} {platform.release()}, Python "
        f"{platform.python_version()}, NumPy {np.__version__}, openTSNE {version('openTSNE')}, "
        f"{os.cpu_count()} cores of a shared virtual machine with other work on it, so times are "
        "processor time; one thread, one run each.",
        "",
        "    python benchmarks/map.py FOLDER --keep RESULTS --out docs/benchmarks/map.md",
        "",
        f"*Kept*: share of the {NEAR} nearest works by vector that are among the {NEAR} nearest on the "
        f"plane. *Trustworthiness* (Venna and Kaski 2001, {NEAR} neighbours) falls where works that are far "
        f"by vector lie near on the plane. Both over {SAMPLE:,} works against all, with the true nearest.",
        "",
    ]
    for folder in folders:
        lines += _site(folder, part, keep)
    return "\n".join(lines)


def _measured(keep: Path, name: str, arguments: list[str]) -> dict[str, Any]:
    """What was measured before, or is now."""
    file = keep / f"{name}.json"
    if not file.exists():
        print(name, file=sys.stderr, flush=True)
        file.write_text(json.dumps(apart(arguments)))
    found: dict[str, Any] = json.loads(file.read_text())
    return found


def _site(folder: Path, part: int, keep: Path) -> list[str]:
    work = keep / folder.name
    work.mkdir(parents=True, exist_ok=True)
    own = work / "site"
    if not own.exists():
        shutil.copytree(
            folder, own, symlinks=True, ignore=shutil.ignore_patterns("training", "maps")
        )
    served = _measured(work, "whole", [str(own), "--whole", "--keep", str(work)])
    found = {
        way: _measured(
            work, way, [str(folder), "--way", way, "--keep", str(work), "--part", str(part)]
        )
        for way in WAYS
    }
    first = found["tsne"]
    lines = [
        f"## {folder.name}: {served['works']:,} works, vectors of {first['dim']} numbers",
        "",
        f"Ways compared on {first['works']:,} of them.",
        "",
        "| way | neighbours, s | placing, s | peak memory, MB | kept | trustworthiness |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for way in ("pca", "tsne", "half", "perplexity"):
        one = found[way]
        looked = f"{one['looked']:.0f}" if one["looked"] else ("as above" if way == "half" else "–")
        lines.append(
            f"| {WAYS[way]} | {looked} | {one['seconds']:.1f} | {one['memory']:.0f} | {one['kept']:.3f} | "
            f"{one['trust']:.4f} |"
        )
    same = found["warm"]["same"]
    lines += [
        "",
        f"**Published again.** {DROPPED:.0%} of the works taken out, every vector moved by {NOISE:g} of its "
        f"length in a random direction: {same:.2f} of the ten nearest stay the same. How far the remaining "
        "works move, as a share of the map's width, after the best turn:",
        "",
        "| | median | 90 of 100 | kept | placing, s |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for way in ("warm", "cold"):
        one = found[way]
        lines.append(
            f"| {WAYS[way]} | {one['moved'][0]:.3f} | {one['moved'][1]:.3f} | {one['kept']:.3f} | "
            f"{one['seconds']:.1f} |"
        )
    lines += [
        "",
        f"**The whole command**: {served['seconds']:.0f} s of processor time ({served['waited']:.0f} s on "
        "the clock), "
        f"peak memory {served['memory']:.0f} MB, {served['disk'] / 1e6:.1f} MB on disk. "
        + "; ".join(f"{stage} {seconds:.1f} s" for stage, seconds in served["stages"])
        + f". Regions by level: {', '.join(map(str, served['regions']))}. Tiles by level: "
        + ", ".join(f"{tiles} with {works:,} works" for _, tiles, works in served["tiles"])
        + ".",
        "",
        "Largest regions: "
        + "; ".join(
            f"{label} ({works:,}: {', '.join(words)})" for label, works, words in served["labels"]
        )
        + ".",
        "",
        "**Serving**, in one process without a network in between, 30 times each; the first answer, which "
        f"opens and checks the map, took {served['first']:.2f} s.",
        "",
        "| answer | median, CPU ms | 95 of 100, CPU ms | statements | kB |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    lines += [
        f"| {name} | {median:.0f} | {late:.0f} | {statements} | {size:.0f} |"
        for name, median, late, statements, size in served["served"]
    ]
    return [*lines, ""]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--way", choices=WAYS)
    parser.add_argument("--keep", type=Path, required=True)
    parser.add_argument("--part", type=int, default=20_000)
    parser.add_argument("--whole", action="store_true")
    parser.add_argument("--served", action="store_true")
    given = parser.parse_args()
    if given.way:
        print(json.dumps(one(given.folders[0], given.way, given.keep, given.part), default=float))
    elif given.served:
        print(json.dumps(served(given.folders[0]), default=float))
    elif given.whole:
        print(json.dumps(whole(given.folders[0]), default=float))
    else:
        text = reported([one.resolve() for one in given.folders], given.part, given.keep)
        if given.out:
            given.out.write_text(text, encoding="utf-8")
        else:
            print(text)


if __name__ == "__main__":
    main()
