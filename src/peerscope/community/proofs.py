"""Proofs of an account and the levels L0 to L5 that follow from them.

A level says what was shown, never how good anybody's work is. It is the highest rung with a proof that is
in force: neither expired nor revoked.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, ScalarSelect, func, or_, select
from sqlalchemy.orm import Session

from peerscope.community import audit
from peerscope.community.errors import NotThereError
from peerscope.community.models import Account, Proof
from peerscope.community.times import now, utc

LEVELS = {
    0: "a record made from metadata; nobody has claimed it",
    1: "an account with a confirmed e-mail address",
    2: "an identifier, authenticated by its issuer",
    3: "an affiliation, shown by an address of the institution or its sign-in",
    4: "corroborated by somebody else",
    5: "attested by an admin of this site who checked documents",
}
"""What each level says."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of proof: its rung, what it is called, and how long it holds (``None``: for good)."""

    rung: int
    label: str
    holds: timedelta | None


YEAR = timedelta(days=365)
KINDS = {
    "email": Kind(1, "e-mail address confirmed", None),
    "orcid": Kind(2, "ORCID iD authenticated by ORCID", None),
    "domain": Kind(3, "e-mail address at an institution's domain", YEAR),
    "federation": Kind(3, "signed in through an institution", YEAR),
    "vouch": Kind(4, "vouched for by a verified person", 2 * YEAR),
    "web": Kind(4, "homepage that links back", YEAR),
    "admin": Kind(5, "documents checked by an admin", None),
}


@dataclass(frozen=True, slots=True)
class Shown:
    """A proof as it may be shown."""

    id: int
    kind: str
    label: str
    rung: int
    value: str
    issuer: str
    method: str
    evidence_url: str
    note: str
    verifier_id: int | None
    verified_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    revoked_why: str

    def in_force(self, at: datetime | None = None) -> bool:
        """Whether it holds at a moment (now)."""
        moment = at or now()
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > moment)


def add_proof(
    session: Session,
    account_id: int,
    kind: str,
    *,
    value: str = "",
    value_hash: str = "",
    issuer: str = "",
    method: str = "",
    evidence_url: str = "",
    note: str = "",
    verifier_id: int | None = None,
) -> int:
    """Write a proof down; one of the same kind and value that is in force is renewed. Its number.

    Args:
        session: Of the community's database, writing.
        account_id: Whose.
        kind: One of `KINDS`.
        value: What may be shown of it.
        value_hash: A salted hash of what may not.
        issuer: Who vouches for it, as ``orcid.org``.
        method: How it was shown, in a few words.
        evidence_url: Where it can be seen.
        note: Shown with it.
        verifier_id: The account that said so, if one did.
    """
    about, moment = KINDS[kind], now()
    expires = moment + about.holds if about.holds else None
    there = session.scalar(
        select(Proof).where(
            Proof.account_id == account_id, Proof.kind == kind, Proof.value == value,
            Proof.value_hash == value_hash, Proof.verifier_id.is_not_distinct_from(verifier_id),
            Proof.revoked_at.is_(None),
        ).limit(1)
    )  # fmt: skip
    if there is not None:
        there.verified_at, there.expires_at = moment, expires
        there.issuer, there.method, there.evidence_url, there.note = (
            issuer, method, evidence_url, note,
        )  # fmt: skip
        proof = there
    else:
        proof = Proof(
            account_id=account_id, kind=kind, rung=about.rung, value=value, value_hash=value_hash,
            issuer=issuer, method=method, evidence_url=evidence_url, note=note,
            verifier_id=verifier_id, verified_at=moment, expires_at=expires,
        )  # fmt: skip
        session.add(proof)
    session.flush()
    actor = audit.actor_of(verifier_id or account_id)
    audit.record(session, actor, "proof.add", f"account:{account_id}", proof=proof.id, kind=kind)
    return proof.id


def revoke_proof(session: Session, proof_id: int, actor: str, why: str) -> None:
    """Let a proof hold no longer; it stays to be seen.

    Raises:
        NotThereError: There is no such proof, or it was revoked before.
    """
    proof = session.get(Proof, proof_id)
    if proof is None or proof.revoked_at is not None:
        raise NotThereError("There is no such proof in force.")
    proof.revoked_at, proof.revoked_why = now(), " ".join(why.split())[:500]
    audit.record(session, actor, "proof.revoke", f"account:{proof.account_id}", proof=proof_id)


def proofs_of(session: Session, account_id: int) -> list[Shown]:
    """All proofs of an account, the newest first, also those that hold no longer. One statement."""
    rows = session.scalars(
        select(Proof)
        .where(Proof.account_id == account_id)
        .order_by(Proof.verified_at.desc(), Proof.id.desc())
    )
    return [_shown(row) for row in rows]


def level_column() -> ScalarSelect[int]:
    """The level of an account as a column beside `Account`: 0 to 5."""
    return (
        select(func.coalesce(func.max(Proof.rung), 0))
        .where(Proof.account_id == Account.id, in_force())
        .correlate(Account)
        .scalar_subquery()
    )


def level_of(session: Session, account_id: int) -> int:
    """The level of an account, 0 to 5; 0 also where there is no such account. One statement."""
    return levels_of(session, [account_id]).get(account_id, 0)


def levels_of(session: Session, account_ids: Collection[int]) -> dict[int, int]:
    """The levels of accounts, 0 to 5; one without a proof is left out. One statement."""
    rows = session.execute(
        select(Proof.account_id, func.max(Proof.rung).label("rung"))
        .where(Proof.account_id.in_(account_ids), in_force())
        .group_by(Proof.account_id)
    )
    return {row.account_id: row.rung for row in rows}


def in_force(at: datetime | None = None) -> ColumnElement[bool]:
    """The condition that a proof holds at a moment (now)."""
    moment = at or now()
    return Proof.revoked_at.is_(None) & or_(Proof.expires_at.is_(None), Proof.expires_at > moment)


def _shown(row: Proof) -> Shown:
    return Shown(
        row.id, row.kind, KINDS[row.kind].label, row.rung, row.value, row.issuer, row.method,
        row.evidence_url, row.note, row.verifier_id, utc(row.verified_at),
        utc(row.expires_at) if row.expires_at else None,
        utc(row.revoked_at) if row.revoked_at else None, row.revoked_why,
    )  # fmt: skip
