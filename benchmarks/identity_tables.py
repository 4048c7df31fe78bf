"""The tables of docs/benchmarks/identity.md, from what was measured."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from textwrap import fill

import numpy as np
from identity_data import Names
from identity_data import labels as numbered
from identity_measure import (
    Figures,
    Labels,
    Mask,
    b_cubed,
    b_cubed_items,
    interval,
    lost_by_name,
    pairwise,
)

from peerscope.record.blocks import NAMESAKES_ALONE

OURS, NAME, INITIAL = "Peerscope", "name only", "family name, first initial"
LEARNED = "learned, average linkage"
NO_ALONE, NO_PRINTED = "without names alone", "without printed affiliations"
NO_LINKS, ALONE_AT = "without counting links", "alone "
BEGIN = "<!-- the figures begin: `python benchmarks/identity.py` writes them -->"
END = "<!-- the figures end -->"
WIDTH = 110
LIBRARIES = ("numpy", "scipy", "sqlalchemy")
SIZES = ((1, 1), (2, 10), (11, 50), (51, 200), (201, 10**9))
"""Authorships of a block, from and to."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a system made of the authorships, in order of their numbers; -1 is undecided."""

    labels: Labels
    cpu: float
    """Processor seconds, training left out."""
    peak_mb: float
    training: float = 0.0
    note: str = ""

    @property
    def decided(self) -> Mask:
        """Authorships that have a person."""
        return self.labels >= 0

    @property
    def singletons(self) -> Labels:
        """Labels in which an undecided authorship is one of its own."""
        return np.where(self.decided, self.labels, -1 - np.arange(len(self.labels)))


@dataclass(frozen=True, slots=True)
class MadeFigures:
    """B-cubed on made namesakes by row and size of the group.

    Attributes:
        linked: Share of pairs of works by strangers that some rule links, in the fit blocks.
        authorships: By size of the group.
    """

    rows: dict[str, dict[int, Figures]]
    linked: float
    authorships: dict[int, int]


@dataclass(frozen=True, slots=True)
class Measured:
    """Everything that the tables say."""

    names: Names
    found: Mapping[str, Found]
    made: MadeFigures | None


def write(measured: Measured, report: Path | None) -> None:
    """Put the figures into the report, between its marks; print them where there is none.

    Raises:
        ValueError: The report has no marks.
    """
    text = "\n".join(wrapped(line) for line in tables(measured))
    if report is None:
        print(text)
        return
    before, begin, rest = report.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{report} has no place for figures: it needs {BEGIN} and {END}.")
    report.write_text(f"{before}{BEGIN}\n\n{text}\n{END}{after}")


def wrapped(line: str) -> str:
    """Prose at the width of the docs; rows of tables as they are."""
    return line if line.lstrip().startswith("|") or len(line) <= WIDTH else fill(line, WIDTH)


def tables(measured: Measured) -> Iterator[str]:
    """The lines."""
    yield from _about(measured)
    yield from _main(measured)
    yield from _parts(measured)
    yield from _lost(measured)
    yield from _rules(measured)
    yield from _made(measured)
    yield from _cost(measured)


def _row(*cells: object) -> str:
    return f"| {' | '.join(str(cell) for cell in cells)} |"


def _head(*cells: str) -> list[str]:
    return ["", _row(*cells), _row(*("---" for _ in cells))]


def _cells(figures: Figures) -> tuple[str, str, str]:
    return f"{figures.precision:.4f}", f"{figures.recall:.4f}", f"{figures.f1:.4f}"


def _three(figures: Figures) -> str:
    return " / ".join(_cells(figures))


def _percent(part: float) -> str:
    return f"{100 * part:.1f} %"


def _about(measured: Measured) -> Iterator[str]:
    names = measured.names
    told = {raw for raw, told in zip(names.raw, names.told_apart, strict=True) if told}
    together = {g for g, there in zip(names.gold_id, names.put_together, strict=True) if there}
    day = datetime.now(UTC).strftime("%d %B %Y").lstrip("0")
    libraries = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    machine = f"{os.cpu_count()} cores ({_processor()}), one thread"
    yield f"{day}. {machine}, Python {platform.python_version()}, {libraries}."
    yield ""
    yield (
        f"{len(set(names.work.tolist())):,} works, {len(names.ids):,} authorships, "
        f"{len(set(names.key)):,} different names, {len(set(names.gold_id)):,} people in gold. "
        f"{_percent(names.default_id.mean())} of the authorships carry the id that their printed name gives "
        f"by default; {len(told)} printed names ({int(names.told_apart.sum())} authorships) were told apart "
        f"by hand, {len(together):,} people ({int(names.put_together.sum()):,} authorships) have several "
        f"names. The held-out half: {int(names.reported.sum()):,} authorships."
    )


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _main(measured: Measured) -> Iterator[str]:
    names = measured.names
    yield "\n### All authorships, and the held-out half"
    yield from _head(
        "system", "part", "decided", "B³ P", "B³ R", "B³ F1", "95 %", "pairs P", "pairs R", "pairs F1"
    )  # fmt: skip
    everything = np.ones(len(names.ids), dtype=bool)
    for label in (OURS, NAME, INITIAL, LEARNED):
        found = measured.found[label]
        for part, mask in (("all", everything), ("held out", names.reported)):
            precision, recall = b_cubed_items(names.gold, found.singletons)
            low, high = interval(precision[mask], recall[mask], names.blocks[mask], 500)
            yield _row(
                label,
                part,
                _percent(found.decided[mask].mean()),
                *_cells(b_cubed(names.gold, found.singletons, mask)),
                f"{low:.3f} to {high:.3f}",
                *_cells(pairwise(names.gold, found.singletons, mask)),
            )
    yield "\nDecided authorships alone, the others taken away from gold too:"
    yield from _head(
        "system", "part", "authorships", "B³ P", "B³ R", "B³ F1", "pairs P", "pairs R", "pairs F1"
    )
    for label in (OURS, NO_ALONE):
        found = measured.found[label]
        for part, mask in (("all", everything), ("held out", names.reported)):
            inside = found.decided
            gold, made, some = names.gold[inside], found.labels[inside], mask[inside]
            figures = b_cubed(gold, made, some), pairwise(gold, made, some)
            yield _row(
                label, part, f"{int(some.sum()):,}", *_cells(figures[0]), *_cells(figures[1])
            )


def _parts(measured: Measured) -> Iterator[str]:
    names = measured.names
    yield "\n### Parts\n"
    yield "B-cubed precision / recall / F1 over a part's authorships; held-out half but for the second row."
    shown = (OURS, NAME, LEARNED)
    yield from _head("part", "authorships", *shown)
    held = names.reported
    parts = [
        ("names told apart by hand", names.told_apart & held),
        ("the same, fit half", names.told_apart & ~held),
        ("one normalised name, several ids", names.shared_name & held),
        ("people with several names", names.put_together & held),
        ("ids that are not the name's default", ~names.default_id & held),
    ]
    for low, high in SIZES:
        size = (names.block_sizes >= low) & (names.block_sizes <= high)
        label = (
            f"{low}" if low == high else f"{low} to {high}" if high < 10**9 else f"over {low - 1}"
        )
        parts.append((f"blocks of {label}", size & held))
    for label, mask in parts:
        if mask.any():
            rows = (b_cubed(names.gold, measured.found[one].singletons, mask) for one in shown)
            yield _row(label, f"{int(mask.sum()):,}", *map(_three, rows))


def _lost(measured: Measured) -> Iterator[str]:
    names = measured.names
    yield "\n### Where precision is lost\n"
    yield (
        "What B-cubed precision lacks to 1, all authorships: by people whom gold tells apart under one "
        "printed name, and by different printed names that were joined and that gold keeps apart."
    )
    yield from _head("system", "one printed name", "different printed names")
    raw = numbered(names.raw)
    for label in (OURS, NO_ALONE, NAME, LEARNED):
        lost = lost_by_name(names.gold, measured.found[label].singletons, raw)
        yield _row(label, *(f"{one:.4f}" for one in lost))


def _rules(measured: Measured) -> Iterator[str]:
    names = measured.names
    yield "\n### What each part does\n\nHeld-out half; the last column is the names told apart by hand."
    yield from _head("resolver", "decided", "B³ P / R / F1", "told apart: B³ P / R / F1")
    hand = names.told_apart & names.reported
    for label in (OURS, NO_ALONE, NO_PRINTED, NO_LINKS):
        found = measured.found[label]
        figures = (b_cubed(names.gold, found.singletons, m) for m in (names.reported, hand))
        yield _row(label, _percent(found.decided[names.reported].mean()), *map(_three, figures))
    yield "\nNamesakes expected at most for a name alone, fit half:"
    yield from _head("bound", "decided", "B³ P / R / F1", "told apart: B³ P / R / F1")
    fit = ~names.reported
    bounds = {
        float(one.removeprefix(ALONE_AT)): one for one in measured.found if one.startswith(ALONE_AT)
    }
    bounds[NAMESAKES_ALONE] = OURS
    for bound, label in sorted(bounds.items()):
        found = measured.found[label]
        figures = (b_cubed(names.gold, found.singletons, m) for m in (fit, names.told_apart & fit))
        mark = " (default)" if label == OURS else ""
        yield _row(f"{bound:g}{mark}", _percent(found.decided[fit].mean()), *map(_three, figures))


def _made(measured: Measured) -> Iterator[str]:
    made = measured.made
    if made is None:
        return
    yield "\n### Made namesakes\n"
    yield (
        "People of rare names of the held-out half under one name, in groups; B-cubed precision / recall / "
        f"F1. In the fit half {made.linked:.5f} of the pairs of works by two such namesakes were linked."
    )
    sizes = sorted(made.authorships)
    yield from _head("system", *(f"{n} people ({made.authorships[n]:,})" for n in sizes))
    for label, figures in made.rows.items():
        yield _row(label, *(_three(figures[n]) for n in sizes))


def _cost(measured: Measured) -> Iterator[str]:
    yield "\n### Cost\n"
    yield (
        "Processor time and peak memory of a process of its own, ours = 1. Ours reads the tables and writes "
        "every decision with its evidence into them; the others read, and keep the result in memory."
    )
    yield from _head("system", "time", "training", "peak memory")
    unit = measured.found[OURS]
    for label in (OURS, NO_ALONE, NAME, LEARNED):
        found = measured.found[label]
        training = f"{found.training / unit.cpu:.2f}" if found.training else "none"
        yield _row(
            label, f"{found.cpu / unit.cpu:.2f}", training, f"{found.peak_mb / unit.peak_mb:.2f}"
        )
    yield f"\nThe learned method: {measured.found[LEARNED].note}."
