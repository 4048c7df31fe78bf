"""A suggestion of how the works under one record fall apart, where they may be several people's.

Two steps. What holds works together for certain enough (coauthors beyond chance, citations between them, one
institution, one ORCID iD) makes parts. Two parts are then weighed: what they have in common against what
differs. They are kept apart only where something speaks for it; where nothing is known, nothing is parted.
Identifiers of sources other than ORCID take no part, for they may be what joined strangers. The same works
give the same suggestion.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import TypeVar

from peerscope.record.evidence import (
    Bearer,
    Link,
    Surroundings,
    own_citations,
    shared_coauthors,
    shared_institutions,
)
from peerscope.record.names import Name, compatible
from peerscope.record.oeuvre import Oeuvre, Own

RULES: tuple[Callable[[Sequence[Bearer], Surroundings], Iterator[Link]], ...] = (
    shared_coauthors,
    own_citations,
    shared_institutions,
)
K = TypeVar("K")

APART = 3
"""Points of difference, less those of what is common, from which two parts are kept apart."""

CLEAR = 4
"""Points from which the difference is called clear."""

CONTRADICTED = 10
"""Points of two ORCID iDs, or of names that contradict each other: wrong more often than chance."""

DECISIVE = 100
"""Points of two places in one work."""

YEARS_APART = 15
"""Years between two parts from which the gap speaks for two people."""

MOST_PARTS = 40
"""Parts that are weighed against each other; smaller ones stay with the largest."""

SHOWN = 3
"""Things of one kind that a sentence names."""


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
class Weighed:
    """What speaks for two heaps of works being two people's, and for one person's.

    Attributes:
        against: Sentences on what differs.
        common: Sentences on what they have in common.
        points: Of difference, less those of what is common; `DECISIVE` where they cannot be one person's.
    """

    against: tuple[str, ...]
    common: tuple[str, ...]
    points: int


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


@dataclass(slots=True)
class Heap:
    """Works taken as one person's, with the sums of what stands around them.

    Attributes:
        called: Key of a coauthor to the name as printed.
        names: Forms of the person's own name, each as it is printed.
        cited: What the works cite.
    """

    works: list[Own] = field(default_factory=list)
    coauthors: Counter[str] = field(default_factory=Counter)
    places: Counter[int] = field(default_factory=Counter)
    topics: Counter[int] = field(default_factory=Counter)
    venues: Counter[int] = field(default_factory=Counter)
    labels: dict[str, dict[int, str]] = field(default_factory=lambda: defaultdict(dict))
    called: dict[str, str] = field(default_factory=dict)
    names: dict[Name, str] = field(default_factory=dict)
    orcids: set[str] = field(default_factory=set)
    numbers: set[int] = field(default_factory=set)
    cited: set[int] = field(default_factory=set)
    years: set[int] = field(default_factory=set)

    def add(self, own: Own) -> None:
        """Take in one work."""
        self.works.append(own)
        self.coauthors.update(own.coauthors.keys())
        self.called.update(own.coauthors)
        self.places.update(own.institutions.keys())
        self.labels["place"].update(own.institutions)
        self.topics.update(own.topics.keys())
        self.labels["topic"].update(own.topics)
        if own.venue is not None and not own.is_repository:
            self.venues[own.venue] += 1
            self.labels["venue"][own.venue] = own.venue_name or ""
        if own.orcid:
            self.orcids.add(own.orcid)
        self.names.setdefault(own.name, own.raw_name)
        self.numbers.add(own.work)
        self.cited |= own.cites
        if own.year is not None:
            self.years.add(own.year)


def heap_of(works: Iterable[Own]) -> Heap:
    """Works as one heap."""
    heap = Heap()
    for own in works:
        heap.add(own)
    return heap


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
                "no coauthor, citation or institution links."
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


def agree(a: Name, b: Name) -> bool:
    """Whether two names may be one person's, a short form included ("Jeff", "Jeffrey")."""
    if compatible(a, b):
        return True
    if a.family != b.family or not a.given or not b.given:
        return False
    short, long = sorted((a.given[0], b.given[0]), key=len)
    return len(short) > 2 and long.startswith(short)


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


def weigh(one: Heap, other: Heap, oeuvre: Oeuvre) -> Weighed:
    """What two heaps of works have in common, and what differs.

    Coauthors, citations and institutions in common count most; a topic or venue in common, and coauthors who
    wrote together elsewhere, count for one person; other topics, other institutions and years far apart for
    two. Two ORCID iDs and names that contradict each other count most, and two places in one work decide.
    """
    against: list[tuple[int, str]] = list(_contradictions(one, other))
    common: list[tuple[int, str]] = []
    for found in (_people(one, other, oeuvre), _citations(one, other), _places(one, other),
                  _topics(one, other, oeuvre), _venues(one, other), _gap(one, other)):  # fmt: skip
        if found is not None:
            points, sentence = found
            (against if points >= 0 else common).append((abs(points), sentence))
    points = sum(n for n, _ in against) - sum(n for n, _ in common)
    if any(n >= DECISIVE for n, _ in against):
        points = DECISIVE
    return Weighed(tuple(s for _, s in against), tuple(s for _, s in common), points)


def _contradictions(one: Heap, other: Heap) -> Iterator[tuple[int, str]]:
    if one.orcids and other.orcids and not one.orcids & other.orcids:
        mine, theirs = sorted(one.orcids)[0], sorted(other.orcids)[0]
        yield CONTRADICTED, f"Two ORCID iDs are stated: {mine} and {theirs}."
    for a, b in sorted((one.names[x], other.names[y]) for x in one.names for y in other.names
                       if not agree(x, y))[:1]:  # fmt: skip
        yield CONTRADICTED, f"The names contradict each other: {a} and {b}."
    both = sorted(one.numbers & other.numbers)
    if both:
        title = next(own.title for own in one.works if own.work == both[0])
        yield DECISIVE, f"Both are authors of one work: “{_short(title)}”."


def _people(one: Heap, other: Heap, oeuvre: Oeuvre) -> tuple[int, str] | None:
    shared = sorted(one.coauthors.keys() & other.coauthors.keys(),
                    key=lambda k: (-one.coauthors[k] - other.coauthors[k], k))  # fmt: skip
    if shared:
        listed = _listed([one.called[key] for key in shared])
        return -2 * min(len(shared), SHOWN), f"Coauthors in common: {listed}."
    mine, theirs = one.coauthors.keys(), other.coauthors.keys()
    for circle in oeuvre.circles:
        if circle & mine and circle & theirs:
            a, b = one.called[min(circle & mine)], other.called[min(circle & theirs)]
            return -1, f"Coauthors of both wrote together elsewhere: {a} and {b}."
    return (0, "No coauthor in common.") if mine and theirs else None


def _citations(one: Heap, other: Heap) -> tuple[int, str] | None:
    links = len(one.cited & other.numbers) + len(other.cited & one.numbers)
    if links:
        return -2, f"Works of one cite works of the other ({links} times)."
    shared = len(one.cited & other.cited)
    return (-1, f"They cite the same works ({shared} in common).") if shared > 1 else None


def _places(one: Heap, other: Heap) -> tuple[int, str] | None:
    if not one.places or not other.places:
        return None
    shared = one.places & other.places
    if shared:
        labels = [one.labels["place"][number] for number, _ in _often(shared)]
        return -2, f"Institutions in common: {_listed(labels)}."
    mine, theirs = (
        _listed([heap.labels["place"][number] for number, _ in _often(heap.places)])
        for heap in (one, other)
    )
    same = one.years & other.years
    if same:
        return 2, f"Different institutions in the same year ({min(same)}): {mine}; {theirs}."
    return 1, f"Different institutions: {mine}; {theirs}."


def _topics(one: Heap, other: Heap, oeuvre: Oeuvre) -> tuple[int, str] | None:
    if not one.topics or not other.topics:
        return None
    shared = one.topics & other.topics
    if shared:
        labels = [one.labels["topic"][number] for number, _ in _often(shared)]
        return -min(len(shared), 2), f"Topics in common: {_listed(labels)}."
    mine, theirs = (
        _listed([heap.labels["topic"][number] for number, _ in _often(heap.topics)])
        for heap in (one, other)
    )
    few, many = sorted((one.topics, other.topics), key=lambda topics: (len(topics), min(topics)))
    met = sum(any((min(a, b), max(a, b)) in oeuvre.fields for b in many) for a in few)
    if 2 * met >= len(few):
        return 1, f"No topic in common, but topics that other works join: {mine}; {theirs}."
    return 2, f"No topic in common, and topics that hardly meet in the record: {mine}; {theirs}."


def _venues(one: Heap, other: Heap) -> tuple[int, str] | None:
    shared = one.venues & other.venues
    if not shared:
        return None
    labels = [one.labels["venue"][number] for number, _ in _often(shared)]
    return -1, f"Venues in common: {_listed(labels)}."


def _gap(one: Heap, other: Heap) -> tuple[int, str] | None:
    mine, theirs = one.years, other.years
    if not mine or not theirs:
        return None
    gap = max(min(mine) - max(theirs), min(theirs) - max(mine))
    return (1, f"{gap} years lie between them.") if gap >= YEARS_APART else None


def told_together(heap: Heap) -> tuple[str, ...]:
    """What holds the works of one heap together, the strongest first, in sentences."""
    if len(heap.works) < 2:
        return ()
    told = []
    shared = [(key, n) for key, n in _often(heap.coauthors) if n > 1]
    if shared:
        listed = _listed([f"{heap.called[key]} ({n} works)" for key, n in shared])
        told.append(f"Shared coauthors: {listed}.")
    for label, counter, kind in (("Institution", heap.places, "place"), ("Topic", heap.topics, "topic"),
                                 ("Venue", heap.venues, "venue")):  # fmt: skip
        often = [(number, n) for number, n in _often(counter) if n > 1]
        if often:
            listed = _listed([f"{heap.labels[kind][number]} ({n} works)" for number, n in often])
            told.append(f"{label}: {listed}.")
    links = sum(len(own.cites & heap.numbers) for own in heap.works)
    if links:
        told.append(f"Citations among the works: {links}.")
    return tuple(told)


def _often(counter: Counter[K]) -> list[tuple[K, int]]:
    return sorted(counter.items(), key=lambda pair: (-pair[1], str(pair[0])))


def _listed(labels: Sequence[str]) -> str:
    more = f" and {len(labels) - SHOWN} more" if len(labels) > SHOWN else ""
    return ", ".join(labels[:SHOWN]) + more


def _short(title: str) -> str:
    return title if len(title) <= 80 else title[:79].rsplit(" ", 1)[0] + " …"
