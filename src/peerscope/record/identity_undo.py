"""What an undoing leaves to the events in force, and where persons lead whom it leaves without works.

Two things hold after every event and every undoing. An authorship is with whom its last event in force left
it, or, where none names it, with whom it would be without events. And each event in force on an authorship
found it where the one before left it. So the last undoing finds everything as it was.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from peerscope.record.bulk import Ids, chunks
from peerscope.record.identity import EVENT
from peerscope.record.identity_proposals import STAYS
from peerscope.record.models import Authorship, IdentityEvent, IdentityMark, Person
from peerscope.record.people import Written


def carry_over(session: Session, event: int, marks: Sequence[IdentityMark]) -> None:
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
        earlier = last_marks(session, unnamed, before=number)
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


def tie(session: Session, restored: Mapping[int, int | None], written: Written) -> None:
    """Note on the events in force where an undoing left the authorships.

    Which person a cluster keeps is a matter of majority, so that an authorship can come to another person
    than the one it was taken from, as long as other events hold it to others. Each authorship is with whom
    its last event in force left it, and one that none names is with whom it would be without events: only
    so the last undoing finds everything as it was.
    """
    due = {a: before for a, (before, _) in written.moved.items()} | dict(restored)
    owners, last = owners_of(session, list(due)), last_marks(session, list(due))
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


def last_marks(
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


def lead_back(session: Session, ids: Ids, marks: Sequence[IdentityMark], written: Written) -> None:
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


def owners_of(session: Session, authorships: Collection[int]) -> dict[int, int | None]:
    """Whose authorships are; those that are gone are left out."""
    found: dict[int, int | None] = {}
    for part in chunks(authorships):
        rows = session.execute(
            select(Authorship.id, Authorship.person_id).where(Authorship.id.in_(part))
        )
        found.update((number, person) for number, person in rows)
    return found
