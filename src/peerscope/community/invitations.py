"""Invitations to work together, between accounts that agreed to be asked.

Who declines is not exposed to a conversation about it: the sender sees an invitation as open until it
expires, whether it was declined, not read, or sent to somebody who blocks them. So all that the sender can
see or try (states, limits, the next invitation) must go by what the sender knows, never by what became of
it. Nobody outside the site is ever written to.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, delete, exists, func, select
from sqlalchemy.orm import Session

from peerscope.community import audit
from peerscope.community.blocks import blocks
from peerscope.community.conversations import acquainted, begin, talking
from peerscope.community.errors import CommunityError, NotAllowedError, NotThereError, TooOftenError
from peerscope.community.models import Account
from peerscope.community.notices import notify, read_about
from peerscope.community.proofs import level_of, levels_of
from peerscope.community.rates import YOUNG
from peerscope.community.talk_models import Invitation
from peerscope.community.texts import clean_text
from peerscope.community.times import now, utc

PURPOSES = {
    "paper": "writing a paper together",
    "project": "a joint project",
    "data": "data or code",
    "reproduce": "reproducing a result",
    "question": "a question about a work",
}
"""What an invitation is for."""

LONGEST = 1_500
HOLDS = timedelta(days=30)
WEEK = timedelta(days=7)
MOST_OPEN, MOST_A_WEEK = 5, 10
MOST_OPEN_YOUNG, MOST_A_WEEK_YOUNG = 2, 2
"""Invitations that an account may have open, and send within a week; of an account of less than a day."""

LEAST_LEVEL = 2
"""Level from which an account may invite: an identifier that its issuer authenticated. A vouch is L4, so
that whoever has no identifier gets by with somebody who stands up for them."""

KEPT = timedelta(days=60)
"""How long an invitation stays after it expired; the account's own limits need the last week only."""

OpenTo = Callable[[Session, int], str | None]
"""What an account says that it is open to; ``None`` where it does not say so."""

Follows = Callable[[Session, int, int], bool]
"""Whether an account follows a person of the record."""


@dataclass(frozen=True, slots=True)
class Consents:
    """How it is known that an account agreed to be asked."""

    open_to: OpenTo
    follows: Follows


@dataclass(frozen=True, slots=True)
class Received:
    """An invitation as its receiver sees it."""

    id: int
    sender_id: int
    name: str
    level: int
    person_id: int | None
    purpose: str
    text: str
    created_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Sent:
    """An invitation as its sender sees it: ``open``, ``accepted``, ``withdrawn`` or ``expired``."""

    id: int
    receiver_id: int
    name: str
    purpose: str
    text: str
    created_at: datetime
    expires_at: datetime
    state: str


def invite(
    session: Session,
    sender_id: int,
    receiver_id: int,
    purpose: str,
    text: str,
    consents: Consents,
) -> int:
    """Invite an account; the number of the invitation.

    Args:
        session: Of the community's database, writing.
        sender_id: Who invites.
        receiver_id: Who is invited.
        purpose: One of `PURPOSES`.
        text: In the sender's words, at most `LONGEST` characters.
        consents: How it is known that the receiver agreed to be asked.

    Raises:
        CommunityError: The purpose is none, the text empty or too long, or the two talk already.
        NotAllowedError: The sender's level is too low, or the receiver did not agree to be asked.
        NotThereError: There is no such account.
        TooOftenError: The sender has as many open as one may have, or asked this account before.
    """
    if purpose not in PURPOSES:
        raise CommunityError("Say what the invitation is for.")
    words = clean_text(text, LONGEST, "an invitation")
    _lock(session, sender_id, receiver_id)
    sender, receiver = session.get(Account, sender_id), session.get(Account, receiver_id)
    if sender is None or receiver is None or receiver.state != "active":
        raise NotThereError("There is no such account.")
    _refuse(session, sender, receiver, consents)
    moment = now()
    _limit(session, sender, receiver_id, moment)
    held = blocks(session, receiver_id, sender_id)
    row = Invitation(
        sender_id=sender_id, receiver_id=receiver_id, purpose=purpose, text=words, state="open",
        held=held, created_at=moment, expires_at=moment + HOLDS,
    )  # fmt: skip
    session.add(row)
    session.execute(delete(Invitation).where(Invitation.expires_at < moment - KEPT))
    session.flush()
    target = f"invitation:{row.id}"
    audit.record(session, audit.actor_of(sender_id), "invitation.send", target)
    if not held:
        notify(session, receiver_id, "invitation.new", target, actor_id=sender_id)
    return row.id


def agreed(
    session: Session,
    sender_id: int,
    sender_person: int | None,
    receiver_id: int,
    consents: Consents,
) -> bool:
    """Whether an account agreed to be asked by another: in general, or by following or knowing it."""
    if consents.open_to(session, receiver_id) is not None:
        return True
    if sender_person is not None and consents.follows(session, receiver_id, sender_person):
        return True
    return acquainted(session, receiver_id, sender_id)


def received(session: Session, account_id: int) -> list[Received]:
    """Open invitations to an account, the newest first. Two statements."""
    rows = session.execute(
        select(Invitation, Account.name, Account.person_id)
        .join(Account, Account.id == Invitation.sender_id)
        .where(Invitation.receiver_id == account_id, *_arrived(now()))
        .order_by(Invitation.id.desc())
    ).all()
    levels = levels_of(session, {row.Invitation.sender_id for row in rows}) if rows else {}
    return [
        Received(
            one.id, one.sender_id, name, levels.get(one.sender_id, 0), person_id, one.purpose,
            one.text, utc(one.created_at), utc(one.expires_at),
        )
        for one, name, person_id in rows
    ]  # fmt: skip


def sent(session: Session, account_id: int) -> list[Sent]:
    """What an account sent within the last months, the newest first. One statement."""
    moment = now()
    rows = session.execute(
        select(Invitation, Account.name)
        .join(Account, Account.id == Invitation.receiver_id)
        .where(Invitation.sender_id == account_id)
        .order_by(Invitation.id.desc())
    ).all()
    return [
        Sent(
            one.id, one.receiver_id, name, one.purpose, one.text, utc(one.created_at),
            utc(one.expires_at), _seen_state(one, moment),
        )
        for one, name in rows
    ]  # fmt: skip


def accept(session: Session, account_id: int, invitation_id: int) -> int:
    """Accept an invitation; the conversation that begins.

    Raises:
        NotThereError: There is no such invitation open to this account.
    """
    row = _open_to(session, account_id, invitation_id)
    row.state, row.decided_at = "accepted", now()
    number = begin(session, row.sender_id, account_id, row.purpose, row.text)
    notify(
        session, row.sender_id, "invitation.accepted", f"conversation:{number}", actor_id=account_id
    )
    _settled(session, account_id, row.id, "invitation.accept")
    return number


def decline(session: Session, account_id: int, invitation_id: int) -> None:
    """Decline an invitation; the sender is not told.

    Raises:
        NotThereError: There is no such invitation open to this account.
    """
    row = _open_to(session, account_id, invitation_id)
    row.state, row.decided_at = "declined", now()
    _settled(session, account_id, row.id, "invitation.decline")


def withdraw(session: Session, account_id: int, invitation_id: int) -> None:
    """Take back an invitation that one sent, also one that was declined unseen.

    Raises:
        NotThereError: There is no such invitation that looks open to its sender.
    """
    row = session.get(Invitation, invitation_id)
    if row is None or row.sender_id != account_id or _seen_state(row, now()) != "open":
        raise NotThereError("There is no such open invitation of yours.")
    row.state, row.decided_at = "withdrawn", now()
    read_about(session, row.receiver_id, f"invitation:{row.id}")
    audit.record(session, audit.actor_of(account_id), "invitation.withdraw", f"invitation:{row.id}")


def arrived(session: Session, account_id: int, invitation_id: int) -> tuple[int, str]:
    """Sender and text of an invitation that arrived at an account, decided or not: to block or report it.

    Raises:
        NotThereError: No such invitation arrived.
    """
    row = session.get(Invitation, invitation_id)
    if row is None or row.receiver_id != account_id or row.held:
        raise NotThereError("There is no such invitation.")
    return row.sender_id, row.text


def exported(session: Session, account_id: int) -> dict[str, object]:
    """Everything that is kept of an account here, its own as it sees them."""
    answered = session.execute(
        select(Invitation, Account.name)
        .join(Account, Account.id == Invitation.sender_id)
        .where(Invitation.receiver_id == account_id, Invitation.held.is_(False))
        .order_by(Invitation.id)
    )
    return {
        "invitations sent": [
            {
                "to": one.name, "purpose": one.purpose, "text": one.text, "state": one.state,
                "at": one.created_at.isoformat(), "until": one.expires_at.isoformat(),
            }
            for one in reversed(sent(session, account_id))
        ],
        "invitations received": [
            {
                "from": name, "purpose": one.purpose, "text": one.text, "state": one.state,
                "at": utc(one.created_at).isoformat(), "until": utc(one.expires_at).isoformat(),
            }
            for one, name in answered
        ],
    }  # fmt: skip


def _refuse(session: Session, sender: Account, receiver: Account, consents: Consents) -> None:
    if sender.id == receiver.id:
        raise CommunityError("This is your own account.")
    if level_of(session, sender.id) < LEAST_LEVEL:
        raise NotAllowedError(
            f"Invitations need level L{LEAST_LEVEL}: sign in once with an identifier, as ORCID, or let a "
            "verified person vouch for you."
        )
    if blocks(session, sender.id, receiver.id):
        raise NotAllowedError("You block this account; take the block back first.")
    if talking(session, sender.id, receiver.id):
        raise CommunityError("You have a conversation with this account already.")
    if not agreed(session, sender.id, sender.person_id, receiver.id, consents):
        raise NotAllowedError("This person did not say that they are open to invitations.")
    theirs = exists().where(
        Invitation.sender_id == receiver.id, Invitation.receiver_id == sender.id,
        *_arrived(now(), joined=False),
    )  # fmt: skip
    if session.scalar(select(theirs)):
        raise CommunityError("This person invited you: answer that invitation instead.")


def _limit(session: Session, sender: Account, receiver_id: int, moment: datetime) -> None:
    looks_open = and_(
        Invitation.state.in_(("open", "declined")), Invitation.expires_at > moment
    )  # fmt: skip
    row = session.execute(
        select(
            func.count().filter(looks_open).label("open"),
            func.min(Invitation.expires_at).filter(looks_open).label("next"),
            func.count().filter(Invitation.created_at > moment - WEEK).label("week"),
            func.max(Invitation.expires_at)
            .filter(Invitation.receiver_id == receiver_id)
            .label("again"),
        ).where(Invitation.sender_id == sender.id, Invitation.expires_at > moment)
    ).one()
    young = moment - utc(sender.created_at) < YOUNG
    most_open = MOST_OPEN_YOUNG if young else MOST_OPEN
    if row.again is not None:
        # Whatever became of the earlier one: else the answer would tell.
        raise TooOftenError(
            f"You invited this person before; you can do so again after {utc(row.again):%Y-%m-%d}.",
            _seconds(row.again, moment),
        )
    if row.open >= most_open:
        raise TooOftenError(
            f"You have {row.open} invitations open, as many as one may have: withdraw one, or wait until "
            f"one is answered or expires.",
            _seconds(row.next, moment),
        )
    if row.week >= (MOST_A_WEEK_YOUNG if young else MOST_A_WEEK):
        raise TooOftenError(
            f"You sent {row.week} invitations within a week, as many as one may.", 86_400
        )


def _seconds(until: datetime, moment: datetime) -> int:
    return max(1, int((utc(until) - moment).total_seconds()))


def _arrived(moment: datetime, *, joined: bool = True) -> tuple[ColumnElement[bool], ...]:
    """That an invitation is open to its receiver; ``joined`` with the sender's account."""
    conditions: tuple[ColumnElement[bool], ...] = (
        Invitation.state == "open", Invitation.held.is_(False), Invitation.hidden_at.is_(None),
        Invitation.expires_at > moment,
    )  # fmt: skip
    return (*conditions, Account.state == "active") if joined else conditions


def _open_to(session: Session, account_id: int, invitation_id: int) -> Invitation:
    row = session.scalar(
        select(Invitation)
        .join(Account, Account.id == Invitation.sender_id)
        .where(
            Invitation.id == invitation_id, Invitation.receiver_id == account_id, *_arrived(now())
        )
        .with_for_update(of=Invitation)
    )
    if row is None:
        raise NotThereError(
            "There is no such open invitation: it was answered, withdrawn, or has expired."
        )
    return row


def _settled(session: Session, account_id: int, invitation_id: int, action: str) -> None:
    target = f"invitation:{invitation_id}"
    read_about(session, account_id, target)
    audit.record(session, audit.actor_of(account_id), action, target)


def _seen_state(row: Invitation, moment: datetime) -> str:
    """What the sender sees: a declined invitation is open until it expires."""
    if row.state in ("accepted", "withdrawn"):
        return row.state
    return "open" if utc(row.expires_at) > moment else "expired"


def _lock(session: Session, *account_ids: int) -> None:
    """Let the writers of two accounts take turns, where the database lets several write at once."""
    statement = select(Account.id).where(Account.id.in_(account_ids)).order_by(Account.id)
    session.execute(statement.with_for_update()).all()
