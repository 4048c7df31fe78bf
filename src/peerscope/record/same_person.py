"""Who else could be a person: others of a compatible name, and undecided works of the name.

Each stands beside the evidence for one person and for two, weighed as the parts of a partition are. Nothing
is decided here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from peerscope.record.models import Authorship, Person, Work
from peerscope.record.names import Name, parse_name
from peerscope.record.oeuvre import Oeuvre, Own, oeuvre_of
from peerscope.record.partition import APART
from peerscope.record.weighing import DECISIVE, Heap, Weighed, agree, heap_of, weigh

MOST_CANDIDATES = 8
MOST_OPEN = 20
"""Persons and undecided works that are put beside a person."""

COMPARED = 120
"""Works of each person that are compared."""

ONE = -4
"""Points from which more speaks for one person: a coauthor in common, and something beside it."""

SAYS = {
    "cannot": "They cannot be one person",
    "two": "More speaks for two people",
    "open": "Nothing decides it",
    "one": "More speaks for one person",
}
"""What the evidence comes to."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A person who could be the same; ``says`` is a key of `SAYS`."""

    person: int
    name: str
    works_count: int
    weighed: Weighed
    says: str


@dataclass(frozen=True, slots=True)
class OpenWork:
    """A work of the name whose author is not decided, and how it stands to the person."""

    authorship: int
    work: int
    title: str
    title_markup: str | None
    year: int | None
    name: str
    weighed: Weighed
    says: str


@dataclass(frozen=True, slots=True)
class Lookalikes:
    """Who and what could be a person's.

    Attributes:
        people: Those for whom most speaks first.
        undecided: Works whose author is not decided, in the same order.
        undecided_count: How many there are of the name, with those that are not listed.
    """

    people: tuple[Candidate, ...]
    undecided: tuple[OpenWork, ...]
    undecided_count: int


def lookalikes(session: Session, person: int) -> Lookalikes:
    """Who and what could be a person's by name, with what speaks for and against it. Thirteen statements."""
    rows = session.execute(
        select(Authorship.block_key, Authorship.name_key)
        .where(Authorship.person_id == person)
        .distinct()
    ).all()
    names = [parse_name(row.name_key) for row in rows]
    if not names:
        return Lookalikes((), (), 0)
    others, undecided, count = _alike(session, person, {row.block_key for row in rows}, names)
    oeuvre = oeuvre_of(session, _compared(session, [person, *others], undecided))
    by_person: dict[int | None, list[Own]] = defaultdict(list)
    for own in oeuvre.works:
        by_person[own.person].append(own)
    mine = heap_of(by_person.pop(person, []))
    loose = by_person.pop(None, [])
    people = []
    for number, works in by_person.items():
        if number in others:
            name, works_count = others[number]
            weighed = weigh(mine, heap_of(works), oeuvre)
            people.append(Candidate(number, name, works_count, weighed, said(weighed)))
    people.sort(key=lambda one: (one.weighed.points, -one.works_count, one.person))
    return Lookalikes(tuple(people), _open(loose, mine, oeuvre), count)


def _open(loose: Sequence[Own], mine: Heap, oeuvre: Oeuvre) -> tuple[OpenWork, ...]:
    found = []
    for own in loose:
        weighed = weigh(mine, heap_of([own]), oeuvre)
        found.append(
            OpenWork(
                own.authorship, own.work, own.title, own.title_markup, own.year, own.raw_name, weighed,
                said(weighed),
            )
        )  # fmt: skip
    return tuple(sorted(found, key=lambda one: (one.weighed.points, one.work)))


def said(weighed: Weighed) -> str:
    """What evidence comes to, as a key of `SAYS`."""
    if weighed.points >= DECISIVE:
        return "cannot"
    if weighed.points >= APART:
        return "two"
    return "one" if weighed.points <= ONE else "open"


def _alike(
    session: Session, person: int, blocks: Collection[str], names: Sequence[Name]
) -> tuple[dict[int, tuple[str, int]], list[int], int]:
    """Other persons with name and number of works, undecided authorships, and how many of these there are."""
    rows = session.execute(
        select(
            Authorship.id, Authorship.person_id, Authorship.name_key, Person.display_name,
            Person.works_count,
        )
        .join(Work, Work.id == Authorship.work_id)
        .outerjoin(Person, Person.id == Authorship.person_id)
        .where(Authorship.block_key.in_(sorted(blocks)), Work.deleted_at.is_(None))
        .order_by(Authorship.id)
    ).all()  # fmt: skip
    fits: dict[str, bool] = {}
    people: dict[int, tuple[str, int]] = {}
    undecided = []
    for row in rows:
        if row.name_key not in fits:
            name = parse_name(row.name_key)
            fits[row.name_key] = all(agree(name, one) for one in names)
        if not fits[row.name_key] or row.person_id == person:
            continue
        if row.person_id is None:
            undecided.append(row.id)
        else:
            people[row.person_id] = (row.display_name, row.works_count)
    most = sorted(people, key=lambda number: (-people[number][1], number))[:MOST_CANDIDATES]
    return {number: people[number] for number in most}, undecided[:MOST_OPEN], len(undecided)


def _compared(session: Session, people: Sequence[int], undecided: Sequence[int]) -> list[int]:
    rows = session.execute(
        select(Authorship.id, Authorship.person_id)
        .where(Authorship.person_id.in_(people))
        .order_by(Authorship.id.desc())
    )
    taken: dict[int, list[int]] = defaultdict(list)
    for number, one in rows:
        if one is not None and len(taken[one]) < COMPARED:
            taken[one].append(number)
    return [number for one in taken.values() for number in one] + list(undecided)
