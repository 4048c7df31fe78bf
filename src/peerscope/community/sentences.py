"""Notices as sentences: one table for all kinds, and where each leads.

A kind that is not in the table is told as what happened in its topic, so that a new one is never silent.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from peerscope.community.accounts import names_of
from peerscope.community.meeting_models import Review
from peerscope.community.notices import TOPICS, Told
from peerscope.discover.catalogue import facet_labels
from peerscope.discover.results import work_titles

SOMEBODY = "Somebody"
GONE = "a deleted account"

SENTENCES = {
    "claim.accepted": "Your claim on {what} was accepted.",
    "claim.contested": "Somebody else claims {what} as well.",
    "claim.declined": "Your claim on {what} was declined.",
    "claim.disputed": "More than one account claims {what}; a moderator decides.",
    "claim.moved": "Your claim moved to {what}, with which the record was joined.",
    "claim.open": "Your claim on {what} is not disputed any more, and waits for a proof.",
    "claim.reopened": "Your claim on {what} is open again.",
    "claim.vouch_asked": "{who} asks you to vouch for their claim on {what}.",
    "proof.vouched": "{who} vouched for you.",
    "proof.revoked": "{who} took a vouch for you back.",
    "proof.attested": "{who} wrote down that they checked documents of yours.",
    "proof.expires": "A proof of yours expires soon.",
    "identity.proposed": "Somebody proposed a change to who is who at {what}.",
    "identity.decided": "A change to who is who at {what} was decided.",
    "identity.accepted": "Your request about who is who at {what} was accepted.",
    "identity.declined": "Your request about who is who at {what} was declined.",
    "review.reply": "{who} replied to your review of {what}.",
    "review.removed": "Your review of {what}, or a reply of yours there, was removed.",
    "collection.invited": "{who} invited you to a collection.",
    "collection.joined": "{who} joined your collection.",
    "collection.changed": "{who} changed a collection that you share.",
    "invitation.new": "{who} invites you to work together.",
    "invitation.accepted": "{who} accepted your invitation.",
    "message.new": "{who} wrote to you.",
    "report.decided": "A report of yours was decided.",
    "moderation.hidden": "A moderator hid a text of yours.",
    "moderation.unhidden": "A text of yours that was hidden is shown again.",
}
"""Kind to sentence; ``{who}`` is whose doing it is, ``{what}`` the work or person that it is about."""

_PLACES = {
    "work": "/works/W{}",
    "person": "/people/A{}",
    "topic": "/topics/T{}",
    "collection": "/collections/C{}",
    "conversation": "/talk/T{}",
    "invitation": "/talk#invitation-{}",
    "report": "/notices",
    "review": "/reviews/{}",
}
_OTHERWISE = {
    "claim": "/me",
    "identity": "/me",
    "proof": "/me/proofs",
    "invitation": "/talk",
    "message": "/talk",
}
_TARGET = re.compile(r"([a-z]{1,32}):(\d{1,18})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Sentence:
    """A notice as it is read.

    Attributes:
        id: Number of the notice.
        text: Plain text; it may hold names and titles, so pages escape it.
        detail: One line more, plain text, or empty.
        address: Path on this site that it leads to.
        at: When.
        read: Whether it was taken for read.
    """

    id: int
    text: str
    detail: str
    address: str
    at: datetime
    read: bool


def tell(session: Session, record: Session, notices: Sequence[Told]) -> list[Sentence]:
    """Put notices into words. At most four statements, whatever their number.

    Args:
        session: Of the community's database.
        record: Of the record.
        notices: In any order, which is kept.
    """
    about = [target_of(one.target) for one in notices]
    reviewed = _reviewed(session, {number for kind, number in about if kind == "review" and number})
    works = {number for kind, number in about if kind == "work" and number}
    people = {number for kind, number in about if kind == "person" and number}
    titles = work_titles(record, sorted(works | set(reviewed.values())))
    names = facet_labels(record, "person", [str(number) for number in sorted(people)])
    labels = {f"work:{number}": title for number, title in titles.items()}
    labels |= {f"person:{number}": name for number, name in names.items()}
    labels |= {
        f"review:{number}": titles[work] for number, work in reviewed.items() if work in titles
    }
    actors = {one.actor_id for one in notices if one.actor_id is not None}
    accounts = names_of(session, actors) if actors else {}
    return [sentence(one, accounts, labels) for one in notices]


def _reviewed(session: Session, reviews: set[int]) -> dict[int, int]:
    """The works that reviews are of, by the number of the review."""
    if not reviews:
        return {}
    rows = session.execute(select(Review.id, Review.work_id).where(Review.id.in_(reviews)))
    return {row.id: row.work_id for row in rows}


def sentence(told: Told, accounts: Mapping[int, str], labels: Mapping[str, str]) -> Sentence:
    """Put a notice into words.

    Args:
        told: The notice.
        accounts: Names of accounts.
        labels: Titles of works and names of people by target, as ``work:3``.
    """
    who = SOMEBODY
    if told.actor_id is not None:
        who = accounts.get(told.actor_id, GONE)
    template = SENTENCES.get(told.kind)
    topic = told.kind.partition(".")[0]
    if template is None:
        what_happened = told.kind.partition(".")[2].replace(".", " ").replace("_", " ")
        text = f"{TOPICS.get(topic, 'Something new')}: {what_happened or told.kind}."
    else:
        text = template.format(who=who, what=labels.get(told.target, _plain(told.target)))
        text = text[:1].upper() + text[1:]
    return Sentence(told.id, text, told.detail, address_of(told.target, topic), told.at, told.read)


def target_of(target: str) -> tuple[str, int | None]:
    """Kind and number of a target as ``work:3``; no number where it has another form."""
    match = _TARGET.fullmatch(target)
    return (match[1], int(match[2])) if match else (target, None)


def address_of(target: str, topic: str = "") -> str:
    """The path that a target has on this site; the notices' own where it has none."""
    kind, number = target_of(target)
    if kind in _PLACES and number is not None:
        return _PLACES[kind].format(number)
    return _OTHERWISE.get(topic, "/notices")


def _plain(target: str) -> str:
    kind, _ = target_of(target)
    return {"work": "a work", "person": "a person", "review": "a work"}.get(kind, "a record")
