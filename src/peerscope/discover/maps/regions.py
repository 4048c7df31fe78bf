"""Regions of the map: which there are, what they are called, and where their names stand.

A name is chosen from the phrases of the titles and from the topics that sources give, by how frequent it is
inside and how rare in what surrounds the region: the whole map for the largest, the rest of the enclosing
region for the others (`peerscope.discover.phrases.distinctive`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

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
    """A region before it has a number; level 0 is the whole map."""

    rows: IntArray
    level: int
    parent: _Group | None
    number: int | None = None

    phrases: Counter[str] = field(default_factory=Counter)
    """In how many of its works each phrase stands."""

    topics: Counter[str] = field(default_factory=Counter)
    """How many of its works carry each topic."""


def regions_of(
    groups: Sequence[IntArray], places: Places, naming: Naming
) -> tuple[list[Region], IntArray]:
    """Regions with names, and the number of the innermost region of each work (0 without regions).

    Args:
        groups: Group of each work at each level, the largest first; each level within the one before.
        places: In the unit square, shape ``[n, 2]``.
        naming: What names are made of.
    """
    innermost = np.zeros(len(places), np.int64)
    names = _Names(naming)
    regions: list[Region] = []
    for number, group in enumerate(_tree(groups, len(places), names), start=1):
        group.number = number
        regions.append(names.named(group, places[group.rows]))
        innermost[group.rows] = number
    return regions, innermost


def _tree(groups: Sequence[IntArray], number: int, names: _Names) -> Iterator[_Group]:
    """All groups, enclosing ones first, larger ones first; one that is almost its parent is left out."""
    above = [names.counted(_Group(np.arange(number), 0, None))]
    for level, assigned in enumerate(groups, start=1):
        made: list[_Group] = []
        for parent in above:
            rows = parent.rows
            inside = [rows[assigned[rows] == one] for one in np.unique(assigned[rows])]
            if parent.level and max(map(len, inside)) > len(rows) - SMALLEST:
                made.append(parent)
                continue
            inside.sort(key=lambda held: (-len(held), int(held[0])))
            fresh = [_Group(held, level, parent) for held in inside if len(held) >= SMALLEST]
            for group in fresh:
                yield names.counted(group)
            made += fresh
        above = made


class _Names:
    """Names of groups, no two the same.

    Args:
        naming: What names are made of.
    """

    def __init__(self, naming: Naming) -> None:
        self._topic_names = naming.names
        self._given = {naming.names[one].casefold(): naming.names[one] for one in naming.given}
        self._spelled = spellings(naming.titles)
        mentions = _mentions(naming)
        common = Counter(phrase for held in mentions for phrase in held)
        self._mentions = [
            [one for one in held if common[one] >= FEWEST_MENTIONS] for held in mentions
        ]
        self._carried = [[f"<{one}>" for one in held] for held in naming.topics]
        self._taken: set[str] = set()

    def counted(self, group: _Group) -> _Group:
        """The group with its phrases and topics counted."""
        rows = group.rows.tolist()
        group.phrases = Counter(one for row in rows for one in self._mentions[row])
        group.topics = Counter(one for row in rows for one in self._carried[row])
        return group

    def named(self, group: _Group, places: Places) -> Region:
        """The region that a counted group with a number is."""
        parent = group.parent
        assert parent is not None and group.number is not None
        works = len(group.rows)
        ranked = distinctive(group.phrases, parent.phrases, works, len(parent.rows))
        label = next((one for one in ranked if one not in self._taken), None)
        if label is not None:
            self._taken.add(label)
        x, y = _middle(places)
        low, high = np.quantile(places, (0.05, 0.95), axis=0)
        return Region(
            group.number,
            group.level,
            parent.number,
            f"Region {group.number}" if label is None else self._written(label)[:LONGEST_LABEL],
            tuple(self._written(one) for one in ranked if one != label)[:WORDS],
            tuple(self._topics(group, parent)),
            works,
            _rounded(x),
            _rounded(y),
            (_rounded(low[0]), _rounded(low[1]), _rounded(high[0]), _rounded(high[1])),
        )

    def _written(self, phrase: str) -> str:
        return self._given.get(phrase) or titled(phrase, self._spelled)

    def _topics(self, group: _Group, parent: _Group) -> list[tuple[int, str, int]]:
        works = len(group.rows)
        often = Counter({one: n for one, n in group.topics.items() if n >= TOPIC_SHARE * works})
        ranked = distinctive(often, parent.topics, works, len(parent.rows))
        numbers = [int(one[1:-1]) for one in ranked[:TOPICS]]
        return [(one, self._topic_names[one], group.topics[f"<{one}>"]) for one in numbers]


def _rounded(value: float) -> float:
    return round(float(value), 4)


def _mentions(naming: Naming) -> list[list[str]]:
    """Phrases of each work's title and names of the topics it was given."""
    found = []
    for title, topics in zip(naming.titles, naming.topics, strict=True):
        names = {naming.names[one].casefold() for one in topics if one in naming.given}
        found.append(sorted(phrases_of(title) | names))
    return found


def _middle(places: Places) -> tuple[float, float]:
    """The work nearest to the median place: within the region, be it bent."""
    median = np.median(places, axis=0)
    nearest = places[int(np.argmin(((places - median) ** 2).sum(axis=1)))]
    return float(nearest[0]), float(nearest[1])
