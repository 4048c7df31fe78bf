"""One-time links: whoever holds the link may do the one thing that it is for, once, until it expires."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from peerscope.community.errors import NotThereError
from peerscope.community.models import Ticket
from peerscope.community.times import now
from peerscope.community.tokens import hashed, new_secret

HOLDS = {
    "join": timedelta(hours=24),
    "admin": timedelta(days=7),
    "reset": timedelta(hours=1),
    "email": timedelta(hours=24),
    "domain": timedelta(hours=24),
    "oidc": timedelta(minutes=10),
    "newcomer": timedelta(minutes=30),
    "passkey": timedelta(minutes=10),
    "vouch": timedelta(days=30),
}
"""Kind of a link to how long it holds."""

GONE = "This link was used before, or is too old. Ask for a new one."


@dataclass(frozen=True, slots=True)
class Held:
    """What a link is for."""

    id: int
    kind: str
    account_id: int | None
    value: str


def issue(session: Session, kind: str, account_id: int | None = None, value: str = "") -> str:
    """Make a link's secret; earlier ones of the kind for the same account and value hold no longer."""
    moment, secret = now(), new_secret()
    session.execute(
        delete(Ticket).where(
            Ticket.kind == kind, Ticket.value == value,
            Ticket.account_id.is_not_distinct_from(account_id),
        )
    )  # fmt: skip
    session.execute(delete(Ticket).where(Ticket.expires_at < moment))
    session.add(
        Ticket(
            kind=kind, secret_hash=hashed(secret), account_id=account_id, value=value,
            created_at=moment, expires_at=moment + HOLDS[kind],
        )
    )  # fmt: skip
    session.flush()
    return secret


def withdraw(session: Session, account_id: int, *kinds: str) -> None:
    """Let the links of an account hold no longer."""
    session.execute(delete(Ticket).where(Ticket.account_id == account_id, Ticket.kind.in_(kinds)))


def look(session: Session, kind: str, secret: str) -> Held:
    """What a link is for, without using it up.

    Raises:
        NotThereError: It was used, is too old, or never was.
    """
    row = session.scalar(
        select(Ticket).where(
            Ticket.kind == kind, Ticket.secret_hash == hashed(secret),
            Ticket.used_at.is_(None), Ticket.expires_at > now(),
        )
    )  # fmt: skip
    if row is None:
        raise NotThereError(GONE)
    return Held(row.id, row.kind, row.account_id, row.value)


def use(session: Session, kind: str, secret: str) -> Held:
    """Use a link up, in the transaction of what it is used for.

    Raises:
        NotThereError: It was used, is too old, or never was.
    """
    held = look(session, kind, secret)
    done = session.execute(
        update(Ticket).where(Ticket.id == held.id, Ticket.used_at.is_(None)).values(used_at=now())
    )
    if done.rowcount != 1:  # type: ignore[attr-defined]
        raise NotThereError(GONE)
    return held
