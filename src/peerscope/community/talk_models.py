"""Tables of what accounts say to each other, of how they are told of things, and of what moderators did."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Boolean, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from peerscope.community.models import Base, BigInt, Moment, belongs


class Invitation(Base):
    """One account asks another to work together.

    ``state`` is ``open``, ``accepted``, ``declined`` or ``withdrawn``; an open one whose time is over has
    expired. One that is ``held`` went to somebody who blocks the sender: it never arrives.
    """

    __tablename__ = "invitation"
    __table_args__ = ({"sqlite_autoincrement": True},)
    id: Mapped[int] = mapped_column(BigInt, primary_key=True)
    sender_id: Mapped[int] = belongs()
    receiver_id: Mapped[int] = belongs()
    purpose: Mapped[str] = mapped_column(String(16))
    text: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(String(16), default="open")
    held: Mapped[bool] = mapped_column(Boolean, default=False)
    hidden_at: Mapped[datetime | None] = mapped_column(Moment)
    created_at: Mapped[datetime] = mapped_column(Moment)
    expires_at: Mapped[datetime] = mapped_column(Moment)
    decided_at: Mapped[datetime | None] = mapped_column(Moment)


class Conversation(Base):
    """What two accounts say to each other after an invitation was accepted."""

    __tablename__ = "conversation"
    __table_args__ = ({"sqlite_autoincrement": True},)
    id: Mapped[int] = mapped_column(BigInt, primary_key=True)
    purpose: Mapped[str] = mapped_column(String(16))
    created_at: Mapped[datetime] = mapped_column(Moment)


class Member(Base):
    """An account in a conversation; the row goes with the account, the conversation stays for the other."""

    __tablename__ = "conversation_member"
    conversation_id: Mapped[int] = mapped_column(
        BigInt, ForeignKey("conversation.id", ondelete="CASCADE"), primary_key=True
    )
    account_id: Mapped[int] = mapped_column(
        BigInt, ForeignKey("account.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    seen_id: Mapped[int] = mapped_column(BigInt, default=0)
    muted_at: Mapped[datetime | None] = mapped_column(Moment)
    left_at: Mapped[datetime | None] = mapped_column(Moment)


class Message(Base):
    """One message. The words go with their author's account.

    One that is ``held`` was written to somebody who blocks its author: only the author sees it, for good.
    """

    __tablename__ = "message"
    __table_args__ = (
        Index("ix_message_conversation_id_id", "conversation_id", "id"),
        {"sqlite_autoincrement": True},
    )
    id: Mapped[int] = mapped_column(BigInt, primary_key=True)
    conversation_id: Mapped[int] = mapped_column(
        BigInt, ForeignKey("conversation.id", ondelete="CASCADE")
    )
    account_id: Mapped[int] = belongs()
    text: Mapped[str] = mapped_column(Text)
    held: Mapped[bool] = mapped_column(Boolean, default=False)
    created_at: Mapped[datetime] = mapped_column(Moment)
    deleted_at: Mapped[datetime | None] = mapped_column(Moment)
    hidden_at: Mapped[datetime | None] = mapped_column(Moment)


class Block(Base):
    """An account from which another wants to hear nothing more."""

    __tablename__ = "block"
    account_id: Mapped[int] = mapped_column(
        BigInt, ForeignKey("account.id", ondelete="CASCADE"), primary_key=True
    )
    blocked_id: Mapped[int] = mapped_column(
        BigInt, ForeignKey("account.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    created_at: Mapped[datetime] = mapped_column(Moment)


class Switch(Base):
    """Whether an account is told of a topic (the first word of a notice's kind) here and by mail."""

    __tablename__ = "notice_switch"
    account_id: Mapped[int] = mapped_column(
        BigInt, ForeignKey("account.id", ondelete="CASCADE"), primary_key=True
    )
    topic: Mapped[str] = mapped_column(String(32), primary_key=True)
    on_site: Mapped[bool] = mapped_column(Boolean, default=True)
    by_mail: Mapped[bool] = mapped_column(Boolean, default=True)


class Digest(Base):
    """How often an account wants a mail of what is new, and up to when it was told.

    ``sending_at`` is when a process began to send to it, so that two do not. ``secret`` makes the token of
    the link that ends it.
    """

    __tablename__ = "digest"
    account_id: Mapped[int] = mapped_column(
        BigInt, ForeignKey("account.id", ondelete="CASCADE"), primary_key=True
    )
    every: Mapped[str] = mapped_column(String(8), default="never")  # never, daily, weekly
    secret: Mapped[str] = mapped_column(String(64))
    told_to: Mapped[datetime] = mapped_column(Moment)
    sending_at: Mapped[datetime | None] = mapped_column(Moment)


class FeedAddress(Base):
    """The secret address of an account's own feed; known by the hash of its secret."""

    __tablename__ = "feed_address"
    account_id: Mapped[int] = mapped_column(
        BigInt, ForeignKey("account.id", ondelete="CASCADE"), primary_key=True
    )
    secret_hash: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime] = mapped_column(Moment)


class Measure(Base):
    """What a moderator or admin did to a text or an account, and why; it goes with the account it is about.

    ``made_by`` is empty for the operator, and for somebody who left.
    """

    __tablename__ = "measure"
    __table_args__ = ({"sqlite_autoincrement": True},)
    id: Mapped[int] = mapped_column(BigInt, primary_key=True)
    account_id: Mapped[int | None] = mapped_column(
        BigInt, ForeignKey("account.id", ondelete="CASCADE"), index=True
    )
    kind: Mapped[str] = mapped_column(String(16))  # hide, unhide, remove, suspend, restore
    target: Mapped[str] = mapped_column(Text, index=True)
    reason: Mapped[str] = mapped_column(Text)
    made_by: Mapped[int | None] = mapped_column(
        BigInt, ForeignKey("account.id", ondelete="SET NULL"), index=True
    )
    report_id: Mapped[int | None] = mapped_column(
        BigInt, ForeignKey("report.id", ondelete="SET NULL"), index=True
    )
    created_at: Mapped[datetime] = mapped_column(Moment)
