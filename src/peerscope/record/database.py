"""One record, one database: connections, transactions, the writer's lock and the schema's version."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.orm import Session

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

MIGRATIONS = Path(__file__).parent / "migrations"
WRITE_OPTION = "peerscope_write"
ADVISORY_LOCK = 0x7065657273636F70
"""Key of the PostgreSQL advisory lock ("peerscop" in ASCII)."""


class WriterBusyError(RuntimeError):
    """Another process is importing into, resolving or training the same site."""


@dataclass
class StatementCount:
    """The SQL statements sent while `count_statements` watched."""

    statements: list[str] = field(default_factory=list)

    @property
    def count(self) -> int:
        """Number of statements, transaction control not counted."""
        return len(self.statements)


@contextmanager
def count_statements(engine: Engine) -> Iterator[StatementCount]:
    """Count the SQL statements that ``engine`` sends inside the block.

    Example:
        >>> database = Database("sqlite://")
        >>> with count_statements(database.engine) as seen, database.session() as session:
        ...     _ = session.execute(text("SELECT 1"))
        >>> seen.count
        1
    """
    seen = StatementCount()

    def note(
        conn: Connection, cursor: Any, statement: str, parameters: Any, context: Any, many: bool
    ) -> None:
        seen.statements.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", note)


class Database:
    """The record's database: SQLite (WAL) by default, PostgreSQL through pg8000.

    Args:
        url: SQLAlchemy address, ``sqlite:///path`` or ``postgresql+pg8000://...``; a bare
            ``postgresql://`` is read so too.

    A subclass with tables of its own names the folder of their migrations, and the table that says how far
    they went.

    Raises:
        ValueError: The address names another kind of database.
    """

    migrations = MIGRATIONS
    version_table = "alembic_version"

    def __init__(self, url: str) -> None:
        address = make_url(url)
        if address.drivername in ("postgresql", "postgres"):
            address = address.set(drivername="postgresql+pg8000")
        if address.get_backend_name() not in ("sqlite", "postgresql"):
            raise ValueError(
                f"The record lives in SQLite or PostgreSQL, not in {address.get_backend_name()!r}. "
                "Use sqlite:///path/to/record.sqlite or postgresql+pg8000://user@host/name."
            )
        self.url = address
        self.is_sqlite = address.get_backend_name() == "sqlite"
        name = address.database
        self.path = Path(name) if self.is_sqlite and name and name != ":memory:" else None
        if self.path is not None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        self.engine = create_engine(address, pool_pre_ping=not self.is_sqlite)
        if self.is_sqlite:
            event.listen(self.engine, "connect", _prepare_sqlite)
            event.listen(self.engine, "begin", _begin_sqlite)

    @contextmanager
    def session(self) -> Iterator[Session]:
        """A session for reading; whatever it changed is rolled back at the end."""
        with Session(self.engine, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def reading_one_state(self) -> Iterator[Session]:
        """As `session`, for a long reading: every statement sees the record as the first one did."""
        # SQLite's transactions are so by themselves.
        options = {} if self.is_sqlite else {"isolation_level": "REPEATABLE READ"}
        with (
            self.engine.connect().execution_options(**options) as connection,
            Session(connection, expire_on_commit=False) as session,
        ):
            yield session

    @contextmanager
    def begin(self) -> Iterator[Session]:
        """A session for writing: committed at the end of the block, rolled back on an error.

        SQLite takes its write lock at the start, so that a transaction which reads and then writes
        cannot fail half-way because another wrote in between.
        """
        with (
            self.engine.connect().execution_options(**{WRITE_OPTION: True}) as connection,
            connection.begin(),
            Session(connection, expire_on_commit=False) as session,
        ):
            yield session
            session.flush()

    def migrate(self, revision: str = "head") -> None:
        """Bring the tables to ``revision``; does nothing where they are there already."""
        config = Config()
        config.set_main_option("script_location", str(self.migrations).replace("%", "%%"))
        config.attributes["version_table"] = self.version_table
        with self.engine.connect().execution_options(**{WRITE_OPTION: True}) as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, revision)
            connection.commit()

    @contextmanager
    def writer(self, purpose: str = "import") -> Iterator[None]:
        """Hold the right to write in bulk; released also when the process is killed.

        Raises:
            WriterBusyError: Another process (or thread) holds it.
        """
        if self.path is not None:
            with file_lock(self.path.with_name(self.path.name + ".writer"), purpose):
                yield
            # Idle connections would keep the pages that they cached, up to 64 MB each.
            self.engine.dispose()
        elif self.is_sqlite:
            yield
        else:
            with self._advisory_lock():
                yield

    @contextmanager
    def _advisory_lock(self) -> Iterator[None]:
        with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            held = connection.scalar(text("SELECT pg_try_advisory_lock(:k)"), {"k": ADVISORY_LOCK})
            if not held:
                raise WriterBusyError(_busy("in another session of this PostgreSQL database"))
            try:
                yield
            finally:
                connection.execute(text("SELECT pg_advisory_unlock(:k)"), {"k": ADVISORY_LOCK})

    def close(self) -> None:
        """Give all connections back; the object is of no use afterwards."""
        self.engine.dispose()


def _prepare_sqlite(connection: Any, _: Any) -> None:
    # The driver's own transaction control begins late and commits on its own: SQLAlchemy's does neither.
    connection.isolation_level = None
    # A batch of an import rewrites index pages of the one before: copied back every 64 MB instead of at
    # each commit, a page is written once for several batches (a tenth of the time of an import).
    for pragma in (
        "journal_mode = WAL",
        "synchronous = NORMAL",
        "wal_autocheckpoint = 16000",
        "foreign_keys = ON",
        "busy_timeout = 30000",
        "cache_size = -65536",
        "temp_store = MEMORY",
        "mmap_size = 268435456",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    write = connection.get_execution_options().get(WRITE_OPTION, False)
    driver = connection.connection.driver_connection
    if driver is not None:
        driver.execute("BEGIN IMMEDIATE" if write else "BEGIN")


def _busy(where: str) -> str:
    return (
        f"Another process is writing to this site ({where}). "
        "Wait for it to end, or stop it, then run the command again."
    )


@contextmanager
def file_lock(path: Path, purpose: str) -> Iterator[None]:
    """Hold a lock that this machine's processes see; released also when the process is killed.

    Args:
        path: The lock file; it says who holds it, and stays.
        purpose: What for, told to whoever finds it held.

    Raises:
        WriterBusyError: Another process (or thread) holds it.
    """
    with path.open("a+") as handle:
        if not _try_lock(handle):
            handle.seek(0)
            raise WriterBusyError(_busy(handle.read(200).strip() or str(path)))
        handle.truncate(0)
        handle.write(f"process {os.getpid()}, {purpose}")
        handle.flush()
        try:
            yield
        finally:
            handle.truncate(0)


def _try_lock(handle: IO[str]) -> bool:
    try:
        if sys.platform == "win32":
            handle.seek(0)
            msvcrt.locking(handle.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
