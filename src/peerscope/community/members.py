"""Accounts as admins see them: to give roles, to suspend and restore."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from peerscope.community.models import Account
from peerscope.community.proofs import level_column
from peerscope.community.times import utc

PER_PAGE = 30
LONGEST_QUERY = 254


@dataclass(frozen=True, slots=True)
class Known:
    """An account in the list; its address is not shown."""

    id: int
    name: str
    role: str
    state: str
    level: int
    person_id: int | None
    joined_at: datetime


def found(
    session: Session, query: str, *, kind: str = "", page: int = 1
) -> tuple[list[Known], int]:
    """A page of accounts, by name, and how many there are. One statement.

    Args:
        session: Of the community's database.
        query: Part of a name, a number, or a whole e-mail address: parts of addresses find nothing, so
            that the list does not give them away.
        kind: ``moderator``, ``admin``, ``suspended``, or empty for all.
        page: From 1.
    """
    words = query.strip()[:LONGEST_QUERY]
    statement = select(Account, level_column().label("level"), func.count().over().label("total"))
    if words:
        ways = [
            Account.name.icontains(words, autoescape=True), Account.email == words.casefold(),
        ]  # fmt: skip
        if words.isascii() and words.isdigit() and len(words) <= 15:
            ways.append(Account.id == int(words))
        statement = statement.where(or_(*ways))
    if kind in ("moderator", "admin"):
        statement = statement.where(Account.role == kind)
    elif kind == "suspended":
        statement = statement.where(Account.state == "suspended")
    rows = session.execute(
        statement.order_by(Account.name, Account.id).offset((page - 1) * PER_PAGE).limit(PER_PAGE)
    ).all()
    return [
        Known(
            one.id, one.name, one.role, one.state, level, one.person_id, utc(one.created_at)
        )
        for one, level, _ in rows
    ], rows[0].total if rows else 0  # fmt: skip
