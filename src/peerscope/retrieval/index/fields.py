"""Categorical fields as columns: filters and facets over a hundred thousand items are array operations."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import orjson
from numpy.typing import NDArray

from peerscope.retrieval.schema import Filter, IntArray, Item

Mask = NDArray[np.bool_]


class _Column:
    """One field: value codes of all rows one after the other, with each row's begin and end."""

    def __init__(self, values: list[str], codes: IntArray, ends: IntArray) -> None:
        self.values = values
        self.codes = codes
        self.ends = ends
        self.code_of = {value: code for code, value in enumerate(values)}

    @classmethod
    def of(cls, rows: Sequence[Sequence[str]]) -> _Column:
        code_of: dict[str, int] = {}
        codes = [code_of.setdefault(value, len(code_of)) for row in rows for value in row]
        ends = np.cumsum([0, *(len(row) for row in rows)])
        return cls(list(code_of), np.asarray(codes, np.int64), ends.astype(np.int64))

    def rows_with(self, wanted: Mask) -> Mask:
        """Rows with at least one value for which ``wanted[code]`` holds."""
        hit = np.concatenate(([0], np.cumsum(wanted[self.codes]))) if len(self.codes) else None
        if hit is None:
            return np.zeros(len(self.ends) - 1, dtype=bool)
        passing: Mask = hit[self.ends[1:]] > hit[self.ends[:-1]]
        return passing

    def any_of(self, accepted: Sequence[str]) -> Mask:
        wanted = np.zeros(len(self.values), dtype=bool)
        wanted[[self.code_of[value] for value in accepted if value in self.code_of]] = True
        return self.rows_with(wanted)

    def between(self, low: int | None, high: int | None) -> Mask:
        wanted = np.asarray([_within(value, low, high) for value in self.values], dtype=bool)
        return self.rows_with(wanted)

    def counts(self, rows: IntArray) -> dict[str, int]:
        """How many of the rows carry each value."""
        if not len(rows) or not len(self.codes):
            return {}
        begins, lengths = self.ends[rows], self.ends[rows + 1] - self.ends[rows]
        steps = np.arange(int(lengths.sum())) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        counted = np.bincount(
            self.codes[np.repeat(begins, lengths) + steps], minlength=len(self.values)
        )
        return {self.values[code]: int(counted[code]) for code in np.flatnonzero(counted)}


_NUMBER = re.compile(r"-?[0-9]{1,15}")


def as_number(value: str) -> int | None:
    """The integer that a value spells in plain digits, else ``None``; ranges know no other numbers."""
    return int(value) if _NUMBER.fullmatch(value) else None


def _within(value: str, low: int | None, high: int | None) -> bool:
    number = as_number(value)
    if number is None:
        return False
    return (low is None or number >= low) and (high is None or number <= high)


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
        mask = np.ones(self._rows, dtype=bool)
        for name, accepted in where.any_of.items():
            column = self._columns.get(name)
            mask &= column.any_of(accepted) if column else False
        for name, (low, high) in where.ranges.items():
            column = self._columns.get(name)
            mask &= column.between(low, high) if column else False
        return mask

    def facets(self, rows: IntArray, names: Sequence[str]) -> dict[str, dict[str, int]]:
        """For each field, how many of the rows carry each value."""
        return {
            name: self._columns[name].counts(rows) if name in self._columns else {}
            for name in names
        }

    def row(self, row: int) -> list[tuple[str, list[str]]]:
        """Fields of one row with their values; fields without a value are left out."""
        found = []
        for name, column in self._columns.items():
            codes = column.codes[column.ends[row] : column.ends[row + 1]]
            if len(codes):
                found.append((name, [column.values[code] for code in codes]))
        return found

    def save(self, folder: Path) -> None:
        """Write ``fields.json`` and ``fields.npz``."""
        described = {name: column.values for name, column in self._columns.items()}
        (folder / "fields.json").write_bytes(
            orjson.dumps({"rows": self._rows, "fields": described})
        )
        arrays = {}
        for place, column in enumerate(self._columns.values()):
            arrays[f"codes{place}"] = column.codes
            arrays[f"ends{place}"] = column.ends
        np.savez(folder / "fields.npz", **arrays)  # type: ignore[arg-type]

    @classmethod
    def load(cls, folder: Path) -> Fields:
        """Read what `save` wrote."""
        stated = orjson.loads((folder / "fields.json").read_bytes())
        with np.load(folder / "fields.npz") as arrays:
            columns = {
                name: _Column(values, arrays[f"codes{place}"], arrays[f"ends{place}"])
                for place, (name, values) in enumerate(stated["fields"].items())
            }
        return cls(stated["rows"], columns)
