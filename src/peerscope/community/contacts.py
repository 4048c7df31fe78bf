"""Whom a member may want to invite: the account behind a record, or the other one of a conversation."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from peerscope.community.conversations import talk_of
from peerscope.community.errors import NotThereError
from peerscope.community.invitations import Consents, agreed
from peerscope.community.models import Account
from peerscope.community.sessions import SignedIn

NOBODY = "Nobody has claimed this record, so there is nobody here to invite."


@dataclass(frozen=True, slots=True)
class Contact:
    """An account as somebody sees it who may want to invite it.

    Attributes:
        account_id: Its number.
        name: Its name.
        open_to: What it says that it is open to; ``None`` where it does not say so.
        agreed: Whether it agreed to be invited by whoever asks.
    """

    account_id: int
    name: str
    open_to: str | None
    agreed: bool


def behind_record(
    session: Session, who: SignedIn, person_id: int, consents: Consents
) -> Contact | None:
    """The account that claimed a record; ``None`` without one, and for that account itself."""
    row = session.execute(
        select(Account.id, Account.name).where(
            Account.person_id == person_id, Account.state == "active", Account.id != who.account_id
        )
    ).first()
    return _contact(session, who, row.id, row.name, consents) if row else None


def in_conversation(
    session: Session, who: SignedIn, conversation_id: int, consents: Consents
) -> Contact:
    """The other one of a conversation.

    Raises:
        NotThereError: It is no conversation of the account, or the other one was deleted.
    """
    talk = talk_of(session, who.account_id, conversation_id)
    if talk.with_id is None:
        raise NotThereError("This account was deleted.")
    return _contact(session, who, talk.with_id, talk.name, consents)


def _contact(
    session: Session, who: SignedIn, account_id: int, name: str, consents: Consents
) -> Contact:
    return Contact(
        account_id, name, consents.open_to(session, account_id),
        agreed(session, who.account_id, who.person_id, account_id, consents),
    )  # fmt: skip
