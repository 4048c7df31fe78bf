"""Whose work is whose, by names and evidence alone, against the person ids of the ACL Anthology.

    PEERSCOPE_SHARED=../shared python benchmarks/identity.py        # writes docs/benchmarks/identity.md

Strips the ids, imports what is left, resolves it as a site does, and compares; beside it names alone, family
name with first initial, and the published family of methods (`identity_baseline`). Every system runs in a
process of its own. Blocks are halved by a hash; what was chosen by looking at gold was chosen on one half.
Takes some ten minutes and 2 GB of disk. ``--limit`` works give a quick look, which is printed, not written.
"""

from __future__ import annotations

import argparse
import multiprocessing
import pickle
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import identity_data as data
import identity_namesakes as made
import numpy as np
from identity_baseline import Linker, Papers, clustered, fit, read_papers
from identity_measure import Labels
from identity_tables import (
    ALONE_AT,
    INITIAL,
    LEARNED,
    NAME,
    NO_ALONE,
    NO_LINKS,
    NO_PRINTED,
    OURS,
    Found,
    MadeFigures,
    Measured,
    write,
)
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from peerscope.record import Database, resolve_people
from peerscope.record import blocks as resolver
from peerscope.record.evidence import printed_affiliations

ALONE = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
"""Namesakes expected for a name alone, tried on the fit half."""


def variants() -> dict[str, dict[str, Any]]:
    """Changes of the resolver's constants, by the name of the row."""
    rules = tuple(rule for rule in resolver.RULES if rule is not printed_affiliations)
    found: dict[str, dict[str, Any]] = {
        OURS: {},
        NO_ALONE: {"NAMESAKES_ALONE": -1.0},
        NO_PRINTED: {"RULES": rules},
        NO_LINKS: {"STRANGERS_LINKED": 0.0},
    }
    for bound in ALONE:
        if bound != resolver.NAMESAKES_ALONE:
            found[f"{ALONE_AT}{bound:g}"] = {"NAMESAKES_ALONE": bound}
    return found


def ours(record: Path, _: Path, tick: Callable[[], None], variant: str) -> Found:
    """The resolver, from the tables and into them, as a site runs it."""
    for name, value in variants()[variant].items():
        setattr(resolver, name, value)
    copy = record.with_name(f"{variant.replace(' ', '-')}.sqlite")
    shutil.copy(record, copy)
    database = Database(f"sqlite:///{copy}")
    start = time.process_time()
    resolve_people(database)
    cpu = time.process_time() - start
    peak = peak_mb()
    database.close()
    with sqlite3.connect(copy) as connection:
        rows = connection.execute("SELECT coalesce(person_id, -1) FROM authorship ORDER BY id")
        labels = np.fromiter((row[0] for row in rows), np.int64)
    copy.unlink()
    tick()
    return Found(labels, cpu, peak)


def by_key(record: Path, _: Path, tick: Callable[[], None], column: str) -> Found:
    """One person for each value of a column."""
    start = time.process_time()
    with sqlite3.connect(record) as connection:
        keys = [
            row[0] for row in connection.execute(f"SELECT {column} FROM authorship ORDER BY id")
        ]
    number: dict[str, int] = {}
    labels = np.asarray([number.setdefault(key, len(number)) for key in keys])
    tick()
    return Found(labels, time.process_time() - start, peak_mb())


def learned(record: Path, gold: Path, tick: Callable[[], None], _: str) -> Found:
    """The published family, taught by the gold of the fit half."""
    truth: Labels = np.load(gold)
    start = time.process_time()
    papers = read_papers(record)
    names = sorted(papers.members)
    reading = time.process_time() - start
    linker: Linker = fit(papers, truth, [b for b in names if not data.held_out(b)], tick)
    training = time.process_time() - start - reading
    labels = np.full(len(papers.ids), -1)
    for places, numbers in clustered(papers, linker, names, tick):
        labels[places] = numbers
    cpu = time.process_time() - start - training
    return Found(labels, cpu, peak_mb(), training, f"cut at a distance of {linker.cut:g}")


def namesakes(record: Path, gold: Path, tick: Callable[[], None], _: str) -> MadeFigures:
    """Made namesakes: the resolver with and without counting links, and the learned baseline."""
    truth: Labels = np.load(gold)
    papers: Papers = read_papers(record)
    around = made.surroundings(papers)
    taught = made.make(papers, truth, reported=False)
    groups = made.make(papers, truth, reported=True)
    tick()
    rows = {OURS: made.figures(groups, made.resolved(papers, around, groups))}
    share = made.strangers_linked(papers, around, taught)
    kept, resolver.STRANGERS_LINKED = resolver.STRANGERS_LINKED, 0.0
    rows[NO_LINKS] = made.figures(groups, made.resolved(papers, around, groups))
    resolver.STRANGERS_LINKED = kept
    for label, found in made.learned(papers, truth, taught, groups, tick).items():
        rows[label] = made.figures(groups, found)
    return MadeFigures(rows, share, {n: int((made.sizes(groups) == n).sum()) for n in made.SIZES})


def peak_mb() -> float:
    """The most memory that this process has held; unlike getrusage's it does not count the parent's."""
    status = Path("/proc/self/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


SYSTEMS = {"ours": ours, "key": by_key, "learned": learned, "namesakes": namesakes}


def _child(kind: str, option: str, record: Path, gold: Path, out: Path, ticks: Any) -> None:
    found = SYSTEMS[kind](record, gold, lambda: ticks.put(1), option)
    out.write_bytes(pickle.dumps(found))


class Bench:
    """Runs systems one after another and shows how far they are."""

    def __init__(self, folder: Path, bars: Progress) -> None:
        self.folder = folder
        self.bars = bars

    def step(self, label: str, total: int | None) -> Callable[[], None]:
        """A bar; what is returned moves it on."""
        task = self.bars.add_task(label, total=total)
        return lambda: self.bars.advance(task)

    def run(self, kind: str, option: str, label: str, total: int = 1) -> Any:
        """Run a system in a process of its own."""
        tick = self.step(label, total)
        context = multiprocessing.get_context("spawn")
        ticks, out = context.Queue(), self.folder / "found.pickle"
        out.unlink(missing_ok=True)
        given = (self.folder / "record.sqlite", self.folder / "gold.npy", out, ticks)
        child = context.Process(target=_child, args=(kind, option, *given))
        child.start()
        while child.is_alive():
            time.sleep(0.2)
            while not ticks.empty():
                ticks.get()
                tick()
        child.join()
        if child.exitcode:
            raise SystemExit(f"{label} ended with code {child.exitcode}.")
        return pickle.loads(out.read_bytes())


def measure(folder: Path, source: Path, limit: int | None, bars: Progress) -> Measured:
    """Everything that the tables say."""
    bench = Bench(folder, bars)
    gold = data.strip(
        source, folder / "works.jsonl", bench.step("strip ids", limit or data.WORKS), limit
    )
    imported = bars.add_task("import", total=limit or data.WORKS)
    data.make_record(
        folder / "works.jsonl", folder / "record.sqlite",
        lambda _, done, __: bars.update(imported, completed=done),
    )  # fmt: skip
    data.checked(folder / "record.sqlite")
    names = data.read_names(folder / "record.sqlite", gold)
    np.save(folder / "gold.npy", names.gold)
    found = {label: bench.run("ours", label, label) for label in variants()}
    found[NAME] = bench.run("key", "name_key", NAME)
    found[INITIAL] = bench.run("key", "block_key", INITIAL)
    blocks = len(set(names.block))
    fitted = sum(not data.held_out(block) for block in set(names.block))
    found[LEARNED] = bench.run("learned", "", LEARNED, blocks + 2 * fitted)
    if limit:
        return Measured(names, found, None)  # a small record knows no rare names
    groups = len(made.SIZES) * made.OF_A_SIZE
    return Measured(names, found, bench.run("namesakes", "", "made namesakes", 1 + 3 * groups))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--source", type=Path, default=data.ANTHOLOGY)
    parser.add_argument("--limit", type=int, help="works to read, the first of the file")
    parser.add_argument(
        "--report", type=Path, default=Path(__file__).parents[1] / "docs/benchmarks/identity.md"
    )
    args = parser.parse_args()
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    with (
        tempfile.TemporaryDirectory(prefix="peerscope-identity-") as folder,
        Progress(*columns, TimeElapsedColumn()) as bars,
    ):
        measured = measure(Path(folder), args.source, args.limit, bars)
    write(measured, None if args.limit else args.report)


if __name__ == "__main__":
    main()
