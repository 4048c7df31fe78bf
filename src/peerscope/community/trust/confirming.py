"""Works of which the owner of a record says that they are theirs."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from peerscope.community import audit
from peerscope.community.errors import NotAllowedError, NotThereError
from peerscope.community.models import Account, ConfirmedWork
from peerscope.community.times import now


def confirm(
    session: Session, account_id: int, person: int, works: Collection[int], *, back: bool = False
) -> None:
    """Say that works are one's own; what was said before stays.

    Args:
        session: Of the community's database, writing.
        account_id: Who says so.
        person: Number of the person whose record they own.
        works: Numbers of works that the record lists as this person's; the caller has seen that it does.
        back: Take it back instead.

    Raises:
        NotAllowedError: The record is not theirs.
        NotThereError: No work is named.
    """
    account = session.get(Account, account_id)
    if account is None or account.person_id != person:
        raise NotAllowedError(
            "Only the person whose record this is can confirm its works: claim it first."
        )
    if not works:
        raise NotThereError("This work is not among those that the record lists.")
    known = {work for work, _ in confirmed_by(session, account_id)}
    if back:
        gone = known & set(works)
        session.execute(
            delete(ConfirmedWork).where(
                ConfirmedWork.account_id == account_id, ConfirmedWork.work_id.in_(gone)
            )
        )
    else:
        at = now()
        session.add_all(
            ConfirmedWork(account_id=account_id, work_id=work, confirmed_at=at)
            for work in sorted(set(works) - known)
        )
        session.flush()
    action = "work.unconfirm" if back else "work.confirm"
    audit.record(session, audit.actor_of(account_id), action, f"person:{person}", works=len(works))


def confirmed_by(session: Session, account_id: int) -> frozenset[tuple[int, str]]:
    """Number of each work that an account confirmed, and the day. One statement."""
    rows = session.execute(
        select(ConfirmedWork.work_id, ConfirmedWork.confirmed_at).where(
            ConfirmedWork.account_id == account_id
        )
    )
    return frozenset((work, at.date().isoformat()) for work, at in rows)
