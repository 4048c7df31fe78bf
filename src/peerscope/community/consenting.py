"""How it is known that an account agreed to be invited: what it said of itself, and whom it follows."""

from __future__ import annotations

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from peerscope.community.beside import module
from peerscope.community.invitations import Consents
from peerscope.community.models import Account


def open_to(session: Session, account_id: int) -> str | None:
    """What the owner of a record says that they are open to; ``None`` where they do not say so."""
    profiles = module("profiles")
    owned = session.scalar(select(Account.person_id).where(Account.id == account_id))
    if profiles is None or owned is None:
        return None
    said: str = profiles.said_by(session, account_id).available_for
    return said or None


def follows(session: Session, account_id: int, person_id: int) -> bool:
    """Whether an account follows a person of the record, by the number that they have now. One statement."""
    tables = module("meeting_models")
    if tables is None:
        return False
    kept = tables.Follow
    found = exists().where(kept.account_id == account_id, kept.target == f"A{person_id}")
    return bool(session.scalar(select(found)))


CONSENTS = Consents(open_to, follows)
