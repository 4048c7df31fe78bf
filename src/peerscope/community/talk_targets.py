"""What moderators may see of invitations and conversations: what was reported, and no more."""

from __future__ import annotations

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from peerscope.community.conversations import tidy
from peerscope.community.models import Notice
from peerscope.community.sentences import target_of
from peerscope.community.talk_models import Invitation, Member, Message
from peerscope.community.targets import Passage, Seen, register
from peerscope.community.times import now


def _show_message(session: Session, number: int) -> Seen | None:
    """A message with the one before and the one after it: enough to see what it answers."""
    row = session.get(Message, number)
    if row is None:
        return None
    there = select(Message).where(
        Message.conversation_id == row.conversation_id, Message.held.is_(False)
    )
    before = session.scalar(there.where(Message.id < number).order_by(Message.id.desc()).limit(1))
    after = session.scalar(there.where(Message.id > number).order_by(Message.id).limit(1))
    members = session.scalars(
        select(Member.account_id).where(Member.conversation_id == row.conversation_id)
    )
    return Seen(
        row.account_id,
        tuple(
            Passage(
                one.account_id, one.text if one is row or not one.deleted_at else "", one is row
            )
            for one in (before, row, after)
            if one is not None
        ),
        hidden=row.hidden_at is not None,
        involved=frozenset(members),
        private=True,
    )


def _hide_message(session: Session, number: int, hidden: bool) -> None:
    session.execute(
        update(Message).where(Message.id == number).values(hidden_at=now() if hidden else None)
    )


def _show_invitation(session: Session, number: int) -> Seen | None:
    row = session.get(Invitation, number)
    if row is None:
        return None
    return Seen(
        row.sender_id, (Passage(row.sender_id, row.text),), row.hidden_at is not None,
        frozenset((row.sender_id, row.receiver_id)), private=True,
    )  # fmt: skip


def _hide_invitation(session: Session, number: int, hidden: bool) -> None:
    session.execute(
        update(Invitation)
        .where(Invitation.id == number)
        .values(hidden_at=now() if hidden else None)
    )
    if hidden:
        session.execute(delete(Notice).where(Notice.target == f"invitation:{number}"))


def settle(session: Session, target: str) -> None:
    """Let go what was kept only because a report of it was undecided."""
    kind, number = target_of(target)
    if kind == "message":
        session.execute(
            update(Message)
            .where(Message.id == number, Message.deleted_at.is_not(None))
            .values(text="")
        )
        tidy(session)


register("message", "Message", _show_message, _hide_message)
register("invitation", "Invitation", _show_invitation, _hide_invitation)
