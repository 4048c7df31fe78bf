"""Who asked not to be shown, or not to be found by search engines; and what people without an account ask."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from peerscope.community import audit, times
from peerscope.community.accounts import clean_email
from peerscope.community.claim_evidence import heirs_of
from peerscope.community.claiming_models import PersonSetting, ReportContact
from peerscope.community.errors import CommunityError, NotAllowedError, NotThereError
from peerscope.community.models import Account, Report
from peerscope.community.moderation import report
from peerscope.community.texts import clean_line, clean_text

ASKS = {
    "hide": "Hide this page",
    "correct": "Something here is wrong",
    "object": "I object to data about me being here",
}
"""What somebody may ask about a person's page, without an account."""

KINDS = tuple(f"person.{ask}" for ask in ASKS)
LONGEST_ASK, LEAST_ASK, LONGEST_CONTACT, LONGEST_WHY = 2_000, 10, 254, 300
DECISIONS = ("hidden", "noindex", "done", "declined")
FRESH = 10.0
"""Seconds after which another process's change of who is hidden is seen here."""


@dataclass(frozen=True, slots=True)
class Kept:
    """People that are kept from everybody, and from search engines."""

    hidden: frozenset[int]
    noindex: frozenset[int]


class KeptPeople:
    """`Kept` of a site, read anew every ten seconds and after a change made here.

    Args:
        reading: Opens a session of the community's database.
    """

    def __init__(self, reading: Callable[[], AbstractContextManager[Session]]) -> None:
        self._reading = reading
        self._lock = threading.Lock()
        self._kept = Kept(frozenset(), frozenset())
        self._until = 0.0

    def now(self) -> Kept:
        """Who is kept back. One statement at most."""
        with self._lock:
            if time.monotonic() >= self._until:
                with self._reading() as session:
                    self._kept = kept_people(session)
                self._until = time.monotonic() + FRESH
            return self._kept

    def forget(self) -> None:
        """Read anew at the next question."""
        with self._lock:
            self._until = 0.0


def kept_people(session: Session) -> Kept:
    """Who is kept back. One statement."""
    rows = session.execute(
        select(PersonSetting.person_id, PersonSetting.hidden, PersonSetting.noindex)
    ).all()
    return Kept(
        frozenset(row.person_id for row in rows if row.hidden),
        frozenset(row.person_id for row in rows if row.noindex or row.hidden),
    )


def set_person(
    session: Session,
    person_id: int,
    account_id: int,
    *,
    hidden: bool | None = None,
    noindex: bool | None = None,
    why: str = "",
) -> None:
    """Keep a person's page back, or show it again; what is ``None`` stays as it is.

    Who may do this is for the caller to see to: `decide_ask` for moderators, owners for ``noindex``.
    """
    row = session.get(PersonSetting, person_id)
    if row is None:
        row = PersonSetting(person_id=person_id, hidden=False, noindex=False, why="")
        session.add(row)
    row.hidden = row.hidden if hidden is None else hidden
    row.noindex = row.noindex if noindex is None else noindex
    row.why = clean_line(why, LONGEST_WHY, "the reason", least=0) or row.why
    row.changed_by, row.changed_at = account_id, times.now()
    audit.record(
        session, audit.actor_of(account_id), "person.setting", f"person:{person_id}",
        hidden=row.hidden, noindex=row.noindex,
    )  # fmt: skip
    if not row.hidden and not row.noindex:
        session.delete(row)
    session.flush()


def ask(session: Session, person_id: int, what: str, text: str, contact: str = "") -> int:
    """Put into the moderators' queue what somebody asks about a person's page; its number there.

    Args:
        session: Of the community's database, writing.
        person_id: Whose page.
        what: One of `ASKS`.
        text: In their words.
        contact: An e-mail address to answer to, if they like; gone once it is decided.

    Raises:
        CommunityError: Something of it cannot be taken.
    """
    if what not in ASKS:
        raise CommunityError("Say what you ask for: one of the three.")
    words = clean_text(text, LONGEST_ASK, "what you ask", least=LEAST_ASK)
    address = clean_email(contact) if contact.strip() else ""
    number = report(session, None, f"person.{what}", f"person:{person_id}", words)
    if address:
        session.add(ReportContact(report_id=number, contact=address))
        session.flush()
    return number


@dataclass(frozen=True, slots=True)
class Asked:
    """An open request about a person's page, as moderators see it."""

    report: Report
    contact: str


def asks_about(session: Session, person_id: int) -> list[Asked]:
    """Open requests about a person's page, the oldest first. One statement."""
    rows = session.execute(
        select(Report, ReportContact.contact)
        .outerjoin(ReportContact, ReportContact.report_id == Report.id)
        .where(
            Report.target == f"person:{person_id}", Report.kind.in_(KINDS), Report.state == "open"
        )
        .order_by(Report.id)
    )
    return [Asked(row, contact or "") for row, contact in rows]


def decide_ask(
    session: Session, moderator_id: int, person_id: int, report_id: int, decision: str, why: str
) -> None:
    """Decide a request as a moderator; the address to answer to is erased with it.

    Raises:
        NotAllowedError: The account moderates nothing.
        NotThereError: There is no such open request about this person.
        CommunityError: There is no such decision.
    """
    _require_moderator(session, moderator_id)
    found = session.get(Report, report_id)
    if (
        found is None
        or found.state != "open"
        or found.kind not in KINDS
        or found.target != f"person:{person_id}"
    ):
        raise NotThereError("There is no such open request.")
    if decision not in DECISIONS:
        raise CommunityError("A decision is one of: hidden, noindex, done, declined.")
    words = clean_line(why, LONGEST_WHY, "the reason", least=0)
    if decision == "hidden":
        set_person(session, person_id, moderator_id, hidden=True, why=words)
    elif decision == "noindex":
        set_person(session, person_id, moderator_id, noindex=True, why=words)
    found.state = "declined" if decision == "declined" else "done"
    found.decision, found.decided_by, found.decided_at = (
        words or decision,
        moderator_id,
        times.now(),
    )
    audit.record(
        session, audit.actor_of(moderator_id), "report.decide", found.target, report=report_id,
        decision=decision,
    )  # fmt: skip
    session.flush()


def show_again(session: Session, moderator_id: int, person_id: int) -> None:
    """Show a hidden page again, or let search engines at one that was shown, as a moderator.

    Raises:
        NotAllowedError: The account moderates nothing.
    """
    _require_moderator(session, moderator_id)
    row = session.get(PersonSetting, person_id)
    if row is not None:
        noindex = None if row.hidden else False
        set_person(session, person_id, moderator_id, hidden=False, noindex=noindex)


def carry_settings(session: Session, record: Session) -> None:
    """Keep back whoever a hidden record was merged into: a merge must not bring a hidden page to light.

    After an undo the other stays kept back until a moderator shows it again.
    """
    rows = {row.person_id: row for row in session.scalars(select(PersonSetting))}
    for old, heir in heirs_of(record, rows).items():
        there = rows.get(heir)
        if there is None:
            there = PersonSetting(person_id=heir, hidden=False, noindex=False)
            session.add(there)
            rows[heir] = there
        carried = (there.hidden or rows[old].hidden, there.noindex or rows[old].noindex)
        if (there.hidden, there.noindex) != carried:
            there.hidden, there.noindex = carried
            there.why, there.changed_by = f"carried over from A{old}", None
            there.changed_at = times.now()
    session.flush()


def _require_moderator(session: Session, account_id: int) -> None:
    account = session.get(Account, account_id)
    if account is None or account.role not in ("moderator", "admin"):
        raise NotAllowedError("Only moderators of this site can do this.")
