"""What is new for an account since it last looked: the same question always has the same answer.

It is read off the record's change numbers and the collections' histories, so that nothing is sent, counted
or kept to know it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from peerscope.community.collection_works import Change, changes_since, works_in
from peerscope.community.collections import Seen, readable
from peerscope.community.follows import Followed, follows_of, labels
from peerscope.community.person_settings import kept_people
from peerscope.record.read import ChangedWork, changed_among, changed_of, current_people

FOUND = 50
"""A search is followed through this many of its first results: in meaning all is near to all."""

Search = Callable[[str], Sequence[int]]
"""From the address of a search to the works that it finds now, at most `FOUND`."""


@dataclass(frozen=True, slots=True)
class News:
    """What came of one follow since it was looked at.

    Attributes:
        follow: What is followed.
        label: Its name; empty where the record has none of it any more, or it is not open any more.
        number: What it is now, where it was joined with another person.
        new: Works that came into the record since, the latest first.
        changed: Works of before that changed since: other fields, authors, topics.
        removed: Works that are out of sight since.
        history: What was done to a collection since.
    """

    follow: Followed
    label: str
    number: int
    new: tuple[int, ...] = ()
    changed: tuple[int, ...] = ()
    removed: tuple[int, ...] = ()
    history: tuple[Change, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.new or self.changed or self.removed or self.history)


def since(session: Session, record: Session, account_id: int, search: Search) -> list[News]:
    """What is new for an account, follow by follow, the latest follow first.

    Args:
        session: Of the community's database.
        record: Of the record.
        account_id: Whose follows.
        search: Runs a search that is followed.
    """
    everything = follows_of(session, account_id)
    numbers, hidden = _numbers_now(record, everything), kept_people(session).hidden
    # Who asked not to be shown is not shown to followers either; the follow stays, without a name.
    follows = [one for one in everything if not (one.letter == "A" and numbers[one.id] in hidden)]
    named = labels(record, [f"{one.letter}{numbers[one.id]}" for one in follows if one.letter])
    found = _of_entities(record, follows, numbers)
    news = []
    open_to = readable(session, {one.number for one in follows if one.letter == "C"}, account_id)
    collected = _of_collections(session, record, follows, open_to)
    histories = changes_since(
        session,
        {one.number: one.seen_at for one in follows if one.number in open_to and one.letter == "C"},
    )
    for one in follows:
        label, works, history = (
            named.get(f"{one.letter}{numbers[one.id]}", ""),
            found.get(one.id, []),
            [],
        )
        if one.letter == "C":
            label = open_to[one.number].title if one.number in open_to else ""
            works, history = collected.get(one.id, []), histories.get(one.number, [])
        elif not one.letter:
            label = one.target
            works = changed_among(record, list(search(one.target))[:FOUND], one.seen_seq)
        news.append(_told(one, label, numbers[one.id], works, history))
    shut = [News(one, "", numbers[one.id]) for one in everything if one not in follows]
    return sorted([*news, *shut], key=lambda one: everything.index(one.follow))


def changes_after(record: Session, entity: str, number: int, seq: int) -> list[ChangedWork]:
    """Works of a person, topic, institution or venue that changed after a change of the record."""
    return changed_of(record, entity, [number], seq).get(number, [])


def _numbers_now(record: Session, follows: Sequence[Followed]) -> dict[int, int]:
    """The number of what each follow is of; of people who were joined, that of who they are now."""
    people = {one.number for one in follows if one.letter == "A"}
    now = current_people(record, people) if people else {}
    return {
        one.id: now.get(one.number, one.number) if one.letter == "A" else one.number
        for one in follows
    }


def _of_entities(
    record: Session, follows: Sequence[Followed], numbers: dict[int, int]
) -> dict[int, list[ChangedWork]]:
    found: dict[int, list[ChangedWork]] = {}
    for letter in "ATIS":
        here = [one for one in follows if one.letter == letter]
        if not here:
            continue
        after = min(one.seen_seq for one in here)
        changed = changed_of(record, letter, {numbers[one.id] for one in here}, after)
        for one in here:
            works = changed.get(numbers[one.id], [])
            found[one.id] = [work for work in works if work.seq > one.seen_seq]
    return found


def _of_collections(
    session: Session, record: Session, follows: Sequence[Followed], open_to: dict[int, Seen]
) -> dict[int, list[ChangedWork]]:
    """Changes of works that are in a collection already; what came into it its history says."""
    here = [one for one in follows if one.letter == "C" and one.number in open_to]
    if not here:
        return {}
    held = works_in(session, [one.number for one in here])
    everything = {work for works in held.values() for work in works}
    changed = changed_among(record, sorted(everything), min(one.seen_seq for one in here))
    return {
        one.id: [
            work
            for work in changed
            if work.seq > one.seen_seq and work.id in held.get(one.number, ())
        ]
        for one in here
    }


def _told(
    follow: Followed,
    label: str,
    number: int,
    works: Sequence[ChangedWork],
    history: Sequence[Change],
) -> News:
    is_list = follow.letter == "C"
    new = tuple(w.id for w in works if not w.is_deleted and _is_new(w, follow) and not is_list)
    changed = tuple(w.id for w in works if not w.is_deleted and w.id not in new)
    removed = tuple(w.id for w in works if w.is_deleted and w.created_at <= follow.seen_at)
    return News(follow, label, number, new, changed, removed, tuple(history))


def _is_new(work: ChangedWork, follow: Followed) -> bool:
    return work.created_at > follow.seen_at
