"""What is new in what an account follows, for its mail and for its own feed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session

from peerscope.community.collection_works import works_in
from peerscope.community.collections import readable
from peerscope.community.digests import FollowNews, Heard
from peerscope.community.follows import follows_of
from peerscope.community.since import since as news_since
from peerscope.record.models import Authorship, AuthorshipInstitution, Work, WorkTopic

Search = Callable[[str], Sequence[int]]
"""From the address of a search to the works that everyone finds with it now."""

PLACES = {"A": "people", "T": "topics", "I": "institutions", "S": "venues", "C": "collections"}


def follow_news(search: Search) -> FollowNews:
    """How the mail of what is new learns of what an account follows.

    It tells works that came into the record, or into a collection, within a span of time and after the
    account looked at them itself.
    """

    def heard(
        session: Session, record: Session, account_id: int, since: datetime, until: datetime
    ) -> Sequence[Heard]:
        told = []
        for one in news_since(session, record, account_id, search):
            added = [
                line.work_id
                for line in one.history
                if line.kind == "added" and line.work_id and since < line.at <= until
            ]
            works = _came(record, one.new, since, until) + _came(record, added)
            if works and one.label:
                target = one.follow.target
                place = f"/{PLACES[target[0]]}/{target}" if one.follow.letter else target
                label = one.label if one.follow.letter else "a search"
                told.append(Heard(label, place, tuple(dict.fromkeys(works))))
        return told

    return heard


def followed_works(session: Session, account_id: int, search: Search) -> ColumnElement[bool]:
    """The works of what an account follows, as a condition on `Work`; a statement, or three with collections.

    Collections count while they are open to the account.
    """
    targets = [one.target for one in follows_of(session, account_id)]
    numbers = {
        letter: [int(one[1:]) for one in targets if one[0] == letter] for letter in PLACES
    }  # fmt: skip
    works: set[int] = set()
    for address in targets:
        if address.startswith("/"):
            works.update(search(address))
    if numbers["C"]:
        open_to = readable(session, set(numbers["C"]), account_id)
        for held in works_in(session, list(open_to)).values():
            works.update(held)
    stated = select(Authorship.work_id).join(
        AuthorshipInstitution, AuthorshipInstitution.authorship_id == Authorship.id
    )
    return or_(
        Work.id.in_(select(Authorship.work_id).where(Authorship.person_id.in_(numbers["A"]))),
        Work.id.in_(select(WorkTopic.work_id).where(WorkTopic.topic_id.in_(numbers["T"]))),
        Work.id.in_(stated.where(AuthorshipInstitution.institution_id.in_(numbers["I"]))),
        Work.venue_id.in_(numbers["S"]),
        Work.id.in_(sorted(works)),
    )


def _came(
    record: Session,
    numbers: Sequence[int],
    since: datetime | None = None,
    until: datetime | None = None,
) -> list[tuple[str, str]]:
    """Titles and paths of those works that came into the record within a span of time, in their order."""
    if not numbers:
        return []
    statement = select(Work.id, Work.title).where(
        Work.id.in_(list(numbers)), Work.deleted_at.is_(None)
    )
    if since is not None and until is not None:
        statement = statement.where(Work.created_at > since, Work.created_at <= until)
    titles = {row.id: row.title for row in record.execute(statement)}
    return [(titles[one], f"/works/W{one}") for one in numbers if one in titles]
