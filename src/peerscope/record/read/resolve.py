"""From an outside identifier to the entity that bears it."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Select, select, tuple_
from sqlalchemy.orm import Session

from peerscope.record.models import Authorship, Identifier, Person, Work

LONGEST_WAY = 50
"""Joins of people one after the other that are followed."""


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
    """Who people are now, where some were joined with others. One statement for each step of the way.

    Args:
        session: Of the record.
        numbers: People's numbers; those that the record does not know are left out of the answer.
    """
    now = {number: number for number in numbers}
    for _ in range(LONGEST_WAY):
        rows = session.execute(
            select(Person.id, Person.merged_into_id).where(Person.id.in_(set(now.values())))
        )
        heirs = {row.id: row.merged_into_id for row in rows}
        now = {first: heirs[at] or at for first, at in now.items() if at in heirs}
        if not any(heirs.values()):
            break
    return now


def authors_among(session: Session, work_id: int, people: Iterable[int]) -> set[int]:
    """Which of some people are authors of a work, as the record has it now; two statements or more."""
    now = current_people(session, people)
    if not now:
        return set()
    written = set(
        session.scalars(
            select(Authorship.person_id).where(
                Authorship.work_id == work_id, Authorship.person_id.in_(set(now.values()))
            )
        )
    )
    return {number for number, at in now.items() if at in written}
