"""How it is known that an account agreed to be invited: what it said of itself, and whom it follows."""

from __future__ import annotations

from sqlalchemy.orm import Session

from peerscope.community.invitations import Consents


def open_to(session: Session, account_id: int) -> str | None:
    """What an account says that it is open to; ``None`` where it does not say so."""
    return None


def follows(session: Session, account_id: int, person_id: int) -> bool:
    """Whether an account follows a person of the record."""
    return False


CONSENTS = Consents(open_to, follows)
