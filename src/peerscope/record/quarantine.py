"""Records that could not go in: kept with the reason until a later version of the file mends them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, func, select
from sqlalchemy.orm import Session

from peerscope.record.bulk import Ids, table_of
from peerscope.record.models import Quarantine, Source
from peerscope.record.parsed import Quarantined


@dataclass(frozen=True, slots=True)
class QuarantineRow:
    """A record in quarantine: the name of its source, its place there, the reason and the mend."""

    source: str
    importer: str
    position: int
    locator: str
    key: str | None
    reason: str
    mend: str
    excerpt: str


def quarantined(session: Session, limit: int = 100, offset: int = 0) -> list[QuarantineRow]:
    """Rows of the quarantine, the newest source first, in the order of the file."""
    columns = (Quarantine.position, Quarantine.locator, Quarantine.key)
    words = (Quarantine.reason, Quarantine.mend, Quarantine.excerpt)
    query = (
        select(Source.name, Source.importer, *columns, *words)
        .join(Source, Source.id == Quarantine.source_id)
        .order_by(Quarantine.source_id.desc(), Quarantine.position)
    )
    return [QuarantineRow(*row) for row in session.execute(query.limit(limit).offset(offset))]


def quarantined_count(session: Session) -> int:
    """How many records are in quarantine."""
    return session.scalar(select(func.count()).select_from(Quarantine)) or 0


def write_quarantine(
    connection: Connection,
    ids: Ids,
    source_id: int,
    span: tuple[int, int],
    bad: Sequence[Quarantined],
) -> None:
    """Make the quarantine of ``source_id`` between the positions of ``span`` equal to ``bad``.

    Rows that still hold keep their id and date; ``span`` is half open.
    """
    table = table_of(Quarantine)
    columns = ("locator", "key", "reason", "mend", "excerpt")
    query = select(table.c.id, table.c.position, *(table.c[c] for c in columns)).where(
        table.c.source_id == source_id, table.c.position >= span[0], table.c.position < span[1]
    )
    there = {row.position: row for row in connection.execute(query)}
    for record in bad:
        values = {
            "locator": _clean(record.locator, 500),
            "key": _clean(record.key, 500) if record.key else None,
            "reason": _clean(record.reason, 2_000),
            "mend": _clean(record.mend, 2_000),
            "excerpt": _clean(record.excerpt, 500),
        }
        old = there.pop(record.position, None)
        if old is None:
            connection.execute(
                table.insert().values(
                    id=ids.take("quarantine"),
                    source_id=source_id,
                    position=record.position,
                    created_at=datetime.now(UTC),
                    **values,
                )
            )
        elif tuple(old[2:]) != tuple(values.values()):
            connection.execute(table.update().where(table.c.id == old.id).values(**values))
    if there:
        mended = [row.id for row in there.values()]
        connection.execute(table.delete().where(table.c.id.in_(mended)))


def end_quarantine(connection: Connection, source_id: int, position: int) -> None:
    """Drop rows past the end of a file that has become shorter."""
    table = table_of(Quarantine)
    connection.execute(
        table.delete().where(table.c.source_id == source_id, table.c.position >= position)
    )


def _clean(text: str, length: int) -> str:
    # The excerpt comes from broken input: NUL and lone surrogates would fail in PostgreSQL.
    return text.encode("utf-8", "replace").decode().replace("\x00", "\ufffd")[:length]
