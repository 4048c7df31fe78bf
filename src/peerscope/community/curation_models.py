"""The table of decisions about identity that wait for the owner of a record, or a moderator."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from peerscope.community.models import Base, BigInt, Moment, belongs


class IdentityRequest(Base):
    """What an account asks for about somebody's claimed record (`peerscope.record.identity_asked`).

    ``person_id`` is the claimed record; ``asked`` the JSON of what is asked for; ``state`` is ``open``,
    ``accepted``, ``declined`` or ``withdrawn``.
    """

    __tablename__ = "identity_request"
    id: Mapped[int] = mapped_column(BigInt, primary_key=True)
    account_id: Mapped[int] = belongs()
    person_id: Mapped[int] = mapped_column(BigInteger, index=True)
    asked: Mapped[str] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text, default="")
    state: Mapped[str] = mapped_column(String(16), default="open", index=True)
    created_at: Mapped[datetime] = mapped_column(Moment)
    decided_at: Mapped[datetime | None] = mapped_column(Moment)
    decided_by: Mapped[int | None] = mapped_column(
        BigInt, ForeignKey("account.id", ondelete="SET NULL")
    )
    event_id: Mapped[int | None] = mapped_column(BigInteger)
