"""From an outside identifier to the entity that bears it."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Select, select, tuple_
from sqlalchemy.orm import Session

from peerscope.record.models import Identifier, Work


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
