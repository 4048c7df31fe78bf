"""What moderators see of reviews, replies and reactions; they remove them where they stand."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from peerscope.community.beside import module
from peerscope.community.targets import Passage, Seen, register


def _review(session: Session, number: int) -> Seen | None:
    tables = module("meeting_models")
    row = session.get(tables.Review, number)
    if row is None:
        return None
    words = session.scalar(
        select(tables.ReviewVersion)
        .where(tables.ReviewVersion.review_id == number)
        .order_by(tables.ReviewVersion.number.desc())
        .limit(1)
    )
    parts = ("summary", "strengths", "weaknesses", "questions", "reproducibility")
    text = "\n\n".join(getattr(words, part) for part in parts if getattr(words, part, ""))
    return Seen(
        row.account_id, (Passage(row.account_id, text),), row.withdrawn_at is not None,
        address=f"/works/W{row.work_id}",
    )  # fmt: skip


def _reply(session: Session, number: int) -> Seen | None:
    tables = module("meeting_models")
    row = session.get(tables.ReviewReply, number)
    if row is None:
        return None
    review = session.get_one(tables.Review, row.review_id)
    return Seen(
        row.account_id, (Passage(row.account_id, row.text),),
        involved=frozenset({review.account_id} - {None}), address=f"/works/W{review.work_id}",
    )  # fmt: skip


def _reaction(session: Session, number: int) -> Seen | None:
    row = session.get(module("meeting_models").Reaction, number)
    if row is None:
        return None
    return Seen(
        row.account_id, (Passage(row.account_id, f"{row.kind}: {row.evidence}"),),
        address=f"/works/W{row.work_id}",
    )  # fmt: skip


def _collection(session: Session, number: int) -> Seen | None:
    row = session.get(module("meeting_models").Collection, number)
    if row is None:
        return None
    return Seen(
        row.owner_id, (Passage(row.owner_id, f"{row.title}\n\n{row.description}".strip()),),
        private=row.visibility == "private", address=f"/collections/C{number}",
    )  # fmt: skip


if module("meeting_models") is not None:
    register("review", "Review", _review)
    register("reply", "Reply", _reply)
    register("reaction", "Reaction", _reaction)
    register("collection", "Collection", _collection)
