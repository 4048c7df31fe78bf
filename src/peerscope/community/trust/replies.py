"""What the owner of a record answers to a statement about them; one answer a statement, theirs to change."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from peerscope.community import audit
from peerscope.community.errors import CommunityError, NotAllowedError
from peerscope.community.models import Account
from peerscope.community.texts import clean_text
from peerscope.community.times import now, utc
from peerscope.community.trust.models import TrustRecord, TrustReply
from peerscope.community.trust.shapes import DIMENSIONS

LONGEST_REPLY = 2_000


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer of the owner.

    Attributes:
        name: Of the account.
        text: In their words.
        written_at: When.
    """

    name: str
    text: str
    written_at: datetime


def reply(session: Session, account_id: int, person: int, dimension: str, text: str) -> None:
    """Answer a statement; an earlier answer is replaced, and an empty one takes it back.

    Args:
        session: Of the community's database, writing.
        account_id: Who answers.
        person: Number of the person whose snapshot it is.
        dimension: A key of `DIMENSIONS`.
        text: In their words; at most 2,000 characters.

    Raises:
        NotAllowedError: The record is not theirs.
        CommunityError: There is no such dimension, or the text is too long.
    """
    if dimension not in DIMENSIONS:
        raise CommunityError("Choose one of the seven statements to reply to.")
    account = session.get(Account, account_id)
    if account is None or account.person_id != person:
        raise NotAllowedError(
            "Only the person whose record this is can reply to it: claim it first."
        )
    kept = clean_text(text, LONGEST_REPLY, "a reply", least=0)
    session.execute(
        delete(TrustReply).where(
            TrustReply.account_id == account_id,
            TrustReply.person_id == person,
            TrustReply.dimension == dimension,
        )
    )
    if kept:
        session.add(
            TrustReply(
                account_id=account_id, person_id=person, dimension=dimension, text=kept,
                written_at=now(),
            )
        )  # fmt: skip
    action = "trust.reply" if kept else "trust.reply.remove"
    audit.record(
        session, audit.actor_of(account_id), action, f"person:{person}", dimension=dimension
    )


def replies(session: Session, person: int) -> dict[str, Reply]:
    """Dimension to the answer of who owns the record now. One statement."""
    rows = session.execute(
        select(TrustReply.dimension, Account.name, TrustReply.text, TrustReply.written_at)
        .join(Account, Account.id == TrustReply.account_id)
        .where(
            TrustReply.person_id == person,
            Account.person_id == person,
            Account.state == "active",
        )
    )
    return {dimension: Reply(name, text, utc(at)) for dimension, name, text, at in rows}


def exported(session: Session, account_id: int) -> dict[str, object]:
    """Everything that is kept of an account's replies, and snapshots of a record while it was its own."""
    said = session.scalars(
        select(TrustReply).where(TrustReply.account_id == account_id).order_by(TrustReply.id)
    )
    seen = session.scalars(
        select(TrustRecord).where(TrustRecord.account_id == account_id).order_by(TrustRecord.id)
    )
    return {
        "trust_replies": [
            {
                "person": f"A{row.person_id}",
                "statement": row.dimension,
                "text": row.text,
                "written_at": utc(row.written_at).isoformat(),
            }
            for row in said
        ],
        "trust_snapshots": [
            {
                "person": f"A{row.person_id}",
                "formula": row.formula,
                "computed_at": utc(row.computed_at).isoformat(),
                "figures": row.figures,
            }
            for row in seen
        ],
    }
