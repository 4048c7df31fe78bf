"""Blocks: an account from which another wants to hear nothing more.

The blocked account is not told, and nothing that it sees tells it: what it sends looks sent and does not
arrive, also not after the block is taken back.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, exists, or_, select, update
from sqlalchemy.orm import Session

from peerscope.community import audit
from peerscope.community.errors import CommunityError, NotThereError
from peerscope.community.models import Account
from peerscope.community.talk_models import Block, Conversation, Invitation, Member
from peerscope.community.times import now, utc


@dataclass(frozen=True, slots=True)
class Blocked:
    """An account that another blocks."""

    account_id: int
    name: str
    since: datetime


def block(session: Session, account_id: int, blocked_id: int) -> None:
    """Block an account; open invitations between the two end.

    Raises:
        CommunityError: It is one's own account.
        NotThereError: The two never had to do with each other here. Only whom one met can be blocked, so
            that the list of the blocked is no way to learn the names of accounts.
    """
    if account_id == blocked_id:
        raise CommunityError("You cannot block yourself.")
    if not _met(session, account_id, blocked_id):
        raise NotThereError("There is no such account to block.")
    if blocks(session, account_id, blocked_id):
        return
    moment = now()
    session.add(Block(account_id=account_id, blocked_id=blocked_id, created_at=moment))
    for sender, receiver, state in (
        (account_id, blocked_id, "withdrawn"),
        (blocked_id, account_id, "declined"),
    ):
        session.execute(
            update(Invitation)
            .where(
                Invitation.sender_id == sender, Invitation.receiver_id == receiver,
                Invitation.state == "open", Invitation.held.is_(False),
            )
            .values(state=state, decided_at=moment)
        )  # fmt: skip
    session.flush()
    audit.record(session, audit.actor_of(account_id), "block.add", f"account:{blocked_id}")


def unblock(session: Session, account_id: int, blocked_id: int) -> None:
    """Take a block back; what was sent meanwhile stays unheard.

    Raises:
        NotThereError: The account is not blocked.
    """
    done = session.execute(
        delete(Block).where(Block.account_id == account_id, Block.blocked_id == blocked_id)
    )
    if not done.rowcount:  # type: ignore[attr-defined]
        raise NotThereError("You do not block this account.")
    audit.record(session, audit.actor_of(account_id), "block.remove", f"account:{blocked_id}")


def blocks(session: Session, account_id: int, other_id: int) -> bool:
    """Whether an account blocks another. One statement."""
    found = exists().where(Block.account_id == account_id, Block.blocked_id == other_id)
    return bool(session.scalar(select(found)))


def blocked_by(session: Session, account_id: int) -> list[Blocked]:
    """Whom an account blocks, the latest first. One statement."""
    rows = session.execute(
        select(Block.blocked_id, Account.name, Block.created_at)
        .join(Account, Account.id == Block.blocked_id)
        .where(Block.account_id == account_id)
        .order_by(Block.created_at.desc(), Block.blocked_id)
    )
    return [Blocked(row.blocked_id, row.name, utc(row.created_at)) for row in rows]


def exported(session: Session, account_id: int) -> dict[str, object]:
    """Everything that is kept of an account here: whom it blocks, not who blocks it."""
    return {
        "blocked": [
            {"name": one.name, "since": one.since.isoformat()}
            for one in blocked_by(session, account_id)
        ]
    }


def _met(session: Session, one: int, other: int) -> bool:
    invited = exists().where(
        or_(
            (Invitation.sender_id == one) & (Invitation.receiver_id == other),
            (Invitation.sender_id == other)
            & (Invitation.receiver_id == one)
            & Invitation.held.is_(False),
        )
    )
    mine, theirs = Member.__table__.alias(), Member.__table__.alias()
    talked = exists().where(
        Conversation.id == mine.c.conversation_id,
        theirs.c.conversation_id == mine.c.conversation_id,
        mine.c.account_id == one,
        theirs.c.account_id == other,
    )
    return bool(session.scalar(select(or_(invited, talked))))
