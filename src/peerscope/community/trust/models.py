"""Tables of trust: snapshots as they were, and what the owner of a record replies to them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from peerscope.community.models import Base, BigInt, Moment, belongs


class TrustRecord(Base):
    """A trust snapshot as it was first seen; the next one of the person differs from it.

    ``figures`` is JSON as `peerscope.community.trust.document.figures` writes it, ``digest`` the SHA-256 of
    what does not depend on the time. ``account_id`` is the owner of the record then: what their proofs gave
    goes with them.
    """

    __tablename__ = "trust_record"
    __table_args__ = (Index("ix_trust_record_person", "person_id", "id"),)
    id: Mapped[int] = mapped_column(BigInt, primary_key=True)
    person_id: Mapped[int] = mapped_column(BigInt)
    account_id: Mapped[int | None] = mapped_column(
        BigInt, ForeignKey("account.id", ondelete="CASCADE"), index=True
    )
    formula: Mapped[str] = mapped_column(String(32))
    computed_at: Mapped[datetime] = mapped_column(Moment)
    digest: Mapped[str] = mapped_column(String(64))
    figures: Mapped[str] = mapped_column(Text)


class TrustReply(Base):
    """What the owner of a record says to one statement about them; shown while the record is theirs."""

    __tablename__ = "trust_reply"
    __table_args__ = (UniqueConstraint("person_id", "account_id", "dimension"),)
    id: Mapped[int] = mapped_column(BigInt, primary_key=True)
    account_id: Mapped[int] = belongs()
    person_id: Mapped[int] = mapped_column(BigInt)
    dimension: Mapped[str] = mapped_column(String(16))
    text: Mapped[str] = mapped_column(Text)
    written_at: Mapped[datetime] = mapped_column(Moment)
