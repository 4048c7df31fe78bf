"""Coauthors vouch for claims: the owner of a record with a joint work accepts an open claim."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from peerscope.community import audit, times
from peerscope.community.claim_evidence import joint_works
from peerscope.community.claim_routes import coauthors_of
from peerscope.community.claiming import (
    LEAST_LINE,
    LONGEST_REASON,
    accept,
    claim_of,
    reopen,
    settle,
)
from peerscope.community.claiming_models import LIVE, ClaimOnRecord
from peerscope.community.errors import NotAllowedError, NotThereError
from peerscope.community.notices import notify
from peerscope.community.proofs import YEAR, level_of
from peerscope.community.texts import clean_line

A_YEAR = 12
"""For how many claims an account may vouch within a year."""

VOUCHER_LEVEL = 2


def vouch_for_claim(
    session: Session, record: Session, voucher_id: int, claim_id: int, line: str
) -> None:
    """Accept a coauthor's open claim, as the owner of a record with a joint work.

    Args:
        session: Of the community's database, writing.
        record: Of the record.
        voucher_id: The coauthor's account.
        claim_id: Which claim.
        line: How they know, in a line; shown with the claim.

    Raises:
        NotThereError: There is no such claim.
        NotAllowedError: The claim is disputed, or the account may not vouch.
        CommunityError: The line is too short or too long.
    """
    claim = session.get(ClaimOnRecord, claim_id)
    own = claim_of(session, voucher_id)
    joint: dict[int, int] = {}
    if claim is not None and own is not None and own.state == "accepted":
        joint = joint_works(record, claim.person_id, [own.person_id])
    # To others a claim is not there: who claims what is not public before it is accepted.
    if claim is None or own is None or not joint or claim.state not in LIVE:
        raise NotThereError("There is no claim on a record of a coauthor of yours here.")
    if claim.state != "open":
        raise NotAllowedError("Several accounts claim this record: a moderator decides.")
    if level_of(session, voucher_id) < VOUCHER_LEVEL:
        raise NotAllowedError("Vouching for a claim needs level L2: sign in with ORCID, for one.")
    if own.route == "vouch" and own.decided_by == claim.account_id:
        raise NotAllowedError(
            "They vouched for your claim: two people cannot vouch for each other."
        )
    if _vouched_lately(session, voucher_id) >= A_YEAR:
        raise NotAllowedError(f"You vouched for {A_YEAR} claims within a year, the most.")
    words = clean_line(line, LONGEST_REASON, "the evidence", least=LEAST_LINE)
    accept(
        session, claim, "vouch", f"W{joint[own.person_id]}: {words}", None, decided_by=voucher_id
    )
    settle(session, record, claim.person_id)


def _vouched_lately(session: Session, voucher_id: int) -> int:
    made = session.scalar(
        select(func.count())
        .select_from(ClaimOnRecord)
        .where(
            ClaimOnRecord.route == "vouch", ClaimOnRecord.decided_by == voucher_id,
            ClaimOnRecord.decided_at > times.now() - YEAR,
        )
    )  # fmt: skip
    return made or 0


def unvouch_claim(session: Session, record: Session, voucher_id: int, claim_id: int) -> None:
    """Take back that one vouched for a claim; another way may hold it, else it is open again.

    Raises:
        NotThereError: The account did not vouch for such a claim.
    """
    claim = session.get(ClaimOnRecord, claim_id)
    if (
        claim is None
        or claim.state != "accepted"
        or claim.route != "vouch"
        or claim.decided_by != voucher_id
    ):
        raise NotThereError("There is no claim for which you vouched.")
    reopen(session, record, claim, audit.actor_of(voucher_id))


def ask_coauthor(
    session: Session, record: Session, account_id: int, person_id: int, coauthor_id: int
) -> None:
    """Tell a coauthor who has joined that an account would like them to vouch for its claim.

    Raises:
        NotThereError: The account has no open claim on the record, or the other is no coauthor here.
    """
    claim = claim_of(session, account_id)
    if claim is None or claim.person_id != person_id or claim.state != "open":
        raise NotThereError("You have no open claim on this record.")
    if coauthor_id not in {one.account_id for one in coauthors_of(session, record, person_id)}:
        raise NotThereError("There is no such coauthor here.")
    notify(session, coauthor_id, "claim.vouch_asked", f"person:{person_id}", actor_id=account_id)
