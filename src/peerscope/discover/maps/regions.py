"""Regions of the map: which there are, what they are called, and where their names stand.

A name is chosen from the phrases of the titles and from the topics that sources give, by how frequent it is
inside and how rare in what surrounds the region: the whole map for the largest, the rest of the enclosing
region for the others (`peerscope.discover.phrases.distinctive`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from peerscope.discover.maps.shapes import Region
from peerscope.discover.phrases import distinctive, phrases_of, spellings, titled
from peerscope.retrieval.planar import Places
from peerscope.retrieval.schema import IntArray

FEWEST_MENTIONS = 3
"""A phrase in fewer titles of the whole map names nothing."""

SMALLEST = 3
"""Works below which a group is no region of its own; they stay in the enclosing one."""

WORDS = 5
TOPICS = 3
TOPIC_SHARE = 0.05
"""Share of a region's works that a topic must be on to be told with it."""

LONGEST_LABEL = 60


@dataclass(frozen=True, slots=True)
class Naming:
    """What names are made of.

    Attributes:
        titles: Of each work.
        topics: Numbers of the topics of each work.
        names: Topic number to name.
        given: Topics that a source gave; only these take part in names.
    """

    titles: Sequence[str]
    topics: Sequence[Sequence[int]]
    names: Mapping[int, str]
    given: frozenset[int]


@dataclass(slots=True)
class _Group:
    """A region before it has a number."""

    rows: IntArray
    level: int
    parent: _Group | None
    region: Region | None = None


def regions_of(
    groups: Sequence[IntArray], places: Places, naming: Naming
) -> tuple[list[Region], IntArray]:
    """Regions with names, and the number of the innermost region of each work (0 without regions).

    Args:
        groups: Group of each work at each level, the largest first; each level within the one before.
        places: In the unit square, shape ``[n, 2]``, most cited works first where it matters.
        naming: What names are made of.
    """
    innermost = np.zeros(len(places), np.int64)
    found = _tree(groups, len(places))
    mentions = _mentions(naming)
    common = Counter(phrase for held in mentions for phrase in held)
    mentions = [[one for one in held if common[one] >= FEWEST_MENTIONS] for held in mentions]
    carried = [[f"<{one}>" for one in held] for held in naming.topics]
    spelled = spellings(naming.titles)
    named = {naming.names[one].casefold(): naming.names[one] for one in naming.given}
    taken: set[str] = set()
    regions: list[Region] = []
    for number, group in enumerate(found, start=1):
        around = np.arange(len(places)) if group.parent is None else group.parent.rows
        ranked = _ranked(mentions, group.rows, around)
        fresh = [one for one in ranked if one not in taken]
        label = fresh[0] if fresh else None
        if label is not None:
            taken.add(label)
        words = [named.get(one) or titled(one, spelled) for one in ranked if one != label][:WORDS]
        x, y = _middle(places[group.rows])
        low, high = np.quantile(places[group.rows], (0.05, 0.95), axis=0)
        group.region = Region(
            number,
            group.level,
            group.parent.region.number if group.parent and group.parent.region else None,
            (named.get(label) or titled(label, spelled))[:LONGEST_LABEL]
            if label is not None
            else f"Region {number}",
            tuple(words),
            tuple(_topics(carried, group.rows, around, naming.names)),
            len(group.rows),
            round(x, 4),
            round(y, 4),
            (_rounded(low[0]), _rounded(low[1]), _rounded(high[0]), _rounded(high[1])),
        )
        innermost[group.rows] = number
        regions.append(group.region)
    return regions, innermost


def _rounded(value: float) -> float:
    return round(float(value), 4)


def _tree(groups: Sequence[IntArray], number: int) -> list[_Group]:
    """All groups, enclosing ones first, larger ones first; one that is almost its parent is left out."""
    found: list[_Group] = []
    above: list[_Group] = []
    for level, assigned in enumerate(groups, start=1):
        parents: Sequence[_Group | None] = above or [None]
        made: list[_Group] = []
        for parent in parents:
            rows = np.arange(number) if parent is None else parent.rows
            inside = [rows[assigned[rows] == one] for one in np.unique(assigned[rows])]
            if parent is not None and max(map(len, inside)) > len(rows) - SMALLEST:
                made.append(parent)
                continue
            inside.sort(key=lambda held: (-len(held), int(held[0])))
            made += [_Group(held, level, parent) for held in inside if len(held) >= SMALLEST]
        found += [group for group in made if group.level == level]
        above = made
    return found


def _mentions(naming: Naming) -> list[list[str]]:
    """Phrases of each work's title and names of the topics it was given."""
    found = []
    for title, topics in zip(naming.titles, naming.topics, strict=True):
        names = {naming.names[one].casefold() for one in topics if one in naming.given}
        found.append(sorted(phrases_of(title) | names))
    return found


def _counted(mentions: Sequence[Iterable[str]], rows: IntArray) -> Counter[str]:
    return Counter(one for row in rows.tolist() for one in mentions[row])


def _ranked(mentions: Sequence[Iterable[str]], inside: IntArray, around: IntArray) -> list[str]:
    return distinctive(
        _counted(mentions, inside), _counted(mentions, around), len(inside), len(around)
    )


def _topics(
    carried: Sequence[Sequence[str]], inside: IntArray, around: IntArray, names: Mapping[int, str]
) -> list[tuple[int, str, int]]:
    held = _counted(carried, inside)
    often = Counter({one: n for one, n in held.items() if n >= TOPIC_SHARE * len(inside)})
    ranked = distinctive(often, _counted(carried, around), len(inside), len(around))
    numbers = [int(one[1:-1]) for one in ranked[:TOPICS]]
    return [(one, names[one], held[f"<{one}>"]) for one in numbers]


def _middle(places: Places) -> tuple[float, float]:
    """The work nearest to the median place: within the region, be it bent."""
    median = np.median(places, axis=0)
    nearest = places[int(np.argmin(((places - median) ** 2).sum(axis=1)))]
    return float(nearest[0]), float(nearest[1])
