"""The table that says which reader of the readers' file is an account's own."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Text
from sqlalchemy.orm import Mapped, mapped_column

from peerscope.community.models import Base, BigInt, Moment


class Reading(Base):
    """The reader of an account, by its secret, and whether saves and follows take part."""

    __tablename__ = "reading"
    account_id: Mapped[int] = mapped_column(
        BigInt, ForeignKey("account.id", ondelete="CASCADE"), primary_key=True
    )
    secret: Mapped[str] = mapped_column(Text)
    uses_saves: Mapped[bool] = mapped_column(default=False)
    since: Mapped[datetime] = mapped_column(Moment)
