"""What works have in common, and what differs: evidence for one person or two, in sentences and points."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from peerscope.record.names import Name, compatible
from peerscope.record.oeuvre import Oeuvre, Own

K = TypeVar("K")

CONTRADICTED = 10
"""Points of two ORCID iDs, or of names that contradict each other: wrong more often than chance."""

DECISIVE = 100
"""Points of two places in one work."""

YEARS_APART = 15
"""Years between two parts from which the gap speaks for two people."""

SHOWN = 3
"""Things of one kind that a sentence names."""


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


def agree(a: Name, b: Name) -> bool:
    """Whether two names may be one person's, a short form included ("Jeff", "Jeffrey")."""
    if compatible(a, b):
        return True
    if a.family != b.family or not a.given or not b.given:
        return False
    short, long = sorted((a.given[0], b.given[0]), key=len)
    return len(short) > 2 and long.startswith(short)


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
