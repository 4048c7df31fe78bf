"""What people ask moderators to look at."""

from __future__ import annotations

from sqlalchemy.orm import Session

from peerscope.community import audit
from peerscope.community.models import Report
from peerscope.community.texts import clean_text
from peerscope.community.times import now

LONGEST_REPORT = 2_000


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
