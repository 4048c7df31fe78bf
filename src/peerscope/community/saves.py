"""Libraries: works that an account saved, with a state, a note and tags. Nobody else sees them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from peerscope.community.errors import CommunityError, NotThereError
from peerscope.community.meeting_models import SavedWork
from peerscope.community.tags import clean_tags, kept_tags, read_tags
from peerscope.community.texts import clean_text
from peerscope.community.times import now, utc
from peerscope.discover import Discovery
from peerscope.record.models import Work

STATES = {"to_read": "To read", "reading": "Reading", "read": "Read"}
SORTS = {
    "saved": "Saved last", "changed": "Changed last", "title": "Title", "newest": "Newest",
    "oldest": "Oldest",
}  # fmt: skip
"""Orders of a library; a search in it has its own, by how well the works answer."""

MOST_SAVED = 10_000
LONGEST_NOTE = 5_000
AT_ONCE = 1_000
FULL = f"A library holds {MOST_SAVED:,} works; remove some first."


@dataclass(frozen=True, slots=True)
class Saved:
    """A work in a library."""

    work_id: int
    state: str
    note: str
    tags: tuple[str, ...]
    saved_at: datetime
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class Shelf:
    """A library as it was asked for.

    Attributes:
        entries: In order.
        reasons: Work to why a search found it.
        states: State to how many there are, of all.
        tags: Tag to how many there are, of all, the most frequent first.
        total: How many works the library holds.
        gone: Saved works that the record does not show any more.
    """

    entries: tuple[Saved, ...]
    reasons: dict[int, tuple[str, ...]]
    states: dict[str, int]
    tags: dict[str, int]
    total: int
    gone: tuple[int, ...]


def checked_state(given: str) -> str:
    """A state that there is.

    Raises:
        CommunityError: There is none of this name.
    """
    if given not in STATES:
        raise CommunityError("A saved work is to read, being read, or read.")
    return given


def save(session: Session, account_id: int, work_id: int, state: str = "to_read") -> None:
    """Put a work into an account's library; one that is there stays as it is.

    Args:
        session: Of the community's database, writing.
        account_id: Whose library.
        work_id: That it is in the record is asked before.
        state: One of `STATES`.

    Raises:
        CommunityError: There is no such state, or the library is full.
    """
    checked_state(state)
    if _find(session, account_id, work_id) is not None:
        return
    held = select(func.count()).select_from(SavedWork).where(SavedWork.account_id == account_id)
    if (session.scalar(held) or 0) >= MOST_SAVED:
        raise CommunityError(FULL)
    moment = now()
    session.add(
        SavedWork(
            account_id=account_id, work_id=work_id, state=state, note="", tags="",
            saved_at=moment, changed_at=moment,
        )
    )  # fmt: skip
    session.flush()


def change(
    session: Session,
    account_id: int,
    work_id: int,
    *,
    state: str | None = None,
    note: str | None = None,
    tags: str | None = None,
) -> None:
    """Change what an account keeps of a saved work; ``None`` leaves a part as it is.

    Raises:
        NotThereError: The work is not in this account's library.
        CommunityError: A part cannot be taken.
    """
    row = _find(session, account_id, work_id)
    if row is None:
        raise NotThereError("This work is not in your library.")
    if state is not None:
        row.state = checked_state(state)
    if note is not None:
        row.note = clean_text(note, LONGEST_NOTE, "a note", least=0)
    if tags is not None:
        row.tags = kept_tags(clean_tags(tags))
    row.changed_at = now()


def remove(session: Session, account_id: int, work_id: int) -> bool:
    """Take a work out of an account's library, with its note and tags; whether it was there."""
    done = session.execute(
        delete(SavedWork).where(SavedWork.account_id == account_id, SavedWork.work_id == work_id)
    )
    return bool(done.rowcount)  # type: ignore[attr-defined]


def saved_among(session: Session, account_id: int, work_ids: Collection[int]) -> dict[int, str]:
    """Which of some works an account saved, with their states. One statement."""
    if not work_ids:
        return {}
    rows = session.execute(
        select(SavedWork.work_id, SavedWork.state).where(
            SavedWork.account_id == account_id, SavedWork.work_id.in_(work_ids)
        )
    )
    return {row.work_id: row.state for row in rows}


def saved_works(session: Session, account_id: int) -> list[tuple[int, datetime]]:
    """Works of a library with when they were saved, the latest first. One statement."""
    rows = session.execute(
        select(SavedWork.work_id, SavedWork.saved_at)
        .where(SavedWork.account_id == account_id)
        .order_by(SavedWork.saved_at.desc(), SavedWork.id.desc())
    )
    return [(row.work_id, utc(row.saved_at)) for row in rows]


def library(session: Session, account_id: int) -> list[Saved]:
    """Everything in an account's library, the latest saved first. One statement."""
    rows = session.scalars(
        select(SavedWork)
        .where(SavedWork.account_id == account_id)
        .order_by(SavedWork.saved_at.desc(), SavedWork.id.desc())
    )
    return [
        Saved(
            row.work_id, row.state, row.note, read_tags(row.tags), utc(row.saved_at),
            utc(row.changed_at),
        )
        for row in rows
    ]  # fmt: skip


def shelf(
    record: Session,
    discovery: Discovery,
    entries: Sequence[Saved],
    *,
    state: str = "",
    tag: str = "",
    query: str = "",
    sort: str = "saved",
) -> Shelf:
    """A library filtered, searched and in order.

    A query finds works by their own words and meaning, as the site's search does within these works, and by
    the words of the reader's note and tags.

    Args:
        record: Session of the record.
        discovery: The site's search.
        entries: From `library`.
        state: One of `STATES`; anything else is no filter.
        tag: A tag; empty is no filter.
        query: Any words.
        sort: One of `SORTS`; anything else is the first of them.
    """
    facts = _facts(record, [one.work_id for one in entries])
    shown = [
        one
        for one in entries
        if one.work_id in facts
        and (state not in STATES or one.state == state)
        and (not tag or tag in one.tags)
    ]
    reasons: dict[int, tuple[str, ...]] = {}
    if query.strip():
        reasons = _answering(discovery, query, shown, facts)
        place = {number: at for at, number in enumerate(reasons)}
        shown = sorted(
            (one for one in shown if one.work_id in place), key=lambda one: place[one.work_id]
        )
    else:
        shown = _sorted(shown, facts, sort)
    tags = Counter(tag for one in entries for tag in one.tags)
    return Shelf(
        tuple(shown), reasons, dict(Counter(one.state for one in entries)),
        dict(sorted(tags.items(), key=lambda pair: (-pair[1], pair[0]))), len(entries),
        tuple(one.work_id for one in entries if one.work_id not in facts),
    )  # fmt: skip


def exported(session: Session, account_id: int) -> dict[str, object]:
    """Everything that is kept of an account's library."""
    return {
        "saved_works": [
            {
                "work": f"W{one.work_id}",
                "state": one.state,
                "note": one.note,
                "tags": list(one.tags),
                "saved_at": one.saved_at.isoformat(),
                "changed_at": one.changed_at.isoformat(),
            }
            for one in library(session, account_id)
        ]
    }


def _find(session: Session, account_id: int, work_id: int) -> SavedWork | None:
    return session.scalar(
        select(SavedWork).where(SavedWork.account_id == account_id, SavedWork.work_id == work_id)
    )


Facts = dict[int, tuple[str, int | None]]


def _facts(record: Session, numbers: Sequence[int]) -> Facts:
    """Title and year of those works that are in sight; a statement for each `AT_ONCE`."""
    found: Facts = {}
    for start in range(0, len(numbers), AT_ONCE):
        part = numbers[start : start + AT_ONCE]
        rows = record.execute(
            select(Work.id, Work.title, Work.publication_year).where(
                Work.id.in_(part), Work.deleted_at.is_(None)
            )
        )
        found |= {row.id: (row.title, row.publication_year) for row in rows}
    return found


def _answering(
    discovery: Discovery, query: str, entries: Sequence[Saved], facts: Facts
) -> dict[int, tuple[str, ...]]:
    """Works that answer a query to the reasons, best first; those by the reader's own words lead."""
    words = query.casefold().split()

    def holds(texts: Iterable[str]) -> bool:
        joined = " ".join(texts).casefold()
        return all(word in joined for word in words)

    own = [one.work_id for one in entries if holds([one.note, *one.tags])]
    found: dict[int, list[str]] = {number: ["in your note or tags"] for number in own}
    hits = discovery.among(query, [one.work_id for one in entries])
    for hit in hits:
        found.setdefault(hit.work_id, []).extend(reason.text for reason in hit.reasons)
    for one in entries:
        # Without a published search the titles are all there is.
        if not hits and holds([facts[one.work_id][0]]):
            found.setdefault(one.work_id, []).append("words of its title")
    return {number: tuple(reasons) for number, reasons in found.items()}


def _sorted(entries: list[Saved], facts: Facts, sort: str) -> list[Saved]:
    if sort == "title":
        return sorted(entries, key=lambda one: (facts[one.work_id][0].casefold(), one.work_id))
    if sort == "changed":
        return sorted(entries, key=lambda one: (one.changed_at, one.work_id), reverse=True)
    if sort in ("newest", "oldest"):
        way = -1 if sort == "newest" else 1

        def year(one: Saved) -> tuple[bool, int, int]:
            stated = facts[one.work_id][1]
            return stated is None, way * (stated or 0), one.work_id

        return sorted(entries, key=year)
    return entries
