"""The works that stand under a name, each with what can tell one bearer of the name from another.

Identifiers that a source asserts for persons are left out, except ORCID: they may be what is wrong. Read in a
fixed number of statements, whatever the number of works.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from peerscope.record.bulk import chunks
from peerscope.record.evidence import Bearer, Surroundings
from peerscope.record.identity import person_ids
from peerscope.record.models import (
    Authorship,
    AuthorshipInstitution,
    Citation,
    Institution,
    Topic,
    Venue,
    Work,
    WorkTopic,
)
from peerscope.record.names import Name, parse_name

MOST_WORKS = 2_000
"""Works that are compared; beyond that nobody reads a comparison."""

CROWD = 50
"""Authors from which a work's authors say little of each other."""

COMMON = 0.2
"""Share of the record's works from which a topic says nothing of a person ("Medicine")."""

MOST_COAUTHORS, MOST_MET = 5_000, 100_000
"""Coauthors whose other works are looked at, and authorships of these."""


@dataclass(slots=True)
class Own:
    """One authorship, its work, and what stands around it.

    Attributes:
        coauthors: Key to the name as printed: ``A12``, or the (lower-case) key of a name whose person is not
            decided; empty in a crowd.
        names: Name keys of all other authors.
        institutions: Number to name, as stated with this authorship.
        topics: Number to name, of those that are not `COMMON`.
        cites: Works that the work cites.
    """

    authorship: int
    work: int
    title: str
    title_markup: str | None
    year: int | None
    name: Name
    raw_name: str
    name_key: str
    person: int | None
    orcid: str | None
    venue: int | None
    venue_name: str | None
    is_repository: bool
    coauthors: dict[str, str] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)
    institutions: dict[int, str] = field(default_factory=dict)
    topics: dict[int, str] = field(default_factory=dict)
    cites: set[int] = field(default_factory=set)


@dataclass(slots=True)
class Oeuvre:
    """Authorships with what stands around them.

    Attributes:
        works: In order of work and position.
        total: Number of works in the record.
        frequency: Number of authorships of a coauthor's name in the record.
        circles: Coauthors that stand together on works other than these.
        fields: Topics of these works that stand together on some work of the record.
    """

    works: list[Own]
    total: int
    frequency: Mapping[str, int]
    circles: Sequence[frozenset[str]] = ()
    fields: frozenset[tuple[int, int]] = frozenset()

    def bearers(self) -> list[Bearer]:
        """The authorships as the rules of `peerscope.record.evidence` read them."""
        return [Bearer(o.authorship, o.work, o.name, o.name_key, o.raw_name) for o in self.works]

    def surroundings(self) -> Surroundings:
        """What stands around them, in the same form."""
        return Surroundings(
            works=self.total,
            names={o.work: [o.name_key, *o.names] for o in self.works},
            frequency=self.frequency,
            cites={o.work: sorted(o.cites) for o in self.works},
            institutions={o.authorship: sorted(o.institutions) for o in self.works},
        )


def oeuvre_of_person(session: Session, person: int) -> Oeuvre:
    """The works of a person; at most `MOST_WORKS`. Nine statements."""
    return _read(session, Authorship.person_id == person)


def oeuvre_of(session: Session, authorships: Collection[int]) -> Oeuvre:
    """The works of some authorships; at most `MOST_WORKS`. Nine statements."""
    return _read(session, Authorship.id.in_(sorted(authorships)[:MOST_WORKS]))


def _read(session: Session, condition: object) -> Oeuvre:
    rows = session.execute(
        select(
            Authorship.id, Authorship.work_id, Work.title, Work.title_markup,
            Work.publication_year, Authorship.raw_name, Authorship.name_key,
            Authorship.person_id, Authorship.author_ids, Work.venue_id, Venue.display_name,
            Venue.type, Work.authors_count,
        )
        .join(Work, Work.id == Authorship.work_id)
        .outerjoin(Venue, Venue.id == Work.venue_id)
        .where(condition, Work.deleted_at.is_(None))  # type: ignore[arg-type]
        .order_by(Authorship.work_id, Authorship.position)
        .limit(MOST_WORKS)
    ).all()  # fmt: skip
    found = [
        Own(
            row.id, row.work_id, row.title, row.title_markup, row.publication_year,
            parse_name(row.name_key), row.raw_name, row.name_key, row.person_id,
            dict(person_ids(row.author_ids)).get("orcid"), row.venue_id, row.display_name,
            row.type == "repository",
        )
        for row in rows
    ]  # fmt: skip
    _add_coauthors(session, found, {row.work_id for row in rows if row.authors_count > CROWD})
    _add_places(session, found)
    total = session.scalar(select(func.count()).select_from(Work)) or 0
    _add_topics(session, found, COMMON * total)
    _add_citations(session, found)
    keys = sorted({name for own in found for name in own.names})
    frequency: dict[str, int] = {}
    for part in chunks(keys):
        counted = (
            select(Authorship.name_key, func.count())
            .where(Authorship.name_key.in_(part))
            .group_by(Authorship.name_key)
        )
        frequency.update((key, count) for key, count in session.execute(counted))
    return Oeuvre(found, total, frequency, _circles(session, found), _fields(session, found))


def _fields(session: Session, found: Sequence[Own]) -> frozenset[tuple[int, int]]:
    """Pairs of topics, the smaller number first, that one work carries. One statement."""
    topics = sorted({topic for own in found for topic in own.topics})
    carried: dict[int, list[int]] = defaultdict(list)
    rows = session.execute(
        select(WorkTopic.work_id, WorkTopic.topic_id)
        .where(WorkTopic.topic_id.in_(topics))
        .order_by(WorkTopic.topic_id, WorkTopic.work_id)
        .limit(MOST_MET)
    )
    for work, topic in rows:
        carried[work].append(topic)
    return frozenset(pair for one in carried.values() for pair in combinations(one, 2))


def _circles(session: Session, found: Sequence[Own]) -> list[frozenset[str]]:
    """Coauthors with a person who wrote other works together. One statement."""
    people = sorted({int(key[1:]) for own in found for key in own.coauthors if key[0] == "A"})
    works = {own.work for own in found}
    together: dict[int, set[str]] = defaultdict(set)
    rows = session.execute(
        select(Authorship.work_id, Authorship.person_id)
        .join(Work, Work.id == Authorship.work_id)
        .where(Authorship.person_id.in_(people[:MOST_COAUTHORS]), Work.authors_count <= CROWD)
        .order_by(Authorship.person_id, Authorship.work_id)
        .limit(MOST_MET)
    )
    for work, person in rows:
        if work not in works:
            together[work].add(f"A{person}")
    return sorted({frozenset(one) for one in together.values() if len(one) > 1}, key=sorted)


def _by_work(found: Sequence[Own]) -> dict[int, list[Own]]:
    works: dict[int, list[Own]] = defaultdict(list)
    for own in found:
        works[own.work].append(own)
    return works


def _add_coauthors(session: Session, found: Sequence[Own], crowds: set[int]) -> None:
    works, mine = _by_work(found), {own.authorship for own in found}
    rows = session.execute(
        select(
            Authorship.id, Authorship.work_id, Authorship.person_id, Authorship.raw_name,
            Authorship.name_key,
        )
        .where(Authorship.work_id.in_([work for work in works if work not in crowds]))
        .order_by(Authorship.work_id, Authorship.position)
    )  # fmt: skip
    for number, work, person, name, key in rows:
        if number not in mine:
            for own in works[work]:
                own.coauthors[f"A{person}" if person is not None else key] = name
                own.names.append(key)


def _add_places(session: Session, found: Sequence[Own]) -> None:
    by_number = {own.authorship: own for own in found}
    rows = session.execute(
        select(AuthorshipInstitution.authorship_id, Institution.id, Institution.display_name)
        .join(Institution, Institution.id == AuthorshipInstitution.institution_id)
        .where(AuthorshipInstitution.authorship_id.in_(list(by_number)))
        .order_by(Institution.display_name, Institution.id)
    )
    for number, place, name in rows:
        by_number[number].institutions[place] = name


def _add_topics(session: Session, found: Sequence[Own], most: float) -> None:
    works = _by_work(found)
    rows = session.execute(
        select(WorkTopic.work_id, Topic.id, Topic.display_name)
        .join(Topic, Topic.id == WorkTopic.topic_id)
        .where(WorkTopic.work_id.in_(list(works)), Topic.works_count <= most)
        .order_by(Topic.display_name, Topic.id)
    )
    for work, topic, name in rows:
        for own in works[work]:
            own.topics[topic] = name


def _add_citations(session: Session, found: Sequence[Own]) -> None:
    works = _by_work(found)
    rows = session.execute(
        select(Citation.citing_id, Citation.cited_id).where(
            Citation.citing_id.in_(list(works)), Citation.cited_id.is_not(None)
        )
    )
    for citing, cited in rows:
        if cited is not None:
            for own in works[citing]:
                own.cites.add(cited)
