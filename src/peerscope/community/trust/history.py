"""Snapshots as they were: a row when something changed, with its formula; none is computed anew."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from peerscope.community.service import Community
from peerscope.community.times import now, utc
from peerscope.community.trust.document import digest, figures
from peerscope.community.trust.models import TrustRecord
from peerscope.community.trust.shapes import Snapshot
from peerscope.record.read import PageOf

PER_PAGE = 50
LOCK = 0x74727573
"""First key of the PostgreSQL advisory locks, one a person ("trus" in ASCII)."""


@dataclass(frozen=True, slots=True)
class Past:
    """A snapshot that was kept.

    Attributes:
        computed_at: When it was first seen.
        formula: What made it.
        figures: As it was then.
        other_formula: Whether another formula made the one before it: their values do not compare.
    """

    computed_at: datetime
    formula: str
    figures: dict[str, Any]
    other_formula: bool


def keep(community: Community, snapshot: Snapshot, owner: int | None) -> bool:
    """Keep a snapshot if it differs from the last one of the person; whether it did.

    Args:
        community: Where it is kept.
        snapshot: As computed now.
        owner: The account that owns the person's record, if one does.
    """
    found = digest(snapshot)
    with community.reading() as session:
        if _last(session, snapshot.person) == found:
            return False
    with community.writing() as session:
        _take_turns(session, snapshot.person)
        if _last(session, snapshot.person) == found:
            return False
        at = now()
        session.add(
            TrustRecord(
                person_id=snapshot.person, account_id=owner, formula=snapshot.formula, computed_at=at,
                digest=found, figures=json.dumps(figures(snapshot, at, traces=False)),
            )
        )  # fmt: skip
    return True


def _take_turns(session: Session, person: int) -> None:
    """Let whoever keeps a snapshot of a person at the same time wait; SQLite has one writer anyway."""
    if session.connection().dialect.name == "postgresql":
        statement = text("SELECT pg_advisory_xact_lock(:kind, :person)")
        session.execute(statement, {"kind": LOCK, "person": person % 2**31})


def _last(session: Session, person: int) -> str | None:
    return session.scalar(
        select(TrustRecord.digest)
        .where(TrustRecord.person_id == person)
        .order_by(TrustRecord.id.desc())
        .limit(1)
    )


def history(session: Session, person: int, page: int = 1) -> PageOf[Past]:
    """The snapshots of a person that were kept, the newest first. One statement.

    Args:
        session: Of the community's database.
        person: Number of the person.
        page: From 1.
    """
    before = func.lag(TrustRecord.formula).over(order_by=TrustRecord.id)
    rows = session.execute(
        select(TrustRecord.computed_at, TrustRecord.formula, TrustRecord.figures, before,
               func.count().over())
        .where(TrustRecord.person_id == person)
        .order_by(TrustRecord.id.desc())
        .offset((page - 1) * PER_PAGE)
        .limit(PER_PAGE)
    ).all()  # fmt: skip
    found = tuple(
        Past(utc(at), formula, json.loads(told), earlier is not None and earlier != formula)
        for at, formula, told, earlier, _ in rows
    )
    return PageOf(found, rows[0][4] if rows else 0, page, PER_PAGE)
