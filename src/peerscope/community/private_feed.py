"""The secret address of an account's own feed: whoever has it reads what the account follows."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from peerscope.community import audit
from peerscope.community.errors import NotThereError
from peerscope.community.models import Account
from peerscope.community.talk_models import FeedAddress
from peerscope.community.times import now, utc
from peerscope.community.tokens import hashed, new_secret


def new_address(session: Session, account_id: int) -> str:
    """Make the secret of an account's feed; an earlier one works no more. It is kept nowhere here."""
    end_address(session, account_id)
    secret = new_secret()
    session.add(FeedAddress(account_id=account_id, secret_hash=hashed(secret), created_at=now()))
    session.flush()
    audit.record(session, audit.actor_of(account_id), "feed.open", f"account:{account_id}")
    return secret


def end_address(session: Session, account_id: int) -> None:
    """Let the secret address of an account work no more, if it has one."""
    row = session.get(FeedAddress, account_id)
    if row is not None:
        session.delete(row)
        session.flush()


def address_since(session: Session, account_id: int) -> datetime | None:
    """Since when an account has a secret address; ``None`` without one. One statement."""
    found = session.scalar(
        select(FeedAddress.created_at).where(FeedAddress.account_id == account_id)
    )
    return utc(found) if found is not None else None


def account_of_feed(session: Session, secret: str) -> int:
    """Whose feed a secret opens. One statement.

    Raises:
        NotThereError: Nobody's any more, or nobody's ever.
    """
    number = session.scalar(
        select(FeedAddress.account_id)
        .join(Account, Account.id == FeedAddress.account_id)
        .where(FeedAddress.secret_hash == hashed(secret), Account.state == "active")
    )
    if number is None:
        raise NotThereError("There is no such feed any more.")
    return number


def exported(session: Session, account_id: int) -> dict[str, object]:
    """What is kept of an account here: that it has a secret address, not which."""
    since = address_since(session, account_id)
    return {"secret feed since": since.isoformat() if since else None}
