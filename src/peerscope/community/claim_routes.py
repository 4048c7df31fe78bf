"""The ways by which a claim on a record is accepted: which are open, what is missing, who decides.

Every way is looked at for every claim, so that the claimant sees at once where they stand.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from peerscope.community import times
from peerscope.community.claim_evidence import (
    MOST_SHARING,
    Facts,
    coauthor_ids,
    namesakes_at,
)
from peerscope.community.claiming_models import ClaimOnRecord
from peerscope.community.domains import Place, places_of
from peerscope.community.models import Account
from peerscope.community.proofs import Shown, proofs_of

NAMED = 3
"""Institutions or iDs that a sentence names."""


@dataclass(frozen=True, slots=True)
class Route:
    """A way to acceptance.

    Attributes:
        kind: ``orcid``, ``domain``, ``vouch`` or ``moderator``.
        label: What it is called.
        state: ``met`` (the claim is accepted at once), ``moderator`` (shown, but somebody has to look),
            ``missing`` (something can be done), ``closed`` (nothing can be done by this way).
        says: Where the claimant stands, in a sentence.
        decides: Who decides.
        evidence: What a claim accepted by it says of why.
        proof_id: The proof that it rests on.
    """

    kind: str
    label: str
    state: str
    says: str
    decides: str
    evidence: str = ""
    proof_id: int | None = None


@dataclass(frozen=True, slots=True)
class Coauthor:
    """An account whose record has a work in common with the claimed one."""

    account_id: int
    name: str
    person_id: int


def routes_for(
    session: Session, record: Session, facts: Facts, account_id: int | None
) -> list[Route]:
    """The ways to acceptance for an account, or for somebody without one.

    Args:
        session: Of the community's database.
        record: Of the record.
        facts: Of the person's record.
        account_id: Who claims or might.
    """
    account = session.get(Account, account_id) if account_id is not None else None
    proofs = (
        [one for one in proofs_of(session, account.id) if one.in_force(times.now())]
        if account is not None
        else []
    )
    return [
        _by_orcid(facts, proofs),
        _by_domain(session, record, facts, account, proofs),
        _by_vouch(coauthors_of(session, record, facts.person_id)),
        Route(
            "moderator", "A moderator of this site", "missing",
            "Open to everybody: say on the claim what shows that the record is yours.",
            "a moderator, with a reason that you get to see",
        ),
    ]  # fmt: skip


def _by_orcid(facts: Facts, proofs: Sequence[Shown]) -> Route:
    label, rule = "The same ORCID iD", "a rule, at once"
    if not facts.orcids:
        return Route(
            "orcid", label, "closed", "The record carries no ORCID iD to compare with.", rule
        )
    proved = {one.value: one for one in proofs if one.kind == "orcid"}
    both = sorted(proved.keys() & set(facts.orcids))
    stated = ", ".join(facts.orcids[:NAMED])
    if both and len(facts.orcids) > 1:
        return Route(
            "orcid", label, "moderator",
            f"Your iD is one of {len(facts.orcids)} in the record ({stated}), which may be several "
            "people in one. Part them first, or let a moderator decide.",
            "a moderator",
        )  # fmt: skip
    if both:
        return Route(
            "orcid", label, "met", f"The record carries {both[0]}, and you signed in with it.", rule,
            f"ORCID iD {both[0]}, authenticated by ORCID, is the one in the record",
            proved[both[0]].id,
        )  # fmt: skip
    if proved:
        return Route(
            "orcid", label, "moderator",
            f"You signed in with {', '.join(sorted(proved))}; the record carries {stated}.",
            "a moderator",
        )  # fmt: skip
    return Route(
        "orcid", label, "missing",
        f"The record carries {stated}. Sign in with it, and the claim is accepted at once.", rule,
    )  # fmt: skip


def _by_domain(
    session: Session,
    record: Session,
    facts: Facts,
    account: Account | None,
    proofs: Sequence[Shown],
) -> Route:
    label, rule = "An address at an institution on your works", "a rule, at once"
    if not facts.institutions:
        return Route(
            "domain", label, "closed", "No work of this record states an institution.", rule
        )
    stated = "; ".join(one.label for one in facts.institutions[:NAMED])
    shown = {one.value: one for one in proofs if one.kind in ("domain", "federation")}
    for domain, place in places_of(session, shown).items():
        there = [one for one in facts.institutions if one.is_at(place)]
        if not there or account is None:
            continue
        against = _against(record, facts, account.name, proofs, place, [one.id for one in there])
        if against is not None:
            return Route("domain", label, "moderator", against, "a moderator")
        return Route(
            "domain", label, "met",
            f"You have an address at {domain}; works of the record state {there[0].label}, and your "
            "name is compatible with those in the record.",
            rule, f"address at {domain}; works state {there[0].label}; the names are compatible",
            shown[domain].id,
        )  # fmt: skip
    if shown:
        return Route(
            "domain", label, "missing",
            f"Your addresses ({', '.join(sorted(shown))}) are of no institution that the works state "
            f"({stated}).",
            rule,
        )  # fmt: skip
    return Route("domain", label, "missing", f"Show an address at one of: {stated}.", rule)


def _against(
    record: Session,
    facts: Facts,
    name: str,
    proofs: Sequence[Shown],
    place: Place,
    institution_ids: Sequence[int],
) -> str | None:
    """What keeps an address from being enough: an account's name is its own choice, so it takes more."""
    proved = {one.value for one in proofs if one.kind == "orcid"}
    if facts.orcids and proved and not proved & set(facts.orcids):
        return "Your ORCID iD is another one than the record's, which outweighs an address."
    if len(facts.orcids) > 1:
        return "The record carries several ORCID iDs, so it may be several people in one."
    if not facts.bears_in_full(name):
        return (
            f"Your name here, {name}, is not compatible in full with a name in the record "
            f"({facts.display_name})."
        )
    if len(place.institutions) > MOST_SHARING:
        return (
            f"{len(place.institutions)} institutions share the domain {place.domain}, so it does not "
            "say at which one you are."
        )
    namesakes = namesakes_at(record, facts, institution_ids)
    if namesakes:
        return (
            f"{namesakes} more in this record bear such a name at the same institution, so an address "
            "there does not say which of them you are."
        )
    return None


def _by_vouch(coauthors: Sequence[Coauthor]) -> Route:
    label = "A coauthor who has claimed their own record"
    if not coauthors:
        return Route(
            "vouch", label, "closed", "No coauthor of this record has claimed theirs here.",
            "a coauthor, at once",
        )  # fmt: skip
    number = "One coauthor" if len(coauthors) == 1 else f"{len(coauthors)} coauthors"
    return Route(
        "vouch", label, "missing", f"{number} can say that the record is yours; ask one.",
        "a coauthor, at once",
    )  # fmt: skip


def coauthors_of(session: Session, record: Session, person_id: int) -> list[Coauthor]:
    """Accounts that own the record of a coauthor, by name. Two statements."""
    together = coauthor_ids(record, person_id)
    rows = session.execute(
        select(ClaimOnRecord.person_id, Account.id, Account.name)
        .join(Account, Account.id == ClaimOnRecord.account_id)
        .where(ClaimOnRecord.state == "accepted", Account.state == "active")
        .order_by(Account.name, Account.id)
    ).all()
    return [Coauthor(row.id, row.name, row.person_id) for row in rows if row.person_id in together]


def met(routes: Sequence[Route]) -> Route | None:
    """The way by which a claim is accepted at once, the strongest first."""
    return next((route for route in routes if route.state == "met"), None)
