"""What moderators see of reviews, replies, reactions and collections, and how the first three are removed."""

from __future__ import annotations

from functools import partial

from sqlalchemy import select
from sqlalchemy.orm import Session

from peerscope.community.meeting_models import (
    Collection,
    Reaction,
    Review,
    ReviewReply,
    ReviewVersion,
)
from peerscope.community.reactions import take_back
from peerscope.community.reviews import remove_reply, withdraw
from peerscope.community.targets import Passage, Seen, register


def _review(session: Session, number: int) -> Seen | None:
    row = session.get(Review, number)
    if row is None:
        return None
    words = session.scalar(
        select(ReviewVersion)
        .where(ReviewVersion.review_id == number)
        .order_by(ReviewVersion.number.desc())
        .limit(1)
    )
    parts = ("summary", "strengths", "weaknesses", "questions", "reproducibility")
    text = "\n\n".join(getattr(words, part) for part in parts if getattr(words, part, ""))
    return Seen(
        row.account_id, (Passage(row.account_id, text),), row.withdrawn_at is not None,
        address=f"/reviews/{number}",
    )  # fmt: skip


def _reply(session: Session, number: int) -> Seen | None:
    row = session.get(ReviewReply, number)
    if row is None:
        return None
    review = session.get_one(Review, row.review_id)
    reviewer = review.account_id
    return Seen(
        row.account_id, (Passage(row.account_id, row.text),),
        involved=frozenset([reviewer] if reviewer is not None else []),
        address=f"/reviews/{review.id}",
    )  # fmt: skip


def _reaction(session: Session, number: int) -> Seen | None:
    row = session.get(Reaction, number)
    if row is None:
        return None
    return Seen(
        row.account_id, (Passage(row.account_id, f"{row.kind}: {row.evidence}"),),
        address=f"/works/W{row.work_id}/reactions",
    )  # fmt: skip


def _collection(session: Session, number: int) -> Seen | None:
    row = session.get(Collection, number)
    if row is None:
        return None
    return Seen(
        row.owner_id, (Passage(row.owner_id, f"{row.title}\n\n{row.description}".strip()),),
        private=row.visibility == "private", address=f"/collections/C{number}",
    )  # fmt: skip


register("review", "Review", _review, remove=partial(withdraw, moderates=True))
register("reply", "Reply", _reply, remove=partial(remove_reply, moderates=True))
register("reaction", "Reaction", _reaction, remove=partial(take_back, moderates=True))
register("collection", "Collection", _collection)
