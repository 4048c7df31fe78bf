"""Likes and dislikes, and specific reactions that ask for a line of evidence.

One account has one vote on a work. Specific reactions are shown by kind with their evidence; they are never
added up into one figure, and nothing here orders works or people. What an author says of the own work is
told apart and counted for nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from peerscope.community import audit
from peerscope.community.errors import CommunityError, NotAllowedError, NotThereError
from peerscope.community.meeting_models import Reaction, Vote
from peerscope.community.models import Account
from peerscope.community.proofs import level_of
from peerscope.community.texts import clean_line
from peerscope.community.times import now, utc
from peerscope.record.read.shapes import PageOf

LEAST_EVIDENCE, MOST_EVIDENCE = 10, 300
LONGEST_LINK = 500
NEEDED = "This needs an account with a confirmed e-mail address (level L1)."


@dataclass(frozen=True, slots=True)
class Kind:
    """A specific reaction: what it is called, and the evidence that it asks for."""

    label: str
    asks: str


KINDS = {
    "reproduced": Kind("Reproduced", "What did you run, and what came out?"),
    "used-in-my-work": Kind("Used in my work", "Where, and what for?"),
    "clear": Kind("Clear", "What is explained well?"),
    "found-error": Kind("Found an error", "Where is it, and what would be right?"),
    "missing-baseline": Kind("Missing baseline", "Which comparison is missing?"),
    "needs-data": Kind("Needs data", "Which data or code would one need?"),
}


@dataclass(frozen=True, slots=True)
class Shown:
    """A specific reaction as it is shown."""

    id: int
    kind: str
    evidence: str
    link: str
    account_id: int
    name: str
    person_id: int | None
    created_at: datetime
    changed_at: datetime


def vote(session: Session, account_id: int, work_id: int, value: int) -> None:
    """Like (1) or dislike (-1) a work, instead of what was said before, or take that back (0).

    Raises:
        CommunityError: It is another value.
    """
    if value not in (-1, 0, 1):
        raise CommunityError("A work can be liked or disliked, or neither.")
    there = session.get(Vote, (account_id, work_id))
    if value == 0:
        if there is not None:
            session.delete(there)
    elif there is None:
        session.add(Vote(account_id=account_id, work_id=work_id, value=value, at=now()))
    elif there.value != value:
        there.value, there.at = value, now()
    session.flush()


def react(
    session: Session, account_id: int, work_id: int, kind: str, evidence: str, link: str = ""
) -> int:
    """Say something specific of a work, or change what one said of this kind; its number.

    Args:
        session: Of the community's database, writing.
        account_id: Of level L1 or above.
        work_id: That it is in the record is asked before.
        kind: One of `KINDS`.
        evidence: One line.
        link: Where the evidence is, with http or https; may be empty.

    Raises:
        NotAllowedError: The account has no confirmed address.
        CommunityError: There is no such kind, or a part cannot be taken.
    """
    if level_of(session, account_id) < 1:
        raise NotAllowedError(NEEDED)
    if kind not in KINDS:
        raise CommunityError(f"There is no such reaction; there are {', '.join(KINDS)}.")
    evidence = clean_line(evidence, MOST_EVIDENCE, "the evidence", least=LEAST_EVIDENCE)
    link, moment = checked_link(link), now()
    row = session.scalar(
        select(Reaction).where(
            Reaction.account_id == account_id, Reaction.work_id == work_id, Reaction.kind == kind
        )
    )
    if row is None:
        row = Reaction(
            account_id=account_id, work_id=work_id, kind=kind, evidence=evidence, link=link,
            created_at=moment, changed_at=moment,
        )  # fmt: skip
        session.add(row)
        session.flush()
        actor = audit.actor_of(account_id)
        audit.record(session, actor, "reaction.add", f"work:{work_id}", reaction=row.id, kind=kind)
    else:
        row.evidence, row.link, row.changed_at = evidence, link, moment
    return row.id


def checked_link(given: str) -> str:
    """A link that may be shown: to a host, over http or https; or empty.

    Raises:
        CommunityError: It is another one, or too long.
    """
    link = clean_line(given, LONGEST_LINK, "a link", least=0)
    if not link:
        return ""
    try:
        parts = urlsplit(link)
        host = parts.hostname
    except ValueError:
        host = None
    if host is None or parts.scheme not in ("http", "https") or " " in link or parts.username:
        raise CommunityError("A link begins with https:// or http:// and a host.")
    return link


def take_back(
    session: Session, account_id: int | None, reaction_id: int, *, moderates: bool = False
) -> int:
    """Remove a specific reaction: one's own, or any as a moderator. The work that it was on.

    Raises:
        NotThereError: There is none, or it is another's.
    """
    row = session.get(Reaction, reaction_id)
    if row is None or not (moderates or row.account_id == account_id):
        raise NotThereError("There is no such reaction of yours.")
    work_id = row.work_id
    session.execute(delete(Reaction).where(Reaction.id == reaction_id))
    audit.record(
        session, audit.actor_of(account_id), "reaction.remove", f"work:{work_id}",
        reaction=reaction_id, moderates=row.account_id != account_id,
    )  # fmt: skip
    return work_id


def reactions_of(
    session: Session, work_id: int, kind: str = "", page: int = 1, per_page: int = 40
) -> PageOf[Shown]:
    """Specific reactions to a work, the latest first. One statement.

    Args:
        session: Of the community's database.
        work_id: The work.
        kind: One of `KINDS`; empty for all.
        page: From 1.
        per_page: How many a page has.
    """
    where = [Reaction.work_id == work_id, Account.state == "active"]
    if kind:
        where.append(Reaction.kind == kind)
    rows = session.execute(
        select(Reaction, Account.name, Account.person_id, func.count().over())
        .join(Account, Account.id == Reaction.account_id)
        .where(*where)
        .order_by(Reaction.created_at.desc(), Reaction.id.desc())
        .offset((page - 1) * per_page)
        .limit(per_page)
    ).all()
    found = tuple(
        Shown(
            row.id, row.kind, row.evidence, row.link, row.account_id, name, person,
            utc(row.created_at), utc(row.changed_at),
        )
        for row, name, person, _ in rows
    )  # fmt: skip
    return PageOf(found, rows[0][3] if rows else 0, page, per_page)


def mine_of(session: Session, account_id: int, work_id: int) -> dict[str, tuple[int, str, str]]:
    """An account's own specific reactions to a work: kind to number, evidence and link. One statement."""
    rows = session.execute(
        select(Reaction.kind, Reaction.id, Reaction.evidence, Reaction.link).where(
            Reaction.account_id == account_id, Reaction.work_id == work_id
        )
    )
    return {kind: (number, evidence, link) for kind, number, evidence, link in rows}


def exported(session: Session, account_id: int) -> dict[str, object]:
    """Everything that is kept of an account's votes and reactions."""
    votes = session.scalars(
        select(Vote).where(Vote.account_id == account_id).order_by(Vote.at, Vote.work_id)
    )
    said = session.scalars(
        select(Reaction).where(Reaction.account_id == account_id).order_by(Reaction.id)
    )
    return {
        "votes": [
            {
                "work": f"W{row.work_id}",
                "vote": "like" if row.value > 0 else "dislike",
                "at": utc(row.at).isoformat(),
            }
            for row in votes
        ],
        "reactions": [
            {
                "work": f"W{row.work_id}",
                "kind": row.kind,
                "evidence": row.evidence,
                "link": row.link,
                "created_at": utc(row.created_at).isoformat(),
                "changed_at": utc(row.changed_at).isoformat(),
            }
            for row in said
        ],
    }
