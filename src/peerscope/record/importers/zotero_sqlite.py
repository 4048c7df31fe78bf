"""A Zotero library's own database (``zotero.sqlite``), read and never written.

The tables and columns are Zotero's. The file may come from anybody: its views and triggers are not used, no
value beyond `LONGEST` is taken, and a query that runs on and on is stopped. Items in the bin stay out.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

from peerscope.record.importers.bibliography import MAX_RECORD, Located, Refused, numbered
from peerscope.record.importers.zotero_items import NO_WORKS, work_of
from peerscope.record.markup import clean
from peerscope.record.parsed import Record

MAGIC = b"SQLite format 3\x00"
TABLES = (
    "items", "itemTypes", "itemData", "itemDataValues", "fields", "creators", "itemCreators",
    "creatorTypes", "tags", "itemTags", "deletedItems",
)  # fmt: skip
LONGEST = MAX_RECORD
STEPS, MOST_STEPS = 100_000, 20_000
"""Steps of the engine between two looks at how long a query runs, and looks before it is stopped."""

OWN_LIBRARY = 1
"""The library of the person; groups have other numbers."""

_ITEMS = """
SELECT i.itemID, i.key, i.libraryID, t.typeName FROM items i JOIN itemTypes t ON t.itemTypeID = i.itemTypeID
WHERE i.itemID NOT IN (SELECT itemID FROM deletedItems) ORDER BY i.itemID
"""
_FIELDS = """
SELECT f.fieldName, v.value FROM itemData d JOIN fields f ON f.fieldID = d.fieldID
JOIN itemDataValues v ON v.valueID = d.valueID WHERE d.itemID = ?
"""
_CREATORS = """
SELECT t.creatorType, c.firstName, c.lastName FROM itemCreators i JOIN creators c ON c.creatorID = i.creatorID
JOIN creatorTypes t ON t.creatorTypeID = i.creatorTypeID WHERE i.itemID = ? ORDER BY i.orderIndex
"""
_TAGS = """
SELECT t.name FROM itemTags i JOIN tags t ON t.tagID = i.tagID WHERE i.itemID = ? ORDER BY t.name
"""


class ZoteroSqliteImporter:
    """Reads a library's database; see `peerscope.record.parsed.Importer`."""

    name = "zotero-sqlite"
    covers = frozenset({"abstract", "topics", "ids"})

    def read(self, path: str) -> Iterator[Record]:
        """Stream the items of a library.

        Raises:
            ValueError: Zotero has the file open, or has not finished writing it.
        """
        for suffix in ("-journal", "-wal"):
            beside = Path(path + suffix)
            if beside.exists() and beside.stat().st_size:
                raise ValueError(
                    f"{beside.name} lies beside {Path(path).name}: Zotero is at work on this library. "
                    f"Close Zotero, or import a copy of the file that was made while it was closed."
                )
        return numbered(_located(path))


def _located(path: str) -> Iterator[Located]:
    try:
        # immutable: no lock is taken and nothing beside the file is looked at or made
        address = f"file:{quote(str(Path(path).resolve()))}?mode=ro&immutable=1"
        with closing(sqlite3.connect(address, uri=True)) as connection:
            _guard(connection)
            _check(connection)
            yield from _items(connection)
    except (sqlite3.Error, UnicodeError) as error:
        # the engine's own message may quote damaged bytes, which Python cannot decode
        yield Located(
            0,
            "",
            Refused(
                f"The library's database breaks off: {clean(str(error))[:200]}.",
                "Close Zotero, copy its zotero.sqlite again and import the copy.",
            ),
        )


def _guard(connection: sqlite3.Connection) -> None:
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LONGEST)
    connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
    for pragma in (
        "query_only = ON",
        "trusted_schema = OFF",
        "cell_size_check = ON",
        "mmap_size = 0",
    ):
        connection.execute(f"PRAGMA {pragma}")
    looks = 0

    def tired() -> bool:
        nonlocal looks
        looks += 1
        return looks > MOST_STEPS

    connection.set_progress_handler(tired, STEPS)


def _check(connection: sqlite3.Connection) -> None:
    """Refuse a database that has not the tables of a library, or views and virtual tables in their place."""
    # what is stored as a table has a page of its own in the file
    stored = "SELECT name FROM sqlite_master WHERE type = 'table' AND rootpage > 0"
    found = {name for (name,) in connection.execute(stored)}
    missing = [name for name in TABLES if name not in found]
    if missing:
        raise sqlite3.DatabaseError(f"it has no table {missing[0]}, so it is no library of Zotero")


def _items(connection: sqlite3.Connection) -> Iterator[Located]:
    for number, key, library, kind in connection.execute(_ITEMS):
        if kind in NO_WORKS:
            continue
        own = str(key) if library == OWN_LIBRARY else f"{library}/{key}"
        item: dict[str, Any] = dict(connection.execute(_FIELDS, (number,)).fetchmany(500))
        item |= {
            "key": own,
            "itemType": kind,
            "creators": [
                {"creatorType": role, "firstName": given, "lastName": family}
                for role, given, family in connection.execute(_CREATORS, (number,)).fetchmany(
                    20_000
                )
            ],
            "tags": [name for (name,) in connection.execute(_TAGS, (number,)).fetchmany(2_000)],
        }
        try:
            yield Located(0, str(item.get("title") or ""), work_of(item), own)
        except Refused as refusal:
            yield Located(0, str(item.get("title") or ""), refusal, own)
