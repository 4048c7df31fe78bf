"""Tables of claims on records: domains of institutions, claims, what owners say, and who stays hidden.

People and works are named by their numbers in the record; see `peerscope.community.models`.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Boolean, ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from peerscope.community.models import Base, BigInt, Moment, belongs

LIVE = ("open", "accepted", "disputed")
"""States in which a claim stands; an account has one such claim at most."""

_LIVE = text("state IN ('open', 'accepted', 'disputed')")
_ACCEPTED = text("state = 'accepted'")


class InstitutionDomain(Base):
    """A domain of an institution, as ROR states it; several institutions may share one.

    ``domain`` is in its ASCII form (punycode). ``name_keys`` are the keys of its names, aliases and
    acronyms, a line each, to be compared with names of the record's institutions.
    """

    __tablename__ = "institution_domain"
    domain: Mapped[str] = mapped_column(String(253), primary_key=True)
    ror: Mapped[str] = mapped_column(String(16), primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    name_keys: Mapped[str] = mapped_column(Text)


class SiteSecret(Base):
    """A random text of this site, by what it is for; made when it is needed first."""

    __tablename__ = "site_secret"
    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    value: Mapped[str] = mapped_column(Text)


class ClaimOnRecord(Base):
    """An account says that a person's record is its own.

    ``state`` is ``open``, ``accepted``, ``declined``, ``withdrawn`` or ``disputed``; ``route`` is how it
    was accepted (``orcid``, ``domain``, ``vouch``, ``moderator``; empty before), ``proof_id`` the proof that
    it rests on, ``decided_by`` the account that decided (none where a rule did). ``claimed_id`` is the record
    as it was claimed, ``person_id`` the one that it is part of now: they differ while it is merged.
    ``note`` is what the claimant tells the moderators, ``reason`` what a moderator answered.
    """

    __tablename__ = "claim_on_record"
    __table_args__ = (
        Index(
            "uq_claim_on_record_live", "account_id", unique=True, sqlite_where=_LIVE,
            postgresql_where=_LIVE,
        ),
        Index(
            "uq_claim_on_record_owner", "person_id", unique=True, sqlite_where=_ACCEPTED,
            postgresql_where=_ACCEPTED,
        ),
    )  # fmt: skip
    id: Mapped[int] = mapped_column(BigInt, primary_key=True)
    account_id: Mapped[int] = belongs()
    claimed_id: Mapped[int] = mapped_column(BigInt)
    person_id: Mapped[int] = mapped_column(BigInt, index=True)
    state: Mapped[str] = mapped_column(String(16))
    note: Mapped[str] = mapped_column(Text, default="")
    route: Mapped[str] = mapped_column(String(16), default="")
    evidence: Mapped[str] = mapped_column(Text, default="")
    proof_id: Mapped[int | None] = mapped_column(
        BigInt, ForeignKey("proof.id", ondelete="SET NULL")
    )
    created_at: Mapped[datetime] = mapped_column(Moment)
    decided_at: Mapped[datetime | None] = mapped_column(Moment)
    decided_by: Mapped[int | None] = mapped_column(
        BigInt, ForeignKey("account.id", ondelete="SET NULL")
    )
    reason: Mapped[str] = mapped_column(Text, default="")


class WorkConfirmation(Base):
    """What an account said of a work: ``mine`` or ``not_mine``. It counts while it owns the record."""

    __tablename__ = "work_confirmation"
    account_id: Mapped[int] = mapped_column(
        BigInt, ForeignKey("account.id", ondelete="CASCADE"), primary_key=True
    )
    work_id: Mapped[int] = mapped_column(BigInt, primary_key=True)
    verdict: Mapped[str] = mapped_column(String(16))
    at: Mapped[datetime] = mapped_column(Moment)


class Profile(Base):
    """What the owner of a record says of themselves; all of it is empty until they write it.

    ``links`` are addresses of pages elsewhere, a line each; ``highlights`` numbers of works with the owner's
    words, a line each.
    """

    __tablename__ = "profile"
    account_id: Mapped[int] = mapped_column(
        BigInt, ForeignKey("account.id", ondelete="CASCADE"), primary_key=True
    )
    bio: Mapped[str] = mapped_column(Text, default="")
    preferred_name: Mapped[str] = mapped_column(Text, default="")
    links: Mapped[str] = mapped_column(Text, default="")
    highlights: Mapped[str] = mapped_column(Text, default="")
    available_for: Mapped[str] = mapped_column(Text, default="")
    available_since: Mapped[datetime | None] = mapped_column(Moment)
    updated_at: Mapped[datetime] = mapped_column(Moment)


class PersonSetting(Base):
    """How a person's page is kept from search engines, or from everybody; a row only where it is."""

    __tablename__ = "person_setting"
    person_id: Mapped[int] = mapped_column(BigInt, primary_key=True, autoincrement=False)
    hidden: Mapped[bool] = mapped_column(Boolean, default=False)
    noindex: Mapped[bool] = mapped_column(Boolean, default=False)
    why: Mapped[str] = mapped_column(Text, default="")
    changed_by: Mapped[int | None] = mapped_column(
        BigInt, ForeignKey("account.id", ondelete="SET NULL")
    )
    changed_at: Mapped[datetime] = mapped_column(Moment)


class ReportContact(Base):
    """Where to reach somebody without an account about a report; gone when the report is decided.

    A trigger of the migration sees to that, whichever code decides the report.
    """

    __tablename__ = "report_contact"
    report_id: Mapped[int] = mapped_column(
        BigInt, ForeignKey("report.id", ondelete="CASCADE"), primary_key=True
    )
    contact: Mapped[str] = mapped_column(Text)
