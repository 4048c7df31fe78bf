"""Categorical fields as columns: filters and facets over a million items are array operations."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import orjson
from numpy.typing import NDArray

from peerscope.retrieval.index.arrays import joined, mapped
from peerscope.retrieval.schema import Filter, IntArray, Item

Mask = NDArray[np.bool_]
Codes = NDArray[np.int32]

ARRAYS = ("codes", "ends", "holders", "bounds")


class _Column:
    """One field, both ways: the values of each row, and the rows of each value.

    Args:
        values: The distinct values.
        codes: Places in ``values`` of all rows' values, one row after the other.
        ends: Where each row begins and ends in ``codes``, shape ``[rows + 1]``.
        holders: Rows of all values, one value after the other, ascending within a value.
        bounds: Where each value begins and ends in ``holders``, shape ``[len(values) + 1]``.
    """

    def __init__(
        self, values: list[str], codes: Codes, ends: IntArray, holders: Codes, bounds: IntArray
    ) -> None:
        self.values = values
        self.codes = codes
        self.ends = ends
        self.holders = holders
        self.bounds = bounds

    @classmethod
    def of(cls, rows: Sequence[Sequence[str]]) -> _Column:
        code_of: dict[str, int] = {}
        found = [code_of.setdefault(value, len(code_of)) for row in rows for value in row]
        codes = np.asarray(found, np.int32)
        lengths = [len(row) for row in rows]
        owners = np.repeat(np.arange(len(rows), dtype=np.int32), lengths)
        counted = np.bincount(codes, minlength=len(code_of))
        return cls(
            list(code_of),
            codes,
            np.cumsum([0, *lengths]).astype(np.int64),
            owners[np.argsort(codes, kind="stable")],
            np.concatenate(([0], np.cumsum(counted))).astype(np.int64),
        )

    @cached_property
    def code_of(self) -> dict[str, int]:
        return {value: code for code, value in enumerate(self.values)}

    @cached_property
    def numbers(self) -> tuple[NDArray[np.int64], IntArray]:
        """The values that are numbers, and their codes."""
        known = [(number, code) for code, value in enumerate(self.values)
                 if (number := as_number(value)) is not None]  # fmt: skip
        found = np.asarray(known, np.int64).reshape(-1, 2)
        return found[:, 0], found[:, 1]

    def any_of(self, accepted: Sequence[str]) -> Codes:
        """Rows with at least one of the values; a row may come twice."""
        codes = {self.code_of[value] for value in accepted if value in self.code_of}
        return self._holding(np.asarray(sorted(codes), np.int64))

    def between(self, low: int | None, high: int | None) -> Codes:
        """Rows with a number within the bounds; a row may come twice."""
        numbers, codes = self.numbers
        within = np.ones(len(numbers), dtype=bool)
        if low is not None:
            within &= numbers >= low
        if high is not None:
            within &= numbers <= high
        return self._holding(codes[within])

    def _holding(self, codes: IntArray) -> Codes:
        return joined(self.holders, self.bounds[codes], self.bounds[codes + 1])

    def counts(self, rows: IntArray) -> dict[str, int]:
        """How many of the rows carry each value."""
        begins, lengths = self.ends[rows], self.ends[rows + 1] - self.ends[rows]
        steps = np.arange(int(lengths.sum())) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        codes, counted = np.unique(
            self.codes[np.repeat(begins, lengths) + steps], return_counts=True
        )
        pairs = zip(codes.tolist(), counted.tolist(), strict=True)
        return {self.values[code]: number for code, number in pairs}


_NUMBER = re.compile(r"-?[0-9]{1,15}")


def as_number(value: str) -> int | None:
    """The integer that a value spells in plain digits, else ``None``; ranges know no other numbers."""
    return int(value) if _NUMBER.fullmatch(value) else None


class Fields:
    """The categorical fields of a list of items, by row."""

    def __init__(self, rows: int, columns: dict[str, _Column]) -> None:
        self._rows = rows
        self._columns = columns

    @classmethod
    def of(cls, items: Sequence[Item]) -> Fields:
        """Columns for every field that any item has; values of one item count once."""
        names = sorted({name for item in items for name in item.fields})
        columns = {
            name: _Column.of([tuple(dict.fromkeys(item.fields.get(name, ()))) for item in items])
            for name in names
        }
        return cls(len(items), columns)

    def passing(self, where: Filter | None) -> Mask | None:
        """Rows that pass the filter, shape ``[rows]``; ``None`` when all do."""
        if where is None or where.empty:
            return None
        conditions: list[Codes] = []
        for name, accepted in where.any_of.items():
            column = self._columns.get(name)
            conditions.append(column.any_of(accepted) if column else np.empty(0, np.int32))
        for name, (low, high) in where.ranges.items():
            column = self._columns.get(name)
            conditions.append(column.between(low, high) if column else np.empty(0, np.int32))
        rarest, *others = sorted(conditions, key=len)
        mask = np.zeros(self._rows, dtype=bool)
        mask[rarest] = True
        for rows in others:
            also = np.zeros(self._rows, dtype=bool)
            also[rows] = True
            mask &= also
        return mask

    def facets(self, rows: IntArray, names: Sequence[str]) -> dict[str, dict[str, int]]:
        """For each field, how many of the rows carry each value."""
        return {
            name: self._columns[name].counts(rows) if name in self._columns else {}
            for name in names
        }

    def save(self, folder: Path) -> None:
        """Write ``fields.json`` and one array file for each part of a column."""
        described = {name: column.values for name, column in self._columns.items()}
        stated = orjson.dumps({"rows": self._rows, "fields": described})
        (folder / "fields.json").write_bytes(stated)
        for place, column in enumerate(self._columns.values()):
            for part in ARRAYS:
                np.save(folder / f"field{place}-{part}.npy", getattr(column, part))

    @classmethod
    def load(cls, folder: Path) -> Fields:
        """Read what `save` wrote; the arrays stay on disk until they are touched."""
        stated = orjson.loads((folder / "fields.json").read_bytes())
        columns = {
            name: _Column(values, *(mapped(folder / f"field{n}-{part}.npy") for part in ARRAYS))
            for n, (name, values) in enumerate(stated["fields"].items())
        }
        return cls(stated["rows"], columns)
