"""What people decide about who is who, carried out and taken back; with preview and history.

An event marks authorships with labels: one label is one person, two labels are two. The resolution of
identity takes the marks as identifiers that outrank all others, the newest first, so that what follows from
an event follows by the same rules as everything else: later works join by evidence, and an event that is
undone leaves what would be there without it, also after other events. Preview and decision are the same
transaction, rolled back or committed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from peerscope.record.bulk import Ids, chunks
from peerscope.record.counts import refresh_people
from peerscope.record.database import Database
from peerscope.record.identity import EVENT, WATERMARK, resolve_blocks
from peerscope.record.identity_proposals import STAYS, assign, detach, merge, split
from peerscope.record.identity_shapes import (
    Consequences,
    IdentityError,
    Moved,
    PastEvent,
    Proposal,
    Standing,
)
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


def history(session: Session, person: int | None = None, limit: int = 100) -> list[PastEvent]:
    """Events, the newest first; of one person, those that took something from them or gave it to them."""
    mark, event = IdentityMark, IdentityEvent
    wanted = select(event).order_by(event.id.desc()).limit(limit)
    if person is not None:
        about = select(mark.event_id).where(
            (mark.person_before == person) | (mark.person_after == person)
        )
        wanted = wanted.where(event.id.in_(about))
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
        owners = _owners(session, proposal.labels)
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
        owners = _owners(session, [mark.authorship_id for mark in marks])
        last = _last_marks(session, list(owners))
        # Who has moved on since keeps to whom they moved; the others count as whose they were.
        restored = {
            mark.authorship_id: mark.person_before
            for mark in marks
            if owners.get(mark.authorship_id, -1) == mark.person_after
            and (mark.authorship_id not in last or last[mark.authorship_id].event_id < event)
        }
        _carry_over(session, event, marks)
        written = _resolved(session, ids, list(owners), restored)
        _tie(session, restored, written)
        _lead_back(session, ids, marks, written)
        return _as_expected(_consequences(session, event, "undo", written), expected)

    _in_one(database, "undoing an event", change, found, keep=keep)
    return found[0]


def _carry_over(session: Session, event: int, marks: Sequence[IdentityMark]) -> None:
    """Let later events say of the authorships what they would have said had this event not been.

    A later split of the person from whom this event took an authorship would have found it among the works
    that stay.
    """
    own = {mark.authorship_id: mark for mark in marks if mark.label}
    _pass_on(session, event, marks)
    later = session.execute(
        select(IdentityMark.event_id, IdentityMark.person_before, IdentityMark.authorship_id)
        .join(IdentityEvent, IdentityEvent.id == IdentityMark.event_id)
        .where(
            IdentityMark.event_id > event,
            IdentityEvent.undone_at.is_(None),
            IdentityMark.label != "",
            IdentityMark.person_before.in_({mark.person_before for mark in own.values()}),
        )
    ).all()
    for number in sorted({row[0] for row in later}):
        about = {person for found, person, _ in later if found == number}
        named = set(
            session.scalars(
                select(IdentityMark.authorship_id).where(
                    IdentityMark.event_id == number,
                    IdentityMark.authorship_id.in_(list(own)),
                )
            )
        )
        unnamed = [authorship for authorship in own if authorship not in named]
        earlier = _last_marks(session, unnamed, before=number)
        for authorship in unnamed:
            found = earlier.get(authorship)
            person = own[authorship].person_before if found is None else found.person_after
            if person in about:
                session.add(
                    IdentityMark(
                        event_id=number, authorship_id=authorship, label=STAYS,
                        person_before=person, person_after=person,
                    )
                )  # fmt: skip
    session.flush()


def _tie(session: Session, restored: Mapping[int, int | None], written: Written) -> None:
    """Note on the events in force where an undoing left the authorships.

    Which person a cluster keeps is a matter of majority, so that an authorship can come to another person
    than the one it was taken from, as long as other events hold it to others. Each authorship is with whom
    its last event in force left it, and one that none names is with whom it would be without events: only
    so the last undoing finds everything as it was.
    """
    due = {a: before for a, (before, _) in written.moved.items()} | dict(restored)
    owners, last = _owners(session, list(due)), _last_marks(session, list(due))
    for authorship, person in due.items():
        now, mark = owners[authorship], last.get(authorship)
        if now == person:
            continue
        if mark is None:
            _note_on_newest(session, authorship, person, now)
        elif mark.person_after == person:
            mark.person_after = now
    session.flush()


def _note_on_newest(session: Session, authorship: int, person: int | None, now: int | None) -> None:
    """Let the newest event in force that is about either person give the authorship back, once undone.

    There is none where an import has changed the clusters meanwhile: then it is at home where it is.
    """
    either = [person, now]
    event = session.scalar(
        select(func.max(IdentityEvent.id))
        .join(IdentityMark, IdentityMark.event_id == IdentityEvent.id)
        .where(
            IdentityEvent.undone_at.is_(None),
            IdentityMark.person_before.in_(either) | IdentityMark.person_after.in_(either),
        )
    )
    if event is not None:
        session.add(
            IdentityMark(
                event_id=event, authorship_id=authorship, label="", person_before=person, person_after=now
            )
        )  # fmt: skip


def _last_marks(
    session: Session, authorships: Collection[int], before: int | None = None
) -> dict[int, IdentityMark]:
    """The mark of the newest event in force on each authorship that has one."""
    found: dict[int, IdentityMark] = {}
    for part in chunks(authorships):
        wanted = (
            select(IdentityMark)
            .join(IdentityEvent, IdentityEvent.id == IdentityMark.event_id)
            .where(IdentityEvent.undone_at.is_(None), IdentityMark.authorship_id.in_(part))
            .order_by(IdentityMark.event_id)
        )
        if before is not None:
            wanted = wanted.where(IdentityMark.event_id < before)
        found.update((mark.authorship_id, mark) for mark in session.scalars(wanted))
    return found


def _lead_back(session: Session, ids: Ids, marks: Sequence[IdentityMark], written: Written) -> None:
    """Point persons whom an undone event made, and who hold nothing, at whom it took their works from.

    Where that is nobody, at whom the event was about; who was made of nobody's works alone is gone.
    """
    about = Counter(m.person_before for m in marks if m.label and m.person_before is not None)
    subject = min(about, key=lambda person: (-about[person], person), default=None)
    heirs: dict[int, int | None] = {}
    for mark in marks:
        heir = subject if mark.person_before is None else mark.person_before
        if mark.person_after in (None, heir) or (heir is None and mark.person_after in about):
            continue
        if mark.person_after is not None:
            heirs.setdefault(mark.person_after, heir)
    for before, _ in written.moved.values():
        # Also whom another undoing made, for works that this one leaves to nobody.
        if before is not None:
            heirs.setdefault(before, None if before == subject else subject)
    for person, heir in heirs.items():
        held = session.scalar(select(Authorship.id).where(Authorship.person_id == person).limit(1))
        found = session.get(Person, person)
        if held is not None or found is None or found.merged_into_id is not None:
            continue
        end = None if heir is None else _end_of(session, heir)
        if end is not None and end != person:
            found.merged_into_id, found.change_seq = end, ids.take("change")
            written.retired[person] = end
        elif (nobodies := _nobodies(session, found)) is not None:
            written.removed[person] = (found.display_name, found.works_count)
            for one in nobodies:
                session.delete(one)
                session.flush()
    session.flush()


def _end_of(session: Session, person: int) -> int | None:
    """Where a person's address leads in the end; ``None`` where there is no such person any more."""
    found = session.get(Person, person)
    while found is not None and found.merged_into_id is not None:
        found = session.get(Person, found.merged_into_id)
    return None if found is None else found.id


def _nobodies(session: Session, person: Person) -> list[Person] | None:
    """A person without works, after those whose address leads there, if events alone made them all.

    ``None`` where one of them has another origin, or an event in force speaks of one.
    """
    named = session.scalar(
        select(IdentityMark.event_id)
        .join(IdentityEvent, IdentityEvent.id == IdentityMark.event_id)
        .where(
            IdentityEvent.undone_at.is_(None),
            (IdentityMark.person_before == person.id) | (IdentityMark.person_after == person.id),
        )
        .limit(1)
    )
    if named is not None or not person.rule.startswith(EVENT):
        return None
    found: list[Person] = []
    for led in session.scalars(select(Person).where(Person.merged_into_id == person.id)).all():
        inner = _nobodies(session, led)
        if inner is None:
            return None
        found += inner
    return [*found, person]


def _pass_on(session: Session, event: int, marks: Sequence[IdentityMark]) -> None:
    """Let the next event on each authorship have found it with whom this event found it."""
    own = {mark.authorship_id: mark for mark in marks}
    later = session.scalars(
        select(IdentityMark)
        .join(IdentityEvent, IdentityEvent.id == IdentityMark.event_id)
        .where(
            IdentityMark.event_id > event,
            IdentityEvent.undone_at.is_(None),
            IdentityMark.authorship_id.in_(list(own)),
        )
        .order_by(IdentityMark.event_id)
    ).all()
    for mark in later:
        found = own.pop(mark.authorship_id, None)
        if found is not None and mark.person_before == found.person_after:
            mark.person_before = found.person_before


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


def _owners(session: Session, authorships: Collection[int]) -> dict[int, int | None]:
    found: dict[int, int | None] = {}
    for part in chunks(authorships):
        rows = session.execute(
            select(Authorship.id, Authorship.person_id).where(Authorship.id.in_(part))
        )
        found.update((number, person) for number, person in rows)
    return found


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
