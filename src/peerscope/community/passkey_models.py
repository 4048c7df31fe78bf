"""The table of passkeys."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from peerscope.community.models import Base, BigInt, Moment, belongs


class Passkey(Base):
    """A key pair of somebody's device; this site knows the public half.

    ``handle`` is what the device knows the account by: random, the same for all passkeys of an account, and
    says nothing of it. ``uses`` is the device's own count of uses, 0 where it keeps none.
    """

    __tablename__ = "passkey"
    id: Mapped[int] = mapped_column(BigInt, primary_key=True)
    account_id: Mapped[int] = belongs()
    handle: Mapped[str] = mapped_column(String(64), index=True)
    credential: Mapped[str] = mapped_column(Text, unique=True)
    public_key: Mapped[bytes] = mapped_column(LargeBinary)
    uses: Mapped[int] = mapped_column(BigInteger)
    name: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(Moment)
    used_at: Mapped[datetime | None] = mapped_column(Moment)
