"""What an account is told about: replies, invitations, decisions on what it asked for.

A notice's kind is a topic and what happened in it (``claim.accepted``). For each topic an account can
switch off that it is told here, and that the digest tells it; the notice is kept either way.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, ScalarSelect, delete, exists, func, select, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from peerscope.community.models import Account, Notice
from peerscope.community.talk_models import Switch
from peerscope.community.times import now, utc

TOPICS = {
    "claim": "Claims on records",
    "proof": "Proofs of yours: vouches, expiry",
    "identity": "Who is who: proposals and decisions",
    "review": "Reviews and replies",
    "collection": "Shared collections",
    "invitation": "Invitations to work together",
    "message": "Messages in conversations",
    "report": "Reports that you made",
    "moderation": "What moderators did to texts of yours",
}
"""Topics that can be switched, and what they are called."""

PER_PAGE = 30
READ_KEPT = timedelta(days=180)
"""How long a notice stays after it was read."""


@dataclass(frozen=True, slots=True)
class Told:
    """A notice as it was kept."""

    id: int
    kind: str
    target: str
    actor_id: int | None
    detail: str
    at: datetime
    read: bool


def notify(
    session: Session,
    account_id: int,
    kind: str,
    target: str,
    *,
    actor_id: int | None = None,
    detail: str = "",
    once: bool = False,
) -> None:
    """Tell an account something, in the transaction in which it happens.

    Args:
        session: Of the community's database, writing.
        account_id: Who is told.
        kind: What happened, as ``claim.accepted``; at most 32 characters.
        target: What it is about, as ``person:12`` or ``work:3``.
        actor_id: Whose doing it is, if an account's; nobody is told of their own.
        detail: One line more.
        once: Whether one unread notice of this kind and target is enough.
    """
    if actor_id == account_id:
        return
    same = (
        Notice.account_id == account_id, Notice.kind == kind, Notice.target == target,
        Notice.read_at.is_(None),
    )  # fmt: skip
    if once and session.scalar(select(exists().where(*same))):
        return
    session.add(
        Notice(
            account_id=account_id, kind=kind, target=target, actor_id=actor_id, detail=detail,
            created_at=now(),
        )
    )  # fmt: skip


def unread_column() -> ScalarSelect[int]:
    """How many unread notices an account has, as a column beside `Account`."""
    return (
        select(func.count())
        .select_from(Notice)
        .where(Notice.account_id == Account.id, Notice.read_at.is_(None), wanted(Switch.on_site))
        .correlate(Account)
        .scalar_subquery()
    )


def wanted(way: InstrumentedAttribute[bool]) -> ColumnElement[bool]:
    """The condition that the account of a notice did not switch its topic off for a way of telling."""
    off = exists().where(
        Switch.account_id == Notice.account_id,
        way.is_(False),
        Notice.kind.like(Switch.topic + ".%"),
    )
    return ~off.correlate(Notice)


def notices_of(session: Session, account_id: int, page: int = 1) -> tuple[list[Told], int]:
    """A page of an account's notices, the newest first, and how many there are. One statement."""
    rows = session.execute(
        select(Notice, func.count().over().label("total"))
        .where(Notice.account_id == account_id, wanted(Switch.on_site))
        .order_by(Notice.created_at.desc(), Notice.id.desc())
        .offset((page - 1) * PER_PAGE)
        .limit(PER_PAGE)
    ).all()
    return [_told(row.Notice) for row in rows], rows[0].total if rows else 0


def news_for_mail(
    session: Session, account_id: int, since: datetime, until: datetime, most: int
) -> list[Told]:
    """Unread notices of a time that the digest may tell, the oldest first."""
    rows = session.scalars(
        select(Notice)
        .where(
            Notice.account_id == account_id, Notice.read_at.is_(None), Notice.created_at > since,
            Notice.created_at <= until, wanted(Switch.by_mail),
        )
        .order_by(Notice.created_at, Notice.id)
        .limit(most)
    )  # fmt: skip
    return [_told(row) for row in rows]


def mark_read(session: Session, account_id: int, notice_id: int | None = None) -> None:
    """Take a notice of an account (all of them) for read; those read long ago go.

    A number that is not one of the account's changes nothing.
    """
    statement = update(Notice).where(Notice.account_id == account_id, Notice.read_at.is_(None))
    if notice_id is not None:
        statement = statement.where(Notice.id == notice_id)
    session.execute(statement.values(read_at=now()))
    session.execute(
        delete(Notice).where(Notice.account_id == account_id, Notice.read_at < now() - READ_KEPT)
    )


def read_about(session: Session, account_id: int, target: str) -> None:
    """Take what an account was told about a target for read."""
    session.execute(
        update(Notice)
        .where(
            Notice.account_id == account_id, Notice.target == target, Notice.read_at.is_(None)
        )
        .values(read_at=now())
    )  # fmt: skip


def switches_of(session: Session, account_id: int) -> dict[str, tuple[bool, bool]]:
    """For every topic, whether an account is told of it here and by mail. One statement."""
    rows = session.execute(select(Switch).where(Switch.account_id == account_id)).scalars()
    kept = {row.topic: (row.on_site, row.by_mail) for row in rows}
    return {topic: kept.get(topic, (True, True)) for topic in TOPICS}


def set_switches(
    session: Session, account_id: int, on_site: Collection[str], by_mail: Collection[str]
) -> None:
    """Set of which topics an account is told here, and of which by mail; of the others it is not."""
    session.execute(delete(Switch).where(Switch.account_id == account_id))
    for topic in TOPICS:
        here, mailed = topic in on_site, topic in by_mail
        if not (here and mailed):
            session.add(
                Switch(account_id=account_id, topic=topic, on_site=here, by_mail=mailed)
            )  # fmt: skip


def exported(session: Session, account_id: int) -> dict[str, object]:
    """Everything that is kept of an account here."""
    rows = session.scalars(
        select(Notice).where(Notice.account_id == account_id).order_by(Notice.id)
    )
    switches: Mapping[str, tuple[bool, bool]] = switches_of(session, account_id)
    return {
        "notices": [
            {
                "kind": row.kind, "target": row.target, "detail": row.detail,
                "at": utc(row.created_at).isoformat(), "read": row.read_at is not None,
            }
            for row in rows
        ],
        "switches": {
            topic: {"here": here, "by_mail": mailed} for topic, (here, mailed) in switches.items()
        },
    }  # fmt: skip


def _told(row: Notice) -> Told:
    return Told(
        row.id, row.kind, row.target, row.actor_id, row.detail, utc(row.created_at),
        row.read_at is not None,
    )  # fmt: skip
