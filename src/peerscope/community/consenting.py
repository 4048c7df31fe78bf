"""How it is known that an account agreed to be invited: what it said of itself, and whom it follows."""

from __future__ import annotations

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from peerscope.community.invitations import Consents
from peerscope.community.meeting_models import Follow
from peerscope.community.models import Account
from peerscope.community.profiles import said_by


def open_to(session: Session, account_id: int) -> str | None:
    """What the owner of a record says that they are open to; ``None`` where they do not say so."""
    owned = session.scalar(select(Account.person_id).where(Account.id == account_id))
    return (said_by(session, account_id).available_for or None) if owned is not None else None


def follows(session: Session, account_id: int, person_id: int) -> bool:
    """Whether an account follows a person of the record, by the number that they have now. One statement."""
    found = exists().where(Follow.account_id == account_id, Follow.target == f"A{person_id}")
    return bool(session.scalar(select(found)))


CONSENTS = Consents(open_to, follows)
