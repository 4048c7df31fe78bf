"""The interactions file: who asked what, and which item was chosen after it.

Events stay columns of numbers (`InteractionTable`): 30 bytes an event and each query once. They are joined
with users and items while somebody goes through them (DPSR section 5.1.2).
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from peerscope.retrieval.files import columns, values
from peerscope.retrieval.files.ids import ItemIds
from peerscope.retrieval.files.problems import Problems, Unfit
from peerscope.retrieval.files.tables import Table
from peerscope.retrieval.schema import Interaction

NOBODY = -1

_NOWHERE = Unfit("an item that is not in the items file", "Add the item, or drop the row.")
_NEITHER = Unfit(
    "neither a query nor a user, so that the row says nothing",
    "Give it a query, a user_id, or both.",
)
_MIXED = Unfit(
    "a number among dates, or a date among numbers", "Give all times of the file in one form."
)


class InteractionTable(Sequence[Interaction]):
    """Interactions as columns; an `Interaction` is made when it is asked for.

    Attributes:
        queries: Distinct queries.
        users: Distinct ids of users.
        kinds: Distinct kinds.
        query: Place of each event's query, int32, shape ``[n]``.
        item: Number of each event's item, int64.
        user: Place of each event's user, int32; `NOBODY` for none.
        kind: Place of each event's kind, int16.
        weight: Float32.
        time: Float64, NaN for none.
    """

    COLUMNS = ("query", "item", "user", "kind", "weight", "time")

    def __init__(
        self,
        queries: Sequence[str],
        users: Sequence[str],
        kinds: Sequence[str],
        query: NDArray[np.int32],
        item: NDArray[np.int64],
        user: NDArray[np.int32],
        kind: NDArray[np.int16],
        weight: NDArray[np.float32],
        time: NDArray[np.float64],
    ) -> None:
        self.queries, self.users, self.kinds = queries, users, kinds
        self.query, self.item, self.user = query, item, user
        self.kind, self.weight, self.time = kind, weight, time

    @classmethod
    def empty(cls) -> InteractionTable:
        """No events."""
        return _Filling().table()

    @property
    def nbytes(self) -> int:
        """Bytes of the columns, without the distinct texts."""
        return sum(int(getattr(self, name).nbytes) for name in self.COLUMNS)

    def where(self, mask: NDArray[np.bool_]) -> InteractionTable:
        """The events of a mask, shape ``[n]``, over the same texts."""
        parts = (getattr(self, name)[mask] for name in self.COLUMNS)
        return InteractionTable(self.queries, self.users, self.kinds, *parts)

    def __len__(self) -> int:
        return len(self.item)

    def _made(self, row: int) -> Interaction:
        user, time = int(self.user[row]), float(self.time[row])
        return Interaction(
            self.queries[self.query[row]],
            int(self.item[row]),
            None if user == NOBODY else self.users[user],
            self.kinds[self.kind[row]],
            float(self.weight[row]),
            None if np.isnan(time) else time,
        )

    @overload
    def __getitem__(self, place: int) -> Interaction: ...
    @overload
    def __getitem__(self, place: slice) -> InteractionTable: ...
    def __getitem__(self, place: int | slice) -> Interaction | InteractionTable:
        if isinstance(place, slice):
            mask = np.zeros(len(self), dtype=bool)
            mask[place] = True
            return self.where(mask)
        row = place + len(self) if place < 0 else place
        if not 0 <= row < len(self):
            raise IndexError(place)
        return self._made(row)

    def __iter__(self) -> Iterator[Interaction]:
        return map(self._made, range(len(self)))


class _Filling:
    """The columns while they grow."""

    def __init__(self) -> None:
        self._texts: tuple[dict[str, int], ...] = ({}, {}, {})
        self._columns: tuple[array[Any], ...] = (
            array("i"),
            array("q"),
            array("i"),
            array("h"),
            array("f"),
            array("d"),
        )

    def add(
        self, query: str, item: int, user: str | None, kind: str, weight: float, time: float
    ) -> None:
        queries, users, kinds = self._texts
        row = (
            queries.setdefault(query, len(queries)),
            item,
            NOBODY if user is None else users.setdefault(user, len(users)),
            kinds.setdefault(kind, len(kinds)),
            weight,
            time,
        )
        for column, value in zip(self._columns, row, strict=True):
            column.append(value)

    def kind_fits(self, kind: str) -> bool:
        """Whether there is room for one more kind."""
        return kind in self._texts[2] or len(self._texts[2]) < MOST_KINDS

    def table(self) -> InteractionTable:
        parts = (np.frombuffer(column, dtype=column.typecode) if column
                 else np.empty(0, column.typecode) for column in self._columns)  # fmt: skip
        queries, users, kinds = map(tuple, self._texts)
        return InteractionTable(queries, users, kinds, *parts)


MOST_KINDS = 1000
_TOO_MANY = Unfit(
    f"more than {MOST_KINDS} different kinds",
    "A kind says how an event came about, such as `click`.",
)


def read_interactions(table: Table, ids: ItemIds, problems: Problems) -> InteractionTable:
    """The events of a file that are as they should be, in its order.

    Args:
        table: The file.
        ids: Ids of the items.
        problems: Told of the others.

    Raises:
        FileError: A column is missing or of an impossible type.
    """
    columns.checked(table, columns.INTERACTIONS)
    found = _Filling()
    form: str | None = None
    for batch in table.batches(problems):
        cells = [batch.column(name) for name in columns.INTERACTIONS]
        for row, *given in zip(batch.rows, *cells, strict=True):
            noted = _Noted(table.name, row, problems)
            event = noted.event(given, ids, form, found)
            if event is not None:
                form = event or form
    return found.table()


class _Noted:
    """One row of the file, with where to note what is wrong with it."""

    def __init__(self, file: str, row: int, problems: Problems) -> None:
        self._file, self._row, self._problems = file, row, problems

    def event(
        self, given: Sequence[Any], ids: ItemIds, form: str | None, filling: _Filling
    ) -> str | None:
        """Take the row up; returns the form of its time ("" for none), ``None`` if it is set aside."""
        query, item, user, time, weight, kind = given
        column, value = "item_id", item
        try:
            number = ids.number(values.own_id(item))
            if number is None:
                raise _NOWHERE
            column, value = "query", query
            asked = values.text(query)[0]
            column, value = "user_id", user
            who = None if values.missing(user) else values.own_id(user)
            if who is None and not asked:
                column, value = "query", query
                raise _NEITHER
            column, value = "time", time
            moment = values.moment(time)
            if moment is not None and form and moment[0] != form:
                raise _MIXED
            column, value = "weight", weight
            share = values.weight(weight)
            column, value = "kind", kind
            how = values.category(kind) or "click"
            if not filling.kind_fits(how):
                raise _TOO_MANY
        except Unfit as wrong:
            self._problems.add(self._file, self._row, column, wrong, value)
            return None
        filling.add(asked, number, who, how, share, moment[1] if moment else float("nan"))
        return moment[0] if moment else ""
