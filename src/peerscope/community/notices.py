"""What an account is told about: replies, invitations, decisions on what it asked for."""

from __future__ import annotations

from sqlalchemy.orm import Session

from peerscope.community.models import Notice
from peerscope.community.times import now


def notify(
    session: Session,
    account_id: int,
    kind: str,
    target: str,
    *,
    actor_id: int | None = None,
    detail: str = "",
) -> None:
    """Tell an account something, in the transaction in which it happens.

    Args:
        session: Of the community's database, writing.
        account_id: Who is told.
        kind: What happened, as ``claim.accepted``; at most 32 characters.
        target: What it is about, as ``person:12`` or ``work:3``.
        actor_id: Whose doing it is, if an account's; nobody is told of their own.
        detail: One line more.
    """
    if actor_id != account_id:
        session.add(
            Notice(
                account_id=account_id, kind=kind, target=target, actor_id=actor_id, detail=detail,
                created_at=now(),
            )
        )  # fmt: skip
