"""What the page of a person shows of claims: whose it is, by what, and where the visitor stands."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from peerscope.community import times
from peerscope.community.accounts import names_of
from peerscope.community.claiming_models import LIVE, ClaimOnRecord, Profile
from peerscope.community.models import Account
from peerscope.community.profiles import Said, said_by
from peerscope.community.proofs import Shown, proofs_of


@dataclass(frozen=True, slots=True)
class Owner:
    """Who owns a record, what they showed, what they say.

    ``since`` is when the claim was accepted; ``vouchers`` are the names of the accounts behind proofs,
    ``voucher`` that of the coauthor by whom the claim was accepted.
    """

    account_id: int
    name: str
    level: int
    since: datetime
    route: str
    evidence: str
    proofs: tuple[Shown, ...]
    vouchers: dict[int, str]
    said: Said
    voucher: str = ""


@dataclass(frozen=True, slots=True)
class ClaimBlock:
    """The part of a person's page that is about claims.

    ``mine`` is the state of the visitor's own claim on this record, ``elsewhere`` the record that they
    claim instead; ``contested`` says, to the owner alone, that somebody else claims it too.
    """

    owner: Owner | None
    mine: str | None = None
    elsewhere: int | None = None
    contested: bool = False


def claim_block(session: Session, person_id: int, visitor_id: int | None = None) -> ClaimBlock:
    """What a person's page shows of claims. One statement while nobody owns the record, three else."""
    of_page = ClaimOnRecord.person_id == person_id
    if visitor_id is not None:
        of_page |= ClaimOnRecord.account_id == visitor_id
    rows = session.execute(
        select(ClaimOnRecord, Account, Profile)
        .join(Account, Account.id == ClaimOnRecord.account_id)
        .outerjoin(Profile, Profile.account_id == Account.id)
        .where(of_page, ClaimOnRecord.state.in_(LIVE), Account.state == "active")
    )
    owner, mine, elsewhere, others = None, None, None, 0
    for claim, account, profile in rows:
        if claim.person_id != person_id:
            elsewhere = claim.person_id
            continue
        if claim.account_id == visitor_id:
            mine = claim.state
        if claim.state == "accepted":
            owner = _owner(session, claim, account, profile)
        else:
            others += 1
    contested = mine == "accepted" and others > 0
    return ClaimBlock(owner, mine, elsewhere, contested)


def _owner(
    session: Session, claim: ClaimOnRecord, account: Account, profile: Profile | None
) -> Owner:
    proofs = tuple(one for one in proofs_of(session, account.id) if one.in_force(times.now()))
    sayers = {one.verifier_id for one in proofs if one.verifier_id is not None}
    sayers |= {claim.decided_by} if claim.route == "vouch" and claim.decided_by else set()
    names = names_of(session, sayers) if sayers else {}
    said = said_by(session, account.id, profile) if profile is not None else Said()
    return Owner(
        account.id, account.name, max((one.rung for one in proofs), default=0),
        times.utc(claim.decided_at or claim.created_at), claim.route, claim.evidence, proofs,
        names, said, names.get(claim.decided_by or 0, "") if claim.route == "vouch" else "",
    )  # fmt: skip
