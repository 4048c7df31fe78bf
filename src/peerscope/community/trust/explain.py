"""A snapshot in words: the same lines on the page and in the terminal, with sums that can be read back."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from peerscope.community.trust.shapes import (
    DIMENSIONS,
    STATES,
    Dimension,
    Snapshot,
    Term,
    Trace,
    points,
)

TRACES_SHOWN = 8
"""Links that a page shows under one dimension; all of them are in the JSON."""


@dataclass(frozen=True, slots=True)
class SourceLine:
    """Where some of what was counted comes from.

    Attributes:
        source: Who says so.
        date: Day, ISO 8601; empty where it is not known.
        method: How it was looked for.
        count: How many things.
    """

    source: str
    date: str
    method: str
    count: int

    @property
    def text(self) -> str:
        """As a line."""
        return f"{self.method}: {self.source}, {self.date or 'no date known'} ({self.count:,})"


@dataclass(frozen=True, slots=True)
class Said:
    """One dimension in words.

    Attributes:
        id: A key of `DIMENSIONS`.
        heading: Its name.
        state: A key of `STATES`.
        state_words: The state in words.
        statement: What is known.
        rows: Label, product and whether to look at it, of every term above the line.
        below: Label and product of every term below the line.
        arithmetic: The sum with its result; empty where there is no value.
        value: The result alone; empty where there is none.
        would_change: What would change it.
        sources: Who says so, grouped.
        shown: The first links to what was counted.
        more: How many links are left out.
    """

    id: str
    heading: str
    state: str
    state_words: str
    statement: str
    rows: tuple[tuple[str, str, bool], ...]
    below: tuple[tuple[str, str], ...]
    arithmetic: str
    value: str
    would_change: str
    sources: tuple[SourceLine, ...]
    shown: tuple[Trace, ...]
    more: int

    @property
    def first(self) -> str:
        """The first sentence of the statement."""
        return self.statement.partition(". ")[0].removesuffix(".") + "."


def said(snapshot: Snapshot) -> list[Said]:
    """All seven dimensions in words."""
    return [_said(one) for one in snapshot.dimensions]


def _said(one: Dimension) -> Said:
    return Said(
        id=one.id,
        heading=DIMENSIONS[one.id],
        state=one.state,
        state_words=STATES[one.state],
        statement=one.statement,
        rows=tuple((term.label, _product(term), term.warn) for term in one.terms),
        below=tuple((term.label, _product(term)) for term in one.below),
        arithmetic=arithmetic(one),
        value=value(one),
        would_change=one.would_change,
        sources=_sources(one),
        shown=one.traces[:TRACES_SHOWN],
        more=max(0, len(one.traces) - TRACES_SHOWN),
    )


def _product(term: Term) -> str:
    return f"{term.count} × {term.weight} = {term.points}"


def arithmetic(one: Dimension) -> str:
    """The sum, such as ``(3 × 1 + 2 × 1 + 2 × 0) / (7 + 1) = 5/8 = 0.625``; empty without a value."""
    if one.value is None:
        return ""
    above = " + ".join(f"{term.count} × {term.weight}" for term in one.terms)
    below = " + ".join(_below(term) for term in one.below)
    return f"({above}) / ({below}) = {points(one.terms)}/{points(one.below)} = {value(one)}"


def _below(term: Term) -> str:
    return str(term.count) if term.weight == 1 else f"{term.count} × {term.weight}"


def value(one: Dimension) -> str:
    """The value to three places, cut and not rounded, with ``…`` where it was cut; it never shows 1."""
    exact = one.value
    if exact is None:
        return ""
    whole, rest = divmod(exact.numerator * 1000, exact.denominator)
    return f"0.{whole:03d}" + ("…" if rest else "")


def _sources(one: Dimension) -> tuple[SourceLine, ...]:
    counts: Counter[tuple[str, str, str]] = Counter()
    for trace in one.traces:
        counts[trace.source, trace.retrieved_at, trace.method] += trace.count
    return tuple(SourceLine(*key, number) for key, number in sorted(counts.items()))


def coverage(snapshot: Snapshot) -> str:
    """In how many dimensions somebody looked, as a sentence."""
    return f"Checked in {snapshot.checked} of {len(snapshot.dimensions)} dimensions."


def as_text(snapshot: Snapshot, *, explain: bool = False) -> str:
    """A snapshot for the terminal.

    Args:
        snapshot: What to print.
        explain: With every term, the sums, the sources and what would change it.
    """
    lines = [
        f"{snapshot.name} (A{snapshot.person}), formula {snapshot.formula}",
        f"Verification {snapshot.level}. {coverage(snapshot)}",
    ]
    for one in said(snapshot):
        result = f", {one.value}" if one.value else ""
        lines += ["", f"{one.heading}: {one.state_words}{result}", f"  {one.statement}"]
        if explain:
            lines += _explained(one)
    return "\n".join(lines) + "\n"


def _explained(one: Said) -> list[str]:
    lines = [f"  {'! ' if warn else '  '}{label}: {product}" for label, product, warn in one.rows]
    lines += [f"  / {label}: {product}" for label, product in one.below]
    if one.arithmetic:
        lines.append(f"  Sum: {one.arithmetic}")
    if one.would_change:
        lines.append(f"  What would change this: {one.would_change}.")
    lines += [f"  Source: {line.text}" for line in one.sources]
    return lines
