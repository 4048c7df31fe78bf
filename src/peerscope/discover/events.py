"""The readers' log in the form of the three files: items, users, interactions, as JSON lines.

For training elsewhere (`peerscope retrieval train`) and for looking at what training sees. Only readers whose
history is on; under a name drawn for this export alone, so that two exports cannot be joined by it; with the
day of each event, and not the minute, so that it cannot be joined with another log either.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import orjson

from peerscope.atomic import written
from peerscope.discover.catalogue import catalogue
from peerscope.discover.evidence import reader_interactions
from peerscope.discover.readers import DAY, Readers
from peerscope.record import Database
from peerscope.retrieval import Interaction, Item

FILES = ("items.jsonl", "users.jsonl", "interactions.jsonl")


def export_events(database: Database, readers: Readers, folder: Path) -> dict[str, int]:
    """Write the three files into a folder, each whole or not at all; how many rows each has.

    Args:
        database: The record; every work is an item, under its address's number (``W12``).
        readers: The log.
        folder: Where to; made where it is not there, files of these names in it are replaced.
    """
    with database.session() as session:
        present: set[str] = set()

        def items() -> Iterator[dict[str, Any]]:
            for item in catalogue(session):
                row = item_row(item)
                present.add(row["id"])
                yield row

        counts = [_write(folder / FILES[0], items())]
    rows = [row for row in event_rows(reader_interactions(readers)) if row["item_id"] in present]
    users = list(dict.fromkeys(row["user_id"] for row in rows))
    counts.append(_write(folder / FILES[1], ({"id": user, "history": []} for user in users)))
    counts.append(_write(folder / FILES[2], rows))
    return dict(zip(FILES, counts, strict=True))


def item_row(item: Item) -> dict[str, Any]:
    """An item as a row: its categorical fields as lists of further columns."""
    fields = {name: list(values) for name, values in item.fields.items()}
    own = {"id": f"W{item.id}", "title": item.title, "text": item.text, "names": item.names}
    return {**own, **fields}


def event_rows(events: Iterable[Interaction]) -> Iterator[dict[str, Any]]:
    """Events as rows, each reader under a fresh random name; in an order that tells nothing of readers.

    The time is the day (whole days since 1970, UTC) and behind the point the place among the reader's events
    of that day, so that what came before what is kept.
    """
    by_reader: dict[str | None, list[Interaction]] = {}
    for event in events:
        by_reader.setdefault(event.user_id, []).append(event)
    found: list[dict[str, Any]] = []
    for own in by_reader.values():
        name = secrets.token_hex(8)
        own.sort(key=lambda event: event.time or 0.0)
        days = [int((event.time or 0.0) // DAY) for event in own]
        many, before = Counter(days), Counter[int]()
        for day, event in zip(days, own, strict=True):
            time = day + before[day] / many[day]
            before[day] += 1
            found.append(
                {
                    "query": event.query,
                    "item_id": f"W{event.item_id}",
                    "user_id": name,
                    "time": time,
                    "weight": event.weight,
                    "kind": event.kind,
                }
            )
    yield from sorted(found, key=lambda row: (row["time"], row["user_id"]))


def _write(path: Path, rows: Iterable[dict[str, Any]]) -> int:
    number = 0
    with written(path) as stream:
        for row in rows:
            stream.write(orjson.dumps(row) + b"\n")
            number += 1
    return number
