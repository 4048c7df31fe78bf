"""Reviews as they are read: lists, one review in any of its versions, and the replies to it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, or_, select
from sqlalchemy.orm import Session

from peerscope.community.errors import NotThereError
from peerscope.community.meeting_models import Review, ReviewReply, ReviewVersion
from peerscope.community.models import Account
from peerscope.community.proofs import level_column
from peerscope.community.reviews import GONE, PARTS
from peerscope.community.times import utc
from peerscope.record.read.shapes import PER_PAGE, PageOf


@dataclass(frozen=True, slots=True)
class Version:
    """The words of a review at one time."""

    number: int
    summary: str
    strengths: str
    weaknesses: str
    questions: str
    reproducibility: str
    confidence: int
    relation: str
    created_at: datetime

    def parts(self) -> list[tuple[str, str]]:
        """Label and words of each part that has some."""
        found = [(label, getattr(self, name)) for name, (label, _) in PARTS.items()]
        return [(label, words) for label, words in found if words]


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer to a review."""

    id: int
    account_id: int
    name: str
    person_id: int | None
    text: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Shown:
    """A review as it is shown; of a tombstone ``version`` is ``None`` and the name empty."""

    id: int
    work_id: int
    account_id: int | None
    name: str
    person_id: int | None
    level: int
    version: Version | None
    versions: int
    replies: int
    created_at: datetime


def reviews_of(session: Session, work_id: int, page: int = 1) -> PageOf[Shown]:
    """Reviews of a work, the latest written first; tombstones where there are replies. One statement."""
    rows = session.execute(
        _shown_rows()
        .add_columns(func.count().over().label("total"))
        .where(Review.work_id == work_id, _shows())
        .order_by(Review.created_at.desc(), Review.id.desc())
        .offset((page - 1) * PER_PAGE)
        .limit(PER_PAGE)
    ).all()
    return PageOf(tuple(_shown(row) for row in rows), rows[0].total if rows else 0, page)


def review(session: Session, review_id: int, version: int | None = None) -> Shown:
    """One review, in its last version or another. One statement, or two.

    Raises:
        NotThereError: There is none, nothing of it is left, or it has no such version.
    """
    row = session.execute(_shown_rows().where(Review.id == review_id, _shows())).first()
    if row is None:
        raise NotThereError(GONE)
    shown = _shown(row)
    if version is None or (shown.version is not None and shown.version.number == version):
        return shown
    if shown.version is None:
        raise NotThereError(GONE)
    older = session.scalar(
        select(ReviewVersion).where(
            ReviewVersion.review_id == review_id, ReviewVersion.number == version
        )
    )
    if older is None:
        raise NotThereError("This review has no such version.")
    return Shown(
        shown.id, shown.work_id, shown.account_id, shown.name, shown.person_id, shown.level,
        _version(older), shown.versions, shown.replies, shown.created_at,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Known:
    """A review that stands, by an account that owns a person's record."""

    id: int
    work_id: int
    person_id: int
    name: str
    created_at: datetime


def reviews_of_people(
    session: Session, works: Collection[int], people: Collection[int], most: int = 1000
) -> list[Known]:
    """Reviews that stand of any of some works, or by owners of any of some records; the first one first.

    Only accounts that own a record, and are not suspended. One statement.
    """
    rows = session.execute(
        select(Review.id, Review.work_id, Account.person_id, Account.name, Review.created_at)
        .join(Account, Account.id == Review.account_id)
        .where(
            or_(Review.work_id.in_(works), Account.person_id.in_(people)),
            Account.person_id.is_not(None), Account.state == "active",
            Review.withdrawn_at.is_(None),
            select(ReviewVersion.id).where(ReviewVersion.review_id == Review.id).exists(),
        )
        .order_by(Review.created_at, Review.id)
        .limit(most)
    )  # fmt: skip
    return [
        Known(number, work, person, name, utc(at))
        for number, work, person, name, at in rows
        if person is not None
    ]


def is_there(session: Session, review_id: int) -> bool:
    """Whether anything of a review is left to be seen. One statement."""
    return (
        session.execute(_shown_rows().where(Review.id == review_id, _shows())).first() is not None
    )


def versions_of(session: Session, review_id: int) -> list[tuple[int, datetime]]:
    """Number and time of each version of a review, the first one first. One statement."""
    rows = session.execute(
        select(ReviewVersion.number, ReviewVersion.created_at)
        .where(ReviewVersion.review_id == review_id)
        .order_by(ReviewVersion.number)
    )
    return [(number, utc(at)) for number, at in rows]


def replies_of(session: Session, review_id: int) -> list[Reply]:
    """Answers to a review, the first one first. One statement."""
    rows = session.execute(
        select(ReviewReply, Account.name, Account.person_id)
        .join(Account, Account.id == ReviewReply.account_id)
        .where(ReviewReply.review_id == review_id, Account.state == "active")
        .order_by(ReviewReply.created_at, ReviewReply.id)
    )
    return [
        Reply(row.id, row.account_id, name, person, row.text, utc(row.created_at))
        for row, name, person in rows
    ]


def mine_on(session: Session, account_id: int, work_id: int) -> Version | None:
    """The last version of an account's review of a work that stands. One statement."""
    row = session.scalar(
        select(ReviewVersion)
        .join(Review, Review.id == ReviewVersion.review_id)
        .where(
            Review.account_id == account_id,
            Review.work_id == work_id,
            Review.withdrawn_at.is_(None),
        )
        .order_by(ReviewVersion.number.desc())
        .limit(1)
    )
    return _version(row) if row is not None else None


def _counted_replies() -> Any:
    return (
        select(func.count())
        .select_from(ReviewReply)
        .where(ReviewReply.review_id == Review.id)
        .correlate(Review)
        .scalar_subquery()
    )


def _shows() -> Any:
    """What is seen: reviews of active accounts, and places that replies hang on."""
    stands = (ReviewVersion.id.is_not(None)) & (Account.state == "active")
    return or_(stands, _counted_replies() > 0)


def _shown_rows() -> Select[Any]:
    latest = (
        select(func.max(ReviewVersion.number))
        .where(ReviewVersion.review_id == Review.id)
        .correlate(Review)
        .scalar_subquery()
    )
    statement: Any = (
        select(
            Review, ReviewVersion, Account.name, Account.person_id, Account.state,
            level_column().label("level"), _counted_replies().label("replies"),
        )
        .outerjoin(Account, Account.id == Review.account_id)
        .outerjoin(
            ReviewVersion,
            (ReviewVersion.review_id == Review.id) & (ReviewVersion.number == latest),
        )
    )  # fmt: skip
    return statement  # type: ignore[no-any-return]


def _shown(row: Any) -> Shown:
    place = row.Review
    stands = row.ReviewVersion is not None and row.state == "active"
    return Shown(
        id=place.id,
        work_id=place.work_id,
        account_id=place.account_id if stands else None,
        name=row.name if stands else "",
        person_id=row.person_id if stands else None,
        level=row.level if stands else 0,
        version=_version(row.ReviewVersion) if stands else None,
        versions=row.ReviewVersion.number if stands else 0,
        replies=row.replies,
        created_at=utc(place.created_at),
    )


def _version(row: ReviewVersion) -> Version:
    return Version(
        row.number, row.summary, row.strengths, row.weaknesses, row.questions, row.reproducibility,
        row.confidence, row.relation, utc(row.created_at),
    )  # fmt: skip
