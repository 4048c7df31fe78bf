"""What a bundle knows of the files beside its index: external ids and titles of items, and its users.

One SQLite file in the bundle, read by number or by id, so that nothing of it has to be loaded: a server opens
a bundle of a million items at once, and several processes share it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from peerscope.retrieval.schema import User

NAME = "catalogue.sqlite"

_SCHEMA = """
CREATE TABLE items (number INTEGER PRIMARY KEY, own TEXT NOT NULL UNIQUE, title TEXT NOT NULL);
CREATE TABLE users (own TEXT PRIMARY KEY, profile TEXT NOT NULL, history BLOB NOT NULL) WITHOUT ROWID;
"""


def write_stored(
    folder: Path, items: Iterable[tuple[int, str, str]], users: Iterable[User]
) -> None:
    """Write the file into a bundle that is being made.

    Args:
        folder: The bundle's folder.
        items: Number, external id and title of each.
        users: With the history that they have in service.
    """
    with closing(sqlite3.connect(folder / NAME)) as connection:
        connection.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;" + _SCHEMA)
        connection.executemany("INSERT INTO items VALUES (?, ?, ?)", items)
        rows = (
            (user.id, orjson.dumps(dict(user.profile)).decode(),
             np.asarray(user.history, dtype="<i8").tobytes())
            for user in users
        )  # fmt: skip
        connection.executemany("INSERT INTO users VALUES (?, ?, ?)", rows)
        connection.commit()


class StoredCatalogue:
    """Ids, titles and users of a bundle; safe for many readers."""

    def __init__(self, folder: Path) -> None:
        self._address = f"{(folder / NAME).resolve().as_uri()}?mode=ro&immutable=1"
        self._idle: list[sqlite3.Connection] = []
        self._closed = False
        self.last = int(self._rows("SELECT coalesce(max(number), 0) FROM items")[0][0])

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        """A connection for this block alone."""
        if self._closed:
            raise sqlite3.ProgrammingError("This catalogue was closed.")
        try:
            taken = self._idle.pop()
        except IndexError:
            taken = sqlite3.connect(self._address, uri=True, check_same_thread=False)
        try:
            yield taken
        finally:
            self._idle.append(taken)

    def _rows(self, statement: str, values: Sequence[object] = ()) -> list[Any]:
        with self._reading() as connection:
            return connection.execute(statement, values).fetchall()

    def named(self, numbers: Sequence[int]) -> dict[int, tuple[str, str]]:
        """External id and title of numbers; unknown ones are left out."""
        rows = self._rows(
            "SELECT number, own, title FROM items WHERE number IN (SELECT value FROM json_each(?))",
            (orjson.dumps(list(numbers)).decode(),),
        )
        return {number: (own, title) for number, own, title in rows}

    def numbers(self, owns: Sequence[str]) -> dict[str, int]:
        """Numbers of external ids; unknown ones are left out."""
        rows = self._rows(
            "SELECT own, number FROM items WHERE own IN (SELECT value FROM json_each(?))",
            (orjson.dumps(list(owns)).decode(),),
        )
        return dict(rows)

    def all_numbers(self) -> Mapping[str, int]:
        """Numbers of all external ids, in order of number."""
        return dict(self._rows("SELECT own, number FROM items ORDER BY number"))

    def user(self, own: str) -> User | None:
        """A user, ``None`` for one who is not known."""
        rows = self._rows("SELECT profile, history FROM users WHERE own = ?", (own,))
        if not rows:
            return None
        profile, history = rows[0]
        met = np.frombuffer(history, dtype="<i8").tolist()
        return User(own, orjson.loads(profile), tuple(met))

    def close(self) -> None:
        """Close all connections; later calls raise."""
        self._closed = True
        while self._idle:
            self._idle.pop().close()
