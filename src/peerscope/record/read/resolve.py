"""From an outside identifier to the entity that bears it."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import CTE, Select, select, tuple_
from sqlalchemy.orm import Session

from peerscope.record.models import Authorship, Identifier, Person, Work


def entity_of_identifier(session: Session, entity: str, scheme: str, value: str) -> int | None:
    """The number of the work (W), person (A) or institution (I) with this identifier, if there is one."""
    if scheme == "doi":
        value = value.lower()
    return session.scalar(
        select(Identifier.entity_id).where(
            Identifier.entity == entity, Identifier.scheme == scheme, Identifier.value == value
        )
    )


def works_of_identifiers(session: Session, wanted: Iterable[str]) -> dict[str, tuple[int, str]]:
    """The works that carry any of some identifiers, in one statement.

    Args:
        session: Of the record.
        wanted: Identifiers as ``scheme:value``.

    Returns:
        Identifier to the number and the title of its work; those that the record does not know are left out.
    """
    pairs = identifier_pairs(wanted)
    if not pairs:
        return {}
    rows = session.execute(bearing(pairs))
    return {pairs[scheme, value]: (number, title) for scheme, value, number, title in rows}


def identifiers_of(session: Session, entity: str, number: int) -> list[tuple[str, str]]:
    """Scheme and value of the outside identifiers of an entity (letter W, A, I, T or S). One statement."""
    rows = session.execute(
        select(Identifier.scheme, Identifier.value)
        .where(Identifier.entity == entity, Identifier.entity_id == number)
        .order_by(Identifier.scheme, Identifier.value)
    )
    return [(scheme, value) for scheme, value in rows]


def identifier_pairs(wanted: Iterable[str]) -> dict[tuple[str, str], str]:
    """Scheme and value, as the record holds them, of identifiers given as ``scheme:value``."""
    pairs = {}
    for one in wanted:
        scheme, _, value = one.partition(":")
        pairs[scheme, value.lower() if scheme == "doi" else value] = one
    return pairs


def bearing(pairs: Iterable[tuple[str, str]]) -> Select[str, str, int, str]:
    """Scheme, value, number and title of the works that carry some identifiers, as a statement."""
    return (
        select(Identifier.scheme, Identifier.value, Work.id, Work.title)
        .join(Work, Work.id == Identifier.entity_id)
        .where(
            Identifier.entity == "W",
            Work.deleted_at.is_(None),
            tuple_(Identifier.scheme, Identifier.value).in_(sorted(pairs)),
        )
    )


def current_people(session: Session, numbers: Iterable[int]) -> dict[int, int]:
    """Who people are now, where some were joined with others. One statement.

    Args:
        session: Of the record.
        numbers: People's numbers; those that the record does not know are left out of the answer.
    """
    ways = _ways(numbers)
    rows = session.execute(
        select(ways.c.first, ways.c.now)
        .join(Person, Person.id == ways.c.now)
        .where(Person.merged_into_id.is_(None))
    )
    return {row.first: row.now for row in rows}


def authors_among(session: Session, work_id: int, people: Iterable[int]) -> set[int]:
    """Which of some people are authors of a work, as the record has it now. One statement, or none."""
    asked = set(people)
    if not asked:
        return set()
    ways = _ways(asked)
    written = select(ways.c.first).join(Authorship, Authorship.person_id == ways.c.now)
    return set(session.scalars(written.where(Authorship.work_id == work_id)))


def _ways(numbers: Iterable[int]) -> CTE:
    """From people to everyone that they were joined with since, themselves first."""
    begin = select(Person.id.label("first"), Person.id.label("now")).where(
        Person.id.in_(sorted(set(numbers)))
    )
    ways = begin.cte("ways", recursive=True)
    ahead = select(ways.c.first, Person.merged_into_id).join(Person, Person.id == ways.c.now)
    return ways.union(ahead.where(Person.merged_into_id.is_not(None)))
