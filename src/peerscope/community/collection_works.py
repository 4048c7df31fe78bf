"""What is in a collection: works in an order, with tags and each editor's note; its history; forks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Row, Select, func, select, update
from sqlalchemy.orm import Session

from peerscope.community import audit
from peerscope.community.collections import for_editing, look, make, note_change
from peerscope.community.errors import CommunityError, NotThereError
from peerscope.community.meeting_models import (
    Collection,
    CollectionChange,
    CollectionMember,
    CollectionNote,
    CollectionWork,
)
from peerscope.community.models import Account
from peerscope.community.tags import clean_tags, kept_tags, read_tags
from peerscope.community.texts import clean_text
from peerscope.community.times import now, utc

MOST_WORKS = 1_000
LONGEST_NOTE = 2_000
HISTORY = 100
"""Lines of a history that are shown; the rest is in an export."""

CHANGES = {
    "made": "made the collection",
    "described": "changed its title or description",
    "visibility": "changed who can see it",
    "added": "added",
    "removed": "removed",
    "moved": "moved",
    "noted": "wrote a note on",
    "tagged": "changed the tags of",
    "joined": "joined as a member",
    "left": "left",
    "forked": "made it as a fork of another",
}
"""What a line of the history says was done."""


@dataclass(frozen=True, slots=True)
class Note:
    """What somebody says of a work in a collection."""

    account_id: int
    name: str
    text: str
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class Held:
    """A work in a collection; ``place`` counts from 0."""

    work_id: int
    place: int
    tags: tuple[str, ...]
    notes: tuple[Note, ...]
    added_at: datetime


@dataclass(frozen=True, slots=True)
class Change:
    """A line of a collection's history; ``name`` is empty where the account is gone."""

    id: int
    kind: str
    work_id: int | None
    account_id: int | None
    name: str
    at: datetime

    @property
    def words(self) -> str:
        """What was done."""
        return CHANGES[self.kind]


def works_of(session: Session, collection_id: int) -> list[Held]:
    """The works of a collection in their order, with notes. Two statements."""
    rows = session.scalars(
        select(CollectionWork)
        .where(CollectionWork.collection_id == collection_id)
        .order_by(CollectionWork.place)
    ).all()
    notes: defaultdict[int, list[Note]] = defaultdict(list)
    said = session.execute(
        select(CollectionNote, Account.name)
        .join(Account, Account.id == CollectionNote.account_id)
        .where(CollectionNote.collection_id == collection_id)
        .order_by(CollectionNote.changed_at, CollectionNote.account_id)
    )
    for note, name in said:
        notes[note.work_id].append(Note(note.account_id, name, note.text, utc(note.changed_at)))
    return [
        Held(
            row.work_id,
            row.place,
            read_tags(row.tags),
            tuple(notes[row.work_id]),
            utc(row.added_at),
        )
        for row in rows
    ]


def works_in(session: Session, collection_ids: Sequence[int]) -> dict[int, set[int]]:
    """Which works are in some collections. One statement."""
    rows = session.execute(
        select(CollectionWork.collection_id, CollectionWork.work_id).where(
            CollectionWork.collection_id.in_(collection_ids)
        )
    )
    found: defaultdict[int, set[int]] = defaultdict(set)
    for number, work in rows:
        found[number].add(work)
    return dict(found)


def add(session: Session, account_id: int, collection_id: int, work_id: int) -> None:
    """Put a work at the end of a collection; one that is in it stays where it is.

    Args:
        session: Of the community's database, writing.
        account_id: An editor or the owner.
        collection_id: Which collection.
        work_id: That it is in the record is asked before.

    Raises:
        CommunityError: The account may not, or the collection is full.
    """
    for_editing(session, collection_id, account_id)
    if session.get(CollectionWork, (collection_id, work_id)) is not None:
        return
    held = session.scalar(select(func.count()).where(CollectionWork.collection_id == collection_id))
    if (held or 0) >= MOST_WORKS:
        raise CommunityError(f"A collection holds {MOST_WORKS:,} works; begin another one.")
    session.add(
        CollectionWork(
            collection_id=collection_id, work_id=work_id, place=held or 0, tags="",
            added_by=account_id, added_at=now(),
        )
    )  # fmt: skip
    note_change(session, collection_id, account_id, "added", work_id)


def remove(session: Session, account_id: int, collection_id: int, work_id: int) -> None:
    """Take a work out of a collection, with its tags and notes.

    Raises:
        CommunityError: The account may not, or the work is not in it.
    """
    for_editing(session, collection_id, account_id)
    row = _held(session, collection_id, work_id)
    session.execute(
        update(CollectionWork)
        .where(CollectionWork.collection_id == collection_id, CollectionWork.place > row.place)
        .values(place=CollectionWork.place - 1)
    )
    session.delete(row)
    note_change(session, collection_id, account_id, "removed", work_id)


def move(session: Session, account_id: int, collection_id: int, work_id: int, place: int) -> None:
    """Put a work at another place of the order; a place beyond an end is that end.

    Args:
        session: Of the community's database, writing.
        account_id: An editor or the owner.
        collection_id: Which collection.
        work_id: Which of its works.
        place: From 0.

    Raises:
        CommunityError: The account may not, or the work is not in it.
    """
    for_editing(session, collection_id, account_id)
    row = _held(session, collection_id, work_id)
    held = session.scalar(select(func.count()).where(CollectionWork.collection_id == collection_id))
    here, there = row.place, max(0, min(place, (held or 1) - 1))
    if here == there:
        return
    between = update(CollectionWork).where(CollectionWork.collection_id == collection_id)
    if there > here:
        between = between.where(CollectionWork.place > here, CollectionWork.place <= there)
        session.execute(between.values(place=CollectionWork.place - 1))
    else:
        between = between.where(CollectionWork.place >= there, CollectionWork.place < here)
        session.execute(between.values(place=CollectionWork.place + 1))
    row.place = there
    note_change(session, collection_id, account_id, "moved", work_id)


def say(
    session: Session, account_id: int, collection_id: int, work_id: int, note: str, tags: str
) -> None:
    """Set an account's own note on a work of a collection (empty takes it away), and the work's tags.

    Raises:
        CommunityError: The account may not, the work is not in it, or a part cannot be taken.
    """
    for_editing(session, collection_id, account_id)
    row = _held(session, collection_id, work_id)
    text = clean_text(note, LONGEST_NOTE, "a note", least=0)
    kept = kept_tags(clean_tags(tags))
    if kept != row.tags:
        row.tags = kept
        note_change(session, collection_id, account_id, "tagged", work_id)
    there = session.get(CollectionNote, (collection_id, work_id, account_id))
    if text == (there.text if there else ""):
        return
    if there is None:
        session.add(
            CollectionNote(
                collection_id=collection_id, work_id=work_id, account_id=account_id, text=text,
                changed_at=now(),
            )
        )  # fmt: skip
    elif text:
        there.text, there.changed_at = text, now()
    else:
        session.delete(there)
    note_change(session, collection_id, account_id, "noted", work_id)


def fork(session: Session, account_id: int, collection_id: int, title: str, key: str = "") -> int:
    """Make a private collection with the works of another in their order; its number.

    Notes and tags stay with those who wrote them: what they erase must not live on in copies.

    Raises:
        CommunityError: The collection is not open to the account, or the title cannot be taken.
    """
    look(session, collection_id, account_id, key)
    number = make(session, account_id, title)
    session.execute(
        update(Collection).where(Collection.id == number).values(forked_from_id=collection_id)
    )
    works = session.scalars(
        select(CollectionWork.work_id)
        .where(CollectionWork.collection_id == collection_id)
        .order_by(CollectionWork.place)
    )
    moment = now()
    session.add_all(
        CollectionWork(
            collection_id=number, work_id=work, place=place, tags="", added_by=account_id,
            added_at=moment,
        )
        for place, work in enumerate(works)
    )  # fmt: skip
    note_change(session, number, account_id, "forked")
    target = f"collection:{collection_id}"
    audit.record(session, audit.actor_of(account_id), "collection.fork", target, fork=number)
    return number


def changes(
    session: Session, collection_id: int, after: int = 0, limit: int = HISTORY
) -> list[Change]:
    """The history of a collection, the latest first. One statement.

    Args:
        session: Of the community's database.
        collection_id: Whether it is open to whoever asks is asked before.
        after: Number of a line; only what came after it.
        limit: How many lines at most.
    """
    history = _history().where(
        CollectionChange.collection_id == collection_id, CollectionChange.id > after
    )
    return [_as_change(row) for row in session.execute(history.limit(limit))]


def changes_since(
    session: Session, after: Mapping[int, datetime], limit: int = HISTORY
) -> dict[int, list[Change]]:
    """The histories of several collections, each after a moment of its own. One statement."""
    if not after:
        return {}
    history = _history().where(
        CollectionChange.collection_id.in_(list(after)), CollectionChange.at > min(after.values())
    )
    found: defaultdict[int, list[Change]] = defaultdict(list)
    for row in session.execute(history.limit(limit * len(after))):
        number = row.CollectionChange.collection_id
        if utc(row.CollectionChange.at) > after[number] and len(found[number]) < limit:
            found[number].append(_as_change(row))
    return dict(found)


def _history() -> Select[CollectionChange, str]:
    return (
        select(CollectionChange, Account.name)
        .outerjoin(Account, Account.id == CollectionChange.account_id)
        .order_by(CollectionChange.id.desc())
    )


def _as_change(row: Row[CollectionChange, str]) -> Change:
    line = row.CollectionChange
    return Change(line.id, line.kind, line.work_id, line.account_id, row.name or "", utc(line.at))


def collections_with(
    session: Session, work_id: int, account_id: int
) -> list[tuple[int, str, bool]]:
    """Collections that an account may change: number, title, and whether a work is in it. One statement."""
    is_in = (
        select(CollectionWork.work_id)
        .where(CollectionWork.collection_id == Collection.id, CollectionWork.work_id == work_id)
        .exists()
    )
    editing = select(CollectionMember.collection_id).where(
        CollectionMember.account_id == account_id,
        CollectionMember.state == "accepted",
        CollectionMember.role == "editor",
    )
    rows = session.execute(
        select(Collection.id, Collection.title, is_in)
        .where((Collection.owner_id == account_id) | Collection.id.in_(editing))
        .order_by(Collection.changed_at.desc(), Collection.id.desc())
    )
    return [(number, title, bool(there)) for number, title, there in rows]


def exported(session: Session, account_id: int) -> dict[str, object]:
    """Everything that is kept of an account's collections, and of its part in those of others."""
    owned = session.scalars(
        select(Collection).where(Collection.owner_id == account_id).order_by(Collection.id)
    ).all()
    part = session.scalars(
        select(CollectionMember)
        .where(CollectionMember.account_id == account_id)
        .order_by(CollectionMember.collection_id)
    ).all()
    elsewhere = session.scalars(
        select(CollectionNote)
        .join(Collection, Collection.id == CollectionNote.collection_id)
        .where(CollectionNote.account_id == account_id, Collection.owner_id != account_id)
        .order_by(CollectionNote.collection_id, CollectionNote.work_id)
    ).all()
    done = session.scalars(
        select(CollectionChange)
        .where(CollectionChange.account_id == account_id)
        .order_by(CollectionChange.id)
    ).all()
    return {
        "collections": [
            {
                "collection": f"C{row.id}",
                "title": row.title,
                "description": row.description,
                "visibility": row.visibility,
                "created_at": utc(row.created_at).isoformat(),
                "works": [_stated(held, account_id) for held in works_of(session, row.id)],
            }
            for row in owned
        ],
        # Whether an invitation was declined is theirs to know: they did it.
        "collection_memberships": [
            {
                "collection": f"C{row.collection_id}",
                "role": row.role,
                "state": "declined" if row.state == "gone" else row.state,
            }
            for row in part
        ],
        "collection_notes": [
            {"collection": f"C{row.collection_id}", "work": f"W{row.work_id}", "note": row.text}
            for row in elsewhere
        ],
        "collection_changes": [
            {
                "collection": f"C{row.collection_id}",
                "kind": row.kind,
                "work": f"W{row.work_id}" if row.work_id is not None else None,
                "at": utc(row.at).isoformat(),
            }
            for row in done
        ],
    }


def _stated(held: Held, account_id: int) -> dict[str, object]:
    """A work of a collection for its owner's export; notes of others are theirs."""
    return {
        "work": f"W{held.work_id}",
        "tags": list(held.tags),
        "note": next((one.text for one in held.notes if one.account_id == account_id), ""),
        "added_at": held.added_at.isoformat(),
    }


def _held(session: Session, collection_id: int, work_id: int) -> CollectionWork:
    row = session.get(CollectionWork, (collection_id, work_id))
    if row is None:
        raise NotThereError("This work is not in the collection.")
    return row
