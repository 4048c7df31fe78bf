"""One block of similar names: which authorships are one person's, which stay undecided.

Conservative on purpose: joining two people is worse than leaving a work without a person, because the
page then states something false of both. Nothing joins against contradictory identifiers or written-out
names, and two places in one work are never one person. The more works two groups hold, the more often chance
links them, and the more links it takes to join them (`links_needed`).
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations, pairwise
from math import ceil, e, lgamma, log

from peerscope.record.evidence import (
    CHANCE,
    Bearer,
    Link,
    Surroundings,
    own_citations,
    printed_affiliations,
    shared_coauthors,
    shared_institutions,
    shared_subjects,
)
from peerscope.record.names import Name, compatible

RULES = (
    shared_coauthors,
    own_citations,
    printed_affiliations,
    shared_institutions,
    shared_subjects,
)
"""Strongest first: what is joined early decides what is contradictory later, and what needs more links."""

STRANGERS_LINKED = 0.001
"""Share of the pairs of works by two namesakes that some rule links all the same.

Measured as 0.0008 on people of the ACL Anthology's fit blocks who were given one name in groups of 2 to 16
(docs/benchmarks/identity.md).
"""
NAMESAKES_ALONE = CHANCE
"""Namesakes expected at most for a written-out name to speak for itself."""
NAME_ALONE_YEARS = 20
"""Years without a work of the name after which the name alone says nothing: it may be the next generation."""
NAME_ALONE_GROUPS = 100
"""Groups that nothing but the name connects, at most: nobody in the ACL Anthology has more than 80, and what
has more is a placeholder ("Unknown Author") rather than a person."""


def links_needed(works: int, others: int, namesakes: float) -> int:
    """Different links that it takes to join two groups of works under one name.

    The fewest that chance gives two strangers less than once in twenty (`CHANCE`), as a Poisson law
    estimates it; one for small groups, and one for names that have no namesake to expect.

    Args:
        works: Works of one group.
        others: Works of the other.
        namesakes: Other people expected under the name; one is the most that counts.
    """
    expected = STRANGERS_LINKED * works * others * min(namesakes, 1.0)
    if expected <= CHANCE:
        return 1
    # expected^n / n! falls from n = expected on, and is small enough soon after n = e x expected.
    counts = range(max(1, ceil(expected)), ceil(e * expected) + 64)
    rarity = bisect_left(counts, -log(CHANCE), key=lambda n: lgamma(n + 1) - n * log(expected))
    return counts[rarity]


class Groups:
    """Authorships held together by identifiers; two groups join unless their identifiers contradict."""

    def __init__(self) -> None:
        self._parent: list[int] = []
        self.ids: list[dict[str, set[str]]] = []

    def new(self, ids: dict[str, set[str]] | None = None) -> int:
        """A group of its own."""
        self._parent.append(len(self._parent))
        self.ids.append(ids or {})
        return len(self._parent) - 1

    def find(self, group: int) -> int:
        """The group that ``group`` has become part of."""
        while self._parent[group] != group:
            self._parent[group] = self._parent[self._parent[group]]
            group = self._parent[group]
        return group

    def contradict(self, a: int, b: int) -> bool:
        """Whether one scheme gives the two groups different identifiers."""
        mine, theirs = self.ids[self.find(a)], self.ids[self.find(b)]
        return any(s in theirs and not mine[s] & theirs[s] for s in mine)

    def join(self, a: int, b: int) -> None:
        """Make the two one."""
        a, b = sorted((self.find(a), self.find(b)))
        if a != b:
            self._parent[b] = a
            for scheme, values in self.ids[b].items():
                self.ids[a].setdefault(scheme, set()).update(values)


@dataclass(slots=True)
class Decision:
    """What became of one authorship: its cluster (``None``: undecided), by which rule and why."""

    cluster: int | None
    rule: str | None
    evidence: str


@dataclass(slots=True)
class _Cluster:
    places: list[int]
    names: set[Name]
    works: set[int]
    group: int = -1


@dataclass(slots=True)
class Block:
    """Resolves the authorships of one block (same family name, same first initial)."""

    bearers: Sequence[Bearer]
    groups: Groups
    around: Surroundings
    _clusters: list[_Cluster] = field(init=False)
    _of: list[int] = field(init=False)
    _why: dict[int, tuple[str, str]] = field(init=False)

    def __post_init__(self) -> None:
        self._clusters, self._of, self._why = [], [], {}
        by_group: dict[int, int] = {}
        for place, bearer in enumerate(self.bearers):
            group = self.groups.find(bearer.group) if bearer.group >= 0 else -1
            if group >= 0 and group in by_group:
                number = by_group[group]
                cluster = self._clusters[number]
                cluster.places.append(place)
                cluster.names.add(bearer.name)
                cluster.works.add(bearer.work)
            else:
                number = len(self._clusters)
                self._clusters.append(_Cluster([place], {bearer.name}, {bearer.work}, group))
                if group >= 0:
                    by_group[group] = number
            self._of.append(number)

    def resolve(self) -> list[Decision]:
        """One decision for each bearer, in their order; clusters are numbered within the block."""
        if len(self._clusters) > 1:
            links = list(self._links())
            self._join_linked(links, full=True)
            self._join_rare_names()
            self._join_linked(links, full=False)
            self._attach_initials(links)
        return self._decide()

    def _links(self) -> Iterator[Link]:
        rule: Callable[[Sequence[Bearer], Surroundings], Iterator[Link]]
        for rule in RULES:
            yield from rule(self.bearers, self.around)

    def _full(self, place: int) -> bool:
        return self.bearers[place].name.has_full_given

    def _join_linked(self, links: list[Link], *, full: bool) -> None:
        """Join written-out names, or equal abbreviated ones, on as many links as it takes."""
        while links:
            links = self._pass(links, full)

    def _pass(self, links: list[Link], full: bool) -> list[Link]:
        """Go through the links once; those that a later pass may need, none if nothing was joined."""
        met: dict[tuple[int, int], set[tuple[str, str]]] = defaultdict(set)
        short: list[Link] = []
        joined = False
        for link in links:
            rule, shared, places = link
            seen: list[int] = []
            waits = False
            for place in (p for p in places if self._full(p) == full):
                for other in seen:
                    if self._of[place] == self._of[other]:
                        break
                    if not full and self.bearers[place].name != self.bearers[other].name:
                        continue
                    enough = self._enough(place, other, link, met)
                    if enough and self._join(place, other, rule, self._because(enough, shared)):
                        joined = True
                        break
                    waits = waits or not enough
                else:
                    seen.append(place)
            if waits:
                short.append(link)
        return short if joined else []

    def _enough(
        self,
        place: int,
        other: int,
        link: Link,
        met: dict[tuple[int, int], set[tuple[str, str]]],
    ) -> int:
        """The number of links between the clusters of two bearers, 0 while it is too small."""
        a, b = sorted((self._of[place], self._of[other]))
        one, two = self.bearers[place], self.bearers[other]
        # Each citation is a link of its own; a coauthor is one, however many works share them.
        pair = sorted((one.work, two.work)) if link[0] == "name+citation" else ""
        links = met[a, b]
        links.add((f"{link[0]}{pair}", link[1]))
        works = len(self._clusters[a].works), len(self._clusters[b].works)
        if works[0] * works[1] * STRANGERS_LINKED <= CHANCE:
            return len(links)
        namesakes = max(self.around.namesakes(one.name), self.around.namesakes(two.name))
        return len(links) if len(links) >= links_needed(*works, namesakes) else 0

    @staticmethod
    def _because(links: int, shared: str) -> str:
        more = f", the strongest of {links} links between two groups of works" if links > 1 else ""
        return f"Compatible names and {shared}{more}."

    def _join_rare_names(self) -> None:
        """Equal written-out names are one person's where the record leaves hardly room for a second."""
        by_name: dict[tuple[str, str, str, str], list[int]] = defaultdict(list)
        for place, bearer in enumerate(self.bearers):
            name = bearer.name
            if name.has_full_given and name.given:
                key = (name.particles, name.family, "".join(name.given), name.suffix)
                by_name[key].append(place)
        for places in by_name.values():
            first: dict[int, int] = {}
            for place in places:
                first.setdefault(self._of[place], place)
            if not 1 < len(first) <= NAME_ALONE_GROUPS or not self._one_person_by_name(list(first)):
                continue
            namesakes = max(self.around.namesakes(self.bearers[p].name) for p in places)
            if namesakes <= NAMESAKES_ALONE:
                why = (
                    f"The written-out name is rare: {namesakes:.3f} other people of this name "
                    "would be expected in the record."
                )
                start, *others = first.values()
                for place in others:
                    self._join(start, place, "name", why)

    def _one_person_by_name(self, numbers: list[int]) -> bool:
        """Whether nothing shows that clusters of one name are several people's, or generations apart."""
        # One contradiction proves that the name is borne by two: then it decides nothing for the others.
        clusters = [self._clusters[number] for number in numbers]
        works = {work for cluster in clusters for work in cluster.works}
        if len(works) < sum(len(cluster.works) for cluster in clusters):
            return False
        groups = {cluster.group for cluster in clusters} - {-1}
        if any(self.groups.contradict(a, b) for a, b in combinations(sorted(groups), 2)):
            return False
        names = {name for cluster in clusters for name in cluster.names}
        if not all(compatible(a, b) for a, b in combinations(names, 2)):
            return False
        years = sorted(self.around.years[w] for w in works if w in self.around.years)
        return all(later - earlier <= NAME_ALONE_YEARS for earlier, later in pairwise(years))

    def _attach_initials(self, links: list[Link]) -> None:
        """An abbreviated name joins a written-out one if the evidence leads to one cluster alone."""
        leads: dict[int, dict[int, tuple[int, int, str, str]]] = defaultdict(dict)
        for rule, shared, places in links:
            full = [p for p in places if self._full(p)]
            for place in places:
                if self._full(place):
                    continue
                for other in full:
                    mine, theirs = self._of[place], self._of[other]
                    if mine != theirs and self._may_join(mine, theirs):
                        leads[mine].setdefault(theirs, (place, other, rule, shared))
        for candidates in leads.values():
            if len(candidates) == 1:
                place, other, rule, shared = next(iter(candidates.values()))
                self._join(place, other, rule, self._because(1, shared))

    def _may_join(self, a: int, b: int) -> bool:
        one, two = self._clusters[a], self._clusters[b]
        if one.group >= 0 and two.group >= 0 and self.groups.contradict(one.group, two.group):
            return False
        if not one.works.isdisjoint(two.works):
            return False
        return all(compatible(x, y) for x in one.names for y in two.names)

    def _join(self, place: int, other: int, rule: str, why: str) -> bool:
        """Join the clusters of two bearers; whether they are one now."""
        a, b = self._of[place], self._of[other]
        if a != b:
            if not self._may_join(a, b):
                return False
            if len(self._clusters[a].places) < len(self._clusters[b].places):
                a, b = b, a
            keep, gone = self._clusters[a], self._clusters[b]
            for p in gone.places:
                self._of[p] = a
            keep.places += gone.places
            keep.names |= gone.names
            keep.works |= gone.works
            if keep.group >= 0 and gone.group >= 0:
                self.groups.join(keep.group, gone.group)
            keep.group = max(keep.group, gone.group)
            gone.places = []
        self._why.setdefault(place, (rule, why))
        self._why.setdefault(other, (rule, why))
        return True

    def _decide(self) -> list[Decision]:
        alive = [c for c in self._clusters if c.places]
        bearers = Counter(name for c in alive for name in c.names)
        by_given: dict[str, set[Name]] = defaultdict(set)
        for name in bearers:
            by_given[name.given[0] if name.given else ""].add(name)
        decisions: list[Decision | None] = [None] * len(self.bearers)
        for number, cluster in enumerate(self._clusters):
            rivals = 0
            if cluster.places and cluster.group < 0 and len(cluster.works) == 1 and len(alive) > 1:
                rivals = self._rivals(cluster, bearers, by_given)
            for place in cluster.places:
                decisions[place] = self._decision(place, number, len(alive), rivals)
        return [d for d in decisions if d is not None]

    def _rivals(
        self, cluster: _Cluster, bearers: Counter[Name], by_given: dict[str, set[Name]]
    ) -> int:
        """Other clusters of the block that could be the same person by name."""
        mine = next(iter(cluster.names))
        first = mine.given[0] if mine.given else ""
        if len(first) <= 1:
            # An initial agrees with too much to list; a name without one agrees with its equals only.
            near = set(bearers)
        else:
            # "K. Zhang" may be anybody, but that Kang Zhang wrote this work is no less true for it.
            near = set(by_given[first])
            near |= {n for n in bearers if "".join(n.given) == "".join(mine.given)}
        return sum(bearers[n] for n in near if compatible(mine, n)) - len(cluster.names)

    def _decision(self, place: int, number: int, clusters: int, rivals: int) -> Decision:
        cluster, name = self._clusters[number], self.bearers[place].name
        if place in self._why:
            return Decision(number, *self._why[place])
        if cluster.group >= 0:
            return Decision(number, "id", "")
        if len(cluster.works) > 1:
            return Decision(number, "name", "Compatible names in a group joined by evidence.")
        if clusters == 1:
            return Decision(number, "name", "The only author of this name in the record.")
        if rivals == 0 and name.has_full_given:
            return Decision(
                number, "name", "No other written-out name in the record could be the same."
            )
        missing = (
            "no shared coauthor, own citation, affiliation, institution or subject connects them "
            "beyond what chance would"
        )
        if not name.has_full_given:
            missing += ", and the given name is abbreviated"
        return Decision(
            None, None, f"The name could also be that of {rivals} others in the record; {missing}."
        )
