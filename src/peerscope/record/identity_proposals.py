"""What can be proposed about who is who: split, merge, "not mine", and whose an undecided authorship is.

A proposal says what an event would say of authorships; `identity_events` carries it out.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from peerscope.record.bulk import chunks
from peerscope.record.identity import DETACHED
from peerscope.record.identity_shapes import IdentityError, Proposal
from peerscope.record.models import Authorship, Person, Work

STAYS = "0"
"""Label of what stays with the person."""

MOST_AUTHORSHIPS = 5_000
"""Authorships that one event may name."""


def split(session: Session, person: int, parts: Sequence[Collection[int]]) -> Proposal:
    """A person is several: each part is the works of one; works in no part stay with the person.

    Args:
        session: Of the record.
        person: Who is split.
        parts: Numbers of works.

    Raises:
        IdentityError: There is no such person, a work is not theirs or in two parts, or nothing is split.
    """
    held = _held(session, person)
    label_of: dict[int, int] = {}
    for number, part in enumerate(parts, start=1):
        for work in part:
            if work not in held:
                raise IdentityError(f"W{work} is no work of A{person}: choose among theirs.")
            if work in label_of:
                raise IdentityError(f"W{work} is in two parts: leave it in one.")
            label_of[work] = number
    labels = {a: str(label_of.get(work, 0)) for work, a in held.items()}
    if len(set(labels.values())) < 2:
        raise IdentityError("All works would stay with one person: choose some, but not all.")
    return Proposal("split", labels, (person,))


def merge(session: Session, people: Sequence[int]) -> Proposal:
    """Several persons are one.

    Raises:
        IdentityError: There are fewer than two, one does not exist, or two are authors of one work.
    """
    wanted = list(dict.fromkeys(people))
    if len(wanted) < 2:
        raise IdentityError("Name at least two people to merge.")
    labels: dict[int, str] = {}
    seen: dict[int, int] = {}
    for person in wanted:
        for work, authorship in _held(session, person).items():
            if work in seen:
                raise IdentityError(
                    f"A{seen[work]} and A{person} are both authors of W{work}, and one person stands in a "
                    "work once: split first what is wrong there."
                )
            seen[work] = person
            labels[authorship] = STAYS
    return Proposal("merge", labels, tuple(wanted))


def detach(session: Session, person: int, works: Collection[int]) -> Proposal:
    """Works that are not the person's; whose they are stays open.

    Raises:
        IdentityError: There is no such person, no work is given, or one is not theirs.
    """
    held = _held(session, person)
    for work in works:
        if work not in held:
            raise IdentityError(f"W{work} is no work of A{person}: choose among theirs.")
    if not works:
        raise IdentityError("Name the works that are not the person's.")
    labels = {a: f"{DETACHED}:{a}" if work in works else STAYS for work, a in held.items()}
    return Proposal("detach", labels, (person,))


def assign(session: Session, authorships: Collection[int], person: int | None) -> Proposal:
    """Undecided authorships are a person's, or those of a person of their own.

    Args:
        session: Of the record.
        authorships: Numbers of authorships that have no person.
        person: Whose they are; ``None`` for somebody whom the record does not have yet.

    Raises:
        IdentityError: One is not undecided or not there, two stand in one work, or the person has no works,
            or is an author of one of these works already.
    """
    works = _undecided(session, authorships)
    held = _held(session, person) if person is not None else {}
    if person is not None and not held:
        raise IdentityError(f"A{person} has no works to tell them by: make a person of their own.")
    for work in works:
        if work in held:
            raise IdentityError(
                f"A{person} is an author of W{work} already, and one stands there once."
            )
    labels = dict.fromkeys([*held.values(), *works.values()], STAYS)
    return Proposal("assign", labels, (None,) if person is None else (None, person))


def _undecided(session: Session, authorships: Collection[int]) -> dict[int, int]:
    """Work to authorship of those that have no person."""
    if not authorships:
        raise IdentityError("Choose the works whose author is not decided.")
    if len(authorships) > MOST_AUTHORSHIPS:
        raise IdentityError(f"More than {MOST_AUTHORSHIPS:,} works are too many at once.")
    found: dict[int, int] = {}
    wanted = set(authorships)
    for part in chunks(sorted(wanted)):
        rows = session.execute(
            select(Authorship.id, Authorship.work_id, Authorship.person_id)
            .join(Work, Work.id == Authorship.work_id)
            .where(Authorship.id.in_(part), Work.deleted_at.is_(None))
        )
        for number, work, person in rows:
            if person is not None:
                raise IdentityError(f"The author of W{work} is A{person} by now: look at it again.")
            if work in found:
                raise IdentityError(f"Two of them stand in W{work}: they are two people.")
            found[work] = number
    if len(found) < len(wanted):
        raise IdentityError("One of these works is not in the record any more: look at it again.")
    return found


def _held(session: Session, person: int) -> dict[int, int]:
    """Work to authorship of a person."""
    found = session.get(Person, person)
    if found is None:
        raise IdentityError(f"There is no person A{person}.")
    if found.merged_into_id is not None:
        raise IdentityError(f"A{person} is A{found.merged_into_id} now: name that one.")
    rows = session.execute(
        select(Authorship.work_id, Authorship.id)
        .join(Work, Work.id == Authorship.work_id)
        .where(Authorship.person_id == person, Work.deleted_at.is_(None))
        .order_by(Authorship.work_id, Authorship.position.desc())
    ).all()
    if len(rows) > MOST_AUTHORSHIPS:
        raise IdentityError(
            f"A{person} has more than {MOST_AUTHORSHIPS:,} works, too many at once."
        )
    return {row.work_id: row.id for row in rows}
