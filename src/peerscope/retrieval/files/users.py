"""The users file: id, history, and any further column as a profile field."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from peerscope.retrieval.files import columns, values
from peerscope.retrieval.files.ids import ItemIds
from peerscope.retrieval.files.items import field_names
from peerscope.retrieval.files.problems import Problems, Unfit
from peerscope.retrieval.files.tables import Table
from peerscope.retrieval.schema import User

PROFILE_KINDS = columns.SCALARS
MOST_HISTORY = 1000
"""Items of a history that are kept, the newest; a tower looks at far fewer."""

_TWICE = Unfit(
    "an id that an earlier row has already", "Keep one row for each user; the first stands."
)
_UNKNOWN = Unfit(
    "items in the history that are not in the items file",
    "Add them, or leave them; the others count.",
)
_NO_IDS = Unfit("entries of the history that are no ids", "Give item ids, the newest first.")
_CUT = Unfit(
    f"a history of more than {MOST_HISTORY} items, of which the first are kept",
    "Nothing is to be done if the newest come first.",
)


def read_users(table: Table, ids: ItemIds, problems: Problems) -> Iterator[User]:
    """The users of a file that are as they should be, in its order.

    Args:
        table: The file.
        ids: Ids of the items.
        problems: Told of what is not as it should be.

    Raises:
        FileError: A column is missing or of an impossible type.
    """
    columns.checked(table, columns.USERS)
    columns.note_unusable(table, columns.USERS, PROFILE_KINDS, problems)
    usable = columns.further(table, columns.USERS, PROFILE_KINDS)
    seen: set[str] = set()
    shared: dict[str, str] = {}
    for batch in table.batches(problems):
        names = field_names(batch, usable, columns.USERS)
        cells = [batch.column(name) for name in names]
        rows = zip(batch.rows, batch.column("id"), batch.column("history"), strict=True)
        for place, (row, own, history) in enumerate(rows):
            try:
                user_id = values.own_id(own)
                if user_id in seen:
                    raise _TWICE
            except Unfit as wrong:
                problems.add(table.name, row, "id", wrong, own)
                continue
            seen.add(user_id)
            met = _history(table.name, row, history, ids, problems)
            profile: dict[str, str] = {}
            for name, column in zip(names, cells, strict=True):
                try:
                    value = values.category(column[place])
                except Unfit as wrong:
                    problems.add(table.name, row, name, wrong, column[place], kept=True)
                    continue
                if value is not None:
                    profile[name] = shared.setdefault(value, value)
            yield User(user_id, profile, met)


def _history(file: str, row: int, value: Any, ids: ItemIds, problems: Problems) -> tuple[int, ...]:
    try:
        given, bad = values.ids(value)
    except Unfit as wrong:
        problems.add(file, row, "history", wrong, value, kept=True)
        return ()
    numbers = [ids.number(own) for own in given]
    found = tuple(dict.fromkeys(number for number in numbers if number is not None))
    for reason, there in (
        (_NO_IDS, bad > 0),
        (_UNKNOWN, None in numbers),
        (_CUT, len(found) > MOST_HISTORY),
    ):
        if there:
            problems.add(file, row, "history", reason, kept=True)
    return found[:MOST_HISTORY]
