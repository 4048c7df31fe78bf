"""Collections: lists of works with a title, alone or with others, and who may do what with them.

A public collection is listed and open to everyone; an unlisted one to whoever has its address, which nobody
can guess; a private one to its members. The owner manages it, editors change its works, viewers read.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, and_, delete, func, or_, select, update
from sqlalchemy.orm import Session

from peerscope.community import audit
from peerscope.community.errors import CommunityError, NotAllowedError, NotThereError
from peerscope.community.meeting_models import (
    Collection,
    CollectionChange,
    CollectionMember,
    CollectionWork,
)
from peerscope.community.models import Account
from peerscope.community.texts import clean_line, clean_text
from peerscope.community.times import now, utc
from peerscope.community.tokens import same
from peerscope.record.read.shapes import PER_PAGE, PageOf

VISIBILITIES = {
    "private": "Private: you and those you invite",
    "unlisted": "Unlisted: whoever has its address",
    "public": "Public: everyone, and in the list",
}
LONGEST_TITLE, LONGEST_DESCRIPTION = 150, 4_000
MOST_COLLECTIONS = 500
"""That one account owns."""

KEY_BYTES = 16
NONE = "There is no such collection, or it is not open to you."


@dataclass(frozen=True, slots=True)
class Seen:
    """A collection as one asker may see it; ``role`` is theirs: owner, editor, viewer, or empty."""

    id: int
    title: str
    description: str
    visibility: str
    key: str
    owner_id: int
    owner: str
    role: str
    works: int
    forked_from_id: int | None
    created_at: datetime
    changed_at: datetime

    @property
    def can_edit(self) -> bool:
        """Whether the asker may change its works."""
        return self.role in ("owner", "editor")

    @property
    def can_manage(self) -> bool:
        """Whether the asker may change what it is and who sees it."""
        return self.role == "owner"

    @property
    def address(self) -> str:
        """Where it is, with the key of an unlisted one."""
        tail = f"?key={self.key}" if self.visibility == "unlisted" else ""
        return f"/collections/C{self.id}{tail}"


def make(
    session: Session,
    account_id: int,
    title: str,
    description: str = "",
    visibility: str = "private",
) -> int:
    """Make a collection; its number.

    Raises:
        CommunityError: The title is empty or too long, the visibility none, or the account has too many.
    """
    held = select(func.count()).select_from(Collection).where(Collection.owner_id == account_id)
    if (session.scalar(held) or 0) >= MOST_COLLECTIONS:
        raise CommunityError(f"You have {MOST_COLLECTIONS} collections already; remove one first.")
    moment = now()
    row = Collection(
        owner_id=account_id, title=clean_line(title, LONGEST_TITLE, "a title"),
        description=clean_text(description, LONGEST_DESCRIPTION, "a description", least=0),
        visibility=checked_visibility(visibility), key=secrets.token_urlsafe(KEY_BYTES),
        created_at=moment, changed_at=moment,
    )  # fmt: skip
    session.add(row)
    session.flush()
    note_change(session, row.id, account_id, "made")
    audit.record(session, audit.actor_of(account_id), "collection.make", f"collection:{row.id}")
    return row.id


def checked_visibility(given: str) -> str:
    """A visibility that there is.

    Raises:
        CommunityError: There is none of this name.
    """
    if given not in VISIBILITIES:
        raise CommunityError("A collection is private, unlisted or public.")
    return given


def look(
    session: Session, collection_id: int, account_id: int | None = None, key: str = ""
) -> Seen:
    """A collection, where it is open to whoever asks. One statement.

    Raises:
        NotThereError: There is none, or it is not; the two cannot be told apart.
    """
    row = session.execute(_seen(account_id).where(Collection.id == collection_id)).first()
    if row is None:
        raise NotThereError(NONE)
    found = _as_seen(row, account_id)
    is_open = found.visibility == "public" or (
        found.visibility == "unlisted" and same(key, found.key)
    )
    if not found.role and not (is_open and row.owner_state == "active"):
        raise NotThereError(NONE)
    return found


def for_editing(session: Session, collection_id: int, account_id: int) -> Seen:
    """As `look`, for somebody who changes its works.

    Raises:
        NotThereError: There is none that the account may see.
        NotAllowedError: The account may see it only.
    """
    return _with_right(
        session, collection_id, account_id, "can_edit", "Only its editors can do this."
    )


def for_managing(session: Session, collection_id: int, account_id: int) -> Seen:
    """As `look`, for somebody who changes what it is.

    Raises:
        NotThereError: There is none that the account may see.
        NotAllowedError: It is not the account's own.
    """
    return _with_right(
        session, collection_id, account_id, "can_manage", "Only its owner can do this."
    )


def describe(
    session: Session,
    account_id: int,
    collection_id: int,
    title: str,
    description: str,
    visibility: str,
) -> None:
    """Give a collection another title, description or visibility.

    Raises:
        CommunityError: The account may not, or a part cannot be taken.
    """
    seen = for_managing(session, collection_id, account_id)
    title = clean_line(title, LONGEST_TITLE, "a title")
    description = clean_text(description, LONGEST_DESCRIPTION, "a description", least=0)
    visibility = checked_visibility(visibility)
    if (title, description) != (seen.title, seen.description):
        note_change(session, collection_id, account_id, "described")
    if visibility != seen.visibility:
        note_change(session, collection_id, account_id, "visibility")
        audit.record(
            session, audit.actor_of(account_id), "collection.visibility",
            f"collection:{collection_id}", was=seen.visibility, now=visibility,
        )  # fmt: skip
    session.execute(
        update(Collection)
        .where(Collection.id == collection_id)
        .values(title=title, description=description, visibility=visibility)
    )


def erase(
    session: Session, account_id: int, collection_id: int, *, moderates: bool = False
) -> None:
    """Remove a collection with everything in it; its owner can, and a moderator.

    Raises:
        CommunityError: There is none that the account may see, or it may not.
    """
    if moderates:
        if session.get(Collection, collection_id) is None:
            raise NotThereError(NONE)
    else:
        for_managing(session, collection_id, account_id)
    session.execute(delete(Collection).where(Collection.id == collection_id))
    audit.record(
        session, audit.actor_of(account_id), "collection.erase", f"collection:{collection_id}",
        moderates=moderates,
    )  # fmt: skip


def public(session: Session, page: int = 1) -> PageOf[Seen]:
    """Public collections that hold something, the latest changed first. Two statements."""
    open_to_all = and_(
        Collection.visibility == "public",
        Account.state == "active",
        select(CollectionWork.work_id)
        .where(CollectionWork.collection_id == Collection.id)
        .exists(),
    )
    total = session.scalar(
        select(func.count())
        .select_from(Collection)
        .join(Account, Account.id == Collection.owner_id)
        .where(open_to_all)
    )
    rows = session.execute(
        _seen(None)
        .where(open_to_all)
        .order_by(Collection.changed_at.desc(), Collection.id.desc())
        .offset((page - 1) * PER_PAGE)
        .limit(PER_PAGE)
    )
    return PageOf(tuple(_as_seen(row, None) for row in rows), total or 0, page)


def mine(session: Session, account_id: int) -> list[Seen]:
    """Collections that an account owns or takes part in, the latest changed first. One statement."""
    rows = session.execute(
        _seen(account_id)
        .where(or_(Collection.owner_id == account_id, CollectionMember.role.is_not(None)))
        .order_by(Collection.changed_at.desc(), Collection.id.desc())
    )
    return [_as_seen(row, account_id) for row in rows]


def readable(session: Session, collection_ids: set[int], account_id: int) -> dict[int, Seen]:
    """Which of some followed collections an account may still see.

    An unlisted one counts: its address was known when it was followed.
    """
    rows = session.execute(
        _seen(account_id).where(
            Collection.id.in_(collection_ids),
            or_(
                Collection.owner_id == account_id,
                CollectionMember.role.is_not(None),
                and_(Collection.visibility != "private", Account.state == "active"),
            ),
        )
    )
    return {row.id: _as_seen(row, account_id) for row in rows}


def note_change(
    session: Session, collection_id: int, account_id: int, kind: str, work_id: int | None = None
) -> None:
    """Append a line to a collection's history."""
    moment = now()
    session.add(
        CollectionChange(
            collection_id=collection_id,
            account_id=account_id,
            kind=kind,
            work_id=work_id,
            at=moment,
        )
    )
    session.execute(
        update(Collection).where(Collection.id == collection_id).values(changed_at=moment)
    )
    session.flush()


def _with_right(
    session: Session, collection_id: int, account_id: int, right: str, refusal: str
) -> Seen:
    # The key of an unlisted collection lets one read it, never change it: it is not asked for here.
    seen = look(session, collection_id, account_id)
    if not getattr(seen, right):
        raise NotAllowedError(refusal)
    return seen


def _seen(account_id: int | None) -> Select[Any]:
    works = (
        select(func.count())
        .where(CollectionWork.collection_id == Collection.id)
        .correlate(Collection)
        .scalar_subquery()
    )
    return (
        select(
            Collection.id, Collection.title, Collection.description, Collection.visibility,
            Collection.key, Collection.owner_id, Account.name.label("owner"),
            CollectionMember.role, works.label("works"), Collection.forked_from_id,
            Collection.created_at, Collection.changed_at, Account.state.label("owner_state"),
        )
        .join(Account, Account.id == Collection.owner_id)
        .outerjoin(
            CollectionMember,
            and_(
                CollectionMember.collection_id == Collection.id,
                CollectionMember.account_id == (account_id or 0),
                CollectionMember.state == "accepted",
            ),
        )
    )  # fmt: skip


def _as_seen(row: Row[Any], account_id: int | None) -> Seen:
    role = "owner" if row.owner_id == account_id else row.role or ""
    return Seen(
        row.id, row.title, row.description, row.visibility, row.key, row.owner_id, row.owner, role,
        row.works, row.forked_from_id, utc(row.created_at), utc(row.changed_at),
    )  # fmt: skip
