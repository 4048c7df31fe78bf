"""Telling people that a proof of theirs ends before it does."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from peerscope.community import times
from peerscope.community.models import Notice, Proof
from peerscope.community.notices import notify

AHEAD = timedelta(days=30)
KIND = "proof.expires"


def remind_of_expiry(session: Session, at: datetime | None = None) -> int:
    """Tell each account once that a proof ends within 30 days; how many were told.

    Args:
        session: Of the community's database, writing.
        at: The moment that counts as now.
    """
    moment = at or times.now()
    ending = session.scalars(
        select(Proof).where(
            Proof.revoked_at.is_(None),
            Proof.expires_at > moment,
            Proof.expires_at <= moment + AHEAD,
        )
    ).all()
    told = session.execute(
        select(Notice.target, Notice.created_at).where(Notice.kind == KIND)
    ).all()
    done = 0
    for proof in ending:
        target = f"proof:{proof.id}"
        # A proof that was renewed since the last notice ends anew.
        if not any(
            row.target == target and times.utc(row.created_at) >= times.utc(proof.verified_at)
            for row in told
        ):
            assert proof.expires_at is not None
            notify(
                session, proof.account_id, KIND, target,
                detail=times.utc(proof.expires_at).date().isoformat(),
            )  # fmt: skip
            done += 1
    return done
