"""The readers' file itself: its tables and version, made private, cut so that what was erased is gone."""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path
from typing import Any

from sqlalchemy import event, text
from sqlalchemy.exc import DatabaseError, OperationalError

from peerscope.record import Database

log = logging.getLogger(__name__)

VERSION = 2
"""Stamp of the file (``user_version``); a later one is refused, an earlier one is brought up here."""

LONGEST_CUT = 20.0
"""Seconds for which an erasure waits until the write-ahead log can be cut."""

SCHEMA = """
CREATE TABLE reader (
    id INTEGER PRIMARY KEY AUTOINCREMENT, secret TEXT NOT NULL UNIQUE, keeping INTEGER NOT NULL,
    since REAL NOT NULL, seen REAL NOT NULL
);
CREATE TABLE entry (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    reader_id INTEGER NOT NULL REFERENCES reader (id) ON DELETE CASCADE,
    kind TEXT NOT NULL CHECK (kind IN ('opened', 'saved')),
    work_id INTEGER NOT NULL, query TEXT NOT NULL, at REAL NOT NULL
);
CREATE UNIQUE INDEX entry_opened ON entry (reader_id, work_id, query) WHERE kind = 'opened';
CREATE UNIQUE INDEX entry_saved ON entry (reader_id, work_id) WHERE kind = 'saved';
CREATE INDEX entry_at ON entry (reader_id, at);
CREATE TABLE file (name TEXT NOT NULL, erasures INTEGER NOT NULL);
INSERT INTO file VALUES (lower(hex(randomblob(8))), 0);
"""

SINCE_2 = """
ALTER TABLE entry ADD COLUMN source TEXT NOT NULL DEFAULT '';
CREATE TABLE less (
    reader_id INTEGER NOT NULL REFERENCES reader (id) ON DELETE CASCADE,
    entity TEXT NOT NULL CHECK (entity IN ('W', 'A', 'T')), number INTEGER NOT NULL, at REAL NOT NULL,
    PRIMARY KEY (reader_id, entity, number)
) WITHOUT ROWID;
"""
"""Version 2: where a save was copied from (``account``), and what a reader wants less of."""

STEPS = (SCHEMA, SINCE_2)
"""What brings a file from each version to the next."""


def make_file(path: Path) -> None:
    """An empty file that only its owner may read; SQLite would make one as the umask allows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))


def open_file(path: Path) -> Database:
    """Connections to the file, with this version's tables.

    Raises:
        ValueError: A later version wrote it, or it is no such file.
    """
    database = Database(f"sqlite:///{path}")
    event.listen(database.engine, "connect", _prepare)
    try:
        _bring_up(database, path)
    except BaseException as error:
        database.close()
        if isinstance(error, DatabaseError) and not isinstance(error, OperationalError):
            raise ValueError(
                f"{path} is damaged or no readers' file. Put a copy of it back, or move it away to "
                f"begin a new one."
            ) from error
        raise
    return database


def _bring_up(database: Database, path: Path) -> None:
    """Make the tables that are not there yet."""
    with database.begin() as session:
        version = session.execute(text("PRAGMA user_version")).scalar_one()
        if version > VERSION:
            raise ValueError(
                f"{path} was written by a later version of Peerscope ({version}, this one knows "
                f"{VERSION}). Update Peerscope, or move the file away to begin a new one."
            )
        if version < VERSION:
            for step in STEPS[version:]:
                for statement in step.split(";\n"):
                    if statement.strip():
                        session.execute(text(statement))
            session.execute(text(f"PRAGMA user_version = {VERSION}"))


def _prepare(connection: Any, _: Any) -> None:
    connection.execute("PRAGMA secure_delete = ON")


def cut_log(database: Database, path: Path) -> None:
    """Bring the write-ahead log into the file and cut it: it still holds what was erased.

    SQLite gives up at once where another connection is bringing pages over; so it is tried again.
    """
    with database.engine.connect() as connection:
        driver = connection.connection.driver_connection
        assert driver is not None
        until = time.monotonic() + LONGEST_CUT
        while driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
            if time.monotonic() > until:
                log.warning("%s-wal is in use; the next erasure or restart cuts it.", path)
                return
            time.sleep(0.01)
