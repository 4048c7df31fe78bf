"""The items file: id, title, text, names, and any further column as a categorical field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from peerscope.retrieval.files import columns, values
from peerscope.retrieval.files.ids import ItemIds
from peerscope.retrieval.files.problems import Problems, Unfit
from peerscope.retrieval.files.tables import Batch, Table
from peerscope.retrieval.schema import Item

FIELD_KINDS = (*columns.SCALARS, *columns.LISTS)

_TWICE = Unfit(
    "an id that an earlier row has already", "Keep one row for each item; the first stands."
)
_UNTITLED = Unfit("no title", "Give every item a title; its longer text goes into `text`.")


def read_items(table: Table, ids: ItemIds, problems: Problems) -> Iterator[Item]:
    """The items of a file that are as they should be, in its order.

    Args:
        table: The file.
        ids: Takes up their ids.
        problems: Told of the others.

    Raises:
        FileError: A column is missing or of an impossible type.
    """
    columns.checked(table, columns.ITEMS)
    columns.note_unusable(table, columns.ITEMS, FIELD_KINDS, problems)
    usable = columns.further(table, columns.ITEMS, FIELD_KINDS)
    for batch in table.batches(problems):
        names = field_names(batch, usable, columns.ITEMS)
        known = [batch.column(name) for name in columns.ITEMS]
        fields = [batch.column(name) for name in names]
        for place, row in enumerate(batch.rows):
            own, title, text, more = (column[place] for column in known)
            cells = {name: column[place] for name, column in zip(names, fields, strict=True)}
            noted = _Row(table.name, row, problems)
            item = noted.item(own, title, text, more, cells, ids)
            if item is not None:
                yield item


def field_names(
    batch: Batch, usable: list[str] | None, known: Mapping[str, columns.Column]
) -> list[str]:
    """Further columns of a batch; those that the file vouches for, if it vouches for any."""
    if usable is not None:
        return usable
    return [
        name
        for name in batch.columns
        if name and name not in known and not name.startswith(columns.HIDDEN)
    ]


class _Row:
    """One row of the file, with where to note what is wrong with it."""

    def __init__(self, file: str, row: int, problems: Problems) -> None:
        self._file, self._row, self._problems = file, row, problems

    def note(self, column: str, found: Unfit, value: Any, *, kept: bool = False) -> None:
        self._problems.add(self._file, self._row, column, found, value, kept=kept)

    def item(
        self, own: Any, title: Any, text: Any, more: Any, cells: Mapping[str, Any], ids: ItemIds
    ) -> Item | None:
        try:
            found = values.own_id(own)
        except Unfit as wrong:
            self.note("id", wrong, own)
            return None
        if ids.number(found) is not None:
            self.note("id", _TWICE, own)
            return None
        try:
            called, replaced = values.text(title)
            if not called:
                raise _UNTITLED
        except Unfit as wrong:
            self.note("title", wrong, title)
            return None
        if replaced:
            self.note("title", values.CONTROL, title, kept=True)
        longer = self._text("text", text, spaces=False)
        names = self._text("names", more, spaces=True)
        return Item(ids.add(found), called, longer, names, self._fields(cells))

    def _text(self, column: str, value: Any, *, spaces: bool) -> str:
        try:
            found, replaced = values.text(value, spaces=spaces)
        except Unfit as wrong:
            self.note(column, wrong, value, kept=True)
            return ""
        if replaced:
            self.note(column, values.CONTROL, value, kept=True)
        return found

    def _fields(self, cells: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
        found: dict[str, tuple[str, ...]] = {}
        for name, value in cells.items():
            try:
                if given := values.categories(value):
                    found[name] = given
            except Unfit as wrong:
                self.note(name, wrong, value, kept=True)
        return found
