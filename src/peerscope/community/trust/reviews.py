"""Which reviews have weight: no reviews of oneself, no rings, one account one vote, level L2 or above.

Pure functions over plain rows. A review that is left out stays where it is written and is shown; it only
adds nothing to a snapshot, and the reason stands beside it. A ring is a circle of people each of whom
reviewed the next one's work: in a ring of up to `RING` people no review has weight, whoever began. So a
review can take the weight of another by closing a ring, and in no other way.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from peerscope.community.trust.evidence import ReviewFacts

RING = 3
"""People in the largest circle that counts as a ring."""

LEAST_LEVEL = 2
"""Level from which a review has weight."""

SELF = "a review of one's own work"
LEVEL = f"the reviewer was below level L{LEAST_LEVEL}"
CIRCLE = "reviewer and author reviewed each other, or in a ring"
AGAIN = "another review by the same account"
SAME_WORK = "another review of the same work"


@dataclass(frozen=True, slots=True)
class Review:
    """A review as its table has it.

    Attributes:
        account: Number of the reviewer's account.
        person: Number of the person whose record the reviewer owns; ``None`` without one.
        level: The reviewer's level when the snapshot is made, 0 to 5.
        work: Number of the work reviewed.
        authors: Numbers of the persons who wrote it.
        date: When, ISO 8601.
        url: Where it can be read.
    """

    account: int
    person: int | None
    level: int
    work: int
    authors: frozenset[int]
    date: str
    url: str = ""


def reviews_of(person: int, reviews: Iterable[Review]) -> tuple[ReviewFacts, ...]:
    """Reviews that a person received and gave, each with why it has no weight, in the order of their dates.

    Args:
        person: Number of the person.
        reviews: All that could be part of a ring around the person; the order does not matter.
    """
    rows = sorted(reviews, key=lambda one: (one.date, one.account, one.work))
    ways = _ways(rows)
    facts = []
    voted: set[int] = set()
    reviewed: set[int] = set()
    for row in rows:
        received, given = person in row.authors, row.person == person
        if not received and not given:
            continue
        out = _left_out(row, ways)
        if not out and received:
            out = AGAIN if row.account in voted else ""
            voted.add(row.account)
        elif not out and given:
            out = SAME_WORK if row.work in reviewed else ""
            reviewed.add(row.work)
        facts.append(ReviewFacts(row.work, given and not received, row.date[:10], out, row.url))
    return tuple(facts)


def _left_out(row: Review, ways: Mapping[int, set[int]]) -> str:
    if row.person is not None and row.person in row.authors:
        return SELF
    if row.level < LEAST_LEVEL:
        return LEVEL
    if row.person is not None and any(leads(ways, author, row.person) for author in row.authors):
        return CIRCLE
    return ""


def _ways(rows: Iterable[Review]) -> dict[int, set[int]]:
    """Person to the persons whose works they reviewed, their own left out."""
    ways: dict[int, set[int]] = defaultdict(set)
    for row in rows:
        if row.person is not None:
            ways[row.person] |= row.authors - {row.person}
    return ways


def leads(ways: Mapping[int, set[int]], start: int, goal: int) -> bool:
    """Whether a way of at most `RING` - 1 reviews leads from one person to another."""
    seen, reached = {start}, {start}
    for _ in range(RING - 1):
        reached = {there for here in reached for there in ways.get(here, ())} - seen
        if goal in reached:
            return True
        seen |= reached
    return False
