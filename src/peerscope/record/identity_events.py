"""What people decide about who is who, carried out and taken back; with preview and history.

An event marks authorships with labels: one label is one person, two labels are two. The resolution of
identity takes the marks as identifiers that outrank all others, the newest first, so that what follows from
an event follows by the same rules as everything else: later works join by evidence, and an event that is
undone leaves what would be there without it, also after other events. Preview and decision are the same
transaction, rolled back or committed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from peerscope.record.bulk import Ids, chunks
from peerscope.record.counts import refresh_people
from peerscope.record.database import Database
from peerscope.record.identity import WATERMARK, resolve_blocks
from peerscope.record.identity_proposals import assign, detach, merge, split
from peerscope.record.identity_shapes import (
    Consequences,
    IdentityError,
    Moved,
    PastEvent,
    Proposal,
    Standing,
)
from peerscope.record.identity_undo import carry_over, last_marks, lead_back, owners_of, tie
from peerscope.record.models import Authorship, IdentityEvent, IdentityMark, Person, Work
from peerscope.record.people import Written

LONGEST_REASON = 1_000
CHANGED = "The record has changed since this was proposed: look at it again."

__all__ = [
    "Consequences", "IdentityError", "Moved", "PastEvent", "Proposal", "Standing", "assign", "decide",
    "detach", "history", "merge", "preview", "preview_undo", "split", "undo",
]  # fmt: skip


def preview(database: Database, proposal: Proposal) -> Consequences:
    """What a decision would change; nothing is changed.

    Raises:
        IdentityError: The proposal does not fit the record any more.
    """
    return _carried_out(database, proposal, "", "", "", keep=False)


def decide(
    database: Database, proposal: Proposal, by: str, reason: str = "", expected: str = ""
) -> Consequences:
    """Make an event of a proposal; in one transaction with all that follows.

    Args:
        database: The record.
        proposal: From `split`, `merge`, `detach` or `assign`.
        by: Who decides, as the history keeps them.
        reason: Shown in the history; cut at 1,000 characters.
        expected: `Consequences.digest` of the preview that was decided on; empty where there was none.

    Raises:
        IdentityError: Nobody is named, the proposal does not fit the record any more, or something else
            would follow than was expected.
    """
    if not by.strip():
        raise IdentityError("An event names who decided.")
    return _carried_out(database, proposal, by, reason, expected, keep=True)


def preview_undo(database: Database, event: int) -> Consequences:
    """What undoing an event would change; nothing is changed.

    Raises:
        IdentityError: There is no such event, or it was undone before.
    """
    return _undone(database, event, "", "", "", keep=False)


def undo(
    database: Database, event: int, by: str, reason: str = "", expected: str = ""
) -> Consequences:
    """Undo an event, at any later time and also after others; in one transaction.

    Args:
        database: The record.
        event: Its number.
        by: Who undoes it, as the history keeps them.
        reason: Shown in the history; cut at 1,000 characters.
        expected: `Consequences.digest` of the preview that was decided on; empty where there was none.

    Raises:
        IdentityError: Nobody is named, there is no such event, it was undone before, or something else would
            follow than was expected.
    """
    if not by.strip():
        raise IdentityError("The history names who undoes an event.")
    return _undone(database, event, by, reason, expected, keep=True)


def decided_since(session: Session, by: str, moment: datetime) -> int:
    """How many events somebody made or undid since a moment. One statement."""
    event = IdentityEvent
    made = (event.made_by == by) & (event.made_at > moment)
    undone = (event.undone_by == by) & (event.undone_at > moment)
    return session.scalar(select(func.count()).select_from(event).where(made | undone)) or 0


def history_count(session: Session, person: int | None = None) -> int:
    """How many events there are, of one person or in all. One statement."""
    counted = select(func.count()).select_from(IdentityEvent)
    if person is not None:
        counted = counted.where(IdentityEvent.id.in_(_about(person)))
    return session.scalar(counted) or 0


def _about(person: int) -> Select[int]:
    mark = IdentityMark
    return select(mark.event_id).where(
        (mark.person_before == person) | (mark.person_after == person)
    )


def history(
    session: Session, person: int | None = None, limit: int = 100, offset: int = 0
) -> list[PastEvent]:
    """Events, the newest first; of one person, those that took something from them or gave it to them.

    Two statements.
    """
    mark, event = IdentityMark, IdentityEvent
    wanted = select(event).order_by(event.id.desc()).limit(limit).offset(offset)
    if person is not None:
        wanted = wanted.where(event.id.in_(_about(person)))
    events = list(session.scalars(wanted))
    marks = session.execute(
        select(mark.event_id, mark.person_before, mark.person_after, mark.label).where(
            mark.event_id.in_([one.id for one in events])
        )
    ).all()
    found = []
    for one in events:
        own = [row for row in marks if row[0] == one.id]
        people = {p for row in own for p in row[1:3] if p is not None}
        named = sum(bool(row.label) for row in own)
        found.append(
            PastEvent(
                one.id, one.kind, one.made_at, one.made_by, one.reason, one.undone_at, one.undone_by,
                one.undone_reason, named, tuple(sorted(people)),
            )
        )  # fmt: skip
    return found


class _NotKept(Exception):
    """Ends the transaction of a preview."""


def _carried_out(
    database: Database, proposal: Proposal, by: str, reason: str, expected: str, *, keep: bool
) -> Consequences:
    found: list[Consequences] = []

    def change(session: Session, ids: Ids) -> Consequences:
        owners = owners_of(session, proposal.labels)
        if set(owners) != set(proposal.labels) or not set(owners.values()) <= set(proposal.people):
            raise IdentityError(CHANGED)
        number = ids.take("identity_event")
        session.add(
            IdentityEvent(
                id=number, kind=proposal.kind, made_at=datetime.now(UTC), made_by=by,
                reason=" ".join(reason.split())[:LONGEST_REASON],
            )
        )  # fmt: skip
        session.flush()
        session.add_all(
            IdentityMark(event_id=number, authorship_id=a, label=label, person_before=owners[a])
            for a, label in proposal.labels.items()
        )
        session.flush()
        written = _resolved(session, ids, list(proposal.labels), {})
        for mark in session.scalars(select(IdentityMark).where(IdentityMark.event_id == number)):
            mark.person_after = written.moved.get(mark.authorship_id, (None, mark.person_before))[1]
        session.add_all(
            IdentityMark(
                event_id=number, authorship_id=a, label="", person_before=before, person_after=after
            )
            for a, (before, after) in written.moved.items()
            if a not in proposal.labels
        )
        session.flush()
        return _as_expected(_consequences(session, number, proposal.kind, written), expected)

    _in_one(database, "deciding who is who", change, found, keep=keep)
    return found[0]


def _as_expected(found: Consequences, expected: str) -> Consequences:
    if expected and found.digest() != expected:
        raise IdentityError(CHANGED)
    return found


def _undone(
    database: Database, event: int, by: str, reason: str, expected: str, *, keep: bool
) -> Consequences:
    found: list[Consequences] = []

    def change(session: Session, ids: Ids) -> Consequences:
        past = session.get(IdentityEvent, event)
        if past is None:
            raise IdentityError(f"There is no event {event}.")
        if past.undone_at is not None:
            raise IdentityError(f"Event {event} was undone before.")
        past.undone_at, past.undone_by = datetime.now(UTC), by
        past.undone_reason = " ".join(reason.split())[:LONGEST_REASON]
        session.flush()
        marks = session.scalars(select(IdentityMark).where(IdentityMark.event_id == event)).all()
        owners = owners_of(session, [mark.authorship_id for mark in marks])
        last = last_marks(session, list(owners))
        # Who has moved on since keeps to whom they moved; the others count as whose they were.
        restored = {
            mark.authorship_id: mark.person_before
            for mark in marks
            if owners.get(mark.authorship_id, -1) == mark.person_after
            and (mark.authorship_id not in last or last[mark.authorship_id].event_id < event)
        }
        carry_over(session, event, marks)
        written = _resolved(session, ids, list(owners), restored)
        tie(session, restored, written)
        lead_back(session, ids, marks, written)
        return _as_expected(_consequences(session, event, "undo", written), expected)

    _in_one(database, "undoing an event", change, found, keep=keep)
    return found[0]


def _in_one(
    database: Database,
    purpose: str,
    change: Callable[[Session, Ids], Consequences],
    found: list[Consequences],
    *,
    keep: bool,
) -> None:
    """Run a change in one transaction, and take it back where it is only looked at."""
    try:
        with database.writer(purpose), database.begin() as session:
            ids = Ids(session.connection())
            found.append(change(session, ids))
            ids.save()
            if not keep:
                raise _NotKept
    except _NotKept:
        pass


def _resolved(
    session: Session, ids: Ids, authorships: Sequence[int], restored: Mapping[int, int | None]
) -> Written:
    """Decide the name blocks of some authorships anew, and count anew for who gained or lost."""
    blocks: set[str] = set()
    for part in chunks(authorships):
        blocks.update(
            session.scalars(select(Authorship.block_key).where(Authorship.id.in_(part)).distinct())
        )
    seen = ids.last("change")
    written = resolve_blocks(session.connection(), ids, sorted(blocks), restored)
    if ids.last(WATERMARK) == seen:
        # What this event changed is resolved; where an import waits to be resolved, it still does.
        ids.set(WATERMARK, ids.last("change"))
    return written


def _consequences(session: Session, event: int, kind: str, written: Written) -> Consequences:
    session.expire_all()
    touched = {p for pair in written.moved.values() for p in pair if p is not None}
    touched |= written.before.keys() | written.retired.keys()
    people = {one.id: one for one in session.scalars(select(Person).where(Person.id.in_(touched)))}
    counted = {number: one.works_count for number, one in people.items()}
    refresh_people(session, sorted(touched))
    session.expire_all()
    losing = {before for before, _ in written.moved.values()} | written.before.keys()
    standings = []
    for number, (name, count) in sorted(written.removed.items()):
        standings.append(Standing(number, name, None, count, None, None))
    for number in sorted(people):
        one = people[number]
        name = written.before.get(number, (one.display_name, None))[0]
        was = number in losing or counted[number] > 0
        gone = one.merged_into_id is not None
        standings.append(
            Standing(
                number, name if was else None, None if gone else one.display_name,
                counted[number] if was else None, None if gone else one.works_count, one.merged_into_id,
            )
        )  # fmt: skip
    standings.sort(key=lambda standing: standing.person)
    rows = session.execute(
        select(Authorship.id, Authorship.raw_name, Work.id, Work.title)
        .join(Work, Work.id == Authorship.work_id)
        .where(Authorship.id.in_(written.moved))
        .order_by(Work.id, Authorship.position)
    )
    moved = tuple(
        Moved(work, title, name, *written.moved[number]) for number, name, work, title in rows
    )
    return Consequences(event, kind, tuple(standings), moved)


def leading_to(session: Session, people: Collection[int]) -> dict[int, int]:
    """Every number that leads to one of some persons, themselves with it, to that person."""
    ends = {person: person for person in people}
    fresh = list(ends)
    while fresh:
        rows = session.execute(
            select(Person.id, Person.merged_into_id).where(Person.merged_into_id.in_(fresh))
        ).all()
        fresh = [number for number, _ in rows if number not in ends]
        ends.update(
            {number: ends[into] for number, into in rows if into is not None and number not in ends}
        )
    return ends
