"""A suggestion of how the works under one record fall apart, where they may be several people's.

Two steps. What holds works together for certain enough (coauthors beyond chance, citations between them, one
institution, one ORCID iD) makes parts. Two parts are then weighed: what they have in common against what
differs. They are kept apart only where something speaks for it; where nothing is known, nothing is parted.
Identifiers of sources other than ORCID take no part, for they may be what joined strangers. The same works
give the same suggestion.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from peerscope.record.evidence import (
    Bearer,
    Link,
    Surroundings,
    own_citations,
    shared_coauthors,
    shared_institutions,
)
from peerscope.record.oeuvre import Oeuvre, Own
from peerscope.record.weighing import Heap, Weighed, agree, heap_of, told_together, weigh

RULES: tuple[Callable[[Sequence[Bearer], Surroundings], Iterator[Link]], ...] = (
    shared_coauthors,
    own_citations,
    shared_institutions,
)

APART = 3
"""Points of difference, less those of what is common, from which two parts are kept apart."""

CLEAR = 4
"""Points from which the difference is called clear."""


MOST_PARTS = 40
"""Parts that are weighed against each other; smaller ones stay with the largest."""


@dataclass(frozen=True, slots=True)
class Part:
    """Works that are suggested as one person's.

    Attributes:
        works: In order.
        groups: The same works, grouped by what links them directly: coauthors, citations, institutions.
        together: Sentences that say what holds them together.
    """

    works: tuple[int, ...]
    groups: tuple[tuple[int, ...], ...]
    together: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Apart:
    """Two parts, by their places in the partition, and what was weighed."""

    one: int
    other: int
    weighed: Weighed


@dataclass(frozen=True, slots=True)
class Partition:
    """A suggestion.

    Attributes:
        parts: The largest first; one part says that nothing is to be split.
        apart: For each pair of parts.
        confidence: ``clear`` or ``likely``; ``whole`` for one part.
        statement: The same in a sentence.
    """

    parts: tuple[Part, ...]
    apart: tuple[Apart, ...]
    confidence: str
    statement: str


def suggested_partition(oeuvre: Oeuvre) -> Partition:
    """How the works may fall apart into those of several people."""
    groups = [heap_of(works) for works in _linked(oeuvre)]
    piles = [[group] for group in groups[:MOST_PARTS]]
    for left in groups[MOST_PARTS:]:
        piles[0].append(left)
    piles = _joined(piles, oeuvre)
    piles.sort(key=lambda pile: (-_size(pile), min(_numbers(pile))))
    heaps = [_whole(pile) for pile in piles]
    parts = tuple(
        Part(
            tuple(sorted(heap.numbers)),
            tuple(sorted((tuple(sorted(g.numbers)) for g in pile), key=lambda g: (-len(g), g))),
            told_together(heap),
        )
        for pile, heap in zip(piles, heaps, strict=True)
    )
    apart = tuple(
        Apart(i, j, weigh(heaps[i], heaps[j], oeuvre))
        for i, j in combinations(range(len(heaps)), 2)
    )
    return Partition(parts, apart, *_confidence(parts, apart))


def _confidence(parts: Sequence[Part], apart: Sequence[Apart]) -> tuple[str, str]:
    if len(parts) < 2:
        groups = len(parts[0].groups) if parts else 0
        if groups > 1:
            return "whole", (
                f"Nothing speaks for more than one person, though the works fall into {groups} groups that "
                "no citation, no institution and no coauthor beyond chance links."
            )
        return "whole", "Nothing in the record speaks for more than one person."
    if all(one.weighed.points >= CLEAR for one in apart):
        return (
            "clear",
            f"The works are probably those of {len(parts)} people: the parts differ clearly.",
        )
    return "likely", (
        f"The works may be those of {len(parts)} people: look at what differs before you decide."
    )


def _linked(oeuvre: Oeuvre) -> list[list[Own]]:
    """Works that coauthors, citations, institutions or one ORCID iD link, the largest group first."""
    works = oeuvre.works
    of = list(range(len(works)))
    members: dict[int, list[int]] = {place: [place] for place in of}

    def join(a: int, b: int) -> None:
        a, b = sorted((of[a], of[b]))
        if a == b or not _may_join([works[p] for p in members[a]], [works[p] for p in members[b]]):
            return
        for place in members[b]:
            of[place] = a
        members[a] += members.pop(b)

    stated: dict[str, int] = {}
    for place, own in enumerate(works):
        if own.orcid:
            join(stated.setdefault(own.orcid, place), place)
    bearers, around = oeuvre.bearers(), oeuvre.surroundings()
    for rule in RULES:
        for _, _, places in rule(bearers, around):
            for place in places[1:]:
                join(places[0], place)
    groups = [[works[place] for place in sorted(places)] for places in members.values()]
    return sorted(groups, key=lambda group: (-len(group), group[0].work))


def _may_join(one: Sequence[Own], other: Sequence[Own]) -> bool:
    mine, theirs = {o.orcid for o in one} - {None}, {o.orcid for o in other} - {None}
    if mine and theirs and not mine & theirs:
        return False
    names, others = {o.name for o in one}, {o.name for o in other}
    return all(agree(a, b) for a in names for b in others)


def _joined(piles: list[list[Heap]], oeuvre: Oeuvre) -> list[list[Heap]]:
    """Join the piles that differ least, as long as not enough speaks for keeping them apart."""
    heaps = {place: _whole(pile) for place, pile in enumerate(piles)}
    points = {
        (i, j): weigh(heaps[i], heaps[j], oeuvre).points for i, j in combinations(sorted(heaps), 2)
    }
    while points:
        i, j = min(points, key=lambda pair: (points[pair], pair))
        if points[i, j] >= APART:
            break
        piles[i] += piles[j]
        heaps[i] = _whole(piles[i])
        del heaps[j]
        points = {pair: found for pair, found in points.items() if i not in pair and j not in pair}
        for other in heaps:
            if other != i:
                pair = (min(i, other), max(i, other))
                points[pair] = weigh(heaps[i], heaps[other], oeuvre).points
    return [piles[place] for place in sorted(heaps)]


def _whole(pile: Iterable[Heap]) -> Heap:
    return heap_of(own for heap in pile for own in heap.works)


def _size(pile: Iterable[Heap]) -> int:
    return sum(len(heap.works) for heap in pile)


def _numbers(pile: Iterable[Heap]) -> set[int]:
    return {work for heap in pile for work in heap.numbers}
