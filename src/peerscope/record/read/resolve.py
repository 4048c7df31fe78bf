"""From an outside identifier to the entity that bears it."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from peerscope.record.models import Identifier


def entity_of_identifier(session: Session, entity: str, scheme: str, value: str) -> int | None:
    """The number of the work (W), person (A) or institution (I) with this identifier, if there is one."""
    if scheme == "doi":
        value = value.lower()
    return session.scalar(
        select(Identifier.entity_id).where(
            Identifier.entity == entity, Identifier.scheme == scheme, Identifier.value == value
        )
    )
