"""What a work's page shows of the community: counts, and what the one who asks did with it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, String, case, cast, func, literal, null, select, union_all
from sqlalchemy.orm import Session

from peerscope.community.meeting_models import (
    Collection,
    CollectionWork,
    Reaction,
    Review,
    ReviewVersion,
    SavedWork,
    Vote,
)
from peerscope.community.models import Account
from peerscope.community.reactions import KINDS

Authors = Callable[[Iterable[int]], set[int]]
"""Which of some people are authors of the work."""


@dataclass(slots=True)
class Standing:
    """What accounts did with one work; whoever is suspended counts for nothing.

    Attributes:
        likes: Votes of accounts that are not authors of the work.
        dislikes: Of the same.
        by_authors: Votes of authors, which are in neither.
        reactions: Kind to how many, in the order of `KINDS`; those of authors are not in it.
        reactions_by_authors: How many specific reactions are of authors.
        saves: In how many libraries it is.
        reviews: How many stand.
        reviews_by_authors: How many of them are of authors.
        collections: In how many public collections it is.
        my_vote: 1, -1 or 0, of the one who asks.
        my_state: Their state of the saved work; empty where it is not in their library.
        my_kinds: Kinds of their specific reactions.
        my_review: Whether they wrote a review that stands.
    """

    likes: int = 0
    dislikes: int = 0
    by_authors: int = 0
    reactions: dict[str, int] = field(default_factory=dict)
    reactions_by_authors: int = 0
    saves: int = 0
    reviews: int = 0
    reviews_by_authors: int = 0
    collections: int = 0
    my_vote: int = 0
    my_state: str = ""
    my_kinds: tuple[str, ...] = ()
    my_review: bool = False


def standing_of(
    session: Session, work_id: int, authors: Authors, account_id: int | None = None
) -> Standing:
    """How a work stands, for whoever asks. One statement, and what ``authors`` takes.

    Args:
        session: Of the community's database.
        work_id: The work.
        authors: Asked once, and only where somebody who claimed a person said something of the work.
        account_id: Who asks; ``None`` for anybody.
    """
    rows = session.execute(_counted(work_id, account_id)).all()
    people = {row.person for row in rows if row.person is not None}
    written = authors(people) if people else set()
    found = Standing()
    kinds = dict.fromkeys(KINDS, 0)
    for what, which, person, number, is_mine in rows:
        by_author = person in written
        if what == "vote":
            _count_vote(found, int(which), number, by_author)
            found.my_vote = int(which) if is_mine else found.my_vote
        elif what == "reaction" and which in kinds:
            kinds[which] += 0 if by_author else number
            found.reactions_by_authors += number if by_author else 0
            found.my_kinds += (which,) if is_mine else ()
        elif what == "save":
            found.saves += number
            found.my_state = which if is_mine else found.my_state
        elif what == "review":
            found.reviews += number
            found.reviews_by_authors += number if by_author else 0
            found.my_review = found.my_review or bool(is_mine)
        elif what == "collection":
            found.collections = number
    found.reactions = kinds
    return found


def _count_vote(found: Standing, value: int, number: int, by_author: bool) -> None:
    if by_author:
        found.by_authors += number
    elif value > 0:
        found.likes += number
    else:
        found.dislikes += number


def _counted(work_id: int, account_id: int | None) -> Any:
    def mine(column: ColumnElement[Any]) -> ColumnElement[int]:
        return func.max(case((column == (account_id or 0), 1), else_=0))

    def part(name: str, table: Any, which: Any, person: Any, *where: Any) -> Any:
        groups = [which] if person is None else [which, person]
        return (
            select(
                literal(name).label("what"), which.label("which"),
                (null() if person is None else person).label("person"),
                func.count().label("number"), mine(table.account_id).label("mine"),
            )
            .join(Account, Account.id == table.account_id)
            .where(table.work_id == work_id, Account.state == "active", *where)
            .group_by(*groups)
        )  # fmt: skip

    stands = select(ReviewVersion.id).where(ReviewVersion.review_id == Review.id).exists()
    collected = (
        select(literal("collection"), literal(""), null(), func.count(), literal(0))
        .select_from(CollectionWork)
        .join(Collection, Collection.id == CollectionWork.collection_id)
        .join(Account, Account.id == Collection.owner_id)
        .where(
            CollectionWork.work_id == work_id,
            Collection.visibility == "public",
            Account.state == "active",
        )
    )
    return union_all(
        part("vote", Vote, cast(Vote.value, String), Account.person_id),
        part("reaction", Reaction, Reaction.kind, Account.person_id),
        part("save", SavedWork, SavedWork.state, None),
        part("review", Review, cast(Review.work_id, String), Account.person_id, stands),
        collected,
    )
