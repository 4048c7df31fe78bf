"""What accounts say about a person: who owns the record, with which proofs."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from types import MappingProxyType

from sqlalchemy import select
from sqlalchemy.orm import Session

from peerscope.community.models import Account
from peerscope.community.proofs import Shown, proofs_of
from peerscope.community.trust.evidence import UNCLAIMED, ProofFacts, ReviewFacts, Standing

NOTHING: Mapping[int, date] = MappingProxyType({})


def standing_of(
    session: Session,
    person: int,
    *,
    confirmed: Mapping[int, date] = NOTHING,
    reviews: tuple[ReviewFacts, ...] | None = None,
) -> tuple[int | None, Standing]:
    """The account that owns a person's record, if one does, and what it showed. Two statements at most.

    Args:
        session: Of the community's database.
        person: Number of the person.
        confirmed: Number of each work that the owner confirmed, and the day.
        reviews: From `reviews_of`; ``None`` while the site has none to look at.
    """
    owner = session.scalar(
        select(Account.id).where(Account.person_id == person, Account.state == "active")
    )
    if owner is None:
        return None, UNCLAIMED if reviews is None else Standing(reviews=reviews)
    proofs = proofs_of(session, owner)
    level = max((proof.rung for proof in proofs if proof.in_force()), default=0)
    return owner, Standing(
        claimed=True,
        level=f"L{level}",
        proofs=tuple(_facts(proof) for proof in proofs),
        confirmed=frozenset((work, day.isoformat()) for work, day in confirmed.items()),
        reviews=reviews,
    )


def _facts(proof: Shown) -> ProofFacts:
    return ProofFacts(
        kind=proof.kind,
        label=proof.label,
        rung=proof.rung,
        issuer=_issuer(proof),
        verified_at=proof.verified_at.date().isoformat(),
        expires_at=proof.expires_at.date().isoformat() if proof.expires_at else "",
        in_force=proof.in_force(),
        url=proof.evidence_url,
    )


def _issuer(proof: Shown) -> str:
    """Who vouches for it: of each only one proof of a kind counts."""
    if proof.kind == "vouch":
        return (
            f"member {proof.verifier_id} of this site" if proof.verifier_id else "a former member"
        )
    if proof.kind in ("domain", "web") and proof.value:
        return proof.value
    return proof.issuer or "this site"
