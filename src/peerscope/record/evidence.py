"""What speaks for two authorships being one person's, beside the name.

A shared coauthor, institution or subject is evidence only as far as chance does not explain it: in a
large record two strangers named Yang Liu soon have a coauthor Wei Wang in common. A coauthor counts
when ``(works of the focal name) x (works of the coauthor's name) <= max(0.05 N, 200)`` in a record of N
works, that is when less than one coincidence in twenty is expected; two such coauthors together count
with the square of the bound. A written-out name that is rare in the record speaks for itself under the same
bound: fewer than one namesake in twenty is expected (`peerscope.record.rarity`).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from math import inf

from peerscope.record.names import Name

CHANCE = 0.05
FLOOR = 200
MAX_SUBJECT_WORKS = 200
"""A subject at a venue that more works share says nothing of a person."""
PAIRED = 8
"""Common coauthors of one work that are looked at in pairs."""
AFFILIATED_NAMESAKES = 1.0
"""Namesakes up to which one affiliation, as printed, is evidence: a stranger of the name is unlikely to be
at the same place by chance (no affiliation stands on more than a fiftieth of those in the ACL Anthology)."""
NO_AFFILIATION = frozenset([
    "", "na", "n a", "none", "null", "unknown", "unaffiliated", "no affiliation", "independent",
    "independent researcher", "independent scholar", "individual", "individual researcher", "self",
    "freelance", "freelancer", "private", "home", "student", "phd student", "msc student", "university",
])  # fmt: skip
"""What people print who have no affiliation, or name none."""


@dataclass(slots=True)
class Bearer:
    """One authorship as the resolver sees it.

    Attributes:
        group: Number of its identifier group, -1 without person identifiers.
    """

    authorship: int
    work: int
    name: Name
    name_key: str
    raw_name: str
    group: int = -1


def _unknown(_: Name) -> float:
    return inf


@dataclass(slots=True)
class Surroundings:
    """What stands around the authorships: everything that can become evidence.

    Attributes:
        works: Number of works in the record.
        names: Name keys of a work's authors.
        frequency: Number of authorships of a name key in the record.
        cites: Cited works of a work.
        institutions: Institutions of an authorship.
        subjects: (venue, topic) pairs of a work that few enough works share.
        affiliations: Key of the affiliation that is printed with an authorship.
        years: Year of publication of a work.
        namesakes: Other people expected under a name in the record; infinite where that is not known.
    """

    works: int
    names: Mapping[int, Sequence[str]]
    frequency: Mapping[str, int]
    cites: Mapping[int, Sequence[int]] = field(default_factory=dict)
    institutions: Mapping[int, Sequence[int]] = field(default_factory=dict)
    subjects: Mapping[int, Sequence[tuple[int, int]]] = field(default_factory=dict)
    affiliations: Mapping[int, str] = field(default_factory=dict)
    years: Mapping[int, int] = field(default_factory=dict)
    namesakes: Callable[[Name], float] = _unknown


Link = tuple[str, str, list[int]]
"""Rule, what was shared, and the places (in the block) of the bearers that share it."""


def own_citations(block: Sequence[Bearer], around: Surroundings) -> Iterator[Link]:
    """Pairs of which one cites the other's work: people cite their own earlier work."""
    by_work: dict[int, list[int]] = defaultdict(list)
    for place, bearer in enumerate(block):
        by_work[bearer.work].append(place)
    for place, bearer in enumerate(block):
        for cited in around.cites.get(bearer.work, ()):
            for other in by_work.get(cited, ()):
                yield "name+citation", "one work cites the other", [place, other]


def shared_coauthors(block: Sequence[Bearer], around: Surroundings) -> Iterator[Link]:
    """Bearers with a coauthor in common, or with two where one alone could be chance."""
    limit = max(CHANCE * around.works, FLOOR)
    forms = Counter(bearer.name_key for bearer in block)
    single: dict[str, list[int]] = defaultdict(list)
    paired: dict[tuple[str, str], list[int]] = defaultdict(list)
    for place, bearer in enumerate(block):
        bearers = forms[bearer.name_key]
        common = []
        for name in around.names.get(bearer.work, ()):
            if name == bearer.name_key or not _written_out(name):
                continue
            if bearers * around.frequency.get(name, 1) <= limit:
                single[name].append(place)
            else:
                common.append(name)
        if len(common) > 1:
            common.sort(key=lambda n: (around.frequency.get(n, 1), n))
            for pair in combinations(sorted(common[:PAIRED]), 2):
                paired[pair].append(place)
    # The rarest first: what is joined by them decides how many links the others need.
    for name, places in sorted(single.items(), key=lambda x: (around.frequency.get(x[0], 1), x[0])):
        if len(places) > 1:
            yield "name+coauthor", f"shared coauthor {name}", places
    bounded = []
    for pair, places in paired.items():
        if len(places) > 1 and len(places) * min(forms[block[p].name_key] for p in places) <= limit:
            bounded.append((sum(around.frequency.get(n, 1) for n in pair), pair, places))
    for _, pair, places in sorted(bounded):
        yield "name+coauthor", f"shared coauthors {pair[0]} and {pair[1]}", places


def shared_institutions(block: Sequence[Bearer], around: Surroundings) -> Iterator[Link]:
    """Bearers with written-out given names at one institution."""
    found: dict[int, list[int]] = defaultdict(list)
    for place, bearer in enumerate(block):
        if bearer.name.has_full_given:
            for institution in around.institutions.get(bearer.authorship, ()):
                found[institution].append(place)
    for places in found.values():
        if len(places) > 1:
            yield "name+institution", "same institution", places


def printed_affiliations(block: Sequence[Bearer], around: Surroundings) -> Iterator[Link]:
    """Bearers of not too common names with one affiliation, word for word as printed."""
    found: dict[str, list[int]] = defaultdict(list)
    for place, bearer in enumerate(block):
        printed = around.affiliations.get(bearer.authorship)
        if printed is not None and bearer.name.has_full_given and printed not in NO_AFFILIATION:
            found[printed].append(place)
    for printed, places in found.items():
        if len(places) > 1:
            rare = [p for p in places if around.namesakes(block[p].name) <= AFFILIATED_NAMESAKES]
            if len(rare) > 1:
                yield "name+affiliation", f"the same affiliation as printed ({printed})", rare


def shared_subjects(block: Sequence[Bearer], around: Surroundings) -> Iterator[Link]:
    """Bearers with written-out given names on one topic at one venue."""
    found: dict[tuple[int, int], list[int]] = defaultdict(list)
    for place, bearer in enumerate(block):
        if bearer.name.has_full_given:
            for subject in around.subjects.get(bearer.work, ()):
                found[subject].append(place)
    for places in found.values():
        if len(places) > 1:
            yield "name+topic", "same topic at the same venue", places


def _written_out(name_key: str) -> bool:
    """Whether a name key has a written-out given name, or is a whole name in its own script."""
    family, comma, given = name_key.partition(", ")
    if not comma:
        return not family.isascii()
    return len(given.split(" ", 1)[0]) > 1
