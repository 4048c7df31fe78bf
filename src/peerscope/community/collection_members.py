"""Who takes part in a collection: invited by the owner, and only once they accepted."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from peerscope.community import audit
from peerscope.community.blocks import blocks
from peerscope.community.collections import for_managing, note_change
from peerscope.community.errors import CommunityError, NotThereError
from peerscope.community.meeting_models import Collection, CollectionMember
from peerscope.community.models import Account
from peerscope.community.notices import notify
from peerscope.community.times import now, utc

ROLES = {"editor": "may change its works", "viewer": "may read it"}
MOST_MEMBERS = 50
_GUEST = re.compile(r"([UA])([1-9]\d{0,14})", re.ASCII)
WAITING = "There is no such invitation."


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody who takes part, or was asked to; ``name`` is empty until they accepted."""

    account_id: int
    name: str
    role: str
    accepted: bool


@dataclass(frozen=True, slots=True)
class Invitation:
    """An invitation to a collection that waits for an answer."""

    collection_id: int
    title: str
    role: str
    by: str
    invited_at: datetime


def invite(session: Session, account_id: int, collection_id: int, guest_id: int, role: str) -> None:
    """Ask an account to take part in a collection; it is told, and nothing is open to it before it accepts.

    Somebody who declined is not asked again, and whoever asks is not told that they declined.

    Args:
        session: Of the community's database, writing.
        account_id: The owner.
        collection_id: Which collection.
        guest_id: Who is asked.
        role: One of `ROLES`; for a member it is their role from now on.

    Raises:
        CommunityError: The account may not, the guest is itself, or too many take part.
        NotThereError: There is no such account.
    """
    for_managing(session, collection_id, account_id)
    if role not in ROLES:
        raise CommunityError("Somebody can be invited as an editor or as a viewer.")
    if guest_id == account_id:
        raise CommunityError("This collection is yours already.")
    guest = session.get(Account, guest_id)
    if guest is None or guest.state != "active":
        raise NotThereError(f"There is no account U{guest_id}.")
    there = session.get(CollectionMember, (collection_id, guest_id))
    if there is not None:
        # Who declined stays undisturbed; the owner sees a waiting invitation, as before.
        there.role = role
        there.state = "declined" if there.state == "gone" else there.state
        return
    held = session.scalar(
        select(func.count()).where(CollectionMember.collection_id == collection_id)
    )
    if (held or 0) >= MOST_MEMBERS:
        raise CommunityError(f"At most {MOST_MEMBERS} others take part in a collection.")
    # To somebody who blocks the owner it is as if they had declined, and the owner sees no difference.
    is_shut = blocks(session, guest_id, account_id)
    session.add(
        CollectionMember(
            collection_id=collection_id, account_id=guest_id, role=role,
            state="declined" if is_shut else "invited", invited_by=account_id, invited_at=now(),
        )
    )  # fmt: skip
    session.flush()
    target = f"collection:{collection_id}"
    if not is_shut:
        notify(session, guest_id, "collection.invited", target, actor_id=account_id)
    audit.record(
        session, audit.actor_of(account_id), "collection.invite", target,
        guest=guest_id, role=role,
    )  # fmt: skip


def guest_of(session: Session, given: str) -> int:
    """The account that an owner names, as ``U12``, or as the person ``A12`` that it claimed.

    Raises:
        CommunityError: It is neither.
        NotThereError: No account has claimed that person.
    """
    match = _GUEST.fullmatch(given.strip().upper())
    if match is None:
        raise CommunityError(
            "Name an account by its number, as U12, or by a claimed person, as A12."
        )
    letter, number = match[1], int(match[2])
    if letter == "U":
        return number
    found = session.scalar(select(Account.id).where(Account.person_id == number))
    if found is None:
        raise NotThereError(f"No account has claimed A{number}, so nobody can be invited by it.")
    return found


def answer(session: Session, account_id: int, collection_id: int, *, accept: bool) -> None:
    """Accept an invitation, or decline it without anybody being told.

    Raises:
        NotThereError: The account has no invitation to this collection that waits.
    """
    row = session.get(CollectionMember, (collection_id, account_id))
    if row is None or row.state != "invited":
        raise NotThereError(WAITING)
    row.state = "accepted" if accept else "declined"
    session.flush()
    if accept:
        note_change(session, collection_id, account_id, "joined")
        if row.invited_by is not None:
            target = f"collection:{collection_id}"
            notify(session, row.invited_by, "collection.joined", target, actor_id=account_id)


def leave(session: Session, account_id: int, collection_id: int) -> None:
    """Take part no longer.

    Raises:
        NotThereError: The account takes no part in it.
    """
    row = session.get(CollectionMember, (collection_id, account_id))
    if row is None or row.state != "accepted":
        raise NotThereError("You do not take part in this collection.")
    session.delete(row)
    note_change(session, collection_id, account_id, "left")


def dismiss(session: Session, account_id: int, collection_id: int, guest_id: int) -> None:
    """Let somebody take part no longer, or take an invitation back.

    Raises:
        CommunityError: The account may not.
        NotThereError: They take no part.
    """
    for_managing(session, collection_id, account_id)
    row = session.get(CollectionMember, (collection_id, guest_id))
    if row is None or row.state == "gone":
        raise NotThereError("They take no part in this collection.")
    if row.state == "declined":
        # It stays out of sight, so that asking again disturbs nobody; the owner sees nothing of that.
        row.state = "gone"
        return
    session.execute(
        delete(CollectionMember).where(
            CollectionMember.collection_id == collection_id, CollectionMember.account_id == guest_id
        )
    )
    audit.record(
        session, audit.actor_of(account_id), "collection.dismiss", f"collection:{collection_id}",
        guest=guest_id,
    )  # fmt: skip


def members_of(session: Session, collection_id: int) -> list[Member]:
    """Who takes part or was asked to; who declined looks like who has not answered. One statement."""
    rows = session.execute(
        select(
            CollectionMember.account_id, Account.name, CollectionMember.role, CollectionMember.state
        )
        .join(Account, Account.id == CollectionMember.account_id)
        .where(CollectionMember.collection_id == collection_id, CollectionMember.state != "gone")
        .order_by(CollectionMember.invited_at, CollectionMember.account_id)
    )
    return [
        Member(number, name if state == "accepted" else "", role, state == "accepted")
        for number, name, role, state in rows
    ]


def invitations(session: Session, account_id: int) -> list[Invitation]:
    """Invitations that wait for an account's answer, the latest first. One statement."""
    rows = session.execute(
        select(
            CollectionMember.collection_id, Collection.title, CollectionMember.role, Account.name,
            CollectionMember.invited_at,
        )
        .join(Collection, Collection.id == CollectionMember.collection_id)
        .join(Account, Account.id == Collection.owner_id)
        .where(CollectionMember.account_id == account_id, CollectionMember.state == "invited")
        .order_by(CollectionMember.invited_at.desc())
    )  # fmt: skip
    return [Invitation(*row[:4], utc(row[4])) for row in rows]
