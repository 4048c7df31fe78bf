"""What merges and splits of the record do to claims: they follow, and the workbench learns of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from peerscope.community import audit
from peerscope.community.claim_evidence import heirs_of
from peerscope.community.claiming import own, settle
from peerscope.community.claiming_models import LIVE, ClaimOnRecord
from peerscope.community.models import Account
from peerscope.community.notices import notify
from peerscope.community.person_settings import carry_settings


@dataclass(frozen=True, slots=True)
class Touched:
    """A claim on one of several records; ``name`` is the account's, and is public only once accepted."""

    claim_id: int
    person_id: int
    account_id: int
    name: str
    state: str


def claims_touched(session: Session, persons: Collection[int]) -> list[Touched]:
    """The claims that stand on any of these people's records, by record. One statement.

    Where two are accepted, a merge would leave one owner too many: somebody has to decide first.
    """
    rows = session.execute(
        select(ClaimOnRecord, Account.name)
        .join(Account, Account.id == ClaimOnRecord.account_id)
        .where(ClaimOnRecord.person_id.in_(sorted(persons)), ClaimOnRecord.state.in_(LIVE))
        .order_by(ClaimOnRecord.person_id, ClaimOnRecord.created_at, ClaimOnRecord.id)
    )
    return [
        Touched(claim.id, claim.person_id, claim.account_id, name, claim.state)
        for claim, name in rows
    ]


def follow_merges(session: Session, record: Session) -> int:
    """Let claims go where their records went; how many moved.

    To be called after a merge, a split or an undo. A claim goes to the record that its own was merged into,
    and back when that is undone. Where two owners meet, the one who owned a record longer keeps it, the
    other's claim is disputed.
    """
    claims = list(session.scalars(select(ClaimOnRecord).where(ClaimOnRecord.state.in_(LIVE))))
    heirs = heirs_of(record, {one.claimed_id for one in claims})
    moving = [
        (one, heirs.get(one.claimed_id, one.claimed_id))
        for one in sorted(claims, key=lambda one: (one.decided_at or one.created_at, one.id))
        if one.person_id != heirs.get(one.claimed_id, one.claimed_id)
    ]
    staying = {one.person_id for one in claims if one.state == "accepted"} - {
        one.person_id for one, _ in moving
    }
    touched = _alone(claims)
    for claim, person_id in moving:
        touched |= {claim.person_id, person_id}
        if claim.state == "accepted":
            # Let go of the old record first: a number of a person stands at one account only.
            own(session, claim.account_id, None)
            if person_id in staying:
                claim.state, claim.route, claim.proof_id = "disputed", "", None
                notify(session, claim.account_id, "claim.disputed", f"person:{person_id}")
        was, claim.person_id = claim.person_id, person_id
        session.flush()
        if claim.state == "accepted":
            staying.add(person_id)
            own(session, claim.account_id, person_id)
        audit.record(
            session, audit.SYSTEM, "claim.follow", f"person:{person_id}", claim=claim.id, was=was
        )
        notify(session, claim.account_id, "claim.moved", f"person:{person_id}")
    carry_settings(session, record)
    for person_id in sorted(touched):
        settle(session, record, person_id)
    return len(moving)


def _alone(claims: Collection[ClaimOnRecord]) -> set[int]:
    """Records of which a claim is disputed by nobody any more: the other account is gone."""
    standing = Counter(one.person_id for one in claims)
    return {
        one.person_id for one in claims if one.state == "disputed" and standing[one.person_id] == 1
    }
