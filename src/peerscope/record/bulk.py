"""Many rows at once, in the fastest way that each database has."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, cast

from sqlalchemy import Connection, Select, Table, select
from sqlalchemy.orm import DeclarativeBase

from peerscope.record.models import Counter

CHUNK = 10_000
"""Values in one IN list; SQLite allows 32,766 parameters."""


@contextmanager
def paused_collector() -> Iterator[None]:
    """Keep the cycle collector from walking masses of objects that reference counts free anyway.

    A batch makes some 100,000 objects without cycles; walking them again and again costs a third of
    the time of an import (measured on 97,494 works).
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def table_of(model: type[DeclarativeBase]) -> Table:
    """The table behind a mapped class."""
    return cast(Table, model.__table__)


def is_sqlite(connection: Connection) -> bool:
    """Whether the connection leads to SQLite."""
    return connection.dialect.name == "sqlite"


def timestamp(connection: Connection, moment: datetime | None = None) -> Any:
    """``moment`` (default now, UTC) as `insert_rows` and raw statements take it."""
    now = moment or datetime.now(UTC)
    # SQLAlchemy stores SQLite's times in this form; the raw path bypasses its conversion.
    return now.strftime("%Y-%m-%d %H:%M:%S.%f") if is_sqlite(connection) else now


def insert_rows(
    connection: Connection,
    model: type[DeclarativeBase],
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
) -> None:
    """Insert rows of plain values: a prepared statement in SQLite, COPY in PostgreSQL."""
    if not rows:
        return
    table = table_of(model).name
    names = ", ".join(f'"{c}"' for c in columns)
    if is_sqlite(connection):
        marks = ", ".join("?" * len(columns))
        statement = f'INSERT INTO "{table}" ({names}) VALUES ({marks})'  # noqa: S608
        connection.exec_driver_sql(statement, [tuple(r) for r in rows])
        return
    cursor: Any = connection.connection.cursor()
    try:
        lines = (_copy_line(row) for row in rows)
        cursor.execute(f'COPY "{table}" ({names}) FROM STDIN', stream=lines)
    finally:
        cursor.close()


_COPY_ESCAPES = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})


def _copy_line(row: Sequence[Any]) -> str:
    """A row in PostgreSQL's text format of COPY (manual, COPY, "File Formats")."""
    cells = (r"\N" if v is None else str(v).translate(_COPY_ESCAPES) for v in row)
    return "\t".join(cells) + "\n"


def chunks(values: Iterable[Any], size: int = CHUNK) -> Iterator[list[Any]]:
    """``values`` in lists of at most ``size``."""
    batch: list[Any] = []
    for value in values:
        batch.append(value)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def fetch_in(
    connection: Connection, statement: Select[Any], column: Any, values: Iterable[Any]
) -> Iterator[Any]:
    """Rows of ``statement`` whose ``column`` is among ``values``, in chunks of `CHUNK`."""
    for part in chunks(values):
        yield from connection.execute(statement.where(column.in_(part)))


class Ids:
    """Ids handed out from the `Counter` table inside one transaction.

    The counters are locked and read once, counted up in memory, and written back by `save`: nothing is
    visible, or used up, before the commit.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        counter = table_of(Counter)
        rows = connection.execute(select(counter.c.name, counter.c.value).with_for_update())
        self._saved: dict[str, int] = {row.name: row.value for row in rows}
        self._next = dict(self._saved)

    def take(self, name: str) -> int:
        """The next number under ``name``, from 1."""
        value = self._next.get(name, 0) + 1
        self._next[name] = value
        return value

    def last(self, name: str) -> int:
        """The last number handed out under ``name``."""
        return self._next.get(name, 0)

    def set(self, name: str, value: int) -> None:
        """Keep ``value`` under ``name`` (a watermark, not an id)."""
        self._next[name] = value

    def save(self) -> None:
        """Write the counters back."""
        counter = table_of(Counter)
        for name, value in self._next.items():
            if name not in self._saved:
                self._connection.execute(counter.insert().values(name=name, value=value))
            elif self._saved[name] != value:
                self._connection.execute(
                    counter.update().where(counter.c.name == name).values(value=value)
                )
        self._saved = dict(self._next)
