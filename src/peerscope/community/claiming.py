"""Claims on records: an account says that a person's record is its own, and what becomes of it.

A claim is accepted by a rule (the same ORCID iD; an address at an institution on the works), by a coauthor,
or by a moderator. Two claims on one record are disputed until a moderator decides; who owned the record
before keeps it till then. An account has one record.
"""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from peerscope.community import audit, times
from peerscope.community.claim_evidence import current_person, facts_of
from peerscope.community.claim_routes import Route, met, routes_for
from peerscope.community.claiming_models import LIVE, ClaimOnRecord
from peerscope.community.errors import CommunityError, NotAllowedError, NotThereError
from peerscope.community.models import Account, Proof, Report
from peerscope.community.moderation import report
from peerscope.community.notices import notify
from peerscope.community.proofs import in_force, revoke_proof
from peerscope.community.texts import clean_line, clean_text

AGAIN_AFTER = timedelta(days=30)
"""A record on which a claim of theirs was declined can be claimed again after this long."""

LONGEST_NOTE, LONGEST_REASON, LEAST_LINE = 500, 300, 10
KIND = "claim"
"""Kind of the reports that bring a claim before the moderators."""


def claims_on(session: Session, person_id: int) -> list[ClaimOnRecord]:
    """The claims on a record that stand, the oldest first. One statement."""
    return list(
        session.scalars(
            select(ClaimOnRecord)
            .where(ClaimOnRecord.person_id == person_id, ClaimOnRecord.state.in_(LIVE))
            .order_by(ClaimOnRecord.created_at, ClaimOnRecord.id)
        )
    )


def claim_of(session: Session, account_id: int) -> ClaimOnRecord | None:
    """The claim of an account that stands. One statement."""
    return session.scalar(
        select(ClaimOnRecord).where(
            ClaimOnRecord.account_id == account_id, ClaimOnRecord.state.in_(LIVE)
        )
    )


def last_claim(session: Session, account_id: int, person_id: int) -> ClaimOnRecord | None:
    """The latest claim of an account on a record, in whatever state. One statement."""
    return session.scalar(
        select(ClaimOnRecord)
        .where(ClaimOnRecord.account_id == account_id, ClaimOnRecord.person_id == person_id)
        .order_by(ClaimOnRecord.id.desc())
        .limit(1)
    )


def owner_of(session: Session, person_id: int) -> int | None:
    """The account that owns a record, while it is not suspended. One statement."""
    return session.scalar(
        select(ClaimOnRecord.account_id)
        .join(Account, Account.id == ClaimOnRecord.account_id)
        .where(
            ClaimOnRecord.person_id == person_id, ClaimOnRecord.state == "accepted",
            Account.state == "active",
        )
    )  # fmt: skip


def require_owner(session: Session, person_id: int, account_id: int) -> None:
    """Let nobody else pass.

    Raises:
        NotAllowedError: The account does not own the record.
    """
    if owner_of(session, person_id) != account_id:
        raise NotAllowedError("Only the owner of this record can do this: claim it first.")


def open_claim(
    session: Session, record: Session, account_id: int, person_id: int, note: str = ""
) -> ClaimOnRecord:
    """Claim a record; what becomes of it at once is in its state.

    Args:
        session: Of the community's database, writing.
        record: Of the record.
        account_id: Who claims.
        person_id: Which record; one that was merged stands for the one that it went into.
        note: What shows that it is theirs, for moderators; not public.

    Raises:
        NotThereError: There is no such record.
        CommunityError: The account has a claim already, or was declined not long ago.
    """
    person = current_person(record, person_id)
    if person is None:
        raise NotThereError("There is no such person in this record.")
    there = claim_of(session, account_id)
    if there is not None:
        raise CommunityError(
            f"You claim A{there.person_id} already, and an account has one record. If both are "
            "yours, merge them in the identity workbench; if the other is not, withdraw that claim."
        )
    declined = session.scalar(
        select(ClaimOnRecord.decided_at)
        .where(
            ClaimOnRecord.account_id == account_id, ClaimOnRecord.person_id == person.id,
            ClaimOnRecord.state == "declined",
            ClaimOnRecord.decided_at > times.now() - AGAIN_AFTER,
        )
        .limit(1)
    )  # fmt: skip
    if declined is not None:
        after = (times.utc(declined) + AGAIN_AFTER).date()
        raise CommunityError(
            f"Your claim on this record was declined; it can be claimed again from {after}."
        )
    claim = ClaimOnRecord(
        account_id=account_id, claimed_id=person.id, person_id=person.id, state="open",
        created_at=times.now(), note=clean_text(note, LONGEST_NOTE, "the note", least=0),
        route="", evidence="", reason="",
    )  # fmt: skip
    session.add(claim)
    try:
        session.flush()
    except IntegrityError as error:
        raise CommunityError("You claim another record already; withdraw that first.") from error
    audit.record(
        session, audit.actor_of(account_id), "claim.open", f"person:{person.id}", claim=claim.id
    )
    settle(session, record, person.id)
    return claim


def settle(session: Session, record: Session, person_id: int) -> None:
    """Bring the claims on a record into the states that follow from how many there are and what they show."""
    session.flush()
    claims = claims_on(session, person_id)
    owner = next((one for one in claims if one.state == "accepted"), None)
    others = [one for one in claims if one is not owner]
    person = current_person(record, person_id)
    if owner is None and others and person is not None:
        facts = facts_of(record, person)
        ways = {one.id: met(routes_for(session, record, facts, one.account_id)) for one in others}
        owner = _at_once(others, ways)
        way = ways[owner.id] if owner is not None else None
        if owner is not None and way is not None:
            others.remove(owner)
            accept(session, owner, way.kind, way.evidence, way.proof_id)
    disputed = owner is not None or len(others) > 1
    for one in others:
        _mark(session, one, "disputed" if disputed else "open", owner)
    if others:
        _ask_moderators(session, person_id, disputed)
    else:
        _close_reports(session, person_id, None)


def _at_once(claims: list[ClaimOnRecord], ways: dict[int, Route | None]) -> ClaimOnRecord | None:
    """Which claim a rule accepts: the only one, or the only one with the record's ORCID iD.

    The iD is in the record, so whoever authenticates it is not kept waiting by a claim that shows nothing.
    """
    if len(claims) == 1:
        return claims[0] if ways[claims[0].id] is not None else None
    shown = [one for one in claims if (way := ways[one.id]) is not None and way.kind == "orcid"]
    return shown[0] if len(shown) == 1 else None


def accept(
    session: Session,
    claim: ClaimOnRecord,
    route: str,
    evidence: str,
    proof_id: int | None = None,
    decided_by: int | None = None,
) -> None:
    """Make a claim's account the owner of the record; the way and the evidence are kept with it."""
    claim.state, claim.route, claim.evidence, claim.proof_id = "accepted", route, evidence, proof_id
    claim.decided_at, claim.decided_by = times.now(), decided_by
    session.flush()
    own(session, claim.account_id, claim.person_id)
    actor = audit.SYSTEM if decided_by is None else audit.actor_of(decided_by)
    target = f"person:{claim.person_id}"
    audit.record(session, actor, "claim.accept", target, claim=claim.id, route=route)
    notify(session, claim.account_id, "claim.accepted", target, actor_id=decided_by, detail=route)


def own(session: Session, account_id: int, person_id: int | None) -> None:
    """Let an account be the only one with a record, or with none."""
    session.execute(
        update(Account)
        .where(Account.person_id == person_id, Account.id != account_id)
        .values(person_id=None)
    )
    session.execute(update(Account).where(Account.id == account_id).values(person_id=person_id))


def _mark(session: Session, claim: ClaimOnRecord, state: str, owner: ClaimOnRecord | None) -> None:
    if claim.state == state:
        return
    was, claim.state = claim.state, state
    target = f"person:{claim.person_id}"
    if state == "disputed":
        audit.record(session, audit.SYSTEM, "claim.dispute", target, claim=claim.id)
        notify(session, claim.account_id, "claim.disputed", target)
        if owner is not None:
            notify(session, owner.account_id, "claim.contested", target)
    elif was == "disputed":
        notify(session, claim.account_id, "claim.open", target)


def _ask_moderators(session: Session, person_id: int, disputed: bool) -> None:
    target = f"person:{person_id}"
    there = session.scalar(
        select(Report)
        .where(Report.kind == KIND, Report.target == target, Report.state == "open")
        .limit(1)
    )
    words = (
        "Several accounts claim this record."
        if disputed
        else "A claim that no rule accepts at once."
    )
    if there is None:
        report(session, None, KIND, target, words)
    else:
        there.text = words


def _close_reports(session: Session, person_id: int, moderator_id: int | None) -> None:
    session.execute(
        update(Report)
        .where(Report.kind == KIND, Report.target == f"person:{person_id}", Report.state == "open")
        .values(
            state="done", decided_by=moderator_id, decided_at=times.now(),
            decision="No claim on the record is waiting.",
        )
    )  # fmt: skip


def withdraw(session: Session, record: Session, account_id: int) -> int:
    """Take a claim back, accepted or not; the record that it was on.

    Raises:
        NotThereError: The account has none.
    """
    claim = claim_of(session, account_id)
    if claim is None:
        raise NotThereError("You have no claim that could be withdrawn.")
    claim.state, claim.decided_at = "withdrawn", times.now()
    own(session, account_id, None)
    target = f"person:{claim.person_id}"
    audit.record(session, audit.actor_of(account_id), "claim.withdraw", target, claim=claim.id)
    settle(session, record, claim.person_id)
    return claim.person_id


def decide(
    session: Session,
    record: Session,
    moderator_id: int,
    claim_id: int,
    accepting: bool,
    reason: str,
) -> None:
    """Decide on a claim as a moderator, with a reason that the claimants get to see.

    Accepting one claim declines the others on the record, and the former owner's with them.

    Raises:
        NotAllowedError: The account moderates nothing, or claims the record itself.
        NotThereError: There is no such claim that stands.
        CommunityError: The reason is too short or too long.
    """
    moderator = session.get(Account, moderator_id)
    if moderator is None or moderator.role not in ("moderator", "admin"):
        raise NotAllowedError("Only moderators of this site decide on claims.")
    claim = session.get(ClaimOnRecord, claim_id)
    if claim is None or claim.state not in LIVE:
        raise NotThereError("There is no such claim that stands.")
    claims = claims_on(session, claim.person_id)
    if moderator_id in {one.account_id for one in claims}:
        raise NotAllowedError("You claim this record yourself: another moderator decides.")
    words = clean_line(reason, LONGEST_REASON, "the reason", least=LEAST_LINE)
    if accepting:
        for other in claims:
            if other is not claim:
                _decline(session, other, moderator_id, words)
        session.flush()
        claim.reason = words
        accept(session, claim, "moderator", words, None, moderator_id)
    else:
        _decline(session, claim, moderator_id, words)
    settle(session, record, claim.person_id)


def _decline(session: Session, claim: ClaimOnRecord, moderator_id: int, words: str) -> None:
    if claim.state == "accepted":
        own(session, claim.account_id, None)
    claim.state, claim.reason = "declined", words
    claim.decided_at, claim.decided_by = times.now(), moderator_id
    target = f"person:{claim.person_id}"
    audit.record(session, audit.actor_of(moderator_id), "claim.decline", target, claim=claim.id)
    notify(session, claim.account_id, "claim.declined", target, actor_id=moderator_id)


def revoke(session: Session, record: Session, account_id: int, proof_id: int, why: str) -> None:
    """Revoke a proof of one's own, and look anew at the claim that rests on it.

    Raises:
        NotThereError: The account has no such proof in force.
    """
    proof = session.get(Proof, proof_id)
    if proof is None or proof.account_id != account_id:
        raise NotThereError("There is no such proof in force.")
    revoke_proof(session, proof_id, audit.actor_of(account_id), why or "by its account")
    recheck(session, record, account_id)


def recheck(session: Session, record: Session, account_id: int) -> None:
    """Look anew at an accepted claim after a proof of the account was revoked, by whomever.

    A proof that only expired held when the claim was accepted, so the claim stays.
    """
    claim = claim_of(session, account_id)
    if claim is None or claim.state != "accepted" or claim.route not in ("orcid", "domain"):
        return
    proof = session.get(Proof, claim.proof_id) if claim.proof_id is not None else None
    if proof is None or proof.revoked_at is not None:
        reopen(session, record, claim, audit.SYSTEM)


def look_again(session: Session, record: Session, account_id: int) -> None:
    """Look anew at whatever claim an account has, after its proofs changed, by whatever way.

    What the new proofs meet is accepted at once; what rested on one that was revoked is open again.
    """
    claim = claim_of(session, account_id)
    if claim is not None and claim.state == "accepted":
        recheck(session, record, account_id)
    elif claim is not None:
        settle(session, record, claim.person_id)


def reopen(session: Session, record: Session, claim: ClaimOnRecord, actor: str) -> None:
    """Take back that a claim was accepted, because what it rested on is gone; another way may hold it."""
    claim.state, claim.route, claim.evidence, claim.proof_id = "open", "", "", None
    claim.decided_at = claim.decided_by = None
    own(session, claim.account_id, None)
    target = f"person:{claim.person_id}"
    audit.record(session, actor, "claim.reopen", target, claim=claim.id)
    settle(session, record, claim.person_id)
    session.flush()
    if claim.state != "accepted":
        notify(session, claim.account_id, "claim.reopened", target)


def rests_on(session: Session, account_id: int, proof_id: int) -> int | None:
    """The record that an account owns by a proof; ``None`` where revoking it takes no record away."""
    return session.scalar(
        select(ClaimOnRecord.person_id).where(
            ClaimOnRecord.account_id == account_id, ClaimOnRecord.proof_id == proof_id,
            ClaimOnRecord.state == "accepted",
        )
    )  # fmt: skip


def level_without(session: Session, account_id: int, proof_id: int) -> int:
    """The level that an account would have without one of its proofs."""
    rungs = session.scalars(
        select(Proof.rung).where(
            Proof.account_id == account_id, Proof.id != proof_id, in_force(times.now())
        )
    ).all()
    return max(rungs, default=0)
