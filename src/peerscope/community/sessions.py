"""Who is signed in: sessions on the server, known to the browser by a random secret only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session as Orm

from peerscope.community import audit
from peerscope.community.models import Account, Session
from peerscope.community.notices import unread_column
from peerscope.community.proofs import level_column
from peerscope.community.times import now, utc
from peerscope.community.tokens import hashed, new_secret

LIFE = timedelta(days=30)
"""A session ends this long after signing in, however it is used (OWASP ASVS 5.0, 7.3.2)."""

IDLE = timedelta(days=14)
"""And this long after it was used last (7.3.1)."""

NOTED = timedelta(hours=1)
"""How exactly the last use is kept: no need to write at every page, nor to know more."""

RECENT = timedelta(minutes=30)
"""Signing in counts this long for what asks for it again (7.5.1)."""


@dataclass(frozen=True, slots=True)
class SignedIn:
    """An account in one of its browsers."""

    session_id: int
    account_id: int
    name: str
    role: str
    level: int
    person_id: int | None
    proved_at: datetime
    seen_at: datetime
    joined_at: datetime
    unread: int = 0
    """Notices that were not read yet."""

    @property
    def is_moderator(self) -> bool:
        """Whether the account moderates; admins do."""
        return self.role in ("moderator", "admin")

    @property
    def is_admin(self) -> bool:
        """Whether the account administers the site."""
        return self.role == "admin"

    @property
    def recent(self) -> bool:
        """Whether the account signed in a moment ago."""
        return now() - self.proved_at < RECENT


def open_session(session: Orm, account_id: int, how: str) -> str:
    """Begin a session; returns its secret, which is kept nowhere here.

    Always a new secret, so that nothing known before signing in is of use after (session fixation).
    """
    moment, secret = now(), new_secret()
    session.execute(delete(Session).where(Session.expires_at < moment))
    session.add(
        Session(
            account_id=account_id, secret_hash=hashed(secret), how=how[:64], created_at=moment,
            seen_at=moment, proved_at=moment, expires_at=moment + LIFE,
        )
    )  # fmt: skip
    audit.record(session, audit.actor_of(account_id), "session.open", f"account:{account_id}")
    return secret


def find_session(session: Orm, secret: str) -> SignedIn | None:
    """Who this secret signs in, while the session and the account are in force. One statement."""
    moment = now()
    row = session.execute(
        select(
            Session.id, Session.proved_at, Session.seen_at, Account.id.label("account_id"),
            Account.name, Account.role, Account.person_id, level_column().label("level"),
            Account.created_at, unread_column().label("unread"),
        )
        .join(Account, Account.id == Session.account_id)
        .where(
            Session.secret_hash == hashed(secret), Session.expires_at > moment,
            Session.seen_at > moment - IDLE, Account.state == "active",
        )
    ).first()  # fmt: skip
    if row is None:
        return None
    return SignedIn(
        row.id, row.account_id, row.name, row.role, row.level, row.person_id,
        utc(row.proved_at), utc(row.seen_at), utc(row.created_at), row.unread,
    )  # fmt: skip


def note_use(session: Orm, session_id: int) -> None:
    """Write down that a session was used."""
    session.execute(update(Session).where(Session.id == session_id).values(seen_at=now()))


def close_session(session: Orm, account_id: int, session_id: int) -> bool:
    """End one session of an account; whether there was one."""
    done = session.execute(
        delete(Session).where(Session.id == session_id, Session.account_id == account_id)
    )
    return bool(done.rowcount)  # type: ignore[attr-defined]


def close_all(session: Orm, account_id: int, keep: int | None = None) -> int:
    """End all sessions of an account, but ``keep``; how many there were."""
    gone = delete(Session).where(Session.account_id == account_id)
    if keep is not None:
        gone = gone.where(Session.id != keep)
    done = session.execute(gone)
    return int(done.rowcount)  # type: ignore[attr-defined]


def sessions_of(session: Orm, account_id: int) -> list[Session]:
    """Sessions of an account in force, the latest used first."""
    moment = now()
    return list(
        session.scalars(
            select(Session)
            .where(
                Session.account_id == account_id, Session.expires_at > moment,
                Session.seen_at > moment - IDLE,
            )
            .order_by(Session.seen_at.desc(), Session.id.desc())
        )
    )  # fmt: skip
