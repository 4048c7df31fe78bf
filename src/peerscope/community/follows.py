"""What accounts follow: people, topics, institutions, venues, collections and searches.

How many follow something is shown; who does is not, unless a follower chose to be seen.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, literal, null, or_, select, update
from sqlalchemy.orm import Session

from peerscope.community.errors import CommunityError, NotThereError
from peerscope.community.meeting_models import Follow
from peerscope.community.models import Account
from peerscope.community.times import now, utc
from peerscope.discover.catalogue import facet_labels

KINDS = {"A": "person", "T": "topic", "I": "institution", "S": "venue", "C": "collection"}
"""Letter of what can be followed to its name; searches are followed by their address."""

MOST_FOLLOWS = 500
MOST_SEARCHES = 30
"""Searches take a query each when it is looked what is new."""

LONGEST_ADDRESS = 4_000
SHOWN_FOLLOWERS = 12

_TARGET = re.compile(r"[ATISC][1-9]\d{0,14}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Followed:
    """Something that an account follows, and up to where it was looked at."""

    id: int
    target: str
    visible: bool
    seen_seq: int
    seen_at: datetime
    created_at: datetime

    @property
    def letter(self) -> str:
        """What it is: one of `KINDS`; empty for a search."""
        return "" if self.target.startswith("/") else self.target[0]

    @property
    def number(self) -> int:
        """The number of what is followed; 0 for a search."""
        return int(self.target[1:]) if self.letter else 0


@dataclass(frozen=True, slots=True)
class Following:
    """How something is followed: by how many, by whom of those who said so, and by the one who asks."""

    target: str
    count: int = 0
    names: tuple[str, ...] = ()
    mine: bool = False
    visible: bool = False


def checked_target(given: str) -> str:
    """What may be followed: a letter and a number, or the address of a search of this site.

    Raises:
        CommunityError: It is neither.
    """
    if _TARGET.fullmatch(given):
        return given
    if given.startswith("/search?") and len(given) <= LONGEST_ADDRESS and given.isascii():
        return given
    raise CommunityError(
        "This cannot be followed: a person, topic, institution, venue, collection or search can."
    )


def follow(
    session: Session, account_id: int, target: str, seq: int, *, visible: bool = False
) -> None:
    """Follow something from now on; what is followed already stays as it is, but for ``visible``.

    Args:
        session: Of the community's database, writing.
        account_id: Who follows.
        target: From `checked_target`; that it exists is asked before.
        seq: The record's change number: what comes after it is new.
        visible: Whether others may see that they do.

    Raises:
        CommunityError: It cannot be followed, or they follow as much as is allowed.
    """
    target = checked_target(target)
    mine = select(Follow).where(Follow.account_id == account_id)
    there = session.scalar(mine.where(Follow.target == target))
    if there is not None:
        there.visible = visible
        return
    targets = session.scalars(select(Follow.target).where(Follow.account_id == account_id)).all()
    searches = sum(one.startswith("/") for one in targets)
    if len(targets) >= MOST_FOLLOWS:
        raise CommunityError(f"You follow {MOST_FOLLOWS} already; unfollow something first.")
    if target.startswith("/") and searches >= MOST_SEARCHES:
        raise CommunityError(f"You follow {MOST_SEARCHES} searches already; unfollow one first.")
    moment = now()
    session.add(
        Follow(
            account_id=account_id, target=target, visible=visible, seen_seq=seq, seen_at=moment,
            created_at=moment,
        )
    )  # fmt: skip
    session.flush()


def unfollow(session: Session, account_id: int, target: str) -> bool:
    """Follow something no longer; whether it was followed."""
    done = session.execute(
        delete(Follow).where(Follow.account_id == account_id, Follow.target == target)
    )
    return bool(done.rowcount)  # type: ignore[attr-defined]


def show(session: Session, account_id: int, follow_id: int, visible: bool) -> None:
    """Let others see that an account follows something, or not.

    Raises:
        NotThereError: It is no follow of this account.
    """
    done = session.execute(
        update(Follow)
        .where(Follow.id == follow_id, Follow.account_id == account_id)
        .values(visible=visible)
    )
    if not done.rowcount:  # type: ignore[attr-defined]
        raise NotThereError("You do not follow this.")


def mark_seen(
    session: Session, account_id: int, seq: int, at: datetime, follow_id: int | None = None
) -> None:
    """Note up to where an account looked, for one follow or all; it never goes back.

    Args:
        session: Of the community's database, writing.
        account_id: Whose follows.
        seq: The record's change number on the page that was looked at.
        at: When that page was made.
        follow_id: One of them; ``None`` for all.
    """
    moment = min(at, now())
    mine = update(Follow).where(Follow.account_id == account_id)
    if follow_id is not None:
        mine = mine.where(Follow.id == follow_id)
    session.execute(mine.where(Follow.seen_seq < seq).values(seen_seq=seq))
    session.execute(mine.where(Follow.seen_at < moment).values(seen_at=moment))


def follows_of(session: Session, account_id: int) -> list[Followed]:
    """Everything that an account follows, the latest first. One statement."""
    rows = session.scalars(
        select(Follow)
        .where(Follow.account_id == account_id)
        .order_by(Follow.created_at.desc(), Follow.id.desc())
    )
    return [
        Followed(
            row.id, row.target, row.visible, row.seen_seq, utc(row.seen_at), utc(row.created_at)
        )
        for row in rows
    ]


def following(session: Session, target: str, account_id: int | None = None) -> Following:
    """How something is followed, for whoever asks. One statement.

    Args:
        session: Of the community's database.
        target: A letter and a number, or the address of a search.
        account_id: Who asks, to whom it says whether they follow; ``None`` for anybody.
    """
    here = (
        select(Follow.account_id, Follow.visible, Account.name)
        .join(Account, Account.id == Follow.account_id)
        .where(Follow.target == target, Account.state == "active")
    ).subquery()
    seen = (
        select(here.c.account_id, here.c.visible, here.c.name)
        .where(or_(here.c.visible, here.c.account_id == (account_id or 0)))
        .order_by(here.c.account_id != (account_id or 0), here.c.name, here.c.account_id)
        .limit(SHOWN_FOLLOWERS + 1)
        .subquery()
    )
    total: Any = select(literal("count"), func.count(), null(), null()).select_from(here)
    each: Any = select(literal("one"), seen.c.account_id, seen.c.visible, seen.c.name)
    names: list[str] = []
    count, mine, visible = 0, False, False
    for kind, number, is_visible, name in session.execute(total.union_all(each)):
        if kind == "count":
            count = number
            continue
        if is_visible and len(names) < SHOWN_FOLLOWERS:
            names.append(name)
        if number == account_id:
            mine, visible = True, bool(is_visible)
    return Following(target, count, tuple(sorted(names)), mine, visible)


def labels(record: Session, targets: Sequence[str]) -> Mapping[str, str]:
    """Names of people, topics, institutions and venues that are followed; a statement for each kind."""
    found: dict[str, str] = {}
    for letter, facet in KINDS.items():
        numbers = [target[1:] for target in targets if target[:1] == letter]
        named = facet_labels(record, facet, numbers)
        found |= {f"{letter}{number}": name for number, name in named.items()}
    return found


def exported(session: Session, account_id: int) -> dict[str, object]:
    """Everything that is kept of what an account follows."""
    return {
        "follows": [
            {
                "target": one.target,
                "visible": one.visible,
                "since": one.created_at.isoformat(),
                "seen_at": one.seen_at.isoformat(),
            }
            for one in follows_of(session, account_id)
        ]
    }
