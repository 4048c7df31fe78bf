"""What people ask moderators to look at, and what moderators do about it.

Nobody decides about themselves: not about a report that is about them, about a text that is theirs or was
written to them, or that they made. The operator can, from the command line. Every step is in the audit log
by numbers; the reasons, in words, are kept here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from peerscope.community import audit, meeting_targets, talk_targets  # noqa: F401 - they register
from peerscope.community.changes import keep_out
from peerscope.community.errors import CommunityError, NotAllowedError, NotThereError
from peerscope.community.models import Account, Report
from peerscope.community.notices import notify
from peerscope.community.sentences import target_of
from peerscope.community.talk_models import Measure
from peerscope.community.talk_targets import settle
from peerscope.community.targets import KINDS, Seen, label_of, see
from peerscope.community.texts import clean_line, clean_text
from peerscope.community.times import now, utc

LONGEST_REPORT = 2_000
LONGEST_REASON = 500
PER_PAGE = 20
REASONS = {
    "abuse": "It attacks or harasses somebody",
    "spam": "It is advertising, or sent to many",
    "false": "It states something that is not so",
    "private": "It gives away something private",
    "other": "Something else",
}
"""What may be the matter with a text."""

STATES = ("open", "done", "declined")
ACTIONS = {
    "none": "Do nothing more",
    "hide": "Hide the text",
    "unhide": "Show the text again",
    "remove": "Remove the text for good",
    "suspend": "Suspend the account",
}
"""What a decision may do besides."""


@dataclass(frozen=True, slots=True)
class Judge:
    """Who decides: an account with its role, or the operator (no account)."""

    account_id: int | None
    role: str

    @property
    def actor(self) -> str:
        """How the audit log names them."""
        return audit.actor_of(self.account_id)


OPERATOR = Judge(None, "admin")


@dataclass(frozen=True, slots=True)
class Asked:
    """A report in the queue."""

    id: int
    by: int | None
    kind: str
    target: str
    label: str
    text: str
    at: datetime
    state: str
    decided_by: int | None
    decided_at: datetime | None
    decision: str


@dataclass(frozen=True, slots=True)
class Taken:
    """A measure that was taken, with its reason."""

    kind: str
    target: str
    reason: str
    by: int | None
    at: datetime


def report(session: Session, account_id: int | None, kind: str, target: str, text: str) -> int:
    """Put something into the moderators' queue; its number there.

    Args:
        session: Of the community's database, writing.
        account_id: Who reports it; ``None`` for somebody without an account.
        kind: What is the matter, as ``abuse`` or ``error``; at most 32 characters.
        target: What it is about, as ``review:12``.
        text: Why, in their words.

    Raises:
        CommunityError: The text is empty or too long.
    """
    row = Report(
        account_id=account_id, kind=kind, target=target, created_at=now(), state="open",
        text=clean_text(text, LONGEST_REPORT, "a report"),
    )  # fmt: skip
    session.add(row)
    session.flush()
    actor = audit.actor_of(account_id) if account_id is not None else "visitor"
    audit.record(session, actor, "report.add", target, report=row.id, kind=kind)
    return row.id


def queue(
    session: Session, *, state: str = "open", kind: str = "", page: int = 1
) -> tuple[list[Asked], int]:
    """A page of reports, the oldest open ones and the latest decided ones first, and how many there are.

    Args:
        session: Of the community's database.
        state: One of `STATES`; another means all.
        kind: Only those of this kind of target, as ``message``.
        page: From 1.
    """
    statement = select(Report, func.count().over().label("total"))
    if state in STATES:
        statement = statement.where(Report.state == state)
    if kind:
        statement = statement.where(Report.target.startswith(f"{kind}:", autoescape=True))
    order = Report.id.asc() if state == "open" else Report.id.desc()
    rows = session.execute(
        statement.order_by(order).offset((page - 1) * PER_PAGE).limit(PER_PAGE)
    ).all()
    return [_asked(row.Report) for row in rows], rows[0].total if rows else 0


def find_report(session: Session, report_id: int) -> Asked:
    """One report.

    Raises:
        NotThereError: There is none.
    """
    row = session.get(Report, report_id)
    if row is None:
        raise NotThereError("There is no such report.")
    return _asked(row)


def look(session: Session, judge: Judge, asked: Asked) -> Seen | None:
    """What a report is about, as it is now; that somebody looked at private words is written down.

    Raises:
        NotAllowedError: It is about the asking account, or a text of or to it.
    """
    seen = see(session, asked.target)
    why = conflict(judge, asked, seen)
    if why:
        raise NotAllowedError(why)
    if seen is not None and seen.private:
        audit.record(session, judge.actor, "report.look", asked.target, report=asked.id)
    return seen


def conflict(judge: Judge, asked: Asked, seen: Seen | None) -> str:
    """Why somebody must not decide a report; empty where they may."""
    mine = judge.account_id
    if mine is None:
        return ""
    if asked.by == mine:
        return "You made this report: somebody else decides it."
    if seen is not None and (seen.owner_id == mine or mine in seen.involved):
        return (
            "This report is about you, or about words of yours or to you: somebody else decides it."
        )
    return ""


def decide(
    session: Session,
    judge: Judge,
    report_id: int,
    state: str,
    decision: str,
    action: str = "none",
) -> None:
    """Decide a report; who made it is told.

    Args:
        session: Of the community's database, writing.
        judge: Who decides.
        report_id: The report.
        state: ``done`` or ``declined``.
        decision: Why, in a sentence or two; whoever reported it reads it.
        action: One of `ACTIONS`, with the decision as its reason.

    Raises:
        CommunityError: The state or action is none, it was decided before, or there is nothing to hide.
        NotAllowedError: The judge is concerned, or may not suspend this account.
        NotThereError: There is no such report.
    """
    if state not in STATES[1:] or action not in ACTIONS:
        raise CommunityError("Say whether something is done about it or not.")
    words = clean_line(decision, LONGEST_REASON, "a decision")
    row = session.get(Report, report_id, with_for_update=True)
    if row is None:
        raise NotThereError("There is no such report.")
    if row.state != "open":
        raise CommunityError("This report was decided before.")
    asked, seen = _asked(row), see(session, row.target)
    why = conflict(judge, asked, seen)
    if why:
        raise NotAllowedError(why)
    row.state, row.decided_by, row.decided_at = state, judge.account_id, now()
    row.decision = words
    if action in ("hide", "unhide"):
        hide(session, judge, row.target, words, hidden=action == "hide", report_id=report_id)
    elif action == "remove":
        _remove(session, judge, row.target, words, seen, report_id)
    elif action == "suspend":
        owner = seen.owner_id if seen is not None else None
        if owner is None:
            raise CommunityError("There is no account behind this that could be suspended.")
        suspend(session, judge, owner, words, report_id=report_id)
    session.flush()
    settle(session, row.target)
    audit.record(session, judge.actor, f"report.{state}", row.target, report=report_id)
    if row.account_id is not None:
        notify(session, row.account_id, "report.decided", f"report:{report_id}", detail=words)


def hide(
    session: Session,
    judge: Judge,
    target: str,
    reason: str,
    *,
    hidden: bool,
    report_id: int | None = None,
) -> None:
    """Hide a text, or show it again; its author is told why.

    Raises:
        CommunityError: The reason is empty or too long, or this kind cannot be hidden.
        NotAllowedError: It is the judge's own.
        NotThereError: It is gone.
    """
    words = clean_line(reason, LONGEST_REASON, "a reason")
    kind, number = target_of(target)
    seen = see(session, target)
    if seen is None or number is None:
        raise NotThereError("It is gone, so there is nothing to hide.")
    hiding = KINDS[kind].hide
    if hiding is None:
        raise CommunityError(f"{label_of(target)} cannot be hidden.")
    if judge.account_id is not None and judge.account_id in seen.involved | {seen.owner_id}:
        raise NotAllowedError("These are words of yours or to you: somebody else decides.")
    hiding(session, number, hidden)
    _take(session, judge, "hide" if hidden else "unhide", target, words, seen.owner_id, report_id)
    if seen.owner_id is not None:
        what = "moderation.hidden" if hidden else "moderation.unhidden"
        notify(session, seen.owner_id, what, target, detail=words)


def suspend(
    session: Session, judge: Judge, account_id: int, reason: str, *, report_id: int | None = None
) -> None:
    """Keep an account out until it is restored; its sessions end at once.

    Raises:
        CommunityError: The reason is empty or too long, or it is suspended already.
        NotAllowedError: It is one's own, the last admin's, or one that the judge has no power over.
        NotThereError: There is no such account.
    """
    account = _other(session, judge, account_id)
    words = clean_line(reason, LONGEST_REASON, "a reason")
    if account.state != "active":
        raise CommunityError("This account is suspended already.")
    keep_out(session, account)
    _take(session, judge, "suspend", f"account:{account_id}", words, account_id, report_id)


def restore(session: Session, judge: Judge, account_id: int, reason: str) -> None:
    """Let a suspended account in again.

    Raises:
        CommunityError: The reason is empty or too long, or it is not suspended.
        NotAllowedError: It is one's own, or one that the judge has no power over.
        NotThereError: There is no such account.
    """
    account = _other(session, judge, account_id)
    words = clean_line(reason, LONGEST_REASON, "a reason")
    if account.state == "active":
        raise CommunityError("This account is not suspended.")
    account.state = "active"
    _take(session, judge, "restore", f"account:{account_id}", words, account_id, None)


def measures_of(session: Session, targets: Sequence[str]) -> list[Taken]:
    """What was done to targets and why, the latest first. One statement."""
    rows = session.scalars(
        select(Measure).where(Measure.target.in_(targets)).order_by(Measure.id.desc())
    )
    return [
        Taken(row.kind, row.target, row.reason, row.made_by, utc(row.created_at)) for row in rows
    ]


def exported(session: Session, account_id: int) -> dict[str, object]:
    """Everything that is kept of an account here: its reports, and what was done to texts of its."""
    reports = session.scalars(
        select(Report).where(Report.account_id == account_id).order_by(Report.id)
    )
    measures = session.scalars(
        select(Measure).where(Measure.account_id == account_id).order_by(Measure.id)
    )
    return {
        "reports": [
            {
                "about": row.target, "kind": row.kind, "text": row.text, "state": row.state,
                "decision": row.decision, "at": utc(row.created_at).isoformat(),
            }
            for row in reports
        ],
        "measures": [
            {
                "kind": row.kind, "about": row.target, "reason": row.reason,
                "at": utc(row.created_at).isoformat(),
            }
            for row in measures
        ],
    }  # fmt: skip


def _remove(
    session: Session, judge: Judge, target: str, reason: str, seen: Seen | None, report_id: int
) -> None:
    kind, number = target_of(target)
    if seen is None or number is None:
        raise NotThereError("It is gone, so there is nothing to remove.")
    removing = KINDS[kind].remove
    if removing is None:
        raise CommunityError(f"{label_of(target)} cannot be removed.")
    removing(session, judge.account_id, number)
    _take(session, judge, "remove", target, reason, seen.owner_id, report_id)


def _other(session: Session, judge: Judge, account_id: int) -> Account:
    """An account that a judge may suspend or restore: never their own, nor one of their rank."""
    account = session.get(Account, account_id, with_for_update=True)
    if account is None:
        raise NotThereError("There is no such account.")
    if account_id == judge.account_id:
        raise NotAllowedError("This is your own account.")
    if account.role != "member" and judge.role != "admin":
        raise NotAllowedError("Only an admin can suspend or restore a moderator or an admin.")
    return account


def _take(
    session: Session,
    judge: Judge,
    kind: str,
    target: str,
    reason: str,
    account_id: int | None,
    report_id: int | None,
) -> None:
    row = Measure(
        account_id=account_id, kind=kind, target=target, reason=reason, made_by=judge.account_id,
        report_id=report_id, created_at=now(),
    )  # fmt: skip
    session.add(row)
    session.flush()
    audit.record(session, judge.actor, f"moderation.{kind}", target, measure=row.id)


def _asked(row: Report) -> Asked:
    return Asked(
        row.id, row.account_id, row.kind, row.target, label_of(row.target), row.text,
        utc(row.created_at), row.state, row.decided_by,
        utc(row.decided_at) if row.decided_at else None, row.decision,
    )  # fmt: skip
