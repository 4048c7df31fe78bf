"""The audit log: who did what to whom, append-only, each line bound to the one before by its hash.

A line names accounts by number (``account:3``), so that it tells nothing of somebody who left. Whoever
changes or removes a line breaks the chain behind it; `broken_at` finds the first break. The database
refuses changes by itself as well (triggers of the first migration).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from peerscope.community.models import AuditEntry
from peerscope.community.times import now

OPERATOR = "operator"
SYSTEM = "system"
BEGINNING = "0" * 64
LOCK = 0x7065657261756474
"""Key of the PostgreSQL advisory lock that makes writers take turns ("peeraudt" in ASCII)."""

BATCH = 1_000
_COLUMNS = (
    AuditEntry.id, AuditEntry.at, AuditEntry.actor, AuditEntry.action, AuditEntry.target,
    AuditEntry.detail, AuditEntry.previous, AuditEntry.digest,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the log as it is read."""

    id: int
    at: str
    actor: str
    action: str
    target: str
    detail: str
    previous: str
    digest: str

    def as_dict(self) -> dict[str, str | int]:
        """All of it, by name."""
        return {name: getattr(self, name) for name in self.__slots__}


def actor_of(account_id: int | None) -> str:
    """How the log names an account; the operator where there is none."""
    return OPERATOR if account_id is None else f"account:{account_id}"


def record(session: Session, actor: str, action: str, target: str, **detail: object) -> None:
    """Append a line, within the transaction of what it tells of.

    Args:
        session: Of the community's database, writing.
        actor: From `actor_of`, or `SYSTEM`.
        action: A word and a thing, as ``role.change``; at most 48 characters.
        target: What it was done to, as ``account:3`` or ``work:12``.
        detail: Plain values; no names, addresses or words that somebody wrote.
    """
    if session.connection().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(:k)"), {"k": LOCK})
    last = session.execute(
        select(AuditEntry.id, AuditEntry.digest).order_by(AuditEntry.id.desc()).limit(1)
    ).first()
    number, previous = (last.id + 1, last.digest) if last else (1, BEGINNING)
    entry = AuditEntry(
        id=number, at=now().isoformat(timespec="milliseconds"), actor=actor, action=action,
        target=target, detail=json.dumps(detail, sort_keys=True) if detail else "",
        previous=previous, digest="",
    )  # fmt: skip
    entry.digest = _digest(entry)
    session.add(entry)
    session.flush()


def broken_at(session: Session) -> int | None:
    """The first line that does not follow from the one before, or was changed; ``None`` where all hold."""
    previous, expected = BEGINNING, 1
    for line in every_line(session):
        if line.id != expected or line.previous != previous or line.digest != _digest(line):
            return expected
        previous, expected = line.digest, expected + 1
    return None


def every_line(session: Session) -> Iterator[Line]:
    """All lines, the oldest first, in bounded memory."""
    after = 0
    while True:
        rows = session.execute(
            select(*_COLUMNS).where(AuditEntry.id > after).order_by(AuditEntry.id).limit(BATCH)
        ).all()
        yield from (Line(*row) for row in rows)
        if len(rows) < BATCH:
            return
        after = rows[-1].id


def lines(
    session: Session,
    *,
    actor: str = "",
    action: str = "",
    target: str = "",
    before: int | None = None,
    most: int = 50,
) -> list[Line]:
    """Lines of the log, the latest first. One statement.

    Args:
        session: Of the community's database.
        actor: Only of this actor, as ``account:3``.
        action: Only of this action, or of all that begin so, as ``role``.
        target: Only of this target, as ``work:12``.
        before: Only those before this line.
        most: How many.
    """
    statement = select(*_COLUMNS).order_by(AuditEntry.id.desc()).limit(most)
    if actor:
        statement = statement.where(AuditEntry.actor == actor)
    if action:
        statement = statement.where(AuditEntry.action.startswith(action, autoescape=True))
    if target:
        statement = statement.where(AuditEntry.target == target)
    if before is not None:
        statement = statement.where(AuditEntry.id < before)
    return [Line(*row) for row in session.execute(statement)]


def head(session: Session) -> tuple[int, str]:
    """Number and hash of the last line: noted elsewhere, they show later that no line was cut off."""
    last = session.scalar(select(func.max(AuditEntry.id)))
    found = session.get(AuditEntry, last) if last is not None else None
    return (found.id, found.digest) if found else (0, BEGINNING)


def _digest(entry: AuditEntry | Line) -> str:
    parts = [str(entry.id), entry.at, entry.actor, entry.action, entry.target, entry.detail]
    return sha256(json.dumps([entry.previous, *parts]).encode()).hexdigest()
