"""Who may decide about who is who, and what waits for somebody else's word.

Moderators and admins may decide everything; the owner of a record what concerns it; any account with a
confirmed e-mail address what concerns records that nobody claimed, `A_DAY` times a day. What concerns a
record that somebody else claimed waits for its owner or a moderator. Nobody decides without an account.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from peerscope.community import audit
from peerscope.community.accounts import names_of
from peerscope.community.claim_merges import claims_touched, follow_merges
from peerscope.community.curation_models import IdentityRequest
from peerscope.community.errors import (
    CommunityError,
    NotAllowedError,
    NotThereError,
    TooOftenError,
)
from peerscope.community.models import Account
from peerscope.community.notices import notify
from peerscope.community.sessions import SignedIn
from peerscope.community.texts import clean_line
from peerscope.community.times import now, utc
from peerscope.record import Database
from peerscope.record.identity_asked import Asked, carry_out, look_at
from peerscope.record.identity_events import Consequences, decided_since, leading_to

A_DAY = 20
"""Decisions of an account on records that nobody claimed."""

MOST_OPEN = 50
"""Requests of one account that may wait at a time."""

LONGEST_REASON = 500
GONE = "a deleted account"


def _claims(session: Session, people: Collection[int]) -> Iterable[str]:
    """What happens to claims: they follow their records, and two owners are one too many."""
    found = claims_touched(session, people)
    accepted = [one.person_id for one in found if one.state == "accepted"]
    waiting = sum(one.state != "accepted" for one in found)
    if waiting:
        yield f"{waiting} more claims on these records are not decided; they follow their records."
    if len(set(accepted)) > 1:
        yield (
            "Two of these records have an owner. If they become one, the earlier owner keeps it, and the "
            "other's claim is disputed."
        )


AFTER: list[Callable[[Session, Session], object]] = [follow_merges]
"""Called after a decision with a writing session of the community and a session of the record."""

TOLD: list[Callable[[Session, Collection[int]], Iterable[str]]] = [_claims]
"""Called with the persons that a decision touches; the sentences are shown with its consequences."""


@dataclass(frozen=True, slots=True)
class Right:
    """What an account may do about some consequences.

    Attributes:
        may: ``decide`` or ``request``.
        why: Why it is only a request; else empty.
        owned: The claimed record that a request waits for.
    """

    may: str
    why: str = ""
    owned: int | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """A request as it is shown."""

    id: int
    account_id: int
    by: str
    person: int
    asked: Asked
    reason: str
    state: str
    created_at: datetime
    decided_at: datetime | None


def touched(found: Consequences) -> set[int]:
    """The persons whom consequences concern, as they are before."""
    return {one.person for one in found.people if one.works_before is not None}


def right(
    session: Session, record: Session, who: SignedIn, found: Consequences, *, spend: bool = True
) -> Right:
    """What an account may do.

    Args:
        session: Of the community.
        record: Of the record.
        who: The account.
        found: What would follow.
        spend: Whether to refuse what is beyond the day's number.

    Raises:
        NotAllowedError: Nothing, without a confirmed e-mail address.
        TooOftenError: The account decided as often as one may in a day.
    """
    if who.is_moderator:
        return Right("decide")
    if who.level < 1:
        raise NotAllowedError("Confirm your e-mail address first; then you can change this.")
    owners = owners_of(session, record, touched(found))
    others = sorted(person for person, account in owners.items() if account != who.account_id)
    if others:
        return Right(
            "request",
            f"A{others[0]} was claimed by the person, so this waits for their word, or a moderator's.",
            others[0],
        )
    if not owners and spend:
        since = now() - timedelta(days=1)
        if decided_since(record, audit.actor_of(who.account_id), since) >= A_DAY:
            raise TooOftenError(
                f"An account decides {A_DAY} times a day on records that nobody claimed; come back tomorrow.",
                86_400,
            )
    return Right("decide")


def owners_of(session: Session, record: Session, people: Collection[int]) -> dict[int, int]:
    """Person to the account that owns the record, where one does; also by an address that leads there."""
    addresses = leading_to(record, people)
    if not addresses:
        return {}
    rows = session.execute(
        select(Account.person_id, Account.id).where(Account.person_id.in_(sorted(addresses)))
    )
    return {addresses[person]: account for person, account in rows if person is not None}


def sentences(
    session: Session, record: Session, who: SignedIn | None, found: Consequences
) -> list[str]:
    """What else follows for accounts: claims, follows."""
    people = touched(found)
    owners = owners_of(session, record, people)
    told = [
        f"A{person} is claimed by {'you' if who and account == who.account_id else 'the person'}"
        f"{'' if who and account == who.account_id else ', who is told'}."
        for person, account in sorted(owners.items())
    ]
    for tell in TOLD:
        told += tell(session, people)
    return told


def decide(
    session: Session,
    database: Database,
    who: SignedIn,
    asked: Asked,
    reason: str = "",
    expected: str = "",
) -> tuple[Consequences, int | None]:
    """Do what an account asks for, or let it wait; what follows, and the request's number if it waits.

    The record is another database: the decision stands there once this returns, also where the caller's
    transaction ends otherwise.

    Args:
        session: Of the community's database, writing.
        database: The record.
        who: The account.
        asked: What.
        reason: Why, for the history.
        expected: `Consequences.digest` of what was shown.

    Raises:
        CommunityError: The account may not, or too often, or asks for too much.
        IdentityError: The record speaks against it.
        WriterBusyError: Something else is writing to the record.
    """
    reason = clean_line(reason, LONGEST_REASON, "a reason", least=0)
    found = look_at(database, asked)
    with database.session() as record:
        held = right(session, record, who, found)
    if held.may == "request":
        return found, _wait(session, who, asked, reason, held.owned or 0)
    return _done(session, database, who.account_id, who.account_id, asked, reason, expected), None


def _done(
    session: Session,
    database: Database,
    by: int,
    actor: int,
    asked: Asked,
    reason: str,
    expected: str = "",
) -> Consequences:
    found = carry_out(database, asked, audit.actor_of(by), reason, expected)
    audit.record(
        session, audit.actor_of(actor), f"identity.{asked.kind}", f"event:{found.event}",
        people=sorted(touched(found)), by=audit.actor_of(by),
    )  # fmt: skip
    with database.session() as record:
        for person, account in owners_of(session, record, touched(found)).items():
            notify(session, account, "identity.decided", f"person:{person}", actor_id=actor)
        for follow in AFTER:
            follow(session, record)
    return found


def _wait(session: Session, who: SignedIn, asked: Asked, reason: str, person: int) -> int:
    open_ones = select(func.count()).select_from(IdentityRequest).where(
        IdentityRequest.account_id == who.account_id, IdentityRequest.state == "open"
    )  # fmt: skip
    if (session.scalar(open_ones) or 0) >= MOST_OPEN:
        raise CommunityError(
            f"{MOST_OPEN} of your requests wait already; take one back, or wait for an answer."
        )
    row = IdentityRequest(
        account_id=who.account_id, person_id=person, asked=asked.write(), reason=reason, state="open",
        created_at=now(),
    )  # fmt: skip
    session.add(row)
    session.flush()
    audit.record(
        session, audit.actor_of(who.account_id), "identity.request", f"person:{person}", request=row.id
    )  # fmt: skip
    owner = session.scalar(select(Account.id).where(Account.person_id == person))
    if owner is not None:
        notify(session, owner, "identity.proposed", f"person:{person}", actor_id=who.account_id)
    return row.id


def waiting_for(
    session: Session, record: Session, who: SignedIn, limit: int = 50, offset: int = 0
) -> tuple[list[Waiting], int]:
    """Requests that wait for an account's word, and its own; the newest first, and how many there are.

    All of them for moderators. Three statements at most, and those that follow an address.
    """
    wanted = IdentityRequest.state == "open"
    if not who.is_moderator:
        mine = IdentityRequest.account_id == who.account_id
        if who.person_id is not None:
            own = own_addresses(record, who)
            mine |= IdentityRequest.person_id.in_(sorted(own))
        wanted &= mine
    count = session.scalar(select(func.count()).select_from(IdentityRequest).where(wanted)) or 0
    rows = session.scalars(
        select(IdentityRequest)
        .where(wanted)
        .order_by(IdentityRequest.id.desc())
        .limit(limit)
        .offset(offset)
    ).all()
    names = names_of(session, {row.account_id for row in rows})
    return [_waiting(row, names) for row in rows], count


def request_of(session: Session, record: Session, who: SignedIn, request_id: int) -> Waiting:
    """One request that waits.

    Raises:
        NotThereError: There is no such request for this account, or it is answered.
    """
    row, _, _ = _found(session, record, who, request_id)
    return _waiting(row, names_of(session, {row.account_id}))


def _found(
    session: Session, record: Session, who: SignedIn, request_id: int
) -> tuple[IdentityRequest, bool, bool]:
    """A request that waits, whether the account owns the record, and whether it asked."""
    row = session.get(IdentityRequest, request_id) if request_id < 2**53 else None
    if row is not None and row.state == "open":
        owner, mine = row.person_id in own_addresses(record, who), row.account_id == who.account_id
        if owner or mine or who.is_moderator:
            return row, owner, mine
    raise NotThereError("There is no such request that waits.")


def _waiting(row: IdentityRequest, names: Mapping[int, str]) -> Waiting:
    return Waiting(
        row.id, row.account_id, names.get(row.account_id, GONE), row.person_id,
        Asked.read(row.asked), row.reason, row.state, utc(row.created_at),
        utc(row.decided_at) if row.decided_at else None,
    )  # fmt: skip


def own_addresses(record: Session, who: SignedIn) -> set[int]:
    """Numbers that lead to the record of an account; empty without one."""
    if who.person_id is None:
        return set()
    ends = leading_to(record, [who.person_id])
    return set(ends) or {who.person_id}


def answer(
    session: Session,
    database: Database,
    who: SignedIn,
    request_id: int,
    verdict: str,
    expected: str = "",
) -> Consequences | None:
    """Accept, decline or take back a request; what follows where it was accepted.

    Args:
        session: Of the community's database, writing.
        database: The record.
        who: The owner of the record or a moderator; who asked, to take it back.
        request_id: The request.
        verdict: ``accept``, ``decline`` or ``withdraw``.
        expected: `Consequences.digest` of what was shown.

    Raises:
        NotThereError: There is no such request for this account, or it is answered.
        NotAllowedError: It is not theirs to answer.
        CommunityError: There is no such answer.
        IdentityError: The record speaks against it by now.
    """
    with database.session() as record:
        row, owner, mine = _found(session, record, who, request_id)
    states = {"accept": "accepted", "decline": "declined", "withdraw": "withdrawn"}
    if verdict not in states:
        raise CommunityError("A request is accepted, declined or withdrawn.")
    if verdict == "withdraw" and not mine:
        raise NotAllowedError("Only who asked can take a request back.")
    if verdict != "withdraw" and not (owner or who.is_moderator):
        raise NotAllowedError("The owner of the record or a moderator answers this.")
    found = None
    if verdict == "accept":
        asked = Asked.read(row.asked)
        found = _done(
            session, database, row.account_id, who.account_id, asked, row.reason, expected
        )
        row.event_id = found.event
    row.state, row.decided_at, row.decided_by = states[verdict], now(), who.account_id
    audit.record(
        session, audit.actor_of(who.account_id), f"identity.{verdict}", f"request:{row.id}"
    )
    notify(
        session, row.account_id, f"identity.{states[verdict]}", f"person:{row.person_id}",
        actor_id=who.account_id,
    )  # fmt: skip
    return found


def names_in_history(session: Session, makers: Iterable[str]) -> dict[str, str]:
    """How the history names who decided: an account by its name, others as they stand. One statement."""
    numbers = {
        one: int(one[8:]) for one in makers if one.startswith("account:") and one[8:].isdigit()
    }
    names = names_of(session, set(numbers.values()))
    return {one: names.get(number, GONE) for one, number in numbers.items()}


def exported(session: Session, account_id: int) -> dict[str, object]:
    """What an account asked for about claimed records, and what it decided, as plain values."""
    rows = session.scalars(
        select(IdentityRequest)
        .where(
            or_(IdentityRequest.account_id == account_id, IdentityRequest.decided_by == account_id)
        )
        .order_by(IdentityRequest.id)
    )
    found = []
    for row in rows:
        own = row.account_id == account_id
        found.append(
            {
                "request": row.id,
                "person": f"A{row.person_id}",
                "asked_by_you": own,
                "asked": json.loads(row.asked) if own else None,
                "reason": row.reason if own else None,
                "state": row.state,
                "asked_at": utc(row.created_at).isoformat(),
                "decided_at": utc(row.decided_at).isoformat() if row.decided_at else None,
                "decided_by_you": row.decided_by == account_id,
                "event": row.event_id,
            }
        )
    return {"identity_requests": found}
