"""What accounts say about a person: who owns the record, with which proofs; which reviews there are."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from sqlalchemy import select
from sqlalchemy.orm import Session

from peerscope.community.meeting_models import Review as ReviewRow
from peerscope.community.models import Account
from peerscope.community.profiles import confirmed_works
from peerscope.community.proofs import Shown, proofs_of
from peerscope.community.reviews import Signal, review_signals
from peerscope.community.trust.evidence import UNCLAIMED, ProofFacts, Standing
from peerscope.community.trust.reviews import Review, reviews_of


@dataclass(frozen=True, slots=True)
class Heard:
    """What the community's database has about a person.

    Attributes:
        person: Number of the person.
        owner: The account that owns the record, if one does.
        standing: What it showed; without reviews, because who wrote a work is known to the record only.
        signals: Every review of the site that stands: any of them may close a ring.
    """

    person: int
    owner: int | None
    standing: Standing
    signals: tuple[Signal, ...]

    @property
    def reviewed(self) -> set[int]:
        """Numbers of the works that were reviewed."""
        return {one.work_id for one in self.signals}

    def weighed(self, authors: Mapping[int, Collection[int]]) -> Standing:
        """The standing with the reviews that the person received and gave, and which have weight.

        Args:
            authors: Work to the numbers of the persons who wrote it, for every work of `reviewed`.
        """
        rows = [
            Review(
                one.account_id, one.person_id, one.level, one.work_id, frozenset(authors[one.work_id]),
                one.date.isoformat(), f"/works/W{one.work_id}/reviews",
            )
            for one in self.signals
            if authors.get(one.work_id)
        ]  # fmt: skip
        return replace(self.standing, reviews=reviews_of(self.person, rows))


def owned_people(session: Session) -> list[int]:
    """Numbers of the people whose record an account owns, in order. One statement."""
    owned = select(Account.person_id).where(
        Account.person_id.is_not(None), Account.state == "active"
    )
    return [one for one in session.scalars(owned.order_by(Account.person_id)) if one is not None]


def hear(session: Session, person: int) -> Heard:
    """What accounts say about a person. Five statements at most.

    Args:
        session: Of the community's database.
        person: Number of the person.
    """
    reviewed = session.scalars(select(ReviewRow.work_id).distinct()).all()
    signals = tuple(review_signals(session, reviewed)) if reviewed else ()
    owner = session.scalar(
        select(Account.id).where(Account.person_id == person, Account.state == "active")
    )
    if owner is None:
        return Heard(person, None, UNCLAIMED, signals)
    proofs = proofs_of(session, owner)
    level = max((proof.rung for proof in proofs if proof.in_force()), default=0)
    confirmed = confirmed_works(session, person)
    standing = Standing(
        claimed=True,
        level=f"L{level}",
        proofs=tuple(_facts(proof) for proof in proofs),
        confirmed=frozenset((work, day.isoformat()) for work, day in confirmed.items()),
    )
    return Heard(person, owner, standing, signals)


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
