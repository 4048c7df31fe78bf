"""What the owner of a record says of themselves, and which works they say are theirs.

Nothing of it exists before its owner wrote it, and none of it is shown once the record is theirs no longer.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from urllib.parse import urlsplit

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from peerscope.community import audit, times
from peerscope.community.claim_evidence import current_person, facts_of
from peerscope.community.claiming import require_owner
from peerscope.community.claiming_models import (
    ClaimOnRecord,
    Profile,
    WorkConfirmation,
)
from peerscope.community.errors import CommunityError, NotThereError
from peerscope.community.models import Account
from peerscope.community.proofs import YEAR
from peerscope.community.texts import clean_line, clean_text
from peerscope.record.models import Authorship, Work

LONGEST_BIO, LONGEST_AVAILABLE, LONGEST_LINE, LONGEST_NAME = 1_000, 200, 200, 100
MOST_LINKS, LONGEST_LINK, MOST_HIGHLIGHTS = 5, 300, 5
VERDICTS = ("mine", "not_mine")


@dataclass(frozen=True, slots=True)
class Highlight:
    """A chosen work with its owner's line."""

    work_id: int
    line: str


@dataclass(frozen=True, slots=True)
class Said:
    """What an owner says, as it is shown.

    ``available_for`` is empty unless they set it within the last year (``available_since``); it holds until
    ``available_until``. ``lapsed`` says that it did until a year after they set it.
    """

    bio: str = ""
    preferred_name: str = ""
    available_for: str = ""
    available_since: datetime | None = None
    available_until: datetime | None = None
    lapsed: str = ""
    links: tuple[str, ...] = ()
    highlights: tuple[Highlight, ...] = ()


@dataclass(frozen=True, slots=True)
class Words:
    """What an owner sends to be kept."""

    bio: str = ""
    preferred_name: str = ""
    available_for: str = ""
    links: Sequence[str] = ()
    highlights: Sequence[tuple[str, str]] = ()


def said_by(session: Session, account_id: int, profile: Profile | None = None) -> Said:
    """What an account says of itself. One statement, none where the profile was read before."""
    kept = profile or session.get(Profile, account_id)
    if kept is None:
        return Said()
    chosen = [one.partition(" ") for one in kept.highlights.split("\n") if one]
    since = times.utc(kept.available_since) if kept.available_since else None
    until = since + YEAR if since else None
    holds = until is not None and until > times.now()
    return Said(
        kept.bio, kept.preferred_name, kept.available_for if holds else "",
        since if holds else None, until if holds else None, "" if holds else kept.available_for,
        tuple(kept.links.split()), tuple(Highlight(int(work), line) for work, _, line in chosen),
    )  # fmt: skip


def save_profile(
    session: Session, record: Session, account_id: int, person_id: int, words: Words
) -> None:
    """Keep what the owner of a record says, in place of what they said before.

    Raises:
        NotAllowedError: The account does not own the record.
        CommunityError: Something of it cannot be taken; the sentence says what.
    """
    require_owner(session, person_id, account_id)
    person = current_person(record, person_id)
    if person is None:
        raise NotThereError("There is no such person in this record.")
    preferred = clean_line(words.preferred_name, LONGEST_NAME, "the name", least=0)
    if preferred and not facts_of(record, person).bears_in_full(preferred):
        raise CommunityError(
            f"“{preferred}” is not compatible with the names in the record. A name that your works do "
            "not carry can be added by importing a source that does."
        )
    links = [clean_link(one) for one in words.links if one.strip()]
    if len(links) > MOST_LINKS:
        raise CommunityError(f"At most {MOST_LINKS} links.")
    highlights = _highlights(record, person.id, words.highlights)
    kept = session.get(Profile, account_id)
    if kept is None:
        kept = Profile(account_id=account_id)
        session.add(kept)
    kept.bio = clean_text(words.bio, LONGEST_BIO, "the text about you", least=0)
    kept.preferred_name, kept.updated_at = preferred, times.now()
    _set_available(kept, words.available_for)
    kept.links = "\n".join(dict.fromkeys(links))
    kept.highlights = "\n".join(f"{one.work_id} {one.line}" for one in highlights)
    session.flush()
    audit.record(session, audit.actor_of(account_id), "profile.save", f"person:{person_id}")


def _set_available(kept: Profile, words: str) -> None:
    """Saving renews it: whoever sends it again says it again."""
    kept.available_for = clean_line(words, LONGEST_AVAILABLE, "what you are open to", least=0)
    kept.available_since = times.now() if kept.available_for else None


def _highlights(
    record: Session, person_id: int, given: Sequence[tuple[str, str]]
) -> list[Highlight]:
    chosen: dict[int, str] = {}
    for number, line in given:
        wanted = number.strip().lstrip("Ww")
        if not wanted and not line.strip():
            continue
        if not wanted.isascii() or not wanted.isdigit() or len(wanted) > 15:
            raise CommunityError(f"“{number[:40]}” is not the number of a work, as W12 is one.")
        chosen[int(wanted)] = clean_line(line, LONGEST_LINE, "a line about a work")
    if len(chosen) > MOST_HIGHLIGHTS:
        raise CommunityError(f"At most {MOST_HIGHLIGHTS} works.")
    strange = sorted(chosen.keys() - works_of(record, person_id, chosen))
    if strange:
        raise CommunityError(f"W{strange[0]} is not a work of this record.")
    return [Highlight(work, line) for work, line in chosen.items()]


def clean_link(given: str) -> str:
    """An address of a page elsewhere as it is kept.

    Raises:
        CommunityError: It is none that a reader could follow.
    """
    url = given.strip()
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        host = None
    if (
        host is None
        or parts.scheme not in ("http", "https")
        or len(url) > LONGEST_LINK
        or not url.isprintable()
        or any(c.isspace() or c in "\"'<>\\`" for c in url)
        or "@" in parts.netloc
        or "." not in host.strip(".")
    ):
        raise CommunityError(
            f"A link is a whole address with http:// or https://, of at most {LONGEST_LINK} characters."
        )
    return url


def works_of(record: Session, person_id: int, works: Collection[int]) -> set[int]:
    """Those of the works that the record gives to a person. One statement."""
    found = record.scalars(
        select(Authorship.work_id)
        .join(Work, Work.id == Authorship.work_id)
        .where(
            Authorship.person_id == person_id, Authorship.work_id.in_(works),
            Work.deleted_at.is_(None),
        )
    )  # fmt: skip
    return set(found)


def say_of_works(
    session: Session,
    record: Session,
    account_id: int,
    person_id: int,
    works: Collection[int],
    verdict: str,
) -> int:
    """Confirm works of one's record as one's own, or say that they are not; how many.

    "Not mine" changes nothing in the record by itself: it is the first step in the identity workbench.

    Raises:
        NotAllowedError: The account does not own the record.
        NotThereError: A work is not of this record.
        CommunityError: There is no such verdict.
    """
    require_owner(session, person_id, account_id)
    if verdict not in VERDICTS:
        raise CommunityError("A work is yours, or it is not yours.")
    wanted = set(works)
    if not wanted or works_of(record, person_id, wanted) != wanted:
        raise NotThereError("There is no such work of this record.")
    there = {
        row.work_id: row
        for row in session.scalars(
            select(WorkConfirmation).where(
                WorkConfirmation.account_id == account_id, WorkConfirmation.work_id.in_(wanted)
            )
        )
    }
    for work in sorted(wanted):
        row = there.get(work) or WorkConfirmation(account_id=account_id, work_id=work)
        row.verdict, row.at = verdict, times.now()
        session.add(row)
    session.flush()
    audit.record(
        session, audit.actor_of(account_id), "work.confirm", f"person:{person_id}",
        works=len(wanted), verdict=verdict,
    )  # fmt: skip
    return len(wanted)


def unsay(session: Session, account_id: int, work_id: int) -> None:
    """Take back what one said of a work."""
    session.execute(
        delete(WorkConfirmation).where(
            WorkConfirmation.account_id == account_id, WorkConfirmation.work_id == work_id
        )
    )


def verdicts_of(session: Session, account_id: int) -> dict[int, str]:
    """What an account said of works. One statement."""
    rows = session.execute(
        select(WorkConfirmation.work_id, WorkConfirmation.verdict).where(
            WorkConfirmation.account_id == account_id
        )
    )
    return {row.work_id: row.verdict for row in rows}


def confirmed_works(session: Session, person_id: int) -> dict[int, date]:
    """Works that the owner of a record said are theirs, with the day. One statement.

    What somebody said who owns the record no longer does not count, nor what they took back.
    """
    rows = session.execute(
        select(WorkConfirmation.work_id, WorkConfirmation.at)
        .join(ClaimOnRecord, ClaimOnRecord.account_id == WorkConfirmation.account_id)
        .join(Account, Account.id == WorkConfirmation.account_id)
        .where(
            ClaimOnRecord.person_id == person_id, ClaimOnRecord.state == "accepted",
            Account.state == "active", WorkConfirmation.verdict == "mine",
        )
    )  # fmt: skip
    return {row.work_id: times.utc(row.at).date() for row in rows}


def exported(session: Session, account_id: int) -> dict[str, object]:
    """Claims, profile and confirmations of an account, as plain values."""
    claims = session.scalars(select(ClaimOnRecord).where(ClaimOnRecord.account_id == account_id))
    kept = session.get(Profile, account_id)
    said = said_by(session, account_id, kept)
    marks = session.scalars(
        select(WorkConfirmation)
        .where(WorkConfirmation.account_id == account_id)
        .order_by(WorkConfirmation.work_id)
    )
    return {
        "claims_on_records": [
            {
                "person": one.person_id, "claimed": one.claimed_id, "state": one.state,
                "route": one.route, "note": one.note, "evidence": one.evidence,
                "reason": one.reason, "created_at": times.utc(one.created_at).isoformat(),
                "decided_at": times.utc(one.decided_at).isoformat() if one.decided_at else None,
            }
            for one in claims
        ],
        "profile": None
        if kept is None
        else {
            "bio": said.bio, "preferred_name": said.preferred_name,
            "available_for": said.available_for or said.lapsed,
            "available_since": times.utc(kept.available_since).isoformat()
            if kept.available_since
            else None,
            "links": list(said.links),
            "highlights": [{"work": one.work_id, "line": one.line} for one in said.highlights],
        },
        "work_confirmations": [
            {"work": one.work_id, "verdict": one.verdict, "at": times.utc(one.at).isoformat()}
            for one in marks
        ],
    }  # fmt: skip
