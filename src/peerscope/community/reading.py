"""An account's history: which reader is its own, and whether its saves and follows take part.

The history itself lies in the readers' file (`discover.readers`), which knows no account; an account holds
the secret of its reader, as a browser holds a cookie, so that the history is there wherever one is signed in.
Both switches are off until the account turns them on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from peerscope.community import audit
from peerscope.community.database import open_community
from peerscope.community.follows import follows_of
from peerscope.community.reading_models import Reading
from peerscope.community.saves import saved_works
from peerscope.community.times import now, utc
from peerscope.discover.readers import Reader, Readers
from peerscope.discover.taste import Taste
from peerscope.discover.wishes import join, mirror, renew, wishes_of
from peerscope.settings import Settings

Saves = Callable[[Session, int], Sequence[tuple[int, datetime]]]
"""Works that an account saved, with the time, newest first."""

Follows = Callable[[Session, int], Sequence[tuple[str, datetime]]]
"""What an account follows, as ``A12`` or ``T3``, with the time, newest first; the rest is passed over."""


SAVES: Saves = saved_works
"""Where saves come from."""


def _followed(session: Session, account_id: int) -> list[tuple[str, datetime]]:
    return [(one.target, one.created_at) for one in follows_of(session, account_id)]


FOLLOWS: Follows = _followed
"""Where follows come from."""


@dataclass(frozen=True, slots=True)
class Held:
    """What an account holds of its history: the reader's secret, and whether saves and follows take part."""

    secret: str
    uses_saves: bool
    since: datetime


def held(session: Session, account_id: int) -> Held | None:
    """The account's reader; ``None`` where it has none. One statement."""
    row = session.get(Reading, account_id)
    return None if row is None else Held(row.secret, row.uses_saves, utc(row.since))


def give_reader(session: Session, readers: Readers, account_id: int, keeping: bool) -> str:
    """The secret of the account's reader, made where there is none; ``keeping`` is for a fresh one."""
    found = held(session, account_id)
    if found is not None and readers.find(found.secret) is not None:
        return found.secret
    secret = readers.enrol(keeping)
    _hold(session, account_id, secret)
    return secret


def take_over(session: Session, readers: Readers, account_id: int, reader: Reader) -> None:
    """Make a browser's reader the account's own; one that it has takes in what the other holds.

    The cookie's secret is nobody's any more afterwards.
    """
    mine = held(session, account_id)
    own = readers.find(mine.secret) if mine is not None else None
    if own is None:
        _hold(session, account_id, renew(readers, reader.id))
    elif own.id != reader.id:
        join(readers, reader.id, own.id)
    audit.record(session, audit.actor_of(account_id), "history.take", audit.actor_of(account_id))


def use_saves(session: Session, account_id: int, uses: bool) -> None:
    """Let what the account saved and follows take part in order and feed, or not. It has a reader."""
    row = session.get(Reading, account_id)
    if row is not None:
        row.uses_saves = uses


def let_go(session: Session, readers: Readers, account_id: int) -> None:
    """Erase the account's reader with everything that is kept of it."""
    mine = held(session, account_id)
    if mine is None:
        return
    reader = readers.find(mine.secret)
    if reader is not None:
        readers.erase_reader(reader.id)
    session.execute(delete(Reading).where(Reading.account_id == account_id))


def taste_of_account(
    session: Session, account_id: int, saves: Saves, follows: Follows, until: float
) -> Taste:
    """What an account saved and follows, as a taste; empty unless it let that take part. Three statements.

    Args:
        session: Of the community's database.
        account_id: Whose.
        saves: Where saves come from.
        follows: Where follows come from.
        until: What was saved or followed later (seconds since 1970) does not count.
    """
    found = held(session, account_id)
    if found is None or not found.uses_saves:
        return Taste()
    works = tuple(work for work, at in saves(session, account_id) if at.timestamp() <= until)
    targets = [one for one, at in follows(session, account_id) if at.timestamp() <= until]
    return Taste(
        works, frozenset(works), topics=_numbers(targets, "T"), people=_numbers(targets, "A")
    )


def _numbers(targets: Sequence[str], letter: str) -> tuple[int, ...]:
    return tuple(int(one[1:]) for one in targets if one[:1] == letter and one[1:].isdecimal())


def copy_saves(session: Session, readers: Readers, account_id: int, saves: Saves) -> None:
    """Bring the copies of an account's saves in the readers' file up to date; none where it did not ask."""
    found = held(session, account_id)
    reader = readers.find(found.secret) if found is not None else None
    if found is None or reader is None:
        return
    works: Mapping[int, float] = {}
    if found.uses_saves:
        works = {work: at.timestamp() for work, at in saves(session, account_id)}
    mirror(readers, reader.id, works)


def copy_everyone(session: Session, readers: Readers, saves: Saves) -> None:
    """`copy_saves` for every account with a reader: before training and before an export of events."""
    for account_id in session.scalars(select(Reading.account_id).order_by(Reading.account_id)):
        copy_saves(session, readers, account_id, saves)


def copy_for_training(settings: Settings) -> None:
    """`copy_everyone` for a site, where it has accounts and readers: before training and before an export."""
    if not settings.readers.exists():
        return
    if not settings.community_url and not (settings.home / "community.sqlite").exists():
        return
    database, readers = open_community(settings), Readers(settings.readers)
    try:
        with database.session() as session:
            copy_everyone(session, readers, SAVES)
    finally:
        readers.close()
        database.close()


def exported(session: Session, account_id: int) -> dict[str, object]:
    """What an account holds of its history; the history itself is `exported_history`."""
    found = held(session, account_id)
    if found is None:
        return {"reading": None}
    return {"reading": {"uses_saves": found.uses_saves, "since": found.since.isoformat()}}


def exported_history(
    session: Session, readers: Readers, account_id: int
) -> dict[str, object] | None:
    """Everything that the readers' file keeps of an account; ``None`` where it has no reader."""
    found = held(session, account_id)
    reader = readers.find(found.secret) if found is not None else None
    return None if reader is None else history_of(readers, reader)


def history_of(readers: Readers, reader: Reader) -> dict[str, object]:
    """Everything that the readers' file keeps of a reader, as plain values."""
    return {
        "on": reader.keeping,
        "switched_on_at": _iso(reader.since),
        "entries": [
            {
                "kind": entry.kind, "work": f"W{entry.work_id}", "query": entry.query or None,
                "at": _iso(entry.at),
            }
            for entry in readers.every_entry(reader.id)
        ],
        "less_of": [
            {"what": f"{wish.entity}{wish.number}", "since": _iso(wish.at)}
            for wish in wishes_of(readers, reader.id)
        ],
    }  # fmt: skip


def _iso(at: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(at))


def _hold(session: Session, account_id: int, secret: str) -> None:
    row = session.get(Reading, account_id)
    if row is None:
        session.add(Reading(account_id=account_id, secret=secret, uses_saves=False, since=now()))
    else:
        row.secret = secret
    session.flush()
