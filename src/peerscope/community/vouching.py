"""Vouching by a verified person (L4), and attestation by an admin (L5).

Who wants to be vouched for makes a link and gives it to somebody who knows them: so nobody can look
accounts up, and nobody is asked by strangers. The voucher writes one line of evidence, which is shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from peerscope.community import audit, times
from peerscope.community.claiming_models import LIVE, ClaimOnRecord
from peerscope.community.errors import NotAllowedError, NotThereError
from peerscope.community.models import Account, Proof
from peerscope.community.notices import notify
from peerscope.community.proofs import YEAR, add_proof, in_force, revoke_proof
from peerscope.community.texts import clean_line
from peerscope.community.tickets import GONE, issue, look, use

A_YEAR = 12
"""How often an account may vouch within a year, counting what it revoked."""

LEAST_LINE, LONGEST_LINE = 10, 300
OWN_RUNG = 3


@dataclass(frozen=True, slots=True)
class Vouch:
    """A vouch that an account gave."""

    proof_id: int
    account_id: int
    name: str
    line: str
    at: datetime
    expires_at: datetime | None
    in_force: bool


def vouch_link(session: Session, account_id: int) -> str:
    """The secret of a link by which somebody else can vouch for this account, once, within 30 days."""
    return issue(session, "vouch", account_id)


def asker_of(session: Session, secret: str) -> tuple[int, str]:
    """Whose link this is: account and name.

    Raises:
        NotThereError: It was used, is too old, or its account is gone.
    """
    account_id = look(session, "vouch", secret).account_id
    account = session.get(Account, account_id) if account_id is not None else None
    if account is None or account.state != "active":
        raise NotThereError(GONE)
    return account.id, account.name


def why_not_vouch(session: Session, voucher_id: int, account_id: int) -> str | None:
    """Why one account may not vouch for another, in a sentence; ``None`` where it may."""
    if voucher_id == account_id:
        return "Nobody vouches for themselves: give the link to somebody who knows you."
    if not _stands_alone(session, voucher_id):
        return (
            "Vouching needs a proof of your own at L3 or above: an address at your institution, its "
            "sign-in, your homepage, or documents that an admin checked. A vouch for you is not enough."
        )
    theirs = select(Proof.id).where(
        Proof.kind == "vouch", Proof.verifier_id == account_id, Proof.account_id == voucher_id,
        in_force(times.now()),
    )  # fmt: skip
    if session.scalar(theirs.limit(1)) is not None:
        return "They vouched for you: two people cannot vouch for each other."
    if _same_record(session, voucher_id, account_id):
        return "You and they claim the same record; a moderator decides between you."
    made = session.scalar(
        select(func.count())
        .select_from(Proof)
        .where(
            Proof.kind == "vouch", Proof.verifier_id == voucher_id,
            Proof.verified_at > times.now() - YEAR,
        )
    )  # fmt: skip
    if (made or 0) >= A_YEAR:
        return f"You vouched {A_YEAR} times within a year, which is the most."
    return None


def vouch(session: Session, voucher_id: int, secret: str, line: str) -> int:
    """Vouch for the account whose link this is; the number of the proof.

    Args:
        session: Of the community's database, writing.
        voucher_id: Who vouches.
        secret: Of the link.
        line: How they know, in a line; shown with the proof.

    Raises:
        NotThereError: The link holds no longer.
        NotAllowedError: This account may not vouch for that one.
        CommunityError: The line is too short or too long.
    """
    account_id, _ = asker_of(session, secret)
    refused = why_not_vouch(session, voucher_id, account_id)
    if refused is not None:
        raise NotAllowedError(refused)
    note = clean_line(line, LONGEST_LINE, "the evidence", least=LEAST_LINE)
    use(session, "vouch", secret)
    proof = add_proof(
        session, account_id, "vouch", issuer="this site", method="vouched for", note=note,
        verifier_id=voucher_id,
    )  # fmt: skip
    notify(session, account_id, "proof.vouched", f"proof:{proof}", actor_id=voucher_id)
    return proof


def vouches_by(session: Session, voucher_id: int) -> list[Vouch]:
    """What an account vouched for, the newest first. One statement."""
    rows = session.execute(
        select(Proof, Account.name)
        .join(Account, Account.id == Proof.account_id)
        .where(Proof.kind == "vouch", Proof.verifier_id == voucher_id)
        .order_by(Proof.verified_at.desc(), Proof.id.desc())
    )
    moment = times.now()
    return [
        Vouch(
            row.id, row.account_id, name, row.note, times.utc(row.verified_at),
            times.utc(row.expires_at) if row.expires_at else None,
            row.revoked_at is None
            and (row.expires_at is None or times.utc(row.expires_at) > moment),
        )
        for row, name in rows
    ]  # fmt: skip


def take_back(session: Session, voucher_id: int, proof_id: int) -> int:
    """Revoke a vouch that one gave; the account that it was for.

    Raises:
        NotThereError: The account gave no such vouch, or took it back before.
    """
    proof = session.get(Proof, proof_id)
    if proof is None or proof.kind != "vouch" or proof.verifier_id != voucher_id:
        raise NotThereError("There is no such vouch of yours.")
    revoke_proof(session, proof_id, audit.actor_of(voucher_id), "The voucher took it back.")
    notify(session, proof.account_id, "proof.revoked", f"proof:{proof_id}", actor_id=voucher_id)
    return proof.account_id


def attest(session: Session, admin_id: int, account_id: int, reason: str) -> int:
    """Write down that an admin checked documents of an account; the number of the proof.

    The reason is kept and shown with the proof; the documents are not kept.

    Raises:
        NotAllowedError: The account is no admin, or it is its own.
        NotThereError: There is no such account.
        CommunityError: The reason is too short or too long.
    """
    admin = session.get(Account, admin_id)
    if admin is None or admin.role != "admin" or admin.state != "active":
        raise NotAllowedError("Only admins of this site can attest.")
    if admin_id == account_id:
        raise NotAllowedError("An admin cannot attest for themselves; another admin can.")
    if session.get(Account, account_id) is None:
        raise NotThereError("There is no such account.")
    note = clean_line(reason, LONGEST_LINE, "the reason", least=LEAST_LINE)
    proof = add_proof(
        session, account_id, "admin", issuer="this site", method="documents were checked and not kept",
        note=note, verifier_id=admin_id,
    )  # fmt: skip
    notify(session, account_id, "proof.attested", f"proof:{proof}", actor_id=admin_id)
    return proof


def exported(session: Session, account_id: int) -> dict[str, object]:
    """The vouches that an account gave, as plain values; those that it got are among its proofs."""
    return {
        "vouches_given": [
            {
                "account": one.account_id, "line": one.line, "at": one.at.isoformat(),
                "in_force": one.in_force,
            }
            for one in vouches_by(session, account_id)
        ]
    }  # fmt: skip


def _stands_alone(session: Session, account_id: int) -> bool:
    # A vouch must not make a voucher: else one verified person could raise a chain of strangers.
    own = select(Proof.id).where(
        Proof.account_id == account_id, Proof.rung >= OWN_RUNG, Proof.kind != "vouch",
        in_force(times.now()),
    )  # fmt: skip
    return session.scalar(own.limit(1)) is not None


def _same_record(session: Session, one: int, other: int) -> bool:
    records = select(ClaimOnRecord.person_id).where(ClaimOnRecord.state.in_(LIVE))
    ours = records.where(ClaimOnRecord.account_id == one)
    both = records.where(ClaimOnRecord.account_id == other, ClaimOnRecord.person_id.in_(ours))
    return session.scalar(both.limit(1)) is not None
