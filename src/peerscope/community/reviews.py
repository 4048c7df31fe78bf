"""Reviews of works: structured, with every version kept to be read, and without a score.

A review is a place with versions; an edit adds one. Withdrawing takes the words away, and the place stays
only while there are replies to it. Why there is no score: docs/decisions/reviews.md. Reading
them is in `review_pages`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, exists, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from peerscope.community import audit
from peerscope.community.errors import CommunityError, NotAllowedError, NotThereError
from peerscope.community.meeting_models import Review, ReviewReply, ReviewVersion
from peerscope.community.models import Account
from peerscope.community.notices import notify
from peerscope.community.proofs import level_column, level_of
from peerscope.community.reactions import NEEDED
from peerscope.community.texts import clean_text
from peerscope.community.times import now, utc

PARTS = {
    "summary": ("Summary", "What the work does and shows, in your words"),
    "strengths": ("Strengths", "What holds, and why"),
    "weaknesses": ("Weaknesses", "What does not hold, or not yet, and why"),
    "questions": ("Questions", "What you would ask the authors"),
    "reproducibility": ("Reproducibility", "What you ran or checked yourself, with which result"),
}
"""Parts of a review: what each is called and asks for. The summary is needed, the others may be empty."""

LEAST_SUMMARY = 30
LONGEST_PART = 4_000
LONGEST_REPLY = 3_000
MOST_REPLIES = 500
CONFIDENCE = {
    1: "outside my field",
    2: "I know the field a little",
    3: "I know the field",
    4: "I work on this",
    5: "I checked it in detail",
}
RELATIONS = {
    "none": "no relation to the authors",
    "colleague": "works or worked with an author",
    "competitor": "works on a competing approach",
    "author": "is an author",
    "other": "another relation, stated in the review",
}
GONE = "There is no such review."


@dataclass(frozen=True, slots=True)
class Signal:
    """A review that stands, as trust counts it; who the authors are, the caller knows."""

    account_id: int
    person_id: int | None
    level: int
    work_id: int
    date: datetime


def write(session: Session, account_id: int, work_id: int, given: Mapping[str, str]) -> int:
    """Write a review, or another version of the one that an account has of the work; its number.

    Args:
        session: Of the community's database, writing.
        account_id: Of level L1 or above.
        work_id: That it is in the record is asked before.
        given: The parts of `PARTS`, ``confidence`` (1 to 5) and ``relation`` (of `RELATIONS`).

    Raises:
        NotAllowedError: The account has no confirmed address.
        CommunityError: A part cannot be taken, or nothing changed.
    """
    if level_of(session, account_id) < 1:
        raise NotAllowedError(NEEDED)
    words = _checked(given)
    review = session.scalar(
        select(Review).where(
            Review.account_id == account_id,
            Review.work_id == work_id,
            Review.withdrawn_at.is_(None),
        )
    )
    last = _last(session, review.id) if review is not None else None
    if last is not None and all(getattr(last, name) == value for name, value in words.items()):
        raise CommunityError("Nothing was changed, so there is no new version.")
    moment, actor = now(), audit.actor_of(account_id)
    if review is None:
        review = Review(account_id=account_id, work_id=work_id, created_at=moment)
        session.add(review)
    number = last.number + 1 if last is not None else 1
    try:
        session.flush()
        session.add(
            ReviewVersion(
                review_id=review.id,
                account_id=account_id,
                number=number,
                created_at=moment,
                **words,
            )
        )
        session.flush()
    except IntegrityError as error:
        raise CommunityError("This review was sent twice at once; look at it first.") from error
    audit.record(
        session, actor, "review.write", f"review:{review.id}", work=work_id, version=number
    )
    return review.id


def withdraw(
    session: Session, account_id: int | None, review_id: int, *, moderates: bool = False
) -> int:
    """Take back all words of a review: one's own, or any as a moderator. The work that it was on.

    Raises:
        NotThereError: There is none, or it is another's.
    """
    row = session.get(Review, review_id)
    if row is None or row.withdrawn_at is not None:
        raise NotThereError(GONE)
    if row.account_id != account_id and not moderates:
        raise NotThereError(GONE)
    owner, work_id = row.account_id, row.work_id
    session.execute(delete(ReviewVersion).where(ReviewVersion.review_id == review_id))
    if session.scalar(select(exists().where(ReviewReply.review_id == review_id))):
        row.withdrawn_at, row.account_id = now(), None
    else:
        session.delete(row)
    session.flush()
    audit.record(
        session, audit.actor_of(account_id), "review.withdraw", f"review:{review_id}",
        work=work_id, moderates=owner != account_id,
    )  # fmt: skip
    if owner is not None:
        notify(session, owner, "review.removed", f"work:{work_id}", actor_id=account_id)
    return work_id


def reply(session: Session, account_id: int, review_id: int, text: str) -> int:
    """Answer a review; its number. The reviewer is told.

    Raises:
        NotAllowedError: The account has no confirmed address.
        NotThereError: There is no such review that stands.
        CommunityError: The text cannot be taken, or there are too many answers.
    """
    review = session.get(Review, review_id)
    if review is None or _last(session, review_id) is None:
        raise NotThereError(GONE)
    if level_of(session, account_id) < 1:
        raise NotAllowedError(NEEDED)
    held = select(func.count()).where(ReviewReply.review_id == review_id)
    if (session.scalar(held) or 0) >= MOST_REPLIES:
        raise CommunityError("This review has as many replies as it takes.")
    row = ReviewReply(
        review_id=review_id, account_id=account_id, created_at=now(),
        text=clean_text(text, LONGEST_REPLY, "a reply"),
    )  # fmt: skip
    session.add(row)
    session.flush()
    target = f"review:{review_id}"
    audit.record(session, audit.actor_of(account_id), "reply.add", target, reply=row.id)
    if review.account_id is not None:
        notify(session, review.account_id, "review.reply", target, actor_id=account_id)
    return row.id


def remove_reply(
    session: Session, account_id: int | None, reply_id: int, *, moderates: bool = False
) -> int:
    """Remove an answer: one's own, or any as a moderator. The review that it was to.

    Raises:
        NotThereError: There is none, or it is another's.
    """
    row = session.get(ReviewReply, reply_id)
    if row is None or not (moderates or row.account_id == account_id):
        raise NotThereError("There is no such reply of yours.")
    review_id, owner = row.review_id, row.account_id
    session.delete(row)
    session.flush()
    audit.record(
        session, audit.actor_of(account_id), "reply.remove", f"review:{review_id}",
        reply=reply_id, moderates=owner != account_id,
    )  # fmt: skip
    return review_id


def review_signals(session: Session, work_ids: Collection[int]) -> list[Signal]:
    """Reviews of some works that stand, for trust; whose level is below L2 weighs nothing there.

    In the order of works and dates; accounts that are suspended are left out. One statement.
    """
    stands = select(ReviewVersion.id).where(ReviewVersion.review_id == Review.id).exists()
    rows = session.execute(
        select(
            Review.account_id, Account.person_id, level_column().label("level"), Review.work_id,
            Review.created_at,
        )
        .join(Account, Account.id == Review.account_id)
        .where(Review.work_id.in_(work_ids), Account.state == "active", stands)
        .order_by(Review.work_id, Review.created_at, Review.id)
    )  # fmt: skip
    return [
        Signal(account, person, level, work, utc(at))
        for account, person, level, work, at in rows
        if account is not None
    ]


def exported(session: Session, account_id: int) -> dict[str, object]:
    """Everything that is kept of an account's reviews, in all versions, and of its replies."""
    versions = session.execute(
        select(ReviewVersion, Review.work_id)
        .join(Review, Review.id == ReviewVersion.review_id)
        .where(ReviewVersion.account_id == account_id)
        .order_by(ReviewVersion.review_id, ReviewVersion.number)
    )
    replies = session.scalars(
        select(ReviewReply).where(ReviewReply.account_id == account_id).order_by(ReviewReply.id)
    )
    return {
        "reviews": [
            {
                "review": row.review_id,
                "work": f"W{work}",
                "version": row.number,
                **{name: getattr(row, name) for name in PARTS},
                "confidence": row.confidence,
                "relation": row.relation,
                "written_at": utc(row.created_at).isoformat(),
            }
            for row, work in versions
        ],
        "replies": [
            {
                "review": row.review_id,
                "text": row.text,
                "written_at": utc(row.created_at).isoformat(),
            }
            for row in replies
        ],
    }


def _checked(given: Mapping[str, str]) -> dict[str, Any]:
    words: dict[str, Any] = {}
    for name, (label, _) in PARTS.items():
        least = LEAST_SUMMARY if name == "summary" else 0
        what = f"the part “{label}”"
        words[name] = clean_text(given.get(name, ""), LONGEST_PART, what, least=least)
    confidence, relation = given.get("confidence", ""), given.get("relation", "")
    if confidence not in {str(number) for number in CONFIDENCE}:
        raise CommunityError("Say how sure you are, from 1 to 5.")
    if relation not in RELATIONS:
        raise CommunityError("Say how you stand to the authors.")
    return words | {"confidence": int(confidence), "relation": relation}


def _last(session: Session, review_id: int) -> ReviewVersion | None:
    return session.scalar(
        select(ReviewVersion)
        .where(ReviewVersion.review_id == review_id)
        .order_by(ReviewVersion.number.desc())
        .limit(1)
    )
