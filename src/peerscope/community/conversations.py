"""Conversations of two accounts, begun by an accepted invitation: plain text, read by the two alone.

Each sees the conversation as it is for them: a message to somebody who blocks its author looks sent and
does not arrive. Whoever leaves sees it no more; when both have, it is deleted. A moderator sees a message
that one of the two reported, with the one before and after it (`peerscope.community.targets`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Row,
    Select,
    Text,
    and_,
    cast,
    delete,
    exists,
    func,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Session, aliased

from peerscope.community import audit
from peerscope.community.blocks import blocks
from peerscope.community.errors import CommunityError, NotAllowedError, NotThereError
from peerscope.community.models import Account, Report
from peerscope.community.notices import notify, read_about
from peerscope.community.talk_models import Block, Conversation, Member, Message
from peerscope.community.texts import clean_text
from peerscope.community.times import now, utc

LONGEST = 5_000
PER_PAGE = 50
GONE = "a deleted account"


@dataclass(frozen=True, slots=True)
class Talk:
    """A conversation in the list of one of the two.

    Attributes:
        id: Number of the conversation.
        with_id: The other account; ``None`` where it was deleted.
        name: The other's name, or that it was deleted.
        person_id: The record that the other claimed.
        purpose: What it began with, a key of `invitations.PURPOSES`.
        unread: Messages that were not seen yet.
        at: Of the last message, or of the beginning.
        muted: Whether new messages are not told.
        left: Whether the other left.
        blocked: Whether the asking account blocks the other.
    """

    id: int
    with_id: int | None
    name: str
    person_id: int | None
    purpose: str
    unread: int
    at: datetime
    muted: bool
    left: bool
    blocked: bool


@dataclass(frozen=True, slots=True)
class Said:
    """A message as one of the two sees it; the text is empty where it was deleted or hidden."""

    id: int
    mine: bool
    text: str
    at: datetime
    deleted: bool
    hidden: bool


@dataclass(frozen=True, slots=True)
class Open:
    """A conversation that is read: its messages, the oldest first, and whether there are earlier ones."""

    talk: Talk
    said: tuple[Said, ...]
    earlier: bool


def begin(session: Session, sender_id: int, receiver_id: int, purpose: str, text: str) -> int:
    """Open a conversation with an invitation's text as the first message; its number."""
    moment = now()
    row = Conversation(purpose=purpose, created_at=moment)
    session.add(row)
    session.flush()
    for one in (sender_id, receiver_id):
        session.add(Member(conversation_id=row.id, account_id=one, seen_id=0))
    session.flush()
    first = Message(conversation_id=row.id, account_id=sender_id, text=text, created_at=moment)
    session.add(first)
    session.flush()
    session.execute(update(Member).where(Member.conversation_id == row.id).values(seen_id=first.id))
    return row.id


def talks_of(session: Session, account_id: int) -> list[Talk]:
    """Conversations that an account did not leave, the latest first. One statement."""
    return [_talk(row) for row in session.execute(_talks(account_id))]


def talk_of(session: Session, account_id: int, conversation_id: int) -> Talk:
    """One conversation of an account. One statement.

    Raises:
        NotThereError: It is not the account's, or it left.
    """
    row = session.execute(_talks(account_id, Member.conversation_id == conversation_id)).first()
    if row is None:
        raise NotThereError("There is no such conversation of yours.")
    return _talk(row)


def read(
    session: Session, account_id: int, conversation_id: int, before: int | None = None
) -> Open:
    """What was said in a conversation, the last `PER_PAGE` messages before one. Two statements.

    Raises:
        NotThereError: It is not the account's, or it left.
    """
    talk = talk_of(session, account_id, conversation_id)
    statement = (
        select(Message)
        .where(Message.conversation_id == conversation_id, _arrives(account_id))
        .order_by(Message.id.desc())
        .limit(PER_PAGE + 1)
    )
    if before is not None:
        statement = statement.where(Message.id < before)
    rows = session.scalars(statement).all()
    said = tuple(_said(row, account_id) for row in reversed(rows[:PER_PAGE]))
    return Open(talk, said, len(rows) > PER_PAGE)


def seen(session: Session, account_id: int, conversation_id: int, last: int) -> None:
    """Note that an account saw a conversation up to a message, and what it was told about it."""
    session.execute(
        update(Member)
        .where(
            Member.account_id == account_id, Member.conversation_id == conversation_id,
            Member.seen_id < last,
        )
        .values(seen_id=last)
    )  # fmt: skip
    read_about(session, account_id, f"conversation:{conversation_id}")


def write(session: Session, account_id: int, conversation_id: int, text: str) -> int:
    """Write a message; its number.

    Raises:
        CommunityError: The text is empty or too long, or the other left or was deleted.
        NotAllowedError: The account blocks the other.
        NotThereError: It is not the account's conversation, or it left.
    """
    words = clean_text(text, LONGEST, "a message")
    talk = talk_of(session, account_id, conversation_id)
    if talk.with_id is None or talk.left:
        raise CommunityError("Nobody is there to read it: the other one left.")
    if talk.blocked:
        raise NotAllowedError("You block this account; take the block back first.")
    held = blocks(session, talk.with_id, account_id)
    row = Message(
        conversation_id=conversation_id, account_id=account_id, text=words, held=held,
        created_at=now(),
    )  # fmt: skip
    session.add(row)
    session.flush()
    seen(session, account_id, conversation_id, row.id)
    if not held and not _muted(session, talk.with_id, conversation_id):
        target = f"conversation:{conversation_id}"
        notify(session, talk.with_id, "message.new", target, actor_id=account_id, once=True)
    return row.id


def delete_message(session: Session, account_id: int, message_id: int) -> int:
    """Take the words of one's own message back, for both; the conversation it is in.

    The words of one that is reported go when the report is decided.

    Raises:
        NotThereError: It is not the account's message, or was deleted before.
    """
    row = session.get(Message, message_id)
    if row is None or row.account_id != account_id or row.deleted_at is not None:
        raise NotThereError("There is no such message of yours.")
    talk_of(session, account_id, row.conversation_id)
    row.deleted_at = now()
    if not session.scalar(select(exists().where(*_reported(f"message:{message_id}")))):
        row.text = ""
    return row.conversation_id


def mute(session: Session, account_id: int, conversation_id: int, *, on: bool) -> None:
    """Tell an account of new messages in a conversation no more, or again.

    Raises:
        NotThereError: It is not the account's, or it left.
    """
    talk_of(session, account_id, conversation_id)
    session.execute(
        update(Member)
        .where(Member.account_id == account_id, Member.conversation_id == conversation_id)
        .values(muted_at=now() if on else None)
    )


def leave(session: Session, account_id: int, conversation_id: int) -> None:
    """Leave a conversation for good; the other sees that, and can write there no more.

    Raises:
        NotThereError: It is not the account's, or it left.
    """
    talk_of(session, account_id, conversation_id)
    session.execute(
        update(Member)
        .where(Member.account_id == account_id, Member.conversation_id == conversation_id)
        .values(left_at=now())
    )
    read_about(session, account_id, f"conversation:{conversation_id}")
    audit.record(
        session, audit.actor_of(account_id), "conversation.leave", f"conversation:{conversation_id}"
    )
    tidy(session)


def tidy(session: Session) -> None:
    """Delete conversations in which nobody is left, but those with a message under an open report."""
    kept = exists().where(
        Message.conversation_id == Conversation.id,
        Report.state == "open",
        Report.target == literal("message:") + cast(Message.id, Text),
    )
    somebody = exists().where(
        Member.conversation_id == Conversation.id, Member.left_at.is_(None)
    )  # fmt: skip
    session.execute(delete(Conversation).where(~somebody, ~kept))


def message_to(session: Session, account_id: int, message_id: int) -> Message:
    """A message of the other one that an account can see, to report it.

    Raises:
        NotThereError: There is none.
    """
    row = session.scalar(
        select(Message).where(
            Message.id == message_id, Message.account_id != account_id, _arrives(account_id)
        )
    )
    if row is None:
        raise NotThereError("There is no such message to you.")
    talk_of(session, account_id, row.conversation_id)
    return row


def talking(session: Session, one: int, other: int) -> bool:
    """Whether two accounts have a conversation that neither left."""
    return _together(session, one, other, both=True)


def acquainted(session: Session, one: int, other: int) -> bool:
    """Whether an account has a conversation with another that it did not leave itself."""
    return _together(session, one, other, both=False)


def exported(session: Session, account_id: int) -> dict[str, object]:
    """Everything that is kept of an account here: its own words, and with whom."""
    rows = session.scalars(
        select(Message)
        .where(Message.account_id == account_id, Message.deleted_at.is_(None))
        .order_by(Message.id)
    )
    return {
        "conversations": [
            {"id": f"T{one.id}", "with": one.name, "muted": one.muted}
            for one in sorted(talks_of(session, account_id), key=lambda one: one.id)
        ],
        "messages written": [
            {
                "conversation": f"T{row.conversation_id}", "text": row.text,
                "at": utc(row.created_at).isoformat(),
            }
            for row in rows
        ],
    }  # fmt: skip


def _talks(account_id: int, *more: ColumnElement[bool]) -> Select[Any]:
    other, account = aliased(Member), aliased(Account)
    said = and_(Message.conversation_id == Member.conversation_id, _arrives(account_id))
    unread = (
        select(func.count())
        .select_from(Message)
        .where(
            said, Message.id > Member.seen_id, Message.account_id != account_id,
            Message.deleted_at.is_(None), Message.hidden_at.is_(None),
        )
        .correlate(Member)
        .scalar_subquery()
    )  # fmt: skip
    latest = select(func.max(Message.created_at)).where(said).correlate(Member).scalar_subquery()
    blocked = exists().where(Block.account_id == account_id, Block.blocked_id == other.account_id)
    at = func.coalesce(latest, Conversation.created_at).label("at")
    return (
        select(
            Conversation.id, Conversation.purpose, Member.muted_at, account.id.label("with_id"),
            account.name, account.person_id, other.left_at, unread.label("unread"), at,
            blocked.label("blocked"),
        )
        .join(Member, Member.conversation_id == Conversation.id)
        .outerjoin(
            other,
            and_(other.conversation_id == Conversation.id, other.account_id != account_id),
        )
        .outerjoin(account, account.id == other.account_id)
        .where(Member.account_id == account_id, Member.left_at.is_(None), *more)
        .order_by(at.desc(), Conversation.id.desc())
    )  # fmt: skip


def _talk(row: Row[Any]) -> Talk:
    return Talk(
        row.id, row.with_id, row.name or GONE, row.person_id, row.purpose, row.unread, utc(row.at),
        row.muted_at is not None, row.left_at is not None, bool(row.blocked),
    )  # fmt: skip


def _said(row: Message, account_id: int) -> Said:
    gone = row.deleted_at is not None or row.hidden_at is not None
    return Said(
        row.id, row.account_id == account_id, "" if gone else row.text, utc(row.created_at),
        row.deleted_at is not None, row.hidden_at is not None,
    )  # fmt: skip


def _arrives(account_id: int) -> ColumnElement[bool]:
    """That a message is one's own, or was not held back."""
    return or_(Message.account_id == account_id, Message.held.is_(False))


def _together(session: Session, one: int, other: int, *, both: bool) -> bool:
    theirs = aliased(Member)
    found = exists().where(
        Member.account_id == one, Member.left_at.is_(None), theirs.account_id == other,
        theirs.conversation_id == Member.conversation_id,
    )  # fmt: skip
    return bool(session.scalar(select(found.where(theirs.left_at.is_(None)) if both else found)))


def _muted(session: Session, account_id: int, conversation_id: int) -> bool:
    found = exists().where(
        Member.account_id == account_id, Member.conversation_id == conversation_id,
        Member.muted_at.is_not(None),
    )  # fmt: skip
    return bool(session.scalar(select(found)))


def _reported(target: str) -> tuple[ColumnElement[bool], ...]:
    return Report.target == target, Report.state == "open"
