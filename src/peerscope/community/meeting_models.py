"""Tables of what accounts follow, save, collect and say of works.

Works, people and topics are numbers of the record. Everything here goes with the account whose it is; what
others need of it stays without a name: the place of a review that was replied to, and the fact that a
collection changed.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import (
    Boolean,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    SmallInteger,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from peerscope.community.models import Base, BigInt, Moment, belongs


def by_somebody() -> Mapped[int | None]:
    """The account that did it; empty once that account is gone."""
    return mapped_column(BigInt, ForeignKey("account.id", ondelete="SET NULL"), index=True)


class Follow(Base):
    """What an account follows: ``A12``, ``T3``, ``I4``, ``S9``, ``C5``, or the address of a search.

    ``seen_seq`` and ``seen_at`` say up to which change of the record, and of the site, it was looked at.
    """

    __tablename__ = "follow"
    __table_args__ = (UniqueConstraint("account_id", "target"),)
    id: Mapped[int] = mapped_column(BigInt, primary_key=True)
    account_id: Mapped[int] = belongs()
    target: Mapped[str] = mapped_column(Text, index=True)
    visible: Mapped[bool] = mapped_column(Boolean, default=False)
    seen_seq: Mapped[int] = mapped_column(BigInt)
    seen_at: Mapped[datetime] = mapped_column(Moment)
    created_at: Mapped[datetime] = mapped_column(Moment)


class SavedWork(Base):
    """A work in an account's library. ``tags`` are lines, with a break before and after each."""

    __tablename__ = "saved_work"
    __table_args__ = (UniqueConstraint("account_id", "work_id"),)
    id: Mapped[int] = mapped_column(BigInt, primary_key=True)
    account_id: Mapped[int] = belongs()
    work_id: Mapped[int] = mapped_column(BigInt, index=True)
    state: Mapped[str] = mapped_column(String(16))  # to_read, reading, read
    note: Mapped[str] = mapped_column(Text, default="")
    tags: Mapped[str] = mapped_column(Text, default="")
    saved_at: Mapped[datetime] = mapped_column(Moment)
    changed_at: Mapped[datetime] = mapped_column(Moment)


class Collection(Base):
    """A list of works with a title. ``key`` is the part of an unlisted one's address nobody can guess."""

    __tablename__ = "collection"
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012
    id: Mapped[int] = mapped_column(BigInt, primary_key=True)
    owner_id: Mapped[int] = belongs()
    title: Mapped[str] = mapped_column(Text)
    description: Mapped[str] = mapped_column(Text, default="")
    visibility: Mapped[str] = mapped_column(String(16), index=True)  # public, unlisted, private
    key: Mapped[str] = mapped_column(String(43))
    forked_from_id: Mapped[int | None] = mapped_column(
        BigInt, ForeignKey("collection.id", ondelete="SET NULL"), index=True
    )
    created_at: Mapped[datetime] = mapped_column(Moment)
    changed_at: Mapped[datetime] = mapped_column(Moment, index=True)


class CollectionMember(Base):
    """Somebody invited to a collection: ``editor`` or ``viewer``, once they accepted.

    A declined invitation stays, so that it cannot be repeated, and whoever invited is not told; one that was
    declined and then taken back is ``gone``: out of sight.
    """

    __tablename__ = "collection_member"
    collection_id: Mapped[int] = mapped_column(
        BigInt, ForeignKey("collection.id", ondelete="CASCADE"), primary_key=True
    )
    account_id: Mapped[int] = mapped_column(
        BigInt, ForeignKey("account.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    role: Mapped[str] = mapped_column(String(16))
    state: Mapped[str] = mapped_column(String(16))  # invited, accepted, declined, gone
    invited_by: Mapped[int | None] = by_somebody()
    invited_at: Mapped[datetime] = mapped_column(Moment)


class CollectionWork(Base):
    """A work in a collection, with its place (from 0, without gaps) and tags."""

    __tablename__ = "collection_work"
    collection_id: Mapped[int] = mapped_column(
        BigInt, ForeignKey("collection.id", ondelete="CASCADE"), primary_key=True
    )
    work_id: Mapped[int] = mapped_column(BigInt, primary_key=True, autoincrement=False, index=True)
    place: Mapped[int] = mapped_column(Integer)
    tags: Mapped[str] = mapped_column(Text, default="")
    added_by: Mapped[int | None] = by_somebody()
    added_at: Mapped[datetime] = mapped_column(Moment)


class CollectionNote(Base):
    """What one account says of a work in a collection."""

    __tablename__ = "collection_note"
    __table_args__ = (
        ForeignKeyConstraint(
            ["collection_id", "work_id"],
            ["collection_work.collection_id", "collection_work.work_id"],
            ondelete="CASCADE",
        ),
    )
    collection_id: Mapped[int] = mapped_column(BigInt, primary_key=True, autoincrement=False)
    work_id: Mapped[int] = mapped_column(BigInt, primary_key=True, autoincrement=False)
    account_id: Mapped[int] = mapped_column(
        BigInt, ForeignKey("account.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    text: Mapped[str] = mapped_column(Text)
    changed_at: Mapped[datetime] = mapped_column(Moment)


class CollectionChange(Base):
    """One line of a collection's history: what was done, to which work, by whom; no words."""

    __tablename__ = "collection_change"
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012
    id: Mapped[int] = mapped_column(BigInt, primary_key=True)
    collection_id: Mapped[int] = mapped_column(
        BigInt, ForeignKey("collection.id", ondelete="CASCADE"), index=True
    )
    account_id: Mapped[int | None] = by_somebody()
    kind: Mapped[str] = mapped_column(String(16))
    work_id: Mapped[int | None] = mapped_column(BigInt)
    at: Mapped[datetime] = mapped_column(Moment)


class Vote(Base):
    """One account's like (1) or dislike (-1) of one work."""

    __tablename__ = "vote"
    account_id: Mapped[int] = mapped_column(
        BigInt, ForeignKey("account.id", ondelete="CASCADE"), primary_key=True
    )
    work_id: Mapped[int] = mapped_column(BigInt, primary_key=True, autoincrement=False, index=True)
    value: Mapped[int] = mapped_column(SmallInteger)
    at: Mapped[datetime] = mapped_column(Moment)


class Reaction(Base):
    """A specific reaction to a work, with its line of evidence."""

    __tablename__ = "reaction"
    __table_args__ = (
        UniqueConstraint("account_id", "work_id", "kind"),
        {"sqlite_autoincrement": True},
    )
    id: Mapped[int] = mapped_column(BigInt, primary_key=True)
    account_id: Mapped[int] = belongs()
    work_id: Mapped[int] = mapped_column(BigInt, index=True)
    kind: Mapped[str] = mapped_column(String(24))
    evidence: Mapped[str] = mapped_column(Text)
    link: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[datetime] = mapped_column(Moment)
    changed_at: Mapped[datetime] = mapped_column(Moment)


class Review(Base):
    """The place of a review: its words are in its versions, which go with the account.

    Without versions it is a tombstone, kept for the sake of the replies.
    """

    __tablename__ = "review"
    __table_args__ = (
        Index(
            "review_one_standing", "account_id", "work_id", unique=True,
            sqlite_where=text("withdrawn_at IS NULL"),
            postgresql_where=text("withdrawn_at IS NULL"),
        ),
        {"sqlite_autoincrement": True},
    )  # fmt: skip
    id: Mapped[int] = mapped_column(BigInt, primary_key=True)
    account_id: Mapped[int | None] = by_somebody()
    work_id: Mapped[int] = mapped_column(BigInt, index=True)
    created_at: Mapped[datetime] = mapped_column(Moment)
    withdrawn_at: Mapped[datetime | None] = mapped_column(Moment)


class ReviewVersion(Base):
    """The words of a review as they were at one time; an edit adds a version and changes none."""

    __tablename__ = "review_version"
    __table_args__ = (UniqueConstraint("review_id", "number"),)
    id: Mapped[int] = mapped_column(BigInt, primary_key=True)
    review_id: Mapped[int] = mapped_column(BigInt, ForeignKey("review.id", ondelete="CASCADE"))
    account_id: Mapped[int] = belongs()
    number: Mapped[int] = mapped_column(Integer)
    summary: Mapped[str] = mapped_column(Text)
    strengths: Mapped[str] = mapped_column(Text, default="")
    weaknesses: Mapped[str] = mapped_column(Text, default="")
    questions: Mapped[str] = mapped_column(Text, default="")
    reproducibility: Mapped[str] = mapped_column(Text, default="")
    confidence: Mapped[int] = mapped_column(SmallInteger)
    relation: Mapped[str] = mapped_column(String(16))
    created_at: Mapped[datetime] = mapped_column(Moment)


class ReviewReply(Base):
    """An answer to a review; answers have no answers of their own."""

    __tablename__ = "review_reply"
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012
    id: Mapped[int] = mapped_column(BigInt, primary_key=True)
    review_id: Mapped[int] = mapped_column(
        BigInt, ForeignKey("review.id", ondelete="CASCADE"), index=True
    )
    account_id: Mapped[int] = belongs()
    text: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(Moment)
