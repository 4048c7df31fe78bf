"""The page of one person, and the page of one name: who bears it, and what is undecided."""

from __future__ import annotations

from collections import Counter as Counted
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import func, literal, select
from sqlalchemy.orm import Session, aliased

from peerscope.record.models import (
    Authorship,
    AuthorshipInstitution,
    Counter,
    Identifier,
    Institution,
    Person,
    Source,
    SourceRecord,
    Work,
)
from peerscope.record.read.entities import condition, topics_of, years_of
from peerscope.record.read.lists import works_page
from peerscope.record.read.resolve import bearing, identifier_pairs
from peerscope.record.read.shapes import PER_PAGE, Known, Link, PageOf, WorkCard

COLLABORATORS = 15


@dataclass(frozen=True, slots=True)
class Decision:
    """How many authorships one rule gave to the person."""

    rule: str
    count: int
    example: str | None


@dataclass(slots=True)
class PersonPage:
    """Everything the page of a person shows from the record."""

    person: Person
    change: int
    """Number of the record's last change when this was read (`change_seq`)."""
    works: PageOf[WorkCard]
    affiliations: tuple[Link, ...]
    affiliations_known: Known
    topics: tuple[Link, ...]
    collaborators: tuple[Link, ...]
    collaborators_count: int
    names: tuple[tuple[str, int], ...]
    identifiers: tuple[tuple[str, str], ...]
    works_by: dict[str, tuple[int, str]]
    """Those of the identifiers asked for that a work of the person carries, to its number and title."""
    decisions: tuple[Decision, ...]
    years: tuple[tuple[int, int], ...]
    sources: tuple[str, ...]

    @property
    def withdrawn(self) -> bool:
        """Whether no source states a work of theirs any more."""
        return not self.sources and not self.works.total


def person_page(
    session: Session,
    number: int,
    *,
    page: int = 1,
    sort: str = "newest",
    works_by: Iterable[str] = (),
) -> PersonPage | None:
    """The page of a person; ``None`` where there is none.

    Args:
        session: Of the record.
        number: The person's.
        page: Of the works, from 1.
        sort: ``newest``, ``oldest`` or ``cited``.
        works_by: Identifiers of works (``scheme:value``): which of them are the person's works?
    """
    last = select(Counter.value).where(Counter.name == "change").scalar_subquery()
    row = session.execute(select(Person, last).where(Person.id == number)).one_or_none()
    if row is None:
        return None
    person, change = row
    works = condition("A", number)
    collaborators, count = _collaborators(session, number)
    covers = session.execute(
        select(Source.name, Source.covers)
        .join(SourceRecord, SourceRecord.source_id == Source.id)
        .join(Authorship, Authorship.work_id == SourceRecord.work_id)
        .where(Authorship.person_id == number)
        .distinct()
    ).all()
    affiliations = _affiliations(session, number)
    names, decided = _names_and_decisions(session, number)
    identifiers, found = _identifiers(session, number, identifier_pairs(works_by))
    return PersonPage(
        person=person,
        change=change or 0,
        works=works_page(session, works, page, sort),
        affiliations=affiliations,
        affiliations_known=Known.of("affiliations", " ".join(covered for _, covered in covers)),
        topics=topics_of(session, works),
        collaborators=collaborators,
        collaborators_count=count,
        names=names,
        identifiers=identifiers,
        works_by=found,
        decisions=decided,
        years=years_of(session, works),
        sources=tuple(sorted({name for name, _ in covers})),
    )


def _identifiers(
    session: Session, number: int, pairs: Mapping[tuple[str, str], str]
) -> tuple[tuple[tuple[str, str], ...], dict[str, tuple[int, str]]]:
    """The person's identifiers, and which works of theirs carry some of ``pairs``. One statement."""
    own = select(Identifier.scheme, Identifier.value, literal(0), literal("")).where(
        Identifier.entity == "A", Identifier.entity_id == number
    )
    if pairs:
        written = select(Authorship.work_id).where(Authorship.person_id == number)
        rows = session.execute(own.union_all(bearing(pairs).where(Work.id.in_(written)))).all()
    else:
        rows = session.execute(own).all()
    works = {pairs[scheme, value]: (work, title) for scheme, value, work, title in rows if work}
    return tuple(sorted((s, v) for s, v, work, _ in rows if not work)), works


def _names_and_decisions(
    session: Session, number: int
) -> tuple[tuple[tuple[str, int], ...], tuple[Decision, ...]]:
    """Names as printed, and how the authorships were decided, the most frequent first. One statement."""
    rows = session.execute(
        select(
            Authorship.raw_name, Authorship.decided_by, func.count(), func.min(Authorship.evidence)
        )
        .where(Authorship.person_id == number)
        .group_by(Authorship.raw_name, Authorship.decided_by)
    ).all()
    names: Counted[str] = Counted()
    rules: Counted[str] = Counted()
    examples: dict[str, str | None] = {}
    for name, rule, count, evidence in rows:
        names[name] += count
        rules[rule or "undecided"] += count
        examples.setdefault(rule or "undecided", evidence)
    ordered = sorted(names.items(), key=lambda pair: (-pair[1], pair[0]))
    decisions = tuple(Decision(rule, count, examples[rule]) for rule, count in rules.most_common())
    return tuple(ordered[:COLLABORATORS]), decisions


def _affiliations(session: Session, number: int) -> tuple[Link, ...]:
    """Institutions with the years of the works that state them, the most recent first."""
    statement = (
        select(Institution.id, Institution.display_name, func.count(Work.id.distinct()),
               func.min(Work.publication_year), func.max(Work.publication_year))
        .join(AuthorshipInstitution, AuthorshipInstitution.institution_id == Institution.id)
        .join(Authorship, Authorship.id == AuthorshipInstitution.authorship_id)
        .join(Work, Work.id == Authorship.work_id)
        .where(Authorship.person_id == number)
        .group_by(Institution.id, Institution.display_name)
        .order_by(func.max(Work.publication_year).desc(), Institution.display_name)
        .limit(COLLABORATORS)
    )  # fmt: skip
    return tuple(
        Link("I", institution_id, name, count, _span(first, last))
        for institution_id, name, count, first, last in session.execute(statement)
    )


def _span(first: int | None, last: int | None) -> str | None:
    if first is None or last is None:
        return None
    return str(first) if first == last else f"{first}–{last}"


def _collaborators(session: Session, number: int) -> tuple[tuple[Link, ...], int]:
    ours, theirs = aliased(Authorship), aliased(Authorship)
    joint = func.count(theirs.work_id.distinct())
    statement = (
        select(Person.id, Person.display_name, joint, func.count().over())
        .join(theirs, theirs.person_id == Person.id)
        .join(ours, ours.work_id == theirs.work_id)
        .where(ours.person_id == number, Person.id != number)
        .group_by(Person.id, Person.display_name)
        .order_by(joint.desc(), Person.display_name)
        .limit(COLLABORATORS)
    )
    rows = session.execute(statement).all()
    links = tuple(Link("A", person_id, name, count) for person_id, name, count, _ in rows)
    return links, rows[0][3] if rows else 0


@dataclass(frozen=True, slots=True)
class UndecidedRow:
    """An authorship of which it is not decided whose it is, and what was missing."""

    work: Link
    name: str
    evidence: str | None


@dataclass(frozen=True, slots=True)
class NamePage:
    """Who bears a name: the people, and the authorships that are nobody's yet."""

    name_key: str
    label: str
    people: tuple[Link, ...]
    undecided: tuple[UndecidedRow, ...]
    undecided_count: int


def name_page(session: Session, name_key: str) -> NamePage | None:
    """The page of a normalised name; ``None`` where nobody bears it. Three statements at most."""
    block = session.scalar(
        select(Authorship.block_key).where(Authorship.name_key == name_key).limit(1)
    )
    if block is None:
        return None
    people = session.execute(
        select(Person.id, Person.display_name, Person.works_count)
        .where(
            Person.merged_into_id.is_(None),
            Person.id.in_(
                select(Authorship.person_id).where(
                    Authorship.block_key == block, Authorship.person_id.is_not(None)
                )
            ),
        )
        .order_by(Person.works_count.desc(), Person.display_name)
        .limit(2 * PER_PAGE)
    ).all()
    open_rows = session.execute(
        select(Work.id, Work.title, Work.publication_year, Authorship.raw_name,
               Authorship.evidence, func.count().over())
        .join(Authorship, Authorship.work_id == Work.id)
        .where(Authorship.block_key == block, Authorship.person_id.is_(None))
        .order_by(Authorship.raw_name, Work.id)
        .limit(2 * PER_PAGE)
    ).all()  # fmt: skip
    label = people[0][1] if people else (open_rows[0][3] if open_rows else name_key)
    return NamePage(
        name_key,
        label,
        tuple(Link("A", number, name, count) for number, name, count in people),
        tuple(
            UndecidedRow(Link("W", number, title, year), name, evidence)
            for number, title, year, name, evidence, _ in open_rows
        ),
        open_rows[0][5] if open_rows else 0,
    )
