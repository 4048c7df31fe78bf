"""Tables of accounts: who signed in how, what they proved, one-time links, and the audit log.

Works and people of the record are named by their numbers alone: the record lies in another database, and
its numbers are never used twice. Times are UTC.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

BigInt = BigInteger().with_variant(Integer, "sqlite")
Moment = DateTime(timezone=True)


class Base(DeclarativeBase):
    """Metadata of the community room."""


def belongs() -> Mapped[int]:
    """The account that a row is of; the row goes with it."""
    return mapped_column(BigInt, ForeignKey("account.id", ondelete="CASCADE"), index=True)


class Account(Base):
    """Somebody who joined.

    ``email`` is case-folded and never shown to others. ``password`` is an argon2id hash; it is empty where
    they sign in otherwise. ``person_id`` is the record they claimed, once the claim is accepted.
    """

    __tablename__ = "account"
    # Without AUTOINCREMENT SQLite would hand the number of an erased account to the next one.
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012
    id: Mapped[int] = mapped_column(BigInt, primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    email: Mapped[str | None] = mapped_column(Text, unique=True)
    password: Mapped[str | None] = mapped_column(Text)
    role: Mapped[str] = mapped_column(String(16), default="member")  # member, moderator, admin
    state: Mapped[str] = mapped_column(String(16), default="active")  # active, suspended
    person_id: Mapped[int | None] = mapped_column(BigInt, unique=True)
    created_at: Mapped[datetime] = mapped_column(Moment)


class Session(Base):
    """A browser that is signed in; known by the hash of its cookie's secret."""

    __tablename__ = "session"
    id: Mapped[int] = mapped_column(BigInt, primary_key=True)
    account_id: Mapped[int] = belongs()
    secret_hash: Mapped[str] = mapped_column(String(64), unique=True)
    how: Mapped[str] = mapped_column(String(64))  # password, link, passkey, oidc:ISSUER
    created_at: Mapped[datetime] = mapped_column(Moment)
    seen_at: Mapped[datetime] = mapped_column(Moment)
    proved_at: Mapped[datetime] = mapped_column(Moment)
    expires_at: Mapped[datetime] = mapped_column(Moment, index=True)


class Ticket(Base):
    """A one-time link: to join, to set a password anew, to confirm an address. Known by its hash."""

    __tablename__ = "ticket"
    id: Mapped[int] = mapped_column(BigInt, primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    secret_hash: Mapped[str] = mapped_column(String(64), unique=True)
    account_id: Mapped[int | None] = mapped_column(
        BigInt, ForeignKey("account.id", ondelete="CASCADE"), index=True
    )
    value: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[datetime] = mapped_column(Moment)
    expires_at: Mapped[datetime] = mapped_column(Moment)
    used_at: Mapped[datetime | None] = mapped_column(Moment)


class Login(Base):
    """An account elsewhere by which somebody signs in: issuer and subject of OpenID Connect."""

    __tablename__ = "login"
    __table_args__ = (UniqueConstraint("issuer", "subject"),)
    id: Mapped[int] = mapped_column(BigInt, primary_key=True)
    account_id: Mapped[int] = belongs()
    issuer: Mapped[str] = mapped_column(Text)
    subject: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(Moment)


class Proof(Base):
    """Something that was shown of an account: dated, with its evidence, until it expires or is revoked.

    ``value`` may be shown (an ORCID iD, a domain); what may not is there as a salted hash only.
    """

    __tablename__ = "proof"
    __table_args__ = (Index("ix_proof_kind_value", "kind", "value"),)
    id: Mapped[int] = mapped_column(BigInt, primary_key=True)
    account_id: Mapped[int] = belongs()
    kind: Mapped[str] = mapped_column(String(16))
    rung: Mapped[int] = mapped_column(Integer)
    value: Mapped[str] = mapped_column(Text, default="")
    value_hash: Mapped[str] = mapped_column(Text, default="")
    issuer: Mapped[str] = mapped_column(Text, default="")
    method: Mapped[str] = mapped_column(Text, default="")
    evidence_url: Mapped[str] = mapped_column(Text, default="")
    note: Mapped[str] = mapped_column(Text, default="")
    verifier_id: Mapped[int | None] = mapped_column(
        BigInt, ForeignKey("account.id", ondelete="SET NULL")
    )
    verified_at: Mapped[datetime] = mapped_column(Moment)
    expires_at: Mapped[datetime | None] = mapped_column(Moment)
    revoked_at: Mapped[datetime | None] = mapped_column(Moment)
    revoked_why: Mapped[str] = mapped_column(Text, default="")


class AuditEntry(Base):
    """One line of the audit log; each carries the hash of the one before.

    It names accounts by number, never by name or address, so that it can outlive them.
    """

    __tablename__ = "audit_entry"
    id: Mapped[int] = mapped_column(BigInt, primary_key=True, autoincrement=False)
    at: Mapped[str] = mapped_column(String(32))
    actor: Mapped[str] = mapped_column(String(32))
    action: Mapped[str] = mapped_column(String(48))
    target: Mapped[str] = mapped_column(Text)
    detail: Mapped[str] = mapped_column(Text, default="")
    previous: Mapped[str] = mapped_column(String(64))
    digest: Mapped[str] = mapped_column(String(64))


class Notice(Base):
    """Something that an account is told: what happened, to what, by whom."""

    __tablename__ = "notice"
    id: Mapped[int] = mapped_column(BigInt, primary_key=True)
    account_id: Mapped[int] = belongs()
    kind: Mapped[str] = mapped_column(String(32))
    target: Mapped[str] = mapped_column(Text)
    actor_id: Mapped[int | None] = mapped_column(
        BigInt, ForeignKey("account.id", ondelete="SET NULL"), index=True
    )
    detail: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[datetime] = mapped_column(Moment)
    read_at: Mapped[datetime | None] = mapped_column(Moment)


class Report(Base):
    """Something that an account wants a moderator to look at, and what became of it."""

    __tablename__ = "report"
    id: Mapped[int] = mapped_column(BigInt, primary_key=True)
    account_id: Mapped[int | None] = mapped_column(
        BigInt, ForeignKey("account.id", ondelete="SET NULL"), index=True
    )
    kind: Mapped[str] = mapped_column(String(32))
    target: Mapped[str] = mapped_column(Text, index=True)
    text: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(Moment)
    state: Mapped[str] = mapped_column(
        String(16), default="open", index=True
    )  # open, done, declined
    decided_by: Mapped[int | None] = mapped_column(
        BigInt, ForeignKey("account.id", ondelete="SET NULL")
    )
    decided_at: Mapped[datetime | None] = mapped_column(Moment)
    decision: Mapped[str] = mapped_column(Text, default="")
